"""GitHub: the summary, the outputs, and annotations within its limits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tapctl.cli.github import annotation_lines, tell_github
from tapctl.reports import sarif
from tapctl.reports.md import LIMIT
from tapctl.reports.run import run_of
from tests.reports.examples import HOSTILE, PLACE, error, finding, run, verdict, version


def test_findings_and_errors_are_annotations_on_their_lines() -> None:
    assert annotation_lines(run("apply"), {}) == [
        "::error file=environments/dev.toml,line=3,title=tapctl aws-refused::a.b = 5: no key",
        "::error title=tapctl no-place::creating it",
    ]
    lines = annotation_lines(run("drift"), {})
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::error", "::notice", "::notice"]
    assert lines[2] == (
        "::notice file=environments/common.toml,line=21,title=tapctl DRIFT (low)::"
        "lambda-function/payment-processor-dev timeout_s: 30 → 15"
    )
    assert not [line for line in lines if "memory_mb" in line]  # waived


@pytest.mark.parametrize(
    "place", ["--env", "--suffix", "TAPCTL_STATE", "AWS_DEFAULT_REGION, or the profile", "https_proxy"]
)
def test_an_option_and_a_variable_are_no_file(place: str) -> None:
    problem = {"file": place, "key": "", "value": '"nope"', "rule": "is none", "line": 0}
    told = run_of([version(), error(problems=[problem]), verdict()])
    assert annotation_lines(told, {}) == [f'::error title=tapctl aws-refused::{place} = "nope": is none']
    (result,) = json.loads(sarif.render(told))["runs"][0]["results"]
    assert result["message"]["text"] == f"{place} is none"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "environments"


def test_at_most_ten_of_a_kind_and_the_rest_counted() -> None:
    def shown(count: int) -> list[str]:
        return annotation_lines(run_of([version(), *(finding(f"tags.t{at}") for at in range(count)), verdict()]), {})

    assert len(shown(10)) == 10
    assert len(shown(25)) == 10
    assert shown(25)[-1] == "::notice title=tapctl::and 16 more"


def test_what_others_wrote_commands_nothing() -> None:
    (line,) = annotation_lines(
        run_of([version(), finding("tags.x", None, HOSTILE, config={**PLACE, "file": "a,b:c%.toml"}), verdict()]), {}
    )
    assert line.startswith("::notice file=a%2Cb%3Ac%25.toml,line=21,title=")
    assert line.isprintable()


def test_a_file_is_named_from_the_root_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "infra"
    folder.mkdir()
    monkeypatch.chdir(folder)
    told = run_of([version(), finding(config=PLACE), finding(config={**PLACE, "file": "/etc/x.toml"}), verdict()])
    first, second = annotation_lines(told, {"GITHUB_WORKSPACE": str(tmp_path)})
    assert "file=infra/environments/common.toml," in first
    assert "file=/etc/x.toml," in second


def test_summary_and_outputs_are_appended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    summary.write_text("before\n")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    warnings: list[str] = []
    tell_github(run("drift"), 2, env, warnings.append)
    assert summary.read_text().startswith("before\n### ")
    assert outputs.read_text().splitlines() == [
        "verdict=DIFFERENT",
        "exit=2",
        "plan_hash=",
        "findings=4",
        "summary=DRIFT dev: DIFFERENT · 1 drifted",
    ]
    tell_github(run("cut"), 1, env, warnings.append)
    assert "verdict=CUT OFF\n" in outputs.read_text()
    assert warnings == []
    out, err = capsys.readouterr()
    assert (out, [line.partition(" ")[0] for line in err.splitlines()].count("::error")) == ("", 2)


def test_a_summary_that_is_nearly_full_takes_what_fits(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("x" * (LIMIT - 900))
    tell_github(run("drift"), 2, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}, print)
    assert LIMIT - 900 < summary.stat().st_size <= LIMIT


def test_a_file_that_cannot_be_written_is_told_and_elsewhere_nothing_is_done(tmp_path: Path) -> None:
    warnings: list[str] = []
    tell_github(run("drift"), 2, {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path)}, warnings.append)
    assert warnings == ["GITHUB_OUTPUT could not be written: Is a directory"]
    tell_github(run("drift"), 2, {"GITHUB_OUTPUT": str(tmp_path)}, warnings.append)
    tell_github(None, 2, {"GITHUB_ACTIONS": "true"}, warnings.append)
    assert len(warnings) == 1


def test_a_pipe_that_nobody_reads_is_told_and_waits_for_nobody(tmp_path: Path) -> None:
    pipe, told = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    tell_github(run("drift"), 2, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(pipe)}, told.append)
    assert told == ["GITHUB_STEP_SUMMARY could not be written: No such device or address"]
