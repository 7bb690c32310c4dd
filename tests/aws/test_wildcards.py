"""Everything is everything, however a policy spells it, and so is what gives itself any rights."""

from __future__ import annotations

import pytest

from tapctl.aws.wildcards import far_reaching

ALL, RIGHTS = "everything", "any rights to be given"


@pytest.mark.parametrize(
    ("action", "resource", "reach"),
    [
        *((action, "*", ALL) for action in ("*", "**", "*:*", "?*", "*:**", "*?:*")),
        *(("*", f"{each}", ALL) for each in ("**", "arn:*", "arn:aws:*", "a*", "*:*", "arn:aws", "arn:*:*:*:*:*")),
        *(("*", f"arn:aws:*:{each}:*", ALL) for each in ("*:*", "us-east-2:123456789012", ":", "*:123456789012")),
        *(("*", resource, "") for resource in ("arn:aws:s3:::*", "arn:aws:sns:*:*:t", "arn:aws:sqs:*:*:*", "s*")),
        *((action, "*", "") for action in ("s3:*", "kms:*", "rds:*", "sns:Publish", "*:Get*", "iam:Get*", "iam:List*")),
        *((action, "*", RIGHTS) for action in ("iam:*", "IAM:*", "i*:*", "iam:putRolePolicy", "iam:Attach*", "*:Put*")),
        *((action, "*", RIGHTS) for action in ("sts:*", "sts:AssumeRole", "iam:CreateAccessKey", "iam:PutRolePol???")),
        *(
            (f"iam:{action}", "*", RIGHTS)
            for action in ("UploadSSHPublicKey", "UpdateSAMLProvider", "DetachRolePolicy")
        ),
        *(
            (action, "*", RIGHTS)
            for action in ("iam:PutUserPermissionsBoundary", "sso:*", "organizations:AttachPolicy")
        ),
        ("sso:*", "arn:aws:s3:::*", ""),
        *((action, "arn:aws:sso:::instance/*", RIGHTS) for action in ("sso:*", "sso:CreateAccountAssignment")),
        ("organizations:*", "arn:aws:organizations::*:*", RIGHTS),
        ("identitystore:Create*", "arn:aws:identitystore:::*", RIGHTS),
        *(
            (action, "*", RIGHTS)
            for action in ("sso-directory:*", "sso-directory:UpdatePassword", "iam:UpdateAccessKey")
        ),
        *(
            (action, "*", RIGHTS)
            for action in ("iam:RemoveUserFromGroup", "iam:TagRole", "iam:?etRole", "i?m:*", "*m:x")
        ),
        *(
            (action, "*", "")
            for action in ("iam:get*", "sso:Describe*", "organizations:List*", "iam:SimulatePrincipal*")
        ),
        *(
            ("iam:CreateAccessKey", each, RIGHTS)
            for each in ("arn:*:user/*", "arn:aws:*:user/x", "arn:aws:*m::1:user/x")
        ),
        *(("iam:CreateAccessKey", each, "") for each in ("arn:aws:s3", "arn:*:s3:::b", "arn:aws:s3:*", "iam")),
        # A role that is named may be handed out, as it may be assumed; any role is any rights.
        ("iam:PassRole", "arn:aws:iam::123456789012:role/reader", ""),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/*", RIGHTS),
        ("sts:AssumeRole", "arn:*:role/*", RIGHTS),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/lambda-role-dev", RIGHTS),
        ("sts:AssumeRole", "arn:aws:iam::*:role/*", RIGHTS),
        ("sts:AssumeRole", "arn:aws:iam", RIGHTS),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/reader", ""),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/reader-*", ""),
        *(
            ("sts:AssumeRoot", resource, RIGHTS)
            for resource in ("*", "arn:aws:iam::*:root", "arn:aws:iam::123456789012:root", "arn:*:root", "arn:aws:iam")
        ),
        ("sts:AssumeRoo?", "*", RIGHTS),
        ("sts:AssumeRoot", "arn:aws:iam::123456789012:role/*", ""),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:root", ""),
        ("*", "", ""),
    ],
)
def test_what_a_statement_reaches(action: str, resource: str, reach: str) -> None:
    assert far_reaching(["sqs:SendMessage", action], ["arn:aws:sqs:::x", resource]) == reach


def test_a_statement_without_resources_reaches_no_further_than_what_it_is_on() -> None:
    assert far_reaching(["sts:AssumeRole", "*", "iam:*"], []) == ""


def test_a_pattern_of_many_parts_takes_no_long() -> None:
    assert far_reaching(["*z" * 5_000], ["?*" * 5_000]) == ""
