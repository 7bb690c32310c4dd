"""An RDS DB subnet group: the subnets that a cluster's instances may be in.

AWS's facts are from the RDS API reference: CreateDBSubnetGroup, ModifyDBSubnetGroup, DeleteDBSubnetGroup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tapctl.aws.policy import when
from tapctl.aws.refusals import UnreadableFields
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_list
from tapctl.engine.model import Observed, Outputs, Owner, Spec, Timing, address
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused
from tapctl.reconcilers.database_groups import ASKS_DATABASES, DatabaseGroups
from tapctl.reconcilers.rds import NO_SUBNET_GROUP, arn_of, classify, owned_names, read_tags, step_tags

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBSubnetGroupTypeDef

    from tapctl.aws.client import Aws

# The group is still used, or a subnet of it is.
_HELD: Final = ("InvalidDBSubnetGroupStateFault", "InvalidDBSubnetStateFault")


COMPLETE: Final = "complete"
"""RDS's word, in whatever case, for a group with which all is well."""
_GROUP: Final = (arn("rds", "subgrp:{db-subnet-group}"),)


class DbSubnetGroupSpec(Spec):
    """The fields that tapctl owns on a subnet group."""

    description: str
    subnet_ids: frozenset[str]
    tags: dict[str, str]


class DbSubnetGroupOutputs(Outputs):
    """The group's ARN."""

    arn: str


