"""An emulated AWS that answers once: while nothing has changed, a read that was answered is answered from memory.

Most of a run's time goes into moto. What is sent and answered is the same either way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tapctl.aws.transport import is_change
from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Memory = dict[tuple[Any, ...], tuple[str, list[tuple[str, str]], bytes]]
"""Answers by what was asked."""

# S3 is no part of the stack, the trail tells of calls, and the registry notes which addresses it has given out.
_NEVER = ("", "s3", "cloudtrail", "ecr")

_INDEX = "resourcegroupstaggingapi"
_TOUCHED: dict[str, frozenset[str]] = {
    service: frozenset({service, _INDEX, *more})
    for service, more in {
        "cloudwatch": (),
        "logs": (),
        "sns": ("rds",),
        "secretsmanager": ("rds",),
        "lambda": ("ec2", "logs"),
        "iam": ("lambda", "kms", "ec2", "sts"),
        "ec2": ("rds", "lambda"),
    }.items()
}
"""The services whose answers a change of this one can change; of a service that is not here: those of all."""


class _State:
    """The memory of the present state of moto, which is one for the process."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        self.lock = threading.Lock()


_STATE = _State()


def remember_in(memory: Memory) -> None:
    """Take these answers for those of the present state, and remember further ones in them."""
    with _STATE.lock:
        _STATE.memory = memory


def forget() -> None:
    """Forget the answers: the state has changed, or somebody has changed it without asking."""
    remember_in({})


def _changed(service: str) -> None:
    """Forget what a change of this service can have changed."""
    touched = _TOUCHED.get(service)
    with _STATE.lock:
        kept = {} if touched is None else {key: one for key, one in _STATE.memory.items() if key[0] not in touched}
        _STATE.memory = kept


class RememberingSandbox(Sandbox):
    """The emulated AWS; it remembers where no time passes, nothing is scripted and nobody stands in between."""

    def __init__(self) -> None:
        super().__init__()
        self.remembers = True
        self._plain = (self.around, self.rule_book, self.latency_s)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service, region = wire.service_of(environ) or ("", "")
        if service in _NEVER:
            return super().__call__(environ, start_response)
        parsed = wire.parse_request(environ, service, region)
        still = self._still()
        if parsed is None or is_change(service, parsed.operation.name) or not still:
            changed = service if still and parsed is not None else ""
            _changed(changed)
            try:
                return super().__call__(environ, start_response)
            finally:
                _changed(changed)
        memory, asked = _STATE.memory, _asked(environ, service, region)
        if asked not in memory:
            status, headers, body = wire.answer_of(super().__call__, environ)
            if not status.startswith(str(HTTPStatus.OK.value)):
                start_response(status, headers)
                return [body]
            with _STATE.lock:
                if _STATE.memory is memory:  # else something may have changed meanwhile
                    memory[asked] = (status, headers, body)
            start_response(status, list(headers))
            return [body]
        status, headers, body = memory[asked]
        start_response(status, list(headers))
        return [body]

    def reset(self) -> None:
        """Forget all state."""
        super().reset()
        forget()

    def _still(self) -> bool:
        plain = (self.around, self.rule_book, self.latency_s) == self._plain
        return self.remembers and plain and self.simulation.scale == 0 and not any(self.simulation._scripts.values())


def _asked(environ: WSGIEnvironment, service: str, region: str) -> tuple[Any, ...]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    stream = environ["wsgi.input"]
    body = stream.read(size)
    stream.seek(0)
    names = ("HTTP_HOST", "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_AMZ_TARGET", "CONTENT_TYPE")
    return (service, region, wire.access_key_of(environ), body, *(environ.get(name, "") for name in names))
