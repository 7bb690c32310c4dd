"""IAM's decisions, by the rules of its user guide."""

from __future__ import annotations

import pytest

from tapctl.sandbox.emulator.policies import Context, decide


def document(effect: str, action: str, resource: str = "*", condition: object = None) -> dict[str, object]:
    statement = {"Effect": effect, "Action": action, "Resource": resource, "Condition": condition or {}}
    return {"Statement": [statement]}


@pytest.mark.parametrize(
    ("documents", "decision"),
    [
        ([], "implicitDeny"),
        ([document("Allow", "SNS:pub*", "arn:?:b")], "allowed"),
        ([document("Allow", "sns:Publish", "arn:*:c")], "implicitDeny"),
        ([document("Allow", "*"), document("Deny", "sns:Publish")], "explicitDeny"),
    ],
)
def test_a_deny_wins_and_nothing_is_allowed_by_itself(documents: list[dict[str, object]], decision: str) -> None:
    assert decide(documents, "sns:Publish", "arn:a:b", {}) == decision


@pytest.mark.parametrize(
    ("operator", "wanted", "context", "holds"),
    [
        ("StringEquals", ["a", "b"], {"K": ["b"]}, True),
        ("StringEquals", "a", {"k": ["A"]}, False),
        ("StringEquals", "a", {}, False),
        ("StringEqualsIfExists", "a", {}, True),
        ("StringEqualsIfExists", "a", {"k": ["b"]}, False),
        ("ForAnyValue:StringEquals", "a", {"k": ["b", "a"]}, True),
        ("StringLike", "a*", {"k": ["abc"]}, True),
        ("ArnLike", "arn:?", {"k": ["arn:ab"]}, False),
        ("Bool", "true", {"k": ["True"]}, True),
        ("NumericGreaterThanEquals", "7", {"k": ["30"]}, True),
        ("NumericGreaterThanEquals", "30", {"k": ["7"]}, False),
        ("Null", "true", {}, True),
        ("Null", "false", {}, False),
    ],
)
def test_conditions_hold_by_their_operators(operator: str, wanted: object, context: Context, holds: bool) -> None:
    policy = document("Allow", "s3:GetObject", condition={operator: {"k": wanted}})
    assert (decide([policy], "s3:GetObject", "*", context) == "allowed") is holds
