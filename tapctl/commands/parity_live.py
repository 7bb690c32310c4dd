"""``tapctl parity --live``: the environments against each other as they are in AWS now, and why they differ.

A difference that an environment's own file makes is allowed. Of any other one the cause is told where the record knows
it: somebody has changed AWS (AWS differs from the record), or the files were not applied yet (the record differs from
them). Values are shown in the canonical form of `tapctl.commands.parity`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from tapctl.commands.fleet import for_each_environment, look_for_lost, lost_records
from tapctl.commands.parity import (
    ALLOWED,
    NOT_APPLIED,
    REFUSED,
    UNKNOWN,
    RecordsBeside,
    canonical_address,
    canonical_forms,
    check_flags,
    choose,
    compare,
    compare_specs,
    known_records,
    moved_rows,
    recorded_specs,
    records_beside,
    rows,
    show,
    split_tags,
    status_of,
)
from tapctl.config import Config
from tapctl.engine import refs
from tapctl.engine.diff import compare as compare_fields
from tapctl.engine.diff import leave_parts
from tapctl.engine.drift import UNFINISHED, WHOLE_RESOURCE, FindingState, Reason
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Observations, Unreadable, not_offered_note, unread_note
from tapctl.engine.plan import Action
from tapctl.engine.record import Entry, Phase
from tapctl.engine.waiver import Spares, Waiver, spare_nothing, spares_of
from tapctl.errors import ExitCode
from tapctl.evidence.comparison import compare_between_readings, is_kept_alone
from tapctl.evidence.pending_changes import pending_changes
from tapctl.evidence.tag_bearers import listed
from tapctl.findings.waivers import waivers_for
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.planning.lookup import look_up
from tapctl.render.screen import Screen, Target
from tapctl.render.values import counted
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import known_suffixes, open_store_unidentified

OUTSIDE: Final = "CHANGED OUTSIDE"
WAIVED: Final = "waived"
_OUTSIDE_STATES: Final = (FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)
_WORDS: Final = {"outside": OUTSIDE, "under way": UNKNOWN, "not applied": NOT_APPLIED, "waived": WAIVED}
"""The cause of a difference to the verdict on it; of several causes the first here counts."""

Place = tuple[str, str]
"""Address, and a field's path or `WHOLE_RESOURCE`."""


@dataclass(frozen=True)
class LiveEnvironment:
    """An environment as it was read from AWS."""

    live: Manifest
    """The record, with what AWS shows in place of what is recorded; a field that could not be read is as recorded."""
    outside: Collection[Place]
    """The places where AWS differs from the record."""
    not_applied: Collection[Place]
    """The places where the record differs from the files."""
    under_way: Collection[Place]
    """The places that a run was changing during the look."""
    unread: Mapping[Place, str]
    """The places that could not be read, each with the reason."""
    unrecorded: Collection[str]
    """The addresses of what is there with our tags, and not recorded: nobody knows what was meant."""
    waived: Mapping[Place, Collection[Waiver]] = field(default_factory=dict)
    """The places where AWS differs from the record and somebody answers for it."""
    without_waived: Manifest | None = None
    """As ``live``, with what is waived as it is recorded; None where nothing is waived."""
    not_offered: Mapping[Place, str] = field(default_factory=dict)
    """The places that the environment's region has no operation to read, each with that operation."""
    is_deployed: bool = True
    """False where nothing is there but what a destroy has kept: no resource of it is compared with another's."""
    is_unfinished: bool = False
    """True if an apply did not finish, and no resource tells of that."""


