"""The rules that join several keys.

The tables are read as TOML has them, so that every problem is reported at once. A key that is missing, or wrong in
itself, is reported by its type; the rules here are silent about it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tapctl.config.additions import (
    ASSUMES,
    BOUNDARY_ARN,
    MAX_POLICY_CHARS,
    MINUTE_S,
    RESOURCE,
    is_everything,
    longest_window_s,
)
from tapctl.config.types import (
    ACCOUNT_ID,
    APP_USER,
    BACKUP_WINDOW,
    DAY,
    MAINTENANCE_WINDOW,
    MAX_TIMEOUT_S,
    ROLE_ARN,
    WEEK,
    window,
)
from tapctl.names import is_our_alarm
from tapctl.regions import partition_of, registry_of
from tapctl.safety.card_data import card_data_rule
from tapctl.safety.open_networks import HTTPS, opened_with, opens_world
from tapctl.safety.redaction import is_secret

RECEIVERS: Final = "alarms.subscribers"
"""The key of who gets the alarms: addresses on the web among them are shown without their paths."""
Violation = tuple[str, Any, str]
"""A key's path, its value, and the broken rule."""

_PROTECTED_INSTANCES = 2
_MOVING_TAGS: Final = frozenset({"latest", "stable", "edge", "nightly", "main", "master", "head", "HEAD"})
"""Tags of images that are pushed again and again by habit."""


def common_rules(raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Check the rules within common.toml."""
    yield from _windows(raw)
    master = _value_at(raw, "database.master_username")
    if isinstance(master, str) and master == f"{_value_at(raw, 'database.name')}{APP_USER}":
        rule = "is the user that the function connects as, <database.name>_app: it would be the master user"
        yield "database.master_username", master, rule
    if _value_at(raw, "processor.package") == "image" and _value_at(raw, "processor.image") is None:
        yield "processor.package", "image", 'needs processor.image = { repository = "…", tag = "…" }'
    yield from _parameters(raw)
    yield from _variables(raw)
    yield from _permissions(raw)
    yield from _egress(raw)
    yield from _extra_alarms(raw)
    yield from _tags(raw)


def _tags(raw: Mapping[str, Any]) -> Iterator[Violation]:
    tags = _value_at(raw, "tags")
    for key, times in Counter(map(str.lower, tags if isinstance(tags, dict) else ())).items():
        if times > 1:
            yield "tags", key, "is there more than once, and IAM does not tell upper from lower case"
    for name, value in tags.items() if isinstance(tags, dict) else ():
        if isinstance(value, str) and is_secret(value, name):
            yield f"tags.{name}", value, f"{_like_a_secret(value)}, which anybody reads who may look at a resource"


def _like_a_secret(value: str) -> str:
    return "looks like a secret" if is_secret(value) else "looks like a secret by its name"


def _parameters(raw: Mapping[str, Any]) -> Iterator[Violation]:
    for key in ("database.cluster_parameters", "database.instance_parameters"):
        parameters = _value_at(raw, key)
        for name, value in parameters.items() if isinstance(parameters, dict) else ():
            if isinstance(value, str) and (rule := card_data_rule(name, value)):
                yield f"{key}.{json.dumps(name) if '.' in name else name}", value, rule


def _variables(raw: Mapping[str, Any]) -> Iterator[Violation]:
    variables = _value_at(raw, "processor.environment")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if isinstance(value, str) and is_secret(value, name):
            rule = f"{_like_a_secret(value)}, which anybody reads who may read the function; keep it in Secrets Manager"
            yield f"processor.environment.{name}", value, f"{rule}, and name its ARN here"


def _tables(raw: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of an array, each with its key; what is no table is for the types to tell."""
    tables = _value_at(raw, key)
    for place, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, dict):
            yield f"{key}.{place}", table


def _repeated(tables: Iterable[tuple[str, Mapping[str, Any]]], *names: str) -> Iterator[Violation]:
    """The tables that have the same values of these names as an earlier one."""
    seen: dict[str, str] = {}
    for key, table in tables:
        values = [table.get(name) for name in names]
        earlier = seen.setdefault(repr(values), key)
        if earlier != key and None not in values:
            yield f"{key}.{names[0]}", values[0], f"is there already, as {earlier}"


