"""The rotation, and the tags, of the master user's secret that RDS keeps for a cluster: a facet of the cluster.

The secret is RDS's: its name, its key and its value are not ours to change (Secrets Manager user guide, "Secrets
managed by other services"), and no call here reads the value. Its rotation schedule is ours ("Managed rotation"), and
so are its tags: RDS copies the cluster's when it makes the secret and never again, and TagResource works on it
(hashicorp/terraform-provider-aws #41337 and #45825, tested there on a secret of RDS).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import NoOutputs, Observed, Owner, Reconciler, Retained, Spec, Timing
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import cluster_of, tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import MasterUserSecretTypeDef

    from tapctl.aws.client import Aws

_MISSING: Final = "ResourceNotFoundException"
_RATE: Final = re.compile(r"rate\((\d+) (day|hour)s?\)")
_HOURS: Final = {"day": 24, "hour": 1}


class SecretRotationSpec(Spec):
    """What tapctl owns on the secret."""

    rotation_days: int
    """0, which is never wanted: it follows a schedule that is no number of days."""
    enabled: bool
    tags: dict[str, str]


class SecretRotation(Reconciler[SecretRotationSpec, NoOutputs]):
    """Sees and changes the rotation of one cluster's secret; its id is the cluster's."""

    type = "secret-rotation"
    spec = SecretRotationSpec
    outputs = NoOutputs
    subresource = True
    deleted_with_parent = True
    timing = Timing(create_s=30, delete_s=5, longest_s=1800)

    def observe(
        self,
        aws: Aws,
        id: str,
        expected: SecretRotationSpec | None,  # noqa: ARG002 -- one call tells all
    ) -> Observed[SecretRotationSpec, NoOutputs] | None:
        """Two reads: the cluster, which its own look asks for too, and the secret's description."""
        cluster = cluster_of(aws, id)
        secret: MasterUserSecretTypeDef = cluster.get("MasterUserSecret", {}) if cluster else {}
        if cluster is None or "SecretArn" not in secret:
            return None
        try:
            told: Mapping[str, Any] = aws.read(aws.secretsmanager.describe_secret, SecretId=secret["SecretArn"])
        except AwsRefused as error:
            if error.matches(_MISSING):
                return None
            raise
        status = secret.get("SecretStatus", "")
        spec = SecretRotationSpec(
            rotation_days=_days(told.get("RotationRules", {})),
            enabled=told.get("RotationEnabled", False),
            tags=tags_of(told.get("Tags", [])),
        )
        impaired = "impaired: RDS cannot rotate the secret; see whether it may still use the secret and its KMS key"
        return Observed(
            spec,
            NoOutputs(),
            settled=status == "active",
            failure=impaired if status == "impaired" else None,
            status=status,
            owner=Owner.of(tags_of(cluster.get("TagList", []))),
        )

    def create(self, aws: Aws, id: str, want: SecretRotationSpec, owner: Owner) -> None:  # noqa: ARG002 -- a facet's owner is its parent's
        """Set the schedule of a secret that has just come to be; RDS makes it with one of 7 days."""
        try:
            _rotate(aws, _arn(aws, id), want.rotation_days)
        except AwsRefused as error:
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: SecretRotationSpec, want: SecretRotationSpec) -> frozenset[str]:
        """The schedule, which also switches rotation on; or switch it off; then tags."""
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
            return _set_tags(aws, arn, have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,  # noqa: ARG002 -- nothing is asked
        id: str,
        seen: Observed[SecretRotationSpec, NoOutputs],  # noqa: ARG002 -- as above
        last: SecretRotationSpec | None,  # noqa: ARG002 -- as above
    ) -> Retained:
        """A secret is not left without rotation: it goes with its cluster."""
        return Retained(
            until=f"the cluster {id} goes", why="the master user's secret stays rotated as long as it is there"
        )

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:  # noqa: ARG002 -- a facet has none of its own
        """None: the cluster is found."""
        return ()


def _days(rules: Mapping[str, Any]) -> int:
    """Days between rotations. AWS keeps either form, and derives ``AutomaticallyAfterDays`` from an expression."""
    expression = rules.get("ScheduleExpression", "")
    if not expression:
        return int(rules.get("AutomaticallyAfterDays", 0))
    rate = _RATE.fullmatch(expression)
    hours = int(rate[1]) * _HOURS[rate[2]] if rate else 0
    return 0 if hours % 24 else hours // 24


def _arn(aws: Aws, id: str) -> str:
    """The secret's ARN.

    Raises:
        NotYet: RDS has not made it, or is changing it just now.
    """
    cluster = cluster_of(aws, id)
    secret: MasterUserSecretTypeDef = cluster.get("MasterUserSecret", {}) if cluster else {}
    status = secret.get("SecretStatus", "not there")
    if status not in ("active", "impaired"):
        raise NotYet(f"the master user's secret is {status}", Patience.LONG)
    return secret.get("SecretArn", "")


def _rotate(aws: Aws, arn: str, days: int) -> None:
    """Set the schedule, and leave the password as it is until its time; RDS rotates by itself, without a function."""
    aws.secretsmanager.rotate_secret(
        SecretId=arn, RotationRules={"AutomaticallyAfterDays": days}, RotateImmediately=False
    )


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches("InvalidRequestException"):
        return NotYet(f"Secrets Manager answers {error.aws_code}: {error.message}", Patience.BUSY)
    if error.matches(_MISSING):
        return NotYet("Secrets Manager does not show the secret yet", Patience.PROPAGATION)
    return error


def _set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        tags = [{"Key": key, "Value": value} for key, value in sorted(added.items())]
        client: Any = aws.secretsmanager  # untyped: the stubs take the tags only as their own type
        client.tag_resource(SecretId=arn, Tags=tags)
        return frozenset() if extra else frozenset({"tags"})
    aws.secretsmanager.untag_resource(SecretId=arn, TagKeys=extra)
    return frozenset({"tags"})