def parity_live(invocation: Invocation, screen: Screen, environments: tuple[str, ...]) -> int:
    """Compare the files of all environments, or of those named, and what is deployed of them.

    Returns the exit status: the worst of the comparison's, and of the environments that could not be read.

    Raises:
        UsageError: a flag is given that is for one environment.
        ManifestError: the state has no record at all, so that nothing could be read.
    """
    check_flags(invocation)
    screen.target(Target())
    store = open_store_unidentified(invocation, screen)
    known_suffixes(invocation, store)
    chosen = choose(invocation, environments)
    beside = records_beside(invocation, screen, environments, chosen)
    lost = _lost_records(invocation, screen, store, chosen, is_all=not environments)
    known, unread_records = known_records(invocation, screen, chosen, emptied=True)
    read: dict[str, LiveEnvironment | None] = {}

    def look(part: Invocation, record: Manifest, own: Screen) -> int:
        session = open_session(replace(part, region=record.region), own)
        read[record.suffix] = _read(session, record)
        return ExitCode.OK

    codes = for_each_environment(invocation, screen, known, look, verdicts=False)
    live = {env: each for env in known if (each := read.get(env)) is not None}
    records = [*rows("files", compare(chosen)), *_live_rows(live, chosen)]
    deployed = {env: each.live for env, each in live.items() if each.is_deployed}
    records += moved_rows("aws", deployed, chosen)
    records += [_row(f"{env} could not be read", {}, UNKNOWN) for env in known if env not in read]
    unfinished = [env for env, each in live.items() if each.is_unfinished]
    records += [_row(f"an apply of {env} did not finish", {}, UNKNOWN) for env in unfinished]
    show(screen, chosen, records)
    words = (ALLOWED, REFUSED, OUTSIDE, NOT_APPLIED, UNKNOWN, WAIVED)
    allowed, refused, outside, behind, unknown, waived = (
        sum(row["verdict"] == word for row in records) for word in words
    )
    counts = {
        "allowed": allowed,
        "disallowed": refused,
        "outside": outside,
        "not_applied": behind,
        "unknown": unknown,
        "waived": waived,
    }
    remarks = f"{unread_records.remark}{beside.remark}{lost.remark}"
    compared = f"compared {counted(len(chosen), 'environment')}, {len(deployed)} of them in AWS{remarks}"
    summary = (
        f"{allowed} allowed differences · {refused} not allowed · {outside} changed outside · {behind} not applied"
        f" · {unknown} unknown{f' · {waived} waived' if waived else ''} · {compared}"
    )
    own = ExitCode.DIFFERENT if refused + outside + behind else ExitCode.INCOMPLETE if unknown else ExitCode.OK
    code = ExitCode.worst([own, unread_records.code, beside.code, lost.code, *codes.values()])
    return invocation.finish(screen, status_of(code), code, counts, summary)


def _lost_records(
    invocation: Invocation, screen: Screen, store: Store, chosen: Collection[str], *, is_all: bool
) -> RecordsBeside:
    """Report what has no record and is in AWS, by its tags: of the chosen ones, and where all are chosen, of copies.

    Who may write a record may remove it, its history too. A copy's suffix is in no file: its history is what is left.
    """
    recorded = store.suffixes()
    lacking = sorted({*chosen}.difference(recorded))
    if is_all:
        lost = lost_records(invocation, screen, store, recorded, lacking)
    else:
        lost = look_for_lost(invocation, screen, store, lacking)
    for error in lost.errors.values():
        screen.error(error)
    remark = f" · not compared, without a record: {listed(lost.errors.keys())}" if lost.errors else ""
    codes = [lost.code, *(error.exit_code for error in lost.errors.values())]
    return RecordsBeside(f"{remark}{lost.remark}", ExitCode.worst(codes))


