"""Columns that line up, by the cells a terminal needs; no line ends in spaces, and none is wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import accumulate

from tapctl.render.clean import sanitize
from tapctl.render.paint import PLAIN, Palette


def cells(text: str) -> int:
    """How many cells of a terminal this text takes."""
    return len(text) if text.isascii() else sum(_cells(one) for one in text)


def pad(text: str, width: int) -> str:
    """The text, filled with spaces up to ``width`` cells."""
    return text + " " * max(0, width - cells(text))


def crop(text: str, width: int) -> str:
    """The text in at most ``width`` cells; what was cut ends in ``…``."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = sum(used < width for used in accumulate(map(_cells, text)))
    return f"{text[:kept]}…"


def widest(texts: Iterable[str], *, most: int | None = None) -> int:
    """The cells of the widest of these, but at most ``most``: one long value must not push all others away."""
    width = max((cells(text) for text in texts), default=0)
    return width if most is None else min(width, most)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], paint: Palette = PLAIN) -> list[str]:
    """A table under its heading."""
    cleaned = [[sanitize(cell) for cell in row] for row in rows]
    widths = [widest(each) for each in zip(columns, *cleaned, strict=True)]
    heading, *body = ["  ".join(map(pad, row, widths)).rstrip() for row in (columns, *cleaned)]
    return [paint("bold", heading), *body]


def _cells(one: str) -> int:
    if unicodedata.combining(one):
        return 0
    return 2 if unicodedata.east_asian_width(one) in ("W", "F") else 1
