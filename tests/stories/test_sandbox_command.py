"""The emulated AWS by its commands: a real server in the background, no credentials, state until it is stopped."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tapctl import sandbox
from tapctl.aws.client import Aws, Connection
from tapctl.manifest.local import LocalStore
from tapctl.manifest.manifest import AwsKind
from tapctl.session.invocation import SANDBOX_FOLDER
from tests.manifest.examples import entry, manifest
from tests.support.world import World


@pytest.fixture
def user(world: World) -> Iterator[World]:
    """Play a user without credentials and an endpoint, whose profile and proxy are of no use."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        patch.setenv("AWS_PROFILE", "nobody")
        patch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        yield world
        sandbox.stop(world.folder / SANDBOX_FOLDER, patience_s=300)


def pid(world: World) -> int:
    return int(json.loads((world.folder / ".tapctl" / "sandbox.json").read_text())["pid"])


def topics(endpoint: str) -> Any:
    return Aws(Connection("us-east-2", endpoint_url=endpoint, credentials=sandbox.credentials_of(""))).sns


def test_started_by_itself_used_stopped_and_started_again(user: World) -> None:
    stopped = user.tapctl("sandbox", "status")
    assert (stopped.code, stopped.verdict) == (0, "SANDBOX all: STOPPED")
    # It starts where it is needed. An environment that the sandbox cannot hold keeps no other one out.
    far = user.folder / "environments" / "far.toml"
    far.write_text((far.parent / "dev.toml").read_text().replace("us-east-2", "eusc-de-east-1"))
    began = time.monotonic()
    planned = user.tapctl("plan", "--env", "dev", "--sandbox", "--report", "run.jsonl")
    told = json.loads((user.folder / "run.jsonl").read_text().splitlines()[-1])
    assert told["elapsed_s"] < time.monotonic() - began - 0.5, "its start is not the command's time"
    assert (planned.code, planned.verdict.split(" · ")[0]) == (0, f"PLAN dev: {len(user.stack())} to create")
    assert planned.err.startswith("starting the embedded AWS\n")
    first = pid(user)
    started = user.tapctl("sandbox", "start")
    far.unlink()
    assert started.code == 0, started.err
    assert "starting" not in started.err
    assert "warning: not for far: the embedded AWS has no region eusc-de-east-1" in started.err
    endpoint = started.out.splitlines()[0].removeprefix("endpoint=")
    assert endpoint.startswith("http://127.0.0.1:")
    assert started.verdict.startswith("SANDBOX all: RUNNING")
    assert started.verdict.endswith("for dev, prod, staging")
    topics(endpoint).create_topic(Name="kept")
    assert user.tapctl("sandbox", "status").verdict.startswith("SANDBOX all: RUNNING")
    again = user.tapctl("sandbox", "start")
    assert (again.code, again.err) == (0, "")
    assert pid(user) == first
    assert (user.folder / ".tapctl" / "sandbox.log").exists()

    # It is there for all environments, without credentials of the user's; its state lives on.
    planned = user.tapctl("plan", "--env", "prod", "--sandbox")
    assert planned.code == 0, planned.err
    assert planned.asked == ()
    assert len(topics(endpoint).list_topics()["Topics"]) == 1
    assert pid(user) == first
    # Every hint stays there.
    lost = user.tapctl("outputs", "--env", "dev", "--sandbox")
    assert "tapctl apply --env dev --sandbox" in lost.err

    # Without the flag there are no credentials.
    alone = user.tapctl("plan", "--env", "dev")
    assert alone.code == 9
    assert "there is no AWS profile" in alone.err

    # Its records outlive it, and are named; those of an AWS that stays are not.
    store = LocalStore(user.folder / "manifests")
    for suffix, kind in (("dev", AwsKind.SANDBOX), ("prod", AwsKind.REAL)):
        store.write(manifest(entry(), suffix=suffix).model_copy(update={"aws": kind}), None)
    ended = user.tapctl("sandbox", "stop")
    assert ended.verdict == "SANDBOX all: STOPPED"
    assert ended.err == (
        "warning: manifests/dev.json tells of what is forgotten: move it away before you apply dev there anew\n"
    )
    shutil.rmtree(user.folder / "manifests")
    assert user.tapctl("sandbox", "stop").verdict == "SANDBOX all: STOPPED · it was not running"
    # It ended; it was this process that started it.
    assert os.waitid(os.P_PID, first, os.WEXITED) is not None
    # It starts again, whatever other file is broken; what was in it is forgotten.
    (user.folder / "environments" / "prod.toml").write_text("[")
    anew = user.tapctl("plan", "--env", "dev", "--sandbox")
    assert anew.code == 0, anew.err
    assert anew.err.startswith("starting the embedded AWS\n")
    status = user.tapctl("sandbox", "status").out.splitlines()[0]
    assert topics(status.removeprefix("endpoint=")).list_topics()["Topics"] == []
