"""The session of a test that asks AWS for what a plan tells, and what it has said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.support.config_folder import Folder


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: Aws, said: io.StringIO) -> Session:
    folder = Folder(tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    screen = choose_screen(io.StringIO(), said, {"TERM": "dumb"})
    store = open_store(str(tmp_path / "manifests"), None)
    return Session(Invocation("destroy"), screen, folder.load()["dev"], Target("dev", "dev"), aws, store)
