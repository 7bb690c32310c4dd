"""The waivers that a command on one environment goes by."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tapctl.clock import today
from tapctl.config import known_environments
from tapctl.config.waivers import EVERY
from tapctl.engine.drift import Finding
from tapctl.engine.waiver import DETAILS, Spares, Waiver, live_text, matches
from tapctl.errors import ConfigError, TapctlError
from tapctl.evidence.recorded_files import any_files
from tapctl.names import Names
from tapctl.render.screen import Screen
from tapctl.safety.redaction import hide_paths_within
from tapctl.session.session import Session
from tapctl.stack.provenance import Provenance
from tapctl.stack.waivers import covered_unnamed, waivers_of


def waivers_for(session: Session) -> tuple[Waiver, ...]:
    """The waivers that count for this environment today.

    Raises:
        ConfigError: the file of waivers breaks a rule.
    """
    return tuple(one for one in _all(session) if one.until >= today().isoformat())


def _all(session: Session) -> tuple[Waiver, ...]:
    folder, may_be = session.invocation.config, may_be_unnamed(session)
    waivers = waivers_of(folder, session.target.env, known_environments(folder), today())
    return tuple(replace(one, may_be=may_be) for one in waivers)


def may_be_unnamed(session: Session) -> Spares:
    """Tell which values a waiver covers that names none: as `covered_unnamed`."""

    @cache
    def files() -> Provenance:
        usable = not isinstance(session.loaded, ConfigError)
        config = session.config if usable else any_files(session.target.env, session.names, {})
        return Provenance(config, session.suffix)

    def may_be(address: str, path: str, live: Any) -> bool:
        return covered_unnamed(path, may_be=lambda: files().may_be(address, path, live))

    return may_be


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
    idle: dict[Waiver, str] = field(default_factory=dict)
    """Why one covers nothing, where a look tells that."""
    resting: set[Waiver] = field(default_factory=set)
    """Those of what is destroyed: it may be made again."""

    def count(self, session: Session, findings: Iterable[Finding]) -> None:
        """Take in one look, at a whole environment."""
        self.looks += 1
        waivers = set(_all(session))
        counting = set(waivers_for(session))
        self.known |= counting
        self.ended |= waivers - counting
        findings = tuple(findings)
        self.used |= _used(counting, findings)
        self.idle |= {one: why for one in counting if (why := _why_idle(one, findings))}

    def count_destroyed(self, session: Session) -> None:
        """Take in one look at an environment of which nothing is deployed: no waiver could match, and none is idle."""
        self.looks += 1
        self.resting |= {one for one in _all(session) if EVERY not in one.address and _may_be_here(session, one)}

    def warn(self, screen: Screen, *, looks: int) -> None:
        """Say which waivers have ended, and, where none of the ``looks`` failed, which covered nothing in any."""
        for one in sorted(self.ended, key=_order):
            screen.warn(_ended(one))
        for one in sorted(self.known - self.used - self.resting, key=_order) if self.looks == looks else ():
            screen.warn(f"{_place(one)} matches nothing in what was looked at{self.idle.get(one, '')}")


def warn_of_idle_waivers(session: Session, findings: Iterable[Finding]) -> None:
    """Say which waivers cover nothing here, or have ended: somebody believes in them.

    One by a name that another environment or copy may have is judged by a look at that one.
    """
    warn_of_ended_waivers(session)
    findings, waivers = tuple(findings), waivers_for(session)
    used = _used(waivers, findings)
    for one in waivers:
        if one in used:
            continue
        if _may_be_here(session, one):
            session.screen.warn(f"{_place(one)} matches nothing here{_why_idle(one, findings)}")
        elif session.suffix == session.target.env and not _may_be_elsewhere(session, one):
            session.screen.warn(f"{_place(one)} matches nothing: no environment that is known has such a name")


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


def _may_be_elsewhere(session: Session, waiver: Waiver) -> bool:
    """True if an environment that has a file, or a copy that the state knows, may have the name, or none can tell."""
    try:
        suffixes = {*session.store.suffixes(), *known_environments(session.invocation.config)}
    except TapctlError:
        return True
    type_, _, id_ = waiver.address.partition("/")
    aws = session.aws
    return any(Names(each, aws.account, aws.region, aws.partition).may_have(type_, id_) for each in suffixes)


def _why_idle(waiver: Waiver, findings: Collection[Finding]) -> str:
    """The reason: the item has details, the value is to be named, or an earlier tapctl wrote this of what is gone."""
    if _has_grown(waiver, findings):
        return (
            f': live = "{waiver.live}" is there with more, which decides what it opens; waive that, and take this out'
        )
    if waiver.live is None and any(waiver.is_about(one.address, one.field) for one in findings if one.may_be_waived):
        return ": a waiver has to name what is there (live)"
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
    return f"the waiver of {waiver.field} of {hide_paths_within(waiver.address)} ({waiver.owner})"
