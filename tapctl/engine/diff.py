"""Differences between two specs, field by field, over objects and never over dumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tapctl.engine import refs
from tapctl.engine.model import AtLeastMinor, Reconciler, Spec


@dataclass(frozen=True)
class Difference:
    """A difference, as deep as it can be told. ``None`` on one side: the item is not there."""

    path: str
    have: Any
    want: Any
    item: bool = False
    """True if one side is an item of a set, of which several may be at one path."""

    def is_at(self, other: Difference) -> bool:
        """True if both are of the same present value, whatever is wanted in its place."""
        same_item = self.want == other.want if self.item and other.item else True
        return (self.path, self.have) == (other.path, other.have) and same_item


@dataclass(frozen=True)
class Removed:
    """An item that a set lacks: stands for the live value, since several may lack at one path."""

    item: Any


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


def unexplained(spec: type[Spec], name: str, have: Any, confirmed: Any, asked: Any) -> list[Difference]:
    """List how a value differs from the confirmed one, without what the asked one explains: what we did not do."""
    if same(spec, name, confirmed, have) or same(spec, name, asked, have):
        return []
    from_asked = list(details(name, have, asked))
    return [part for part in details(name, have, confirmed) if any(part.is_at(other) for other in from_asked)]


def _at_least_minor(want: str, have: str) -> bool:
    if want == have:
        return True
    wanted, seen = want.split("."), have.split(".")
    if not all(part.isdecimal() for part in (*wanted, *seen)) or wanted[0] != seen[0]:
        return False
    return [int(part) for part in seen] >= [int(part) for part in wanted]


def leave(reconciler: Reconciler[Any, Any], want: Spec, have: Spec, *, allowed: bool) -> Spec:
    """Give back ``want`` with the fields as they are that an apply leaves alone.

    These are the ones of `Reconciler.left_alone` for which it has no wish but their default, and those of
    `Reconciler.fixed_once_set` that are set; ``allowed``: the apply is given `ALLOW` for the resource.
    """
    unasked = (name for name in reconciler.leaves(allowed=allowed) if _is_default(want, name))
    fixed = () if allowed else reconciler.fixed_once_set
    names = (*unasked, *(name for name in fixed if getattr(want, name) and getattr(have, name)))
    return want.model_copy(update={name: getattr(have, name) for name in names})


def carry_over(reconciler: Reconciler[Any, Any], want: Spec, carried: Mapping[str, str], *, allowed: bool) -> Spec:
    """Give back ``want`` with what an apply leaves alone (`leave`) as the resource had it that was there before.

    ``carried``: as a replacement that was cut off has recorded it (`Entry.carried`).
    """
    names = reconciler.carried_over & reconciler.leaves(allowed=allowed) & carried.keys()
    return want.model_copy(update={name: carried[name] for name in names if _is_default(want, name)})


def _is_default(spec: Spec, name: str) -> bool:
    return bool(getattr(spec, name) == type(spec).model_fields[name].default)


def leave_parts(want: Spec, have: Spec, spares: Callable[[str, Any], bool]) -> Spec:
    """Give back ``want`` with the live value wherever ``spares`` says so of a path, as `details` names it, and a value.

    Of an item that a set lacks it is asked by `Removed`.
    A value that is known only after another resource was made is left as it is wanted.
    """
    return want.model_copy(
        update={
            name: _with_spared(name, getattr(have, name), getattr(want, name), spares)
            for name in compare(want, have)
            if not refs.needs(getattr(want, name))
        }
    )


def _with_spared(path: str, have: Any, want: Any, spares: Callable[[str, Any], bool]) -> Any:
    """Walk as `details` does; an item that is spared is as it is live: there, or not there."""
    if have == want:
        return want
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        both = {key: _with_spared(f"{path}.{key}", have[key], want[key], spares) for key in have.keys() & want.keys()}
        kept = {key: have[key] for key in have.keys() - want.keys() if spares(f"{path}.{key}", have[key])}
        due = {key: want[key] for key in want.keys() - have.keys() if not spares(f"{path}.{key}", None)}
        return both | kept | due
    if isinstance(have, frozenset) and isinstance(want, frozenset):
        kept_items = {item for item in have - want if spares(path, item)}
        gone = {item for item in want - have if spares(path, Removed(item))}
        return frozenset((want - gone) | kept_items)
    if isinstance(have, BaseModel) and type(have) is type(want):
        names = type(have).model_fields
        parts = {
            name: _with_spared(f"{path}.{name}", getattr(have, name), getattr(want, name), spares) for name in names
        }
        return want.model_copy(update=parts)
    return have if spares(path, have) else want


def is_downgrade(spec: type[Spec], name: str, want: Any, have: Any) -> bool:
    """True if the wanted version has a lower major than the present one: AWS goes back to none."""
    return _major_step(spec, name, want, have) < 0


def is_upgrade(spec: type[Spec], name: str, want: Any, have: Any) -> bool:
    """True if the wanted version has a higher major than the present one."""
    return _major_step(spec, name, want, have) > 0


def _major_step(spec: type[Spec], name: str, want: Any, have: Any) -> int:
    """Count the majors from the present version to the wanted one; 0 for what is no version."""
    if not any(isinstance(policy, AtLeastMinor) for policy in spec.model_fields[name].metadata):
        return 0
    wanted, seen = str(want).partition(".")[0], str(have).partition(".")[0]
    return int(wanted) - int(seen) if wanted.isdecimal() and seen.isdecimal() else 0


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
            yield Difference(path, None, gone, item=True)
        for added in sorted(have - want, key=str):
            yield Difference(path, added, None, item=True)
    elif isinstance(have, BaseModel) and type(have) is type(want):
        for name in type(have).model_fields:
            yield from details(f"{path}.{name}", getattr(have, name), getattr(want, name))
    else:
        yield Difference(path, have, want)
