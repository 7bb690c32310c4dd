"""Runs that are read from JSON Lines: whole, cut off, or somebody else's."""

from __future__ import annotations

import json
import math

import pytest

from tapctl.errors import RunInvalid
from tapctl.reports.events import Finding, Verdict, schema
from tapctl.reports.run import LARGEST, parse
from tapctl.reports.values import finding_text
from tests.reports.examples import APPLY, CLUSTER, DRIFT, FUNCTION, KEY, finding, lines, run, span, version
from tests.support.event_schema import valid


def test_a_run_is_what_was_written() -> None:
    parsed = parse(lines(DRIFT), "run.jsonl")
    assert parsed == run("drift")
    assert parsed.headline == "DRIFT dev: DIFFERENT · 1 drifted"
    assert [finding.severity for finding in parsed.findings] == ["high", "high", "low", "low", "low"]
    assert parsed.needs[FUNCTION] == (CLUSTER,)


def test_a_run_that_was_cut_off_has_no_verdict_and_no_half_line() -> None:
    whole = lines(APPLY)
    cut = parse(whole[: whole.rindex(b'"status"')], "run.jsonl")
    assert cut.verdict is None
    assert len(cut.events) == len(APPLY) - 1
    assert cut.headline == "APPLY dev: CUT OFF · the run was cut off here; this is what there is"


def test_a_last_line_without_its_end_counts_where_it_is_whole() -> None:
    assert isinstance(parse(lines(APPLY).rstrip(b"\n"), "run.jsonl").verdict, Verdict)


def test_lines_of_a_newer_tapctl_and_empty_ones_are_passed_over() -> None:
    more = lines([version(), {"type": "hologram", "a": 1}]) + b"\n" + lines(DRIFT[1:])
    assert parse(more, "run.jsonl").of(Finding) == run("drift").of(Finding)


@pytest.mark.parametrize(
    ("content", "place", "rule"),
    [
        (b"", "line 1", "is no version line"),
        (lines(DRIFT[1:]), "line 1", "is no version line"),
        (lines([version()]) + b"hello\n{}\n", "line 2", "is no line of a run: column 1: a value is missing"),
        (lines([version()]) + b"{}\n", "line 2", "is no line of a run: its type is missing"),
        (lines([version()]) + b"[]\n", "line 2", "is no line of a run: must be an object; this is an array"),
        (lines([version()]).decode().encode("utf-16"), "", "it is UTF-16: save it as UTF-8"),
        (lines([version()]) + b'{"type":"finding"}\n', "line 2", "is no line of a run: address: is missing"),
        (b"[" * 100_000 + b"\n", "line 1", "is no line of a run"),
        (b"[" * 100_000, "line 1", "is no version line"),
        (b"\xff\x00", "line 1", "is no version line"),
        (b" " * (LARGEST + 1), "", "is larger than"),
        *(
            (lines([version(), span(KEY, "wait", *times)]), "line 2", "is no line of a run: ")
            for times in ((-1.0, 1.0), (0.0, 1e308), (0.0, math.nan), (math.inf, 1.0))
        ),
    ],
)
def test_what_is_no_run_is_refused_with_its_place(content: bytes, place: str, rule: str) -> None:
    with pytest.raises(RunInvalid) as refused:
        parse(content, "run.jsonl")
    assert str(refused.value.evidence).startswith(": ".join(filter(None, ("run.jsonl", place, rule))))
    assert "--report" in str(refused.value.hint)


def test_a_change_that_was_planned_twice_is_the_last_one() -> None:
    assert [*run("apply").changes] == [KEY, CLUSTER, FUNCTION]
    assert run("apply").usual == {KEY: 0.5, CLUSTER: 185}


def test_the_schema_names_every_kind_of_line() -> None:
    assert {"version", "finding", "span", "verdict"} <= set(schema()["discriminator"]["mapping"])
    assert json.loads(json.dumps(schema()))["$schema"].endswith("2020-12/schema")
    assert [valid(record) for record in (*DRIFT, *APPLY)]


def test_a_finding_without_values_is_told_by_its_note() -> None:
    found = Finding.model_validate(finding("*", None, None, state="UNKNOWN", note="the record does not hold it"))
    assert finding_text(found) == "the record does not hold it"
