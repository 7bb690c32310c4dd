"""A look at AWS between two readings of the record: what a run of somebody else changes meanwhile is nobody's drift.

A run has each intent on record before its first call, so that an entry which is the same before and after the look was
not being changed. Nothing is read a second time where nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from tapctl.engine.drift import Finding, FindingState, Reason
from tapctl.manifest.manifest import Manifest
from tapctl.session.session import Session

T = TypeVar("T")

Stored = tuple[Manifest, str | None]
"""A record and its version; None: there is none."""


@dataclass(frozen=True)
class Meanwhile:
    """The work of others during a look."""

    run: str = ""
    """The run that is under way after it; empty where there is none, or nothing differed and nobody asked."""
    written: frozenset[str] = frozenset()
    """The addresses whose entries were written during the look, which is then of no one moment."""


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
    return stored, seen, Meanwhile(run, _written(stored[0], now[0]))


def _written(before: Manifest, now: Manifest) -> frozenset[str]:
    return frozenset(
        address
        for address in before.entries.keys() | now.entries.keys()
        if before.entries.get(address) != now.entries.get(address)
    )


def with_run(findings: Iterable[Finding], written: Collection[str]) -> Iterator[Finding]:
    """The findings, with what a run was changing during the look told as that: neither as drift nor as unrecorded."""
    for one in findings:
        is_written = one.address in written or (one.reason is Reason.NOT_OURS and one.live in written)
        settled = one.state in (FindingState.PENDING, FindingState.WAIVED) or one.reason is Reason.DENIED
        yield replace(one, reason=Reason.UNDER_WAY) if is_written and not settled else one
