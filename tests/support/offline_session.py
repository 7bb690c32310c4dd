"""A session on dev for what asks AWS nothing, in an empty folder with files of its own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.support.config_folder import Folder


def offline_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Open an invocation of drift on dev, in this folder; nobody is asked anything."""
    environments = Folder(folder / "environments")
    monkeypatch.chdir(folder)
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    store = open_store(str(folder / "manifests"), None)
    aws = Aws(Connection("us-east-2"))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:user/dana")
    return Session(Invocation("drift"), screen, environments.load()["dev"], Target("dev", "dev"), aws, store)
