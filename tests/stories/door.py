"""The door of the embedded AWS: every request that comes in is written down, whoever sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tapctl.sandbox.emulator import wire
from tapctl.sandbox.emulator.app import Sandbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_READS = ("Describe", "Get", "List", "Head")


class Door:
    """The embedded AWS behind a book of visitors: ``service:Operation`` of each request, in order."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = ""
        self.asked: list[str] = []
        self.after: dict[str, Callable[[], object]] = {}
        """What somebody else does right after a request of this name."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service, region = wire.service_of(environ) or ("", "")
        asked = wire.parse_request(environ, service, region) if service not in ("", "s3") else None
        if asked is not None:
            self.asked.append(f"{service}:{asked.operation.name}")
        answer = list(self.sandbox(environ, start_response))
        if asked is not None and (act := self.after.get(f"{service}:{asked.operation.name}")):
            act()
        return answer

    @property
    def changes(self) -> list[str]:
        """What is no read."""
        return [one for one in self.asked if not one.partition(":")[2].startswith(_READS)]
