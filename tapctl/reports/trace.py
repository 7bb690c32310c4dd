"""The run in Chrome's trace event format, which Perfetto opens: a lane a resource, a span a call and a wait.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (``M`` names, ``X`` is a span).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tapctl.render.terminal import one_line, sanitize_json
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
    for lane, (address, spans) in enumerate(sorted(run.spans.items(), key=lambda each: each[1][0].start_s), 1):
        yield _named("thread_name", lane, name=one_line(address) or _NOBODYS)
        yield _named("thread_sort_index", lane, sort_index=lane)
        for span in spans:
            yield {
                "name": one_line(span.phase),
                "cat": "call" if ":" in span.phase and span.calls else "wait",
                "ph": "X",
                "ts": round(span.start_s * _MICROSECONDS),
                "dur": round((span.end_s - span.start_s) * _MICROSECONDS),
                "pid": _PROCESS,
                "tid": lane,
                "args": {"calls": span.calls},
            }


def _named(what: str, lane: int, **args: object) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": _PROCESS, "tid": lane, "args": args}
