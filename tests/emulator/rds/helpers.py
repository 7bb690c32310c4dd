"""Readers for the tests of clusters that take their time: cluster ``c`` and its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tapctl.aws.client import Aws

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

BUSY = "InvalidDBClusterStateFault"


def describe(aws: Aws) -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier="c")["DBClusters"]
    return cluster


def status(aws: Aws) -> str:
    return describe(aws)["Status"]


def statuses(aws: Aws) -> set[str]:
    return {member["DBInstanceStatus"] for member in aws.rds.describe_db_instances()["DBInstances"]}


def writer(aws: Aws) -> str:
    return next(
        member["DBInstanceIdentifier"] for member in describe(aws)["DBClusterMembers"] if member["IsClusterWriter"]
    )


def change(aws: Aws, **params: Any) -> DBClusterTypeDef:
    return aws.rds.modify_db_cluster(DBClusterIdentifier="c", ApplyImmediately=True, **params)["DBCluster"]


def events(aws: Aws, id_: str = "c", kind: Literal["db-cluster", "db-instance"] = "db-cluster") -> list[str]:
    """The messages of a resource, the last one last."""
    listed = aws.rds.describe_events(SourceIdentifier=id_, SourceType=kind)["Events"]
    return [one["Message"] for one in reversed(listed)]
