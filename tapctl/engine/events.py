"""What an execution tells, as it happens: a closed union of values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tapctl.engine.model import Retained
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
    at_work: bool = False
    """AWS goes on with it, whether anybody waits or not."""


@dataclass(frozen=True)
class Released:
    """Its outputs are known (building), or it is going (removing); it is not settled yet."""

    address: str


@dataclass(frozen=True)
class Ending:
    """How the work on one resource ended: what was done, why it was kept, and what could not be read back."""

    result: Result
    retained: Retained | None = None
    unreadable: tuple[str, ...] = ()
    """The denied actions of fields that could not be read back."""
    subresources: tuple[str, ...] = ()
    """Recorded facets that went with it."""
    left_behind: tuple[tuple[str, Retained], ...] = ()
    """What it has left on purpose, by address: a final snapshot."""


@dataclass(frozen=True)
class Finished:
    """It is there as wanted, or gone, or kept on purpose. Seconds."""

    address: str
    result: Result
    elapsed_s: float
    retained: Retained | None = None
    note: str = ""
    unreadable: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    left_behind: tuple[tuple[str, Retained], ...] = ()

    @property
    def remark(self) -> str:
        """What is said of it beside its result: until when it is kept and why, or the note."""
        return f"until {self.retained.until}: {self.retained.why}" if self.retained else self.note

    @property
    def accompanied_by(self) -> tuple[Finished, ...]:
        """What ended with it, without a step of its own."""
        gone = [Finished(here, self.result, self.elapsed_s, note=f"with {self.address}") for here in self.subresources]
        left = [Finished(here, Result.KEPT, self.elapsed_s, kept) for here, kept in self.left_behind]
        return (*gone, *left)


@dataclass(frozen=True)
class Failed:
    """It ended with an error. Seconds."""

    address: str
    error: TapctlError
    elapsed_s: float
    status: str = ""
    at_work: bool = False
    """AWS goes on with it nevertheless."""


@dataclass(frozen=True)
class Detached:
    """It was left, because we were asked to stop."""

    address: str
    status: str
    at_work: bool = False
    """AWS goes on with it."""


@dataclass(frozen=True)
class Skipped:
    """It was never begun, because of these root causes (none: we were asked to stop)."""

    address: str
    causes: tuple[str, ...]


Event = Started | Progress | Released | Finished | Failed | Detached | Skipped
