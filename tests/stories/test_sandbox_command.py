"""The embedded AWS by its commands: a real server in the background, no credentials, state until it is stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tapctl import sandbox
from tapctl.session.invocation import SANDBOX_FOLDER
from tests.support.world import World


@pytest.fixture(scope="module")
def user(shared: World) -> Iterator[World]:
    """Somebody without credentials and an endpoint of their own, whose profile and proxy are of no use."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        patch.setenv("AWS_PROFILE", "nobody")
        patch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        yield shared
        sandbox.stop(shared.folder / SANDBOX_FOLDER)


def pid(world: World) -> int:
    return int(json.loads((world.folder / ".tapctl" / "sandbox.json").read_text())["pid"])


def test_the_whole_of_it(user: World) -> None:
    stopped = user.tapctl("sandbox", "status")
    assert (stopped.code, stopped.verdict) == (0, "SANDBOX all: STOPPED")
    started = user.tapctl("sandbox", "start")
    assert started.code == 0, started.err
    assert started.err == "starting the embedded AWS\n"
    assert started.out.startswith("endpoint=http://127.0.0.1:")
    assert started.verdict.startswith("SANDBOX all: RUNNING")
    assert started.verdict.endswith("for dev, prod, staging")
    first = pid(user)
    assert user.tapctl("sandbox", "status").verdict.startswith("SANDBOX all: RUNNING")
    again = user.tapctl("sandbox", "start")
    assert (again.code, again.err) == (0, "")
    assert pid(user) == first
    assert (user.folder / ".tapctl" / "sandbox.log").exists()

    # It is there for all environments, without credentials of the user's.
    for env in ("staging", "prod"):
        planned = user.tapctl("plan", "--env", env, "--sandbox")
        assert planned.code == 0, planned.err
        assert planned.asked == ()

    made = user.tapctl("--sandbox", "apply", "--env", "dev", "--yes")
    assert made.code == 0, made.err
    # Its state lives on; and every hint stays there.
    again = user.tapctl("apply", "--env", "dev", "--sandbox")
    assert f"{len(user.stack())} unchanged" in again.verdict
    user.path().rename(user.folder / "record")
    lost = user.tapctl("drift", "--env", "dev", "--sandbox")
    (user.folder / "record").rename(user.path())
    assert "tapctl apply --env dev --sandbox writes it anew" in lost.err
    assert pid(user) == first

    # Without the flag there are no credentials.
    alone = user.tapctl("plan", "--env", "dev")
    assert alone.code == 9
    assert "no usable AWS credentials" in alone.err

    assert user.tapctl("sandbox", "stop").verdict == "SANDBOX all: STOPPED"
    assert user.tapctl("sandbox", "stop").verdict == "SANDBOX all: STOPPED · it was not running"
    # It ended; it was this process that started it.
    assert os.waitid(os.P_PID, first, os.WEXITED) is not None
    # It starts by itself where it is needed; what was in it is forgotten.
    anew = user.tapctl("plan", "--env", "dev", "--sandbox")
    assert (anew.code, anew.verdict.split(" · ")[0]) == (0, f"PLAN dev: {len(user.stack())} to create")
    assert anew.err.startswith("starting the embedded AWS\n")


def test_an_environment_it_cannot_hold_keeps_no_other_one_out(user: World) -> None:
    text = (user.folder / "environments" / "dev.toml").read_text()
    (user.folder / "environments" / "far.toml").write_text(text.replace("us-east-2", "eu-isoe-west-1"))
    started = user.tapctl("sandbox", "start")
    (user.folder / "environments" / "far.toml").unlink()
    assert started.code == 0, started.err
    assert started.verdict.endswith("for dev, prod, staging")
    assert "warning: not for far: the embedded AWS has no region eu-isoe-west-1" in started.err

    # Nor does one whose file is broken, where the embedded AWS starts by itself.
    assert user.tapctl("sandbox", "stop").code == 0
    prod = user.folder / "environments" / "prod.toml"
    whole = prod.read_text()
    prod.write_text("[")
    planned = user.tapctl("plan", "--env", "dev", "--sandbox")
    prod.write_text(whole)
    assert planned.code == 0, planned.err
