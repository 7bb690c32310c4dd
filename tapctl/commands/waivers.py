"""The waivers that a command on one environment goes by."""

from __future__ import annotations

from collections.abc import Iterable

from tapctl.clock import today
from tapctl.config import known_environments
from tapctl.engine.drift import Finding
from tapctl.engine.waiver import Waiver
from tapctl.session.session import Session
from tapctl.stack.waivers import waivers_of


def waivers_for(session: Session) -> tuple[Waiver, ...]:
    """The waivers that count for this environment today.

    Raises:
        ConfigError: the file of waivers breaks a rule.
    """
    return tuple(one for one in _all(session) if one.until >= today().isoformat())


def _all(session: Session) -> tuple[Waiver, ...]:
    folder = session.invocation.config
    return waivers_of(folder, session.target.env, known_environments(folder), today())


def warn_of_ended_waivers(session: Session) -> None:
    """Say which waivers have ended: what they covered is drift again, and an apply undoes it."""
    for one in _all(session):
        if one.until < today().isoformat():
            session.screen.warn(f"{_place(one)} ended on {one.until}, and counts no more")


def warn_of_idle_waivers(session: Session, findings: Iterable[Finding]) -> None:
    """Say which waivers cover nothing, or have ended: somebody believes in them."""
    warn_of_ended_waivers(session)
    used = {finding.waiver for finding in findings}
    for one in waivers_for(session):
        if one not in used:
            session.screen.warn(f"{_place(one)} matches nothing here")


def _place(waiver: Waiver) -> str:
    return f"the waiver of {waiver.field} of {waiver.address} ({waiver.owner})"
