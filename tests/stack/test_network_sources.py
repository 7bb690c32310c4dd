"""Ids from a CloudFormation stack, or from SSM parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from moto.cloudformation.models import cloudformation_backends

from tapctl.aws.client import Aws
from tapctl.config import NetworkingReference
from tapctl.errors import AwsRefused, NetworkingError
from tapctl.stack.network import NetworkIds, ids_from_outputs, read_cloudformation, read_ssm, resolve
from tests.conftest import ACCOUNT, REGION, Network
from tests.support.remembering import forget

STACK = NetworkingReference(kind="cloudformation", target="networking-test")
PATH = NetworkingReference(kind="ssm", target="/networking/test")


def make_stack(aws: Aws, **outputs: str) -> None:
    template = {
        "Resources": {"Something": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    if not outputs:
        del template["Outputs"]
    aws.cloudformation.create_stack(StackName=STACK.target, TemplateBody=json.dumps(template))


def make_good_stack(aws: Aws, network: Network) -> None:
    make_stack(aws, VpcId=network.vpc_id, PrivateSubnetIds=",".join(network.subnet_ids))


# -- CloudFormation ---------------------------------------------------------------------------------------------------


def test_a_complete_stack_is_resolved_in_six_calls(aws: Aws, network: Network) -> None:
    make_good_stack(aws, network)
    aws.call_log.calls.clear()

    contract = resolve(aws, STACK)

    assert contract.reference == "cloudformation:networking-test"
    assert contract.vpc_id == network.vpc_id
    assert contract.subnet_ids == tuple(sorted(network.subnet_ids))
    assert dict(aws.call_log.calls) == {
        "cloudformation:DescribeStacks": 1,
        "ec2:DescribeVpcs": 1,
        "ec2:DescribeVpcAttribute": 1,
        "ec2:DescribeSubnets": 1,
        "ec2:DescribeRouteTables": 1,
        "ec2:DescribeVpcEndpoints": 1,
    }


def test_a_missing_stack(aws: Aws) -> None:
    assert read_cloudformation(aws, STACK.target).broken == ("stack: networking-test does not exist in us-east-1",)


@pytest.mark.parametrize(
    "status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"]
)
def test_a_stack_that_is_whole_after_a_change_is_complete(aws: Aws, status: str) -> None:
    make_stack(aws, VpcId="vpc-0a", PrivateSubnetIds="subnet-0a,subnet-0b")
    forget()
    cloudformation_backends[ACCOUNT][REGION].get_stack(STACK.target).status = status

    assert read_cloudformation(aws, STACK.target) == NetworkIds("vpc-0a", ("subnet-0a", "subnet-0b"))


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
        "DELETE_IN_PROGRESS",
        "REVIEW_IN_PROGRESS",
    ],
)
def test_a_stack_that_is_not_complete(aws: Aws, status: str) -> None:
    make_stack(aws, VpcId="vpc-0a", PrivateSubnetIds="subnet-0a,subnet-0b")
    forget()
    cloudformation_backends[ACCOUNT][REGION].get_stack(STACK.target).status = status

    assert read_cloudformation(aws, STACK.target).broken == (f"stack: networking-test is {status}, not complete",)


def test_a_failed_stack_without_outputs_names_all_of_it(aws: Aws) -> None:
    make_stack(aws)
    forget()
    cloudformation_backends[ACCOUNT][REGION].get_stack(STACK.target).status = "ROLLBACK_COMPLETE"

    with pytest.raises(NetworkingError) as raised:
        resolve(aws, STACK)

    assert str(raised.value.evidence).splitlines() == [
        "stack: networking-test is ROLLBACK_COMPLETE, not complete",
        "outputs: VpcId is missing",
        "outputs: PrivateSubnetIds is missing",
    ]


def test_a_stack_that_lacks_its_subnets(aws: Aws) -> None:
    make_stack(aws, VpcId="vpc-0a")

    assert read_cloudformation(aws, STACK.target) == NetworkIds("vpc-0a", (), ("outputs: PrivateSubnetIds is missing",))


def test_a_stack_that_lacks_its_vpc(aws: Aws) -> None:
    make_stack(aws, PrivateSubnetIds="subnet-0a")

    assert read_cloudformation(aws, STACK.target) == NetworkIds("", ("subnet-0a",), ("outputs: VpcId is missing",))


@contextmanager
def answering(aws: Aws, status: int, body: Mapping[str, object]) -> Iterator[None]:
    """Let CloudFormation answer this to DescribeStacks, below tapctl's own door."""

    def answer(**_: object) -> Any:
        return SimpleNamespace(status_code=status), {**body, "ResponseMetadata": {"HTTPStatusCode": status}}

    events = aws.cloudformation.meta.events
    events.register("before-call.cloudformation.DescribeStacks", answer)
    try:
        yield
    finally:
        events.unregister("before-call.cloudformation.DescribeStacks", answer)


