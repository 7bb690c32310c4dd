"""The waivers of an environment, checked against what tapctl manages: types, fields, and doors that stay shut."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tapctl.aws.policy import PolicyDocument, Statement
from tapctl.config.problems import MAX_PROBLEMS
from tapctl.config.types import did_you_mean
from tapctl.config.waivers import EVERY, WaiverTable, load_waivers, path_of, problem_at
from tapctl.engine.waiver import REMOVED, Waiver, live_text, matches, may_begin
from tapctl.errors import ConfigError, Problem
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_removal import FINAL_SNAPSHOT_TAG
from tapctl.reconcilers.open_rules import open_together, part_of
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.safety.hidden_values import is_stand_in
from tapctl.safety.open_networks import opens_world
from tapctl.safety.redaction import hide_path_once
from tapctl.stack.never_wanted import CONSTANT, why_never

_MEMBERS: Final = (DbCluster.type, "members")
"""Type and field of what lives in a resource and is not ours: an instance that somebody added reads all data."""
_DOORS: Final = (Rule, PolicyDocument)
"""The types of values by which the world may be let in."""
_WAYS_IN: Final = frozenset(
    {
        _MEMBERS,
        *(("db-cluster", name) for name in ("security_group_ids", "subnet_group")),
        ("db-instance", "cluster"),
        *(("lambda-function", name) for name in ("security_group_ids", "role_arn", "file_systems", "dead_letter")),
        *(("lambda-function", name) for name in ("image_uri", "code_sha256", "layers", "runtime", "handler")),
        *(("lambda-function", name) for name in ("environment", "image_config")),
        *(("sns-subscription", name) for name in ("endpoint", "redrive_policy")),
    }
)
"""Fields by whose plain values others get in, other code runs, or data leaves."""
_PARAMETER_GROUPS: Final = frozenset({("db-cluster", "cluster_parameter_group"), ("db-instance", "parameter_group")})
"""Fields that name all parameters at once: TLS and logged statements are as whoever owns the group has them by then."""
_MOST_OPEN_GROUPS: Final = 8
"""Groups of which is told at once that waivers open them together: of others once these are mended."""
_HARMLESS: Final = frozenset({"tags", "description"})
"""Fields of which any value is harmless: a platform's tags, and texts for people, let nobody in and guard nothing."""
_NAMED_ALONE: Final = frozenset({"engine_version", f"tags.{FINAL_SNAPSHOT_TAG}"})
"""Fields of which a value that files may have is not meant by that: an upgrade has no way back, nor has data that goes
without a snapshot."""
_EVERYBODY: Final = (" by all", "(NONE)")
"""The ends of an exposure that is everybody's: a snapshot shared with all, a URL that asks nobody who they are."""
_TO_NOBODY: Final = ("ingress  ", "egress  ")
"""The beginnings of a rule that does not tell whom it lets through: it may be anybody."""
_PRINCIPAL: Final = re.compile(r'"(?:name|Principal|AWS)": ?"[*]"')


def waivers_of(folder: Path, environment: str, environments: tuple[str, ...], today: date) -> tuple[Waiver, ...]:
    """The waivers of this environment, in the order of the file; those that have ended too.

    Raises:
        ConfigError: the file breaks a rule, for any environment; with every problem.
    """
    tables = load_waivers(folder, environments, today)
    check(path_of(folder), tables, today)
    return tuple(as_waiver(one) for one in tables if one.environment in (EVERY, environment))


def as_waiver(table: WaiverTable) -> Waiver:
    """The waiver as the engine uses it."""
    live = None if table.live is None else live_text(table.live)
    return Waiver(hide_path_once(table.address), table.field, table.owner, table.reason, table.until.isoformat(), live)


def check(path: Path, waivers: Sequence[WaiverTable], today: date) -> None:
    """Make sure that each waiver is about something that tapctl manages, and about no door to the world.

    Nor may several be one together; those that have ended count no more.

    Raises:
        ConfigError: one is not; with every problem.
    """
    problems = [each for index, one in enumerate(waivers) for each in _problems(path, index, one)]
    problems = problems or [*_together(path, {at: one for at, one in enumerate(waivers) if one.until >= today})]
    if problems:
        raise ConfigError(problems, folder=path.parent)


def _problems(path: Path, index: int, one: WaiverTable) -> Iterator[Problem]:
    types = {name: reconciler.spec for name, reconciler in registry().items() if may_begin(one.address, f"{name}/")}
    if not types:
        meant = did_you_mean(one.address.partition("/")[0], sorted(registry()))
        rule = f"is no address: type/id, as drift shows them{meant}"
        yield problem_at(path, index, "address", one.address, rule)
        return
    fields = {
        (name, field): known.annotation for name, spec in types.items() for field, known in spec.model_fields.items()
    }
    fields |= {each: str for each in (_MEMBERS,) if each[0] in types}
    covered = {each for each, kind in fields.items() if fits(one.field, each[1], kind)}
    root = one.field.partition(".")[0]
    known_names = sorted({field for _, field in fields})
    if not covered and root not in known_names:
        yield problem_at(path, index, "field", one.field, f"is no field of it{did_you_mean(root, known_names)}")
        return
    if fixed := sorted(f"{name}.{field}" for name, field in covered if is_never_waived(name, field)):
        rule = f"opens a door, takes a protection, or tells of another one, which is never waived: {', '.join(fixed)}"
        yield problem_at(path, index, "field", one.field, rule)
    doors = sorted(f"{name}.{field}" for name, field in covered if may_be_door(name, field))
    if doors and one.live is None:
        rule = f"is missing: a waiver without the one value that is meant would cover an open door in {doors[0]}"
        yield problem_at(path, index, "live", "", rule)
    elif one.live is not None and opens(one.live) and not str(one.live).startswith(REMOVED):
        yield problem_at(path, index, "live", one.live, "is an open door to the world, which is never waived")
    elif doors and is_stand_in(one.live):
        rule = "is shown in place of a value that is not told, and names none: give it to the files, or put it back"
        yield problem_at(path, index, "live", one.live, rule)


