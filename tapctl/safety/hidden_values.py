"""The stand-ins for values that are not told: compared as other ones than are expected, and never named as meant.

One is shown in place of what may be a secret, the other where AWS itself does not tell what it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

HIDDEN: Final = "(hidden)"
"""The stand-in that people see."""

HIDDEN_TEXT: Final = r"\(+hidden\)+"
"""A pattern of all stand-ins, for a whole text; the files may hold none."""


_UNTOLD: Final = "AWS does not tell it: "


def hidden_text(expected: Collection[str | None]) -> str:
    """The stand-in for a value that is none of the expected ones, equal to none of them: a record may hold `HIDDEN`."""
    text = HIDDEN
    while text in expected:
        text = f"({text})"
    return text


def untold_text(what: str) -> str:
    """The stand-in for a value that AWS does not tell; ``what``: of what, or why, in AWS's words."""
    return f"{_UNTOLD}{what}"


def is_stand_in(value: object) -> bool:
    """True if the value stands for one that is not told, and so for any."""
    if not isinstance(value, str):
        return False
    return value.startswith(_UNTOLD) or re.fullmatch(HIDDEN_TEXT, value) is not None
