"""The rotation, and the tags, of the master user's secret that RDS keeps for a cluster: a subresource of the cluster.

The secret is RDS's: its name, its key and its value are not ours to change (Secrets Manager user guide, "Secrets
managed by other services"), and no call here reads the value. Its rotation schedule is ours ("Managed rotation"), and
so are its tags: RDS copies the cluster's when it makes the secret and never again, and TagResource works on it
(hashicorp/terraform-provider-aws #41337 and #45825, tested there on a secret of RDS).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.answers import unusable
from tapctl.aws.policy import PolicyDocument, from_answer, when
from tapctl.aws.refusals import Transient, classify
from tapctl.aws.rights import Need, Right, arn
from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, Retained, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.exposures import with_details, with_exposures
from tapctl.reconcilers.rds import cluster_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import MasterUserSecretTypeDef

    from tapctl.aws.client import Aws

RDS_ROTATION_DAYS: Final = 7
"""The schedule of a secret as RDS makes it (Aurora user guide, "Password management with Secrets Manager")."""

_MISSING: Final = "ResourceNotFoundException"
_TRANSIENT: Final = (
    Transient(
        ("InvalidRequestException",),
        "Secrets Manager answers {error.aws_code}: {error.message}",
        Patience.BUSY,
    ),
    Transient((_MISSING,), "Secrets Manager does not show the secret yet", Patience.PROPAGATION),
)
_RATE: Final = re.compile(r"rate\((\d+) (day|hour)s?\)")
_HOURS: Final = {"day": 24, "hour": 1}


# RDS names the secret, and gives it this tag (Aurora user guide, "Password management with Secrets Manager").
_SECRET: Final = (arn("secretsmanager", "secret:rds!cluster-*"),)
_OF_CLUSTER: Final = (
    when("StringEquals", "aws:ResourceTag/aws:rds:primaryDBClusterArn", arn("rds", "cluster:{db-cluster}")),
)


class SecretRotationSpec(Spec):
    """The fields that tapctl owns on the secret."""

    rotation_days: int
    """Days between rotations. 0, which is never wanted: the schedule is no number of days."""
    enabled: bool
    resource_policy: PolicyDocument | None = None
    """The secret's own policy, by which others may read it. Wanted: None."""
    replicas: frozenset[str] = frozenset()
    """Regions, or ARNs in other accounts, to which the password is copied. Wanted: none."""
    rotated_by: str = ""
    """The function, or the role of a third party, that makes the passwords in RDS's place. Wanted: empty."""
    deleted_on: str = ""
    """The day, as in ``2026-12-31``, for which somebody has scheduled its deletion: nobody can read it by now (Secrets
    Manager user guide, "Delete a secret"). Wanted: empty."""
    tags: dict[str, str]


class SecretRotationOutputs(Outputs):
    """The secret's ARN, which RDS chooses: a cluster made again has another secret."""

    secret_arn: str


