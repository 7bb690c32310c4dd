"""KMS keys: states, ARNs in place of ids, rotation periods, policies that are checked; and new keys that spread slowly.

Times are AWS's usual ones, from what terraform-provider-aws retries (internal/service/kms/key.go, alias.go).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("kms"), Rules("kms")
SERVICE: Final = Service(
    name="kms",
    timing=(timing,),
    contract=(contract,),
    throttling="ThrottlingException",
    stale_reads=(
        *("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags", "ListAliases", "ListKeys"),
    ),
    changes=(
        *("CreateKey", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"),
        *("CreateAlias", "UpdateAlias", "DeleteAlias", "PutKeyPolicy", "UpdateKeyDescription"),
        *("EnableKeyRotation", "DisableKeyRotation", "TagResource", "UntagResource"),
    ),
    tags=Tags(
        returned_by=("ListResourceTags",),
        taken_by=("CreateKey", "TagResource", "UntagResource"),
        refusal="TagException",
    ),
    indexed=("CreateKey", "TagResource", "UntagResource"),
)

_MAX_POLICY_CHARS, _MAX_TAGS = 32768, 50
_DEFAULT_ROTATION_DAYS = 365
# Operations that the key states "Disabled" and "PendingDeletion" refuse (KMS developer guide, key-state table).
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
_USES: Final = ("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
_TAKES_AN_ARN = (*_NOT_WHEN_PENDING, "CancelKeyDeletion", "PutKeyPolicy", "GetKeyPolicy", "ListResourceTags")


def key_of(request: Request, reference: str) -> Any:
    """Return the key of an id, ARN or alias, as moto's object; None if it is missing."""
    kms = request.backend("kms")
    name = kms.get_alias_name(reference)
    id_ = kms.get_key_id_from_alias(name) if name.startswith("alias/") else kms.get_key_id(reference)
    return kms.keys.get(id_)


@contract(*_TAKES_AN_ARN)
def key_arns_are_taken(request: Request, proceed: Next) -> Reply:
    """A key's ARN is as good as its id in every operation."""
    request.params["KeyId"] = request.backend("kms").get_key_id(request.params["KeyId"])
    return proceed()


@contract("CreateKey")
def new_keys_say_what_they_are(request: Request, proceed: Next) -> Reply:
    """A key has a usage and is of one region unless the request says otherwise."""
    request.params.setdefault("KeyUsage", "ENCRYPT_DECRYPT")
    request.params.setdefault("MultiRegion", False)
    return proceed()


@contract("CreateKey", "PutKeyPolicy")
def policies_are_checked(request: Request, proceed: Next) -> Reply:
    """A policy must be JSON, name principals that exist, and not lock its own account out."""
    text = request.params.get("Policy")
    if text is not None:
        _check_policy(request, text)
    return proceed()


def _check_policy(request: Request, text: str) -> None:
    if len(text) > _MAX_POLICY_CHARS:
        raise ServiceError("LimitExceededException", f"The policy is longer than {_MAX_POLICY_CHARS} characters")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise ServiceError("MalformedPolicyDocumentException", "The policy is not a valid policy document") from None
    keeps_access = False
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal", {})
        names = _listed(principals.get("AWS", []) if isinstance(principals, dict) else principals)
        services = _listed(principals.get("Service", [])) if isinstance(principals, dict) else []
        if not all(_exists(request, name) for name in names) or any(_is_elsewhere(request, name) for name in services):
            raise ServiceError(
                "MalformedPolicyDocumentException",
                "Policy contains a statement with one or more invalid principals.",
            )
        allowed = statement.get("Effect") == "Allow" and {"kms:*", "kms:PutKeyPolicy"} & {*_listed(statement["Action"])}
        keeps_access |= bool(allowed) and any(_is_account(request, name) for name in names)
    if not keeps_access:
        raise ServiceError(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _is_elsewhere(request: Request, principal: str) -> bool:
    """Tell if this is Logs' principal of another region or partition: the one service that has one for each."""
    domain = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}.get(request.partition, "amazonaws.com")
    return principal.startswith("logs.") and principal != f"logs.{request.region}.{domain}"


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _is_account(request: Request, name: str) -> bool:
    return name in (request.account, f"arn:{request.partition}:iam::{request.account}:root", "*")


def _exists(request: Request, name: str) -> bool:
    if name.startswith("arn:") and name.split(":")[1] != request.partition:
        return False
    role = re.fullmatch(rf"arn:[^:]+:iam::{request.account}:role/(?:.*/)?([^/]+)", name)
    if role is None:
        return True
    return any(known.name == role[1] for known in request.backend("iam", request.partition).roles.values())


@contract("TagResource")
def a_key_takes_fifty_tags(request: Request, proceed: Next) -> Reply:
    """A key has at most 50 tags, without AWS's own (KMS developer guide, "Resource quotas")."""
    key = key_of(request, request.params["KeyId"])
    if key is not None:
        have = request.backend("kms").tagger.get_tag_dict_for_resource(key.id)
        if len(have.keys() | {tag["TagKey"] for tag in request.params["Tags"]}) > _MAX_TAGS:
            raise ServiceError("LimitExceededException", f"A key has at most {_MAX_TAGS} tags.")
    return proceed()


@contract("PutKeyPolicy", "GetKeyPolicy")
def the_policy_is_named_default(request: Request, proceed: Next) -> Reply:
    """The policy's name may be left out: there is but one."""
    request.params.setdefault("PolicyName", "default")
    return proceed()


