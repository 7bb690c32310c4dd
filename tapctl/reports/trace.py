"""The run in Chrome's trace event format, which Perfetto opens: a lane a resource, a span a call and a wait.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (``M`` names, ``X`` is a span).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tapctl.render.terminal import one_line, sanitize_json
from tapctl.reports.events import Span
from tapctl.reports.run import Run

_PROCESS: Final = 1
_MICROSECONDS: Final = 1_000_000
_NOBODYS: Final = "tapctl"
"""The lane of the calls that are no resource's."""


def render(run: Run) -> str:
    """The trace as one JSON document."""
    told = {"run": one_line(run.headline), "tapctl": run.version.tapctl, "complete": run.verdict is not None}
    document = {"displayTimeUnit": "ms", "otherData": told, "traceEvents": list(_events(run))}
    return sanitize_json(json.dumps(document, indent=1))


def _events(run: Run) -> Iterator[dict[str, Any]]:
    yield _named("process_name", 0, name=one_line(run.headline))
    lane = 0
    for address, spans in sorted(run.spans.items(), key=lambda each: each[1][0].start_s):
        for number, row in enumerate(_rows(spans), 1):
            lane += 1
            name = one_line(address) or _NOBODYS
            yield _named("thread_name", lane, name=name if number == 1 else f"{name} ({number})")
            yield _named("thread_sort_index", lane, sort_index=lane)
            yield from (_span(span, lane) for span in row)


def _rows(spans: list[Span]) -> list[list[Span]]:
    """The spans in rows, in each of which one lies within another or beside it: Perfetto takes no other."""
    rows: list[list[Span]] = []
    around: list[list[float]] = []
    for span in sorted(spans, key=lambda span: (span.start_s, -span.end_s)):
        for row, ends in zip(rows, around, strict=True):
            while ends and ends[-1] <= span.start_s:
                ends.pop()
            if not ends or span.end_s <= ends[-1]:
                row.append(span)
                ends.append(span.end_s)
                break
        else:
            rows.append([span])
            around.append([span.end_s])
    return rows


def _span(span: Span, lane: int) -> dict[str, Any]:
    start, end = (round(each * _MICROSECONDS) for each in (span.start_s, span.end_s))
    return {
        "name": one_line(span.phase),
        "cat": "call" if span.calls else "wait",
        "ph": "X",
        "ts": start,
        "dur": end - start,
        "pid": _PROCESS,
        "tid": lane,
        "args": {"calls": span.calls},
    }


def _named(what: str, lane: int, **args: object) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": _PROCESS, "tid": lane, "args": args}
