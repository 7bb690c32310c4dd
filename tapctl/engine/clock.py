"""Time as the engine uses it, so that a test can give it another."""

from __future__ import annotations

import random
import threading
import time
from typing import Protocol

from tapctl.errors import Patience

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0


class Clock(Protocol):
    """A clock that only goes forward, and a wait that a stop ends at once."""

    def now(self) -> float:
        """Seconds since some fixed moment."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let this much time pass, or less when ``stop`` is set."""


class WallClock:
    """The machine's own."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Really wait."""
        stop.wait(seconds)


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
