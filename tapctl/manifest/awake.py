"""A clock that goes on while the machine sleeps: a lease does not stop because a laptop's lid is closed."""

from __future__ import annotations

import time

from tapctl.engine.clock import WallClock

# Linux stops CLOCK_MONOTONIC (Python's time.monotonic) in a suspend, and has CLOCK_BOOTTIME, which goes on
# (clock_gettime(2)); on macOS it is time.monotonic that stops, and CLOCK_MONOTONIC goes on (clock_gettime(3)).
_GOES_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class BoottimeClock(WallClock):
    """Seconds since some fixed moment; nobody can set it, and sleep counts."""

    def now(self) -> float:
        """Seconds, those of a suspended machine included."""
        return time.clock_gettime(_GOES_ON)
