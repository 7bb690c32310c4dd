"""The door in front of the emulated AWS: each request is decoded once, counted, and may meet trouble."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tapctl.aws.transport import is_change
from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rules import ServiceError
from tests.support.faults import hang_up

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_S3 = {"PUT": "PutObject", "DELETE": "DeleteObject", "GET": "GetObject"}
# Each service's own code for "denied", by its documentation of common errors.
_DENIED = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
_QUERY = ("iam", "rds", "sts", "cloudformation", "cloudwatch", "s3")


@dataclass(frozen=True)
class Visit:
    """A request: ``service:Operation``, its number among those of this operation, among the changes, among all."""

    name: str
    nth: int
    nth_change: int
    """0 for a read."""
    nth_of_all: int
    request: wire.ParsedRequest | None
    """None for S3's, whose bodies may be streams."""
    key: str = ""
    """The key of an object of S3."""
    query: str = ""
    """The query of a request to S3."""

    @property
    def params(self) -> dict[str, Any]:
        """The request's parameters, by the names of the service model."""
        return self.request.params() if self.request else {}

    @property
    def changes(self) -> bool:
        """True if it changes the stack."""
        return self.nth_change > 0


Served = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body of an answer."""
Proceed = Callable[[], Served]
Trouble = Callable[[Visit, Proceed], Served]
"""Answers a request, or raises `Refusal` or `Silence`; ``proceed`` is AWS's own answer."""


class Refusal(Exception):
    """Answer this code in place of AWS; with ``status`` where the code's own is not meant."""

    def __init__(self, code: str, message: str = "the test says no", status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class Silence(Exception):
    """Break the connection off."""


def denied(name: str) -> Refusal:
    """The refusal by which this operation's service says that a permission is missing."""
    service, _, operation = name.partition(":")
    code = _DENIED.get(service) or ("AccessDenied" if service in _QUERY else "AccessDeniedException")
    return Refusal(code, f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform {service}:{operation}")


def no_trouble(_: Visit, proceed: Proceed) -> Served:
    """Serve every request."""
    return proceed()


class Door:
    """The emulated AWS, with ``trouble`` in front of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = ""
        self.asked: list[str] = []
        """``service:Operation`` of each request, in order."""
        self.after: dict[str, Callable[[], object]] = {}
        """Called right after a request of this name has taken effect, before its answer goes out."""
        self.accepted: list[tuple[str, float]] = []
        """The changing requests that AWS has answered with yes, and when, by AWS's clock."""
        self.trouble: Trouble = no_trouble
        self._counting = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._changes = 0

    @property
    def peaceful(self) -> bool:
        """True if no request meets trouble."""
        return self.trouble is no_trouble

    @property
    def changes(self) -> list[str]:
        """The changing requests among ``asked``."""
        return [name for name in self.asked if is_change(*name.split(":"))]

    def reset(self) -> None:
        """Forget all requests, and all that a test has put in their way."""
        with self._counting:
            self.asked.clear()
            self.after.clear()
            self.accepted.clear()
            self.trouble = no_trouble
            self._counts.clear()
            self._changes = 0

    def last_accepted(self, name: str) -> float:
        """Seconds on AWS's clock when a request of this name was accepted last."""
        return max(at for accepted, at in self.accepted if accepted == name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service, region = wire.service_of(environ) or ("", "")
        asked = wire.parse_request(environ, service, region) if service not in ("", "s3") else None
        key = "" if asked else environ["PATH_INFO"].lstrip("/").partition("/")[2]
        name = asked.operation.name if asked else _s3_operation(environ, key)
        visit, trouble = self._visit(f"{service}:{name}", asked, key, environ.get("QUERY_STRING", ""))
        try:
            status, headers, body = trouble(visit, lambda: self._serve(visit, environ))
        except Refusal as refusal:
            status, headers, body = _refused(asked, refusal)
        except Silence:
            raise hang_up(environ) from None
        start_response(f"{status} -", headers)
        return [body]

    def _visit(self, name: str, request: wire.ParsedRequest | None, key: str, query: str) -> tuple[Visit, Trouble]:
        with self._counting:
            self.asked.append(name)
            self._counts[name] += 1
            change = is_change(*name.split(":"))
            self._changes += change
            nth_change = self._changes if change else 0
            return Visit(name, self._counts[name], nth_change, len(self.asked), request, key, query), self.trouble

    def _serve(self, visit: Visit, environ: WSGIEnvironment) -> Served:
        line, headers, body = wire.answer_of(self.sandbox, environ)
        status = int(line.split()[0])
        if visit.changes and status < HTTPStatus.MULTIPLE_CHOICES:
            self.accepted.append((visit.name, self.sandbox.simulation.now()))
        if act := self.after.get(visit.name):
            act()
        return status, headers, body


def _s3_operation(environ: WSGIEnvironment, key: str) -> str:
    """S3's operation on an object; what is done to a bucket or a list has no name here."""
    return _S3.get(environ["REQUEST_METHOD"], "") if key else "ListObjectsV2"


def _refused(asked: wire.ParsedRequest | None, refusal: Refusal) -> Served:
    if asked is None:
        body = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>".encode()
        return refusal.status or 403, [("Content-Length", str(len(body)))], body
    answer = wire.serialize(asked, ServiceError(refusal.code, refusal.message))
    return refusal.status or answer.status, answer.headers, answer.body


def without_length(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of an answer whose body a test has changed."""
    return [(name, value) for name, value in headers if name.lower() != "content-length"]
