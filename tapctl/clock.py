"""Time as the engine uses it, so that a test can give it another."""

from __future__ import annotations

import threading
import time
from typing import Protocol


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


# Linux stops CLOCK_MONOTONIC (Python's time.monotonic) in a suspend, and has CLOCK_BOOTTIME, which goes on
# (clock_gettime(2)); on macOS it is time.monotonic that stops, and CLOCK_MONOTONIC goes on (clock_gettime(3)).
_GOES_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class BoottimeClock(WallClock):
    """Seconds since some fixed moment; nobody can set it, and sleep counts."""

    def now(self) -> float:
        """Seconds, those of a suspended machine included."""
        return time.clock_gettime(_GOES_ON)
