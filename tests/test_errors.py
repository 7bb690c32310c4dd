from __future__ import annotations

import pytest

from tapctl.errors import AwsRefused, add_default_hint, exit_code_of

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
