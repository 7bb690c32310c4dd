"""An error as people read it: its code, one sentence, the evidence, what state things are in, what to run next."""

from __future__ import annotations

from typing import Final

from tapctl.errors import TapctlError
from tapctl.render.clean import one_line, sanitize_lines
from tapctl.render.paint import PLAIN, Palette

_CROSS: Final = "\N{MULTIPLICATION SIGN}"


def error_lines(error: TapctlError, state: str = "", paint: Palette = PLAIN) -> list[str]:
    """The error, one thing a line; evidence of several lines is a tree."""
    told = [f"{paint('bad', 'error')} {error.code}", f"  {paint('bad', _CROSS)} {one_line(error.cause)}"]
    told += evidence_lines(error.evidence)
    if state:
        told.append(f"  {paint('dim', 'state')}  {one_line(state)}")
    if error.hint:
        told.append(f"  {paint('dim', 'hint')}   {one_line(error.hint)}")
    return told


def evidence_lines(evidence: str | None) -> list[str]:
    """Each line of the evidence as a branch."""
    shown = [line for line in sanitize_lines(evidence or "") if line]
    return [f"  {'╰─' if at == len(shown) else '├─'} {line}" for at, line in enumerate(shown, 1)]
