"""The DB cluster parameter group in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.db_parameter_groups import DbClusterParameterGroup, ParameterGroupSpec

RECONCILER = DbClusterParameterGroup()
ID = "db-cluster-params-pg16-test"
CREATE = ("rds", "CreateDBClusterParameterGroup")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("rds", "ListTagsForResource", "DBParameterGroupNotFound")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {}


def examples(world: dict[str, str]) -> list[ParameterGroupSpec]:
    base = ParameterGroupSpec(
        family="aurora-postgresql16",
        description="Cluster parameters of db-cluster-test",
        parameters={"log_statement": "ddl", "log_min_duration_statement": "1000", "rds.force_ssl": "1"},
        tags={**TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                # One is the engine's own default, one is static, two of the others are gone.
                "parameters": {"rds.force_ssl": "0", "max_connections": "100"},
                "tags": {**TAGS, "Service": "payments"},
            }
        ),
        base.model_copy(update={"parameters": {}}),
        base.model_copy(update={"family": "aurora-postgresql17"}),
        base.model_copy(update={"description": "Parameters"}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=ID,
        DBParameterGroupFamily="aurora-postgresql16",
        Description="somebody else's",
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
