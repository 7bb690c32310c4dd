"""Simulated time of the emulated AWS, and scripted outcomes.

Rules count in AWS's own seconds. ``scale`` is the length of one of them by the given clock: 1 is real time, 1/300 shows
a cluster's three minutes in a little more than half a second, and 0 leaves no time between any two moments.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Final

DEFAULT_SCALE: Final = 1 / 200
"""The scale of ``--sandbox``. A cluster's three minutes pass within a second, so that resources are seen at work, and
the 25 minutes of Lambda's network interfaces within eight. Stale reads (20 s at most) are over by the next command.
"""

# At scale 0 any two readings of the clock are further apart than anything lasts: three years. They are long before
# those of a clock that runs, so that an AWS may be furnished in no time and started then; and they go on whichever
# clock counts them.
_EON_S: Final = 1e8
_EONS: Final = itertools.count(-10_000_000)


def notes_on(resource: Any) -> dict[str, Any]:
    """Return the emulator's own notes about one of moto's objects; they are lost with the object."""
    notes: dict[str, Any] = vars(resource).setdefault("emulator_notes", {})
    return notes


class Simulation:
    """AWS's clock and scripted outcomes. Marks belong to their resource; `reset` clears the scripts."""

    def __init__(self, now: Callable[[], float] = time.monotonic, scale: float = 0.0) -> None:
        self._now = now
        self.scale = scale
        self._scripts: defaultdict[str, deque[str]] = defaultdict(deque)
        self._lock = threading.Lock()

    def now(self) -> float:
        """AWS seconds since some moment."""
        return self._now() / self.scale if self.scale else next(_EONS) * _EON_S

    # -- past events of one resource ---------------------------------------------------------------------------------

    def mark(self, resource: Any, event: str) -> None:
        """Record that the event happens to one of moto's objects now."""
        notes_on(resource).setdefault("events", {})[event] = self.now()

    def since(self, resource: Any, event: str) -> float:
        """AWS seconds since the last such event; infinite if it never happened."""
        events: dict[str, float] = notes_on(resource).get("events", {})
        return self.now() - events[event] if event in events else math.inf

    def elapsed(self, resource: Any, event: str, seconds: float) -> bool:
        """Tell whether this much time has passed since the event, or it never happened."""
        return self.since(resource, event) >= seconds

    # -- outcomes to come --------------------------------------------------------------------------------------------

    def script(self, name: str, *outcomes: str) -> None:
        """Script the outcomes (``failed``, ``impaired`` …) of the next things of this name, one each.

        A name is ``rds.cluster``, ``lambda.create`` and the like.
        """
        with self._lock:
            self._scripts[name].extend(outcomes)

    def next_outcome(self, name: str) -> str:
        """Take the scripted outcome of the next thing of this name; empty: the usual one."""
        with self._lock:
            return self._scripts[name].popleft() if self._scripts[name] else ""

    def reset(self) -> None:
        """Clear all scripts."""
        with self._lock:
            self._scripts.clear()
