"""Faults that any call to the emulated AWS may meet: throttled, failed, lost before or after it took effect.

A test scripts them for the next calls of an operation, or lets a share of all calls meet them by a seed: the nth call
of an operation meets the same fault whatever runs beside it.
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
from tapctl.sandbox.emulator.rules import ServiceError
from tapctl.sandbox.emulator.services import SERVICES
from tapctl.sandbox.emulator.wire import HttpResponse, ParsedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_THROTTLING: Final = {service.name: service.throttling for service in SERVICES}


class Fault(Enum):
    """A kind of fault."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    """A 500, and nothing was done."""
    UNAVAILABLE = "unavailable"
    """A 503, and nothing was done."""
    REQUEST_LOST = "request lost"
    """The connection breaks before the call takes effect."""
    TIMEOUT = "timeout"
    """A silence for longer than a client waits, and nothing was done."""
    REPLY_LOST = "reply lost"
    """The connection breaks after the call took effect."""
    TIMEOUT_AFTER_EFFECT = "timeout after effect"
    SERVER_ERROR_AFTER_EFFECT = "server error after effect"


_AFTER_EFFECT: Final = frozenset({Fault.REPLY_LOST, Fault.TIMEOUT_AFTER_EFFECT, Fault.SERVER_ERROR_AFTER_EFFECT})
_TIMEOUTS: Final = frozenset({Fault.TIMEOUT, Fault.TIMEOUT_AFTER_EFFECT})
_SERVER_ERRORS: Final = frozenset({Fault.SERVER_ERROR, Fault.SERVER_ERROR_AFTER_EFFECT})


class FaultInjector:
    """Lets calls meet faults; to be put around a `Sandbox`'s calls.

    ``shares``: of all calls, by fault. ``timeout_s``: seconds after which a call that times out is cut off.
    """

    def __init__(self, shares: Mapping[Fault, float] | None = None, *, seed: int = 0, timeout_s: float = 30.0) -> None:
        self.shares, self.seed, self.timeout_s = dict(shares or {}), seed, timeout_s
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._scripted: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def script(self, name: str, *faults: Fault) -> None:
        """Let the next calls of this operation (``service:Operation``) meet these faults, one each."""
        with self._lock:
            self._scripted[name].extend(faults)

    def __call__(
        self, parsed: ParsedRequest, environ: WSGIEnvironment, serve: Callable[[], HttpResponse]
    ) -> HttpResponse:
        """Serve one call, or let it meet its fault."""
        fault = self._draw(f"{parsed.service}:{parsed.operation.name}")
        if fault is None:
            return serve()
        if fault in _AFTER_EFFECT:
            serve()
        if fault in _TIMEOUTS:
            time.sleep(self.timeout_s)
        if fault is Fault.THROTTLED:
            code = _THROTTLING.get(parsed.service, "Throttling")
            return wire.serialize(parsed, ServiceError(code, "Rate exceeded"))
        if fault is Fault.UNAVAILABLE:
            return wire.serialize(
                parsed, ServiceError("ServiceUnavailable", "Service is unavailable. Please try again.")
            )
        if fault in _SERVER_ERRORS:
            return wire.serialize(
                parsed, ServiceError("InternalFailure", "We encountered an internal error. Please try again.")
            )
        raise hang_up(environ)

    def _draw(self, name: str) -> Fault | None:
        with self._lock:
            self._counts[name] += 1
            if self._scripted[name]:
                return self._scripted[name].popleft()
            drawn = random.Random(f"{self.seed} {name} {self._counts[name]}").random()  # noqa: S311  # guards nothing
            for fault, share in self.shares.items():
                drawn -= share
                if drawn < 0:
                    return fault
            return None


def hang_up(environ: WSGIEnvironment) -> ConnectionResetError:
    """Break the connection off; the error is what the server takes for the client's own hanging up."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()
