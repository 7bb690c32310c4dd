"""The cluster's instance in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.aws.tags import as_list
from tapctl.reconcilers.db_instance import DbInstance, DbInstanceSpec
from tests.reconcilers.cases import db_cluster

RECONCILER = DbInstance()
ID = "db-cluster-test-0"
CREATE = ("rds", "CreateDBInstance")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
FIXED = frozenset({"cluster", "engine"})
"""An instance of another cluster is somebody else's, and there is no other engine."""

GROUP = "db-instance-params-pg16-test"


def prepare(aws: Aws) -> dict[str, str]:
    """Our cluster, made by hand, and what its instances refer to."""
    for group in (GROUP, f"{GROUP}-other"):
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=group, DBParameterGroupFamily="aurora-postgresql16", Description="d"
        )
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=db_cluster.GROUP, DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    aws.rds.create_db_cluster(
        DBClusterIdentifier=db_cluster.ID,
        Engine="aurora-postgresql",
        EngineVersion="16.8",
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBClusterParameterGroupName=db_cluster.GROUP,
        Tags=as_list(db_cluster.TAGS),
    )
    return {}


def examples(world: dict[str, str]) -> list[DbInstanceSpec]:
    base = DbInstanceSpec(
        cluster=db_cluster.ID,
        instance_class="db.r6g.large",
        parameter_group=GROUP,
        maintenance_window="sun:05:00-sun:06:00",
        tags={**TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                "instance_class": "db.r6g.xlarge",
                "parameter_group": f"{GROUP}-other",
                "maintenance_window": "wed:22:00-wed:23:30",
                "publicly_accessible": True,
                "auto_minor_version_upgrade": False,
                "promotion_tier": 0,
                "tags": {**TAGS, "Service": "payments"},
            }
        ),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_db_instance(
        DBInstanceIdentifier=ID,
        DBClusterIdentifier=db_cluster.ID,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