def _read(session: Session, since: Manifest) -> LiveEnvironment | None:
    """The environment as it is; None where nothing of it is deployed, by its record and by AWS.

    ``since``: as in `look_between_readings`.

    Raises:
        TapctlError: what it is compared with cannot be read.
    """
    stored = session.load_manifest()
    waivers = waivers_for(session)
    session.warn_of_run(session.run_under_way())
    (manifest, _), compared, run = compare_between_readings(session, stored, waivers, since)
    session.warn_of_run(run)
    if compared is None:
        return None
    observed = compared.observed
    outside = {(one.address, one.field) for one in compared.report.findings if one.state in _OUTSIDE_STATES}
    # Files that have changed may name another network or image, which the record does not know.
    changed = manifest.config_hash != session.target.config_hash and session.aws.region == session.config.region
    looked_up = look_up(session, manifest) if changed else None
    wanted, is_deployed = None, not is_kept_alone(compared.entries, compared.beside)
    if is_deployed:
        wanted = pending_changes(session, manifest, {**compared.beside, **observed}, looked_up, all_allowed=True)
    changes = wanted.plan.work if wanted else ()
    behind = {(change.address, field.path) for change in changes for field in change.fields}
    behind |= {(one.address, WHOLE_RESOURCE) for one in changes if one.action in (Action.CREATE, Action.DELETE)}
    behind |= {(one.address, one.field) for one in compared.report.findings if one.reason in UNFINISHED}
    under_way = {(one.address, one.field) for one in compared.report.findings if one.reason is Reason.UNDER_WAY}
    # What the record does not tell, or another one tells, is as good as not read.
    unknown = (one for one in compared.report.findings if one.state is FindingState.UNKNOWN)
    unread = {(one.address, one.field): one.note for one in unknown if one.address not in compared.beside}
    unread |= dict(_unread(observed))
    unread |= {(one, WHOLE_RESOURCE): "not compared" for one in compared.report.untold if one not in compared.beside}
    waived: dict[Place, list[Waiver]] = defaultdict(list)
    for one in compared.report.findings:
        if one.waiver is not None:
            waived[one.address, one.field].append(one.waiver)
    return LiveEnvironment(
        _as_observed(manifest, observed),
        outside,
        behind - under_way,
        under_way,
        unread,
        [*compared.beside],
        waived,
        _as_observed(manifest, observed, spares_of(waivers)) if waived else None,
        dict(_not_offered(observed)),
        is_deployed,
        compared.report.unfinished and not compared.report.has_unfinished,
    )


def _as_observed(manifest: Manifest, observed: Observations, is_waived: Spares = spare_nothing) -> Manifest:
    """The record with what was observed in place of what it holds; without what is not there.

    What is waived is as it is recorded.
    """
    entries = {}
    for address, seen in observed.items():
        entry = manifest.entries[address]
        if isinstance(seen, Observed) and not seen.deleting:
            spec = _without_waived(entry, seen.spec, partial(is_waived, address))
            made = {"spec": refs.to_json(spec), "phase": Phase.MADE, "confirmed": None, "carried": {}}
            entries[address] = entry.model_copy(update=made)
        elif isinstance(seen, Unreadable):
            entries[address] = entry
    return manifest.model_copy(update={"entries": entries})


def _without_waived(entry: Entry, live: Spec, is_waived: Callable[[str, Any], bool]) -> Spec:
    """The live spec with what is waived as it is recorded; all as it is where the record has no such form."""
    try:
        recorded = type(live).model_validate(entry.confirmed_spec)
    except ValidationError:
        return live
    put_back = leave_parts(recorded, live, lambda path, value: not is_waived(path, value))
    return live.model_copy(update={name: getattr(put_back, name) for name in compare_fields(recorded, live)})


def _unread(observed: Observations) -> Iterator[tuple[Place, str]]:
    for address, seen in observed.items():
        if isinstance(seen, Unreadable):
            yield (address, WHOLE_RESOURCE), unread_note(seen.action, seen.refusal)
        elif isinstance(seen, Observed):
            for name, action in seen.unreadable.items():
                yield (address, name), unread_note(action, seen.refusals.get(name, ""))


def _not_offered(observed: Observations) -> Iterator[tuple[Place, str]]:
    for address, seen in observed.items():
        for name, action in seen.not_offered.items() if isinstance(seen, Observed) else ():
            yield (address, name), not_offered_note(action)


