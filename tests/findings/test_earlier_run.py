"""A recorded run: what it found is known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tapctl.engine.drift import Finding, Reason, Report
from tapctl.errors import RunInvalid
from tapctl.findings.earlier_run import known_findings, only_new
from tapctl.render import choose_screen
from tapctl.render.jsonl import finding_record
from tapctl.render.screen import Screen
from tests.support.strangers import give_files_away

SIZE = Finding("plain/a", "plain", "size", Reason.CHANGED, "small", "large")
MODE = Finding("plain/a", "plain", "mode", Reason.CHANGED, "calm", "wild")
FIRST = {"type": "version", "verb": "drift"}
LAST = {"type": "verdict"}


@pytest.fixture
def err() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def screen(err: io.StringIO) -> Screen:
    return choose_screen(io.StringIO(), err, {"TERM": "dumb"})


def run(path: Path, *records: object) -> str:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    return str(path)


def found(finding: Finding, suffix: str = "dev") -> dict[str, object]:
    return finding_record(finding, None, suffix) | {"suffix": suffix}


def test_only_what_is_new_is_left(tmp_path: Path, screen: Screen, err: io.StringIO) -> None:
    known = known_findings(run(tmp_path / "run", FIRST, found(SIZE), found(MODE, "prod"), LAST), screen)
    changed_again = Finding("plain/a", "plain", "size", Reason.CHANGED, "small", "huge")
    report = Report((SIZE, MODE, changed_again), 3, 0, 1)
    assert only_new(report, "dev", known).findings == (MODE, changed_again)
    assert err.getvalue() == ""


def test_of_what_was_taken_away_each_is_known_by_itself(tmp_path: Path, screen: Screen) -> None:
    gone = [Finding("plain/a", "plain", "items", Reason.CHANGED, item, None, item=True) for item in "pq"]
    known = known_findings(run(tmp_path / "run", FIRST, found(gone[0]), found(SIZE), LAST), screen)
    assert only_new(Report((*gone, SIZE), 2, 0, 1), "dev", known).findings == (gone[1],)
    # Another recorded value, of an apply since, makes the same live one no news.
    recorded_anew = Finding("plain/a", "plain", "size", Reason.CHANGED, "tiny", "large")
    assert only_new(Report((recorded_anew,), 2, 0, 1), "dev", known).findings == ()


def test_what_is_hidden_may_be_another_value_and_is_told_again(tmp_path: Path, screen: Screen) -> None:
    token, variable, other, several = (
        Finding("plain/a", "plain", field, Reason.CHANGED, None, live)
        for field, live in (
            ("tags.API_KEY", "hunter22hunter22"),
            ("environment.NODE_OPTIONS", "(hidden)"),
            ("environment.PARTNER_HOST", "((hidden))"),
            ("tags", {"API_KEY": "hunter22hunter22"}),
        )
    )
    shown = Finding("plain/a", "plain", "tags.note", Reason.CHANGED, None, "(hidden) in a text")
    findings = (token, variable, other, several, shown)
    known = known_findings(run(tmp_path / "run", FIRST, *map(found, findings), LAST), screen)
    assert only_new(Report(findings, 5, 0, 1), "dev", known).findings == (token, variable, other, several)


def test_a_run_that_was_cut_off_counts_as_far_as_it_goes(tmp_path: Path, screen: Screen, err: io.StringIO) -> None:
    path = tmp_path / "run"
    run(path, FIRST, found(SIZE), found(MODE))
    path.write_text(path.read_text()[:-20])
    assert only_new(Report((SIZE, MODE), 2, 0, 1), "dev", known_findings(str(path), screen)).findings == (MODE,)
    assert "was cut off" in err.getvalue()


@pytest.mark.parametrize("records", [[], [[1]], [{"type": "version", "verb": "plan"}], [found(SIZE)]])
def test_what_is_no_recorded_drift_is_refused(tmp_path: Path, screen: Screen, records: list[object]) -> None:
    with pytest.raises(RunInvalid, match="is not valid") as refused:
        known_findings(run(tmp_path / "run", *records), screen)
    assert refused.value.evidence == f"{tmp_path / 'run'}: line 1: holds no recorded drift"


def test_a_run_that_cannot_be_read_is_refused(tmp_path: Path, screen: Screen) -> None:
    with pytest.raises(RunInvalid, match="is not valid") as refused:
        known_findings(str(tmp_path), screen)
    assert str(refused.value.evidence).startswith(f"{tmp_path}: cannot be read: ")


def test_a_run_that_another_user_has_put_in_a_shared_folder_is_refused(
    tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = run(tmp_path / "run", FIRST, found(SIZE), LAST)
    tmp_path.chmod(0o777)
    assert known_findings(recorded, screen)  # of our own
    give_files_away(monkeypatch, tmp_path)
    with pytest.raises(RunInvalid) as refused:
        known_findings(recorded, screen)
    assert "belongs to another user (uid 4242)" in str(refused.value.evidence)
    assert str(refused.value.hint).endswith(f"chmod go-w {tmp_path}")