def _permissions(raw: Mapping[str, Any]) -> Iterator[Violation]:
    key = "processor.permissions"
    yield from _repeated(_tables(raw, key), "sid")
    for place, table in _tables(raw, key):
        everything = [each for each in _listed(table.get("resources")) if isinstance(each, str) and is_everything(each)]
        if everything and not table.get("why"):
            rule = 'is everything that there is; name the resources, or give the reason as why = "…"'
            yield f"{place}.resources", everything[0], rule
        yield from _assumed_roles(place, table)
    size = len(json.dumps([table for _, table in _tables(raw, key)], default=str))
    if size > MAX_POLICY_CHARS:
        yield key, size, f"has {size} characters in all, and the role's policy has room for {MAX_POLICY_CHARS}"


def _assumed_roles(place: str, table: Mapping[str, Any]) -> Iterator[Violation]:
    """A role that the function may become is named whole: with a pattern it could become any that trusts it."""
    actions = [each for each in _listed(table.get("actions")) if isinstance(each, str)]
    for at, each in enumerate(_listed(table.get("resources"))):
        if isinstance(each, str) and assumes_by_pattern(actions, [each]):
            yield f"{place}.resources.{at}", each, "is a pattern; name each role that the function may assume"


def assumes_by_pattern(actions: Iterable[str], resources: Iterable[str]) -> bool:
    """True if one of the actions makes the function somebody else, and one of the resources is a pattern of whom."""
    return any(map(ASSUMES.fullmatch, actions)) and any(re.search("[*?]", each) for each in resources)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _egress(raw: Mapping[str, Any]) -> Iterator[Violation]:
    key = "processor.egress"
    yield from _repeated(_tables(raw, key), "to", "port")
    for place, table in _tables(raw, key):
        port, peer = table.get("port"), table.get("to")
        if isinstance(peer, str) and opens_world(peer) and port != HTTPS:
            yield f"{place}.to", peer, f"is the whole internet, which is for HTTPS (port {HTTPS}) alone"
        elif isinstance(peer, str) and port != HTTPS and (world := opened_with(peer, _beside(raw, port))):
            rule = f"is {world} with the others of port {port}: the whole internet, which is for HTTPS (port {HTTPS})"
            yield f"{place}.to", peer, f"{rule} alone"


def _beside(raw: Mapping[str, Any], port: Any) -> list[str]:
    """All peers to which the files let out by this port."""
    tables = (table for _, table in _tables(raw, "processor.egress") if table.get("port") == port)
    return [table["to"] for table in tables if isinstance(table.get("to"), str)]


def _extra_alarms(raw: Mapping[str, Any]) -> Iterator[Violation]:
    key = "alarms.extra"
    tables = [*_tables(raw, key)]
    yield from _repeated(tables, "name")
    on_instances = {str(table.get("name")): place for place, table in tables if table.get("of") == "instance"}
    for place, table in tables:
        name, of = str(table.get("name")), table.get("of")
        if is_our_alarm(name):
            yield f"{place}.name", name, "is kept for the alarms that every stack has; choose another name"
        above, _, number = name.rpartition("-")
        if number.isdecimal() and above in on_instances:
            yield f"{place}.name", name, f"is what the alarm on an instance is called that {on_instances[above]} makes"
        for own in ("namespace", "dimensions"):
            if of == "custom" and own not in table:
                yield f"{place}.of", of, f"needs {own} = …"
            if of in ("function", "cluster", "instance") and own in table:
                yield f"{place}.{own}", table[own], f'is for of = "custom" alone: of = "{of}" gives it'
        yield from _alarm_window(place, table)


def _alarm_window(place: str, table: Mapping[str, Any]) -> Iterator[Violation]:
    period, periods = table.get("period_s"), table.get("periods")
    if type(period) is not int or type(periods) is not int:
        return
    longest = longest_window_s(period)
    if period * periods > longest:
        rule = f"must look back at most {longest} s in all (CloudWatch); {periods} periods are {period * periods} s"
        yield f"{place}.periods", periods, rule
    custom = table.get("of") == "custom" and not str(table.get("namespace")).startswith("AWS/")
    if 0 < period < MINUTE_S and not custom:
        yield f"{place}.period_s", period, f"must be at least {MINUTE_S} s: AWS's own metrics come once a minute"


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
    yield from _subscribers(raw)


