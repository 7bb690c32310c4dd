from __future__ import annotations

import re

import pytest

from tapctl.regions import REGION, partition_of, principal_of, registry_host, registry_of, via_service

HOSTS = [
    ("eu-west-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-east-1", "aws-us-gov", "amazonaws.com"),
    ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
]


@pytest.mark.parametrize(("region", "partition", "domain"), HOSTS)
def test_a_region_determines_its_partition_and_its_registry_s_host(region: str, partition: str, domain: str) -> None:
    host = f"123456789012.dkr.ecr.{region}.{domain}"
    assert re.fullmatch(REGION, region)
    assert partition_of(region) == partition
    assert registry_host("123456789012", region) == host
    assert registry_of(host) == ("123456789012", region)


@pytest.mark.parametrize(
    "host",
    [
        "123456789012.dkr.ecr.us-east-2.amazonaws.com.cn",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "123456789012.dkr.ecr.us-est-2.amazonaws.com",
        "12345.dkr.ecr.us-east-2.amazonaws.com",
        "123456789012.dkr.ecr.us-east-2.amazonaws.com/x",
        "docker.io",
    ],
)
def test_another_host_is_of_no_registry(host: str) -> None:
    assert registry_of(host) is None


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "us-est-1"])
def test_a_region_of_a_partition_that_is_not_in_the_table_is_none(region: str) -> None:
    assert not re.fullmatch(REGION, region)


def test_the_logs_principal_is_the_one_of_its_region_and_partition() -> None:
    assert principal_of("logs", "eu-west-1") == "logs.eu-west-1.amazonaws.com"
    assert principal_of("logs", "cn-north-1") == "logs.cn-north-1.amazonaws.com.cn"
    assert principal_of("logs", "eusc-de-east-1") == "logs.eusc-de-east-1.amazonaws.eu"
    assert principal_of("lambda", "cn-north-1") == "lambda.amazonaws.com"


def test_where_aws_does_not_say_how_kms_names_a_service_both_names_count() -> None:
    assert via_service("rds", "us-gov-west-1") == ("rds.us-gov-west-1.amazonaws.com",)
    assert via_service("rds", "cn-north-1") == ("rds.cn-north-1.amazonaws.com.cn", "rds.cn-north-1.amazonaws.com")
