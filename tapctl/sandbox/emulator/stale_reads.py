"""Looks that miss the last change: for 3 s after one they show and hide it, half a second each.

It is what KMS does with policies, descriptions and rotations (terraform-provider-aws looks for five equal answers in a
row, internal/service/kms/key.go), and any service of AWS may do: its reads are eventually consistent. What is made does
not show, what is gone shows, what changed shows and hides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

_LAGS_S: Final = 3.0
_FLIPS_S: Final = 0.5
_NEVER: Final = float("-inf")

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


Answer = Reply | Fault
"""What was answered, or the refusal."""


@dataclass
class _Past:
    """When a service last changed, and what was answered to each kind of look, and when."""

    changes: list[float] = field(default_factory=list)
    answers: dict[str, list[tuple[float, Answer]]] = field(default_factory=dict)

    def remember(self, asked: str, now: float, answer: Answer) -> None:
        """One more; what nobody can be shown any more is forgotten."""
        answers = self.answers.setdefault(asked, [])
        while len(answers) > 1 and answers[1][0] <= now - _LAGS_S:
            del answers[0]
        answers.append((now, answer))

    def known(self, asked: str, at: float) -> Answer | None:
        """What the answer was at that time, as far as somebody looked; else the first one after it."""
        answers = self.answers.get(asked, [])
        earlier = [one for one in answers if one[0] <= at]
        changed = max((change for change in self.changes if change <= at), default=_NEVER)
        if earlier and earlier[-1][0] >= changed:
            return earlier[-1][1]
        return next((answer for when, answer in answers if when > at), None)


def _past(call: Call) -> _Past:
    """It goes when the account is reset."""
    region = call.partition if call.service == "iam" else None
    past: _Past = kept(call.moto(call.service, region)).setdefault("past", _Past())
    return past


def changes_are_noticed_late(call: Call, proceed: Proceed) -> Reply:
    """A change that was accepted begins a time in which looks may miss it."""
    reply = proceed()
    past, now = _past(call), call.life.now()
    # The last one before them says how far back an answer is good.
    while len(past.changes) > 1 and past.changes[1] <= now - _LAGS_S:
        del past.changes[0]
    past.changes.append(now)
    return reply


def a_look_may_miss_the_last_change(call: Call, proceed: Proceed) -> Reply:
    """Of what was looked at before in the same way: what was true 3 s ago, and what is, in turn."""
    past, now = _past(call), call.life.now()
    asked = f"{call.operation} {json.dumps(call.params, sort_keys=True, default=str)}"
    since = now - max(past.changes, default=_NEVER)
    if since < _LAGS_S and since % (2 * _FLIPS_S) < _FLIPS_S:
        before = past.known(asked, now - _LAGS_S)
        if before is not None:
            return _given(before)
    try:
        answer: Answer = proceed()
    except Fault as refusal:
        answer = Fault(refusal.code, refusal.message)
    past.remember(asked, now, answer)
    return _given(answer)


def _given(answer: Answer) -> Reply:
    if isinstance(answer, Fault):
        raise Fault(answer.code, answer.message)
    return answer


def _of_service(service: str) -> Rules:
    looks, changes = _OPERATIONS[service]
    rules = Rules(service)
    rules(*looks)(a_look_may_miss_the_last_change)
    rules(*changes)(changes_are_noticed_late)
    return rules


RULES: Final = tuple(_of_service(service) for service in _OPERATIONS)
