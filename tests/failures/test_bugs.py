"""Unexpected exceptions: reported as a bug with the place and the record, never with the data at hand."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tapctl.cli import run
from tests.support.strides import strided
from tests.support.world import World

SECRET = "card 4111 1111 1111 1111"


@pytest.fixture
def broken_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a policy is read, Python's own JSON fails as it never does, with a text that must not be shown."""
    loads = json.loads

    def fail(text: Any, **options: Any) -> Any:
        if sys._getframe(1).f_globals["__name__"] == "tapctl.aws.policy":
            raise RuntimeError(SECRET)
        return loads(text, **options)

    monkeypatch.setattr(json, "loads", fail)


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("drift",), ("destroy", "--yes"), ("status",)])
@pytest.mark.parametrize("flags", strided([[], ["--verbose"], ["--json"]], 3, 1))
@pytest.mark.usefixtures("broken_json")
def test_a_bug_before_any_change(dev: World, command: tuple[str, ...], flags: tuple[str, ...]) -> None:
    answer = dev.tapctl(*command, "--env", "dev", *flags)
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
