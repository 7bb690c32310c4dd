"""The poll loop of one resource: what all loops of a run share, and how long each kind of waiting may go on."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from tapctl.clock import Clock
from tapctl.engine.estimate import Durations
from tapctl.engine.events import Progress, Released
from tapctl.engine.model import Observed, Reconciler, Timing
from tapctl.engine.ownership import Claimant
from tapctl.engine.record import Entry
from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, NotConverged, NotYet, Patience, TapctlError

T = TypeVar("T")

PROPAGATION_S: Final = float(Patience.PROPAGATION.value or 0)
"""The longest time AWS may take until every read shows an accepted change."""


class Recorder(Protocol):
    """The journal as the engine needs it: each call returns when the record is durable."""

    def put(self, *entries: Entry) -> None:
        """Record these entries."""

    def drop(self, *addresses: str) -> None:
        """Forget the entries at these addresses."""


class Cancelled(Exception):  # a way out of the loops, no error
    """Raised to leave a loop because the run was asked to stop; AWS goes on with what it has accepted."""


@dataclass
class EngineContext:
    """The values shared by all loops of one run."""

    aws: Any
    claimant: Claimant
    journal: Recorder
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    lease: Callable[[], None] = lambda: None
    """Called right before every changing call; raises when somebody else has taken the lock over."""
    hurried: bool = False
    """True for an AWS in which time passes faster."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Outputs by address, as they become known."""
    durations: Durations = field(default_factory=Durations)
    """The durations of earlier runs, which tell what is usual."""


Emit = Callable[[Released | Progress], None]


@dataclass
class Poller:
    """The clocks of one resource's loop: how long each kind of waiting has gone on. All times in seconds."""

    address: str
    context: EngineContext
    emit: Emit
    timing: Timing
    usual_s: float
    started: float = 0
    last_call_at: float = 0
    refusal: NotYet | None = None
    """The last NotYet, if nothing has happened since."""
    refused_since: float = 0
    lost_since: float | None = None
    status: str = ""
    at_work: bool = False
    """True if AWS was at work on the resource when it was last observed."""
    awaiting: str = ""
    """The last reason to wait."""
    _told: tuple[str, bool] = ("", False)
    """The status and whether AWS was at work, as last emitted."""

    def __post_init__(self) -> None:
        self.started = self.last_call_at = self.context.clock.now()

    @property
    def now(self) -> float:
        """Seconds on the run's clock."""
        return self.context.clock.now()

    @property
    def elapsed(self) -> float:
        """Seconds since work on this resource began."""
        return self.now - self.started

    def drive(
        self,
        observe: Callable[[], Observed[Any, Any] | None],
        act: Callable[[Observed[Any, Any] | None], T | None],
        *,
        absent: str,
    ) -> T:
        """Observe and act in turns, until ``act`` returns a result. ``absent``: the status of an absent resource.

        ``act`` takes at most one step, and pauses where it takes none.

        Raises:
            Cancelled: the run was asked to stop.
            NotConverged: a wait took longer than it may.
            AwsError: AWS said no, or no answer came for the propagation time.
        """
        try:
            while True:
                result = self._turn(observe, act, absent)
                if result is not None:
                    return result
        except TapctlError:
            # The state as it was seen last, which may be another one than that of the last wait.
            if self._told not in {("", False), (self.status, self.at_work)}:
                self._emit()
            raise

    def _turn(
        self,
        observe: Callable[[], Observed[Any, Any] | None],
        act: Callable[[Observed[Any, Any] | None], T | None],
        absent: str,
    ) -> T | None:
        self.check()
        try:
            seen = observe()
        except AwsNoAnswer as error:
            self.read_failed(error)
            return None
        self.observed(seen, absent)
        try:
            return act(seen)
        except NotYet as answer:
            self.not_yet(answer)
        except AwsNoAnswer as error:
            self.call_failed(error)
        return None

    def check(self) -> None:
        """Leave when asked to; fail when AWS has had all the time it may take.

        Raises:
            Cancelled: the run was asked to stop.
            NotConverged: the time is over.
        """
        if self.context.stop.is_set():
            raise Cancelled
        waited = self.now - self.last_call_at
        if waited > self.timing.longest_s:
            reason = self.refusal.reason if self.refusal else self.awaiting or "AWS has not finished"
            raise self.too_long(reason, waited)

    def call_made(self) -> None:
        """Start the wait for a step that AWS accepted."""
        self.last_call_at = self.now
        self.reset_refusal()

    def reset_refusal(self) -> None:
        """Reset the refusal timer: a later NotYet has its full patience again."""
        self.refusal = None

    def observed(self, seen: Observed[Any, Any] | None, absent: str) -> None:
        """Note an answered read; ``absent``: the status of a resource that is not there."""
        self.lost_since = None
        self.status = seen.status if seen else absent
        self.at_work = seen is not None and (not seen.settled or (seen.deleting and seen.retained is None))

    def pause(self, awaiting: str) -> None:
        """Wait for the next observation."""
        first = FIRST_PAUSE_S if self.context.hurried else self.timing.first_look_s
        self._wait(pause_before_observe(self.now - self.last_call_at, first), awaiting)

    def read_failed(self, error: AwsNoAnswer) -> None:
        """Wait after a read without an answer, which observed nothing; reads may fail for the propagation time."""
        if self.lost_since is None:
            self.lost_since = self.now
        if self.now - self.lost_since > PROPAGATION_S:
            raise error
        self._wait(pause_before_observe(self.now - self.lost_since), f"no answer from AWS ({error.aws_code})")

    def leftovers_remain(self) -> None:
        """Note that AWS is still at work on the leftovers of a resource that is gone."""
        self.at_work = True

    def not_yet(self, answer: NotYet) -> None:
        """Wait after a step that was not possible yet and changed nothing, for as long as its patience lasts.

        Raises:
            AwsRefused: the refusal that was taken for "not yet" was final: a wrong policy is told as one, and not as a
                time-out.
            NotConverged: the time is over.
        """
        if self.refusal is None or self.refusal.patience is not answer.patience:
            self.refused_since = self.now
        self.refusal = answer
        waited = self.now - self.refused_since
        if waited > patience_limit(answer.patience, self.timing.longest_s):
            refusal = answer.__cause__
            if isinstance(refusal, AwsRefused) and answer.patience is not Patience.LONG:
                refusal.evidence = (
                    f"AWS has said so for {waited:.0f} s, longer than that passes by itself: {answer.reason}"
                )
                raise refusal
            raise self.too_long(answer.reason, waited)
        self._wait(pause_before_step(waited), _told(answer, waited))

    def too_long(self, reason: str, waited_s: float) -> NotConverged:
        """Make the error of a wait that took too long."""
        return NotConverged(
            f"{self.address} did not get there in time",
            evidence=f"{reason}; this was so for {waited_s:.0f} s; AWS's last word: {self.status or 'none'}",
            hint="run the same command again: it continues from here",
        )

    def call_failed(self, error: AwsNoAnswer) -> None:
        """Wait after a step without an answer, which may have taken effect: the next observation tells."""
        if error.throttled:
            self.not_yet(NotYet(f"AWS is throttling: {error}", Patience.BUSY))
        else:
            self.not_yet(NotYet(f"no answer from AWS: {error}", Patience.PROPAGATION))

    def _wait(self, seconds: float, awaiting: str) -> None:
        self.awaiting = awaiting
        self._emit()
        self.context.clock.wait(seconds, self.context.stop)

    def _emit(self) -> None:
        self._told = (self.status, self.at_work)
        self.emit(Progress(self.address, self.status, self.elapsed, self.awaiting, self.usual_s, self.at_work))


