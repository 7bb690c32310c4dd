"""What an execution tells, as it happens: a closed union of values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tapctl.errors import TapctlError


class Result(StrEnum):
    """How one resource ended."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    DELETED = "deleted"
    KEPT = "kept"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Started:
    """Work on it has begun."""

    address: str


@dataclass(frozen=True)
class Progress:
    """It is being waited for: AWS's own status, and what is awaited. Seconds."""

    address: str
    status: str
    elapsed_s: float
    awaiting: str = ""
    usual_s: float = 0


@dataclass(frozen=True)
class Known:
    """Its outputs are known (building), or it is going (removing); it is not settled yet."""

    address: str


@dataclass(frozen=True)
class Ending:
    """How the work on one resource ended: what was done, why it was kept, and what could not be read back."""

    result: Result
    note: str = ""
    unread: tuple[str, ...] = ()
    """The denied actions of fields that could not be read back."""


@dataclass(frozen=True)
class Finished:
    """It is there as wanted, or gone, or kept on purpose (``note`` says until when and why). Seconds."""

    address: str
    result: Result
    elapsed_s: float
    note: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """It ended with an error. Seconds."""

    address: str
    error: TapctlError
    elapsed_s: float
    status: str = ""


@dataclass(frozen=True)
class Left:
    """It was left while AWS is still at work, because we were asked to stop."""

    address: str
    status: str


@dataclass(frozen=True)
class Skipped:
    """It was never begun, because of these root causes (none: we were asked to stop)."""

    address: str
    causes: tuple[str, ...]


Event = Started | Progress | Known | Finished | Failed | Left | Skipped
