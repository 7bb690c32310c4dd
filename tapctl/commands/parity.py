"""``tapctl parity``: do the environments differ only in the keys of their own files, and in what these decide?

Records are compared in a canonical form: account, region, partition, the suffix and the environment's name are
replaced by ``<account>``, ``<region>`` and so on wherever they stand in a text, and identifiers that AWS assigns (ids,
the random part of endpoints and secrets) by ``<id>``. Lists count as sets: the record sorts its sets, by ids that
differ anyway. Values are always shown as they are recorded.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tapctl.config import Config, config_hash, load, load_all
from tapctl.config.rules import RECEIVERS
from tapctl.engine.record import Entry, Phase
from tapctl.errors import (
    ExitCode,
    ManifestError,
    Refused,
    Status,
    UsageError,
    add_default_hint,
    exit_code_of,
    first_few,
)
from tapctl.manifest.manifest import Manifest, check
from tapctl.names import MAX_INSTANCES, Names
from tapctl.reconcilers import kept_without_reason
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.sns_subscription import SnsSubscription
from tapctl.regions import partition_of
from tapctl.render.harmless import harmless
from tapctl.render.screen import Screen, Target
from tapctl.render.values import counted, format_value, format_verdict
from tapctl.safety.redaction import hide_paths
from tapctl.session.damaged_record import read_stored
from tapctl.session.invocation import Invocation
from tapctl.session.target import check_names, is_deployed, open_store_unidentified, read_manifest
from tapctl.stack.definition import planned_addresses
from tapctl.stack.provenance import ENVIRONMENT_KEYS, Provenance, with_value

Values = Mapping[str, Any]
"""Environment to its value; None if it has none."""

_COUNT: Final = "database.instance_count"
_NAMED: Final = 5
"""Records without a file that the verdict names."""
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
    """The differences between these environments: by dotted key, or by address and field."""

    environments: tuple[str, ...]
    allowed: Mapping[str, Values]
    disallowed: Mapping[str, Values]

    @property
    def holds(self) -> bool:
        """True if every difference is allowed."""
        return not self.disallowed


@dataclass(frozen=True)
class RecordedSpecs:
    """The recorded specs of one environment."""

    environment: str
    suffix: str
    account: str
    region: str
    specs: Mapping[str, Mapping[str, Any]]
    """Address, with or without its suffix, to the recorded spec: plain JSON."""

    def generic(self, texts: Iterable[str] = ()) -> Callable[[Any], Any]:
        """Make the function that puts a recorded value into the canonical form.

        ``texts``: those of common.toml in which tokens are filled in; what came of one is the same as the text.
        """
        names = Names(self.suffix, self.account, self.region, partition_of(self.region))
        written = {names.fill(text): text for text in texts}
        own = "|".join(map(re.escape, sorted({self.suffix, self.environment}, key=len, reverse=True)))
        # At the end of our names or before their number (in a pattern: "?"), as a word of a description, or alone: a
        # suffix may well be "db" or "cluster".
        name = rf"(?<=-)(?:{own})(?=$|[/.*,\s]|:[*]|-[0-9?])|(?<=\s)(?:{own})(?=$|[:.,;\s])|^(?:{own})$"
        volatile = re.compile(
            f"(?P<id>{_ID})|(?P<partition>(?<=arn:)aws[a-z-]*(?=:))|(?P<account>(?<![0-9]){self.account}(?![0-9]))"
            f"|(?P<region>(?<![a-z0-9-]){re.escape(self.region)}(?![0-9]))|(?P<name>{name})"
        )

        def form(value: Any) -> Any:
            if isinstance(value, str):
                return written.get(value) or volatile.sub(lambda match: f"<{match.lastgroup}>", value)
            if isinstance(value, list):
                members = {json.dumps(form(each), sort_keys=True): form(each) for each in value}
                return [members[text] for text in sorted(members)]
            if isinstance(value, Mapping):
                return {_key(key, form): form(inner) for key, inner in value.items()}
            return value

        return form


def compare(configs: Mapping[str, Config]) -> Parity:
    """Compare the configurations key by key: the keys of an environment's own file may differ."""
    leaves = {name: dict(_leaves(_as_keys(config), str)) for name, config in configs.items()}
    allowed: dict[str, Values] = {}
    disallowed: dict[str, Values] = {}
    for key in _all(leaves.values()):
        values = {name: each.get(key) for name, each in leaves.items()}
        if key == RECEIVERS:
            values = {name: hide_paths(value) for name, value in values.items()}
        if _differ(values.values()):
            (allowed if key in ENVIRONMENT_KEYS else disallowed)[key] = values
    return Parity(tuple(configs), allowed, disallowed)


