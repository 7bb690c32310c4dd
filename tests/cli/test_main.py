from __future__ import annotations

import runpy
import sys

import pytest

from tapctl import __version__


def test_python_m_tapctl_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tapctl", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("tapctl", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"tapctl, version {__version__}\n")


def test_importing_the_main_module_runs_nothing() -> None:
    assert "main" in runpy.run_module("tapctl.__main__", run_name="imported")
