"""What shows progress on stderr, whatever it looks like."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from tapctl.engine.events import Event
from tapctl.render.out import OutputStream


class ProgressView(Protocol):
    """Shows an execution as it goes. ``end`` may be called at any time, more than once."""

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Work on these begins."""

    def event(self, event: Event) -> None:
        """One event."""

    def say(self, line: str) -> None:
        """A line of its own, clear of what is being drawn."""

    def end(self) -> None:
        """No more events: leave the terminal as it should be."""


class QuietProgress:
    """Shows no progress; what has to be said is said."""

    def __init__(self, err: OutputStream) -> None:
        self.err = err

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Nothing to show."""

    def event(self, event: Event) -> None:
        """Nothing to show."""

    def say(self, line: str) -> None:
        """A line on stderr."""
        self.err.lines(line)

    def end(self) -> None:
        """Nothing to end."""
