"""The run as one page of HTML: no network, no script, light and dark, for a phone, a keyboard and a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from tapctl.render.terminal import duration, one_line
from tapctl.render.values import counted
from tapctl.reports.events import Finding, Output, PlannedChange, Preflight, Status
from tapctl.reports.picture import picture
from tapctl.reports.run import Run
from tapctl.reports.text import matrix
from tapctl.reports.timeline import Bar, timeline
from tapctl.reports.values import (
    STATES,
    change_text,
    commands,
    field_name,
    finding_text,
    place_text,
    symbol_of,
    target_line,
    who_text,
)

_SHORTEST_S: Final = 0.001
_DIFFERENT: Final = 2
_INCOMPLETE: Final = 7
_RESULTS: Final = {
    "created": "create",
    "updated": "update",
    "replaced": "replace",
    "deleted": "delete",
    "failed": "bad",
}
_LEGEND: Final = (
    ("create", "+", "made"),
    ("update", "~", "changed"),
    ("replace", "-/+", "made anew"),
    ("delete", "-", "removed"),
    ("drift", "!", "not as recorded"),
    ("open", "?", "not known, or not in force"),
    ("bad", "x", "failed or blocked"),
    ("same", "", "as it was"),
)
_SYMBOLS: Final = {style: symbol for style, symbol, _ in _LEGEND}
Section = tuple[str, str, list[str]]
"""The name of a section in the page, its heading, and its lines."""


def render(run: Run) -> str:
    """The page."""
    sections = [section for section in _sections(run) if section[2]]
    title = _text(run.headline)
    style = files("tapctl.reports").joinpath("page.css").read_text(encoding="utf-8")
    links = [f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in sections]
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        # Nothing is fetched and nothing runs, whatever stands in the page.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        '<a class="skip" href="#main">Skip to the results</a>',
        f'<header class="{_tone(run)}"><p class="target">{_text(target_line(run))}</p><h1>{title}</h1>',
        *_facts(run),
        "</header>",
        f'<nav aria-label="Sections"><ul>{"".join(links)}</ul></nav>' if links else "",
        '<main id="main">',
        *(line for section in sections for line in _section(*section)),
        "</main>",
        f"<footer>tapctl {_text(run.version.tapctl)} · {_text(run.version.verb)}</footer>\n</body>\n</html>",
    ]
    return "\n".join(filter(None, lines))


# -- the parts of the page ---------------------------------------------------------------------------------------------


def _sections(run: Run) -> Iterator[Section]:
    yield "errors", "Errors", [line for at in range(len(run.errors)) for line in _error(run, at)]
    warnings = [f"<li>{_text(each)}</li>" for each in run.warnings]
    yield "warnings", "Warnings", ["<ul>", *warnings, "</ul>"] if warnings else []
    yield "findings", f"Findings ({len(run.findings)})", [line for each in run.findings for line in _finding(each)]
    checks = [[_badge(each.ok), _text(each.check), _text(each.detail)] for each in run.of(Preflight)]
    yield "preflight", "Checks before the first change", _table(("", "check", "detail"), checks)
    changes = [_change(change) for change in run.changes.values()]
    yield "changes", f"Planned changes ({len(changes)})", _table(("", "resource", "impact", "fields", "note"), changes)
    yield "stack", f"Stack ({counted(len(run.needs), 'resource')})", _stack(run)
    yield "timeline", "Timeline", _timeline(run)
    yield "parity", "Differences", _matrix(run)
    statuses = [
        [
            _text(each.environment),
            str(each.resources),
            _text(each.since),
            _text(each.by),
            _text(each.health),
            _text(each.next),
        ]
        for each in run.of(Status)
    ]
    columns = ("environment", "resources", "since", "by", "health", "next")
    yield "environments", f"Environments ({len(statuses)})", _table(columns, statuses)
    unseen = [f"<li>{_text(each)}</li>" for each in run.not_compared]
    yield "not-compared", f"Not compared ({len(unseen)})", ["<ul>", *unseen, "</ul>"] if unseen else []
    outputs = [[_text(each.name), f"<code>{_text(each.value)}</code>"] for each in run.of(Output)]
    yield "outputs", "Values", _table(("name", "value"), outputs)
    yield "text", "Text", _documents(run)


def _section(name: str, heading: str, lines: Iterable[str]) -> list[str]:
    return [
        f'<section id="{name}" aria-labelledby="{name}-h">',
        f'<h2 id="{name}-h">{heading}</h2>',
        *lines,
        "</section>",
    ]


def _tone(run: Run) -> str:
    if run.verdict is None:
        return "open"
    return {0: "good", _DIFFERENT: "drift", _INCOMPLETE: "open"}.get(run.verdict.exit, "bad")


def _facts(run: Run) -> list[str]:
    verdict = run.verdict
    if verdict is None:
        return ["<p><strong>The run was cut off: this is what there is of it.</strong></p>"]
    estimate = run.estimate
    facts = {
        "exit status": str(verdict.exit),
        "time": duration(verdict.elapsed_s),
        "usual time": duration(estimate.usual_s) if estimate else "",
        "calls to AWS": f"{verdict.api_calls}, {verdict.changing_calls} of them changing",
        "impact": ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in (verdict.impacts or {}).items() if count
        ),
        "plan": verdict.plan_hash or "",
        "record": verdict.manifest,
    }
    pairs = [f"<div><dt>{name}</dt><dd>{_text(text)}</dd></div>" for name, text in facts.items() if text]
    return ["<dl>", *pairs, "</dl>"]


def _error(run: Run, at: int) -> list[str]:
    error = run.errors[at]
    parts = {"why": error.why, "state": error.state, "next": error.hint}
    told = [f"<dt>{name}</dt><dd>{_text(text)}</dd>" for name, text in parts.items() if text]
    problems = [
        f"<li><code>{_text(f'{each.file}:{each.line} {each.key}')}</code> {_text(each.rule)}</li>"
        for each in error.problems
    ]
    listed = ["<ul>", *problems, "</ul>"] if problems else []
    head = (
        f'<article class="bad"><h3><span aria-hidden="true">x</span> {_text(error.code)}: {_text(error.message)}</h3>'
    )
    return [head, *listed, f"<dl>{''.join(told)}</dl></article>"]


def _finding(finding: Finding) -> list[str]:
    symbol = STATES.get(finding.state, "!")
    style = "drift" if symbol == "!" else "open"
    difference = finding_text(finding)
    who, waiver = finding.who, finding.waiver
    parts = {
        "recorded → live": difference,
        "note": finding.note if finding.note not in difference else "",
        "decided by": place_text(finding),
        "who": who_text(who, finding.cause) if who else "",
        "waived": f"{waiver.reason} ({waiver.owner}, until {waiver.until})" if waiver else "",
    }
    told = [f"<dt>{name}</dt><dd>{_text(text)}</dd>" for name, text in parts.items() if text]
    told += [
        f"<dt>{name}</dt><dd>{_text(note)} <code>{_text(command)}</code></dd>"
        for name, note, command in commands(finding)
    ]
    head = (
        f'<article class="{style}" id="f-{_text(finding.id)}"><h3><span aria-hidden="true">{symbol}</span> '
        f'{_text(finding.address)} <span class="field">{_text(field_name(finding))}</span></h3>'
    )
    badges = (
        f'<p class="badges"><span>{finding.state}</span> <span class="{finding.severity}">{finding.severity}</span></p>'
    )
    return [head, badges, f"<dl>{''.join(told)}</dl></article>"]


def _change(change: PlannedChange) -> list[str]:
    fields = [f"<li><code>{_text(field.path)}</code> {_text(change_text(field))}</li>" for field in change.fields]
    listed = f"<ul>{''.join(fields)}</ul>" if fields else ""
    if change.action == "create" and fields:
        listed = f"<details><summary>{len(fields)} field{'s'[: len(fields) - 1]}</summary>{listed}</details>"
    note = change.blocked.message if change.blocked else change.note
    symbol = f'<span class="symbol" aria-hidden="true">{symbol_of(change)}</span>'
    symbol += f'<span class="hidden">{change.action}</span>'
    impact = "" if change.impact == "none" else change.impact
    return [symbol, _text(change.address), _text(impact), listed, _text(note)]


def _badge(ok: bool | None) -> str:
    return {True: "✓ ok", False: "x not ok", None: "? not known"}[ok]


def _stack(run: Run) -> list[str]:
    if not run.needs:
        return []
    looks = {address: _look(run, address) for address in run.needs}
    there = {style for style, _, _ in looks.values()}
    legend = [
        f'<li class="{style}"><span aria-hidden="true">{symbol}</span> {words}</li>'
        for style, symbol, words in _LEGEND
        if style in there
    ]
    rows = [[_text(address), _text(looks[address][2]), _text(", ".join(run.needs[address]))] for address in run.needs]
    told = [
        "<details><summary>The same as a table</summary>",
        *_table(("resource", "state", "needs"), rows),
        "</details>",
    ]
    drawn = picture(run.needs, looks.__getitem__)
    return [f'<ul class="legend">{"".join(legend)}</ul>', *_scrolled("The stack as a picture", [drawn]), *told]


def _look(run: Run, address: str) -> tuple[str, str, str]:
    """The style, symbol and state of a resource: what went wrong before what differs, and that before what was done."""
    result, change = run.results.get(address), run.changes.get(address)
    found = run.findings_of.get(address, ())
    if change and change.blocked:
        return "bad", "x", "blocked"
    if found:
        symbols = {STATES.get(finding.state, "!") for finding in found}
        states = ", ".join(sorted({finding.state for finding in found}))
        return ("drift", "!", states) if "!" in symbols else ("open", min(symbols), states)
    if result and result.result in _RESULTS:
        style = _RESULTS[result.result]
        return style, _SYMBOLS[style], result.result
    if change and not result and change.action in _RESULTS.values():
        return change.action, symbol_of(change), f"to {change.action}"
    return "same", "", result.result if result else "as it was"


def _timeline(run: Run) -> list[str]:
    bars = timeline(run)
    if not bars:
        return []
    start, end = min(bar.start_s for bar in bars), max(bar.end_s for bar in bars)
    # The usual time may be a hundred times as long (the embedded AWS is quick): what was done stays to be seen.
    usual = max(bar.start_s + bar.usual_s for bar in bars)
    span = max(min(max(end, usual) - start, 2 * (end - start)), _SHORTEST_S)
    ticks = [f'<li style="left:{25 * at}%">{duration(start + span * at / 4)}</li>' for at in range(5)]
    rows = [line for bar in bars for line in _bar(bar, start, span)]
    path = [bar.address for bar in sorted(bars, key=lambda bar: bar.end_s) if bar.critical]
    if not path and run.estimate:
        path = run.estimate.critical_path
    told = [f"<p>Critical path: {' → '.join(f'<code>{_text(each)}</code>' for each in path)}</p>"] if path else []
    keys = ['<li class="call">calls to AWS</li>', '<li class="wait">waiting</li>', '<li class="whole">between</li>']
    keys += ['<li class="usual">the usual time, as a shadow</li>'] if any(bar.usual_s for bar in bars) else []
    keys += ['<li class="critical">critical path</li>'] if any(bar.critical for bar in bars) else []
    return [
        *told,
        f'<ul class="legend">{"".join(keys)}</ul>',
        f'<ol class="ticks" aria-hidden="true">{"".join(ticks)}</ol>',
        '<ol class="gantt">',
        *rows,
        "</ol>",
    ]


def _bar(bar: Bar, start: float, span: float) -> list[str]:
    def at(from_s: float, to_s: float) -> str:
        left = max(0.0, 100 * (from_s - start) / span)
        return f"left:{left:.2f}%;width:{max(0.25, min(100 - left, 100 * (to_s - from_s) / span)):.2f}%"

    ends_s = bar.start_s + bar.usual_s
    style = "usual beyond" if ends_s > start + span else "usual"
    usual = f'<i class="{style}" style="{at(bar.start_s, ends_s)}"></i>' if bar.usual_s else ""
    parts = [
        f'<i class="{"call" if each.calls else "wait"}" style="{at(each.start_s, each.end_s)}"></i>'
        for each in sorted(bar.spans, key=lambda each: bool(each.calls))
    ]
    told = duration(bar.took_s) + (f", usual {duration(bar.usual_s)}" if bar.usual_s else "")
    critical = ' class="critical"' if bar.critical else ""
    note = ' <span class="hidden">on the critical path</span>' if bar.critical else ""
    name = f'<span class="name">{_text(bar.address or "other calls")}{note}</span>'
    whole = f'<i class="whole" style="{at(bar.start_s, bar.end_s)}"></i>'
    return [
        f'<li{critical}>{name}<span class="track" aria-hidden="true">{usual}{whole}{"".join(parts)}</span>',
        f'<span class="took">{told}</span></li>',
    ]


def _matrix(run: Run) -> list[str]:
    if not run.differences:
        return []
    columns, rows = matrix(run)
    cells = [
        [_text(cell) for cell in row[:-1]] + [f'<span class="{_style(row[-1])}">{_text(row[-1])}</span>']
        for row in rows
    ]
    return _table([_text(column) for column in columns], cells)


def _style(verdict: str) -> str:
    if verdict.startswith("waived"):
        return "open"
    return "good" if verdict == "allowed" else "drift"


def _documents(run: Run) -> list[str]:
    return [line for text in run.documents for line in _scrolled("Text", [f"<pre>{_lines(text)}</pre>"])]


# -- elements ----------------------------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table that scrolls by itself where it is too wide; no empty column, and nothing where there is no row."""
    if not rows:
        return []
    kept = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    head = "".join(f'<th scope="col">{columns[at] or "<span class=hidden>symbol</span>"}</th>' for at in kept)
    # The first column with a name says what a row is about; where it is, may stand before.
    about = next(at for at in kept if columns[at] not in ("", "where"))
    body = [f"<tr>{''.join(_cell(row[at], is_head=at == about) for at in kept)}</tr>" for row in rows]
    return _scrolled("Table", [f"<table><thead><tr>{head}</tr></thead><tbody>", *body, "</tbody></table>"])


def _cell(text: str, *, is_head: bool) -> str:
    return f'<th scope="row">{text}</th>' if is_head else f"<td>{text}</td>"


def _scrolled(label: str, lines: Iterable[str]) -> list[str]:
    """A box that may be wider than the page: reachable by keyboard, since only then it can be scrolled by one."""
    return [f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">', *lines, "</div>"]


def _text(text: str) -> str:
    return escape(one_line(text))


def _lines(text: str) -> str:
    return "\n".join(escape(one_line(line)) if not line.startswith(" ") else escape(line) for line in text.splitlines())
