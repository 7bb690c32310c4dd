"""Waiting for a lock: for how long, and what the user is told meanwhile."""

from __future__ import annotations

import math
import threading

from tapctl.engine.clock import Clock
from tapctl.manifest.store import LockInfo, Notify

HEARTBEAT_S = 30.0
"""Somebody who waits is told for whom at least this often."""


class LockWait:
    """One who waits, up to ``wait_s`` seconds from now on."""

    def __init__(self, wait_s: float, clock: Clock, tell: Notify) -> None:
        self._wait_s, self._clock, self._tell = wait_s, clock, tell
        self._began = clock.now()
        self._for, self._told_at = "", -math.inf

    @property
    def over(self) -> bool:
        """The time is over."""
        return self._left_s() <= 0

    def pause(self, lock: LockInfo | None, longest_s: float) -> None:
        """Tell for whom we wait (at first, when it is another, and from time to time), and wait a while."""
        who, left = str(lock or "somebody who has left no name"), self._left_s()
        waited = self._wait_s - left
        if who != self._for or waited - self._told_at >= HEARTBEAT_S:
            self._for, self._told_at = who, waited
            self._tell(f"waiting for the lock, {waited:.0f} s of {self._wait_s:.0f} s: {who}")
        self._clock.wait(min(longest_s, max(left, 0)), threading.Event())

    def _left_s(self) -> float:
        return self._began + self._wait_s - self._clock.now()
