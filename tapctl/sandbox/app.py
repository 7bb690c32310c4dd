"""The embedded AWS as one WSGI application: moto behind one lock, latency outside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Sandbox:
    """AWS for one process. ``latency_s`` is slept before every answer, side by side for calls side by side.

    moto keeps its state in the process and is not thread-safe: every request goes through one lock.
    """

    def __init__(self, *, latency_s: float = 0.0) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.latency_s = latency_s
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        time.sleep(self.latency_s)
        with self._lock:
            return list(self._moto(environ, start_response))

    def reset(self) -> None:
        """Forget everything: an AWS account nobody has used."""
        from moto.moto_api._internal.models import moto_api_backend

        with self._lock:
            moto_api_backend.reset()
