"""The findings that accept, revert and waive act on: named by address, by field, by id, or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tapctl.config.types import did_you_mean
from tapctl.config.waivers import path_of
from tapctl.engine.drift import Finding, FindingState, Reason, finding_id
from tapctl.errors import UsageError
from tapctl.session.session import Session

ALL: Final = "all"
DRIFTED: Final = (FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)


def choose(
    session: Session, targets: Sequence[str], findings: Sequence[Finding], also: Reason | None = None
) -> list[Finding]:
    """The drifted findings that these targets name, each once; all of them for no target, or the word ``all``.

    ``also``: a reason for which a finding counts as drifted.

    Raises:
        UsageError: a target names nothing that drifted.
    """
    drifted = [finding for finding in findings if finding.state in DRIFTED or finding.reason is also]
    for target in targets:
        if target != ALL and not any(is_named(session, target, finding) for finding in drifted):
            waived = _waived(session, target, findings)
            raise UsageError(
                f"{target} names nothing that drifted{did_you_mean(target, [place(one) for one in drifted])}",
                evidence=waived,
                hint=f"take the waiver out of {path_of(session.invocation.config)}, then run this again"
                if waived
                else f"a target is type/id, type/id.field or a finding's id, as {session.command('drift')} shows them",
            )
    if not targets or ALL in targets:
        return drifted
    return [one for one in drifted if any(is_named(session, target, one) for target in targets)]


def place(finding: Finding) -> str:
    """The finding as a target: ``type/id.field``."""
    return f"{finding.address}.{finding.field}"


def is_named(session: Session, target: str, finding: Finding) -> bool:
    """True if the target is the finding's id, address or field, or a field that holds it (``tags``)."""
    if target in (finding_id(session.suffix, finding), finding.address, place(finding)):
        return True
    return target.startswith(f"{finding.address}.") and place(finding).startswith(f"{target}.")


def _waived(session: Session, target: str, findings: Sequence[Finding]) -> str:
    """The waiver that covers what the target names; empty where there is none."""
    covered = (one.waiver for one in findings if one.waiver and is_named(session, target, one))
    return next((f"it is waived by {waiver}" for waiver in covered), "")
