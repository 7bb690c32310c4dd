"""Clocks that a test sets forward."""

from __future__ import annotations


class VirtualClock:
    """Seconds that pass only when a test says so."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self.seconds += seconds
