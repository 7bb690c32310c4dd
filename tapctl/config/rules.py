"""The rules that join several keys.

The tables are read as TOML has them, so that every problem is reported at once. A key that is missing, or wrong in
itself, is reported by its type; the rules here are silent about it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tapctl.config.types import APP_USER, BACKUP_WINDOW, DAY, MAINTENANCE_WINDOW, MAX_TIMEOUT_S, ROLE_ARN, WEEK, window
from tapctl.regions import partition_of, registry_of

Violation = tuple[str, Any, str]
"""A key's path, its value, and the broken rule."""

_PROTECTED_INSTANCES = 2


def common_rules(raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Check the rules within common.toml."""
    yield from _windows(raw)
    master = _value_at(raw, "database.master_username")
    if isinstance(master, str) and master == f"{_value_at(raw, 'database.name')}{APP_USER}":
        rule = "is the user that the function connects as, <database.name>_app: it would be the master user"
        yield "database.master_username", master, rule
    if _value_at(raw, "processor.package") == "image" and _value_at(raw, "processor.image") is None:
        yield "processor.package", "image", 'needs processor.image = { repository = "…", tag = "…" }'
    tags = _value_at(raw, "tags")
    for key, times in Counter(map(str.lower, tags if isinstance(tags, dict) else ())).items():
        if times > 1:
            yield "tags", key, "is there more than once, and IAM does not tell upper from lower case"


def _windows(raw: Mapping[str, Any]) -> Iterator[Violation]:
    backup, maintenance = _value_at(raw, "database.backup_window"), _value_at(raw, "database.maintenance_window")
    if not _matches(BACKUP_WINDOW, backup) or not _matches(MAINTENANCE_WINDOW, maintenance):
        return
    (begin, length), (start, lasting) = window(backup), window(maintenance)
    for day in range(WEEK // DAY):
        opens = day * DAY + begin
        if (start - opens) % WEEK < length or (opens - start) % WEEK < lasting:
            yield "database.maintenance_window", maintenance, f"must not overlap the backup window {backup} (RDS)"
            return


def environment_rules(raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Check the rules within an environment's file."""
    count = _value_at(raw, "database.instance_count")
    if _value_at(raw, "protected") is True and type(count) is int and count < _PROTECTED_INSTANCES:
        yield "database.instance_count", count, "must be at least 2 where protected = true: one to fail over to"
    networking, network = _value_at(raw, "networking"), _value_at(raw, "network")
    if networking == "static" and network is None:
        yield "networking", networking, "needs the ids in a table [network]: vpc_id and private_subnet_ids"
    if networking != "static" and network is not None:
        yield "network", network, 'is for networking = "static" alone'
    yield from _role(raw)


def _role(raw: Mapping[str, Any]) -> Iterator[Violation]:
    arn, account, region = _value_at(raw, "role_arn"), _value_at(raw, "account_id"), _value_at(raw, "region")
    if not _matches(ROLE_ARN, arn):
        return
    _, partition, _, _, owner, _ = arn.split(":", 5)
    if isinstance(account, str) and owner != account:
        yield "role_arn", arn, f"must be a role in this environment's account {account}"
    if isinstance(region, str) and partition != partition_of(region):
        yield "role_arn", arn, f"must be in the partition of {region}: arn:{partition_of(region)}:…"


def joint_rules(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Check the rules between common.toml and an environment's file; the latter is the one that breaks them."""
    image, change = _value_at(common, "processor.image"), _value_at(raw, "processor.image")
    if change is not None and image is None:
        yield "processor.image", change, "changes the image of common.toml, which has none"
    yield from _registry(common, raw)
    yield from _latency(common, raw)


def _registry(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    registry, region = _value_at(common, "processor.image.registry"), _value_at(raw, "region")
    place = registry_of(registry) if isinstance(registry, str) else None
    if place and place[1] != region:
        rule = (
            f"must be the image registry's region, {place[1]}: Lambda takes none from another; "
            "or name the registry in common.toml by its account id"
        )
        yield "region", region, rule


def _latency(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    latency, timeout = _value_at(raw, "alarms.latency_threshold_ms"), _value_at(common, "processor.timeout_s")
    if type(latency) is int and type(timeout) is int and 0 < timeout <= MAX_TIMEOUT_S and latency > timeout * 1000:
        rule = (
            f"must be at most the function's timeout, {timeout} s (processor.timeout_s in common.toml): "
            "no call lasts longer, and the alarm could never go off"
        )
        yield "alarms.latency_threshold_ms", latency, rule


def _value_at(raw: Mapping[str, Any], key: str) -> Any:
    return get_path(raw, key.split("."))


def get_path(raw: Mapping[str, Any], path: Iterable[str | int]) -> Any:
    """Get the value at this path of keys; None if there is none."""
    value: Any = raw
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
