"""The stand-in for a value that may be a secret: shown in its place, and compared as another one than is expected."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

HIDDEN: Final = "(hidden)"
"""The stand-in that people see."""

HIDDEN_TEXT: Final = r"\(+hidden\)+"
"""A pattern of all stand-ins, for a whole text; the files may hold none."""


def hidden_text(expected: Collection[str | None]) -> str:
    """The stand-in for a value that is none of the expected ones, equal to none of them: a record may hold `HIDDEN`."""
    text = HIDDEN
    while text in expected:
        text = f"({text})"
    return text


def is_hidden_text(value: object) -> bool:
    """True if the value stands for one that is not shown."""
    return isinstance(value, str) and re.fullmatch(HIDDEN_TEXT, value) is not None
