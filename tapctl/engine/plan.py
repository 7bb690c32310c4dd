"""What a plan is made of: each change with its cost, and why it must not be where it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from tapctl.engine import refs
from tapctl.engine.model import Impact, Pending
from tapctl.engine.record import Entry
from tapctl.errors import TapctlError

AFTER_APPLY = "(known after apply)"


class Action(IntEnum):
    """What is to be done, by severity: an apply may do less than its plan, never more."""

    NOTHING = 0
    SETTLE = 1
    UPDATE = 2
    CREATE = 3
    REPLACE = 4
    DELETE = 5


@dataclass(frozen=True)
class FieldChange:
    """One field's change. ``outside``: the live value was changed outside tapctl, and apply will undo that."""

    path: str
    have: Any
    want: Any
    impact: Impact = Impact.NONE
    outside: bool = False
    until: str = ""
    """What it waits for after it was accepted: it is deferred until then; empty: it is in force at once."""

    @property
    def cost(self) -> str:
        """What it costs, or until when it is put off, in a word."""
        return f"deferred until {self.until}" if self.until else self.impact.word


@dataclass(frozen=True)
class Change:
    """What is to be done with one resource, and why it must not be where it must not."""

    address: str
    type: str
    id: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    impact: Impact = Impact.NONE
    pending: Mapping[str, Pending] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    foreign_members: tuple[str, ...] = ()
    """Residents that are not ours: reported, never touched."""
    note: str = ""
    removed_outside: bool = False
    """It was made and recorded, and somebody has removed it: apply will make it again."""
    adopts: bool = False
    """It is somebody else's, and is taken over."""
    reboots: bool = False
    """It is rebooted, to put in force what waits for that."""
    blocked: TapctlError | None = None

    @property
    def outside(self) -> bool:
        """Whether apply would undo a change made outside tapctl."""
        return self.removed_outside or any(one.outside for one in self.fields)


@dataclass(frozen=True)
class Plan:
    """All changes in the stack's order, removals last; and what the look already proved."""

    changes: tuple[Change, ...]
    outputs: refs.KnownOutputs
    confirmed: tuple[Entry, ...]
    """Entries for what needs nothing and is missing or differs in the record: written at once, without a call."""
    forgotten: tuple[str, ...]
    """Recorded addresses of what is wanted no longer and is gone already."""

    def to(self, *actions: Action) -> tuple[Change, ...]:
        """The changes with one of these actions."""
        return tuple(one for one in self.changes if one.action in actions)

    @property
    def blocked(self) -> tuple[Change, ...]:
        """What must not be done."""
        return tuple(one for one in self.changes if one.blocked is not None)

    @property
    def work(self) -> tuple[Change, ...]:
        """What an apply executes: everything but NOTHING."""
        return tuple(one for one in self.changes if one.action is not Action.NOTHING)

    @property
    def is_empty(self) -> bool:
        """Nothing to create, change or remove."""
        return not self.to(Action.UPDATE, Action.CREATE, Action.REPLACE, Action.DELETE)
