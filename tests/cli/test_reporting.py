"""``--report`` and ``render``: every command leaves its run, and the same comes of it offline, to the byte."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from tapctl.cli import run
from tapctl.cli.reporting import leave_reports, reports_among
from tapctl.render import choose_screen
from tapctl.render.text import TextScreen
from tapctl.reports.recording import Recording
from tests.reports.examples import DRIFT, lines
from tests.support.config_folder import ENVIRONMENTS
from tests.support.event_schema import valid

VALIDATE = ["validate", "--config", str(ENVIRONMENTS)]


def test_every_format_is_written_and_is_what_render_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    formats = {
        "md": "md",
        "comment.md": "comment",
        "html": "html",
        "sarif": "sarif",
        "xml": "junit",
        "trace.json": "trace",
    }
    reports = [word for ending in (*formats, "jsonl") for word in ("--report", f"out/run.{ending}")]
    assert run([*reports[:4], *VALIDATE, *reports[4:]]) == 0
    assert capsys.readouterr().err == ""
    for ending, format_ in formats.items():
        assert run(["render", "out/run.jsonl", "--as", format_]) == 0
        assert capsys.readouterr().out == Path(f"out/run.{ending}").read_text(encoding="utf-8")
    assert run(["render", "out/run.jsonl", "--as", "text"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("VALIDATE all: OK · valid: dev, prod, staging")


def test_the_recorded_lines_are_those_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "run.jsonl"
    assert run([*VALIDATE, "--json", f"--report={report}"]) == 0
    assert report.read_text() == capsys.readouterr().out


def test_a_run_is_taken_from_stdin_and_a_cut_one_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(DRIFT[:-1]))))
    assert run(["render", "-", "--as", "text", "--json"]) == 0
    records = [valid(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert records[1]["text"].splitlines()[-1].startswith("DRIFT dev: CUT OFF")


def test_a_run_that_is_not_there_or_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", str(tmp_path / "none"), "--as", "md"]) == 3
    assert "cannot be read: No such file" in capsys.readouterr().err
    (tmp_path / "run").write_text("hello\n")
    assert run(["render", str(tmp_path / "run"), "--as", "md"]) == 3
    assert "line 1: is no line of a run" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = [tmp_path / "folder.md", tmp_path / "folder.jsonl", tmp_path / "run.xml"]
    for folder in reports[:2]:
        folder.mkdir()
    assert run([*VALIDATE, *(word for path in reports for word in ("--report", str(path)))]) == 0
    told = capsys.readouterr().err
    for folder in reports[:2]:
        assert f"warning: the report {folder} could not be written: Is a directory" in told
    assert (tmp_path / "run.xml").exists()


@pytest.mark.parametrize("name", ["run.md", "run.jsonl"])
def test_a_report_into_a_pipe_that_nobody_reads_waits_for_nobody(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / name)
    assert run([*VALIDATE, "--report", str(tmp_path / name)]) == 0
    assert f"warning: the report {tmp_path / name} could not be written: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run.md", "run.jsonl"])
def test_a_report_follows_no_link(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / name).symlink_to(tmp_path / "theirs")
    assert run([*VALIDATE, "--report", str(tmp_path / name)]) == 0
    told = f"the report {tmp_path / name} could not be written: it is a symbolic link, which is not followed"
    assert told in capsys.readouterr().err
    assert (tmp_path / "theirs").read_text() == "kept"


def test_the_lines_are_in_their_file_as_they_happen_and_a_full_disk_is_told(tmp_path: Path) -> None:
    recording = Recording([f"{tmp_path}/run.jsonl", f"{tmp_path}/full.jsonl"])
    shown = choose_screen(io.StringIO(), io.StringIO(), {})
    screen = recording.beside(shown, "outputs")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, recording.tape.copies[1].stream.fileno())
    os.close(full)
    screen.output("name", "value")
    assert [json.loads(line)["type"] for line in (tmp_path / "run.jsonl").read_text().splitlines()] == [
        "version",
        "output",
    ]
    warnings: list[str] = []
    recording.leave(warnings.append)
    assert warnings == [f"the report {tmp_path}/full.jsonl could not be written: No space left on device"]


def test_an_ending_of_no_format_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*VALIDATE, "--report", f"{tmp_path}/run.pdf", "--report", f"{tmp_path}/run.md"]) == 64
    assert "its ending names no format" in capsys.readouterr().err
    assert "FAILED" in (tmp_path / "run.md").read_text()
    assert not (tmp_path / "run.pdf").exists()


def test_a_wrong_call_leaves_its_reports_too(tmp_path: Path) -> None:
    assert run(["plan", "dev", "--report", f"{tmp_path}/run.sarif"]) == 64
    (failed,) = json.loads((tmp_path / "run.sarif").read_text())["runs"]
    assert failed["results"][0]["ruleId"] == "error/usage"
    assert run(["--report", f"{tmp_path}/run.md", "nothing"]) == 64
    assert not (tmp_path / "run.md").exists()


def test_words_that_ask_for_a_report_are_found_in_a_line_that_cannot_be_parsed() -> None:
    assert reports_among(["plan", "--report", "a.md", "--bad", "--report=b.xml", "--report"]) == ["a.md", "b.xml", ""]


def test_a_configuration_error_points_at_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ENVIRONMENTS.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    common = (tmp_path / "common.toml").read_text()
    (tmp_path / "common.toml").write_text(common.replace("backup_retention_days = 7", "backup_retention_days = 700"))
    (tmp_path / "prod.toml").unlink()
    monkeypatch.chdir(tmp_path)
    assert run(["validate", "--config", ".", "--env", "dev", "--report", "run.jsonl"]) == 3
    (failed,) = (
        record for line in Path("run.jsonl").read_text().splitlines() if (record := json.loads(line))["type"] == "error"
    )
    number = common.split("\n").index("backup_retention_days = 7") + 1
    assert [(each["key"], each["line"]) for each in failed["problems"]] == [("database.backup_retention_days", number)]
    assert run(["validate", "--config", "elsewhere", "--report", "run.jsonl"]) == 3


def test_on_github_every_command_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert run(["plan", "dev"]) == 64
    assert "exit=64\n" in (tmp_path / "outputs").read_text()
    assert "::error title=tapctl usage::" in capsys.readouterr().err


def test_a_report_that_fails_by_a_bug_changes_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []

    class Broken(Recording):
        def leave(self, warn: object) -> None:
            raise RuntimeError("secret")

    screen = TextScreen.__new__(TextScreen)
    monkeypatch.setattr(screen, "warn", warnings.append)
    leave_reports([(Broken(), screen)], 0)
    assert warnings == ["a report could not be made: unexpected RuntimeError, which is a bug of tapctl"]


def test_a_run_without_a_line_leaves_nothing(tmp_path: Path) -> None:
    Recording([str(tmp_path / "run.md")]).leave(print)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("document", ["common", "environment", "events"])
def test_one_schema_a_document(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", document]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")
    assert run(["schema", document, "--json"]) == 0
    told = valid(json.loads(capsys.readouterr().out.splitlines()[1]))
    assert (told["name"], told["type"]) == (document, "document")
