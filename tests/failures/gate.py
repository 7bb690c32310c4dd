"""The embedded AWS behind a gate: what comes is counted, and may be refused, lost on its way, or held."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.rules import ServiceError
from tests.stories.door import Door
from tests.support.faults import hang_up

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_READS = ("Describe", "Get", "List", "Head", "Assume")
_S3 = {"PUT": "PutObject", "DELETE": "DeleteObject", "GET": "GetObject"}
# How each service says "denied", as its documentation of common errors has it.
_DENIED = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
_QUERY = ("iam", "rds", "sts", "cloudformation", "cloudwatch", "s3")


@dataclass(frozen=True)
class Visit:
    """One request: ``service:Operation``, its number among those of this operation, among the changes, among all."""

    name: str
    nth: int
    nth_change: int
    """0 for a read."""
    nth_of_all: int

    @property
    def changes(self) -> bool:
        """Whether it changes the stack."""
        return self.nth_change > 0


Served = tuple[int, list[tuple[str, str]], bytes]
Proceed = Callable[[], Served]
Trouble = Callable[[Visit, Proceed], Served]


class Refusal(Exception):
    """Answer this code in place of AWS; with ``status`` where the code's own is not meant."""

    def __init__(self, code: str, message: str = "the test says no", status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class Silence(Exception):
    """Break the connection off."""


def denied(name: str) -> Refusal:
    """This service's own way to say that a permission is missing."""
    service, _, operation = name.partition(":")
    code = _DENIED.get(service) or ("AccessDenied" if service in _QUERY else "AccessDeniedException")
    return Refusal(code, f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform {service}:{operation}")


def peacefully(_: Visit, proceed: Proceed) -> Served:
    """No trouble at all."""
    return proceed()


class Gate(Door):
    """A door with ``trouble`` in front of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._turn = threading.Lock()
        self.trouble: Trouble = peacefully
        self.open()

    def open(self) -> None:
        """Peace, and all counts at zero."""
        with self._turn:
            self.asked.clear()
            self._counts: Counter[str] = Counter()
            self._changes = 0
            self.trouble = peacefully

    @property
    def changes(self) -> list[str]:
        """What is no read, of the stack: writing the record is no change of what it records."""
        return [one for one in super().changes if not one.startswith("s3:")]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service, region = wire.service_of(environ) or ("", "")
        asked = wire.parse_request(environ, service, region) if service not in ("", "s3") else None
        operation = asked.operation.name if asked else _object_operation(environ)
        visit, trouble = self._visit(f"{service}:{operation}")
        try:
            status, headers, body = trouble(visit, lambda: _served(self.sandbox, environ))
        except Refusal as refusal:
            status, headers, body = _refused(asked, refusal)
        except Silence:
            raise hang_up(environ) from None
        start_response(f"{status} -", headers)
        return [body]

    def _visit(self, name: str) -> tuple[Visit, Trouble]:
        with self._turn:
            self.asked.append(name)
            self._counts[name] += 1
            change = not name.startswith("s3:") and not name.partition(":")[2].startswith(_READS)
            self._changes += change
            at = self._changes if change else 0
            return Visit(name, self._counts[name], at, len(self.asked)), self.trouble


def _object_operation(environ: WSGIEnvironment) -> str:
    """S3's operation on an object; what is done to a bucket or a list has no name here."""
    _, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    return _S3.get(environ["REQUEST_METHOD"], "") if key else "ListObjectsV2"


def _served(sandbox: Sandbox, environ: WSGIEnvironment) -> Served:
    told: list[Any] = []
    body = b"".join(sandbox(environ, lambda status, headers, _=None: told.extend((status, headers))))  # type: ignore[arg-type]  # nobody calls write()
    return int(told[0].split()[0]), told[1], body


def _refused(asked: wire.ParsedRequest | None, refusal: Refusal) -> Served:
    if asked is None:
        body = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>".encode()
        return refusal.status or 403, [("Content-Length", str(len(body)))], body
    answer = wire.serialize(asked, ServiceError(refusal.code, refusal.message))
    return refusal.status or answer.status, answer.headers, answer.body
