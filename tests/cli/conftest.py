"""Whole commands in this process, against the embedded AWS with networking and images of all environments."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tapctl.cli import run
from tapctl.config import load_all
from tapctl.sandbox import seed
from tapctl.sandbox.seeding import plant

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def verdict(self) -> str:
        """The last line of stdout."""
        return self.out.rstrip("\n").rpartition("\n")[2]

    @property
    def records(self) -> list[dict[str, Any]]:
        """stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class World:
    """A folder with the shipped environments, in front of an embedded AWS."""

    folder: Path
    url: str
    capture: pytest.CaptureFixture[str]

    def tapctl(self, *arguments: str) -> Answer:
        """Run one command."""
        self.capture.readouterr()
        code = run([*arguments])
        out, err = self.capture.readouterr()
        return Answer(code, out, err)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change an environment's file; what is to be changed has to be there."""
        path = self.folder / "environments" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def client(self, service: str, region: str = "us-east-2") -> Any:
        """A plain client, as somebody else would have: dev's region unless told."""
        return boto3.client(service, region_name=region)

    def manifest(self, suffix: str = "dev") -> dict[str, Any]:
        """The record of this suffix."""
        found: dict[str, Any] = json.loads((self.folder / "manifests" / f"{suffix}.json").read_text())
        return found


@pytest.fixture
def world(
    sandbox_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> World:
    for name in ("environments", "handlers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules"))
    monkeypatch.chdir(tmp_path)
    for config in load_all(tmp_path / "environments").values():
        plant(sandbox_url, seed(config, config.region))
    return World(tmp_path, sandbox_url, capsys)
