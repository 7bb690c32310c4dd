"""Values of fields as people read them: short, in one line, harmless."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from tapctl.engine import refs
from tapctl.render.terminal import one_line, sanitize

LIMIT: Final = 60
"""Characters of a value that are shown, unless the whole is asked for."""
NONE: Final = "(none)"
REMOVE: Final = "(remove)"
_CONTEXT: Final = 12
_IMAGE: Final = re.compile(r"(?P<repository>.+)@(?P<digest>sha256:[0-9a-f]{64})")
_DIGEST_SHOWN: Final = len("sha256:") + 12
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})

T = TypeVar("T")


def counted(count: int, noun: str) -> str:
    """A number with what it counts: ``1 field``, ``2 fields``."""
    return f"{count} {noun}{'s' * (count != 1)}"


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


def format_change(left: Any, right: Any, *, limit: int | None = LIMIT, names: Mapping[str, str] = _NO_NAMES) -> str:
    """A value that becomes another one: ``30 → 60``; of two statements of one name only what differs in them.

    ``names``: what people call a value that is a digest: its tag.
    """
    if own_name(left) and own_name(left) == own_name(right):
        return f"{own_name(left)}: {'; '.join(_parts(left, right))}"
    images = [_IMAGE.fullmatch(value) if isinstance(value, str) else None for value in (left, right)]
    if limit is not None and images[0] and images[1]:
        return _format_images(images[0], images[1], names)
    have, want = format_pair(left, right, limit=limit)
    return f"{have} → {want}"


def format_verdict(verdict: str, waivers: Iterable[Mapping[str, Any]]) -> str:
    """The verdict on a difference, with those who answer for it: ``waived (user/moto, until 2026-12-30)``."""
    told = "; ".join(f"{sanitize(str(one['owner']))}, until {sanitize(str(one['until']))}" for one in waivers)
    return f"{verdict} ({told})" if told else verdict


def format_item(value: Any, limit: int | None = LIMIT) -> str:
    """A value that is added or removed; one of a kind that has names, such as a statement, is shown whole."""
    return truncate(format_value(value), None if hasattr(type(value), "named_by") else limit)


def own_name(value: Any) -> str:
    """The name that a value gives itself among its like (``named_by``): a statement's Sid; empty where it has none."""
    field = getattr(type(value), "named_by", "")
    return sanitize(str(getattr(value, field))) if field else ""


def matched(items: Sequence[T], sides: Callable[[T], tuple[str, Any, Any]], join: Callable[[T, T], T]) -> list[T]:
    """Join what is gone from a place and what came to it under the same name into one change.

    ``sides``: of an item, the place, the value before and the value after; None on one side: it is gone, or it came.
    """
    result: list[T] = []
    waiting: dict[tuple[str, str], int] = {}
    for item in items:
        place, before, after = sides(item)
        name = own_name(after if before is None else before)
        partner = waiting.pop((place, name), None) if name else None
        if partner is not None and (sides(result[partner])[1] is None) != (before is None):
            result[partner] = join(result[partner], item)
            continue
        if name and (before is None) != (after is None):
            waiting[place, name] = len(result)
        result.append(item)
    return result


def _parts(left: BaseModel, right: BaseModel) -> list[str]:
    """The fields that differ in two models of one name: of a set, what is gone from it and what came to it."""
    parts = []
    for field in type(left).model_fields:
        before, after = getattr(left, field), getattr(right, field)
        if before == after:
            continue
        if isinstance(before, frozenset):
            parts.append(f"{field} {_members(before - after, after - before)}")
        else:
            parts.append(f"{field} {' → '.join(format_pair(before, after, limit=None))}")
    return parts


def _members(gone: frozenset[Any], came: frozenset[Any]) -> str:
    """Items that are gone from a set and that came to it; of a model that differs in one set, those of that set."""
    if len(gone) == len(came) == 1:
        (one,), (other,) = gone, came
        if isinstance(one, BaseModel) and isinstance(other, type(one)):
            differing = {name for name in type(one).model_fields if getattr(one, name) != getattr(other, name)}
            same = one.model_copy(update=dict.fromkeys(differing))
            if len(differing) == 1 and all(isinstance(getattr(one, name), frozenset) for name in differing):
                return f"{_single(same)} {_parts(one, other)[0]}"
    return " ".join(
        [*(f"- {text}" for text in sorted(map(_inner, gone))), *(f"+ {text}" for text in sorted(map(_inner, came)))]
    )


def _format_images(left: re.Match[str], right: re.Match[str], names: Mapping[str, str]) -> str:
    """Two images by their tags where those are known, and the beginnings of their digests."""
    moved = left["repository"] != right["repository"]
    shown, digests = [], []
    for image in (left, right):
        digest = image["digest"][:_DIGEST_SHOWN]
        name = one_line(names.get(image["digest"], ""))
        shown.append(f"{image['repository']}:{name}" if moved and name else name)
        digests.append(f"{image['repository']}@{digest}" if moved and not name else digest)
    if all(shown):
        return f"{' → '.join(shown)} ({' → '.join(digests)})"
    return " → ".join(f"{name} ({digest})" if name else digest for name, digest in zip(shown, digests, strict=True))


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
