from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_interfaces import leave_groups
from tests.conftest import Network
from tests.reconcilers.cases.lambda_function import CONTENT, prepare
from tests.reconcilers.lambda_function_answers import NAME, OURS, WANT, ZIP, answer
from tests.reconcilers.scripted_aws import refused, scripted

UUID = "6f0b9d1c-3f0e-4b0a-9c57-0a1b2c3d4e5f"
IN_VPC: dict[str, Any] = {
    "get_function": answer(),
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-default"}]},
    "describe_key": {"KeyMetadata": {"KeyState": "Enabled"}},
}
MOVED = {"FunctionName": NAME, "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-default"]}}
NO_ROLE = "The role defined for the function cannot be assumed by Lambda."
NO_KEY = "Lambda was unable to configure access: the KMS key is invalid for CreateGrant."


def remaining(aws: Any, subnets: frozenset[str] = frozenset({"subnet-1"})) -> str | None:
    left = LambdaFunction().remaining_after_delete(aws, NAME, WANT.model_copy(update={"subnet_ids": subnets}))
    return left.told if left else None


def interface(aws: Aws, network: Network, description: str) -> str:
    made = aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Description=description)
    return made["NetworkInterface"]["NetworkInterfaceId"]


def test_the_default_group_is_that_of_the_vpc_that_lambda_tells(aws: Aws) -> None:
    world = prepare(aws)
    want = ZIP.model_copy(
        update={
            "role_arn": world["role_a"],
            "subnet_ids": frozenset({world["subnet_a"]}),
            "security_group_ids": frozenset({world["group_a"]}),
        }
    )
    LambdaFunction(CONTENT).create(aws, NAME, want, OURS)
    aws.ec2.create_vpc(CidrBlock="10.7.0.0/16")

    assert leave_groups(aws, NAME, want)

    shown = aws.lambda_.get_function_configuration(FunctionName=NAME)["VpcConfig"]
    (group,) = aws.ec2.describe_security_groups(GroupIds=shown["SecurityGroupIds"])["SecurityGroups"]
    assert (group["GroupName"], group["VpcId"]) == ("default", shown["VpcId"])
    there = want.model_copy(update={"security_group_ids": frozenset({group["GroupId"]})})
    assert not leave_groups(aws, NAME, there)


def test_it_keeps_its_subnets_when_it_leaves_its_groups() -> None:
    aws = scripted(IN_VPC)

    assert leave_groups(aws, NAME, WANT)
    assert aws.asked("update_function_configuration") == [MOVED]
    # A subnet that is gone would be refused.
    assert aws.asked("describe_subnets") == []


def test_where_the_vpc_has_no_default_group_it_stays() -> None:
    assert not leave_groups(scripted({**IN_VPC, "describe_security_groups": {"SecurityGroups": []}}), NAME, WANT)


def move(message: str, **answers: Any) -> bool:
    no = refused("lambda:UpdateFunctionConfiguration", "InvalidParameterValueException", message)
    return leave_groups(scripted({**IN_VPC, "update_function_configuration": no, **answers}), NAME, WANT)


@pytest.mark.parametrize(
    ("message", "patience"),
    [
        (NO_ROLE, Patience.BUSY),
        (NO_KEY, Patience.BUSY),
        ("Your request has been throttled by EC2", Patience.LONG),
    ],
)
def test_where_lambda_will_move_it_later_it_is_asked_again(message: str, patience: Patience) -> None:
    with pytest.raises(NotYet) as caught:
        move(message)
    assert caught.value.patience is patience


def test_a_role_that_is_there_is_enough_for_a_function_without_a_key() -> None:
    no = refused("lambda:UpdateFunctionConfiguration", "InvalidParameterValueException", NO_ROLE)
    aws = scripted({**IN_VPC, "update_function_configuration": no})

    with pytest.raises(NotYet):
        leave_groups(aws, NAME, WANT.model_copy(update={"kms_key_arn": ""}))
    assert aws.asked("get_role") == [{"RoleName": "lambda-role-test"}]
    assert aws.asked("describe_key") == []


@pytest.mark.parametrize(
    ("message", "answers"),
    [
        (NO_ROLE, {"get_role": refused("iam:GetRole", "NoSuchEntity")}),
        (NO_KEY, {"describe_key": {"KeyMetadata": {"KeyState": "PendingDeletion"}}}),
        ("Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound", {}),
        ("The runtime parameter of nodejs18.x is no longer supported", {}),
    ],
)
def test_where_lambda_will_never_move_it_it_stays(message: str, answers: dict[str, Any]) -> None:
    assert not move(message, **answers)


def test_another_refusal_of_the_move_is_one() -> None:
    no = refused("lambda:UpdateFunctionConfiguration", "AccessDeniedException")

    with pytest.raises(AwsRefused):
        leave_groups(scripted({**IN_VPC, "update_function_configuration": no}), NAME, WANT)


