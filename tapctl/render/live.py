"""Progress on a live terminal: what has ended scrolls by, what runs is drawn below it, twice a second.

The only module that needs rich, and rich is loaded only when there is something to draw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from tapctl.engine.events import Detached, Event, Failed, Finished
from tapctl.render.frame import live_frame
from tapctl.render.paint import SYMBOLS
from tapctl.render.tracker import ProgressTracker

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

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
