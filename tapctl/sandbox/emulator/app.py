"""The embedded AWS as one WSGI application: moto behind one lock, the rules around it, latency outside."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tapctl.sandbox.emulator import services as rules
from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.rules import Call, Fault, Reply, RuleBook
from tapctl.sandbox.emulator.simulation import Life
from tapctl.sandbox.emulator.wire import Answer, Asked
from tapctl.sandbox.hiccups import Hiccups

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ACCOUNT = "123456789012"
# Requests that are not signed, and S3's, whose bodies may be streams.
_AS_IT_IS = ("", "s3")
# moto keeps its state in the process, whatever the number of applications, and is not thread-safe.
_MOTO = threading.Lock()


class Sandbox:
    """AWS for one process. ``latency_s`` is slept before every answer, side by side for calls side by side.

    ``disabled`` names rules (``service.function_name``) that are left out; ``hiccups``: what goes wrong on the way;
    ``life``: how long things take, nothing unless given.
    """

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        disabled: Collection[str] = (),
        hiccups: Hiccups | None = None,
        life: Life | None = None,
    ) -> None:
        # Thousands of machine images that nobody here starts: half a second for every region and reset.
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        from tapctl.sandbox.emulator.dispatcher import dispatcher

        self.latency_s = latency_s
        self.hiccups = hiccups or Hiccups()
        self.life = life or Life()
        self._rules = RuleBook(rules.ALL, disabled)
        self._moto: Any = dispatcher()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if self.latency_s:
            time.sleep(self.latency_s)
        service, region = wire.service_of(environ) or ("", "")
        with _MOTO:
            asked = wire.asked(environ, service, region) if service not in _AS_IT_IS else None

        def serve() -> Answer:
            with _MOTO:
                return self._answer(environ, asked)

        answer = serve() if asked is None else self.hiccups.meet(asked, environ, serve)
        start_response(f"{answer.status} -", answer.headers)
        return [answer.body]

    def reset(self) -> None:
        """Forget everything: an AWS account nobody has used."""
        from moto.moto_api._internal.models import moto_api_backend

        with _MOTO:
            moto_api_backend.reset()
            self.life.reset()

    def _answer(self, environ: WSGIEnvironment, asked: Asked | None) -> Answer:
        try:
            if asked is not None and self._rules.concerns(asked.service, asked.operation.name):
                return wire.written(asked, self._rules.answer(self._call(environ, asked)))
            return self._ask_moto(environ)
        except Fault as refusal:
            fault = refusal
        except NotImplementedError as missing:
            fault = Fault("NotImplemented", f"the embedded AWS cannot do this: {missing}")
        except Exception as bug:  # noqa: BLE001  # a server answers whatever happens inside it
            traceback.print_exc()
            fault = Fault("InternalFailure", f"the embedded AWS failed: {bug!r}")
        return wire.written(asked, fault) if asked is not None else Answer(500, [], fault.message.encode())

    def _call(self, environ: WSGIEnvironment, asked: Asked) -> Call:
        def send(service: str, operation: str, params: Mapping[str, Any]) -> Reply:
            return wire.read(service, operation, self._ask_moto(wire.request_of(environ, service, operation, params)))

        return Call(asked.service, asked.operation.name, asked.params(), asked.region, ACCOUNT, send, self.life)

    def _ask_moto(self, environ: WSGIEnvironment) -> Answer:
        from werkzeug.test import run_wsgi_app

        body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        return Answer(int(status.split()[0]), headers.to_wsgi_list(), b"".join(body))