def compare_manifests(records: Mapping[str, RecordedSpecs], configs: Iterable[Config]) -> Parity:
    """Compare the records resource by resource and field by field.

    ``configs``: the environments' configurations, at least one. A field that a key of their own decides may differ.
    """
    if len(records) <= 1:
        return Parity(tuple(records), {}, {})
    configs = list(configs)
    forms = canonical_forms(records, configs)
    specs = {
        name: {
            canonical_address(address, forms[name]): dict(_leaves(spec, forms[name]))
            for address, spec in record.specs.items()
        }
        for name, record in records.items()
    }
    may = _Allowed(configs, _all(specs.values()))
    allowed: dict[str, Values] = {}
    disallowed: dict[str, Values] = {}
    for address in _all(specs.values()):
        having = {name: each[address] for name, each in specs.items() if address in each}
        if len(having) < len(specs):
            explained = all(address in each or may.absence(address, each) for each in specs.values())
            presence = {name: "there" if name in having else None for name in specs}
            (allowed if explained else disallowed)[address] = presence
        for path in _all(having.values()):
            values = {name: each.get(path) for name, each in having.items()}
            if _differ(forms[name](value) for name, value in values.items()):
                (allowed if may.value(address, path) else disallowed)[f"{address} {path}"] = values
    return Parity(tuple(records), allowed, disallowed)


def canonical_forms(records: Mapping[str, RecordedSpecs], configs: Iterable[Config]) -> dict[str, Callable[[Any], Any]]:
    """The function of each record that puts its values into the canonical form, by the name of its environment."""
    texts = [text for config in configs for text in _texts(config.model_dump(mode="json")) if "{" in text]
    return {name: record.generic(texts) for name, record in records.items()}


class _Allowed:
    """The differences between records that an environment's own file may make, in canonical form."""

    def __init__(self, configs: Iterable[Config], addresses: Iterable[str]) -> None:
        """Count the instances among ``addresses``, which are canonical and of all records."""
        self._configs = list(configs)
        self._together: dict[str, frozenset[str]] = {}
        """Address that comes with a further instance to all that come with it: the instance and the alarms on it."""
        self._count = 1
        one, recorded = self._configs[0], frozenset(addresses)
        for count in range(2, MAX_INSTANCES + 1):
            brought = self._planned(one, count) - self._planned(one, count - 1)
            if brought.isdisjoint(recorded):
                break
            self._together |= dict.fromkeys(brought, brought)
            self._count = count
        self._fields: set[tuple[str, str]] = set()
        self._further = self._decided()

    def absence(self, address: str, present: Collection[str]) -> bool:
        """True if a key of an environment's own file explains that this address is not among those present."""
        if address.startswith(f"{SnsSubscription.type}/"):
            return True
        together = self._together.get(address, frozenset())
        return bool(together) and together.isdisjoint(present)

    def value(self, address: str, path: str) -> bool:
        """True if a key of an environment's own file decides this field."""
        while (address, path) not in self._fields:
            # One key more: each costs a plan of the stack.
            fields = next(self._further, None)
            if fields is None:
                return False
            self._fields |= fields
        return True

    def _decided(self) -> Iterator[set[tuple[str, str]]]:
        for config in self._configs:
            provenance = Provenance(with_value(config, _COUNT, self._count), config.environment)
            form = _form_of(config)
            for key in ENVIRONMENT_KEYS:
                yield {(canonical_address(address, form), form(path)) for address, path in provenance.decided_by(key)}

    def _planned(self, config: Config, count: int) -> frozenset[str]:
        form = _form_of(config)
        addresses = planned_addresses(with_value(config, _COUNT, count), config.environment)
        return frozenset(canonical_address(address, form) for address in addresses)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _form_of(config: Config) -> Callable[[Any], Any]:
    return RecordedSpecs(config.environment, config.environment, config.account_id, config.region, {}).generic()


