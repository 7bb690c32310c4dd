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

from tapctl.config import Config, load, load_all
from tapctl.engine.record import Phase
from tapctl.errors import ExitCode, Status
from tapctl.manifest.manifest import Manifest, check
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import is_deployed, open_store_unidentified

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


_ALLOWED, _REFUSED = "allowed", "NOT ALLOWED"


def parity(invocation: Invocation, screen: Screen, environments: tuple[str, ...]) -> int:
    """Compare all environments, or those named: their files, and the records there are of them.

    One alone is compared with all the others: what any two others differ in, one of them differs in from this one.
    """
    screen.target(Target())
    configs = load_all(invocation.config)
    for env in set(environments) - set(configs):
        load(invocation.config, env)  # which tells what there is
    chosen = {env: configs[env] for env in (environments if len(set(environments)) > 1 else sorted(configs))}
    known = _known(invocation, screen, chosen)
    found = [
        ("files", compare(chosen)),
        ("manifests", compare_manifests({env: _recorded(one) for env, one in known.items()})),
    ]
    records = [row for where, one in found for row in _rows(where, one)]
    columns = ("where", "what", *chosen, "verdict")
    screen.table(columns, [[_cell(record, column) for column in columns] for record in records], records)
    allowed, refused = (sum(record["verdict"] == word for record in records) for word in (_ALLOWED, _REFUSED))
    compared = f"compared {len(chosen)} environments, {len(known)} of them by their manifests too"
    summary = f"{allowed} allowed differences · {refused} not allowed · {compared}"
    counts = {"allowed": allowed, "disallowed": refused}
    if refused:
        return invocation.finish(screen, Status.DIFFERENT, ExitCode.DIFFERENT, counts, summary)
    return invocation.finish(screen, Status.OK, ExitCode.OK, counts, summary)


def _known(invocation: Invocation, screen: Screen, chosen: Mapping[str, Config]) -> dict[str, Manifest]:
    """The records there are of these environments, and of no other; in whichever region each was deployed.

    Raises:
        ManifestError: one cannot be read, or is of another environment.
        WrongTarget: one is of another account.
    """
    found = {}
    for env, config in chosen.items():
        store = open_store_unidentified(invocation, screen, config)
        stored = store.read(env)
        if stored is None:
            continue
        one, account = stored.manifest, config.account_id
        check(one, store.location(env), environment=env, suffix=env, account=account, region=one.region)
        if is_deployed(one):
            found[env] = one
    return found


def _recorded(manifest: Manifest) -> RecordedSpecs:
    specs = {here: entry.spec for here, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    return RecordedSpecs(manifest.environment, manifest.suffix, manifest.account, manifest.region, specs)


def _rows(where: str, one: Parity) -> list[dict[str, object]]:
    return [
        {"type": "difference", "where": where, "what": what, "values": dict(values), "verdict": word}
        for word, differences in ((_REFUSED, one.disallowed), (_ALLOWED, one.allowed))
        for what, values in differences.items()
    ]


def _cell(record: Mapping[str, object], column: str) -> str:
    values = record["values"]
    if column in record:
        return str(record[column])
    value = values.get(column) if isinstance(values, Mapping) else None
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
