"""Whole commands against an embedded AWS in which everything takes its time, three hundred times as fast."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tapctl.aws.transport import is_change
from tapctl.sandbox import wire
from tapctl.sandbox.app import Sandbox
from tapctl.sandbox.life import Life
from tests.support.door import Door
from tests.support.served import served
from tests.support.world import World, new_world

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SCALE = 1 / 300


class Watched(Door):
    """A door that knows when each change was accepted, by AWS's clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.accepted: list[tuple[str, float]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        service, region = wire.service_of(environ) or ("", "")
        asked = wire.asked(environ, service, region) if service not in ("", "s3") else None
        operation = asked.operation.name if asked is not None else "Get"

        def started(status: str, headers: list[tuple[str, str]], *_: object) -> object:
            if status.startswith("2") and is_change(service, operation):
                self.accepted.append((f"{service}:{operation}", self.sandbox.life.now()))
            return start_response(status, headers)

        return super().__call__(environ, started)  # type: ignore[arg-type]  # nobody calls write()

    def last(self, name: str) -> float:
        """When this was done last."""
        return max(at for done, at in self.accepted if done == name)


@pytest.fixture(scope="session")
def watched(sandbox_app: Sandbox) -> Iterator[Watched]:
    watched = Watched(sandbox_app)
    with served(watched) as watched.url:
        yield watched


@pytest.fixture
def living(watched: Watched, tmp_path: Path) -> Iterator[World]:
    """A folder with the shipped environments before an AWS that nobody has used, and that takes its time."""
    sandbox = watched.sandbox
    peace = sandbox.life
    with pytest.MonkeyPatch.context() as patch:
        world = new_world(watched, tmp_path, patch)
        sandbox.life = Life(time.monotonic, SCALE)
        watched.accepted.clear()
        yield world
    sandbox.life = peace
