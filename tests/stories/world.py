"""A user's folder in front of an embedded AWS, and what their commands answer."""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tapctl.cli import run
from tapctl.config import load_all
from tapctl.sandbox import seed_for
from tapctl.sandbox.emulator.simulation import Simulation
from tapctl.sandbox.seeding import load_seed
from tests.stories.door import Door
from tests.support.saved import Saved

ROOT = Path(__file__).parent.parent.parent
REGIONS = {"dev": "us-east-2", "staging": "us-west-2", "prod": "us-east-1"}


@dataclass(frozen=True)
class Answer:
    """What a command answered, and the requests that reached AWS meanwhile."""

    code: int
    out: str
    err: str
    asked: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The last line of stdout."""
        return self.out.rstrip("\n").rpartition("\n")[2]

    @property
    def records(self) -> list[dict[str, Any]]:
        """stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of_type(self, type_: str) -> list[dict[str, Any]]:
        """The JSON Lines of this type."""
        return [one for one in self.records if one["type"] == type_]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class World:
    """A folder with the shipped environments, in front of an embedded AWS."""

    folder: Path
    door: Door
    patch: pytest.MonkeyPatch

    def tapctl(self, *arguments: str, typed: str | None = None) -> Answer:
        """Run one command; ``typed``: what somebody at a terminal answers."""
        self.door.asked.clear()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO() if typed is None else _Terminal(typed))
            code = run([*arguments])
        return Answer(code, out.getvalue(), err.getvalue(), tuple(self.door.asked), tuple(self.door.changes))

    def applied(self, env: str, *more: str) -> Answer:
        """Apply this environment; it has to converge."""
        answer = self.tapctl("apply", "--env", env, "--yes", *more)
        assert answer.code == 0, answer.out + answer.err
        return answer

    def standing(self, env: str = "dev") -> None:
        """This environment as an apply has left it that is not what is tested: in a world that nobody has used."""
        assert not (self.folder / "manifests").exists(), "there is a record already: apply"
        shipped = {path.name: path.read_text() for path in (ROOT / "environments").iterdir()}
        assert shipped == {path.name: path.read_text() for path in (self.folder / "environments").iterdir()}
        if env not in _STANDING:
            sandbox = self.door.sandbox
            sandbox.simulation, before = Simulation(), sandbox.simulation
            self.applied(env)
            sandbox.simulation = before
            _STANDING[env] = (Saved.now(), (self.folder / "manifests" / f"{env}.json").read_bytes())
            return
        saved, record = _STANDING[env]
        saved.back()
        (self.folder / "manifests").mkdir()
        (self.folder / "manifests" / f"{env}.json").write_bytes(record)

    def drift(self, env: str = "dev", *more: str) -> Answer:
        """Look for drift, as a program."""
        return self.tapctl("drift", "--json", "--env", env, *more)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change an environment's file; what is to be changed has to be there."""
        path = self.folder / "environments" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def client(self, service: str, region: str = "us-east-2") -> Any:
        """A plain client, as somebody else would have: dev's region unless told."""
        make: Any = boto3.client  # untyped: the stubs take literals only
        return make(service, region_name=region)

    def manifest(self, suffix: str = "dev") -> dict[str, Any]:
        """The record of this suffix."""
        found: dict[str, Any] = json.loads(self.path(suffix).read_text())
        return found

    def path(self, suffix: str = "dev") -> Path:
        """Where the record of this suffix is."""
        return self.folder / "manifests" / f"{suffix}.json"


_STANDING: dict[str, tuple[Saved, bytes]] = {}
"""Environments that stand, by name: AWS then, and their record."""
_FURNISHED: list[Saved] = []
"""An AWS with what the shipped environments refer to, once there is one."""


def furnish(door: Door, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """A fresh AWS and a fresh folder; the process works there until ``patch`` is undone."""
    for name in ("environments", "handlers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules"))
    patch.chdir(folder)
    patch.setenv("AWS_ENDPOINT_URL", door.url)
    patch.delenv("CI", raising=False)
    door.sandbox.reset()
    door.after.clear()
    if _FURNISHED:
        _FURNISHED[0].back()
        return
    for config in load_all(folder / "environments").values():
        load_seed(door.url, seed_for(config, config.region))
    _FURNISHED.append(Saved.now())


def new_world(door: Door, folder: Path, patch: pytest.MonkeyPatch) -> World:
    """A world that nobody has used."""
    furnish(door, folder, patch)
    return World(folder, door, patch)
