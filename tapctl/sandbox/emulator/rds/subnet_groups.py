"""DB subnet groups: two zones at least, one VPC, changed in place, held by their users."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rds.catalog import page
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("rds")


def _subnets(call: Call) -> list[Any]:
    known = {subnet.id: subnet for subnet in call.moto("ec2").describe_subnets()}
    ids = call.params["SubnetIds"]
    bad = sorted(set(ids) - set(known))
    if bad or len({known[id_].vpc_id for id_ in ids}) > 1:
        raise Fault("InvalidSubnet", f"Some input subnets in :[{', '.join(bad or ids)}] are invalid.")
    if len({known[id_].availability_zone for id_ in ids}) < 2:  # noqa: PLR2004  # RDS's own bound
        raise Fault(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(sorted({known[id_].availability_zone for id_ in ids}))}. Add subnets to cover at least 2 AZs.",
        )
    return [known[id_] for id_ in ids]


@rules("CreateDBSubnetGroup")
def a_subnet_group_is_made_once(call: Call, proceed: Proceed) -> Reply:
    """A name that is taken is refused."""
    name = call.params["DBSubnetGroupName"]
    if name in call.moto("rds").subnet_groups:
        raise Fault("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    return proceed()


@rules("CreateDBSubnetGroup")
def a_subnet_group_covers_two_zones(call: Call, proceed: Proceed) -> Reply:
    """The subnets exist, are of one VPC and of two zones at least."""
    _subnets(call)
    return proceed()


@rules("ModifyDBSubnetGroup")
def a_subnet_group_is_changed_in_place(call: Call, _: Proceed) -> Reply:
    """The whole list of subnets is replaced, the group stays; moto would lose it."""
    name = call.params["DBSubnetGroupName"]
    group = call.moto("rds").subnet_groups.get(name)
    if group is None:
        raise Fault("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.")
    subnets = _subnets(call)
    if subnets[0].vpc_id != group.vpc_id:
        raise Fault("InvalidSubnet", "The new Subnets are not in the same Vpc as the existing subnet group")
    group.subnets = subnets
    group.description = call.params.get("DBSubnetGroupDescription", group.description)
    reply = call.ask("DescribeDBSubnetGroups", DBSubnetGroupName=name)
    return {"DBSubnetGroup": reply["DBSubnetGroups"][0]}


@rules("DeleteDBSubnetGroup")
def a_subnet_group_in_use_stays(call: Call, proceed: Proceed) -> Reply:
    """A cluster holds its subnet group, even one without instances."""
    name = call.params["DBSubnetGroupName"]
    users = [one.resource_id for one in call.moto("rds").clusters.values() if one.db_subnet_group_name == name]
    if users:
        raise Fault(
            "InvalidDBSubnetGroupStateFault",
            f"Cannot delete the subnet group '{name}' because at least one database cluster: {users[0]} is still "
            "using it.",
        )
    return proceed()


@rules("DescribeDBSubnetGroups")
def subnet_groups_come_in_pages(call: Call, proceed: Proceed) -> Reply:
    """100 records a page."""
    return page(call, "DBSubnetGroups", proceed()["DBSubnetGroups"])