class SecretRotation(Reconciler[SecretRotationSpec, SecretRotationOutputs]):
    """The rotation of one cluster's secret; the id is the cluster's."""

    type = "secret-rotation"
    teardown_rank = 50
    parent_type = "db-cluster"
    deleted_with_parent = True
    retainable = True
    left_alone: ClassVar[Mapping[str, str]] = {
        "resource_policy": "aws secretsmanager delete-resource-policy --secret-id {secret_arn}",
        "replicas": "aws secretsmanager remove-regions-from-replication --secret-id {secret_arn} "
        "--remove-replica-regions {value}",
        "rotated_by": "aws secretsmanager cancel-rotate-secret --secret-id {secret_arn}",
        "deleted_on": "aws secretsmanager restore-secret --secret-id {secret_arn}",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        "rotated_by": "it switches rotation off, and an apply switches it on again:",
    }
    ended_elsewhere: ClassVar[Mapping[str, str]] = {
        "replicas": "aws secretsmanager disassociate-cross-account-replica --secret-id {secret_arn} "
        "--cross-account-replica-arn {value}",
    }
    never_compared = (
        "last rotation, its window",
        "policies beside the default one",
        "earlier versions and their labels",
    )
    trail = Trail(
        "secretsmanager",
        whole=("RotateSecret", "CancelRotateSecret", "DeleteSecret", "RestoreSecret"),
        fields={
            "resource_policy": ("PutResourcePolicy", "DeleteResourcePolicy"),
            "replicas": (
                *("ReplicateSecretToRegions", "RemoveRegionsFromReplication", "StopReplicationToReplica"),
                *("AssociateCrossAccountReplica", "DisassociateCrossAccountReplica"),
            ),
            "deleted_on": ("DeleteSecret", "RestoreSecret"),
            "tags": ("TagResource", "UntagResource"),
        },
    )
    timing = Timing(create_s=30, delete_s=5, longest_s=1800)
    actions = (
        Right(Need.PLAN | Need.EXPOSURES, ("secretsmanager:DescribeSecret",), _SECRET, _OF_CLUSTER),
        Right(Need.PLAN | Need.EXPOSURES, ("rds:DescribeDBClusters",), (arn("rds", "cluster:{db-cluster}"),)),
        Right(Need.EXPOSURES, ("secretsmanager:GetResourcePolicy",), _SECRET, _OF_CLUSTER),
        Right(
            Need.CREATE,
            ("secretsmanager:RotateSecret", "secretsmanager:TagResource"),
            _SECRET,
            _OF_CLUSTER,
        ),
        Right(Need.UPDATE, ("secretsmanager:RotateSecret",), _SECRET, _OF_CLUSTER),
        Right(
            Need.UPDATE,
            ("secretsmanager:TagResource", "secretsmanager:UntagResource"),
            _SECRET,
            _OF_CLUSTER,
            fields=frozenset({"tags"}),
        ),
    )

    def observe(
        self, aws: Aws, id: str, expected: SecretRotationSpec | None
    ) -> Observed[SecretRotationSpec, SecretRotationOutputs] | None:
        """Read the cluster, as its own observation does, and the secret's description: two calls."""
        cluster = cluster_of(aws, id)
        secret: MasterUserSecretTypeDef = cluster.get("MasterUserSecret", {}) if cluster else {}
        if cluster is None or "SecretArn" not in secret:
            return None
        if not secret["SecretArn"]:
            raise unusable("rds:DescribeDBClusters", "the SecretArn of the MasterUserSecret is empty")
        try:
            description: Mapping[str, Any] = aws.read(aws.secretsmanager.describe_secret, SecretId=secret["SecretArn"])
        except AwsRefused as error:
            if error.matches(_MISSING):
                return None
            raise
        status = secret.get("SecretStatus", "")
        spec = SecretRotationSpec(
            rotation_days=_days(description.get("RotationRules", {})),
            enabled=description.get("RotationEnabled", False),
            replicas=_replicas(description),
            rotated_by=description.get("RotationLambdaARN") or description.get("ExternalSecretRotationRoleArn", ""),
            deleted_on=_day(description.get("DeletedDate")),
            tags=tags.as_dict(description.get("Tags", [])),
        )
        impaired = "impaired: RDS cannot rotate the secret; see whether it may still use the secret and its KMS key"
        return Observed(
            spec,
            SecretRotationOutputs(secret_arn=secret["SecretArn"]),
            settled=status == "active",
            failure=impaired if status == "impaired" else None,
            status=status,
            owner=Owner.of(tags.as_dict(cluster.get("TagList", []))),
        )

    def observe_exposures(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SecretRotationSpec, SecretRotationOutputs],
        expected: SecretRotationSpec | None,
    ) -> Observed[SecretRotationSpec, SecretRotationOutputs]:
        """Read the secret's policy: one call."""
        return with_exposures(seen, {"resource_policy": lambda: _policy(aws, _live_arn(aws, id))})

    def create(self, aws: Aws, id: str, want: SecretRotationSpec, owner: Owner) -> None:
        """Set the schedule of a secret that RDS has just made, with one of its own. The owner is the cluster's."""
        try:
            _rotate(aws, _arn(aws, id), want.rotation_days)
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: SecretRotationSpec, want: SecretRotationSpec) -> frozenset[str]:
        """Set the schedule, which also switches rotation on; or switch rotation off; then tags."""
        arn = _arn(aws, id)
        days = {"rotation_days"} if have.rotation_days != want.rotation_days else set()
        switched = {"enabled"} if have.enabled != want.enabled else set()
        try:
            if days or (switched and want.enabled):
                _rotate(aws, arn, want.rotation_days)
                return frozenset(days | switched if want.enabled else days)
            if switched:
                aws.secretsmanager.cancel_rotate_secret(SecretId=arn)
                return frozenset(switched)
            client: Any = aws.secretsmanager  # untyped: the stubs take the tags only as their own type
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: client.tag_resource(SecretId=arn, Tags=tags.as_list(missing)),
                remove=lambda extra: client.untag_resource(SecretId=arn, TagKeys=extra),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SecretRotationSpec, SecretRotationOutputs],
        last: SecretRotationSpec | None,
    ) -> Retained:
        """Keep the rotation: the secret is deleted with its cluster, and never left without rotation."""
        return Retained(
            until=f"the cluster {id} goes", why="the master user's secret stays rotated as long as it is there"
        )

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """Find nothing: the cluster is found by its own tags."""
        return ()


