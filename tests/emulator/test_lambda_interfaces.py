from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import Network
from tests.emulator.conftest import LONG_S, Build, Clock, Place, Refused

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, NetworkInterfaceTypeDef


def interfaces(aws: Aws, name: str = "f") -> list[NetworkInterfaceTypeDef]:
    filters: list[FilterTypeDef] = [{"Name": "description", "Values": [f"AWS Lambda VPC ENI-{name}-*"]}]
    return aws.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def groups(aws: Aws) -> set[str]:
    return {group["GroupId"] for interface in interfaces(aws) for group in interface["Groups"]}


@pytest.fixture
def made(aws: Aws, clock: Clock, make_function: Build, place: Place) -> None:
    """A function in the VPC, for an hour."""
    make_function(VpcConfig=place.config())
    clock.advance(LONG_S)


def test_a_function_in_a_vpc_has_an_interface_that_is_amazons(
    aws: Aws, made: None, place: Place, refused: Refused
) -> None:
    (one,) = interfaces(aws)
    assert re.fullmatch(r"AWS Lambda VPC ENI-f-[0-9a-f-]{36}", one["Description"])
    assert (one["Status"], one["InterfaceType"], one["RequesterManaged"]) == ("in-use", "lambda", True)
    assert one["Attachment"]["InstanceOwnerId"] == "amazon-aws"
    assert groups(aws) == {place.group}
    with refused("OperationNotPermitted", "ela-attach"):
        aws.ec2.detach_network_interface(AttachmentId=one["Attachment"]["AttachmentId"], Force=True)
    with refused("InvalidNetworkInterface.InUse"):
        aws.ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])


def test_interfaces_of_others_are_none_of_lambdas(aws: Aws, made: None, place: Place, refused: Refused) -> None:
    other = aws.ec2.create_network_interface(SubnetId=place.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    shown = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[other])["NetworkInterfaces"]
    assert shown[0]["Status"] == "available"
    with refused("InvalidAttachmentID.NotFound"):
        aws.ec2.detach_network_interface(AttachmentId="eni-attach-1")
    aws.ec2.delete_network_interface(NetworkInterfaceId=other)


def test_naive_code_deletes_the_group_of_a_function_that_is_gone(
    aws: Aws, clock: Clock, made: None, place: Place, refused: Refused
) -> None:
    aws.lambda_.delete_function(FunctionName="f")
    for seconds in (0, 1400):
        clock.advance(seconds)
        with refused("DependencyViolation"):
            aws.ec2.delete_security_group(GroupId=place.group)
    clock.advance(200)
    aws.ec2.delete_security_group(GroupId=place.group)
    assert interfaces(aws) == []


def test_naive_code_deletes_the_role_first_and_the_interfaces_stay_for_ever(
    aws: Aws, clock: Clock, made: None, place: Place, refused: Refused
) -> None:
    aws.lambda_.delete_function(FunctionName="f")
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(60)
    aws.iam.delete_role(RoleName="r")
    clock.advance(30 * 24 * LONG_S)
    (left,) = interfaces(aws)
    assert (left["Status"], left.get("Attachment")) == ("available", None)
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=place.group)
    aws.ec2.delete_network_interface(NetworkInterfaceId=left["NetworkInterfaceId"])
    aws.ec2.delete_security_group(GroupId=place.group)


def test_the_roles_policy_is_needed_too(aws: Aws, clock: Clock, made: None) -> None:
    aws.lambda_.delete_function(FunctionName="f")
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(LONG_S)
    assert len(interfaces(aws)) == 1


def test_a_role_that_goes_after_the_interfaces_does_no_harm(aws: Aws, clock: Clock, made: None) -> None:
    aws.lambda_.delete_function(FunctionName="f")
    clock.advance(1600)
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(60)
    aws.iam.delete_role(RoleName="r")
    assert interfaces(aws) == []


def test_a_function_whose_role_is_gone_already_leaves_its_interfaces(aws: Aws, clock: Clock, made: None) -> None:
    aws.iam.delete_role_policy(RoleName="r", PolicyName="p")
    clock.advance(60)
    aws.iam.delete_role(RoleName="r")
    aws.lambda_.delete_function(FunctionName="f")
    clock.advance(LONG_S)
    assert len(interfaces(aws)) == 1


def test_naive_code_expects_a_function_that_moved_to_free_the_group_before_at_once(
    aws: Aws, clock: Clock, made: None, place: Place, refused: Refused
) -> None:
    aws.lambda_.update_function_configuration(FunctionName="f", VpcConfig=place.config(place.default))
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=place.group)
    clock.advance(80)
    aws.lambda_.delete_function(FunctionName="f")
    assert groups(aws) == {place.group, place.default}
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=place.group)
    clock.advance(1600)
    assert interfaces(aws) == []


def test_functions_share_interfaces_and_the_last_one_leaves_them(
    aws: Aws, clock: Clock, made: None, make_function: Build, place: Place
) -> None:
    make_function(FunctionName="g", VpcConfig=place.config())
    assert len(interfaces(aws)) == 1
    assert interfaces(aws, "g") == []
    aws.lambda_.delete_function(FunctionName="f")
    clock.advance(LONG_S)
    assert len(interfaces(aws)) == 1
    aws.lambda_.delete_function(FunctionName="g")
    clock.advance(LONG_S)
    assert interfaces(aws) == []


def test_a_function_that_comes_back_in_time_takes_its_interfaces_again(
    aws: Aws, clock: Clock, made: None, make_function: Build, place: Place
) -> None:
    before = interfaces(aws)
    aws.lambda_.delete_function(FunctionName="f")
    clock.advance(600)
    make_function(VpcConfig=place.config())
    clock.advance(LONG_S)
    assert interfaces(aws) == before


def test_a_function_without_a_vpc_has_none(aws: Aws, clock: Clock, make_function: Build, network: Network) -> None:
    make_function()
    clock.advance(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", Timeout=7)
    assert interfaces(aws) == []


def test_naive_code_takes_a_list_for_what_there_is(aws: Aws, clock: Clock, made: None) -> None:
    aws.lambda_.delete_function(FunctionName="f")
    listed = [one["FunctionName"] for one in aws.lambda_.list_functions()["Functions"]]
    clock.advance(10)
    assert (listed, aws.lambda_.list_functions()["Functions"]) == (["f"], [])


def test_naive_code_reads_a_large_account_in_one_piece(
    aws: Aws, made: None, simulation: Simulation, refused: Refused
) -> None:
    simulation.script("ec2.large-account", "yes")
    with refused("OperationNotPermitted", "pagination"):
        interfaces(aws)


def test_naive_code_does_not_ask_for_what_services_manage(aws: Aws, made: None, simulation: Simulation) -> None:
    simulation.script("ec2.hidden", "yes")
    assert interfaces(aws) == []
