"""A look at AWS between two readings of the record: what a run of somebody else changes meanwhile is nobody's drift.

A run has each intent on record before its first call, so that an entry which is the same before and after the look was
not being changed. Nothing is read a second time where nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from tapctl.engine.drift import Finding, FindingState, Reason
from tapctl.engine.record import Entry, Phase, recorded_value
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import reconciler_of
from tapctl.session.session import Session
from tapctl.stack.never_wanted import holds
from tapctl.stack.waivers import may_be_door

T = TypeVar("T")

_OF_NO_RUN: Final = frozenset({Reason.NEVER_WANTED, Reason.OPENED, Reason.FORGED, Reason.DENIED})

Stored = tuple[Manifest, str | None]
"""A record and its version; None: there is none."""


@dataclass(frozen=True)
class Meanwhile:
    """The work of others during a look."""

    run: str = ""
    """The run that is under way after it; empty where there is none, or nothing differed and nobody asked."""
    written: frozenset[str] = frozenset()
    """The addresses whose entries were written during the look, which is then of no one moment."""
    made: Mapping[str, Entry] = field(default_factory=dict)
    """Of these the entries that were made before and after it, as they are after it."""
    half_made: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    """The entries of the others, as they were before it and after it."""
    record: Manifest | None = field(default=None, compare=False)
    """The record after it."""


NOTHING: Final = Meanwhile()


def look_between_readings(
    session: Session,
    stored: Stored,
    look: Callable[[Stored], T],
    differs: Callable[[T], bool],
    since: Manifest | None = None,
) -> tuple[Stored, T, Meanwhile]:
    """Look, and where something differs read record and lock again; where the record has moved, look once more.

    ``since``: the record as it was before anything was read of AWS, where others who look at their environments have
    read for this one, too. Returns the record that the last look was held against, what that look has seen, and what
    moved during it.
    """
    before, seen = since or stored[0], look(stored)
    if not differs(seen):
        return stored, seen, NOTHING
    run, now = session.run_under_way(), session.load_manifest()
    if now[0] == before:
        return stored, seen, Meanwhile(run)
    session.screen.note(f"the record of {session.suffix} was written meanwhile: looking once more")
    session.aws = session.aws.afresh()
    stored, seen = now, look(now)
    if not differs(seen):
        return stored, seen, NOTHING
    run, now = session.run_under_way(), session.load_manifest()
    return stored, seen, _meanwhile(run, stored[0].entries, now[0])


def _meanwhile(run: str, before: Mapping[str, Entry], record: Manifest) -> Meanwhile:
    """The work that two readings tell of: what a run is at is half made in one of them, or another afterwards."""
    now = record.entries
    differing = {address for address in before.keys() | now.keys() if before.get(address) != now.get(address)}
    finished = {address for address in differing if _is_made(before.get(address)) and _is_made(now.get(address))}
    made = {
        address: now[address]
        for address in finished
        if (before[address].spec, before[address].outputs) != (now[address].spec, now[address].outputs)
    }
    half_made = {
        address: tuple(entries[address] for entries in (before, now) if address in entries)
        for address in differing - finished
    }
    return Meanwhile(run, frozenset(half_made.keys() | made.keys()), made, half_made, record)


def _is_made(entry: Entry | None) -> bool:
    return entry is not None and entry.phase is Phase.MADE


def with_run(findings: Iterable[Finding], meanwhile: Meanwhile, left: Iterable[Finding] = ()) -> Iterator[Finding]:
    """The findings, with what a run was changing during the look told as that: neither as drift nor as unrecorded.

    What was made before and after has changed by a run where it is as the later record tells, and no further: what is
    ``left`` of it by that record, and by its files, no run has done. Of what is half made a run opens what its entry
    tells. No run makes what no files want.
    """
    left = [*left]
    for one in findings:
        is_written = one.address in meanwhile.written or (
            one.reason is Reason.NOT_OURS and one.live in meanwhile.written
        )
        settled = one.state in (FindingState.PENDING, FindingState.WAIVED) or one.reason in _OF_NO_RUN
        settled = settled or any(_is_same(one, other) for other in left)
        settled = settled or _opens_untold(one, meanwhile.half_made.get(one.address, ()))
        yield replace(one, reason=Reason.UNDER_WAY) if is_written and not settled else one


def _opens_untold(one: Finding, entries: Iterable[Entry]) -> bool:
    """True if the finding is on what may let others in, and none of these entries of the resource tells of it."""
    root = one.field.partition(".")[0]
    if one.reason is not Reason.CHANGED or one.live is None or not may_be_door(one.type, root):
        return False
    return not any(holds(value, one.live) for entry in entries for value in _told(entry, root))


def _told(entry: Entry, field: str) -> Iterator[Any]:
    """The values of this field that were asked for and confirmed last, where they are in a form that is known."""
    for spec in (entry.spec, entry.confirmed or {}):
        with suppress(KeyError, ValidationError):
            yield recorded_value(reconciler_of(entry).spec, field, spec)


def _is_same(one: Finding, other: Finding) -> bool:
    """True if both tell the same of AWS, whatever is recorded."""
    return (one.address, one.field, one.live) == (other.address, other.field, other.live)
