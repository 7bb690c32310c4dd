"""A DB cluster parameter group: the parameters of an Aurora cluster as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tapctl.reconcilers.rds_parameter_groups import Group, ParameterGroups, ParameterGroupSpec

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterOutputTypeDef, TagTypeDef

    from tapctl.aws import Aws


class DbClusterParameterGroup(ParameterGroups):
    """Sees and changes one DB cluster parameter group."""

    type = "db-cluster-parameter-group"
    arn_kind = "cluster-pg"

    def groups(self, aws: Aws, id: str | None) -> list[Group]:
        """By DescribeDBClusterParameterGroups."""
        which = {"DBClusterParameterGroupName": id} if id else {}
        pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_parameter_groups"), **which)
        return [
            Group(
                one.get("DBClusterParameterGroupName", "").lower(),
                one.get("DBClusterParameterGroupArn", ""),
                one.get("DBParameterGroupFamily", ""),
                one.get("Description", ""),
            )
            for page in pages
            for one in page["DBClusterParameterGroups"]
        ]

    def parameters(self, aws: Aws, id: str, **which: Any) -> Iterable[ParameterOutputTypeDef]:
        """By DescribeDBClusterParameters."""
        pages = aws.pages(
            aws.rds.get_paginator("describe_db_cluster_parameters"), DBClusterParameterGroupName=id, **which
        )
        return (one for page in pages for one in page["Parameters"])

    def make(self, aws: Aws, id: str, want: ParameterGroupSpec, tags: Sequence[TagTypeDef]) -> None:
        """By CreateDBClusterParameterGroup."""
        aws.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=id, DBParameterGroupFamily=want.family, Description=want.description, Tags=tags
        )

    def modify(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ModifyDBClusterParameterGroup."""
        aws.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=id, Parameters=parameters)

    def reset(self, aws: Aws, id: str, parameters: Sequence[Any]) -> None:
        """By ResetDBClusterParameterGroup."""
        aws.rds.reset_db_cluster_parameter_group(
            DBClusterParameterGroupName=id, ResetAllParameters=False, Parameters=parameters
        )

    def remove(self, aws: Aws, id: str) -> None:
        """By DeleteDBClusterParameterGroup."""
        aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=id)