def _together(path: Path, waivers: Mapping[int, WaiverTable]) -> Iterator[Problem]:
    """The problems of rules that are waived one by one, and open the world together, where they may be in one group."""
    rules = {at: rule for at, one in waivers.items() if (rule := Rule.of_text(str(one.live)))}
    parts_of = {at: part_of(str(at), rule) for at, rule in rules.items()}
    # Those of one resource meet the same others.
    first = {(waivers[at].environment, waivers[at].address): at for at in rules}
    told = set[int]()
    open_groups = 0
    for beside in dict.fromkeys(
        tuple(other for other in rules if _may_meet(waivers[at], waivers[other])) for at in first.values()
    ):
        if open_groups == _MOST_OPEN_GROUPS or len(told) >= MAX_PROBLEMS:
            return
        found = [*open_together(parts_of[other] for other in beside)]
        open_groups += bool(found)
        for world, parts in found:
            makers = {int(one.holder) for one in parts} - told
            told |= makers
            for one in sorted(makers):
                why = f"opens {world.peer} with the other waivers of that group: an open door, which is never waived"
                yield problem_at(path, one, "live", waivers[one].live, why)


def _may_meet(one: WaiverTable, other: WaiverTable) -> bool:
    """True if both may be of one resource."""
    if EVERY not in (one.environment, other.environment) and one.environment != other.environment:
        return False
    if not (EVERY in one.address and EVERY in other.address):
        return matches(one.address, other.address) or matches(other.address, one.address)
    begins = one.address.partition(EVERY)[0], other.address.partition(EVERY)[0]
    ends = one.address.rpartition(EVERY)[2], other.address.rpartition(EVERY)[2]
    return max(begins, key=len).startswith(min(begins, key=len)) and max(ends, key=len).endswith(min(ends, key=len))


def opening_together(rules: Iterable[str]) -> frozenset[str]:
    """Those of these rules, as `live_text` writes them, that open the world together and not alone."""
    found = open_together(part_of(text, rule) for text in rules if (rule := Rule.of_text(text)))
    return frozenset(one.holder for _, parts in found for one in parts)


def is_never_waived(type_: str, field: str) -> bool:
    """True if no waiver can tell what another value of this field means.

    The product can want one value alone in it, another one tells of another resource, or it names all parameters.
    """
    known = registry().get(type_)
    identifies = known is not None and known.identity == field
    return identifies or (type_, field) in CONSTANT or (type_, field) in _PARAMETER_GROUPS


def fits(pattern: str, path: str, kind: Any) -> bool:
    """True if the pattern fits a value of this kind at this path, or one of its parts as `details` names them."""
    if matches(pattern, path):
        return True
    origin = get_origin(kind)
    if origin is UnionType:
        return any(fits(pattern, path, one) for one in get_args(kind))
    if origin is dict:
        return may_begin(pattern, f"{path}.")
    return (
        origin is None
        and issubclass(kind, BaseModel)
        and any(fits(pattern, f"{path}.{name}", part.annotation) for name, part in kind.model_fields.items())
    )


def any_value_is_harmless(path: str) -> bool:
    """True if a waiver may be of whatever comes into this field later; all others name the one value that is meant."""
    return path.partition(".")[0] in _HARMLESS and path not in _NAMED_ALONE


def covered_unnamed(path: str, *, may_be: Callable[[], bool]) -> bool:
    """True if a waiver that names no value covers the one that is in this field; ``may_be``: files may have that.

    Somebody answers for a degree of it: backups of 5 days are none of 1 day.
    """
    return any_value_is_harmless(path) or (path not in _NAMED_ALONE and may_be())


def may_be_door(type_: str, field: str) -> bool:
    """True if values of this field may let others in: rules, policies, ways in, and what tells who was let in."""
    if (type_, field) in _WAYS_IN:
        return True
    reconciler = registry()[type_]
    doors = any(kind in _DOORS for kind in _kinds(reconciler.spec.model_fields[field].annotation))
    return doors or field in reconciler.leaves(allowed=True)


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def opens(live: Any) -> bool:
    """True if this text of a live value lets the world in: a block that is all of it, or everybody by name.

    So does a statement that no policy of ours has (`why_never`), and a rule that does not tell for whom it is.
    """
    text = str(live)
    if text.startswith(_TO_NOBODY):
        return True
    blocks = any(opens_world(word.strip(",")) for word in text.split())
    if blocks or text == EVERY or text.endswith(_EVERYBODY) or _PRINCIPAL.search(text) is not None:
        return True
    try:
        return _opens_all(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _opens_all(value: Any) -> bool:
    """True if a statement in this value, as `live_text` writes one, is of those that no policy of ours has."""
    if isinstance(value, list):
        return any(map(_opens_all, value))
    if not isinstance(value, dict):
        return False
    try:
        return any(why_never(Statement.model_validate(value)))
    except ValidationError:
        return any(map(_opens_all, value.values()))
