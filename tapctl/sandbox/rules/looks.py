"""Looks that miss the last change: for seconds after one, every other look is answered as it would have been before.

It is what KMS does with policies, descriptions and rotations (terraform-provider-aws looks for five equal answers in a
row, internal/service/kms/key.go), and any service of AWS may do: its reads are eventually consistent. What is made does
not show, what is gone shows, what changed shows and hides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tapctl.sandbox.rule import Call, Fault, Proceed, Reply, Rules, kept

_LAGS_S: Final = 3.0
_FOREVER: Final = float("-inf")

# Service → its looks and its changes. Lambda and RDS are told apart: what they answer moves by itself.
_OPERATIONS: Final = {
    "kms": (
        ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags", "ListAliases", "ListKeys"),
        (
            *("CreateKey", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"),
            *("CreateAlias", "UpdateAlias", "DeleteAlias", "PutKeyPolicy", "UpdateKeyDescription"),
            *("EnableKeyRotation", "DisableKeyRotation", "TagResource", "UntagResource"),
        ),
    ),
    "iam": (
        ("GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies", "ListRoleTags", "ListRoles"),
        (
            *("CreateRole", "UpdateRole", "UpdateAssumeRolePolicy", "DeleteRole", "TagRole", "UntagRole"),
            *("PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy"),
            *("PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"),
        ),
    ),
    "ec2": (
        ("DescribeSecurityGroups", "DescribeSecurityGroupRules"),
        (
            *("CreateSecurityGroup", "DeleteSecurityGroup", "CreateTags", "DeleteTags"),
            *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
            *("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
            *("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
        ),
    ),
    "logs": (
        ("DescribeLogGroups", "ListTagsForResource"),
        (
            *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
            *("AssociateKmsKey", "DisassociateKmsKey", "PutLogGroupDeletionProtection"),
            *("TagResource", "UntagResource"),
        ),
    ),
    "sns": (
        ("GetTopicAttributes", "ListTagsForResource"),
        ("CreateTopic", "DeleteTopic", "SetTopicAttributes", "TagResource", "UntagResource"),
    ),
    "cloudwatch": (
        ("DescribeAlarms", "ListTagsForResource"),
        ("PutMetricAlarm", "DeleteAlarms", "TagResource", "UntagResource"),
    ),
}


def _notes(call: Call) -> dict[str, Any]:
    """What is kept about this service's looks: it goes when the account is reset."""
    region = call.partition if call.service == "iam" else None
    return kept(call.moto(call.service, region))


def changes_are_noticed_late(call: Call, proceed: Proceed) -> Reply:
    """A change begins a time in which looks may miss it."""
    _notes(call)["changed_at"] = call.life.now()
    return proceed()


def a_look_may_miss_the_last_change(call: Call, proceed: Proceed) -> Reply:
    """Every other one, of what was looked at before it in the same way."""
    notes = _notes(call)
    asked = f"{call.operation} {json.dumps(call.params, sort_keys=True, default=str)}"
    before = notes.setdefault("looks", {})
    if call.life.now() - notes.get("changed_at", _FOREVER) >= _LAGS_S:
        before[asked] = answer = _remembered(proceed)
        return answer()
    if asked in before:
        notes["flips"] = not notes.get("flips", False)
        if notes["flips"]:
            old: Reply = before[asked]()
            return old
    return proceed()


def _remembered(proceed: Proceed) -> Callable[[], Reply]:
    """The answer, or the refusal, as it can be given again."""
    try:
        reply = proceed()
    except Fault as refusal:
        fault = refusal

        def refuse() -> Reply:
            raise Fault(fault.code, fault.message)

        return refuse
    return lambda: reply


def _of_service(service: str) -> Rules:
    looks, changes = _OPERATIONS[service]
    rules = Rules(service)
    rules(*looks)(a_look_may_miss_the_last_change)
    rules(*changes)(changes_are_noticed_late)
    return rules


RULES: Final = tuple(_of_service(service) for service in _OPERATIONS)
