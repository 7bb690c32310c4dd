"""Values of fields as people read them: short, in one line, harmless."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from tapctl.engine import refs
from tapctl.render.terminal import sanitize

LIMIT: Final = 60
"""Characters of a value that are shown, unless the whole is asked for."""
NONE: Final = "(none)"
REMOVE: Final = "(remove)"
_CONTEXT: Final = 12


def format_value(value: Any) -> str:
    """The whole value in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{sanitize(str(key))}={_inner(value[key])}" for key in sorted(value, key=str)) or "{}"
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(_inner, value))) or "[]"
    if isinstance(value, tuple | list):
        return ", ".join(map(_inner, value)) or "[]"
    return _single(value)


def format_pair(have: Any, want: Any, *, limit: int | None = LIMIT) -> tuple[str, str]:
    """The texts of two values that differ, cut so that the difference is seen."""
    left, right = format_value(have), format_value(want)
    if left == right:
        left, right = as_json(have), as_json(want)
    if limit is None or max(len(left), len(right)) <= limit:
        return left, right
    pairs = enumerate(zip(left, right, strict=False))
    start = next((at for at, (mine, other) in pairs if mine != other), min(len(left), len(right)))
    if start > limit // 2:
        left, right = f"…{left[start - _CONTEXT :]}", f"…{right[start - _CONTEXT :]}"
    return truncate(left, limit), truncate(right, limit)


def truncate(text: str, limit: int | None = LIMIT) -> str:
    """The text, cut where it is longer than ``limit``; None: never."""
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def as_json(value: Any) -> str:
    """The value as JSON, which tells ``"5"`` from ``5``."""
    return sanitize(json.dumps(refs.to_json(value), sort_keys=True, default=str, ensure_ascii=False))


def _inner(value: Any) -> str:
    """The text of a value inside another one, in brackets if it has parts of its own."""
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
    """The model's own text where it has one, else its fields that are not empty."""
    if type(value).__str__ is not BaseModel.__str__:
        return sanitize(str(value))
    parts = {name: getattr(value, name) for name in type(value).model_fields}
    filled = {name: part for name, part in parts.items() if part is not None and part not in ("", frozenset(), (), {})}
    return " ".join(f"{name}={_inner(part)}" for name, part in filled.items()) or "{}"
