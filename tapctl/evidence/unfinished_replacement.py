"""Our own replacement of a resource that was cut off: what lacks of it by then, nobody else has taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tapctl.engine.drift import Finding, Reason
from tapctl.engine.record import Entry
from tapctl.reconcilers import is_being_replaced


def with_replacement(findings: Iterable[Finding], entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings, where what lacks of a resource that a run was replacing is pending: all of it, or some."""
    replaced = {address for address, entry in entries.items() if is_being_replaced(entry)}
    for one in findings:
        lacks = one.reason in (Reason.ABSENT, Reason.DELETING) or (one.reason is Reason.CHANGED and one.live is None)
        by_us = lacks and one.address in replaced
        yield replace(one, reason=Reason.APPLY_INTERRUPTED, waiver=None) if by_us else one
