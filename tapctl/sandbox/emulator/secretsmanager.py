"""Secrets Manager: the secrets that RDS makes, owns, rotates and takes away."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rds_rules = Rules("rds")
rules = Rules("secretsmanager")

_RDS_ROTATES_AFTER = {"AutomaticallyAfterDays": 7}


@rds_rules("CreateDBCluster", "ModifyDBCluster")
def the_master_secret_is_made_by_rds(call: Call, proceed: Proceed) -> Reply:
    """A managed master secret holds the master user's name and is rotated every 7 days from the start."""
    reply = proceed()
    cluster = cluster_of(call)
    if cluster.manage_master_user_password and not cluster.master_user_secret.secret.rotation_requested:
        secret = cluster.master_user_secret.secret
        secret.versions[secret.default_version_id]["secret_string"] = json.dumps(
            {"username": cluster.master_username, "password": secrets.token_urlsafe(24)}
        )
        secret.rotation_requested = secret.rotation_enabled = True
        kept(secret)["cluster"] = cluster
        _schedule(secret, _RDS_ROTATES_AFTER)
    return reply


def _schedule(secret: Any, wanted: dict[str, Any]) -> None:
    rate = re.fullmatch(r"rate\((\d+) days?\)", wanted.get("ScheduleExpression", ""))
    days = int(rate[1]) if rate else wanted.get("AutomaticallyAfterDays", secret.auto_rotate_after_days)
    secret.auto_rotate_after_days = days
    kept(secret)["rules"] = {**wanted, "AutomaticallyAfterDays": days}
    secret.next_rotation_date = int((datetime.now(UTC) + timedelta(days=days)).timestamp())


def owned(call: Call) -> Any:
    """The secret of this call if a service owns it."""
    secret = call.moto("secretsmanager").secrets.get(call.params["SecretId"])
    return secret if secret is not None and secret.owning_service else None


@rules("RotateSecret")
def rotation_of_an_owned_secret_is_its_owners(call: Call, proceed: Proceed) -> Reply:
    """No Lambda function is given; the rules are set, and the password changes at once unless told otherwise."""
    secret = owned(call)
    if secret is None:
        return proceed()
    if "RotationLambdaARN" in call.params:
        raise Fault("InvalidRequestException", "You can't set a rotation function on a secret managed by rds.")
    wanted = call.params.get("RotationRules", kept(secret)["rules"])
    days = wanted.get("AutomaticallyAfterDays", 1)
    if not 1 <= days <= 1000:  # noqa: PLR2004  # Secrets Manager's own bounds
        raise Fault("InvalidParameterException", "RotationRules.AutomaticallyAfterDays must be within 1-1000.")
    _schedule(secret, wanted)
    secret.rotation_enabled = True
    if call.params.get("RotateImmediately", True):
        secret.last_rotation_date = int(datetime.now(UTC).timestamp())
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": secret.default_version_id}


@rules("CancelRotateSecret")
def rotation_of_an_owned_secret_can_be_stopped(call: Call, proceed: Proceed) -> Reply:
    """Although it has no rotation function."""
    secret = owned(call)
    if secret is None:
        return proceed()
    secret.rotation_enabled = False
    return {"ARN": secret.arn, "Name": secret.name}


@rules("DescribeSecret")
def an_owned_secret_shows_its_rules(call: Call, proceed: Proceed) -> Reply:
    """The rules are echoed as they were set, and there is no rotation function."""
    reply = proceed()
    secret = owned(call)
    if secret is not None:
        reply.pop("RotationLambdaARN")
        reply["RotationRules"] = kept(secret)["rules"]
    return reply


@rules("DeleteSecret", "UpdateSecret", "PutSecretValue")
def an_owned_secret_is_left_to_its_owner(call: Call, proceed: Proceed) -> Reply:
    """What RDS owns, nobody else changes or deletes."""
    if owned(call) is not None:
        raise Fault("InvalidRequestException", "You can't do this to a secret that is managed by rds.")
    return proceed()
