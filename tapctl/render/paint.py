"""Colour, which never says anything alone. Off, it adds not one byte."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "good": "32",
    "change": "33",
    "bad": "31",
    "open": "36",
}
SYMBOLS: Final = {
    "+": "good",
    "~": "change",
    "-": "bad",
    "-/+": "bad",
    "!": "change",
    "?": "open",
    "…": "open",
    "x": "bad",
    "✓": "good",
    "✗": "bad",
}
"""How each symbol is painted."""


class Palette:
    """Wraps text in a style's escape sequence, or leaves it alone."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, style: str, text: str) -> str:
        """This text in this style; the empty style, and text of nothing, stay as they are."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.on and style and text else text

    def symbol(self, symbol: str) -> str:
        """A symbol in its own colour."""
        return self(SYMBOLS.get(symbol, ""), symbol)


PLAIN: Final = Palette(on=False)
