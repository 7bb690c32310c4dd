"""Reports on terminals of 60 to 200 columns: each line fits, nothing is cut, and what it costs is in the first line."""

from __future__ import annotations

import io
import os
import pty
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.engine.model import Impact
from tapctl.engine.plan import Action, FieldChange
from tapctl.errors import Refused
from tapctl.render.reports import drift_lines, plan_lines
from tapctl.render.terminal import Palette, cells, sanitize, table_lines, terminal_width, wrap
from tests.render.examples import ADVICE, REPORT, Terminal, change, plan

LONG = "…80 % of its 400 connections in use for 15 minutes and then some"
PLAN = plan(
    change(
        "log-group//aws/rds/cluster/db-cluster-staging/postgresql",
        Action.UPDATE,
        FieldChange("environment.A_VERY_LONG_NAME_OF_A_VARIABLE", LONG, LONG.upper(), Impact.FAILOVER, outside=True),
        FieldChange("memory_mb", 1024, 2048),
    ),
    replace(change("db-cluster/db-cluster-staging", Action.DELETE), impact=Impact.DATA_LOSS),
    change("iam-role/theirs", Action.NOTHING, blocked=Refused(f"it is not ours: {LONG}")),
)
WIDTHS = [60, 64, 80, 100, 130, 200]


def squeezed(lines: list[str]) -> str:
    return "".join("".join(lines).split())


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_fits_and_says_all_and_the_impact_stands_by_the_field(width: int) -> None:
    whole, fitted = plan_lines(PLAN), plan_lines(PLAN, width=width)
    assert max(map(cells, fitted)) <= width
    assert sorted(squeezed(fitted)) == sorted(squeezed(whole))
    assert any(line.startswith("      environment.A_VERY_LONG") and line.endswith("failover") for line in fitted)
    assert any("data loss" in line for line in fitted)
    assert any("log-group" in line for line in fitted)


def test_a_short_change_beside_a_long_one_stays_in_one_line() -> None:
    assert "      memory_mb  1024 → 2048  none" in plan_lines(PLAN, width=60)


@pytest.mark.parametrize("width", WIDTHS)
def test_drift_fits_and_says_all_and_the_state_stands_by_the_field(width: int) -> None:
    finding = replace(REPORT.findings[0], address=f"lambda-function/{'payment-' * 5}dev", recorded=LONG, live=LONG[1:])
    never = (
        "db-cluster: clones, proxies, integrations, blue/green",
        "db-cluster: exports, AWS Backup",
        "iam-role: use",
    )
    report = replace(REPORT, findings=(finding, *REPORT.findings[1:]), never_compared=never)
    advice = {(finding.address, finding.field): ADVICE}
    whole, fitted = drift_lines(report, advice), drift_lines(report, advice, width=width)
    assert max(map(cells, fitted)) <= width
    assert sorted(squeezed(fitted)) == sorted(squeezed(whole))
    assert width > 60 or "                exports, AWS Backup" in fitted
    assert any(line.lstrip(" !").startswith("payment-") and line.endswith("  DRIFT") for line in fitted)
    coloured = drift_lines(report, advice, width=width, paint=Palette(on=True))
    assert sum("\x1b[33mDRIFT\x1b[0m" in line for line in coloured) == 1


COLUMNS = ["environment", "region", "health"]
ROWS = [["dev", "us-east-2", f"healthy; {LONG}; {LONG}"], ["staging", "us-west-2", ""]]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_that_does_not_fit_is_a_list(width: int) -> None:
    lines = table_lines(COLUMNS, ROWS, width=width)
    assert max(map(cells, lines)) <= width
    if width == 60:
        assert lines == [
            "dev",
            "  region  us-east-2",
            "  health  healthy; …80 % of its 400 connections in use for",
            "          15 minutes and then some; …80 % of its 400",
            "          connections in use for 15 minutes and then some",
            "staging",
            "  region  us-west-2",
            "  health",
        ]
    if width == 200:
        assert lines == table_lines(COLUMNS, ROWS)


def test_a_table_of_nothing_is_its_heading() -> None:
    assert table_lines(COLUMNS, [], width=60) == ["environment  region  health"]


@given(st.text(), st.integers(2, 80))
def test_wrapped_text_fits_keeps_all_words_and_stays_harmless(text: str, width: int) -> None:
    clean = sanitize(text)
    lines = wrap(clean, width)
    assert all(cells(line) <= width for line in lines)
    assert squeezed(lines) == squeezed([clean])


def test_a_break_never_lets_a_line_speak_to_a_ci_system() -> None:
    assert wrap("aaaa:::stop-commands::x", 5)[1:2] != ["::sto"]
    for width in range(4, 40):
        for line in wrap(sanitize("a/::stop-commands::tok b-##vso[x] c"), width):
            assert not line.startswith("::stop")
            assert "##vso[" not in line


class Sized(Terminal):
    """A terminal with a descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


def test_the_width_is_the_terminals_and_what_is_piped_has_none() -> None:
    ours, theirs = pty.openpty()
    try:
        assert terminal_width(io.StringIO(), {"COLUMNS": "100"}) is None
        assert terminal_width(Terminal(), {"COLUMNS": "100"}) == 100
        assert terminal_width(Terminal(), {"COLUMNS": "1"}) == 40
        assert terminal_width(Terminal(), {"COLUMNS": "999999"}) == 80
        assert terminal_width(Terminal(), {}) == 80
        assert terminal_width(Sized(theirs), {}) == 80
    finally:
        os.close(ours)
        os.close(theirs)
