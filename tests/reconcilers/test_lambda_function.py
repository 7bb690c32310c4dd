from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function import LambdaFunction, LambdaFunctionSpec
from tests.reconcilers.cases.lambda_function import CONTENT, prepare
from tests.reconcilers.lambda_function_answers import ARN, DIGEST, KEY, NAME, OURS, WANT, ZIP, answer
from tests.reconcilers.scripted_aws import refused, scripted

NO_POLICY = refused("lambda:GetPolicy", "ResourceNotFoundException")
BUSY = "The operation cannot be performed at this time. "


def with_(**changes: Any) -> LambdaFunctionSpec:
    return WANT.model_copy(update=changes)


def look(aws: Any, expected: LambdaFunctionSpec | None = WANT) -> Any:
    seen = LambdaFunction().observe(aws, NAME, expected)
    assert seen is not None
    return seen


# -- seeing ----------------------------------------------------------------------------------------------------------


def test_a_function_that_is_not_there_is_absent(aws: Aws) -> None:
    assert LambdaFunction().observe(aws, NAME, WANT) is None


def test_it_is_seen_by_two_reads() -> None:
    aws = scripted({"get_function": answer(), "get_policy": NO_POLICY})

    assert look(aws).spec == WANT
    assert len(aws.calls) == 2


def test_who_else_may_invoke_it_shows() -> None:
    text = json.dumps({"Statement": [{"Sid": "public", "Effect": "Allow", "Principal": "*", "Action": "lambda:*"}]})
    aws = scripted({"get_function": answer(), "get_policy": {"Policy": text}})

    seen = look(aws).spec.resource_policy
    assert [one.sid for one in seen.statements] == ["public"]


def test_a_policy_that_may_not_be_read_is_unknown() -> None:
    denied = refused("lambda:GetPolicy", "AccessDeniedException")
    aws = scripted({"get_function": answer(), "get_policy": denied})

    assert look(aws).unreadable == {"resource_policy": "lambda:GetPolicy"}
    assert look(aws, expected=None).spec.resource_policy is None


@pytest.mark.parametrize("read", ["get_function", "get_policy"])
def test_other_refusals_of_a_read_are_not_swallowed(read: str) -> None:
    no = refused("lambda:Read", "InvalidParameterValueException")

    with pytest.raises(AwsRefused):
        look(scripted({"get_function": answer(), "get_policy": NO_POLICY, read: no}))


# -- making ----------------------------------------------------------------------------------------------------------


def test_a_zip_is_made_with_its_bytes_and_its_concurrency_is_a_second_step(aws: Aws) -> None:
    world = prepare(aws)
    want = ZIP.model_copy(
        update={
            "role_arn": world["role_a"],
            "subnet_ids": frozenset({world["subnet_a"]}),
            "security_group_ids": frozenset({world["group_a"]}),
        }
    )
    made = LambdaFunction(CONTENT)

    made.create(aws, NAME, want, OURS)

    assert look(aws, want).spec == want.model_copy(update={"reserved_concurrency": None})
    assert made.update(aws, NAME, look(aws, want).spec, want) == {"reserved_concurrency"}
    assert look(aws, want).spec == want
    assert look(aws, want).owner == OURS
    with pytest.raises(AlreadyExists):
        made.create(aws, NAME, want, OURS)


def test_an_image_is_made_by_digest_without_what_only_a_zip_has() -> None:
    aws = scripted()

    LambdaFunction().create(aws, NAME, WANT, OURS)

    (asked,) = aws.asked("create_function")
    assert asked == {
        "FunctionName": NAME,
        "PackageType": "Image",
        "Code": {"ImageUri": DIGEST},
        "Architectures": ["x86_64"],
        "Role": WANT.role_arn,
        "MemorySize": 1024,
        "Timeout": 30,
        "Environment": {"Variables": {"DB_PORT": "5432"}},
        "KMSKeyArn": KEY,
        "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "TracingConfig": {"Mode": "Active"},
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
        "Tags": WANT.tags,
    }


