"""The engine's clock in tests: waits pass at once, and the clock shows that they passed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class VirtualClock:
    """Starts at 0; waits advance it at once; any thread may."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self._alarms: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float, stop: threading.Event) -> None:
        assert seconds > 0, "a wait of no time is a busy loop"
        with self._lock:
            self.waits.append(seconds)
            self.seconds += 0.0 if stop.is_set() else seconds
        for due, act in [alarm for alarm in self._alarms if alarm[0] <= self.seconds]:
            self._alarms.remove((due, act))
            act()

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Do this when that moment has come."""
        self._alarms.append((moment, act))
