"""``tapctl render``: a recorded run as a report. Offline, from its JSON Lines alone."""

from __future__ import annotations

import sys
from pathlib import Path

from tapctl.errors import RunInvalid, Status
from tapctl.render.screen import Screen, Target
from tapctl.reports import render as render_run
from tapctl.reports.run import LARGEST, parse
from tapctl.safety.files import read_file
from tapctl.session.invocation import Invocation

_STDIN = "-"


def render(invocation: Invocation, screen: Screen, run: str, format_: str) -> int:
    """Print the run in this format, as the command itself would have written it.

    Raises:
        RunInvalid: the run cannot be read, or is none of tapctl's.
    """
    screen.target(Target())
    text = render_run(parse(_content(run), run), format_)
    screen.document(text, {"format": format_, "text": text})
    return invocation.finish(screen, Status.OK)


def _content(run: str) -> bytes:
    try:
        return sys.stdin.buffer.read(LARGEST + 1) if run == _STDIN else read_file(Path(run), LARGEST)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise RunInvalid(run, problem, hint="name a file of JSON Lines, or - for stdin") from None