def _subscribers(raw: Mapping[str, Any]) -> Iterator[Violation]:
    """A topic reaches queues and functions of its own partition alone."""
    region, key = _value_at(raw, "region"), RECEIVERS
    for at, subscriber in enumerate(_listed(_value_at(raw, key)) if isinstance(region, str) else ()):
        partition = re.match("arn:([^:{]+):", subscriber) if isinstance(subscriber, str) else None
        if partition and partition[1] != partition_of(region):
            yield f"{key}.{at}", subscriber, f"must be in the partition of {region}: arn:{partition_of(region)}:…"


def _role(raw: Mapping[str, Any]) -> Iterator[Violation]:
    arn, account, region = _value_at(raw, "role_arn"), _value_at(raw, "account_id"), _value_at(raw, "region")
    if not _matches(ROLE_ARN, arn):
        return
    _, partition, _, _, owner, _ = arn.split(":", 5)
    if _matches(ACCOUNT_ID, account) and owner != account:
        yield "role_arn", arn, f"must be a role in this environment's account {account}"
    if isinstance(region, str) and partition != partition_of(region):
        yield "role_arn", arn, f"must be in the partition of {region}: arn:{partition_of(region)}:…"


def joint_rules(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Check the rules between common.toml and an environment's file; the latter is the one that breaks them."""
    image, change = _value_at(common, "processor.image"), _value_at(raw, "processor.image")
    if change is not None and image is None:
        yield "processor.image", change, "changes the image of common.toml, which has none"
    yield from _registry(common, raw)
    yield from _moving_tag(common, raw)
    yield from _latency(common, raw)
    yield from _boundary(common, raw)
    yield from _resources(common, raw)


def _resources(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    """Permissions of the function name its own partition alone: IAM takes no policy that names another."""
    region = _value_at(raw, "region")
    for place, table in _tables(common, "processor.permissions"):
        for arn in _listed(table.get("resources")):
            partition = arn.split(":", 2)[1] if _matches(RESOURCE, arn) and arn != "*" else "{partition}"
            if isinstance(region, str) and partition not in ("{partition}", partition_of(region)):
                rule = f"must be in the partition of {arn} ({place}.resources in common.toml), {partition}"
                yield "region", region, f"{rule}, or write {{partition}} there"


def _boundary(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    arn, account, region = (
        _value_at(common, "organisation.permissions_boundary"),
        _value_at(raw, "account_id"),
        _value_at(raw, "region"),
    )
    if not _matches(BOUNDARY_ARN, arn):
        return
    _, partition, _, _, owner, _ = arn.split(":", 5)
    boundary = "the permissions boundary's (organisation.permissions_boundary in common.toml)"
    if owner not in ("aws", account) and not owner.startswith("{"):
        yield "account_id", account, f"must be {boundary}, or write {{account_id}} there: IAM takes none of another"
    if isinstance(region, str) and partition != partition_of(region) and not partition.startswith("{"):
        yield "region", region, f"must be in the partition of {boundary}, {partition}, or write {{partition}} there"


def _registry(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    registry, region = _value_at(common, "processor.image.registry"), _value_at(raw, "region")
    place = registry_of(registry) if isinstance(registry, str) else None
    if place and place[1] != region:
        rule = (
            f"must be the image registry's region, {place[1]}: Lambda takes none from another; "
            "or name the registry in common.toml by its account id"
        )
        yield "region", region, rule


def _moving_tag(common: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Violation]:
    """A protected environment runs a release: under a tag that moves by habit another one would go in unasked."""
    if _value_at(raw, "protected") is not True or _value_at(common, "processor.package") != "image":
        return
    own, shared = _value_at(raw, "processor.image.tag"), _value_at(common, "processor.image.tag")
    rule = "is a tag that moves, and the environment is protected: name a version, or a digest (sha256:…)"
    if _moves(own):
        yield "processor.image.tag", own, rule
    elif own is None and _moves(shared):
        yield "protected", True, f"needs an image that stays: processor.image.tag in common.toml, {shared}, {rule}"


def _moves(tag: Any) -> bool:
    # What is no text may be what no set can be asked for, such as an array.
    return isinstance(tag, str) and tag in _MOVING_TAGS


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
