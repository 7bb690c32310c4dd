"""Waivers: differences that somebody answers for until a day: shown, no drift, and left as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any, Final

from pydantic import BaseModel

from tapctl.engine import refs
from tapctl.engine.diff import Removed
from tapctl.engine.owner_tags import ENVIRONMENT_TAG, OWNER_TAG, REGION_TAG, SUFFIX_TAG

REMOVED: Final = "- "
"""The beginning of a waiver's value that is an item which is not there any more."""
DETAILS: Final = ": "
"""Stands in an item of an exposure before what decides how much it opens."""
Spares = Callable[[str, str, Any], bool]
"""True if the live value at (address, path of the field) is left as it is."""
NEVER_WAIVED: Final = frozenset(f"tags.{tag}" for tag in (OWNER_TAG, SUFFIX_TAG, ENVIRONMENT_TAG, REGION_TAG))
"""The tags that tell whose a resource is."""


def any_value(address: str, path: str, live: Any) -> bool:  # noqa: ARG001 -- as every `Spares`
    """Leave every difference as it is."""
    return True


@dataclass(frozen=True)
class Waiver:
    """A waiver of one environment. In ``address`` and ``field``, ``*`` stands for any text."""

    address: str
    field: str
    owner: str
    reason: str
    until: str
    """Its last day: ``2026-12-31``."""
    live: str | None = None
    """The only value that is waived, as `live_text` writes values; None: any that ``may_be``."""
    may_be: Spares = field_of(default=any_value, compare=False)
    """True of the values that need no name to be waived."""

    def covers(self, address: str, path: str, live: Any) -> bool:
        """True if this live value is waived. Never a tag that tells whose a resource is."""
        return self.is_about(address, path) and (
            self.may_be(address, path, live) if self.live is None else self.live == live_text(live)
        )

    def is_about(self, address: str, path: str) -> bool:
        """True if the waiver is of this field, whatever its value."""
        return path not in NEVER_WAIVED and matches(self.address, address) and matches(self.field, path)

    def __str__(self) -> str:
        return f"{self.owner}, until {self.until}: {self.reason}"


def spare_nothing(address: str, path: str, live: Any) -> bool:  # noqa: ARG001 -- as every `Spares`
    """Leave no difference as it is."""
    return False


def spares_of(waivers: Iterable[Waiver]) -> Spares:
    """Leave as it is what one of these waivers covers."""
    known = tuple(waivers)
    return lambda address, path, live: any(waiver.covers(address, path, live) for waiver in known)


def matches(pattern: str, text: str) -> bool:
    """True if the whole text is as the pattern says; ``*`` stands for any text. No pattern takes long."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        # The first place that fits leaves most of the text for the others.
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def may_begin(pattern: str, beginning: str) -> bool:
    """True if a text that begins like this may be as the pattern says, whatever comes after."""
    first, star, _ = pattern.partition("*")
    return first.startswith(beginning) or (star != "" and beginning.startswith(first))


def live_text(value: Any) -> str:
    """A live value as a waiver names it: a word as it is, a rule as a report prints it, all else as JSON.

    An item that a set lacks has a minus before it, as in a report.
    """
    if isinstance(value, Removed):
        return f"{REMOVED}{live_text(value.item)}"
    if isinstance(value, str):
        return value
    if isinstance(value, BaseModel) and type(value).__str__ is not BaseModel.__str__:
        return str(value)
    return json.dumps(refs.to_json(value), sort_keys=True, ensure_ascii=False)
