"""The live view of an execution on a terminal: what runs is drawn, what has ended stays above it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TextIO

from tapctl.engine.events import Detached, Event, Failed, Finished
from tapctl.render.progress import ProgressTracker
from tapctl.render.terminal import SYMBOLS, cells, crop

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live


_REFRESH_PER_SECOND: Final = 2
_STYLES: Final = {"good": "green", "change": "yellow", "bad": "red", "open": "cyan"}
"""rich's colour of each style of `SYMBOLS`."""
_BAR: Final = 20
"""Cells of the progress bar, where there is room."""


# -- one frame, as plain lines -----------------------------------------------------------------------------------------


def live_frame(tracker: ProgressTracker, now: float, *, width: int, height: int) -> list[tuple[str, str]]:
    """The lines of one frame, each with its style: what runs, what waits as far as there is room, and a bar.

    No line is wider, and all of them are not higher, than the terminal.
    """
    # One line stays free: a terminal scrolls when its last one is written.
    room = max(0, height - 2)
    running = [
        (_STYLES["change"] if tracker.is_late(address, now) else "", tracker.running_line(address, now, width))
        for address in tracker.running
    ]
    shown = _within(running, room, "more at work", width)
    waiting = [("dim", tracker.waiting_line(address, width)) for address in tracker.waiting()]
    shown += _within(waiting, room - len(shown), "more to come", width)
    return [*shown, ("", progress_bar(tracker, now, width))]


def progress_bar(tracker: ProgressTracker, now: float, width: int) -> str:
    """The progress bar: ``[████████████░░░░░░░░] 14/23   elapsed 2:14   about 0:54 more``."""
    count = "   ".join(filter(None, (tracker.count(now), tracker.remaining(now))))
    if cells(count) + _BAR + 5 > width:
        count = tracker.count(now)
    length = max(0, min(_BAR, width - cells(count) - 5))
    filled = length * len(tracker.finished) // max(1, len(tracker.addresses))
    drawn = f"[{'█' * filled}{'░' * (length - filled)}] " if length else ""
    return crop(f"  {drawn}{count}", width)


def _within(rows: list[tuple[str, str]], room: int, rest: str, width: int) -> list[tuple[str, str]]:
    """The rows that fit into ``room`` lines, the last of which counts the others."""
    if len(rows) <= room:
        return rows
    if room <= 0:
        return []
    return [*rows[: room - 1], ("dim", crop(f"    and {len(rows) - room + 1} {rest}", width))]


# -- the view ----------------------------------------------------------------------------------------------------------


def terminal(stream: TextIO) -> Console:
    """A console on a stream that is known to be a terminal; its text is never taken for markup."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)


class LiveView:
    """A progress view that draws what runs, and keeps the lines of what has ended above the drawing."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.tracker: ProgressTracker | None = None
        self.live: Live | None = None
        # rich draws from a thread of its own. Never held while something is printed: rich has a lock too.
        self.lock = threading.Lock()

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]],
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Begin to draw."""
        from rich.live import Live

        self.tracker = ProgressTracker(addresses, needs, self.clock(), to_end_s)
        self.live = Live(
            get_renderable=self.draw,
            console=self.console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self.live.start()
        # Visible, so that being killed does not leave the user's shell without one.
        self.console.show_cursor()

    def event(self, event: Event) -> None:
        """Draw the event; a resource that has ended gets a line that stays."""
        tracker = self.tracker
        assert tracker is not None
        with self.lock:
            tracker.apply(event, self.clock())
        if isinstance(event, Finished | Failed | Detached):
            symbol, text = tracker.ended_row(event)
            self._print("  ", (symbol, _STYLES[SYMBOLS[symbol]]), f" {text}")

    def say(self, line: str) -> None:
        """Write a line above the drawing; a terminal wraps it as it likes."""
        self._print(line)

    def _print(self, *parts: str | tuple[str, str]) -> None:
        from rich.text import Text

        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def end(self) -> None:
        """Take the drawing away, and count what was never begun."""
        if self.live is None or self.tracker is None:
            return
        self.live.stop()
        if self.tracker.skipped:
            self.say(self.tracker.skipped_line())
        self.live = self.tracker = None

    def draw(self) -> Group:
        """The frame of this moment."""
        from rich.console import Group
        from rich.text import Text

        assert self.tracker is not None
        width, height = self.console.size
        with self.lock:
            rows = live_frame(self.tracker, self.clock(), width=width, height=height)
        return Group(*(Text(text, style=style, no_wrap=True, overflow="crop") for style, text in rows))
