"""References between resources: typed promises that are strings, and the walk that finds and keeps them.

``role.out.arn`` is a ``str`` to the type checker and a token ``⟦iam-role/lambda-role-dev#arn⟧`` at run time. It may
stand inside any string of a spec. Dependencies are found here, never declared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from tapctl.engine.model import Outputs

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
    addresses: set[str] = set()

    def note(text: str) -> str:
        addresses.update(match.group(1) for match in _TOKEN.finditer(text))
        return text

    substitute(value, note)
    return frozenset(addresses)


def resolve(value: V, known: KnownOutputs) -> V:
    """Replace each token whose output is known; the others stay."""

    def fill(text: str) -> str:
        return _TOKEN.sub(lambda match: known.get(match[1], {}).get(match[2], match[0]), text)

    return substitute(value, fill)


def substitute(value: V, change: Callable[[str], str]) -> V:
    """Apply ``change`` to every string in the value, keys too; models are validated anew."""
    result: Any
    if isinstance(value, str):
        result = change(value)
    elif isinstance(value, BaseModel):
        fields = {name: substitute(getattr(value, name), change) for name in type(value).model_fields}
        result = type(value).model_validate(fields)
    elif isinstance(value, Mapping):
        result = {substitute(key, change): substitute(item, change) for key, item in value.items()}
    elif isinstance(value, frozenset):
        result = frozenset(substitute(item, change) for item in value)
    elif isinstance(value, tuple):
        result = tuple(substitute(item, change) for item in value)
    else:
        result = value
    return cast("V", result)


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
    return value
