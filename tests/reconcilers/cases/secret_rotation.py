"""The rotation of the cluster's secret in the conformance suite: a facet, so the cluster is prepared."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.secret_rotation import SecretRotation, SecretRotationSpec
from tests.reconcilers.cases import db_cluster, db_instance

RECONCILER = SecretRotation()
ID = db_cluster.ID
CREATE = ("secretsmanager", "RotateSecret")
TAGS = db_cluster.TAGS


def prepare(aws: Aws) -> dict[str, str]:
    """Our cluster with one instance: before that RDS does not finish the secret."""
    world = db_instance.prepare(aws)
    aws.rds.create_db_instance(
        DBInstanceIdentifier=f"{ID}-0",
        DBClusterIdentifier=ID,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    return world


def examples(world: dict[str, str]) -> list[SecretRotationSpec]:
    base = SecretRotationSpec(rotation_days=30, enabled=True, tags={**TAGS, "CostCenter": "payments"})
    return [
        base,
        base.model_copy(update={"rotation_days": 14, "tags": {**TAGS, "Service": "payments"}}),
        base.model_copy(update={"enabled": False}),
    ]
