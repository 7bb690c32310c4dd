"""The reports of a command: its run is recorded beside the screen, and left in files when it is over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tapctl.cli.github import is_github, tell_github
from tapctl.errors import UsageError
from tapctl.reports import ENDINGS, format_of

if TYPE_CHECKING:
    from tapctl.render.screen import Screen
    from tapctl.reports.recording import Recording

RECORDINGS = "tapctl.recordings"
"""The key under which a context keeps the recording of its command, and the screen that it is beside."""

Recordings = list[tuple["Recording", "Screen"]]


def recorded(recordings: Recordings, screen: Screen, verb: str, reports: Sequence[str]) -> Screen:
    """The screen, recorded where somebody wants a report: ``--report``, or GitHub."""
    if not reports and not is_github(os.environ):
        return screen
    from tapctl.reports.recording import Recording

    recording = Recording(reports)
    recordings.append((recording, screen))
    return recording.beside(screen, verb)


def check_reports(reports: Sequence[str]) -> None:
    """Make sure that the ending of each report names a format.

    Raises:
        UsageError: one does not.
    """
    for path in reports:
        if format_of(path) is None:
            hint = f"let it end in one of {', '.join(ENDINGS)}"
            raise UsageError(f"--report {path}: its ending names no format", hint=hint)


def reports_among(arguments: Sequence[str]) -> list[str]:
    """The reports that a line asks for whose options could not be parsed."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return [
        after if word == "--report" else word.removeprefix("--report=")
        for word, after in pairs
        if word == "--report" or word.startswith("--report=")
    ]


def leave_reports(recordings: Recordings, code: int) -> None:
    """Write the reports of a command that has ended with this status; none that fails changes the status."""
    with suppress(KeyboardInterrupt):
        for recording, screen in recordings:
            try:
                recording.leave(screen.warn)
                tell_github(recording.run, code, os.environ, screen.warn)
            except Exception as error:  # noqa: BLE001 -- the command is over, and its status stands
                screen.warn(f"a report could not be made: unexpected {type(error).__name__}, which is a bug of tapctl")
