"""Permits: the steps that an apply takes only where the user names them, each held against what this stack has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tapctl.config.types import did_you_mean
from tapctl.engine.plan import Plan
from tapctl.engine.record import Entry, Phase
from tapctl.errors import UsageError
from tapctl.manifest.manifest import Manifest
from tapctl.session.session import Session
from tapctl.stack.definition import planned_addresses


@dataclass(frozen=True)
class Permits:
    """The steps that an apply takes only where the user names them."""

    adopted: tuple[str, ...] = ()
    """Addresses of resources that are not ours and are taken over, or the one word ``all``."""
    allowed: tuple[str, ...] = ()
    """Addresses of resources that may lose data, be removed although they hold data, or get a new major version, or of
    which nothing is left alone that an apply can end."""
    reboot: bool = False
    """True if instances whose parameters wait for it are rebooted."""
    restore: str = ""
    """The snapshot that a cluster which is not there is made from."""
    empty: bool = False
    """True if a cluster which is not there is made without data, although one was there, or a snapshot of it is."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that give them on a command line."""
        named = {"--adopt": self.adopted, "--allow": self.allowed}
        return (
            *(word for option, addresses in named.items() for address in addresses for word in (option, address)),
            *(("--reboot",) if self.reboot else ()),
            *(("--restore", self.restore) if self.restore else ()),
            *(("--empty",) if self.empty else ()),
        )


NO_PERMITS: Final = Permits()
ADOPT_ALL: Final = "all"
"""The word in place of an address: every resource of ours whose owner tags automation has overwritten."""


def check_allowed(session: Session, allowed: tuple[str, ...], manifest: Manifest) -> None:
    """Make sure that each address that is permitted is one that this stack can have: a slip must not pass for it.

    Raises:
        UsageError: it is no address of anything that this suffix can have.
    """
    for address in allowed:
        type_, _, id_ = address.partition("/")
        if not session.names.may_have(type_, id_):
            known = {*manifest.entries, *planned_addresses(session.config, session.suffix)}
            raise UsageError(
                f"--allow {address} names nothing that {session.suffix} can have{did_you_mean(address, sorted(known))}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )


def check_adopted(session: Session, adopted: tuple[str, ...], wanted: Collection[str]) -> None:
    """Make sure that each address to be taken over is one of the stack's: a slip must not pass for a permission.

    Raises:
        UsageError: it is no address of this stack.
    """
    for address in adopted:
        if address not in (ADOPT_ALL, *wanted):
            raise UsageError(
                f"--adopt {address} names nothing that this stack has{did_you_mean(address, wanted)}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )


def warn_of_unneeded(
    session: Session, allowed: tuple[str, ...], plan: Plan, without: Plan, entries: Mapping[str, Entry]
) -> None:
    """Warn of each permit that changes nothing of the plan; ``without``: the same plan without any.

    That is no error: an earlier run of the same command, which was cut off, may have made that change already.
    ``entries``: the record's, which may keep a resource that nothing can remove yet.
    """
    planned, before = ({change.address: change for change in each.changes} for each in (plan, without))
    for address in allowed:
        change = planned.get(address)
        entry = entries.get(address)
        if change is None and entry is not None and entry.phase is Phase.KEPT and address not in plan.forgotten:
            session.screen.warn(f"--allow {address}: it is kept until {entry.kept_until}: {entry.kept_why}")
        elif change is None:
            near = did_you_mean(address, sorted(planned))
            session.screen.warn(f"--allow {address}: there is no such thing, or it is gone already{near}")
        elif change.blocked is None and replace(change, allowed=False) == before[address]:
            session.screen.warn(f"--allow {address}: nothing that is planned of it needs that")
