from __future__ import annotations

import pytest

from tapctl.errors import AwsRefused, Refused, add_default_hint, exit_code_of

USER = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform"
ROLE = "arn:aws:iam::123456789012:role/lambda-role-dev"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            f"{USER}: iam:PassRole on resource: {ROLE} because no policy allows it",
            f"allow iam:PassRole on {ROLE}, then",
        ),
        (f"{USER}: kms:CreateGrant", "allow kms:CreateGrant, then run"),
        (f"{USER}: lambda:CreateFunction on resource: {ROLE}", f"allow lambda:CreateFunction on {ROLE}, then"),
        ("You are not authorized to perform this operation.", "allow lambda:CreateFunction, then run"),
    ],
)
def test_what_is_to_be_allowed_is_what_aws_has_denied(message: str, hint: str) -> None:
    error = AwsRefused("lambda", "CreateFunction", "AccessDeniedException", message)
    add_default_hint(error)
    assert str(error.hint).startswith(hint)
    assert exit_code_of(error) == 6


def test_the_action_of_what_is_no_denial_is_what_was_called() -> None:
    error = AwsRefused("resourcegroupstaggingapi", "GetResources", "InvalidParameter", f"{USER}: iam:PassRole")
    assert error.iam_action == "tag:GetResources"


def test_of_what_says_nothing_of_it_nothing_is_made_up() -> None:
    error = Refused("not this")
    add_default_hint(error)
    assert error.hint is None