@pytest.mark.parametrize("content", [None, b"another zip"])
def test_other_bytes_than_the_wanted_ones_never_reach_aws(content: bytes | None) -> None:
    aws = scripted()

    with pytest.raises(AssertionError, match="not the one that is wanted"):
        LambdaFunction(content).create(aws, NAME, ZIP, OURS)
    assert aws.calls == []


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        (
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            Patience.PROPAGATION,
        ),
        (
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
            Patience.PROPAGATION,
        ),
        (
            "InvalidParameterValueException",
            "Lambda was unable to configure access: the KMS key is invalid for CreateGrant. Check your settings.",
            Patience.PROPAGATION,
        ),
        (
            "InvalidParameterValueException",
            "Your request has been throttled by EC2, please make sure you have enough API rate limit.",
            Patience.LONG,
        ),
        (
            "ResourceConflictException",
            f"{BUSY}The function is currently in the following state: Pending",
            Patience.LONG,
        ),
        # It may be a move to other subnets, whose interfaces take minutes.
        ("ResourceConflictException", f"{BUSY}An update is in progress for resource: {ARN}", Patience.LONG),
        ("ResourceConflictException", BUSY, Patience.BUSY),
        (
            "InvalidParameterValueException",
            "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound.",
            Patience.PROPAGATION,
        ),
        (
            "InvalidParameterValueException",
            "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: no",
            Patience.PROPAGATION,
        ),
        ("ResourceNotFoundException", f"Function not found: {ARN}", Patience.PROPAGATION),
    ],
)
def test_what_only_has_to_wait_says_so(code: str, message: str, patience: Patience) -> None:
    no = refused("lambda:Change", code, message)
    aws = scripted({"create_function": no, "update_function_configuration": no})

    with pytest.raises(NotYet) as creating:
        LambdaFunction().create(aws, NAME, WANT, OURS)
    with pytest.raises(NotYet) as updating:
        LambdaFunction().update(aws, NAME, with_(memory_mb=128), WANT)
    assert (creating.value.patience, updating.value.patience) == (patience, patience)


def test_an_image_that_is_not_there_is_a_refusal() -> None:
    no = refused(
        "lambda:CreateFunction", "InvalidParameterValueException", f"Source image {DIGEST} does not exist. Provide one."
    )

    with pytest.raises(AwsRefused, match="does not exist"):
        LambdaFunction().create(scripted({"create_function": no}), NAME, WANT, OURS)


# -- removing --------------------------------------------------------------------------------------------------------

IN_VPC: dict[str, Any] = {
    "get_policy": NO_POLICY,
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-default"}]},
}


def remove(*, answers: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """The changing calls of one step of its removal, by name."""
    aws = scripted({**IN_VPC, "get_function": answer(**changes), **(answers or {})})
    seen = look(aws)
    aws.calls.clear()
    LambdaFunction().delete(aws, NAME, seen, None)
    return [name for name, _ in aws.calls if not name.startswith(("describe", "get"))]


def test_it_leaves_its_groups_first_and_then_goes() -> None:
    left = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-default"]}

    assert remove() == ["update_function_configuration"]
    assert remove(VpcConfig=left) == ["delete_function"]


def test_outside_a_vpc_it_just_goes() -> None:
    assert remove(VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}) == ["delete_function"]


def test_a_function_that_aws_gave_up_takes_no_change_and_just_goes() -> None:
    assert remove(State="Failed") == ["delete_function"]


def test_a_function_whose_last_update_failed_is_moved_no_more() -> None:
    assert remove(LastUpdateStatus="Failed") == ["delete_function"]


def test_one_that_is_made_anew_at_once_just_goes() -> None:
    aws = scripted({**IN_VPC, "get_function": answer()})
    seen = look(aws)
    aws.calls.clear()

    LambdaFunction().delete_for_replacement(aws, NAME, seen)

    assert aws.calls == [("delete_function", {"FunctionName": NAME})]


def test_while_lambda_is_at_work_it_stays() -> None:
    with pytest.raises(NotYet) as told:
        remove(LastUpdateStatus="InProgress")
    assert told.value.patience is Patience.LONG


def test_removing_what_is_gone_is_no_error() -> None:
    gone = refused("lambda:DeleteFunction", "ResourceNotFoundException")

    assert remove(VpcConfig=None, answers={"delete_function": gone}) == ["delete_function"]


def test_a_removal_in_the_way_of_another_change_waits() -> None:
    busy = refused("lambda:DeleteFunction", "ResourceConflictException", f"{BUSY}An update is in progress")

    with pytest.raises(NotYet):
        remove(VpcConfig=None, answers={"delete_function": busy})


def test_a_function_that_vanishes_while_it_is_to_be_moved_is_looked_for_again() -> None:
    gone = refused("lambda:UpdateFunctionConfiguration", "ResourceNotFoundException")

    with pytest.raises(NotYet, match="does not show"):
        remove(answers={"update_function_configuration": gone})


def test_only_functions_with_both_tags_are_found(aws: Aws) -> None:
    role = prepare(aws)["role_a"]
    want = ZIP.model_copy(update={"role_arn": role, "subnet_ids": frozenset(), "security_group_ids": frozenset()})
    LambdaFunction(CONTENT).create(aws, NAME, want, OURS)
    LambdaFunction(CONTENT).create(aws, "other", want.model_copy(update={"tags": {}}), Owner.ours("prod"))
    aws.logs.create_log_group(logGroupName="group", tags=OURS.tags)

    assert list(LambdaFunction().list_owned(aws, OURS)) == [NAME]
