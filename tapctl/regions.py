"""Regions of AWS by the form of their names, and the partitions that they are in: one table.

There is no list of regions: it would age, and refuse a new region as if it were misspelt. A well-formed name that is no
region has no endpoint, as the first call to AWS reveals. A partition that is not in the table is refused: what its
services are called is not known. Sources: botocore's ``partitions.json``; for principals the AWS CDK's ``region-info``
("Services with a regional AND partitional principal": Logs alone of ours; the others have one everywhere).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Partition:
    """A partition: the beginnings of its regions' names, and the domain of its services' hosts.

    ``also_via``: a further domain by which KMS may name a service (``kms:ViaService``), where AWS does not say which.
    """

    name: str
    areas: tuple[str, ...]
    domain: str
    also_via: tuple[str, ...] = ()


_TABLE: Final = (
    Partition("aws", ("af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"), "amazonaws.com"),
    Partition("aws-cn", ("cn",), "amazonaws.com.cn", ("amazonaws.com",)),
    Partition("aws-eusc", ("eusc-de",), "amazonaws.eu", ("amazonaws.com",)),
    Partition("aws-us-gov", ("us-gov",), "amazonaws.com"),
)
_BY_AREA: Final = {area: partition for partition in _TABLE for area in partition.areas}
_PLACE: Final = "-(central|north|south|east|west|northeast|northwest|southeast|southwest)-[1-9][0-9]?"
_REGIONAL_PRINCIPALS: Final = frozenset({"logs"})

REGION: Final = f"({'|'.join(_BY_AREA)}){_PLACE}"
"""A pattern for the whole name of a region."""
REGION_RULE: Final = f"an AWS region, such as us-east-1 (of {', '.join(partition.name for partition in _TABLE)})"
DOMAINS: Final = tuple(dict.fromkeys(partition.domain for partition in _TABLE))
"""The domains of AWS's hosts."""
_ECR: Final = "|".join(f"({'|'.join(partition.areas)}){_PLACE}[.]{re.escape(partition.domain)}" for partition in _TABLE)
REGISTRY_HOST: Final = f"[0-9]{{12}}[.]dkr[.]ecr[.]({_ECR})"
"""A pattern for the whole host of an ECR registry: each partition has its own domain."""


def _partition(region: str) -> Partition:
    return _BY_AREA.get(region.rsplit("-", 2)[0], _TABLE[0])


def partition_of(region: str) -> str:
    """The partition of this region."""
    return _partition(region).name


def principal_of(service: str, region: str) -> str:
    """The principal as which a service acts, such as ``lambda.amazonaws.com``."""
    if service in _REGIONAL_PRINCIPALS:
        return f"{service}.{region}.{_partition(region).domain}"
    return f"{service}.amazonaws.com"


def via_service(service: str, region: str) -> tuple[str, ...]:
    """The values of ``kms:ViaService`` for calls that come through this service."""
    partition = _partition(region)
    return tuple(f"{service}.{region}.{domain}" for domain in (partition.domain, *partition.also_via))


def dns_suffix(region: str) -> str:
    """The end of the names of AWS's services in this region: ``amazonaws.com``."""
    return _partition(region).domain


def database_host(region: str) -> str:
    """A pattern for the end of the hosts of RDS in this region: in China ``rds`` stands before the region, or after it.

    aws-advanced-jdbc-wrapper, ``RdsUtils``: both orders are in use there. Of newer partitions nobody says which.
    """
    name = re.escape(region)
    return rf"(?:{name}\.rds|rds\.{name})\.{re.escape(dns_suffix(region))}"


def registry_host(account: str, region: str) -> str:
    """The host of this account's ECR registry in this region."""
    return f"{account}.dkr.ecr.{region}.{dns_suffix(region)}"


def registry_of(host: str) -> tuple[str, str] | None:
    """The account and the region of an ECR registry's host; None for any other host."""
    if not re.fullmatch(REGISTRY_HOST, host):
        return None
    account, _, _, region, _ = host.split(".", 4)
    return account, region
