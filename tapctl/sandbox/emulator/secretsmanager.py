"""Secrets Manager: the secrets that RDS creates, owns, rotates and deletes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("secretsmanager")
SERVICE: Final = Service(
    name="secretsmanager",
    contract=(contract,),
    throttling="ThrottlingException",
    tags=Tags(
        returned_by=("DescribeSecret",),
        taken_by=("TagResource", "UntagResource"),
        refusal="InvalidParameterException",
    ),
)


def schedule_rotation(secret: Any, wanted: dict[str, Any]) -> None:
    """Store the rotation rules of a secret, one of moto's objects, and its next date."""
    rate = re.fullmatch(r"rate\((\d+) days?\)", wanted.get("ScheduleExpression", ""))
    days = int(rate[1]) if rate else wanted.get("AutomaticallyAfterDays", secret.auto_rotate_after_days)
    secret.auto_rotate_after_days = days
    notes_on(secret)["rules"] = {**wanted, "AutomaticallyAfterDays": days}
    secret.next_rotation_date = int((datetime.now(UTC) + timedelta(days=days)).timestamp())


def owned_secret(request: Request) -> Any:
    """Return the secret of a request if a service owns it, as moto's object; else None."""
    secret = request.backend("secretsmanager").secrets.get(request.params["SecretId"])
    return secret if secret is not None and secret.owning_service else None


@contract("RotateSecret")
def rotation_of_an_owned_secret_is_its_owners(request: Request, proceed: Next) -> Reply:
    """A rotation takes no Lambda function, sets the rules, and changes the password at once by default."""
    secret = owned_secret(request)
    if secret is None:
        return proceed()
    if "RotationLambdaARN" in request.params:
        raise ServiceError("InvalidRequestException", "You can't set a rotation function on a secret managed by rds.")
    wanted = request.params.get("RotationRules", notes_on(secret)["rules"])
    days = wanted.get("AutomaticallyAfterDays", 1)
    if not 1 <= days <= 1000:  # noqa: PLR2004  # Secrets Manager's own bounds
        raise ServiceError("InvalidParameterException", "RotationRules.AutomaticallyAfterDays must be within 1-1000.")
    schedule_rotation(secret, wanted)
    secret.rotation_enabled = True
    if request.params.get("RotateImmediately", True):
        secret.last_rotation_date = int(datetime.now(UTC).timestamp())
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": secret.default_version_id}


@contract("CancelRotateSecret")
def rotation_of_an_owned_secret_can_be_stopped(request: Request, proceed: Next) -> Reply:
    """Rotation is stopped although the secret has no rotation function."""
    secret = owned_secret(request)
    if secret is None:
        return proceed()
    secret.rotation_enabled = False
    return {"ARN": secret.arn, "Name": secret.name}


@contract("DescribeSecret")
def an_owned_secret_shows_its_rules(request: Request, proceed: Next) -> Reply:
    """The rotation rules are returned as they were set, and no rotation function."""
    reply = proceed()
    secret = owned_secret(request)
    if secret is not None:
        reply.pop("RotationLambdaARN")
        reply["RotationRules"] = notes_on(secret)["rules"]
    return reply


@contract("DeleteSecret", "UpdateSecret", "PutSecretValue")
def an_owned_secret_is_left_to_its_owner(request: Request, proceed: Next) -> Reply:
    """A secret that RDS owns is changed and deleted by RDS alone."""
    if owned_secret(request) is not None:
        raise ServiceError("InvalidRequestException", "You can't do this to a secret that is managed by rds.")
    return proceed()


@contract("AssociateCrossAccountReplica", "DisassociateCrossAccountReplica", "DescribeSecret")
def a_secret_may_be_copied_to_another_account(request: Request, proceed: Next) -> Reply:
    """A secret tells of its replica in another account, which is taken to accept; moto has none.

    Secrets Manager API reference, AssociateCrossAccountReplica.
    """
    secret = request.backend("secretsmanager").secrets.get(request.params["SecretId"])
    if secret is None:
        return proceed()
    copies: dict[str, str] = notes_on(secret).setdefault("copies", {})
    if request.operation == "DescribeSecret":
        told = [{"ReplicaSecretARN": arn, "ReplicationStatus": status} for arn, status in copies.items()]
        return proceed() | ({"CrossAccountReplicas": told} if told else {})
    arn = request.params["CrossAccountReplicaARN"]
    if request.operation == "DisassociateCrossAccountReplica":
        if arn not in copies:
            raise ServiceError("InvalidRequestException", f"{arn} is no replica of this secret.")
        del copies[arn]
        return {"ARN": secret.arn, "CrossAccountReplicaARN": arn}
    copies[arn] = "InSync"
    return {"ARN": secret.arn, "CrossAccountReplicaARN": arn, "ReplicationStatus": "InSync"}


@contract("DeleteSecret")
def a_copied_secret_stays(request: Request, proceed: Next) -> Reply:
    """A secret with a replica in another account is not deleted (Secrets Manager API reference, DeleteSecret)."""
    secret = request.backend("secretsmanager").secrets.get(request.params["SecretId"])
    if secret is not None and notes_on(secret).get("copies"):
        raise ServiceError("InvalidRequestException", "You can't delete a secret that still has replicas.")
    return proceed()
