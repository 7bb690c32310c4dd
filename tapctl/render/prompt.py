"""Questions to a person."""

from __future__ import annotations

from typing import TextIO

from tapctl.render.clean import one_line
from tapctl.render.out import OutputStream


def ask(stdin: TextIO, err: OutputStream, question: str, expected: str) -> bool:
    """Ask on stderr; True when the line that comes back is ``expected``. The end of input is a no."""
    err.text(f"{one_line(question)} ")
    try:
        answer = stdin.readline()
    except BaseException:
        # Ctrl-C: the terminal has written ^C behind the question.
        err.lines("")
        raise
    if not answer.endswith("\n"):
        # The next line starts on a line of its own.
        err.lines("")
    return answer.strip() == expected
