"""A deployed stack, asked over HTTP by somebody else: the sandbox's dev, or a real one that `TAPCTL_INTEGRATION` names.

Against a real account nothing is changed: it has to be applied already, by the record that the folder's settings
(``TAPCTL_STATE``, ``TAPCTL_CONFIG``, AWS's own) lead to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from tests.conftest import AS_THE_USER_HAS_IT, INTEGRATION
from tests.support.world import copy_project

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Deployed:
    """An environment that stands. ``outputs`` is what `tapctl outputs` tells scripts."""

    env: str
    real: bool
    folder: Path
    environ: Mapping[str, str]
    outputs: Mapping[str, str]
    region: str
    endpoint: str | None

    def client(self, service: str) -> Any:
        """A client that knows nothing of tapctl."""
        key = None if self.real else "sandbox"
        session: Any = boto3.session.Session(key, key, region_name=self.region)
        return session.client(service, endpoint_url=self.endpoint)

    def tapctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, as a user's shell runs it."""
        flags = () if self.real else ("--sandbox",)
        return _tapctl(self.folder, self.environ, *flags, *arguments)


def _tapctl(folder: Path, environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tapctl", *arguments],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _told(answer: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The stack under test."""
    if INTEGRATION:
        # This process asks as the user does, too.
        os.environ.update({name: value for name, value in AS_THE_USER_HAS_IT.items() if name.startswith("AWS_")})
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            if name not in AS_THE_USER_HAS_IT:
                os.environ.pop(name, None)
        lines = _told(_tapctl(ROOT, AS_THE_USER_HAS_IT, "outputs", "--json", "--env", INTEGRATION))
        yield Deployed(INTEGRATION, True, ROOT, AS_THE_USER_HAS_IT, _outputs(lines), lines[0]["region"], None)
        return
    folder = tmp_path_factory.mktemp("deployed")
    copy_project(folder)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TAPCTL_"))}
    try:
        started = _told(_tapctl(folder, environ, "sandbox", "start", "--json"))
        (endpoint,) = (line["value"] for line in started if line["type"] == "output")
        made = _tapctl(folder, environ, "--sandbox", "apply", "--env", "dev", "--yes")
        assert made.returncode == 0, made.stdout + made.stderr
        lines = _told(_tapctl(folder, environ, "outputs", "--json", "--env", "dev"))
        yield Deployed("dev", False, folder, environ, _outputs(lines), lines[0]["region"], endpoint)
    finally:
        _tapctl(folder, environ, "sandbox", "stop")


def _outputs(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in lines if one["type"] == "output"}
