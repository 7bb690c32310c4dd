"""Terminals with nobody there, a reader that has gone, a closed stream: never a hang, never a traceback."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from tapctl.cli import run
from tests.failures.process import MINUTES
from tests.support.strides import strided
from tests.support.world import World

TAPCTL = shlex.join([sys.executable, "-m", "tapctl"])
ASKING = (("apply", "--yes"), ("destroy", "--yes"))


def shell(world: World, line: str) -> subprocess.CompletedProcess[str]:
    """Run this line as a user's shell would, with the status of the first command of a pipe."""
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line],
        cwd=world.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=MINUTES,
    )


@pytest.mark.parametrize("ci", strided(("", "true", "1"), 3, 1))
@pytest.mark.parametrize(("verb", "flag"), ASKING)
def test_a_question_without_a_terminal(dev: World, verb: str, flag: str, ci: str) -> None:
    if verb == "apply":
        dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1536")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", ci)
        # With CI set a terminal counts for nothing.
        answer = dev.tapctl(verb, "--env", "dev", typed="yes\n" if ci else None)
    if verb == "apply":
        dev.edit("dev.toml", "memory_mb = 1536", "memory_mb = 1024")
    assert (answer.code, answer.changes) == (64, ()), answer.err
    for told in ("error usage", f"tapctl {verb} --env dev {flag}", "nothing was changed"):
        assert told in answer.err


def test_a_destroy_that_names_nothing_is_not_covered_by_yes(dev: World) -> None:
    answer = dev.tapctl("destroy", "--yes")
    assert (answer.code, answer.changes) == (64, ())
    assert "--confirm dev" in answer.err


@pytest.mark.parametrize(
    "command", strided(["plan --env dev", "plan --env dev --json", "--help", "schema", "graph --env dev"], 5, 2)
)
def test_a_closed_pipe(dev: World, command: str) -> None:
    ended = shell(dev, f"{TAPCTL} {command} | head -1")
    assert ended.stderr.replace("plan dev: asking AWS who we are\n", "") == ""
    assert len(ended.stdout.splitlines()) == 1
    assert ended.returncode in (0, 141)


@pytest.mark.soak
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream(dev: World, closed: str) -> None:
    ended = shell(dev, f"{TAPCTL} plan --env dev {closed}")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_none(dev: World, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, name, None)
        assert run(["validate", "--env", "dev"]) == 0
        getattr(sys, name).close()


@pytest.mark.soak
def test_a_report_that_cannot_be_written_is_no_success(dev: World) -> None:
    """/dev/full takes nothing, as a full disk."""
    ended = shell(dev, f"{TAPCTL} plan --env dev > /dev/full")
    assert ended.returncode == 1
    assert "could not be written to stdout" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.soak
def test_an_apply_whose_report_nobody_reads_ends_what_it_began(world: World) -> None:
    """Of an AWS of its own, and so the last: the others share theirs."""
    ended = shell(world, f"{TAPCTL} apply --env dev --yes 2>&1 | head -1")
    assert "Traceback" not in ended.stdout
    assert world.drift().code == 0