def _as_keys(config: Config) -> dict[str, Any]:
    """The configuration by the keys of its files, without the environment's name, which always differs."""
    ids = (config.networking.vpc_id, *config.networking.private_subnet_ids)
    networking = " ".join(map(str, (config.networking, *filter(None, ids))))
    return {**config.model_dump(mode="json", exclude={"environment"}), "networking": networking}


def canonical_address(address: str, form: Callable[[str], str]) -> str:
    """Put an address into the canonical form: its type, or what has none, is the same everywhere."""
    type_, slash, id_ = address.partition("/")
    return f"{type_}{slash}{form(id_)}"


def _key(key: str, form: Callable[[str], str]) -> str:
    """Put a key into the canonical form: it may be one of our names (an inline policy's), but not the suffix alone."""
    canonical = form(key)
    return key if canonical == "<name>" else canonical


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


def split_tags(parity: Parity, manifests: Mapping[str, Manifest], configs: Mapping[str, Config]) -> Parity:
    """The same comparison of records, where no image may differ that environments run under one tag.

    The tag is that of the files: a tag that was pushed anew, or an apply that is still to come, is two images.
    """
    digests: dict[str, set[str]] = defaultdict(set)
    images = {env: image for env in manifests if (image := configs[env].processor.image) is not None}
    for env, image in images.items():
        deployed = {_digest(entry) for entry in manifests[env].entries.values()} - {""}
        digests[f"{image.repository}:{image.tag}"] |= deployed
    if all(len(each) <= 1 for each in digests.values()):
        return parity
    split = {key: values for key, values in parity.allowed.items() if key.endswith(f" {_IMAGE}")}
    allowed = {key: values for key, values in parity.allowed.items() if key not in split}
    return Parity(parity.environments, allowed, {**split, **parity.disallowed})


def _digest(entry: Entry) -> str:
    """The digest of the image that a function runs; empty for anything else."""
    is_function = entry.type == LambdaFunction.type and entry.phase is Phase.MADE
    return str(entry.spec.get(_IMAGE, "")).partition("@")[2] if is_function else ""


ALLOWED, REFUSED, NOT_APPLIED, UNKNOWN = "allowed", "NOT ALLOWED", "NOT APPLIED", "UNKNOWN"
_IMAGE: Final = "image_uri"


def parity(invocation: Invocation, screen: Screen, environments: tuple[str, ...]) -> int:
    """Compare all environments, or those named: their files, and their records if there are any.

    A single one is compared with all the others: in whatever two others differ, one of them differs from this one.

    Raises:
        UsageError: a flag is given that is for one environment.
    """
    check_flags(invocation)
    screen.target(Target())
    chosen = choose(invocation, environments)
    beside = records_beside(invocation, screen, environments, chosen)
    known, unread = known_records(invocation, screen, chosen)
    recorded, behind = _compare_recorded(known, chosen)
    unfinished = unfinished_rows(known, chosen)
    # That one environment has it and another not, is not known of what a run has left half way.
    half_way = {row["what"] for row in unfinished}
    told = [row for row in rows("manifests", recorded) if row["what"] not in half_way]
    behind += moved_rows("manifests", known, chosen)
    records = [*rows("files", compare(chosen)), *behind, *unfinished, *told]
    show(screen, chosen, records)
    allowed, refused = (sum(record["verdict"] == word for record in records) for word in (ALLOWED, REFUSED))
    compared = (
        f"compared {counted(len(chosen), 'environment')}, {len(recorded.environments)} of them by their manifests too"
    )
    more = {"not applied": len(behind), "unknown": len(unfinished)}
    late = "".join(f" · {count} {word}" for word, count in more.items() if count)
    summary = f"{allowed} allowed differences · {refused} not allowed{late} · {compared}{unread.remark}{beside.remark}"
    counts = {"allowed": allowed, "disallowed": refused}
    counts |= {word.replace(" ", "_"): count for word, count in more.items() if count}
    own = ExitCode.DIFFERENT if refused or behind else ExitCode.INCOMPLETE if unfinished else ExitCode.OK
    code = ExitCode.worst([own, unread.code, beside.code])
    return invocation.finish(screen, status_of(code), code, counts, summary)


def check_flags(invocation: Invocation) -> None:
    """Make sure that no flag is given which is for one environment.

    Raises:
        UsageError: one is.
    """
    given = [flag for flag, value in (("--suffix", invocation.suffix), ("--region", invocation.region)) if value]
    if given:
        raise UsageError(
            f"{given[0]} is for one environment; parity compares each under its own name, in its own region",
            hint="leave it out",
        )


