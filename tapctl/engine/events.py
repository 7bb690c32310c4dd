"""The events of an execution, as they happen: a closed union of values. Durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tapctl.engine.model import Retained
from tapctl.errors import TapctlError


class Result(StrEnum):
    """The outcome of one resource."""

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
    """Work on the resource has begun."""

    address: str


@dataclass(frozen=True)
class Progress:
    """The resource is being waited for: AWS's own status, and the awaited thing."""

    address: str
    status: str
    elapsed_s: float
    awaiting: str = ""
    usual_s: float = 0
    at_work: bool = False
    """True if AWS goes on with the resource, whether anybody waits or not."""


@dataclass(frozen=True)
class Released:
    """The outputs are known (creation), or the resource is going (deletion); it is not settled yet."""

    address: str


@dataclass(frozen=True)
class Finished:
    """The resource is there as wanted, or gone, or kept on purpose."""

    address: str
    result: Result
    elapsed_s: float
    retained: Retained | None = None
    """Until when and why the resource was kept, if it was."""
    note: str = ""
    unreadable: tuple[str, ...] = ()
    """The denied actions of fields that could not be read back."""
    subresources: tuple[str, ...] = ()
    """Addresses of recorded subresources that went with the resource."""
    left_behind: tuple[tuple[str, Retained], ...] = ()
    """The things that the resource has left on purpose, by address: a final snapshot."""

    @property
    def remark(self) -> str:
        """The text beside the result: until when the resource is kept and why, or the note."""
        return f"until {self.retained.until}: {self.retained.why}" if self.retained else self.note

    @property
    def accompanied_by(self) -> tuple[Finished, ...]:
        """The resources that ended together with this one, without a step of their own."""
        note = f"with {self.address}"
        gone = [Finished(address, self.result, self.elapsed_s, note=note) for address in self.subresources]
        left = [Finished(address, Result.KEPT, self.elapsed_s, retained) for address, retained in self.left_behind]
        return (*gone, *left)


@dataclass(frozen=True)
class Failed:
    """Work on the resource ended with an error."""

    address: str
    error: TapctlError
    elapsed_s: float
    status: str = ""
    at_work: bool = False
    """True if AWS goes on with the resource nevertheless."""


@dataclass(frozen=True)
class Detached:
    """The resource was left, because the run was asked to stop."""

    address: str
    status: str
    at_work: bool = False
    """True if AWS goes on with the resource."""


@dataclass(frozen=True)
class Skipped:
    """Work on the resource never began, because of these root causes (none: the run was asked to stop)."""

    address: str
    causes: tuple[str, ...]


Event = Started | Progress | Released | Finished | Failed | Detached | Skipped
