"""The DB parameter group in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.db_parameter_groups import DbParameterGroup, ParameterGroupSpec

RECONCILER = DbParameterGroup()
ID = "db-instance-params-pg16-test"
CREATE = ("rds", "CreateDBParameterGroup")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("rds", "ListTagsForResource", "DBParameterGroupNotFound")
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {}


def examples(world: dict[str, str]) -> list[ParameterGroupSpec]:
    base = ParameterGroupSpec(
        family="aurora-postgresql16",
        description="Instance parameters of db-cluster-test",
        # The first is the engine's own default: AWS does not say that it was set.
        parameters={"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "ALL"},
        tags={**TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                "parameters": {
                    "shared_preload_libraries": "pg_stat_statements,pgaudit",
                    "pg_stat_statements.track": "top",
                },
                "tags": {**TAGS, "Service": "payments"},
            }
        ),
        base.model_copy(update={"family": "aurora-postgresql15", "description": "Parameters"}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.rds.create_db_parameter_group(
        DBParameterGroupName=ID,
        DBParameterGroupFamily="aurora-postgresql16",
        Description="somebody else's",
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