def choose(invocation: Invocation, environments: tuple[str, ...]) -> dict[str, Config]:
    """The configurations of these environments, in this order; of all of them where less than two are named.

    Raises:
        ConfigError: a file cannot be used, or there is no such environment.
    """
    configs = load_all(invocation.config)
    for env in set(environments) - set(configs):
        load(invocation.config, env)  # its error lists the environments
    return {env: configs[env] for env in (environments if len(set(environments)) > 1 else sorted(configs))}


def show(screen: Screen, environments: Iterable[str], records: Sequence[Mapping[str, object]]) -> None:
    """Show the differences as a table, with a column for each environment."""
    columns = ("where", "what", *environments, "verdict")
    records = [_shown(record) for record in records]
    screen.table(columns, [[_cell(record, column) for column in columns] for record in records], records)


def _shown(record: Mapping[str, object]) -> Mapping[str, object]:
    """The record without what looks like a secret: of a field that is named by its address and its path."""
    values, path = record["values"], str(record["what"]).partition(" ")[2]
    if not isinstance(values, Mapping):
        return record
    return {**record, "values": {env: harmless(path, value) for env, value in values.items()}}


def _compare_recorded(
    known: Mapping[str, Manifest], chosen: Mapping[str, Config]
) -> tuple[Parity, list[dict[str, object]]]:
    """Compare the records, and list the environments that were not applied since their files changed.

    Such a record is left out where it differs: in the middle of a rollout each field that the release changes would be
    told as a difference, and the cause is one.
    """
    current = {env: each for env, each in known.items() if each.config_hash == config_hash(chosen[env])}
    parity = split_tags(compare_specs(known, chosen), known, chosen)
    if parity.holds or len(current) == len(known):
        return parity, []
    behind: list[dict[str, object]] = [
        {
            "type": "difference",
            "where": "manifests",
            "what": f"{env} has not been applied since {manifest.written_at}, and its files have changed",
            "values": {env: manifest.written_at},
            "verdict": NOT_APPLIED,
        }
        for env, manifest in known.items()
        if env not in current
    ]
    return split_tags(compare_specs(current, chosen), current, chosen), behind


def moved_rows(where: str, known: Mapping[str, Manifest], chosen: Mapping[str, Config]) -> list[dict[str, object]]:
    """A row for each environment that is deployed in another region than its files name, which have changed since.

    In the canonical form a region is no difference. One that was applied with ``--region`` is where it was wanted.
    """
    return [
        {
            "type": "difference",
            "where": where,
            "what": "region",
            "values": {env: manifest.region},
            "verdict": NOT_APPLIED,
            "causes": {env: "not applied"},
        }
        for env, manifest in known.items()
        if manifest.region != chosen[env].region and manifest.config_hash != config_hash(chosen[env])
    ]


