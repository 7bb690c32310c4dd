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
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- the letter the design uses

KnownOutputs = Mapping[str, Mapping[str, str]]
"""Address to the outputs that are known."""


def promise(outputs: type[O], address: str) -> O:
    """The outputs of a resource before it exists: each field a token."""
    return outputs(**{name: f"⟦{address}#{name}⟧" for name in outputs.model_fields})


def needs(value: Any) -> frozenset[str]:
    """The addresses whose outputs this value waits for."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.update(match.group(1) for match in _TOKEN.finditer(text))
        return text

    substitute(value, note)
    return frozenset(found)


def resolve(value: V, known: KnownOutputs) -> V:
    """The value with each token replaced whose output is known; the others stay."""

    def fill(text: str) -> str:
        return _TOKEN.sub(lambda match: known.get(match[1], {}).get(match[2], match[0]), text)

    return substitute(value, fill)


def substitute(value: V, change: Callable[[str], str]) -> V:
    """The same value with ``change`` applied to every string in it; models are validated anew."""
    made: Any
    if isinstance(value, str):
        made = change(value)
    elif isinstance(value, BaseModel):
        fields = {name: substitute(getattr(value, name), change) for name in type(value).model_fields}
        made = type(value).model_validate(fields)
    elif isinstance(value, Mapping):
        made = {substitute(key, change): substitute(one, change) for key, one in value.items()}
    elif isinstance(value, frozenset):
        made = frozenset(substitute(one, change) for one in value)
    elif isinstance(value, tuple):
        made = tuple(substitute(one, change) for one in value)
    else:
        made = value
    return cast("V", made)


def to_json(value: Any) -> Any:
    """The value as plain JSON: sets sorted, models as objects; the same value is always the same JSON."""
    if isinstance(value, BaseModel):
        return {name: to_json(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: to_json(value[key]) for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted((to_json(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, tuple):
        return [to_json(one) for one in value]
    return value
