from __future__ import annotations

import pytest

from tapctl.errors import AwsRefused, ExitCode, Refused, add_default_hint, exit_code_of

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
def test_the_hint_of_a_denial_names_the_denied_permission(message: str, hint: str) -> None:
    error = AwsRefused("lambda", "CreateFunction", "AccessDeniedException", message)
    add_default_hint(error)
    assert str(error.hint).startswith(hint)
    assert exit_code_of(error) == 6


def test_the_action_of_another_refusal_is_the_call() -> None:
    error = AwsRefused("resourcegroupstaggingapi", "GetResources", "InvalidParameter", f"{USER}: iam:PassRole")
    assert error.iam_action == "tag:GetResources"


@pytest.mark.parametrize("code", ["InstanceQuotaExceeded", "DBClusterQuotaExceededFault", "LimitExceededException"])
def test_a_quota_that_is_reached_is_told_as_one(code: str) -> None:
    error = AwsRefused("rds", "CreateDBCluster", code, "no")
    add_default_hint(error)
    assert str(error.hint).startswith("have this account's quota raised (Service Quotas, rds)")


def test_other_errors_get_no_default_hint() -> None:
    error = Refused("not this")
    add_default_hint(error)
    assert error.hint is None


@pytest.mark.parametrize(
    ("codes", "worst"),
    [((), 0), ((0, 7), 7), ((7, 2), 2), ((2, 4), 4), ((4, 1), 1), ((1, 6, 5, 3), 3), ((3, 9), 9), ((9, 64), 64)],
)
def test_the_worst_exit_code_counts(codes: tuple[int, ...], worst: int) -> None:
    assert ExitCode.worst(codes) == worst


_WHO = "User: arn:aws:iam::1:user/ci is not authorized to perform: rds:CreateDBCluster on resource: c"


@pytest.mark.parametrize(
    ("why", "hint"),
    [
        ("", "allow rds:CreateDBCluster on c, then"),
        (
            " because no identity-based policy allows the rds:CreateDBCluster action",
            "allow rds:CreateDBCluster on c, then",
        ),
        (
            " because no permissions boundary allows the rds:CreateDBCluster action",
            "allow rds:CreateDBCluster on c in the permissions boundary, then",
        ),
        (
            " with an explicit deny in a service control policy",
            "have the explicit deny of rds:CreateDBCluster on c lifted from the service control policy; an allow does",
        ),
        (" with an explicit deny in a permissions boundary: arn:x", "lifted from the permissions boundary; an allow"),
    ],
)
def test_a_denial_is_cured_where_aws_says_it_was_made(why: str, hint: str) -> None:
    error = AwsRefused("rds", "CreateDBCluster", "AccessDenied", _WHO + why)
    add_default_hint(error)
    assert hint in str(error.hint)
    assert exit_code_of(error) == 6


@pytest.mark.parametrize(
    "code", ["InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"]
)
def test_credentials_that_s3_does_not_take_are_the_wrong_target_with_a_hint(code: str) -> None:
    error = AwsRefused("s3", "GetObject", code, "no")
    add_default_hint(error)
    assert exit_code_of(error) == 9
    assert error.hint
