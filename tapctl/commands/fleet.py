"""The fleet: a command on many environments side by side, where one that fails does not silence the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from tapctl.config import known_environments
from tapctl.engine.record import Phase
from tapctl.errors import ExitCode, ManifestError, Status, TapctlError, add_default_hint, bug, exit_code_of
from tapctl.evidence.certificate import end_of_destroyed, has_left_nothing
from tapctl.evidence.tag_bearers import Bearing, Unasked, elsewhere_error, is_borne_out, listed, may_be_there
from tapctl.manifest.history import last_version
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.render.kept import KeptScreen
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import ANY_ENVIRONMENT, Invocation
from tapctl.session.pool import ClientPool, Place
from tapctl.session.target import is_deployed, known_suffixes, open_store_unidentified, read_manifests
from tapctl.threads import as_they_end

BEAT_S: Final = 30.0
"""Seconds without a result after which those that are awaited are named."""
_NAMED: Final = 5
"""Environments that are named where more are meant; of those that are passed over, too."""

Members = Mapping[str, Manifest | ManifestError]
"""Suffix to record, or to why the record cannot be used."""
Act = Callable[[Invocation, Manifest, Screen], int]
"""The command on one environment; returns the exit status. It is called in a thread of its own."""


@dataclass(frozen=True)
class Fleet:
    """All environments that a look at everything is for."""

    members: Members
    remark: str
    """For the verdict: who is not looked at, and what could not be seen; empty if nobody and nothing."""
    code: ExitCode
    """INCOMPLETE where nobody could see if a record was lost, or ask for a copy everywhere; else OK."""
    unasked: Unasked = field(default_factory=Unasked)
    """The places where nobody could ask for the copies that are destroyed by their record."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """For the verdict: ``not_asked`` places, and ``unseen`` where nobody could see if records were lost."""


def environments_to_look_at(invocation: Invocation, screen: Screen) -> Fleet:
    """The records of all environments that a look at everything is for, by suffix, or why one cannot be used.

    These are the deployed ones, and those that are destroyed by their record: who may write a record may empty it.
    Only copies whose destroy has certified that it kept no snapshot, and whose tag nothing in AWS bears, are passed
    over: it is said. Of a copy that is destroyed by its record AWS is asked where all files are: another place may be
    written into it.

    Raises:
        ManifestError: there is no record at all.
    """
    store = open_store_unidentified(invocation, screen)
    records = read_manifests(invocation, store, known_suffixes(invocation, store))
    names = known_environments(invocation.config)
    emptied = {
        suffix: one
        for suffix, one in records.items()
        if isinstance(one, Manifest) and suffix not in names and not is_deployed(one)
    }
    borne_out = {suffix for suffix, one in emptied.items() if is_borne_out(store, one)}
    found = may_be_there(invocation, screen, emptied, borne_out)
    unasked = Unasked(found.unasked, sorted(emptied.keys() - borne_out - found.elsewhere.keys()))
    unasked.tell(screen)
    # Of copies of the data a drift tells who may read them.
    certified = {suffix for suffix, one in emptied.items() if has_left_nothing(store, one)} - found.copied
    certified -= {*unasked.copies} if unasked else set()
    passed = _pass_over(
        screen, found, certified, "not looked at, destroyed by its certificate, and nothing bears its tag"
    )
    moved = {suffix: elsewhere_error(invocation, emptied[suffix], *told) for suffix, told in found.elsewhere.items()}
    # Environments that have a file, and of which nothing is kept, are named in the verdict (`_never_recorded`).
    lost = lost_records(invocation, screen, store, records)
    members = {suffix: one for suffix, one in {**records, **lost.errors, **moved}.items() if suffix not in passed}
    remark = f"{_never_recorded(names, members)}{unasked.words}{lost.remark}"
    counts = {**unasked.counts, **({"unseen": 1} if lost.code else {})}
    return Fleet(members, remark, ExitCode.worst([unasked.code, lost.code]), unasked, counts)


@dataclass(frozen=True)
class Lost:
    """The environments without a record, while AWS has, or does not show, what one would tell of."""

    errors: Mapping[str, ManifestError]
    """By suffix."""
    remark: str = ""
    """For the verdict: that nobody could see if a record was lost, or ask everywhere; else empty."""
    code: ExitCode = ExitCode.OK
    """As `Fleet.code`."""


def lost_records(
    invocation: Invocation, screen: Screen, store: Store, recorded: Collection[str], more: Iterable[str] = ()
) -> Lost:
    """Look for environments and copies whose record is gone while its history is there.

    ``recorded``: the suffixes with a record. ``more``: those that are looked for though nothing of them is kept. Those
    of which AWS has nothing are passed over, which is said: somebody has put them away after a destroy.
    """
    try:
        traces = store.traces()
    except TapctlError as error:
        screen.warn(f"whether a record was lost could not be seen in the history: {error.cause}")
        return Lost({}, " · not seen if a record was lost", ExitCode.INCOMPLETE)
    return look_for_lost(invocation, screen, store, sorted({*traces, *more}.difference(recorded)))


def look_for_lost(invocation: Invocation, screen: Screen, store: Store, suffixes: Sequence[str]) -> Lost:
    """Look for what AWS has of these suffixes, which have no record: who may write may remove."""
    names = known_environments(invocation.config)
    lost: dict[str, ManifestError] = {}
    newest: dict[str, Manifest | None] = {}
    for suffix in suffixes:
        try:
            newest[suffix] = last_version(store, suffix)
        except TapctlError as error:
            lost[suffix] = ManifestError(
                f"the record of {suffix} is gone, and its history cannot be used",
                evidence=error.cause,
                hint=f"put the record back at {store.location(suffix)}, or see who has written that history",
            )
    found = may_be_there(invocation, screen, newest)
    why = "not looked at, without a record, and AWS has nothing of it"
    # One that was destroyed by its history was where that says.
    unsure = {suffix for suffix, one in newest.items() if suffix not in names and (one is None or is_deployed(one))}
    # An environment is where its file says: of that place alone it has to be known.
    own = (newest.keys() & found.unasked.keys()) - found.there
    unasked = Unasked(found.unasked, sorted((unsure | own) - found.there))
    unasked.tell(screen)
    gone = _pass_over(screen, found, newest.keys() - found.copied - own, why) | own
    left_by_destroy = (found.keys_alone | found.copied) - found.there
    for suffix in sorted(newest.keys() - gone):
        one = newest[suffix]
        environment = suffix if suffix in names else one.environment if one else ANY_ENVIRONMENT
        look = invocation.command_line_for("drift", Target(environment, suffix))
        if one is not None:
            cause, evidence = f"the record of {suffix} is gone", f"its history has {one.stamp}"
            ended = end_of_destroyed(invocation, store, one) if suffix in left_by_destroy else ""
            back = ended or "put its newest version back, or apply, which writes it anew"
        else:
            # Another state may have it: nothing tells that this one ever had.
            cause, evidence = f"there is no record of {suffix}", f"no version of it is kept at {store.location(suffix)}"
            back = "name the state that has its record (--state), or apply, which writes one anew"
        lost[suffix] = ManifestError(
            f"{cause}, and AWS has, or does not show, what bears its tag",
            evidence=evidence,
            hint=f"{back}; what there is is told by: {look}",
        )
    return Lost(lost, unasked.words, unasked.code)


def _pass_over(screen: Screen, found: Bearing, copies: Collection[str], why: str) -> set[str]:
    """Those of these suffixes of which AWS has nothing, or a key that waits for its deletion, named after ``why``."""
    passed = {*copies} - found.there - found.keys_alone
    if passed:
        screen.note(f"{why}: {listed(passed)}")
    return passed


def _never_recorded(names: Iterable[str], members: Members) -> str:
    """The remark, for the verdict, on the environments that have a file and no record; empty if all have one.

    They are not looked at: most were never applied. But who may write a record may remove it, too.
    """
    lacking = {*names} - members.keys()
    return f" · not looked at, no record: {listed(lacking)}" if lacking else ""


def for_each_environment(
    invocation: Invocation, screen: Screen, members: Members, act: Act, *, verdicts: bool
) -> dict[str, int]:
    """Act on the environments, and show the error that ends one, with ``verdicts`` a verdict too.

    Progress is told as it comes. What each environment shows is shown at the end, in the order of their names; where
    the command is interrupted, that of those that have ended. Returns the exit statuses by suffix.
    """
    jobs = max(1, min(invocation.jobs, len(members)))
    shared = replace(invocation, pool=ClientPool(_recorded_ids(members), jobs, screen.note))
    kept = {suffix: KeptScreen() for suffix in sorted(members)}
    calls = {
        suffix: partial(_act, shared, suffix, members[suffix], act, each, verdicts=verdicts)
        for suffix, each in kept.items()
    }
    codes: dict[str, int] = {}
    screen.note(f"{invocation.verb}: {len(kept)} environment{'s' * (len(kept) != 1)}, {jobs} at a time")
    try:
        for one in as_they_end(calls, jobs, BEAT_S):
            if one is None:
                waiting = [suffix for suffix in kept if suffix not in codes]
                screen.note(f"{len(codes)} of {len(kept)}  still at work: {listed(waiting)}")
                continue
            suffix, future = one
            codes[suffix], remark = future.result()
            screen.note(f"{len(codes)} of {len(kept)}  {suffix}: {remark}")
    finally:
        for suffix, each in kept.items():
            if suffix in codes:
                each.show_on(screen)
    return {suffix: codes[suffix] for suffix in kept}


def _recorded_ids(members: Members) -> Mapping[Place, Mapping[str, tuple[str, ...]]]:
    """All ids that are recorded, by account and region, and type."""
    found: dict[Place, dict[str, tuple[str, ...]]] = {}
    for record in members.values():
        if not isinstance(record, Manifest):
            continue
        for entry in record.entries.values():
            if entry.phase is not Phase.KEPT:
                ids = found.setdefault((record.account, record.region), {})
                ids[entry.type] = (*ids.get(entry.type, ()), entry.id)
    return found


def _act(
    shared: Invocation, suffix: str, record: Manifest | ManifestError, act: Act, kept: KeptScreen, *, verdicts: bool
) -> tuple[int, str]:
    """Act on one environment; returns the exit status, and how it ended in a few words."""
    env = record.environment if isinstance(record, Manifest) else None
    part = replace(shared, env=env, suffix=suffix, usage=shared.usage.part())
    screen = kept.screen
    screen.target(part.target)
    try:
        code = act(part, _usable(record), screen)
    except Exception as caught:  # noqa: BLE001 -- whatever is the matter with one, the others are looked at
        error = caught if isinstance(caught, TapctlError) else bug(caught)
        add_default_hint(error)
        screen.error(error)
        if verdicts:
            part.finish(screen, Status.FAILED, exit_code_of(error), summary=error.cause)
        return exit_code_of(error), error.cause
    return code, kept.remark


def _usable(record: Manifest | ManifestError) -> Manifest:
    if isinstance(record, ManifestError):
        raise record
    return record
