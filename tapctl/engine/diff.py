"""Differences between two specs, field by field, over objects and never over dumps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tapctl.engine.model import AtLeastMinor, Spec


@dataclass(frozen=True)
class Difference:
    """One difference, as deep as it can be told. ``None`` on one side: the item is not there."""

    path: str
    have: Any
    want: Any


def compare(want: Spec, have: Spec, *, unread: Iterable[str] = ()) -> tuple[str, ...]:
    """List the fields in which ``have`` is not as wanted. A field that could not be read is no difference."""
    skipped = frozenset(unread)
    return tuple(
        name
        for name in type(want).model_fields
        if name not in skipped and not same(type(want), name, getattr(want, name), getattr(have, name))
    )


def same(spec: type[Spec], name: str, want: Any, have: Any) -> bool:
    """True if this field's value is as wanted, by the field's own policy."""
    for policy in spec.model_fields[name].metadata:
        if isinstance(policy, AtLeastMinor):
            return _at_least_minor(str(want), str(have))
    return bool(want == have)


def _at_least_minor(want: str, have: str) -> bool:
    if want == have:
        return True
    wanted, seen = want.split("."), have.split(".")
    if not all(part.isdecimal() for part in (*wanted, *seen)) or wanted[0] != seen[0]:
        return False
    return [int(part) for part in seen] >= [int(part) for part in wanted]


def spare(names: Iterable[str], want: Spec, have: Spec) -> Spec:
    """Give back ``want`` with those of these fields as they are that somebody has set and that are wanted empty."""
    spared = {name: getattr(have, name) for name in names if getattr(have, name) and not getattr(want, name)}
    return want.model_copy(update=spared)


def is_downgrade(spec: type[Spec], name: str, want: Any, have: Any) -> bool:
    """True if the wanted version has a lower major than the present one: AWS goes back to none."""
    if not any(isinstance(policy, AtLeastMinor) for policy in spec.model_fields[name].metadata):
        return False
    wanted, seen = str(want).partition(".")[0], str(have).partition(".")[0]
    return wanted.isdecimal() and seen.isdecimal() and int(wanted) < int(seen)


def details(path: str, have: Any, want: Any) -> Iterator[Difference]:
    """Break one field's difference down to items: which tag, which rule, which statement."""
    if have == want:
        return
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        for key in sorted({*have, *want}):
            if key in have and key in want:
                yield from details(f"{path}.{key}", have[key], want[key])
            else:
                yield Difference(f"{path}.{key}", have.get(key), want.get(key))
    elif isinstance(have, frozenset) and isinstance(want, frozenset):
        for gone in sorted(want - have, key=str):
            yield Difference(path, None, gone)
        for added in sorted(have - want, key=str):
            yield Difference(path, added, None)
    elif isinstance(have, BaseModel) and type(have) is type(want):
        for name in type(have).model_fields:
            yield from details(f"{path}.{name}", getattr(have, name), getattr(want, name))
    else:
        yield Difference(path, have, want)
