"""The waivers that a command on one environment goes by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tapctl.clock import today
from tapctl.config import known_environments
from tapctl.config.waivers import EVERY
from tapctl.engine.drift import Finding
from tapctl.engine.waiver import DETAILS, Waiver, live_text, matches
from tapctl.render.screen import Screen
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
            session.screen.warn(_ended(one))


@dataclass
class WaiverTally:
    """The waivers that the looks of one command went by, and those that covered something in one of them."""

    looks: int = 0
    known: set[Waiver] = field(default_factory=set)
    ended: set[Waiver] = field(default_factory=set)
    used: set[Waiver] = field(default_factory=set)
    grown: set[Waiver] = field(default_factory=set)

    def count(self, session: Session, findings: Iterable[Finding]) -> None:
        """Take in one look, at a whole environment."""
        self.looks += 1
        waivers = set(_all(session))
        counting = set(waivers_for(session))
        self.known |= counting
        self.ended |= waivers - counting
        findings = tuple(findings)
        self.used |= _used(counting, findings)
        self.grown |= {one for one in counting if _has_grown(one, findings)}

    def warn(self, screen: Screen, *, looks: int) -> None:
        """Say which waivers have ended, and, where none of the ``looks`` failed, which covered nothing in any."""
        for one in sorted(self.ended, key=_order):
            screen.warn(_ended(one))
        for one in sorted(self.known - self.used, key=_order) if self.looks == looks else ():
            screen.warn(
                f"{_place(one)} matches nothing in what was looked at{_why_idle(one, has_grown=one in self.grown)}"
            )


def warn_of_idle_waivers(session: Session, findings: Iterable[Finding]) -> None:
    """Say which waivers cover nothing here, or have ended: somebody believes in them.

    One for a thing that is no copy's own is that of its environment's other copies.
    """
    warn_of_ended_waivers(session)
    findings, waivers = tuple(findings), waivers_for(session)
    used = _used(waivers, findings)
    for one in waivers:
        if one in used:
            continue
        if _may_be_here(session, one):
            session.screen.warn(
                f"{_place(one)} matches nothing here{_why_idle(one, has_grown=_has_grown(one, findings))}"
            )
        elif session.suffix == session.target.env:
            session.screen.warn(f"{_place(one)} matches nothing here: {session.suffix} has no such name")


def _used(waivers: Iterable[Waiver], findings: Iterable[Finding]) -> set[Waiver]:
    """Choose the waivers that cover a waived finding: of several that do, the report names one alone."""
    waived = [one for one in findings if one.waiver is not None]
    return {each for each in waivers if any(each.covers(one.address, one.field, one.to_waive) for one in waived)}


def _may_be_here(session: Session, waiver: Waiver) -> bool:
    type_, _, id_ = waiver.address.partition("/")
    return EVERY in waiver.address or session.claimant.may_have_name(type_, id_)


def _has_grown(waiver: Waiver, findings: Iterable[Finding]) -> bool:
    """True if the very item that is waived is there with details which the waiver does not name."""
    items = (
        live_text(one.to_waive)
        for one in findings
        if matches(waiver.address, one.address) and matches(waiver.field, one.field)
    )
    return waiver.live is not None and any(text.startswith(f"{waiver.live}{DETAILS}") for text in items)


def _why_idle(waiver: Waiver, *, has_grown: bool) -> str:
    """The reason, where the item has details, or an earlier tapctl has written this of one that was taken away."""
    if has_grown:
        return (
            f': live = "{waiver.live}" is there with more, which decides what it opens; waive that, and take this out'
        )
    if waiver.live != live_text(None):
        return ""
    return (
        f': live = "{waiver.live}" covers no item that was taken away any more; waive that anew, and take this one out'
    )


def _order(waiver: Waiver) -> tuple[str, str, str]:
    return waiver.address, waiver.field, str(waiver)


def _ended(waiver: Waiver) -> str:
    return f"{_place(waiver)} ended on {waiver.until}, and counts no more"


def _place(waiver: Waiver) -> str:
    return f"the waiver of {waiver.field} of {waiver.address} ({waiver.owner})"
