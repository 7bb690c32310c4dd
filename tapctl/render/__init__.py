"""Rendering: reports and progress as text, on a live terminal, as lines for a log, or as JSON Lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from tapctl.render.progress import ProgressView
    from tapctl.render.screen import Screen

_NO: Final = ("", "0", "false")


def choose_screen(
    stdout: TextIO,
    stderr: TextIO,
    env: Mapping[str, str],
    *,
    verb: str = "",
    json: bool = False,
    no_color: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    stdin: TextIO | None = None,
) -> Screen:
    """The screen of a command for these streams, this environment and these flags; it asks on ``stdin``."""
    from tapctl.render.terminal import OutputStream, terminal_width

    out, err = OutputStream(stdout, "stdout"), OutputStream(stderr, "stderr")
    answers = stdin or sys.stdin
    if json:
        from tapctl.render.jsonl import JsonScreen

        return JsonScreen(answers, out, err, verb=verb, quiet=quiet)
    from tapctl.render.text import TextScreen

    colour = not no_color and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    def progress() -> ProgressView:
        from tapctl.render.live import LiveView, terminal
        from tapctl.render.progress import LinesView, QuietProgress

        if quiet:
            return QuietProgress(err)
        drawn = colour and stderr.isatty() and not _in_ci(env)
        return LiveView(terminal(stderr)) if drawn else LinesView(err)

    width = terminal_width(stdout, env)
    return TextScreen(answers, out, err, progress, verbose=verbose, quiet=quiet, colour=colour, width=width)


def is_interactive(stdin: TextIO | None, env: Mapping[str, str]) -> bool:
    """True if somebody can answer: there is a terminal, and no CI system."""
    return stdin is not None and not stdin.closed and stdin.isatty() and not _in_ci(env)


def _in_ci(env: Mapping[str, str]) -> bool:
    """True if a CI system says that it runs us."""
    return env.get("CI", "").lower() not in _NO
