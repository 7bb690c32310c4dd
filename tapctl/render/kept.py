"""A screen that keeps what a command shows, so that the reports of many environments stand one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tapctl.render.screen import Screen, Verdict


class KeptScreen:
    """A screen whose reports, warnings and errors are shown later, in order; notes are dropped, nobody is asked."""

    asked_s = 0.0

    def __init__(self) -> None:
        self._kept: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Take any call of the protocol's."""

        def keep(*args: Any, **given: Any) -> None:
            self._kept.append((name, args, given))

        return keep

    @property
    def screen(self) -> Screen:
        """The same, as commands take it."""
        return cast("Screen", self)

    @property
    def remark(self) -> str:
        """The verdict in a few words; ``looked at`` where none was shown."""
        verdicts: list[Verdict] = [args[0] for name, args, _ in self._kept if name == "verdict"]
        parts = [part for verdict in verdicts for part in (verdict.status, verdict.summary) if part]
        return " · ".join(parts) or "looked at"

    def note(self, text: str) -> None:
        """Drop the sentence: the progress of all tells more than that of each."""

    def show_on(self, screen: Screen) -> None:
        """Show there what was kept."""
        for name, args, given in self._kept:
            getattr(screen, name)(*args, **given)
