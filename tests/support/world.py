"""A user's folder in front of an emulated AWS, and what their commands answer."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.cli import run
from tapctl.config import load, load_all
from tapctl.engine.model import Owner
from tapctl.engine.resources import Stack
from tapctl.manifest.manifest import fingerprint, parse
from tapctl.reconcilers import registry
from tapctl.reconcilers.kms_key import RECORD_TAG
from tapctl.sandbox import seed_for
from tapctl.sandbox.emulator.simulation import Simulation
from tapctl.sandbox.seeding import load_seed
from tapctl.stack.definition import planned_stack
from tests.support.config_folder import ENVIRONMENTS
from tests.support.door import Door, Trouble
from tests.support.event_schema import valid
from tests.support.saved import Saved

HANDLERS = Path(__file__).parents[2] / "handlers"
REGIONS = {"dev": "us-east-2", "staging": "us-west-2", "prod": "us-east-1"}


@dataclass(frozen=True)
class Answer:
    """Exit code and streams of a command, and the requests that reached AWS meanwhile."""

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
        """stdout as JSON Lines, each as the schema of the events says."""
        return [valid(json.loads(line)) for line in self.out.splitlines()]

    def of_type(self, type_: str) -> list[dict[str, Any]]:
        """The JSON Lines of this type."""
        return [record for record in self.records if record["type"] == type_]


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

    def meeting(self, trouble: Trouble, *arguments: str, typed: str | None = None) -> Answer:
        """Run one command whose requests meet this trouble; there is peace again after it."""
        self.door.reset()
        self.door.trouble = trouble
        try:
            return self.tapctl(*arguments, typed=typed)
        finally:
            self.door.reset()

    def applied(self, env: str, *more: str) -> Answer:
        """Apply this environment; it has to converge."""
        answer = self.tapctl("apply", "--env", env, "--yes", *more)
        assert answer.code == 0, answer.out + answer.err
        return answer

    def deploy(self, env: str = "dev") -> Answer:
        """Put this environment into a world that nobody has used: by an apply the first time, then from memory.

        The answer is that first apply's, as JSON Lines. The state holds the record alone, without a history.
        """
        assert not (self.folder / "manifests").exists(), "there is a record already: apply"
        original = {path.name: path.read_text() for path in ENVIRONMENTS.iterdir()}
        assert original == {path.name: path.read_text() for path in (self.folder / "environments").iterdir()}
        if env not in _DEPLOYED:
            sandbox = self.door.sandbox
            sandbox.simulation, before = Simulation(), sandbox.simulation
            answer = self.applied(env, "--json")
            sandbox.simulation = before
            _DEPLOYED[env] = (answer, Saved.now(), self.path(env).read_bytes())
            shutil.rmtree(self.path(env).parent)
        answer, saved, record = _DEPLOYED[env]
        saved.back()
        self.path(env).parent.mkdir()
        self.path(env).write_bytes(record)
        return answer

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
        record: dict[str, Any] = json.loads(self.path(suffix).read_text())
        return record

    def keep_version(self, suffix: str = "dev") -> Path:
        """Put the record as it is among the kept versions; returns that one's file."""
        record, path = self.manifest(suffix), self.path(suffix)
        version = path.with_name("history") / suffix / f"{record['serial']:08}-{record['run']}.json"
        version.parent.mkdir(0o700, parents=True, exist_ok=True)
        version.write_bytes(path.read_bytes())
        return version

    def leave(self, record: dict[str, Any], suffix: str = "dev") -> None:
        """Write the record as a run leaves it at its end: its fingerprint is on the key."""
        self.path(suffix).write_text(json.dumps(record))
        mark = fingerprint(parse(json.dumps(record), "here"))
        self._key_call("tag_resource", suffix, Tags=[{"TagKey": RECORD_TAG, "TagValue": mark}])

    def forget_fingerprint(self, suffix: str = "dev") -> None:
        """Take the record's fingerprint off the key, as where an older tapctl has made everything."""
        self._key_call("untag_resource", suffix, TagKeys=[RECORD_TAG])

    def _key_call(self, operation: str, suffix: str, **more: Any) -> None:
        kms = self.client("kms", self.manifest(suffix)["region"])
        key = kms.describe_key(KeyId=f"alias/db-key-{suffix}")["KeyMetadata"]["KeyId"]
        getattr(kms, operation)(KeyId=key, **more)

    def path(self, suffix: str = "dev") -> Path:
        """Tell the path of this suffix's record."""
        return self.folder / "manifests" / f"{suffix}.json"

    def stack(self, env: str = "dev") -> Stack:
        """The stack that this environment's files ask for now."""
        return planned_stack(load(self.folder / "environments", env), env)

    def field_count(self, env: str = "dev") -> int:
        """The fields of all resources of the stack."""
        return sum(len(resource.reconciler.spec.model_fields) for resource in self.stack(env))

    def applied_field_count(self, env: str = "dev") -> int:
        """Count the fields that an apply reads back: all but the exposures."""
        return self.field_count(env) - sum(
            len(resource.reconciler.leaves(allowed=True)) for resource in self.stack(env)
        )

    def wanted(self) -> Counter[str]:
        """Count dev's resources by type; subresources carry no tags and are not counted."""
        return Counter(resource.type for resource in self.stack() if not resource.reconciler.subresource)

    def owned(self) -> Counter[str]:
        """Count, by type, the resources that carry dev's tags, whatever the record says: asked of AWS itself."""
        client = Aws(Connection(REGIONS["dev"], endpoint_url=self.door.url, credentials=("testing", "testing")))
        client.identify("123456789012")
        reconcilers = [reconciler for reconciler in registry().values() if not reconciler.subresource]
        return Counter(
            reconciler.type
            for reconciler in reconcilers
            for _ in set(reconciler.list_owned(client, Owner.ours("dev", "dev")))
        )


_DEPLOYED: dict[str, tuple[Answer, Saved, bytes]] = {}
"""Environments by name: the answer of the apply, AWS after it, and the record."""
_FURNISHED: list[Saved] = []
"""An AWS with what the environments refer to, once there is one."""


def copy_project(folder: Path) -> None:
    """Copy the tests' environment files and the handlers into a user's folder."""
    shutil.copytree(ENVIRONMENTS, folder / "environments")
    shutil.copytree(HANDLERS, folder / "handlers", ignore=shutil.ignore_patterns("node_modules"))


def new_world(door: Door, folder: Path, patch: pytest.MonkeyPatch) -> World:
    """A fresh AWS and a fresh folder; the process works there until ``patch`` is undone."""
    copy_project(folder)
    patch.chdir(folder)
    patch.setenv("AWS_ENDPOINT_URL", door.url)
    patch.delenv("CI", raising=False)
    door.reset()
    door.sandbox.reset()
    if _FURNISHED:
        _FURNISHED[0].back()
    else:
        for config in load_all(folder / "environments").values():
            load_seed(door.url, seed_for(config, config.region))
        _FURNISHED.append(Saved.now())
    return World(folder, door, patch)
