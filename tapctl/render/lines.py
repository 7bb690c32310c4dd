"""Progress where there is no terminal: one line a state change, and a sign of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from tapctl.engine.events import Event, Failed, Finished, Left
from tapctl.render.out import Out
from tapctl.render.tracker import Tracker

HEARTBEAT_S: Final = 30.0
"""So long nothing is said before the log is told what is still awaited; CI systems end what is silent."""


class LinesView:
    """Writes lines that a log can keep. The engine's own Progress, every 15 s at most, drives the heartbeat."""

    def __init__(self, err: Out, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.err = err
        self.clock = clock
        self.tracker: Tracker | None = None
        self.told = 0.0

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Remember what there is to do."""
        self.told = self.clock()
        self.tracker = Tracker(addresses, needs, self.told)

    def event(self, event: Event) -> None:
        """Tell a change; tell what is awaited where nothing was told for long."""
        tracker, now = self.tracker, self.clock()
        assert tracker is not None
        changed = tracker.take(event, now)
        if isinstance(event, Finished | Failed | Left):
            self.say(tracker.ended_row(event))
        elif changed:
            self.say(tracker.running_row(event.address, now))
        elif now - self.told >= HEARTBEAT_S and tracker.running:
            self.say(f"  still waiting, {tracker.count(now)}:")
            for one in tracker.running:
                self.say(tracker.running_row(one, now))

    def say(self, line: str) -> None:
        """A line on stderr; it counts as a sign of life."""
        self.told = self.clock()
        self.err.lines(line)

    def end(self) -> None:
        """Tell what was never begun."""
        if self.tracker is not None and self.tracker.skipped:
            self.say(self.tracker.skipped_line())
        self.tracker = None
