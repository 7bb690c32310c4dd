"""The run as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tapctl.render.reports import Block, Detail, block_lines
from tapctl.render.terminal import PLAIN, duration, one_line, table_lines
from tapctl.reports.events import Finding, Output, Status
from tapctl.reports.run import Run
from tapctl.reports.values import (
    STATES,
    change_text,
    field_name,
    finding_text,
    place_text,
    shown,
    symbol_of,
    target_line,
    verdict_of,
    who_text,
)


def render(run: Run) -> str:
    """The target, changes, findings, results, tables and errors, and last the verdict."""
    parts = (_blocks(run), _tables(run), _not_compared(run), _warnings(run), _errors(run))
    return "\n".join([*filter(None, [target_line(run)]), *(line for part in parts for line in part), run.headline])


def _blocks(run: Run) -> Iterator[str]:
    changes = [
        Block(
            symbol_of(change),
            change.resource_type,
            change.address.partition("/")[2],
            change.note,
            change.impact if change.impact != "none" else "",
            change.blocked.message if change.blocked else "",
            tuple(Detail(field.path, change_text(field)) for field in change.fields if change.action != "create"),
        )
        for change in run.changes.values()
    ]
    findings = [
        Block(
            STATES.get(finding.state, "!"),
            finding.resource_type,
            finding.address.partition("/")[2],
            f"{finding.state} {finding.severity}",
            details=tuple(_details(finding)),
        )
        for finding in run.findings
    ]
    results = [
        Block(
            "x" if result.result == "failed" else "=",
            address.partition("/")[0],
            result.id,
            " ".join(
                filter(None, (result.result, duration(result.elapsed_s) if result.elapsed_s else "", result.note))
            ),
        )
        for address, result in run.results.items()
    ]
    for blocks in (changes, findings, results):
        yield from block_lines(blocks, PLAIN)


def _details(finding: Finding) -> Iterator[Detail]:
    yield Detail(field_name(finding), finding_text(finding), place_text(finding))
    if finding.who:
        yield Detail("who", who_text(finding.who, finding.cause))


def _not_compared(run: Run) -> Iterator[str]:
    if run.not_compared:
        yield f"not compared ({len(run.not_compared)})"
        yield from (f"  {one_line(each)}" for each in run.not_compared)


def _warnings(run: Run) -> Iterator[str]:
    yield from (f"warning: {one_line(text)}" for text in run.warnings)


def _tables(run: Run) -> Iterator[str]:
    if statuses := run.of(Status):
        rows = [[one.environment, str(one.resources), one.since, one.by, one.health, one.next] for one in statuses]
        yield from table_lines(("environment", "resources", "since", "by", "health", "next"), rows)
    if run.differences:
        columns, rows = matrix(run)
        yield from table_lines(columns, rows)
    for output in run.of(Output):
        yield f"{one_line(output.name)}={one_line(output.value)}"
    yield from (line for text in run.documents for line in text.splitlines())


def matrix(run: Run) -> tuple[list[str], list[list[str]]]:
    """The differences as a table: its columns, among them one an environment, and its rows."""
    names = list(dict.fromkeys(name for each in run.differences for name in each.values))
    rows = [
        [each.where, each.what, *(_cell(each.values.get(name)) for name in names), verdict_of(each)]
        for each in run.differences
    ]
    return ["where", "what", *names, "verdict"], rows


def _cell(value: Any) -> str:
    return "-" if value is None else shown(value)


def _errors(run: Run) -> Iterator[str]:
    for error in run.errors:
        yield f"error {one_line(error.code)}: {one_line(error.message)}"
        yield from (f"  {name}  {one_line(text)}" for name, text in _parts(error.why, error.state, error.hint) if text)


def _parts(*texts: str | None) -> Iterator[tuple[str, str | None]]:
    yield from zip(("why  ", "state", "hint "), texts, strict=True)
