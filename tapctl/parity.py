"""Do the environments differ only in what may differ? Pure: configurations, or records, in; differences out.

The canonical form in which records are compared: account, region, partition, the suffix and the environment's name are
replaced by ``<account>``, ``<region>`` and so on wherever they stand in a text, and what AWS numbers (ids, the random
part of endpoints and secrets) by ``<id>``. Lists count as sets: the record sorts its sets, by ids that differ anyway.
What is shown is always the value as it is recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tapctl.config import Config

ALLOWED_KEYS = frozenset(
    {
        "account_id",
        "region",
        "networking",
        "protected",
        "final_snapshot",
        "role_arn",
        "database.instance_class",
        "database.instance_count",
        "processor.memory_mb",
        "processor.reserved_concurrency",
        "processor.image.tag",
        "alarms.error_threshold",
        "alarms.latency_threshold_ms",
    }
)
"""Every key that an environment's file may have (``networking`` stands for its ids too)."""

ALLOWED_FIELDS = (
    ("lambda-function/*", "memory_mb"),
    ("lambda-function/*", "reserved_concurrency"),
    ("lambda-function/*", "image_uri"),
    ("db-instance/*", "instance_class"),
    ("db-cluster/*", "deletion_protection"),
    ("db-cluster/*", "tags.tapctl:final-snapshot"),
    ("kms-key/*", "tags.tapctl:deletion-window-days"),
    ("cloudwatch-alarm/payment-processor-errors-*", "threshold"),
    ("cloudwatch-alarm/payment-processor-errors-*", "description"),
    ("cloudwatch-alarm/payment-processor-duration-*", "threshold"),
    ("cloudwatch-alarm/payment-processor-duration-*", "description"),
    ("cloudwatch-alarm/db-connections-*", "threshold"),
    ("cloudwatch-alarm/db-connections-*", "description"),
)
"""Address and field of what those keys become; the connections follow the instance class. The number of instances is
the number of their addresses.
"""

Values = Mapping[str, Any]
"""Environment to its value; None where it has none."""

_NUMBER = re.compile(r"-[0-9]+(?=-|$)")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = "|".join(
    (
        r"(?<![\w-])(?:vpc|subnet|sg|sgr|eni)-[0-9a-f]{8,17}\b",
        r"\bcluster-[A-Z0-9]{20,}\b",
        # RDS names its secrets rds!cluster-<uuid>, and Secrets Manager adds six characters to the ARN.
        f"(?:rds!cluster-)?{_UUID}(?:-[A-Za-z0-9]{{6}})?",
        r"\bmrk-[0-9a-f]{32}\b",
        r"(?<=\.cluster-)[a-z0-9-]+(?=\.)",
    )
)


@dataclass(frozen=True)
class Parity:
    """What differs between these environments: by dotted key, or by address and field."""

    environments: tuple[str, ...]
    allowed: Mapping[str, Values]
    disallowed: Mapping[str, Values]

    @property
    def holds(self) -> bool:
        """Whether nothing differs but what may."""
        return not self.disallowed


@dataclass(frozen=True)
class RecordedSpecs:
    """One environment as its manifest has it."""

    environment: str
    suffix: str
    account: str
    region: str
    specs: Mapping[str, Mapping[str, Any]]
    """Address, with or without its suffix, to the recorded spec: plain JSON."""

    def generic(self) -> Callable[[Any], Any]:
        """What puts a recorded value into the canonical form."""
        own = "|".join(map(re.escape, sorted({self.suffix, self.environment}, key=len, reverse=True)))
        # At the end of our names or before their number, as a word of a description, or alone: a suffix may well be
        # "db" or "cluster".
        name = rf"(?<=-)(?:{own})(?=$|[/.*,\s]|:[*]|-[0-9])|(?<=\s)(?:{own})(?=$|[:.,;\s])|^(?:{own})$"
        volatile = re.compile(
            f"(?P<id>{_ID})|(?P<partition>(?<=arn:)aws[a-z-]*(?=:))|(?P<account>(?<![0-9]){self.account}(?![0-9]))"
            f"|(?P<region>(?<![a-z0-9-]){re.escape(self.region)}(?![0-9]))|(?P<name>{name})"
        )

        def form(value: Any) -> Any:
            if isinstance(value, str):
                return volatile.sub(lambda found: f"<{found.lastgroup}>", value)
            if isinstance(value, list):
                members = {json.dumps(form(each), sort_keys=True): form(each) for each in value}
                return [members[text] for text in sorted(members)]
            if isinstance(value, Mapping):
                return {_key(key, form): form(inner) for key, inner in value.items()}
            return value

        return form


