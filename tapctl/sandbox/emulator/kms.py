"""KMS: states of keys, ARNs in place of ids, rotation periods, policies that are looked at."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("kms")

_MAX_POLICY_CHARS = 32768
_DEFAULT_ROTATION_DAYS = 365
# What the key states "Disabled" and "PendingDeletion" refuse (KMS developer guide, key-state table).
_NOT_WHEN_PENDING = (
    "EnableKey",
    "DisableKey",
    "ScheduleKeyDeletion",
    "UpdateKeyDescription",
    "TagResource",
    "UntagResource",
    "EnableKeyRotation",
    "DisableKeyRotation",
    "GetKeyRotationStatus",
    "CreateGrant",
)
_NOT_WHEN_DISABLED = ("EnableKeyRotation", "DisableKeyRotation", "CreateGrant")
_TAKES_AN_ARN = (*_NOT_WHEN_PENDING, "CancelKeyDeletion", "PutKeyPolicy", "GetKeyPolicy", "ListResourceTags")


def key_of(call: Call, reference: str) -> Any:
    """The key of an id, ARN or alias, as moto keeps it; None when there is none."""
    kms = call.moto("kms")
    name = kms.get_alias_name(reference)
    id_ = kms.get_key_id_from_alias(name) if name.startswith("alias/") else kms.get_key_id(reference)
    return kms.keys.get(id_)


@rules(*_TAKES_AN_ARN)
def key_arns_are_taken(call: Call, proceed: Proceed) -> Reply:
    """Every operation takes a key's ARN as well as its id."""
    call.params["KeyId"] = call.moto("kms").get_key_id(call.params["KeyId"])
    return proceed()


@rules("CreateKey")
def new_keys_say_what_they_are(call: Call, proceed: Proceed) -> Reply:
    """A key has a usage and is of one region unless the request says otherwise."""
    call.params.setdefault("KeyUsage", "ENCRYPT_DECRYPT")
    call.params.setdefault("MultiRegion", False)
    return proceed()


@rules("CreateKey", "PutKeyPolicy")
def policies_are_checked(call: Call, proceed: Proceed) -> Reply:
    """A policy must be JSON, name principals that exist, and not lock its own account out."""
    text = call.params.get("Policy")
    if text is not None:
        _check_policy(call, text)
    return proceed()


def _check_policy(call: Call, text: str) -> None:
    if len(text) > _MAX_POLICY_CHARS:
        raise Fault("LimitExceededException", f"The policy is longer than {_MAX_POLICY_CHARS} characters")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise Fault("MalformedPolicyDocumentException", "The policy is not a valid policy document") from None
    keeps_access = False
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal", {})
        names = _listed(principals.get("AWS", []) if isinstance(principals, dict) else principals)
        if any(not _exists(call, name) for name in names):
            raise Fault(
                "MalformedPolicyDocumentException",
                "Policy contains a statement with one or more invalid principals.",
            )
        allowed = statement.get("Effect") == "Allow" and {"kms:*", "kms:PutKeyPolicy"} & {*_listed(statement["Action"])}
        keeps_access |= bool(allowed) and any(_is_account(call, name) for name in names)
    if not keeps_access:
        raise Fault(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _is_account(call: Call, name: str) -> bool:
    return name in (call.account, f"arn:{call.partition}:iam::{call.account}:root", "*")


def _exists(call: Call, name: str) -> bool:
    role = re.fullmatch(rf"arn:[^:]+:iam::{call.account}:role/(?:.*/)?([^/]+)", name)
    if role is None:
        return True
    return any(known.name == role[1] for known in call.moto("iam", call.partition).roles.values())


@rules("PutKeyPolicy", "GetKeyPolicy")
def the_policy_is_named_default(call: Call, proceed: Proceed) -> Reply:
    """PolicyName may be left out: there is but one."""
    call.params.setdefault("PolicyName", "default")
    return proceed()


@rules(*_NOT_WHEN_PENDING)
def pending_keys_refuse(call: Call, proceed: Proceed) -> Reply:
    """A key that is pending deletion can be read and brought back, little else."""
    key = key_of(call, call.params["KeyId"])
    if key is not None and key.key_state == "PendingDeletion":
        raise Fault("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return proceed()


@rules(*_NOT_WHEN_DISABLED)
def disabled_keys_refuse(call: Call, proceed: Proceed) -> Reply:
    """A disabled key is not used and its rotation is not changed."""
    key = key_of(call, call.params["KeyId"])
    if key is not None and key.key_state == "Disabled":
        raise Fault("DisabledException", f"{key.arn} is disabled.")
    return proceed()


@rules("CreateAlias", "UpdateAlias")
def aliases_refuse_pending_keys(call: Call, proceed: Proceed) -> Reply:
    """An alias cannot be pointed at a key that is pending deletion (away from one it can)."""
    key = key_of(call, call.params["TargetKeyId"])
    if key is not None and key.key_state == "PendingDeletion":
        raise Fault("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return proceed()


@rules("CancelKeyDeletion")
def only_pending_keys_come_back(call: Call, proceed: Proceed) -> Reply:
    """CancelKeyDeletion is for keys pending deletion, and answers with the key's ARN."""
    key = key_of(call, call.params["KeyId"])
    if key is None:
        return proceed()
    if key.key_state != "PendingDeletion":
        raise Fault("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    proceed()
    return {"KeyId": key.arn}


@rules("ScheduleKeyDeletion")
def a_scheduled_deletion_says_when(call: Call, proceed: Proceed) -> Reply:
    """The answer holds the key's ARN, state and window; the default window is 30 days."""
    days = call.params.setdefault("PendingWindowInDays", 30)
    reply = proceed()
    arn = key_of(call, call.params["KeyId"]).arn
    return {**reply, "KeyId": arn, "KeyState": "PendingDeletion", "PendingWindowInDays": days}


@rules("EnableKeyRotation")
def rotation_keeps_its_period(call: Call, proceed: Proceed) -> Reply:
    """RotationPeriodInDays is kept, and is how the period is changed."""
    days = call.params.get("RotationPeriodInDays", _DEFAULT_ROTATION_DAYS)
    reply = proceed()
    kept(key_of(call, call.params["KeyId"]))["rotation"] = (days, datetime.now(UTC) + timedelta(days=days))
    return reply


@rules("GetKeyRotationStatus")
def rotation_tells_its_period(call: Call, proceed: Proceed) -> Reply:
    """The rotation status holds the period and the next date while rotation is on."""
    reply = proceed()
    key = key_of(call, call.params["KeyId"])
    reply["KeyId"] = key.arn
    if reply["KeyRotationEnabled"]:
        reply["RotationPeriodInDays"], reply["NextRotationDate"] = kept(key)["rotation"]
    return reply
