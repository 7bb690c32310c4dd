"""DB subnet groups: two zones at least, one VPC, changed in place, held by their users."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rds.catalog import paginate
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError

contract = Rules("rds")


def _subnets(request: Request) -> list[Any]:
    known = {subnet.id: subnet for subnet in request.backend("ec2").describe_subnets()}
    ids = request.params["SubnetIds"]
    bad = sorted(set(ids) - set(known))
    if bad or len({known[id_].vpc_id for id_ in ids}) > 1:
        raise ServiceError("InvalidSubnet", f"Some input subnets in :[{', '.join(bad or ids)}] are invalid.")
    if len({known[id_].availability_zone for id_ in ids}) < 2:  # noqa: PLR2004  # RDS's own bound
        raise ServiceError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(sorted({known[id_].availability_zone for id_ in ids}))}. Add subnets to cover at least 2 AZs.",
        )
    return [known[id_] for id_ in ids]


@contract("CreateDBSubnetGroup")
def a_subnet_group_is_made_once(request: Request, proceed: Next) -> Reply:
    """A name that is taken is refused."""
    name = request.params["DBSubnetGroupName"]
    if name in request.backend("rds").subnet_groups:
        raise ServiceError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    return proceed()


@contract("CreateDBSubnetGroup")
def a_subnet_group_covers_two_zones(request: Request, proceed: Next) -> Reply:
    """The subnets exist, are of one VPC and of at least two zones."""
    _subnets(request)
    return proceed()


@contract("CreateDBSubnetGroup")
def the_first_use_of_rds_needs_its_role(request: Request, proceed: Next) -> Reply:
    """The first call of an account that never used RDS is refused, if scripted: RDS's own role is not there yet."""
    if request.simulation.next_outcome("rds.service-linked-role"):
        raise ServiceError(
            "InvalidParameterValue",
            "Missing necessary credentials. Please check http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"
            "UsingWithRDS.IAM.ServiceLinkedRoles.html",
        )
    return proceed()


@contract("ModifyDBSubnetGroup")
def a_subnet_that_an_instance_is_in_stays(request: Request, proceed: Next) -> Reply:
    """No subnet of a member's zone may leave the group with the last one of that zone."""
    rds, name = request.backend("rds"), request.params["DBSubnetGroupName"]
    if name not in rds.subnet_groups:
        return proceed()
    subnets = request.call("DescribeDBSubnetGroups", DBSubnetGroupName=name)["DBSubnetGroups"][0]["Subnets"]
    zones = {subnet["SubnetIdentifier"]: subnet["SubnetAvailabilityZone"]["Name"] for subnet in subnets}
    users = {cluster.db_cluster_identifier for cluster in rds.clusters.values() if cluster.db_subnet_group_name == name}
    for instance in rds.databases.values():
        there = {id_ for id_, zone in zones.items() if zone == instance.availability_zone}
        if instance.db_cluster_identifier in users and there and there.isdisjoint(request.params["SubnetIds"]):
            raise ServiceError(
                "InvalidParameterValue",
                f"Some of the subnets to be deleted are currently in use: {', '.join(sorted(there))}",
            )
    return proceed()


@contract("ModifyDBSubnetGroup")
def a_subnet_group_is_changed_in_place(request: Request, _: Next) -> Reply:
    """The whole list of subnets is replaced, the group stays; moto would lose it."""
    name = request.params["DBSubnetGroupName"]
    group = request.backend("rds").subnet_groups.get(name)
    if group is None:
        raise ServiceError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.")
    subnets = _subnets(request)
    if subnets[0].vpc_id != group.vpc_id:
        raise ServiceError("InvalidSubnet", "The new Subnets are not in the same Vpc as the existing subnet group")
    group.subnets = subnets
    group.description = request.params.get("DBSubnetGroupDescription", group.description)
    reply = request.call("DescribeDBSubnetGroups", DBSubnetGroupName=name)
    return {"DBSubnetGroup": reply["DBSubnetGroups"][0]}


@contract("DeleteDBSubnetGroup")
def a_subnet_group_in_use_stays(request: Request, proceed: Next) -> Reply:
    """A cluster holds its subnet group, even one without instances."""
    name = request.params["DBSubnetGroupName"]
    users = [
        cluster.resource_id
        for cluster in request.backend("rds").clusters.values()
        if cluster.db_subnet_group_name == name
    ]
    if users:
        raise ServiceError(
            "InvalidDBSubnetGroupStateFault",
            f"Cannot delete the subnet group '{name}' because at least one database cluster: {users[0]} is still "
            "using it.",
        )
    return proceed()


@contract("DescribeDBSubnetGroups")
def subnet_groups_come_in_pages(request: Request, proceed: Next) -> Reply:
    """A page of subnet groups holds 100 records."""
    return paginate(request, "DBSubnetGroups", proceed()["DBSubnetGroups"])
