"""The values of a plan: each change with its cost, or the reason it must not be made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from tapctl.engine import refs
from tapctl.engine.diff import Difference
from tapctl.engine.model import Impact, Pending
from tapctl.engine.record import Entry
from tapctl.engine.waiver import Spares, spare_nothing
from tapctl.errors import TapctlError

AFTER_APPLY = "(known after apply)"


class Action(IntEnum):
    """The action on a resource, by severity: an apply may do less than its plan, never more."""

    NOTHING = 0
    SETTLE = 1
    UPDATE = 2
    CREATE = 3
    REPLACE = 4
    DELETE = 5


@dataclass(frozen=True)
class FieldChange:
    """The change of one field."""

    path: str
    have: Any
    want: Any
    impact: Impact = Impact.NONE
    outside: bool = False
    """True if the live value was changed outside tapctl, and apply will undo that."""
    until: str = ""
    """The event the accepted change is deferred until; empty if it is in force at once."""

    @property
    def cost(self) -> str:
        """The impact, or the event the change is deferred until, in a word."""
        return f"deferred until {self.until}" if self.until else self.impact.word

    def is_of(self, part: Difference) -> bool:
        """True if this change was planned for that difference."""
        if self.want == AFTER_APPLY:
            return part.path.partition(".")[0] == self.path
        same_item = self.want == part.want if part.item else True
        return (self.path, self.have) == (part.path, part.have) and same_item


@dataclass(frozen=True)
class LeftField:
    """A value that is not wanted, and that an apply leaves."""

    path: str
    have: Any
    allow_ends: bool
    """True if an apply that is given ``--allow`` takes it away; else only a person's command does."""
    waived: bool = False
    """True if it is left because of a waiver; then neither ends it."""
    lacks: Any = None
    """The item that is not put back into a set, where that is what is left."""
    newly: Any = None
    """The value that is wanted there since the last apply, which wanted another one."""


@dataclass(frozen=True)
class Change:
    """The planned action on one resource, or the reason it must not be taken."""

    address: str
    type: str
    id: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    impact: Impact = Impact.NONE
    pending: Mapping[str, Pending] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    foreign_members: tuple[str, ...] = ()
    """Addresses of members that are not ours: reported, never touched."""
    left: tuple[LeftField, ...] = ()
    """The differences that an apply leaves (`Reconciler.left_alone`, waivers)."""
    spares: Spares = spare_nothing
    """The further differences that are left as they are."""
    note: str = ""
    removed_outside: bool = False
    """True if the resource was made and recorded, and somebody has removed it: apply will make it again."""
    replaced: tuple[str, ...] = ()
    """The outputs that are not as recorded: somebody has put another resource in the place of ours."""
    allowed: bool = False
    """True if the user has named the resource with ``--allow``: what ``--allow`` ends is not left."""
    adopts: bool = False
    """True if the resource is somebody else's, and is taken over."""
    reboots: bool = False
    """True if the resource is rebooted, to put in force the values that wait for that."""
    heals: bool = False
    """True if nothing that uses the resource can be judged before this change (`Reconciler.healing_fields`)."""
    gave_up: bool = False
    """True if the action is blocked since the resource has failed."""
    waits: bool = False
    """True if the action is blocked, and may be judged otherwise once what the resource needs is healed."""
    blocked: TapctlError | None = None
    """The reason the action must not be taken; None if it may."""

    @property
    def fails_over(self) -> bool:
        """True if another resource serves in its place while it is changed."""
        return self.action is Action.UPDATE and any(field.impact is Impact.FAILOVER for field in self.fields)

    @property
    def outside(self) -> bool:
        """True if the resource was changed outside tapctl: apply would undo that, or take what was put in its place."""
        return self.removed_outside or bool(self.replaced) or any(field.outside for field in self.fields)


@dataclass(frozen=True)
class Plan:
    """All changes in the stack's order, removals last; and the facts that observing alone has proved."""

    changes: tuple[Change, ...]
    outputs: refs.KnownOutputs
    """Observed outputs by address, of the resources that are neither created nor replaced."""
    confirmed: tuple[Entry, ...]
    """Entries that are missing or differ in the record, of resources that need nothing: written without a call."""
    forgotten: tuple[str, ...]
    """Recorded addresses of resources that are wanted no longer and are gone already."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Tags by digest: the names that people have for images."""

    def to(self, *actions: Action) -> tuple[Change, ...]:
        """Select the changes with one of these actions."""
        return tuple(change for change in self.changes if change.action in actions)

    @property
    def blocked(self) -> tuple[Change, ...]:
        """The changes that must not be made."""
        return tuple(change for change in self.changes if change.blocked is not None)

    @property
    def healing(self) -> tuple[Change, ...]:
        """The changes to be made first, where what is blocked waits for them: it may be judged otherwise after them.

        Where all is blocked by something else (a name that a stranger holds), none is made.
        """
        waits = any(change.waits for change in self.changes)
        return tuple(change for change in self.changes if change.heals and waits)

    @property
    def work(self) -> tuple[Change, ...]:
        """The changes an apply executes: everything but NOTHING."""
        return tuple(change for change in self.changes if change.action is not Action.NOTHING)

    @property
    def impacts(self) -> dict[str, int]:
        """The number of resources on which each impact falls, blocked ones too, by `Impact.key`; the worst first."""
        counts: Counter[Impact] = Counter()
        for change in self.work:
            counts.update({change.impact, *(field.impact for field in change.fields if not field.until)})
        return {impact.key: counts[impact] for impact in reversed(Impact) if impact}

    @property
    def is_empty(self) -> bool:
        """True if nothing is to be created, changed or removed."""
        return not self.to(Action.UPDATE, Action.CREATE, Action.REPLACE, Action.DELETE)
