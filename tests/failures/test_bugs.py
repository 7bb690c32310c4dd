"""Unexpected exceptions: reported as a bug with the place and the record, never with the data at hand."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tapctl.cli import run
from tests.support.door import Proceed, Served, Visit
from tests.support.strides import strided
from tests.support.world import World

SECRET = "card 4111 1111 1111 1111"


def nonsense(visit: Visit, proceed: Proceed) -> Served:
    """The HTTP client fails as no HTTP client does, with a text that must not be shown."""
    if visit.name != "logs:DescribeLogGroups":
        return proceed()
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("drift",), ("destroy", "--yes"), ("status",)])
@pytest.mark.parametrize("flags", strided([[], ["--verbose"], ["--json"]], 3, 1))
def test_a_bug_before_any_change(dev: World, command: tuple[str, ...], flags: tuple[str, ...]) -> None:
    answer = dev.meeting(nonsense, *command, "--env", "dev", *flags)
    assert (answer.code, answer.changes) == (1, ()), answer.err
    told = answer.out + answer.err
    for text in (
        "this is a bug of tapctl",
        "RuntimeError",
        ".py:",
        "manifests",
        "nothing was changed",
        "report this",
    ):
        assert text in told
    assert SECRET not in told
    assert "Traceback" not in told


@pytest.mark.soak
def test_a_bug_in_the_middle_of_an_apply(world: World) -> None:
    """A bug ends what it happened to and what needs that; the rest is made and recorded."""

    def later(visit: Visit, proceed: Proceed) -> Served:
        made = world.path().exists() and "log-group" in world.path().read_text()
        return nonsense(visit, proceed) if made else proceed()

    answer = world.meeting(later, "apply", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    for text in ("this is a bug of tapctl", "log-group//aws/lambda/payment-processor-dev", "the manifest is right"):
        assert text in answer.err
    assert SECRET not in answer.out + answer.err + world.path().read_text()
    world.applied("dev")
    assert world.owned() == world.wanted()


class _Broken(io.StringIO):
    """A stream that fails in a way that streams do not."""

    def write(self, _: str) -> int:
        raise RuntimeError(SECRET)


def test_a_bug_of_the_screen(world: World) -> None:
    err = io.StringIO()
    with redirect_stdout(_Broken()), redirect_stderr(err):
        code = run(["plan", "--env", "dev"])
    assert code == 1
    assert "unexpected RuntimeError: this is a bug of tapctl" in err.getvalue()
    assert SECRET not in err.getvalue()


class _Gone(io.StringIO):
    """A pipe whose reader has gone, over a file of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("w")

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


def test_help_into_a_closed_pipe(tmp_path: Path) -> None:
    stream = _Gone(tmp_path / "pipe")
    with redirect_stdout(stream):
        assert run(["--help"]) == 141
    stream.close()