def _live_rows(read: Mapping[str, LiveEnvironment], chosen: Mapping[str, Config]) -> list[dict[str, Any]]:
    """The differences in AWS as rows, each with its cause in each environment, as far as the record tells one."""
    manifests = {env: each.live for env, each in read.items()}
    forms = canonical_forms({env: recorded_specs(live) for env, live in manifests.items()}, chosen.values())
    places = {
        env: {
            "outside": {_canonical(place, forms[env]) for place in each.outside},
            "under way": {_canonical(place, forms[env]) for place in each.under_way},
            "not applied": {_canonical(place, forms[env]) for place in each.not_applied},
            "waived": {_canonical(place, forms[env]) for place in each.waived},
        }
        for env, each in read.items()
    }
    waivers = {
        env: {_canonical(place, forms[env]): waivers for place, waivers in each.waived.items()}
        for env, each in read.items()
    }
    refused = _refused_without_waived(read, chosen)
    found: list[dict[str, Any]] = []
    deployed = {env: each.live for env, each in read.items() if each.is_deployed}
    for row in rows("aws", split_tags(compare_specs(deployed, chosen), deployed, chosen)):
        address, _, path = str(row["what"]).partition(" ")
        causes = {
            env: cause
            for env, by_cause in places.items()
            for cause in reversed(by_cause)  # an outside change is told, whatever was not applied either
            if any(_covers(place, (address, path)) for place in by_cause[cause])
        }
        verdict = next((word for cause, word in _WORDS.items() if cause in causes.values()), row["verdict"])
        if verdict == WAIVED and row["what"] in refused:
            verdict = REFUSED
        shown: Any = row["values"]
        values = {env: forms[env](value) for env, value in shown.items()}
        found.append({**row, "values": values, "verdict": verdict, "causes": causes})
    found += _beside(places, found)
    found = [_with_waivers(row, waivers) for row in found]
    for env, each in read.items():
        for place, why in each.unread.items():
            address, path = _canonical(place, forms[env])
            what = address if path == WHOLE_RESOURCE else f"{address} {path}"
            found.append(_row(what, {env: why}, UNKNOWN))
        for place, why in each.not_offered.items():
            # By its region alone: nothing of that kind can be there.
            found.append(_row(" ".join(_canonical(place, forms[env])), {env: why}, ALLOWED))
        found += [_row(canonical_address(one, forms[env]), {env: "not recorded"}, UNKNOWN) for one in each.unrecorded]
    return found


def _refused_without_waived(read: Mapping[str, LiveEnvironment], chosen: Mapping[str, Config]) -> frozenset[str]:
    """The differences that would not be allowed if all that is waived were as it is recorded: no waiver's doing."""
    if not any(each.waived for each in read.values()):
        return frozenset()
    manifests = {env: each.without_waived or each.live for env, each in read.items() if each.is_deployed}
    return frozenset(split_tags(compare_specs(manifests, chosen), manifests, chosen).disallowed)


def _with_waivers(row: dict[str, Any], waivers: Mapping[str, Mapping[Place, Collection[Waiver]]]) -> dict[str, Any]:
    """The row with those who answer for what is waived in it, where that is its verdict."""
    if row["verdict"] != WAIVED:
        return row
    address, _, path = str(row["what"]).partition(" ")
    covering = (
        one
        for env in row["causes"]
        for place, some in waivers[env].items()
        if _covers(place, (address, path))
        for one in some
    )
    told = [{"owner": one.owner, "reason": one.reason, "until": one.until} for one in dict.fromkeys(covering)]
    return {**row, "waivers": told}


def _beside(places: Mapping[str, Mapping[str, Collection[Place]]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row each for what was changed outside, or not applied, and makes no difference between environments.

    One environment alone in AWS differs from none, and the same change may have been made in all of them.
    """
    told: dict[tuple[Place, str], list[str]] = defaultdict(list)
    shown = [str(row["what"]).partition(" ") for row in rows]
    for env, by_cause in places.items():
        for cause, found in by_cause.items():
            for place in sorted(found):
                if not any(_covers(place, (address, path)) for address, _, path in shown):
                    told[place, cause].append(env)
    return [
        {
            **_row(
                address if path == WHOLE_RESOURCE else f"{address} {path}", dict.fromkeys(envs, cause), _WORDS[cause]
            ),
            "causes": dict.fromkeys(envs, cause),
        }
        for ((address, path), cause), envs in told.items()
    ]


def _row(what: str, values: Mapping[str, str], verdict: str) -> dict[str, Any]:
    return {
        "type": "difference",
        "where": "aws",
        "what": what,
        "values": dict(values),
        "verdict": verdict,
        "causes": {},
    }


def _canonical(place: Place, form: Callable[[str], str]) -> Place:
    address, path = place
    return canonical_address(address, form), form(path)


def _covers(place: Place, other: Place) -> bool:
    """True if one of the two places is within the other; a presence has no path."""
    if place[0] != other[0]:
        return False
    if WHOLE_RESOURCE in place or not other[1]:
        return place[1] == WHOLE_RESOURCE
    one, two = f"{place[1]}.", f"{other[1]}."
    return one.startswith(two) or two.startswith(one)
