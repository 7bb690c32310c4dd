"""Whole commands against an embedded AWS in which everything takes its time, three hundred times as fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tapctl.sandbox.app import Sandbox
from tapctl.sandbox.life import Life
from tapctl.sandbox.server import http_server
from tests.cli.door import Door
from tests.cli.world import World, new_world

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SCALE = 1 / 300


class Watched(Door):
    """A door that knows which changes were accepted, in which order."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.accepted: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        at = len(self.asked)

        def started(status: str, headers: list[tuple[str, str]], *more: object) -> object:
            if status.startswith("2"):
                self.accepted += self.asked[at : at + 1]
            return start_response(status, headers)

        return super().__call__(environ, started)  # type: ignore[arg-type]  # nobody calls write()


@pytest.fixture(scope="session")
def watched(sandbox_app: Sandbox) -> Iterator[Watched]:
    watched = Watched(sandbox_app)
    server = http_server(watched)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    watched.url = f"http://127.0.0.1:{server.server_port}"
    yield watched
    server.shutdown()
    thread.join()
    server.server_close()


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
