"""The run as Markdown: the verdict first, details folded, for a job summary or a comment of at most 1 MiB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from tapctl.render.terminal import duration, one_line
from tapctl.reports.events import Finding, PlanFile, PlannedChange, Status
from tapctl.reports.run import Run
from tapctl.reports.text import matrix
from tapctl.reports.values import (
    change_text,
    commands,
    field_name,
    finding_text,
    place_text,
    symbol_of,
    target_line,
    who_text,
)

LIMIT: Final = 1024 * 1024
"""Bytes that a summary may have: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands"""
_CLOSING: Final = "</table></details>\n\n**Cut here: {left} more rows do not fit into {limit:,} bytes.**\n"
_SPARE: Final = 512
"""Bytes kept for the words on what was cut."""
_MARKUP: Final = re.compile(r"[^A-Za-z0-9 .,/+=(){}?;%'\"\x80-\U0010ffff-]")
"""Characters that Markdown, HTML or GitHub may take for more."""
_DOCUMENT: Final = 64 * 1024
"""Characters of a text that are shown."""


def render(run: Run, limit: int = LIMIT) -> str:
    """The run in at most ``limit`` bytes; what does not fit is counted."""
    head = "\n".join([f"### {_mark(run)} {escape(run.headline)}", "", escape(target_line(run)), ""])
    lines = [line for section in _sections(run) for line in section]
    if len(head.encode()) + sum(len(line.encode()) + 1 for line in lines) + 1 <= limit:
        return "\n".join([head, *lines])
    used = accumulate(len(line.encode()) + 1 for line in lines)
    room = limit - len(head.encode()) - _SPARE
    kept = [line for line, upto in zip(lines, used, strict=True) if upto <= room]
    left = sum(line.startswith("<tr><td>") for line in lines[len(kept) :])
    return "\n".join([head, *kept, _CLOSING.format(left=left, limit=limit)])


def escape(text: str) -> str:
    """The text as Markdown and HTML take for text: neither markup, nor a mention, nor a row's end."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", one_line(text))


def _indented(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" "))) + escape(line)


def code(text: str) -> str:
    """The text as code: GitHub finds no mention and no issue in code."""
    return f"<code>{escape(text)}</code>" if text else ""


def _mark(run: Run) -> str:
    verdict = run.verdict
    if verdict is None:
        return "✂"
    return "✅" if verdict.exit == 0 else "❌" if verdict.exit not in (2, 7) else "⚠️"


def _sections(run: Run) -> Iterator[list[str]]:
    yield from (_error(run, at) for at in range(len(run.errors)))
    yield [*(f"> ⚠️ {escape(text)}\n" for text in run.warnings)]
    findings = [_finding(finding) for finding in run.findings]
    columns = ("severity", "state", "resource", "field", "recorded → live", "decided by", "who", "next")
    yield _table("finding", columns, findings, opened=True)
    changes = [_change(change) for change in run.changes.values()]
    yield _table("planned change", ("", "resource", "action", "impact", "fields", "note"), changes)
    yield [*_plan(run)]
    if run.differences:
        columns_, rows = matrix(run)
        yield _table("difference", [escape(each) for each in columns_], [[*map(code, row)] for row in rows])
    statuses = [
        [
            code(each.environment),
            str(each.resources),
            code(each.since),
            code(each.by),
            escape(each.health),
            code(each.next),
        ]
        for each in run.of(Status)
    ]
    yield _table("environment", ("environment", "resources", "since", "by", "health", "next"), statuses, opened=True)
    results = [
        [
            code(result.address),
            result.result,
            duration(result.elapsed_s) if result.elapsed_s else "",
            escape(result.note),
        ]
        for result in run.results.values()
    ]
    yield _table("resource", ("resource", "result", "time", "note"), results)
    if run.not_compared:
        unseen = [f"<tr><td>{code(each)}</td></tr>" for each in run.not_compared]
        yield [
            f"<details><summary>{len(unseen)} not compared</summary>",
            "",
            "<table>",
            *unseen,
            "</table></details>",
            "",
        ]
    for text in run.documents:
        cut = "" if len(text) <= _DOCUMENT else "\n…"
        shown = "\n".join(map(_indented, f"{text[:_DOCUMENT]}{cut}".split("\n")))
        yield [f"<details><summary>text</summary>\n\n<pre>{shown}</pre></details>", ""]


def _plan(run: Run) -> Iterator[str]:
    """The hash by which a plan is approved (``apply --expect``), the time it takes, and until when its file holds."""
    if run.verdict is None or not run.verdict.plan_hash:
        return
    told = [f"plan {code(run.verdict.plan_hash)}"]
    told += [f"usually {duration(run.estimate.usual_s)}"] if run.estimate else []
    told += [f"to be applied until {escape(each.expires)}" for each in run.of(PlanFile) if each.expires]
    yield from (" · ".join(told), "")


def _finding(finding: Finding) -> list[str]:
    texts = (finding.address, field_name(finding), finding_text(finding), place_text(finding))
    who = escape(who_text(finding.who, finding.cause)) if finding.who else ""
    waiver = finding.waiver
    told = [escape(f"until {waiver.until}: {waiver.reason} ({waiver.owner})")] if waiver else []
    told += [f"{label}: {code(command) or escape(note)}" for label, note, command in commands(finding)]
    return [finding.severity, finding.state, *map(code, texts), who, "<br>".join(told)]


def _change(change: PlannedChange) -> list[str]:
    impact = "" if change.impact == "none" else change.impact
    fields = [] if change.action == "create" else change.fields
    shown = "<br>".join(f"{code(field.path)} {code(change_text(field))}" for field in fields)
    note = change.blocked.message if change.blocked else change.note
    return [code(symbol_of(change)), code(change.address), change.action, code(impact), shown, escape(note)]


def _error(run: Run, at: int) -> list[str]:
    error = run.errors[at]
    texts = [f"**error {escape(error.code)}**: {escape(error.message)}", ""]
    texts += [f"- {name}: {code(text)}" for name, text in (("why", error.why), ("state", error.state)) if text]
    return [*texts, *([f"- next: {code(error.hint)}"] if error.hint else []), ""]


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, opened: bool = False) -> list[str]:
    """A folded table, a row a line; no column in which there is nothing, and nothing where there is no row."""
    if not rows:
        return []
    kept = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    columns, rows = [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    title = f"<details{' open' if opened else ''}><summary>{len(rows)} {name}{'s'[: len(rows) - 1]}</summary>"
    return [title, "", f"<table><tr>{head}</tr>", *body, "</table></details>", ""]