def unfinished_rows(known: Mapping[str, Manifest], chosen: Mapping[str, Config]) -> list[dict[str, object]]:
    """A row for each resource that is recorded half way, or not at all although the files that were applied want it.

    Its spec is compared with nothing: it may be the one that was asked for, or the one before.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for env, manifest in known.items():
        form = recorded_specs(manifest).generic()
        for address, phase in _half_way(manifest, chosen[env]).items():
            found[canonical_address(address, form)][env] = phase
    return [
        {"type": "difference", "where": "manifests", "what": what, "values": values, "verdict": UNKNOWN}
        for what, values in sorted(found.items())
    ]


def _half_way(manifest: Manifest, config: Config) -> dict[str, str]:
    """The addresses that no spec of this record is compared of, with the word that it has for them."""
    entries = manifest.entries
    wanted = planned_addresses(config, manifest.suffix) if manifest.config_hash == config_hash(config) else frozenset()
    lacking = {address for address in wanted if address not in entries or entries[address].phase is Phase.KEPT}
    phases = {address: entry.phase for address, entry in entries.items()}
    half = {address for address, phase in phases.items() if phase in (Phase.MAKING, Phase.LEAVING)}
    return {
        address: f"recorded as {phases[address].value}" if address in phases else "not recorded"
        for address in lacking | half | kept_without_reason(entries).keys()
    }


def compare_specs(manifests: Mapping[str, Manifest], chosen: Mapping[str, Config]) -> Parity:
    """Compare what these records hold, resource by resource."""
    return compare_manifests({env: recorded_specs(manifest) for env, manifest in manifests.items()}, chosen.values())


def known_records(
    invocation: Invocation, screen: Screen, chosen: Mapping[str, Config], *, emptied: bool = False
) -> tuple[dict[str, Manifest], RecordsBeside]:
    """Read the records of these environments, in whichever region each was deployed; those that may not be are told.

    ``emptied``: those too that tell of nothing that is deployed, which whoever may write them may have made so.

    Raises:
        ManifestError: a record cannot be read, or is of another environment.
        WrongTarget: a record is of another account.
    """
    manifests: dict[str, Manifest] = {}
    refused: dict[str, Refused] = {}
    for env, config in chosen.items():
        store = open_store_unidentified(invocation, screen, config)
        try:
            stored = read_stored(invocation, store, env)
        except Refused as error:
            # Of a bucket of another environment's account this is none that has no record there.
            if env in open_store_unidentified(invocation, screen, config, of_any=True).suffixes():
                screen.error(error)
                refused[env] = error
            continue
        if stored is None:
            continue
        manifest, account = stored.manifest, config.account_id
        check(manifest, store.location(env), environment=env, suffix=env, account=account, region=manifest.region)
        check_names(manifest, store.location(env))
        if emptied or is_deployed(manifest):
            manifests[env] = manifest
    remark = f" · not read: {', '.join(refused)}" if refused else ""
    return manifests, RecordsBeside(remark, ExitCode.worst(error.exit_code for error in refused.values()))


def status_of(code: ExitCode) -> Status | None:
    """The verdict's word for a comparison that ends so; None where an error of another kind decides."""
    return {ExitCode.OK: Status.OK, ExitCode.DIFFERENT: Status.DIFFERENT}.get(code)


@dataclass(frozen=True)
class RecordsBeside:
    """The records of the state that are not compared: of copies, of environments whose file is gone, or unreadable."""

    remark: str = ""
    """Which they are, for the verdict."""
    code: ExitCode = ExitCode.OK
    """The exit status that they ask for: one that cannot be used may be any environment's."""


def records_beside(
    invocation: Invocation, screen: Screen, environments: tuple[str, ...], chosen: Mapping[str, Config]
) -> RecordsBeside:
    """Look at the records that are not compared, and report those that cannot be used; none where some are named."""
    if environments:
        return RecordsBeside()
    store = open_store_unidentified(invocation, screen, next(iter(chosen.values())), of_any=True)
    others, code = [], ExitCode.OK
    for suffix in sorted(set(store.suffixes()) - set(chosen)):
        try:
            manifest = read_manifest(invocation, store, suffix)
        except ManifestError as error:
            add_default_hint(error)
            screen.error(error)
            code = exit_code_of(error)
            continue
        if manifest is not None and is_deployed(manifest):
            others.append(suffix)
    named = ", ".join(first_few(others, _NAMED))
    return RecordsBeside(f" · not compared, for no file names it: {named}" if named else "", code)


def recorded_specs(manifest: Manifest) -> RecordedSpecs:
    """The specs of what is recorded as made."""
    specs = {address: entry.spec for address, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    return RecordedSpecs(manifest.environment, manifest.suffix, manifest.account, manifest.region, specs)


def rows(where: str, parity: Parity) -> list[dict[str, object]]:
    """The differences as rows, those that are not allowed first; ``where``: what was compared."""
    return [
        {"type": "difference", "where": where, "what": what, "values": dict(values), "verdict": word}
        for word, differences in ((REFUSED, parity.disallowed), (ALLOWED, parity.allowed))
        for what, values in differences.items()
    ]


def _cell(record: Mapping[str, object], column: str) -> str:
    values = record["values"]
    if column == "verdict":
        waivers = record.get("waivers")
        return format_verdict(str(record[column]), waivers if isinstance(waivers, list) else [])
    if column in record:
        return str(record[column])
    value = values.get(column) if isinstance(values, Mapping) else None
    causes = record.get("causes")
    cause = causes.get(column) if isinstance(causes, Mapping) else None
    shown = "-" if value is None else format_value(value)
    # Where no value is told, the cause is.
    return f"{shown} ({cause})" if cause and shown != cause else shown
