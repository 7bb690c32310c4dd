from __future__ import annotations

import errno
import io
import runpy
import sys

import pytest

from tapctl import __version__
from tapctl.cli import main, run


def test_python_m_tapctl_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tapctl", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("tapctl", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"tapctl, version {__version__}\n")


def test_importing_the_main_module_runs_nothing() -> None:
    assert "main" in runpy.run_module("tapctl.__main__", run_name="imported")


class _Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (["validate", "--config", "is/nowhere"], 3, "the folder of the environment files cannot be read"),
        (["parity", "--nonsense"], 64, "No such option"),
        (["--help"], 1, "No space left on device"),
        (["plan", "--help"], 1, "No space left on device"),
        (["--version"], 1, "No space left on device"),
    ],
)
def test_a_failure_whose_verdict_finds_no_room_is_told_once_with_its_own_status(
    line: list[str],
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", _Full())
    assert run(line) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.count("No space left on device") <= 1
    assert "bug of tapctl" not in shown


@pytest.mark.parametrize("position", ["x", ""])
def test_a_completion_that_cannot_be_made_says_nothing(
    position: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TAPCTL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "tapctl plan ")
    monkeypatch.setenv("COMP_CWORD", position)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert (ended.value.code, capsys.readouterr()) == (1, ("", ""))
