"""Time that passes when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable


class FakeClock:
    """Whoever waits in the main thread lets time pass; a lease's own thread sleeps until it is ended."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.each_wait: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            stop.wait()
            return
        self.time += seconds
        self.each_wait()
