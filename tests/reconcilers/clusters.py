"""A cluster with its members, made by hand, for the tests of what belongs to one."""

from __future__ import annotations

from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.aws.tags import as_list
from tests.reconcilers.cases import db_cluster, db_instance

CLUSTER: Final = db_cluster.ID
OURS: Final = {"ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def described(aws: Aws, **changes: Any) -> dict[str, Any]:
    """DescribeDBClusters' answer as it is, but for these changes of the cluster; None takes a field away."""
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=CLUSTER)["DBClusters"]
    merged = {**cluster, **changes}
    return {"DBClusters": [{name: value for name, value in merged.items() if value is not None}]}


def instance(aws: Aws, **changes: Any) -> dict[str, Any]:
    """DescribeDBInstances' answer for the first member as it is, but for these changes."""
    (found,) = aws.rds.describe_db_instances(DBInstanceIdentifier=db_instance.ID)["DBInstances"]
    return {"DBInstances": [{**found, **changes}]}


def add_member(aws: Aws, number: int, *, tags: dict[str, str] | None = None, **more: Any) -> str:
    """Add a member, ours unless ``tags`` say otherwise; returns its name."""
    name = f"{CLUSTER}-{number}"
    asked: dict[str, Any] = {"DBInstanceClass": "db.r6g.large", "DBParameterGroupName": db_instance.GROUP, **more}
    aws.rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBClusterIdentifier=CLUSTER,
        Engine="aurora-postgresql",
        Tags=as_list(OURS if tags is None else tags),
        **asked,
    )
    return name


def writer(aws: Aws) -> str:
    """The name of the writer."""
    members = described(aws)["DBClusters"][0]["DBClusterMembers"]
    return next(str(one["DBInstanceIdentifier"]) for one in members if one["IsClusterWriter"])
