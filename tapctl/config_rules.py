"""The rules that join several keys.

They read the tables as TOML has them, so that all that is wrong is told at once: where a key is missing or wrong in
itself, which is told elsewhere, its rule has nothing to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tapctl.config_bounds import BACKUP_WINDOW, DAY, MAINTENANCE_WINDOW, REGISTRY_HOST, WEEK, window
from tapctl.config_values import ROLE_ARN

Broken = tuple[str, Any, str]
"""A key's path, its value, and the rule it breaks."""

_PROTECTED_INSTANCES = 2
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


def partition_of(region: str) -> str:
    """The partition that a region is in (botocore's ``partitions.json``)."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def in_common(raw: Mapping[str, Any]) -> Iterator[Broken]:
    """The rules within common.toml."""
    yield from _windows(raw)
    if _at(raw, "processor.package") == "image" and _at(raw, "processor.image") is None:
        yield "processor.package", "image", 'needs processor.image = { repository = "…", tag = "…" }'
    tags = _at(raw, "tags")
    for key, times in Counter(map(str.lower, tags if isinstance(tags, dict) else ())).items():
        if times > 1:
            yield "tags", key, "is there more than once, and IAM does not tell upper from lower case"


def _windows(raw: Mapping[str, Any]) -> Iterator[Broken]:
    backup, maintenance = _at(raw, "database.backup_window"), _at(raw, "database.maintenance_window")
    if not _matches(BACKUP_WINDOW, backup) or not _matches(MAINTENANCE_WINDOW, maintenance):
        return
    (begin, length), (start, lasting) = window(backup), window(maintenance)
    for day in range(WEEK // DAY):
        opens = day * DAY + begin
        if (start - opens) % WEEK < length or (opens - start) % WEEK < lasting:
            yield "database.maintenance_window", maintenance, f"must not overlap the backup window {backup} (RDS)"
            return


def in_environment(raw: Mapping[str, Any]) -> Iterator[Broken]:
    """The rules within an environment's file."""
    count = _at(raw, "database.instance_count")
    if _at(raw, "protected") is True and type(count) is int and count < _PROTECTED_INSTANCES:
        yield "database.instance_count", count, "must be at least 2 where protected = true: one to fail over to"
    networking, network = _at(raw, "networking"), _at(raw, "network")
    if networking == "static" and network is None:
        yield "networking", networking, "needs the ids in a table [network]: vpc_id and private_subnet_ids"
    if networking != "static" and network is not None:
        yield "network", network, 'is for networking = "static" alone'
    yield from _role(raw)


def _role(raw: Mapping[str, Any]) -> Iterator[Broken]:
    arn, account, region = _at(raw, "role_arn"), _at(raw, "account_id"), _at(raw, "region")
    if not _matches(ROLE_ARN, arn):
        return
    _, partition, _, _, owner, _ = arn.split(":", 5)
    if isinstance(account, str) and owner != account:
        yield "role_arn", arn, f"must be a role in this environment's account {account}"
    if isinstance(region, str) and partition != partition_of(region):
        yield "role_arn", arn, f"must be in the partition of {region}: arn:{partition_of(region)}:…"


def across(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Broken]:
    """The rules between common.toml and an environment's file, about the latter."""
    image, change = _at(common, "processor.image"), _at(raw, "processor.image")
    if change is not None and image is None:
        yield "processor.image", change, "changes the image of common.toml, which has none"
    registry = _at(raw, "processor.image.registry") or _at(common, "processor.image.registry")
    host = REGISTRY_HOST.fullmatch(registry) if isinstance(registry, str) else None
    region = _at(raw, "region")
    if host and host["region"] != region:
        yield "region", region, f"must be the image registry's region {host['region']}: Lambda takes none from another"


def _at(raw: Mapping[str, Any], key: str) -> Any:
    """What stands at this dotted path; None where nothing does."""
    found: Any = raw
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
