"""Values as people read them: short, in one line, harmless."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from tapctl.engine import refs
from tapctl.render.terminal import sanitize

LIMIT: Final = 60
"""How many characters of a value are shown, unless all of it is asked for."""
NONE: Final = "(none)"
REMOVE: Final = "(remove)"
_CONTEXT: Final = 12


def format_value(value: Any) -> str:
    """A value in one line, whole."""
    if isinstance(value, Mapping):
        return ", ".join(f"{sanitize(str(key))}={_inner(value[key])}" for key in sorted(value, key=str)) or "{}"
    if isinstance(value, frozenset):
        return ", ".join(sorted(_inner(one) for one in value)) or "[]"
    if isinstance(value, tuple | list):
        return ", ".join(_inner(one) for one in value) or "[]"
    return _single(value)


def format_pair(have: Any, want: Any, *, limit: int | None = LIMIT) -> tuple[str, str]:
    """Two values that differ, so shown that the difference is seen."""
    left, right = format_value(have), format_value(want)
    if left == right:
        left, right = as_json(have), as_json(want)
    if limit is None or max(len(left), len(right)) <= limit:
        return left, right
    same = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), None)
    start = min(len(left), len(right)) if same is None else same
    if start > limit // 2:
        left, right = f"…{left[start - _CONTEXT :]}", f"…{right[start - _CONTEXT :]}"
    return truncate(left, limit), truncate(right, limit)


def truncate(text: str, limit: int | None = LIMIT) -> str:
    """The text, cut where it is longer than ``limit``; None: never."""
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def as_json(value: Any) -> str:
    """A value as JSON: tells ``"5"`` from ``5``."""
    return sanitize(json.dumps(refs.to_json(value), sort_keys=True, default=str, ensure_ascii=False))


def _inner(value: Any) -> str:
    """A value inside another one: what has parts of its own gets brackets."""
    if isinstance(value, Mapping) and value:
        return f"{{{format_value(value)}}}"
    if isinstance(value, frozenset | tuple | list) and value:
        return f"[{format_value(value)}]"
    return format_value(value)


def _single(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, BaseModel):
        return _model(value)
    text = sanitize(str(value))
    # Empty, or with spaces at its ends: only quotes let it be seen.
    return text if text and text == text.strip() else f'"{text}"'


def _model(value: BaseModel) -> str:
    """In the model's own words where it has some, else its parts that hold something."""
    if type(value).__str__ is not BaseModel.__str__:
        return sanitize(str(value))
    parts = {name: getattr(value, name) for name in type(value).model_fields}
    held = {name: part for name, part in parts.items() if part is not None and part not in ("", frozenset(), (), {})}
    return " ".join(f"{name}={_inner(part)}" for name, part in held.items()) or "{}"
