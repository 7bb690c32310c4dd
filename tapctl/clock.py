"""Clocks: time as the engine and the locks use it, so that a test can replace it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from typing import Protocol


def today() -> date:
    """Tell the day, in UTC: the same for everybody who looks at one moment."""
    return datetime.now(UTC).date()


class Clock(Protocol):
    """A clock that only goes forward, and a wait that a stop ends at once."""

    def now(self) -> float:
        """Tell the seconds since some fixed moment."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let these seconds pass, or fewer when ``stop`` is set."""


class WallClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Tell the seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait until the seconds have passed or ``stop`` is set."""
        stop.wait(seconds)


# Linux stops CLOCK_MONOTONIC (Python's time.monotonic) in a suspend, and has CLOCK_BOOTTIME, which goes on
# (clock_gettime(2)); on macOS it is time.monotonic that stops, and CLOCK_MONOTONIC goes on (clock_gettime(3)).
_GOES_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class BoottimeClock(WallClock):
    """A clock that nobody can set, and that counts the time the machine sleeps."""

    def now(self) -> float:
        """Tell the seconds since some fixed moment, those of a suspended machine included."""
        return time.clock_gettime(_GOES_ON)
