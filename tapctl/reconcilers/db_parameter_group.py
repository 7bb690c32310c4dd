"""A DB parameter group: the parameters of single instances, which override their cluster's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tapctl.reconcilers.rds_parameter_groups import Group, ParameterGroups, ParameterGroupSpec

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterOutputTypeDef, TagTypeDef

    from tapctl.aws import Aws


class DbParameterGroup(ParameterGroups):
    """Sees and changes one DB parameter group."""

    type = "db-parameter-group"
    arn_kind = "pg"

    def groups(self, aws: Aws, id: str | None) -> list[Group]:
        """By DescribeDBParameterGroups."""
        which = {"DBParameterGroupName": id} if id else {}
        pages = aws.pages(aws.rds.get_paginator("describe_db_parameter_groups"), **which)
        return [
            Group(
                one.get("DBParameterGroupName", "").lower(),
                one.get("DBParameterGroupArn", ""),
                one.get("DBParameterGroupFamily", ""),
                one.get("Description", ""),
            )
            for page in pages
            for one in page["DBParameterGroups"]
        ]

    def parameters(self, aws: Aws, id: str, **which: Any) -> Iterable[ParameterOutputTypeDef]:
        """By DescribeDBParameters."""
        pages = aws.pages(aws.rds.get_paginator("describe_db_parameters"), DBParameterGroupName=id, **which)
        return (one for page in pages for one in page["Parameters"])

    def make(self, aws: Aws, id: str, want: ParameterGroupSpec, tags: Sequence[TagTypeDef]) -> None:
        """By CreateDBParameterGroup."""
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=id, DBParameterGroupFamily=want.family, Description=want.description, Tags=tags
        )

    def modify(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ModifyDBParameterGroup."""
        aws.rds.modify_db_parameter_group(DBParameterGroupName=id, Parameters=parameters)

    def reset(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ResetDBParameterGroup."""
        aws.rds.reset_db_parameter_group(DBParameterGroupName=id, ResetAllParameters=False, Parameters=parameters)

    def remove(self, aws: Aws, id: str) -> None:
        """By DeleteDBParameterGroup."""
        aws.rds.delete_db_parameter_group(DBParameterGroupName=id)
