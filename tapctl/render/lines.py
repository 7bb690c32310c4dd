"""Progress where there is no terminal: one line a state change, and a sign of life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from tapctl.engine.events import Detached, Event, Failed, Finished
from tapctl.render.out import OutputStream
from tapctl.render.tracker import ProgressTracker

HEARTBEAT_S: Final = 30.0
"""So long nothing is said before the log is told what is still awaited; CI systems end what is silent."""
_LATE: Final = 0.01
"""Where nothing runs that could be told: after this part of the heartbeat it is looked again."""


class LinesView:
    """Writes lines that a log can keep. A thread of its own gives the sign of life: a call may hang for a minute."""

    def __init__(
        self, err: OutputStream, *, clock: Callable[[], float] = time.monotonic, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self.err = err
        self.clock = clock
        self.heartbeat_s = heartbeat_s
        self.tracker: ProgressTracker | None = None
        self.told = 0.0
        self._over = threading.Event()
        self._turn = threading.RLock()

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Remember what there is to do."""
        with self._turn:
            self.told = self.clock()
            self.tracker = ProgressTracker(addresses, needs, self.told)
            self._over = threading.Event()
        threading.Thread(target=self._live, args=(self._over,), daemon=True).start()

    def event(self, event: Event) -> None:
        """Tell a change, and an end."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            assert tracker is not None
            changed = tracker.apply(event, now)
            if isinstance(event, Finished | Failed | Detached):
                self.say(tracker.ended_row(event))
            elif changed:
                self.say(tracker.running_row(event.address, now))

    def beat(self) -> None:
        """Tell what is awaited, where nothing was told for long."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            if tracker is None or not tracker.running or now - self.told < self.heartbeat_s:
                return
            self.say(f"  still waiting, {tracker.count(now)}:")
            for one in tracker.running:
                self.say(tracker.running_row(one, now))

    def say(self, line: str) -> None:
        """A line on stderr; it counts as a sign of life."""
        with self._turn:
            self.told = self.clock()
            self.err.lines(line)

    def end(self) -> None:
        """Tell what was never begun."""
        self._over.set()
        with self._turn:
            if self.tracker is not None and self.tracker.skipped:
                self.say(self.tracker.skipped_line())
            self.tracker = None

    def _live(self, over: threading.Event) -> None:
        while not over.wait(max(self.told + self.heartbeat_s - self.clock(), self.heartbeat_s * _LATE)):
            self.beat()