class DbSubnetGroup(DatabaseGroups[DbSubnetGroupSpec, DbSubnetGroupOutputs]):
    """A DB subnet group; the id is its name."""

    type = "db-subnet-group"
    name_is_identity = True
    teardown_rank = 100
    trail = Trail(
        "rds",
        whole=("CreateDBSubnetGroup", "DeleteDBSubnetGroup"),
        fields={
            "description": ("ModifyDBSubnetGroup:dBSubnetGroupDescription",),
            "subnet_ids": ("ModifyDBSubnetGroup:subnetIds",),
            "tags": ("AddTagsToResource", "RemoveTagsFromResource"),
        },
    )
    timing = Timing(create_s=3, delete_s=5, longest_s=600)
    never_compared = ("routes, ACLs, public addresses of its subnets; whether the networking stack still names them",)
    actions = (
        Right(Need.OBSERVE, ("rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"), _GROUP),
        Right(Need.CREATE, ("rds:CreateDBSubnetGroup", "rds:AddTagsToResource"), _GROUP),
        Right(Need.UPDATE, ("rds:ModifyDBSubnetGroup",), _GROUP),
        Right(Need.UPDATE, ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"), _GROUP, fields=frozenset({"tags"})),
        Right(Need.DELETE, ("rds:DeleteDBSubnetGroup",), _GROUP),
        ASKS_DATABASES,
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
        # The first use of RDS in an account makes RDS's own role.
        Right(
            Need.CREATE,
            ("iam:CreateServiceLinkedRole",),
            ("arn:{partition}:iam::{account}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",),
            (when("StringEquals", "iam:AWSServiceName", "rds.amazonaws.com"),),
        ),
    )

    def observe(
        self, aws: Aws, id: str, expected: DbSubnetGroupSpec | None
    ) -> Observed[DbSubnetGroupSpec, DbSubnetGroupOutputs] | None:
        """Read the group and its tags: two calls."""
        unreadable = UnreadableFields()
        try:
            pages = aws.pages(aws.rds.get_paginator("describe_db_subnet_groups"), DBSubnetGroupName=id)
            groups = (group for page in pages for group in page["DBSubnetGroups"])
            group = next((group for group in groups if _name(group) == id.lower()), None)
            if group is None:
                return None
            arn = group["DBSubnetGroupArn"]
            live_tags = read_tags(aws, arn, unreadable, expected.tags if expected else {})
        except AwsRefused as error:
            if error.matches(NO_SUBNET_GROUP):
                return None
            raise
        spec = DbSubnetGroupSpec(
            description=group.get("DBSubnetGroupDescription", ""),
            subnet_ids=frozenset(subnet.get("SubnetIdentifier", "") for subnet in group.get("Subnets", [])),
            tags=live_tags,
        )
        owner = None if unreadable.actions else Owner.of(live_tags)
        outputs = DbSubnetGroupOutputs(arn=arn)
        return Observed(spec, outputs, status=_status(group), owner=owner, unreadable=unreadable.actions)

    def create(self, aws: Aws, id: str, want: DbSubnetGroupSpec, owner: Owner) -> None:
        """Make the group with its subnets and tags."""
        try:
            aws.rds.create_db_subnet_group(
                DBSubnetGroupName=id,
                DBSubnetGroupDescription=want.description,
                SubnetIds=sorted(want.subnet_ids),
                Tags=as_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.matches("DBSubnetGroupAlreadyExists"):
                raise AlreadyExists(f"a DB subnet group {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: DbSubnetGroupSpec, want: DbSubnetGroupSpec) -> frozenset[str]:
        """Change description and subnets, which RDS takes as the whole new list; then tags."""
        differs = {name for name in ("description", "subnet_ids") if getattr(have, name) != getattr(want, name)}
        try:
            if differs:
                aws.rds.modify_db_subnet_group(
                    DBSubnetGroupName=id,
                    DBSubnetGroupDescription=want.description,
                    SubnetIds=sorted(want.subnet_ids),
                )
                return frozenset(differs)
            return step_tags(aws, arn_of(aws, "subgrp", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[DbSubnetGroupSpec, DbSubnetGroupOutputs],
        last: DbSubnetGroupSpec | None,
    ) -> None:
        """Delete the group; a cluster uses the group until the cluster is gone, even one without instances."""
        try:
            aws.rds.delete_db_subnet_group(DBSubnetGroupName=id)
        except AwsRefused as error:
            if error.matches(NO_SUBNET_GROUP):
                return
            if error.matches(*_HELD):
                raise NotYet(f"{id} is still used: {error.message}", Patience.LONG) from error
            raise

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the groups by the owner's tags."""
        return owned_names(aws, owner, "subgrp")


def check_subnets(aws: Aws, id: str, want: DbSubnetGroupSpec) -> Refused | None:
    """Ask RDS which of its instances have no subnet in their zone but those that the group is to lose; None if none.

    RDS refuses to take a subnet away that an instance is in.

    Raises:
        AwsRefused: that may not be asked.
    """
    pages = aws.pages(aws.rds.get_paginator("describe_db_instances"))
    held: dict[str, list[str]] = {}
    for instance in (instance for page in pages for instance in page["DBInstances"]):
        group, zone = instance.get("DBSubnetGroup", {}), instance.get("AvailabilityZone", "")
        there = {
            subnet.get("SubnetIdentifier", "")
            for subnet in group.get("Subnets", ())
            if subnet.get("SubnetAvailabilityZone", {}).get("Name") == zone
        }
        if _name(group) == id.lower() and there and there.isdisjoint(want.subnet_ids):
            held[f"{instance.get('DBInstanceIdentifier')} in {zone}"] = sorted(there)
    if not held:
        return None
    return Refused(
        f"{address(DbSubnetGroup.type, id)}: RDS takes no subnet away that an instance is in: {', '.join(held)}",
        evidence="\n".join(f"{who}: {', '.join(subnets)}" for who, subnets in held.items()),
        hint="keep these subnets in the networking until no instance is in them: with a member in a zone that stays, "
        "delete this one (RDS fails over), and the next apply makes it again in such a zone",
    )


def _status(group: DBSubnetGroupTypeDef) -> str:
    """RDS's word for the group's state, with its subnets that are not ``Active``.

    Empty where the answer leaves a state out, and tells nothing that is amiss beside it.
    """
    states = {subnet.get("SubnetIdentifier", ""): subnet.get("SubnetStatus", "") for subnet in group.get("Subnets", [])}
    amiss = [f"{subnet} {state}" for subnet, state in sorted(states.items()) if state not in ("Active", "")]
    status = group.get("SubnetGroupStatus", "")
    is_well = status.casefold() == COMPLETE and not amiss
    return "" if is_well and "" in states.values() else ", ".join(filter(None, (status, *amiss)))


def _name(group: DBSubnetGroupTypeDef) -> str:
    return group.get("DBSubnetGroupName", "").lower()
