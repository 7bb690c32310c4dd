"""What the tests of clusters that take their time look at: cluster ``c`` and its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapctl.aws import Aws

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

BUSY = "InvalidDBClusterStateFault"


def seen(aws: Aws) -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier="c")["DBClusters"]
    return cluster


def status(aws: Aws) -> str:
    return seen(aws)["Status"]


def statuses(aws: Aws) -> set[str]:
    return {one["DBInstanceStatus"] for one in aws.rds.describe_db_instances()["DBInstances"]}


def writer(aws: Aws) -> str:
    return next(one["DBInstanceIdentifier"] for one in seen(aws)["DBClusterMembers"] if one["IsClusterWriter"])


def change(aws: Aws, **asked: Any) -> DBClusterTypeDef:
    return aws.rds.modify_db_cluster(DBClusterIdentifier="c", ApplyImmediately=True, **asked)["DBCluster"]


def events(aws: Aws) -> list[str]:
    told = aws.rds.describe_events(SourceIdentifier="c", SourceType="db-cluster")["Events"]
    return [one["Message"] for one in told]
