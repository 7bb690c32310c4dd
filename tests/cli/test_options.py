from __future__ import annotations

from pathlib import Path

import pytest

from tapctl.cli import run
from tapctl.cli.options import parse_duration, parse_plan_out
from tapctl.errors import UsageError
from tapctl.planning.plan_file import LASTS_S, PlanOut


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("1h0m5s", 3605), ("90m", 5400), ("24h", 86400)],
)
def test_a_duration_is_written_with_its_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "10", "m", "10 m", "-5m", "+5m", "1.5h", "10M", "10min", "5m1h", "1m1m", "1d", "inf", "nan"),
        *("10m\n", "\u0661m", "24h1s", "999999h", "9999999s"),
    ],
)
def test_anything_else_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_duration(text)
    assert repr(text) in refused.value.cause
    assert refused.value.hint == "write it like 30s, 10m or 1h30m; a day at most"
    assert refused.value.exit_code == 64


FILE = Path("dev.plan")


@pytest.mark.parametrize(
    ("file", "expires", "out"),
    [(None, None, None), (FILE, None, PlanOut(FILE, LASTS_S)), (FILE, "720h", PlanOut(FILE, 720 * 3600))],
)
def test_a_plan_is_written_where_a_file_is_named(file: Path | None, expires: str | None, out: PlanOut | None) -> None:
    assert parse_plan_out(file, expires) == out


def test_a_plan_that_would_lie_in_no_folder_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        parse_plan_out(tmp_path / "none" / "dev.plan", None)


@pytest.mark.parametrize(("file", "expires"), [(None, "1h"), (FILE, "0s"), (FILE, "721h"), (FILE, "tomorrow")])
def test_a_time_that_no_plan_lasts_is_a_wrong_call(file: Path | None, expires: str) -> None:
    with pytest.raises(UsageError, match="--expires"):
        parse_plan_out(file, expires)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--env", "dev", "--restore", ""),
        ("plan", "--env", "dev", "--out", ""),
        ("apply", "--env", "dev", "--plan", ""),
        ("iam-policy", "--for", "plan", "--env", "dev", "--out", ""),
    ],
)
def test_an_empty_word_is_no_name_and_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*words]) == 64
    assert "is empty; is a variable not set?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["plan", "apply", "destroy", "drift", "status", "outputs", "parity", "validate"])
@pytest.mark.parametrize("name", ["TAPCTL_STATE", "TAPCTL_CONFIG", "TAPCTL_ENV"])
def test_a_variable_that_is_set_and_empty_means_no_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "")
    assert run([verb]) == 64
    assert f"{name} is set and empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_line_goes_before_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAPCTL_STATE", "")
    assert run(["outputs", "--env", "dev", "--config", str(tmp_path), "--state", str(tmp_path)]) == 3
    assert "TAPCTL_STATE" not in capsys.readouterr().err