def test_the_interfaces_of_a_function_that_is_gone_are_named(aws: Aws, network: Network) -> None:
    assert remaining(aws, frozenset(network.subnet_ids)) is None

    first = interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")
    one = remaining(aws, frozenset(network.subnet_ids))
    both = sorted([first, interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")])
    two = remaining(aws, frozenset(network.subnet_ids))

    assert one is not None
    assert one.startswith(f"network interface {first} is still")
    assert two is not None
    assert two.startswith(f"network interfaces {', '.join(both)} are still")


def shared(**answers: Any) -> str | None:
    """The remaining interfaces where another function has the subnet and groups of the one that bears our name."""
    told = {
        "NetworkInterfaceId": "eni-1",
        "Description": f"AWS Lambda VPC ENI-{NAME}-{UUID}",
        "SubnetId": "subnet-1",
        "Groups": [{"GroupId": "sg-default"}],
    }
    return remaining(scripted({"describe_network_interfaces": {"NetworkInterfaces": [told]}, **answers}))


def using(*groups: str, subnet: str = "subnet-1") -> dict[str, Any]:
    return {"Functions": [{}, {"VpcConfig": {"SubnetIds": ["subnet-9", subnet], "SecurityGroupIds": list(groups)}}]}


def test_an_interface_that_another_function_uses_is_not_ours_any_more() -> None:
    assert shared(list_functions=using("sg-default")) is None
    for functions in (using("sg-default", "sg-1"), using("sg-default", subnet="subnet-2")):
        assert "eni-1" in str(shared(list_functions=functions))


def test_the_function_itself_may_still_be_listed_for_a_moment() -> None:
    mine = {**using("sg-default")["Functions"][1], "FunctionName": NAME}
    assert "eni-1" in str(shared(list_functions={"Functions": [mine]}))


def test_they_are_read_by_subnet_in_pages_with_those_that_an_account_hides() -> None:
    aws = scripted({"describe_network_interfaces": {"NetworkInterfaces": []}})
    remaining(aws)
    LambdaFunction().remaining_after_delete(aws, NAME, None)
    by_subnet, by_name = aws.asked("describe_network_interfaces")
    named = {"Name": "description", "Values": [f"AWS Lambda VPC ENI-{NAME}-*"]}
    assert by_subnet == {
        "Filters": [named, {"Name": "subnet-id", "Values": ["subnet-1"]}],
        "IncludeManagedResources": True,
        "PaginationConfig": {"PageSize": 1000},
    }
    assert by_name == {**by_subnet, "Filters": [named]}


@pytest.mark.parametrize("refusal", ["", "InvalidNetworkInterfaceID.NotFound", "UnauthorizedOperation"])
def test_one_that_lambda_has_left_is_removed_by_one_call(refusal: str) -> None:
    def told(id_: str, **more: str) -> dict[str, str]:
        return {"NetworkInterfaceId": id_, "Description": f"AWS Lambda VPC ENI-{NAME}-{UUID}", **more}

    interfaces = [
        told("eni-1", Status="in-use", InterfaceType="lambda"),
        told("eni-2", Status="available", InterfaceType="interface"),
        told("eni-3", Status="available", InterfaceType="lambda"),
    ]
    answers: dict[str, Any] = {
        "describe_network_interfaces": {"NetworkInterfaces": interfaces},
        "list_functions": {"Functions": []},
    }
    if refusal:
        answers["delete_network_interface"] = refused("ec2:DeleteNetworkInterface", refusal)
    aws = scripted(answers)
    left = LambdaFunction().remaining_after_delete(aws, NAME, WANT)
    assert left is not None
    assert "network interface eni-3 is left behind by Lambda" in left.told
    assert left.stranded == {"eni-3"}
    if refusal == "UnauthorizedOperation":
        with pytest.raises(AwsRefused):
            LambdaFunction().remove_leftover(aws, "eni-3")
    else:
        LambdaFunction().remove_leftover(aws, "eni-3")
    assert aws.asked("delete_network_interface") == [{"NetworkInterfaceId": "eni-3"}]


def test_where_functions_may_not_be_listed_it_is_waited_for() -> None:
    assert "eni-1" in str(shared(list_functions=refused("lambda:ListFunctions", "AccessDeniedException")))


def test_interfaces_of_a_function_whose_name_begins_the_same_are_not_waited_for(aws: Aws, network: Network) -> None:
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-canary-{UUID}")
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}2-{UUID}")

    assert remaining(aws, frozenset(network.subnet_ids)) is None


def test_only_a_function_that_was_in_a_vpc_leaves_interfaces(aws: Aws, network: Network) -> None:
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")
    outside = WANT.model_copy(update={"subnet_ids": frozenset(), "security_group_ids": frozenset()})

    assert remaining(aws, frozenset(network.subnet_ids)) is not None
    assert LambdaFunction().remaining_after_delete(aws, NAME, None) is not None
    assert LambdaFunction().remaining_after_delete(aws, NAME, outside) is None
