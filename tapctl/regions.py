"""Regions of AWS by the form of their names, which determines the partition and the host of an ECR registry.

There is no list of regions: it would age, and refuse a new region as if it were misspelt. A well-formed name that is no
region has no endpoint, as the first call to AWS reveals. Source: botocore's ``partitions.json``.
"""

from __future__ import annotations

import re
from typing import Final

_AREAS: Final = {
    "aws": ("af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"),
    "aws-cn": ("cn",),
    "aws-eusc": ("eusc-de",),
    "aws-iso": ("us-iso",),
    "aws-iso-b": ("us-isob",),
    "aws-iso-e": ("eu-isoe",),
    "aws-iso-f": ("us-isof",),
    "aws-us-gov": ("us-gov",),
}
"""Partition to the beginnings of its regions' names."""
_DNS_SUFFIXES: Final = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-us-gov": "amazonaws.com",
}
_PARTITIONS: Final = {area: partition for partition, areas in _AREAS.items() for area in areas}
_PLACE: Final = "-(central|north|south|east|west|northeast|northwest|southeast|southwest)-[1-9][0-9]?"

REGION: Final = f"({'|'.join(_PARTITIONS)}){_PLACE}"
"""A pattern for the whole name of a region."""
REGION_RULE: Final = "an AWS region, such as us-east-1"
_ECR: Final = "|".join(
    f"({'|'.join(areas)}){_PLACE}[.]{re.escape(_DNS_SUFFIXES[partition])}" for partition, areas in _AREAS.items()
)
REGISTRY_HOST: Final = f"[0-9]{{12}}[.]dkr[.]ecr[.]({_ECR})"
"""A pattern for the whole host of an ECR registry: each partition has its own domain."""


def partition_of(region: str) -> str:
    """The partition of this region."""
    return _PARTITIONS.get(region.rsplit("-", 2)[0], "aws")


def dns_suffix(region: str) -> str:
    """The end of the names of AWS's services in this region: ``amazonaws.com``."""
    return _DNS_SUFFIXES[partition_of(region)]


def registry_host(account: str, region: str) -> str:
    """The host of this account's ECR registry in this region."""
    return f"{account}.dkr.ecr.{region}.{dns_suffix(region)}"


def registry_of(host: str) -> tuple[str, str] | None:
    """The account and the region of an ECR registry's host; None for any other host."""
    if not re.fullmatch(REGISTRY_HOST, host):
        return None
    account, _, _, region, _ = host.split(".", 4)
    return account, region
