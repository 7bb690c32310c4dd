"""References between resources: typed promises that are strings, and the walk that finds and keeps them.

``role.out.arn`` is a ``str`` to the type checker and a token ``⟦iam-role/lambda-role-dev#arn⟧`` at run time. It may
stand inside any string of a spec. Dependencies are found here, never declared.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from tapctl.engine.model import Outputs

_OPENING = "⟦"
_PLAIN = (int, float, type(None))
"""Types that hold no string; asked first, since to ask if a value is a mapping takes ten times as long."""
_TOKEN = re.compile(r"⟦([^⟦⟧#]+)#([a-z_]+)⟧")

V = TypeVar("V")
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- O as in outputs; nobody takes it for a zero

KnownOutputs = Mapping[str, Mapping[str, str]]
"""Address to known outputs."""


def promise(outputs: type[O], address: str) -> O:
    """Make the outputs of a resource before it exists: each field a token."""
    return outputs(**{name: f"⟦{address}#{name}⟧" for name in outputs.model_fields})


def needs(value: Any) -> frozenset[str]:
    """List the addresses whose outputs this value waits for."""
    found: set[str] = set()
    _add_needs(value, found)
    return frozenset(found)


def resolve(value: V, known: KnownOutputs) -> V:
    """Replace each token whose output is known; the others stay."""

    def fill(text: str) -> str:
        return _TOKEN.sub(lambda match: known.get(match[1], {}).get(match[2], match[0]), text)

    return substitute(value, fill)


def in_words(value: V) -> V:
    """Say of each token that is left what it stands for."""
    return substitute(value, lambda text: _TOKEN.sub(r"(\2 of \1)", text))


def substitute(value: V, change: Callable[[str], str]) -> V:
    """Apply ``change`` to every string in the value, keys too; a part that stays equal stays the same object.

    Models that change are validated anew.
    """
    result: Any = value
    if isinstance(value, str):
        changed = change(value)
        return cast("V", value if changed == value else changed)
    if isinstance(value, BaseModel):
        fields = vars(value)
        new = {name: substitute(item, change) for name, item in fields.items()}
        if any(new[name] is not item for name, item in fields.items()):
            result = type(value).model_validate(new)
    elif isinstance(value, Mapping):
        pairs = [(key, item, substitute(key, change), substitute(item, change)) for key, item in value.items()]
        if any(key is not new_key or item is not new_item for key, item, new_key, new_item in pairs):
            result = {new_key: new_item for _, _, new_key, new_item in pairs}
    elif isinstance(value, frozenset | tuple):
        items = [(item, substitute(item, change)) for item in value]
        if any(item is not new_item for item, new_item in items):
            result = type(value)(new_item for _, new_item in items)
    return cast("V", result)


def _add_needs(value: Any, found: set[str]) -> None:
    """Add the addresses in every string of the value, keys too. Each stack is searched: it has thousands of strings."""
    if isinstance(value, str):
        if _OPENING in value:
            found.update(match[1] for match in _TOKEN.finditer(value))
    elif isinstance(value, _PLAIN):
        return
    elif isinstance(value, frozenset | tuple):
        for item in value:
            _add_needs(item, found)
    elif isinstance(value, BaseModel):
        for item in vars(value).values():
            _add_needs(item, found)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _add_needs(key, found)
            _add_needs(item, found)


def to_json(value: Any) -> Any:
    """Convert the value to plain JSON: sets sorted, models as objects; equal values become equal JSON."""
    if isinstance(value, BaseModel):
        return {name: to_json(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: to_json(value[key]) for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted((to_json(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no word for it, and a double that AWS tells may be one.
        return str(value)
    return value
