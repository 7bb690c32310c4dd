"""What any call may meet: throttled, failed, lost before or after it took effect; on demand or by chance.

By chance means by a seed: the nth call of an operation meets the same whatever runs beside it.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.rules import Fault
from tapctl.sandbox.emulator.wire import Answer, Asked

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# How each service says "slow down" (each service's API reference, "Common errors"); the others say Throttling.
_THROTTLED: Final = {
    "ec2": "RequestLimitExceeded",
    "ecr": "ThrottlingException",
    "kms": "ThrottlingException",
    "lambda": "TooManyRequestsException",
    "logs": "ThrottlingException",
    "resourcegroupstaggingapi": "ThrottledException",
    "secretsmanager": "ThrottlingException",
    "sns": "Throttled",
    "ssm": "ThrottlingException",
}


class Hiccup(Enum):
    """What a call meets."""

    THROTTLED = "throttled"
    FAILED = "failed"
    """A server error, and nothing was done."""
    UNAVAILABLE = "unavailable"
    """As above, by 503."""
    UNHEARD = "unheard"
    """The connection breaks before the call takes effect."""
    HELD = "held"
    """No answer for longer than a client waits, and nothing was done."""
    UNANSWERED = "unanswered"
    """The connection breaks after the call took effect."""
    HELD_AFTER = "held after it was done"
    FAILED_AFTER = "failed after it was done"


_DONE: Final = frozenset({Hiccup.UNANSWERED, Hiccup.HELD_AFTER, Hiccup.FAILED_AFTER})
_HELD: Final = frozenset({Hiccup.HELD, Hiccup.HELD_AFTER})


class Hiccups:
    """Which calls meet what. ``shares``: of all calls; ``held_s``: seconds until a call that is held is cut off."""

    def __init__(self, shares: Mapping[Hiccup, float] | None = None, *, seed: int = 0, held_s: float = 30.0) -> None:
        self.shares, self.seed, self.held_s = dict(shares or {}), seed, held_s
        self._turn = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._next: defaultdict[str, deque[Hiccup]] = defaultdict(deque)

    def next(self, name: str, *kinds: Hiccup) -> None:
        """The next calls of this operation (``service:Operation``) meet these, one each."""
        with self._turn:
            self._next[name].extend(kinds)

    def meet(self, asked: Asked, environ: WSGIEnvironment, proceed: Callable[[], Answer]) -> Answer:
        """Serve one call, or let it meet what it has to."""
        hiccup = self._draw(f"{asked.service}:{asked.operation.name}")
        if hiccup is None:
            return proceed()
        if hiccup in _DONE:
            proceed()
        if hiccup in _HELD:
            time.sleep(self.held_s)
        if hiccup is Hiccup.THROTTLED:
            return wire.written(asked, Fault(_THROTTLED.get(asked.service, "Throttling"), "Rate exceeded"))
        if hiccup is Hiccup.UNAVAILABLE:
            return wire.written(asked, Fault("ServiceUnavailable", "Service is unavailable. Please try again."))
        if hiccup in (Hiccup.FAILED, Hiccup.FAILED_AFTER):
            return wire.written(asked, Fault("InternalFailure", "We encountered an internal error. Please try again."))
        raise _hung_up(environ)

    def _draw(self, name: str) -> Hiccup | None:
        with self._turn:
            self._counts[name] += 1
            if self._next[name]:
                return self._next[name].popleft()
            left = random.Random(f"{self.seed} {name} {self._counts[name]}").random()  # noqa: S311  # guards nothing
            for hiccup, share in self.shares.items():
                left -= share
                if left < 0:
                    return hiccup
            return None


def _hung_up(environ: WSGIEnvironment) -> ConnectionResetError:
    """Break the connection off; what the server takes for the client's own hanging up."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()
