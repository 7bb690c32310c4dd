"""The waits of an execution, as spans: from one state of a resource to the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tapctl.engine.events import Event, Progress, Released, Started
from tapctl.render.screen import Span


@dataclass
class Waits:
    """The state that each resource is in, since when; all times in seconds on ``clock``."""

    origin: float
    """The time from which spans are reckoned."""
    clock: Callable[[], float] = time.monotonic
    states: dict[str, tuple[str, float]] = field(default_factory=dict)

    def after(self, event: Event) -> list[Span]:
        """Take in one event; the wait that is over with it, if one is."""
        if isinstance(event, Started | Released):
            return []
        now, (phase, since) = self.clock(), self.states.pop(event.address, ("", 0.0))
        if isinstance(event, Progress):
            state = event.awaiting or event.status
            self.states[event.address] = (state, since if state == phase else now)
            if state == phase:
                return []
        if not phase:
            return []
        return [Span(event.address, phase, since - self.origin, now - self.origin, calls=0)]
