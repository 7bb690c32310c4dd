"""The recording of a run beside the screen that shows it, and the reports that are left at its end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Screen
from tapctl.render.terminal import OutputStream
from tapctl.reports import format_of, render
from tapctl.reports.run import Run, run_of

_FOR_PEOPLE: Final = frozenset({"asked_s", "ask", "note", "warn"})
"""The members of a screen that no line of JSON comes of."""


class _Recorder:
    """A screen that shows everything on another one, and hands it to one that writes JSON Lines.

    Members are forwarded by name, so that whatever a screen can be told is recorded too.
    """

    def __init__(self, shown: Screen, kept: Screen) -> None:
        self._shown, self._kept = shown, kept

    def __getattr__(self, name: str) -> Any:
        shown = getattr(self._shown, name)
        return shown if name in _FOR_PEOPLE else partial(_both, getattr(self._kept, name), shown)


def _both(kept: Callable[..., Any], shown: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
    kept(*args, **given)
    return shown(*args, **given)


@dataclass
class Recording:
    """The lines of a run, as ``--json`` prints them, and the files in which its reports are left."""

    reports: Sequence[str] = ()
    written: io.StringIO = field(default_factory=io.StringIO)

    def beside(self, shown: Screen, verb: str) -> Screen:
        """The screen that is recorded; nothing about ``shown`` changes."""
        kept = JsonScreen(
            io.StringIO(), OutputStream(self.written, "run"), OutputStream(io.StringIO(), "run"), verb=verb, quiet=True
        )
        return cast("Screen", _Recorder(shown, kept))

    @property
    def run(self) -> Run | None:
        """The run so far; None where nothing was written."""
        records: list[Mapping[str, Any]] = [json.loads(line) for line in self.written.getvalue().splitlines()]
        return run_of(records) if records else None

    def leave(self, warn: Callable[[str], None]) -> None:
        """Write the reports; one that cannot be written is told, and the others are written still."""
        run = self.run if self.reports else None
        if run is None:
            return
        for path, format_ in ((path, format_of(path)) for path in self.reports):
            if format_ is None:
                continue  # refused, as the run tells
            text = self.written.getvalue() if format_ == "jsonl" else render(run, format_)
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                warn(f"the report {path} could not be written: {error.strerror}")
