"""The emulated AWS as one WSGI application: moto behind one lock, the rules around it, latency outside."""

from __future__ import annotations

import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tapctl.sandbox.emulator import cloudtrail, s3, wire
from tapctl.sandbox.emulator.rules import Reply, Request, RuleBook, ServiceError
from tapctl.sandbox.emulator.services import RULES
from tapctl.sandbox.emulator.simulation import Simulation
from tapctl.sandbox.emulator.wire import HttpResponse, ParsedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ACCOUNT = "123456789012"
_ACCOUNT_KEY = re.compile("sandbox-([0-9]{12})")
_ACCOUNT_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"
# Requests without a signature are moto's alone; S3's have bodies that may be streams.
_NOT_PARSED = ("", s3.SERVICE.name)
# moto keeps its state in the process, whatever the number of applications, and is not thread-safe.
_MOTO = threading.Lock()

Serve = Callable[[], HttpResponse]
Around = Callable[[ParsedRequest, "WSGIEnvironment", Serve], HttpResponse]


def _serve_plainly(_: ParsedRequest, __: WSGIEnvironment, serve: Serve) -> HttpResponse:
    return serve()


class Sandbox:
    """The emulated AWS of one process. ``latency_s`` is slept before every answer, concurrently for concurrent calls.

    ``simulation`` says how long operations take, no time unless given. ``around`` is called in place of every parsed
    call, and calls it. ``rule_book`` may be replaced.
    """

    def __init__(
        self, *, latency_s: float = 0.0, simulation: Simulation | None = None, around: Around = _serve_plainly
    ) -> None:
        # Thousands of machine images that nobody here starts: half a second for every region and reset.
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        from tapctl.sandbox.emulator.dispatcher import dispatcher

        self.latency_s = latency_s
        self.simulation = simulation or Simulation()
        self.around = around
        self.rule_book = RuleBook(RULES)
        self._moto: Any = dispatcher()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if self.latency_s:
            time.sleep(self.latency_s)
        # An access key that names an account is of that account: moto has each that it is asked for.
        if named := _ACCOUNT_KEY.fullmatch(wire.access_key_of(environ)):
            environ[_ACCOUNT_HEADER] = named[1]
        service, region = wire.service_of(environ) or ("", "")
        with _MOTO:
            parsed = wire.parse_request(environ, service, region) if service not in _NOT_PARSED else None

        def serve() -> HttpResponse:
            with _MOTO:
                return self._answer(environ, parsed, service, region)

        response = serve() if parsed is None else self.around(parsed, environ, serve)
        start_response(f"{response.status} -", response.headers)
        return [response.body]

    def reset(self) -> None:
        """Forget all state: an AWS account nobody has used."""
        from moto.moto_api._internal.models import moto_api_backend

        with _MOTO:
            moto_api_backend.reset()
            self.simulation.reset()

    def _answer(
        self, environ: WSGIEnvironment, parsed: ParsedRequest | None, service: str, region: str
    ) -> HttpResponse:
        try:
            return self._serve_s3(environ, region) if service == s3.SERVICE.name else self._serve(environ, parsed)
        except ServiceError as refusal:
            error = refusal
        except NotImplementedError as missing:
            error = ServiceError("NotImplemented", f"the embedded AWS cannot do this: {missing}")
        except Exception as bug:  # noqa: BLE001  # a server answers whatever happens inside it
            traceback.print_exc()
            error = ServiceError("InternalFailure", f"the embedded AWS failed: {bug!r}")
        return wire.serialize(parsed, error) if parsed is not None else HttpResponse(500, [], error.message.encode())

    def _serve(self, environ: WSGIEnvironment, parsed: ParsedRequest | None) -> HttpResponse:
        if parsed is None:
            return self._ask_moto(environ)
        service, operation = parsed.service, parsed.operation.name
        if self.rule_book.concerns(service, operation):
            response = wire.serialize(parsed, self.rule_book.answer(self._request(environ, parsed)))
        else:
            response = self._ask_moto(environ)
        if response.status < HTTPStatus.MULTIPLE_CHOICES and cloudtrail.is_recorded(service, operation):
            # Parsed anew: a rule may have changed the parameters.
            agent, key = environ.get("HTTP_USER_AGENT", ""), wire.access_key_of(environ)
            cloudtrail.record(self._request(environ, parsed), agent, key)
        return response

    def _serve_s3(self, environ: WSGIEnvironment, region: str) -> HttpResponse:
        """Answer a request of S3: its rules may refuse it, and change nothing of it."""
        answered: list[HttpResponse] = []

        def send(*_: object) -> Reply:
            answered.append(self._ask_moto(environ))
            return {}

        operation, params = s3.operation_of(environ)
        account = environ.get(_ACCOUNT_HEADER, ACCOUNT)
        request = Request(s3.SERVICE.name, operation, params, region, account, send, self.simulation)
        try:
            self.rule_book.answer(request)
        except ServiceError as error:
            return s3.refusal(environ, error)
        return answered[0]

    def _request(self, environ: WSGIEnvironment, parsed: ParsedRequest) -> Request:
        def send(service: str, operation: str, params: Mapping[str, Any]) -> Reply:
            sent = wire.build_request(environ, service, operation, params, account=request.account)
            return wire.parse_response(service, operation, self._ask_moto(sent))

        request = Request(
            parsed.service,
            parsed.operation.name,
            parsed.params(),
            parsed.region,
            environ.get(_ACCOUNT_HEADER, ACCOUNT),
            send,
            self.simulation,
            environ["HTTP_HOST"],
        )
        return request

    def _ask_moto(self, environ: WSGIEnvironment) -> HttpResponse:
        from werkzeug.test import run_wsgi_app

        body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        return HttpResponse(int(status.split()[0]), headers.to_wsgi_list(), b"".join(body))
