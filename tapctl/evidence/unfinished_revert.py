"""Our own revert that was cut off: the same revert goes on with it, and no apply with all that the files want.

An apply marks its record before its first change; a revert, which asks for nothing but what is recorded, does not. Who
may write the record may call anything being put back: so an earlier version has to have it as made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tapctl.engine.drift import PHASE, Finding, Reason
from tapctl.engine.record import Entry
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.manifest.manifest import Manifest


def with_revert(
    findings: Iterable[Finding], manifest: Manifest, entries: Mapping[str, Entry], kept: EarlierVersions
) -> Iterator[Finding]:
    """The findings, where what asks for nothing new, and is of no unfinished apply, is of a revert."""
    for one in findings:
        is_phase = one.field == PHASE and one.reason is Reason.UNCONFIRMED and not manifest.unfinished
        by_revert = is_phase and _is_borne_out(entries[one.address], kept)
        yield replace(one, reason=Reason.REVERT_INTERRUPTED) if by_revert else one


def _is_borne_out(entry: Entry, kept: EarlierVersions) -> bool:
    """True if the last version that has the resource as made has it as this entry asks for it."""
    before = kept.last_made(entry.address)
    return entry.confirmed == entry.spec and before is not None and before.spec == entry.spec