@contract(*_NOT_WHEN_PENDING)
def pending_keys_refuse(request: Request, proceed: Next) -> Reply:
    """A key that is pending deletion can be read and brought back, little else."""
    key = key_of(request, request.params["KeyId"])
    if key is not None and key.key_state == "PendingDeletion":
        raise ServiceError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return proceed()


@contract(*_NOT_WHEN_DISABLED)
def disabled_keys_refuse(request: Request, proceed: Next) -> Reply:
    """A disabled key is not used and its rotation is not changed."""
    key = key_of(request, request.params["KeyId"])
    if key is not None and key.key_state == "Disabled":
        raise ServiceError("DisabledException", f"{key.arn} is disabled.")
    return proceed()


@contract("CreateAlias", "UpdateAlias")
def aliases_refuse_pending_keys(request: Request, proceed: Next) -> Reply:
    """An alias cannot be pointed at a key that is pending deletion (away from one it can)."""
    key = key_of(request, request.params["TargetKeyId"])
    if key is not None and key.key_state == "PendingDeletion":
        raise ServiceError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return proceed()


@contract("CancelKeyDeletion")
def only_pending_keys_come_back(request: Request, proceed: Next) -> Reply:
    """A key that is not pending deletion cannot be brought back; the answer holds the key's ARN."""
    key = key_of(request, request.params["KeyId"])
    if key is None:
        return proceed()
    if key.key_state != "PendingDeletion":
        raise ServiceError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    proceed()
    return {"KeyId": key.arn}


@contract("ScheduleKeyDeletion")
def a_scheduled_deletion_says_when(request: Request, proceed: Next) -> Reply:
    """The answer holds the key's ARN, state and window; the default window is 30 days."""
    days = request.params.setdefault("PendingWindowInDays", 30)
    reply = proceed()
    arn = key_of(request, request.params["KeyId"]).arn
    return {**reply, "KeyId": arn, "KeyState": "PendingDeletion", "PendingWindowInDays": days}


@contract("EnableKeyRotation")
def rotation_keeps_its_period(request: Request, proceed: Next) -> Reply:
    """The rotation period is stored, and changed by EnableKeyRotation."""
    days = request.params.get("RotationPeriodInDays", _DEFAULT_ROTATION_DAYS)
    reply = proceed()
    notes_on(key_of(request, request.params["KeyId"]))["rotation"] = (days, datetime.now(UTC) + timedelta(days=days))
    return reply


@contract("GetKeyRotationStatus")
def rotation_tells_its_period(request: Request, proceed: Next) -> Reply:
    """The rotation status holds the period and the next date while rotation is on."""
    reply = proceed()
    key = key_of(request, request.params["KeyId"])
    reply["KeyId"] = key.arn
    if reply["KeyRotationEnabled"]:
        reply["RotationPeriodInDays"], reply["NextRotationDate"] = notes_on(key)["rotation"]
    return reply


@contract(*_USES)
def a_use_is_kept(request: Request, proceed: Next) -> Reply:
    """The last use of a key, and its time, are kept."""
    reply = proceed()
    notes_on(key_of(request, reply["KeyId"]))["used"] = {"Operation": request.operation, "Timestamp": datetime.now(UTC)}
    return reply


@contract("GetKeyLastUsage")
def the_last_use_is_told(request: Request, _: Next) -> Reply:
    """Operation and time of the last use, nothing of a key that is yet to be used; moto has no such operation."""
    key = key_of(request, request.params["KeyId"])
    if key is None:
        raise ServiceError("NotFoundException", f"Key '{request.params['KeyId']}' does not exist")
    made = key.to_dict()["KeyMetadata"]["CreationDate"]
    told = {"KeyId": key.id, "KeyLastUsage": notes_on(key).get("used", {})}
    return {**told, "TrackingStartDate": made, "KeyCreationDate": made}


# -- timing ----------------------------------------------------------------------------------------------------------


UNKNOWN_S: Final = 3.0
POLICY_CHANGED: Final = "policy changed"
"""The event on a key after which services are yet to learn its policy."""

# Operations that are served by a part of KMS which learns of a key a little later.
_SPREADS_LATE: Final = (
    "EnableKey",
    "EnableKeyRotation",
    "PutKeyPolicy",
    "TagResource",
    "UntagResource",
    "ListResourceTags",
)


@timing("CreateKey")
def a_key_has_a_birthday(request: Request, proceed: Next) -> Reply:
    """A new key's age is counted: its answer is true at once, but others may not know the key."""
    reply = proceed()
    key = key_of(request, reply["KeyMetadata"]["KeyId"])
    request.simulation.mark(key, "made")
    request.simulation.mark(key, POLICY_CHANGED)
    return reply


@timing("CreateAlias", *_SPREADS_LATE)
def a_new_key_is_not_known_everywhere(request: Request, proceed: Next) -> Reply:
    """A new key is unknown to a part of KMS for 3 s."""
    key = key_of(request, request.params.get("TargetKeyId") or request.params["KeyId"])
    if key is not None and not request.simulation.elapsed(key, "made", UNKNOWN_S):
        raise ServiceError("NotFoundException", f"Key '{key.arn}' does not exist")
    return proceed()


@timing("PutKeyPolicy")
def a_policy_is_news_to_services(request: Request, proceed: Next) -> Reply:
    """A policy reaches the services that it allows seconds later: see Lambda's and CloudWatch Logs' rules."""
    reply = proceed()
    request.simulation.mark(key_of(request, request.params["KeyId"]), POLICY_CHANGED)
    return reply
