"""One picture of the live view, as plain lines: never wider nor higher than the terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from tapctl.engine.events import Detached, Event, Failed, Finished
from tapctl.render.progress import ProgressTracker
from tapctl.render.terminal import SYMBOLS, crop

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live


_BAR: Final = 20


def live_frame(tracker: ProgressTracker, now: float, *, width: int, height: int) -> list[tuple[str, str]]:
    """What runs, what waits as far as there is room, and a bar; each line with its style."""
    # One line stays free: a terminal scrolls when its last one is written.
    room = max(0, height - 2)
    running = [("", tracker.running_row(one, now, width)) for one in tracker.running]
    shown = _within(running, room, "more at work", width)
    waiting = [("dim", tracker.waiting_row(one, width)) for one in tracker.waiting()]
    shown += _within(waiting, room - len(shown), "more to come", width)
    return [*shown, ("", progress_bar(tracker, now, width))]


def progress_bar(tracker: ProgressTracker, now: float, width: int) -> str:
    """``[████████████░░░░░░░░] 14/23   elapsed 2:14``."""
    count = tracker.count(now)
    cells = max(0, min(_BAR, width - len(count) - 5))
    filled = cells * len(tracker.finished) // max(1, len(tracker.addresses))
    drawn = f"[{'█' * filled}{'░' * (cells - filled)}] " if cells else ""
    return crop(f"  {drawn}{count}", width)


def _within(rows: list[tuple[str, str]], room: int, rest: str, width: int) -> list[tuple[str, str]]:
    if len(rows) <= room:
        return rows
    if room <= 0:
        return []
    return [*rows[: room - 1], ("dim", crop(f"    and {len(rows) - room + 1} {rest}", width))]


_A_SECOND: Final = 2
_STYLES: Final = {"good": "green", "change": "yellow", "bad": "red", "open": "cyan"}


def terminal(stream: TextIO) -> Console:
    """A console on a stream that is known to be a terminal; its text is never taken for markup."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)


class LiveView:
    """Draws what runs, and keeps the lines of what has ended above it."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.tracker: ProgressTracker | None = None
        self.live: Live | None = None
        # rich draws from a thread of its own. Never held while something is printed: rich has a lock too.
        self.lock = threading.Lock()

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Draw from now on."""
        from rich.live import Live

        self.tracker = ProgressTracker(addresses, needs, self.clock())
        self.live = Live(
            get_renderable=self.draw,
            console=self.console,
            refresh_per_second=_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self.live.start()
        # Visible, so that being killed does not leave the user's shell without one.
        self.console.show_cursor()

    def event(self, event: Event) -> None:
        """Take it in; what has ended gets its line for good."""
        tracker = self.tracker
        assert tracker is not None
        with self.lock:
            tracker.apply(event, self.clock())
        if isinstance(event, Finished | Failed | Detached):
            self.say(tracker.ended_row(event))

    def say(self, line: str) -> None:
        """A line above what is drawn; a terminal wraps it as it likes."""
        from rich.text import Text

        text = Text(line)
        symbol = line[2:3] if line.startswith("  ") else ""
        if symbol in SYMBOLS:
            text.stylize(_STYLES[SYMBOLS[symbol]], 2, 3)
        self.console.print(text, soft_wrap=True)

    def end(self) -> None:
        """Take the drawing away, and tell what was never begun."""
        if self.live is None or self.tracker is None:
            return
        self.live.stop()
        if self.tracker.skipped:
            self.say(self.tracker.skipped_line())
        self.live = self.tracker = None

    def draw(self) -> Group:
        """The picture of this moment."""
        from rich.console import Group
        from rich.text import Text

        assert self.tracker is not None
        width, height = self.console.size
        with self.lock:
            rows = live_frame(self.tracker, self.clock(), width=width, height=height)
        return Group(*(Text(text, style=style, no_wrap=True, overflow="crop") for style, text in rows))
