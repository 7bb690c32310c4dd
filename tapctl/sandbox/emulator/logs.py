"""CloudWatch Logs: retention by set, keys that must allow it, protection, exact lookups."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("logs")

_RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096),
    *(1827, 2192, 2557, 2922, 3288, 3653),
)


def _name(reference: str) -> str:
    return reference.rpartition(":log-group:")[2]


def _group(call: Call, reference: str) -> Any:
    """The log group of a name or ARN."""
    group = call.moto("logs").groups.get(_name(reference))
    if group is None:
        raise Fault("ResourceNotFoundException", "The specified log group does not exist.")
    return group


@rules("PutRetentionPolicy")
def retention_is_of_a_set(call: Call, proceed: Proceed) -> Reply:
    """Only certain numbers of days are taken."""
    days = call.params["retentionInDays"]
    if days not in _RETENTION:
        raise Fault(
            "InvalidParameterException",
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member "
            f"must satisfy enum value set: {list(_RETENTION)}",
        )
    return proceed()


def _check_key(call: Call, name: str, reference: str) -> None:
    key = key_of(call, reference)
    allowed = key is not None and key.key_state == "Enabled" and f"logs.{call.region}." in key.policy
    if not (reference.startswith("arn:") and allowed):
        arn = call.arn("logs", f"log-group:{name}")
        raise Fault(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )


@rules("CreateLogGroup")
def a_log_group_needs_a_key_that_allows_it(call: Call, proceed: Proceed) -> Reply:
    """The key is named by ARN, is enabled, and its policy lets CloudWatch Logs use it."""
    name = call.params["logGroupName"]
    if "kmsKeyId" in call.params and name not in call.moto("logs").groups:
        _check_key(call, name, call.params["kmsKeyId"])
    return proceed()


@rules("CreateLogGroup")
def protection_and_class_are_kept(call: Call, proceed: Proceed) -> Reply:
    """DeletionProtectionEnabled and logGroupClass, which moto ignores."""
    reply = proceed()
    notes = kept(_group(call, call.params["logGroupName"]))
    notes["protected"] = call.params.get("deletionProtectionEnabled", False)
    notes["class"] = call.params.get("logGroupClass", "STANDARD")
    return reply


@rules("PutLogGroupDeletionProtection")
def protection_is_changed(call: Call, _: Proceed) -> Reply:
    """Moto has no PutLogGroupDeletionProtection."""
    kept(_group(call, call.params["logGroupIdentifier"]))["protected"] = call.params["deletionProtectionEnabled"]
    return {}


@rules("DeleteLogGroup")
def a_protected_log_group_stays(call: Call, proceed: Proceed) -> Reply:
    """And one that goes takes its tags with it."""
    group = _group(call, call.params["logGroupName"])
    if kept(group).get("protected"):
        raise Fault("ValidationException", "The log group cannot be deleted because deletion protection is enabled.")
    reply = proceed()
    call.moto("logs").tagger.delete_all_tags_for_resource(group.arn)
    return reply


@rules("AssociateKmsKey", "DisassociateKmsKey")
def a_key_is_associated(call: Call, _: Proceed) -> Reply:
    """Moto has neither."""
    group = _group(call, call.params.get("logGroupName") or call.params["resourceIdentifier"])
    if call.operation == "AssociateKmsKey":
        _check_key(call, group.name, call.params["kmsKeyId"])
    group.kms_key_id = call.params.get("kmsKeyId")
    return {}


@rules("DescribeLogGroups")
def log_groups_are_found_by_exact_name(call: Call, proceed: Proceed) -> Reply:
    """By logGroupIdentifiers, which moto ignores; each tells whether it is protected, its class and its key."""
    wanted = call.params.pop("logGroupIdentifiers", None)
    if wanted is None:
        reply = proceed()
    else:
        every = call.moto("logs").groups
        names = [_name(one) for one in wanted]
        found = [call.ask("DescribeLogGroups", logGroupNamePrefix=name) for name in names if name in every]
        # A prefix listing is sorted: the exact name comes first.
        reply = {"logGroups": [each["logGroups"][0] for each in found]}
    for shown in reply["logGroups"]:
        notes = kept(_group(call, shown["logGroupName"]))
        shown["logGroupClass"] = notes.get("class", "STANDARD")
        shown["deletionProtectionEnabled"] = notes.get("protected", False)
    return reply


@rules("ListTagsForResource", "TagResource", "UntagResource")
def tags_are_of_log_groups_that_exist(call: Call, proceed: Proceed) -> Reply:
    """By the ARN without ``:*``."""
    _group(call, call.params["resourceArn"])
    return proceed()
