from __future__ import annotations

import json

import pytest

from tapctl.aws.client import Aws
from tests.conftest import ACCOUNT
from tests.sandbox.conftest import Refused

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACCOUNTS = {**TRUST, "Principal": {"AWS": [ACCOUNT]}}
NOBODY = {**TRUST, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/none"}}


def document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def role(aws: Aws) -> str:
    return aws.iam.create_role(RoleName="Role", AssumeRolePolicyDocument=document(TRUST, ACCOUNTS))["Role"]["Arn"]


def test_names_are_unique_in_any_case(aws: Aws, role: str, refused: Refused) -> None:
    with refused("EntityAlreadyExists"):
        aws.iam.create_role(RoleName="ROLE", AssumeRolePolicyDocument=document(TRUST))
    with refused("InvalidInput", "50"):
        aws.iam.create_role(
            RoleName="o",
            AssumeRolePolicyDocument=document(TRUST),
            Tags=[{"Key": str(at), "Value": ""} for at in range(51)],
        )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "MalformedPolicyDocument"),
        ("{}", "MalformedPolicyDocument"),
        (document(NOBODY), "MalformedPolicyDocument"),
        (document({**TRUST, "Sid": "x" * 2048}), "LimitExceeded"),
    ],
)
def test_a_bad_trust_policy_is_refused(aws: Aws, role: str, refused: Refused, text: str, code: str) -> None:
    with refused(code):
        aws.iam.create_role(RoleName="other", AssumeRolePolicyDocument=text)
    with refused(code):
        aws.iam.update_assume_role_policy(RoleName="Role", PolicyDocument=text)


def test_a_trust_policy_may_name_a_role(aws: Aws, role: str) -> None:
    single = json.dumps({"Version": "2012-10-17", "Statement": {**TRUST, "Principal": {"AWS": role}}})
    aws.iam.update_assume_role_policy(RoleName="Role", PolicyDocument=single)
    everybody = document({**TRUST, "Principal": "*"})
    aws.iam.update_assume_role_policy(RoleName="Role", PolicyDocument=everybody)


def test_inline_policies_have_a_size_together(aws: Aws, role: str, refused: Refused) -> None:
    def half(name: str) -> None:
        resources = [f"arn:aws:s3:::{'x' * 60}{at:02}" for at in range(70)]
        text = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources})
        aws.iam.put_role_policy(RoleName="Role", PolicyName=name, PolicyDocument=text)

    half("one")
    half("one")
    with refused("LimitExceeded", "10240"):
        half("other")
    with refused("NoSuchEntity"):
        aws.iam.put_role_policy(
            RoleName="none",
            PolicyName="p",
            PolicyDocument=document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}),
        )


def test_what_the_sandbox_cannot_do_is_said_at_once(aws: Aws) -> None:
    with pytest.raises(Exception, match=r"NotImplemented.*simulate_principal_policy"):
        aws.iam.simulate_principal_policy(PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/u", ActionNames=["s3:Get"])