def test_aws_own_reason_for_a_failed_stack_is_told(aws: Aws) -> None:
    failed = {"StackStatus": "CREATE_FAILED", "StackStatusReason": "too many VPCs"}

    with answering(aws, 200, {"Stacks": [failed]}):
        found = read_cloudformation(aws, STACK.target)

    assert found.broken[0] == "stack: networking-test is CREATE_FAILED (too many VPCs), not complete"


@pytest.mark.parametrize(
    ("code", "message"), [("AccessDenied", "not authorized"), ("ValidationError", "1 validation error detected")]
)
def test_any_other_refusal_goes_through(aws: Aws, code: str, message: str) -> None:
    no = {"Error": {"Code": code, "Message": message}}

    with answering(aws, 400, no), pytest.raises(AwsRefused) as raised:
        resolve(aws, STACK)

    assert raised.value.aws_code == code


# -- SSM --------------------------------------------------------------------------------------------------------------


def put(aws: Aws, name: str, value: str, type_: Literal["String", "StringList", "SecureString"] = "String") -> None:
    aws.ssm.put_parameter(Name=f"{PATH.target}/{name}", Value=value, Type=type_)


def test_parameters_are_resolved_in_six_calls(aws: Aws, network: Network) -> None:
    put(aws, "VpcId", network.vpc_id)
    put(aws, "PrivateSubnetIds", ",".join(network.subnet_ids), "StringList")
    aws.call_log.calls.clear()

    contract = resolve(aws, PATH)

    assert contract.reference == "ssm:/networking/test"
    assert contract.subnet_ids == tuple(sorted(network.subnet_ids))
    assert aws.call_log.calls.total() == 6


@pytest.mark.parametrize(
    ("vpc", "subnets"), [("vpc_id", "private_subnet_ids"), ("vpcId", "privateSubnetIds"), ("VpcId", "PrivateSubnetIds")]
)
def test_parameters_are_found_in_each_spelling(aws: Aws, vpc: str, subnets: str) -> None:
    put(aws, vpc, "vpc-0a")
    put(aws, subnets, "subnet-0a,subnet-0b")

    assert read_ssm(aws, PATH.target) == NetworkIds("vpc-0a", ("subnet-0a", "subnet-0b"))


@pytest.mark.parametrize("path", ["networking/test", "/networking/test/"])
def test_a_path_is_found_with_or_without_its_outer_slashes(aws: Aws, path: str) -> None:
    put(aws, "VpcId", "vpc-0a")

    assert read_ssm(aws, path).vpc_id == "vpc-0a"


def test_missing_parameters(aws: Aws) -> None:
    assert read_ssm(aws, PATH.target).broken == (
        "outputs: /networking/test/VpcId is missing",
        "outputs: /networking/test/PrivateSubnetIds is missing",
    )


def test_a_secure_string_is_named_and_not_shown(aws: Aws) -> None:
    put(aws, "VpcId", "hidden-value", "SecureString")
    put(aws, "PrivateSubnetIds", "subnet-0a", "StringList")

    lines = read_ssm(aws, PATH.target).broken

    assert lines == (
        "outputs: the parameter /networking/test/VpcId is a SecureString; ids go into String or StringList",
        "outputs: VpcId is not the id of a VPC (vpc-…)",
    )
    assert "hidden-value" not in "".join(lines)


# -- outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["sg-0123abcd", "subnet-0123abcd", 7, {"secret": "x"}, ["vpc-0123abcd"]])
def test_a_vpc_output_that_is_no_vpc_id(value: object) -> None:
    found = ids_from_outputs({"VpcId": value, "PrivateSubnetIds": "subnet-0a"})

    assert found.broken == ("outputs: VpcId is not the id of a VPC (vpc-…)",)
    assert found.vpc_id == ""


@pytest.mark.parametrize("value", ["vpc-0a", "subnet-0a;subnet-0b", 7, {"secret": "x"}, ["subnet-0a", 7], "subnet-0a,"])
def test_a_subnets_output_that_is_no_list_of_subnet_ids(value: object) -> None:
    found = ids_from_outputs({"VpcId": "vpc-0a", "PrivateSubnetIds": value})

    assert found.broken == ("outputs: PrivateSubnetIds is not a list of ids of subnets (subnet-…)",)
    assert found.subnet_ids == ()


def test_blanks_and_repetitions_in_a_list_do_no_harm() -> None:
    found = ids_from_outputs({"VpcId": " vpc-0a\n", "PrivateSubnetIds": "subnet-0b, subnet-0a,subnet-0b"})

    assert found.vpc_id == "vpc-0a"
    assert found.subnet_ids == ("subnet-0a", "subnet-0b")
    assert found.broken == ()
