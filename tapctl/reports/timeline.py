"""The timeline of a run: when each resource was worked on, what is usual, and the path that took the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tapctl.reports.events import Span
from tapctl.reports.run import Run

_ALIKE_S: Final = 0.05
"""Seconds within which an end and a beginning are the same moment."""


@dataclass(frozen=True)
class Bar:
    """The work on one resource. Times are seconds since the command began."""

    address: str
    start_s: float
    end_s: float
    usual_s: float
    """0 where nobody has told."""
    spans: tuple[Span, ...]
    critical: bool = False

    @property
    def took_s(self) -> float:
        """The seconds that the work took."""
        return self.end_s - self.start_s


def timeline(run: Run) -> list[Bar]:
    """The bars in the order of their beginnings: of the resources that were changed, else of all that were read."""
    worked = [each for each in run.results.values() if each.elapsed_s > 0 and each.address in run.spans]
    bars: dict[str, Bar] = {}
    for each in worked:
        end_s = max(span.end_s for span in run.spans[each.address])
        start_s = max(0.0, end_s - each.elapsed_s)
        spans = tuple(span for span in run.spans[each.address] if span.end_s > start_s)
        bars[each.address] = Bar(each.address, start_s, end_s, run.usual.get(each.address, 0), spans)
    if not bars:
        bars = {
            address: Bar(address, spans[0].start_s, max(span.end_s for span in spans), 0, tuple(spans))
            for address, spans in run.spans.items()
        }
    critical = critical_path(run, bars)
    marked = [
        Bar(bar.address, bar.start_s, bar.end_s, bar.usual_s, bar.spans, bar.address in critical)
        for bar in bars.values()
    ]
    return sorted(marked, key=lambda bar: (bar.start_s, bar.address))


def critical_path(run: Run, bars: dict[str, Bar]) -> list[str]:
    """The resources that made the run as long as it was: from the last one back to what each waited for longest."""
    ended = {address: bar.end_s for address, bar in bars.items() if address in run.results}
    path: list[str] = []
    address = max(ended, key=lambda each: ended[each], default=None)
    while address is not None and address not in path:
        path.insert(0, address)
        others = [*run.needs[address], *(each for each, needs in run.needs.items() if address in needs)]
        before = [each for each in others if each in ended and ended[each] <= bars[address].start_s + _ALIKE_S]
        address = max(before, key=lambda each: ended[each], default=None)
    return path
