from __future__ import annotations

import boto3
import pytest

from tapctl.aws import Aws
from tests.conftest import Network


def test_it_is_an_aws_account(aws: Aws) -> None:
    assert aws.account == "123456789012"
    assert aws.kms.list_keys()["Keys"] == []


def test_the_network_fixture_spans_three_zones(aws: Aws, network: Network) -> None:
    found = aws.ec2.describe_subnets(SubnetIds=list(network.subnet_ids))["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in found}) == 3
    assert {subnet["VpcId"] for subnet in found} == {network.vpc_id}


def test_nothing_but_loopback_can_be_reached() -> None:
    with pytest.raises(Exception, match="loopback"):
        boto3.client("sts", region_name="us-east-1", endpoint_url="http://192.0.2.1").get_caller_identity()
