"""What a resource's loop works with, and the guards every changing call passes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tapctl.clock import Clock
from tapctl.engine.events import Progress, Released
from tapctl.engine.model import Observed, Owner, Reconciler, Timing
from tapctl.engine.record import Entry
from tapctl.errors import AwsError, AwsNoAnswer, AwsRefused, NotConverged, NotYet, Patience


class Recorder(Protocol):
    """The journal as the engine needs it: each call returns when the record is durable."""

    def put(self, *entries: Entry) -> None:
        """Record these."""

    def drop(self, *addresses: str) -> None:
        """Forget these."""


class Cancelled(Exception):  # a way out of the loops, no error
    """We were asked to stop: leave, AWS goes on with what it has accepted."""


@dataclass
class EngineContext:
    """Shared by all loops of one run."""

    aws: Any
    owner: Owner
    journal: Recorder
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    lease: Callable[[], None] = lambda: None
    """Raises when somebody else has taken the lock over; asked right before every changing call."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Outputs by address, as they become known."""


Emit = Callable[[Released | Progress], None]


@dataclass
class Poller:
    """One resource's clocks: how long each kind of waiting has gone on."""

    address: str
    context: EngineContext
    emit: Emit
    timing: Timing
    usual_s: float
    started: float = 0
    last_call_at: float = 0
    refusal: NotYet | None = None
    """The last answer, where a step was refused since anything else happened."""
    refused_since: float = 0
    lost_since: float | None = None
    status: str = ""
    at_work: bool = False
    """AWS is at work on it, as was last seen."""
    awaiting: str = ""
    """What was last waited for."""

    def __post_init__(self) -> None:
        self.started = self.last_call_at = self.context.clock.now()

    @property
    def now(self) -> float:
        """Seconds on the run's clock."""
        return self.context.clock.now()

    @property
    def elapsed(self) -> float:
        """Seconds since this resource was begun."""
        return self.now - self.started

    def check(self) -> None:
        """Leave when asked to; end when AWS has had all the time it may take.

        Raises:
            Stopped: we were asked to stop.
            NotConverged: the time is over.
        """
        if self.context.stop.is_set():
            raise Cancelled
        waited = self.now - self.last_call_at
        if waited > self.timing.longest_s:
            raise self.too_long(
                self.refusal.reason if self.refusal else self.awaiting or "AWS has not finished", waited
            )

    def call_made(self) -> None:
        """A step was accepted: its waiting begins."""
        self.last_call_at = self.now
        self.reset_refusal()

    def reset_refusal(self) -> None:
        """Nothing is asked for: a step that is refused later is refused anew."""
        self.refusal = None

    def observed(self, seen: Observed[Any, Any] | None, absent: str) -> None:
        """A look was answered; ``absent``: the word for what is not there."""
        self.lost_since = None
        self.status = seen.status if seen else absent
        self.at_work = seen is not None and (not seen.settled or (seen.deleting and seen.retained is None))

    def pause(self, awaiting: str) -> None:
        """Wait for the next look."""
        self._wait(pause_before_observe(self.now - self.last_call_at), awaiting)

    def read_failed(self, error: AwsNoAnswer) -> None:
        """A look got no answer: it was no look. That may go on for the propagation time."""
        if self.lost_since is None:
            self.lost_since = self.now
        if self.now - self.lost_since > float(Patience.PROPAGATION.value or 0):
            raise error
        self._wait(pause_before_observe(self.now - self.lost_since), f"no answer from AWS ({error.aws_code})")

    def leftovers_remain(self) -> None:
        """It is gone, and AWS is still at work on what it has left."""
        self.at_work = True

    def not_yet(self, answer: NotYet) -> None:
        """A step was not possible yet, and changed nothing: ask again later, for as long as its kind is believed.

        Raises:
            AwsRefused: what was taken for "not yet" was a no: a wrong policy is told as one, not as a time-out.
            NotConverged: the time is over.
        """
        if self.refusal is None or self.refusal.patience is not answer.patience:
            self.refused_since = self.now
        self.refusal = answer
        waited = self.now - self.refused_since
        if waited > patience_limit(answer.patience, self.timing.longest_s):
            said = answer.__cause__
            if isinstance(said, AwsRefused) and answer.patience is not Patience.LONG:
                said.evidence = (
                    f"AWS has said so for {waited:.0f} s, longer than that passes by itself: {answer.reason}"
                )
                raise said
            raise self.too_long(answer.reason, waited)
        self._wait(pause_before_step(waited), answer.reason)

    def too_long(self, reason: str, waited_s: float) -> NotConverged:
        """The error of patience that ended."""
        return NotConverged(
            f"{self.address} did not get there in time",
            evidence=f"{reason}; this was so for {waited_s:.0f} s; AWS's last word: {self.status or 'none'}",
            hint="run the same command again: it continues from here",
        )

    def call_failed(self, error: AwsNoAnswer) -> None:
        """A step got no answer, and may have taken effect: look again, and where nothing shows ask again."""
        if error.throttled:
            self.not_yet(NotYet(f"AWS is throttling: {error}", Patience.BUSY))
        else:
            self.not_yet(NotYet(f"no answer from AWS: {error}", Patience.PROPAGATION))

    def _wait(self, seconds: float, awaiting: str) -> None:
        self.awaiting = awaiting
        self.emit(Progress(self.address, self.status, self.elapsed, awaiting, self.usual_s, self.at_work))
        self.context.clock.wait(seconds, self.context.stop)


def with_last_event(error: NotConverged, reconciler: Reconciler[Any, Any], aws: Any, id: str) -> NotConverged:
    """The error with what AWS last told of the thing, where it tells and has not been quoted yet."""
    try:
        told = reconciler.last_event(aws, id)
    except AwsError:
        # What is being explained matters more.
        told = ""
    evidence = error.evidence or ""
    if told and told not in evidence:
        error.evidence = f"{evidence}\nAWS's last event: {told}"
    return error


def aws_failure(here: str, seen: Observed[Any, Any]) -> NotConverged:
    """The error of what AWS itself has given up, with its own reason."""
    return NotConverged(
        f"{here} failed in AWS",
        evidence=f"AWS says: {seen.failure or seen.update_failure}",
        hint="remove the cause, then run the same command again",
    )


FIRST_PAUSE_S = 0.25


LONGEST_PAUSE_S = 15.0


def pause_before_observe(waited_s: float) -> float:
    """Seconds until the next look: never more than 5 % late, never more than 15 s, and never all at once."""
    return min(max(FIRST_PAUSE_S, 0.05 * waited_s), LONGEST_PAUSE_S) * _jitter()


def pause_before_step(waited_s: float) -> float:
    """Seconds until a step that was refused with NotYet is asked for again."""
    return min(max(1.0, 0.1 * waited_s), LONGEST_PAUSE_S) * _jitter()


def _jitter() -> float:
    return random.uniform(0.9, 1.0)  # noqa: S311 -- spreads calls in time, guards nothing


def patience_limit(patience: Patience, longest_s: float) -> float:
    """How many seconds a "not yet" of this kind is believed."""
    return longest_s if patience is Patience.LONG else float(patience.value or 0)