_USUAL_PROPAGATION_S: Final = 30.0


def _told(answer: NotYet, waited_s: float) -> str:
    """The reason to wait; after longer than is usual with AWS's own sentence and the end: the refusal may be final."""
    if answer.patience is not Patience.PROPAGATION or waited_s <= _USUAL_PROPAGATION_S:
        return answer.reason
    said = f"AWS: {answer.__cause__.message}; " if isinstance(answer.__cause__, AwsRefused) else ""
    return f"{answer.reason} (longer than usual; {said}given up after {PROPAGATION_S:.0f} s)"


def with_last_event(error: NotConverged, reconciler: Reconciler[Any, Any], aws: Any, id: str) -> NotConverged:
    """Add AWS's last event about the resource to the error, where there is one and it is not quoted yet."""
    try:
        event = reconciler.last_event(aws, id)
    except AwsError:
        # The error that is being explained matters more.
        event = ""
    evidence = error.evidence or ""
    if event and event not in evidence:
        error.evidence = f"{evidence}\nAWS's last event: {event}"
    return error


def aws_failure(address: str, seen: Observed[Any, Any]) -> NotConverged:
    """Make the error of a resource or an update that AWS gave up, with AWS's reason."""
    return NotConverged(
        f"{address} failed in AWS",
        evidence=f"AWS says: {seen.failure or seen.update_failure}",
        hint="remove the cause, then run the same command again",
    )


FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 15.0


def pause_before_observe(waited_s: float, first_s: float = FIRST_PAUSE_S) -> float:
    """Seconds until the next observation: never more than 5 % late, never more than 15 s, and never all at once.

    ``first_s``: the shortest pause.
    """
    return min(max(first_s, 0.05 * waited_s), LONGEST_PAUSE_S) * _jitter()


def pause_before_step(waited_s: float) -> float:
    """Seconds until a step that was refused with NotYet is tried again."""
    return min(max(1.0, 0.1 * waited_s), LONGEST_PAUSE_S) * _jitter()


def _jitter() -> float:
    return random.uniform(0.9, 1.0)  # noqa: S311 -- spreads calls in time, guards nothing


def patience_limit(patience: Patience, longest_s: float) -> float:
    """Seconds for which a NotYet of this patience is believed."""
    return longest_s if patience is Patience.LONG else float(patience.value or 0)