def compare(configs: Mapping[str, Config]) -> Parity:
    """The configurations against each other, key by key."""
    leaves = {name: dict(_leaves(_as_keys(config), str)) for name, config in configs.items()}
    allowed: dict[str, Values] = {}
    disallowed: dict[str, Values] = {}
    for key in _all(leaves.values()):
        values = {name: each.get(key) for name, each in leaves.items()}
        if _differ(values.values()):
            (allowed if key in ALLOWED_KEYS else disallowed)[key] = values
    return Parity(tuple(configs), allowed, disallowed)


def compare_manifests(records: Mapping[str, RecordedSpecs]) -> Parity:
    """The records against each other, resource by resource and field by field."""
    forms = {name: record.generic() for name, record in records.items()}
    specs = {
        name: {
            _address(address, forms[name]): dict(_leaves(spec, forms[name])) for address, spec in record.specs.items()
        }
        for name, record in records.items()
    }
    allowed: dict[str, Values] = {}
    disallowed: dict[str, Values] = {}
    for address in _all(specs.values()):
        there = {name: address in each for name, each in specs.items()}
        if not all(there.values()):
            may = _kind(address) != address and all(
                address in each or (_kind(address) in map(_kind, each) and not _has_instance(each, address))
                for each in specs.values()
            )
            (allowed if may else disallowed)[address] = {
                name: "there" if here else None for name, here in there.items()
            }
        having = {name: each[address] for name, each in specs.items() if address in each}
        for path in _all(having.values()):
            values = {name: each.get(path) for name, each in having.items()}
            if _differ(forms[name](value) for name, value in values.items()):
                may = any(fnmatchcase(address, kind) and path == name for kind, name in ALLOWED_FIELDS)
                (allowed if may else disallowed)[f"{address} {path}"] = values
    return Parity(tuple(records), allowed, disallowed)


def _as_keys(config: Config) -> dict[str, Any]:
    """The configuration by the keys of its files, but for the environment's name: that is what is compared."""
    ids = (config.networking.vpc_id, *config.networking.private_subnet_ids)
    networking = " ".join(map(str, (config.networking, *filter(None, ids))))
    return {**config.model_dump(mode="json", exclude={"environment"}), "networking": networking}


def _address(address: str, form: Callable[[str], str]) -> str:
    type_, _, id_ = address.partition("/")
    return f"{type_}/{form(id_)}"


def _key(key: str, form: Callable[[str], str]) -> str:
    """A name of ours may be a key (an inline policy's); a word that stands alone is a field."""
    made = form(key)
    return key if made == "<name>" else made


def _leaves(value: Mapping[str, Any], form: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = _key(key, form)
        if isinstance(inner, Mapping) and inner:
            yield from ((f"{name}.{path}", leaf) for path, leaf in _leaves(inner, form))
        else:
            yield name, inner


def _all(each: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(set().union(*each))


def _differ(values: Iterable[Any]) -> bool:
    return len({json.dumps(value, sort_keys=True) for value in values}) > 1


def _kind(address: str) -> str:
    """The address without its number: instances, and the alarms on each."""
    return _NUMBER.sub("", address)


def _has_instance(specs: Iterable[str], address: str) -> bool:
    """Whether the instance is there that this is, or is about: then it has to be there too."""
    number = _NUMBER.findall(address)[-1]
    return any(one.startswith("db-instance/") and _NUMBER.findall(one)[-1:] == [number] for one in specs)
