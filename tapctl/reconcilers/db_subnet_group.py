"""An RDS DB subnet group: the subnets that a cluster's instances may be in.

AWS's facts are from the RDS API reference: CreateDBSubnetGroup, ModifyDBSubnetGroup, DeleteDBSubnetGroup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import NO_SUBNET_GROUP, arn_of, classify, read_tags, set_tags, tag_list, tagged

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBSubnetGroupTypeDef

    from tapctl.aws.client import Aws

_HELD = ("InvalidDBSubnetGroupStateFault", "InvalidDBSubnetStateFault")


class DbSubnetGroupSpec(Spec):
    """What tapctl owns on a subnet group."""

    description: str
    subnet_ids: frozenset[str]
    tags: dict[str, str]


class DbSubnetGroupOutputs(Outputs):
    """Its ARN."""

    arn: str


class DbSubnetGroup(Reconciler[DbSubnetGroupSpec, DbSubnetGroupOutputs]):
    """Sees and changes one subnet group; its id is its name."""

    type = "db-subnet-group"
    spec = DbSubnetGroupSpec
    outputs = DbSubnetGroupOutputs
    timing = Timing(create_s=3, delete_s=5, longest_s=600)

    def observe(
        self, aws: Aws, id: str, expected: DbSubnetGroupSpec | None
    ) -> Observed[DbSubnetGroupSpec, DbSubnetGroupOutputs] | None:
        """Two reads: the group, and its tags."""
        try:
            pages = aws.pages(aws.rds.get_paginator("describe_db_subnet_groups"), DBSubnetGroupName=id)
            group = next((one for page in pages for one in page["DBSubnetGroups"] if _name(one) == id.lower()), None)
            if group is None:
                return None
            arn = group.get("DBSubnetGroupArn", "")
            tags, unread = read_tags(aws, arn, expected.tags if expected else {})
        except AwsRefused as error:
            if error.matches(NO_SUBNET_GROUP):
                return None
            raise
        spec = DbSubnetGroupSpec(
            description=group.get("DBSubnetGroupDescription", ""),
            subnet_ids=frozenset(subnet.get("SubnetIdentifier", "") for subnet in group.get("Subnets", [])),
            tags=tags,
        )
        owner = None if unread else Owner.of(tags)
        status = group.get("SubnetGroupStatus", "Complete")
        return Observed(spec, DbSubnetGroupOutputs(arn=arn), status=status, owner=owner, unreadable=unread)

    def create(self, aws: Aws, id: str, want: DbSubnetGroupSpec, owner: Owner) -> None:
        """Make it with its subnets and tags."""
        try:
            aws.rds.create_db_subnet_group(
                DBSubnetGroupName=id,
                DBSubnetGroupDescription=want.description,
                SubnetIds=sorted(want.subnet_ids),
                Tags=tag_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.matches("DBSubnetGroupAlreadyExists"):
                raise AlreadyExists(f"a DB subnet group {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: DbSubnetGroupSpec, want: DbSubnetGroupSpec) -> frozenset[str]:
        """Description and subnets, which RDS takes as the whole new list; then tags."""
        differs = {name for name in ("description", "subnet_ids") if getattr(have, name) != getattr(want, name)}
        try:
            if differs:
                aws.rds.modify_db_subnet_group(
                    DBSubnetGroupName=id,
                    DBSubnetGroupDescription=want.description,
                    SubnetIds=sorted(want.subnet_ids),
                )
                return frozenset(differs)
            return set_tags(aws, arn_of(aws, "subgrp", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbSubnetGroupSpec, DbSubnetGroupOutputs],  # noqa: ARG002 -- one call takes any group
        last: DbSubnetGroupSpec | None,  # noqa: ARG002 -- as above
    ) -> None:
        """Delete it; a cluster holds it until it is gone, even one without instances."""
        try:
            aws.rds.delete_db_subnet_group(DBSubnetGroupName=id)
        except AwsRefused as error:
            if error.matches(NO_SUBNET_GROUP):
                return
            if error.matches(*_HELD):
                raise NotYet(f"{id} is still used: {error.message}", Patience.LONG) from error
            raise

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All groups of the region, by their tags."""
        pages = aws.pages(aws.rds.get_paginator("describe_db_subnet_groups"))
        groups = [one for page in pages for one in page["DBSubnetGroups"]]
        yield from tagged(aws, owner, {_name(one): one.get("DBSubnetGroupArn", "") for one in groups})


def _name(group: DBSubnetGroupTypeDef) -> str:
    return group.get("DBSubnetGroupName", "").lower()
