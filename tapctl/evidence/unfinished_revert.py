"""Our own revert that was cut off: the same revert goes on with it, and no apply with all that the files want.

An apply marks its record before its first change; a revert, which asks for nothing but what is recorded, does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tapctl.engine.drift import PHASE, Finding, Reason
from tapctl.manifest.manifest import Manifest


def with_revert(findings: Iterable[Finding], manifest: Manifest) -> Iterator[Finding]:
    """The findings, where what asks for nothing new, and is of no unfinished apply, is of a revert."""
    for one in findings:
        by_revert = one.field == PHASE and one.reason is Reason.UNCONFIRMED and not manifest.unfinished
        yield replace(one, reason=Reason.REVERT_INTERRUPTED) if by_revert else one