def _replicas(description: Mapping[str, Any]) -> frozenset[str]:
    regions = (
        with_details(replica["Region"], {"KmsKeyId": replica.get("KmsKeyId")})
        for replica in description.get("ReplicationStatus", ())
    )
    others = (replica["ReplicaSecretARN"] for replica in description.get("CrossAccountReplicas", ()))
    return frozenset([*regions, *others])


def _policy(aws: Aws, arn: str) -> PolicyDocument | None:
    text = aws.read(aws.secretsmanager.get_resource_policy, SecretId=arn).get("ResourcePolicy", "")
    return from_answer(text, "secretsmanager:GetResourcePolicy") if text else None


def _live_arn(aws: Aws, id: str) -> str:
    secret: Mapping[str, Any] = (cluster_of(aws, id) or {}).get("MasterUserSecret", {})
    return str(secret.get("SecretArn", ""))


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


def _days(rules: Mapping[str, Any]) -> int:
    """Days between rotations, 0 for any other schedule.

    AWS keeps either form, and derives ``AutomaticallyAfterDays`` from an expression.
    """
    expression = rules.get("ScheduleExpression", "")
    if not expression:
        return int(rules.get("AutomaticallyAfterDays", 0))
    rate = _RATE.fullmatch(expression)
    hours = int(rate[1]) * _HOURS[rate[2]] if rate else 0
    return 0 if hours % 24 else hours // 24


def _arn(aws: Aws, id: str) -> str:
    """Look up the secret's ARN.

    Raises:
        NotYet: RDS has not made the secret, or is changing it just now.
    """
    cluster = cluster_of(aws, id)
    secret: MasterUserSecretTypeDef = cluster.get("MasterUserSecret", {}) if cluster else {}
    status = secret.get("SecretStatus", "not there")
    if status not in ("active", "impaired"):
        raise NotYet(f"the master user's secret is {status}", Patience.LONG)
    return secret.get("SecretArn", "")


def _rotate(aws: Aws, arn: str, days: int) -> None:
    """Set the schedule, and leave the password as it is until then; RDS rotates by itself, without a function."""
    aws.secretsmanager.rotate_secret(
        SecretId=arn, RotationRules={"AutomaticallyAfterDays": days}, RotateImmediately=False
    )
