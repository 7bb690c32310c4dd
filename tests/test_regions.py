from __future__ import annotations

import re

import pytest

from tapctl.regions import REGION, partition_of, registry_host, registry_of

HOSTS = [
    ("eu-west-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-east-1", "aws-us-gov", "amazonaws.com"),
    ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
    ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
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
