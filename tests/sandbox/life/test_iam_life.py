from __future__ import annotations

import json

import pytest

from tapctl.aws.client import Aws
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import LONG_S, Clock, Make, Place
from tests.sandbox.test_lambda import INTERFACES, allow, trust

ASSUMED = "cannot be assumed by Lambda"
NO_RIGHTS = "does not have permissions to call CreateNetworkInterface on EC2"
INVALID = "InvalidParameterValueException"


def test_naive_code_uses_a_role_that_lambda_cannot_assume_yet(
    aws: Aws, clock: Clock, make: Make, refused: Refused
) -> None:
    fresh = aws.iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    with refused(INVALID, ASSUMED):
        make(Role=fresh)
    clock.after(7)
    with refused(INVALID, ASSUMED):
        make(Role=fresh)
    clock.after(2)
    make(Role=fresh)


def test_naive_code_waits_for_new_roles_only_and_not_for_a_changed_policy(
    aws: Aws, clock: Clock, make: Make, place: Place, refused: Refused
) -> None:
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.after(LONG_S)
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
    with refused(INVALID, NO_RIGHTS):
        make(VpcConfig=place.config())
    clock.after(7)
    make(VpcConfig=place.config())


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": INTERFACES, "Resource": "arn:aws:ec2:us-east-1:123456789012:network-interface/*"},
        {"Effect": "Deny", "Action": INTERFACES, "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:DescribeNetworkInterfaces", "Resource": ["*"]},
    ],
)
def test_interfaces_must_be_allowed_on_everything(
    aws: Aws, clock: Clock, make: Make, place: Place, refused: Refused, *, statement: dict[str, object]
) -> None:
    document = {"Version": "2012-10-17", "Statement": statement}
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document))
    clock.after(LONG_S)
    with refused(INVALID, NO_RIGHTS):
        make(VpcConfig=place.config())


def test_naive_code_takes_the_unique_id_of_a_new_role_for_its_arn(aws: Aws, clock: Clock) -> None:
    aws.iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust())
    clock.after(4)
    first = aws.iam.get_role(RoleName="new")["Role"]
    assert first["Arn"] == first["RoleId"]
    assert aws.iam.get_role(RoleName="new")["Role"]["Arn"].startswith("arn:aws:iam::")


def test_a_role_known_for_long_tells_its_arn(aws: Aws, role: str) -> None:
    assert aws.iam.get_role(RoleName="r")["Role"]["Arn"] == role


def test_naive_code_deletes_a_role_before_its_policies_are_really_gone(
    aws: Aws, clock: Clock, role: str, refused: Refused
) -> None:
    with refused("DeleteConflict"):
        aws.iam.delete_role(RoleName="r")
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.after(1)
    with refused("DeleteConflict"):
        aws.iam.delete_role(RoleName="r")
    clock.after(2)
    aws.iam.delete_role(RoleName="r")
    with refused("NoSuchEntity"):
        aws.iam.delete_role(RoleName="r")
    with refused("NoSuchEntity"):
        aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow(INTERFACES))
