"""How time passes in the embedded AWS, and what is to go wrong in it on demand.

Rules count in AWS's own seconds. ``scale`` is how long one of them lasts by the given clock: 1 is life as it is, 1/300
shows a cluster's three minutes in a little more than half a second, and 0 leaves no time between any two moments.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Final

from tapctl.sandbox.emulator.rules import kept

GENTLE: Final = 1 / 200
"""The scale of ``--sandbox``. A cluster's three minutes pass within a second, so that things are seen at work, and the
25 minutes of Lambda's network interfaces within eight. What shows late (20 s at most) has shown at the next command.
"""

# Where nothing takes time, any two looks at the clock are further apart than anything lasts: three years. They are long
# before those of a clock that runs, so that an AWS may be furnished in no time and then come to life; and whichever
# clock counts them they go on.
_EON_S: Final = 1e8
_EONS: Final = itertools.count(-10_000_000)


class Life:
    """AWS's clock. What it keeps of a thing goes with the thing; `reset` forgets what was demanded."""

    def __init__(self, now: Callable[[], float] = time.monotonic, scale: float = 0.0) -> None:
        self._now = now
        self.scale = scale
        self._demands: defaultdict[str, deque[str]] = defaultdict(deque)
        self._turn = threading.Lock()

    def now(self) -> float:
        """AWS seconds since some moment."""
        return self._now() / self.scale if self.scale else next(_EONS) * _EON_S

    # -- what has happened to one thing ------------------------------------------------------------------------------

    def begin(self, thing: Any, event: str) -> None:
        """The event happens to one of moto's objects now."""
        kept(thing).setdefault("events", {})[event] = self.now()

    def since(self, thing: Any, event: str) -> float:
        """AWS seconds since it last happened; without end where it never did."""
        events: dict[str, float] = kept(thing).get("events", {})
        return self.now() - events[event] if event in events else math.inf

    def after(self, thing: Any, event: str, seconds: float) -> bool:
        """Whether this much time has passed since, or it never happened."""
        return self.since(thing, event) >= seconds

    # -- what is to happen -------------------------------------------------------------------------------------------

    def demand(self, name: str, *outcomes: str) -> None:
        """The next things of this name (``rds.cluster``, ``lambda.create``) come to these ends, one each."""
        with self._turn:
            self._demands[name].extend(outcomes)

    def demanded(self, name: str) -> str:
        """The end the next thing of this name is to come to; empty: its usual one."""
        with self._turn:
            return self._demands[name].popleft() if self._demands[name] else ""

    def reset(self) -> None:
        """Nothing is demanded any more."""
        with self._turn:
            self._demands.clear()
