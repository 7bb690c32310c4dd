"""The time on the wall, which passes when a test says so or when the code under test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.support.clocks import VirtualClock


class FakeWallClock(VirtualClock):
    """A clock on which a wait in the main thread passes at once; any other thread sleeps until it is stopped."""

    def __init__(self, seconds: float = 1_000.0) -> None:
        super().__init__(seconds)
        self.each_wait: Callable[[], object] = lambda: None
        """Called after each wait in the main thread."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            stop.wait()
            return
        self.advance(seconds)
        self.each_wait()
