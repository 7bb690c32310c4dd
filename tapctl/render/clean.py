"""Text from outside made harmless: a tag's value may hold what steers a terminal or forges a line."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what controls, hides or reorders: escape sequences, new lines, bidi overrides, surrogates."""
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BREAK: Final = re.compile(r"\s*\n\s*")


def sanitize(text: str) -> str:
    """The text as one line in which every character is one that is seen; others are spelled as JSON spells them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(one) if unicodedata.category(one) in _HIDDEN else one for one in text)


def one_line(text: str) -> str:
    """A message as one clean line: AWS breaks some of its own."""
    return sanitize(_BREAK.sub(" ", text.strip()))


def sanitize_lines(text: str) -> list[str]:
    """A text of several lines, each clean, without spaces at its end."""
    return [sanitize(one).rstrip() for one in text.rstrip("\n").split("\n")]


def _spelled(one: str) -> str:
    if one in _NAMED:
        return _NAMED[one]
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
