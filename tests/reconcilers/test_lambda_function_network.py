from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws import Aws
from tapctl.errors import AwsRefused
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_network import leave_groups, lingering
from tests.conftest import Network
from tests.reconcilers.lambda_function_answers import NAME, WANT
from tests.reconcilers.scripted_aws import refused, scripted

UUID = "6f0b9d1c-3f0e-4b0a-9c57-0a1b2c3d4e5f"
IN_VPC: dict[str, Any] = {
    "describe_subnets": {"Subnets": [{"VpcId": "vpc-1"}]},
    "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-default"}]},
}


def interface(aws: Aws, network: Network, description: str) -> None:
    aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Description=description)


def test_the_default_group_is_that_of_the_functions_vpc(aws: Aws, network: Network) -> None:
    groups = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}])
    (default,) = [one["GroupId"] for one in groups["SecurityGroups"]]
    there = WANT.model_copy(update={"subnet_ids": frozenset(network.subnet_ids)})

    assert not leave_groups(aws, NAME, there.model_copy(update={"security_group_ids": frozenset({default})}))
    with pytest.raises(AwsRefused, match="lambda:UpdateFunctionConfiguration"):
        leave_groups(aws, NAME, there)


def test_it_keeps_its_subnets_when_it_leaves_its_groups() -> None:
    aws = scripted(IN_VPC)

    assert leave_groups(aws, NAME, WANT)
    assert aws.asked("update_function_configuration") == [
        {
            "FunctionName": NAME,
            "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-default"]},
        }
    ]


def test_where_lambda_will_not_move_it_it_stays() -> None:
    message = "The role defined for the function cannot be assumed by Lambda."
    no = refused("lambda:UpdateFunctionConfiguration", "InvalidParameterValueException", message)

    assert not leave_groups(scripted({**IN_VPC, "update_function_configuration": no}), NAME, WANT)


def test_the_interfaces_of_a_function_that_is_gone_are_counted(aws: Aws, network: Network) -> None:
    assert lingering(aws, NAME) is None

    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")
    one = lingering(aws, NAME)
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")
    two = lingering(aws, NAME)

    assert one is not None
    assert one.startswith("1 network interface is still")
    assert two is not None
    assert two.startswith("2 network interfaces are still")


def test_interfaces_of_a_function_whose_name_begins_the_same_are_not_waited_for(aws: Aws, network: Network) -> None:
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-canary-{UUID}")
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}2-{UUID}")

    assert lingering(aws, NAME) is None


def test_only_a_function_that_was_in_a_vpc_leaves_interfaces(aws: Aws, network: Network) -> None:
    interface(aws, network, f"AWS Lambda VPC ENI-{NAME}-{UUID}")
    outside = WANT.model_copy(update={"subnet_ids": frozenset(), "security_group_ids": frozenset()})

    assert LambdaFunction().lingers(aws, NAME, WANT) is not None
    assert LambdaFunction().lingers(aws, NAME, outside) is None
