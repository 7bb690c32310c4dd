from __future__ import annotations

import json

import pytest

from tapctl.aws.client import Aws, Connection
from tests.conftest import ACCOUNT, CREDENTIALS
from tests.emulator.conftest import LONG_S, Build, Clock, Place, Refused
from tests.emulator.lambda_helpers import INTERFACES, allow, trust

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


def test_a_boundary_is_a_policy_that_exists(aws: Aws, role: str, refused: Refused) -> None:
    none = f"arn:aws:iam::{ACCOUNT}:policy/none"
    with refused("NoSuchEntity", "not attachable"):
        aws.iam.create_role(RoleName="o", AssumeRolePolicyDocument=document(TRUST), PermissionsBoundary=none)
    with refused("NoSuchEntity", "not attachable"):
        aws.iam.put_role_permissions_boundary(RoleName="Role", PermissionsBoundary=none)
    text = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    made = aws.iam.create_policy(PolicyName="p", PolicyDocument=text)["Policy"]["Arn"]
    aws.iam.create_role(RoleName="p", Path="/pay/", AssumeRolePolicyDocument=document(TRUST), PermissionsBoundary=made)
    read = aws.iam.get_role(RoleName="p")["Role"]
    assert (read["Path"], read["PermissionsBoundary"]["PermissionsBoundaryArn"]) == ("/pay/", made)


def test_a_trust_policy_may_name_a_role(aws: Aws, role: str) -> None:
    single = json.dumps({"Version": "2012-10-17", "Statement": {**TRUST, "Principal": {"AWS": role}}})
    aws.iam.update_assume_role_policy(RoleName="Role", PolicyDocument=single)
    everybody = document({**TRUST, "Principal": "*"})
    aws.iam.update_assume_role_policy(RoleName="Role", PolicyDocument=everybody)


def test_naive_code_names_resources_of_the_common_partition_everywhere(sandbox_url: str, refused: Refused) -> None:
    iam = Aws(Connection("cn-north-1", endpoint_url=sandbox_url, credentials=CREDENTIALS)).iam
    iam.create_role(RoleName="Role", AssumeRolePolicyDocument=document(TRUST))

    def policy(*resources: str) -> str:
        return document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": [*resources]})

    with refused("MalformedPolicyDocument", 'Partition "aws" is not valid for resource "arn:aws:s3:::b"'):
        iam.put_role_policy(
            RoleName="Role", PolicyName="p", PolicyDocument=policy("arn:aws-cn:s3:::b", "arn:aws:s3:::b")
        )
    with refused("MalformedPolicyDocument"):
        iam.put_role_policy(RoleName="Role", PolicyName="p", PolicyDocument="{")
    with refused("MalformedPolicyDocument", "Partition"):
        iam.create_policy(PolicyName="p", PolicyDocument=policy("arn:aws-us-gov:s3:::b"))
    iam.put_role_policy(RoleName="Role", PolicyName="p", PolicyDocument=policy("arn:aws-cn:s3:::b", "arn:*:s3:::b"))


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
    with pytest.raises(Exception, match=r"NotImplemented.*simulate_custom_policy"):
        aws.iam.simulate_custom_policy(PolicyInputList=["{}"], ActionNames=["s3:Get"])


ASSUMED = "cannot be assumed by Lambda"
NO_RIGHTS = "does not have permissions to call CreateNetworkInterface on EC2"
INVALID = "InvalidParameterValueException"


def test_naive_code_uses_a_role_that_lambda_cannot_assume_yet(
    aws: Aws, clock: Clock, make_function: Build, refused: Refused
) -> None:
    fresh = aws.iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    with refused(INVALID, ASSUMED):
        make_function(Role=fresh)
    clock.advance(7)
    with refused(INVALID, ASSUMED):
        make_function(Role=fresh)
    clock.advance(2)
    make_function(Role=fresh)


def test_naive_code_waits_for_new_roles_only_and_not_for_a_changed_policy(
    aws: Aws, clock: Clock, make_function: Build, place: Place, refused: Refused
) -> None:
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(LONG_S)
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
    with refused(INVALID, NO_RIGHTS):
        make_function(VpcConfig=place.config())
    clock.advance(7)
    make_function(VpcConfig=place.config())


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": INTERFACES, "Resource": "arn:aws:ec2:us-east-1:123456789012:network-interface/*"},
        {"Effect": "Deny", "Action": INTERFACES, "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:DescribeNetworkInterfaces", "Resource": ["*"]},
    ],
)
def test_interfaces_must_be_allowed_on_everything(
    aws: Aws, clock: Clock, make_function: Build, place: Place, refused: Refused, *, statement: dict[str, object]
) -> None:
    document = {"Version": "2012-10-17", "Statement": statement}
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document))
    clock.advance(LONG_S)
    with refused(INVALID, NO_RIGHTS):
        make_function(VpcConfig=place.config())


def test_naive_code_takes_the_unique_id_of_a_new_role_for_its_arn(aws: Aws, clock: Clock) -> None:
    aws.iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust())
    clock.advance(4)
    first = aws.iam.get_role(RoleName="new")["Role"]
    assert first["Arn"] == first["RoleId"]
    assert aws.iam.get_role(RoleName="new")["Role"]["Arn"].startswith("arn:aws:iam::")


def test_a_role_known_for_long_tells_its_arn(aws: Aws, lambda_role: str) -> None:
    assert aws.iam.get_role(RoleName="r")["Role"]["Arn"] == lambda_role


def test_naive_code_deletes_a_role_before_its_policies_are_really_gone(
    aws: Aws, clock: Clock, lambda_role: str, refused: Refused
) -> None:
    with refused("DeleteConflict"):
        aws.iam.delete_role(RoleName="r")
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(1)
    with refused("DeleteConflict"):
        aws.iam.delete_role(RoleName="r")
    clock.advance(2)
    aws.iam.delete_role(RoleName="r")
    with refused("NoSuchEntity"):
        aws.iam.delete_role(RoleName="r")
    with refused("NoSuchEntity"):
        aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))


def test_a_role_s_rights_are_simulated_within_its_boundary(aws: Aws, refused: Refused) -> None:
    def allows(*actions: str) -> str:
        return document({"Effect": "Allow", "Action": list(actions), "Resource": "*"})

    bound = aws.iam.create_policy(PolicyName="bound", PolicyDocument=allows("sns:Publish"))["Policy"]["Arn"]
    role = aws.iam.create_role(RoleName="R", AssumeRolePolicyDocument=document(TRUST), PermissionsBoundary=bound)[
        "Role"
    ]
    aws.iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument=allows("sns:*"))
    told = aws.iam.simulate_principal_policy(
        PolicySourceArn=role["Arn"],
        ActionNames=["sns:Publish", "sns:DeleteTopic", "s3:GetObject"],
        ContextEntries=[{"ContextKeyName": "aws:x", "ContextKeyValues": ["b"], "ContextKeyType": "string"}],
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in told] == ["allowed", "implicitDeny", "implicitDeny"]
    assert [each["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for each in told] == [
        *(True, False, False)
    ]
    with refused("NoSuchEntity"):
        aws.iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/no", ActionNames=["s3:GetObject"]
        )
    nobody = f"arn:aws:sts::{ACCOUNT}:user/moto"
    (told_of_nobody,) = aws.iam.simulate_principal_policy(PolicySourceArn=nobody, ActionNames=["s3:GetObject"])[
        "EvaluationResults"
    ]
    assert told_of_nobody["EvalDecision"] == "allowed"
