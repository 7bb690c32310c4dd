"""Keys of the environment files, and the fields of the stack that each decides.

Found by change and comparison: one key of the configuration is given another value, the stack is planned again, and
the fields that are no longer the same are the ones that the key decides. Pure and offline; there is no table that a
new key, field or type could be missing from.

Account and region are left as they are: they stand in every ARN and decide no setting. What the networking stack
tells, and an image's digest, is no environment file's to decide: `planned_stack` has stand-ins for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from tapctl.config import COMMON, Config
from tapctl.config.allowed import is_allowed
from tapctl.config.problems import allowed_keys
from tapctl.config.schema import CommonFile, EnvironmentFile
from tapctl.config.types import OneOf
from tapctl.engine.diff import compare, details
from tapctl.engine.model import Impact
from tapctl.engine.resources import Stack
from tapctl.stack.definition import planned_stack

COMMON_KEYS: Final = frozenset(allowed_keys(CommonFile))
"""The dotted keys of common.toml."""
ENVIRONMENT_KEYS: Final = frozenset(allowed_keys(EnvironmentFile))
"""The dotted keys of an environment's own file: what may differ between environments."""
_PLACE: Final = frozenset({"account_id", "region"})


@dataclass(frozen=True)
class Key:
    """A key of an environment file."""

    file: str
    """The file's name without its ending: ``common``, or the environment's; ``common`` for a key of both."""
    path: str
    """Dotted: ``processor.timeout_s``."""


def provenance_of(config: Config, suffix: str) -> Provenance:
    """Provenance of this environment's fields: one object for one configuration, since each key costs it a stack."""
    return _provenance(config.model_dump_json(), suffix)


@lru_cache(maxsize=8)
def _provenance(config: str, suffix: str) -> Provenance:
    return Provenance(Config.model_validate_json(config), suffix)


class Provenance:
    """The keys that decide the fields of one environment's stack.

    A field is named as `tapctl.engine.diff` names it: ``memory_mb``, ``tags.CostCenter``.
    """

    def __init__(self, config: Config, suffix: str) -> None:
        self._config = config
        self._suffix = suffix
        self._decided: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}

    @cached_property
    def stack(self) -> Stack:
        """The stack as the configuration is."""
        return planned_stack(self._config, self._suffix)

    def value(self, address: str, field: str) -> Any:
        """The planned value of this field; None where the stack has no such resource, field or member."""
        spec = self.stack[address].spec if address in self.stack else None
        name, _, member = field.partition(".")
        value = getattr(spec, name, None)
        return value.get(member) if member and isinstance(value, Mapping) else value

    def keys(self, address: str, field: str) -> tuple[Key, ...]:
        """The keys that decide this field, by file and path; none for a field that no key decides."""
        name, _, member = field.partition(".")
        if address not in self.stack or name not in type(self.stack[address].spec).model_fields:
            return ()
        return tuple(
            Key(COMMON if path in COMMON_KEYS else self._config.environment, path)
            for path in sorted(COMMON_KEYS | ENVIRONMENT_KEYS)
            if (address, field) in self.decided_by(path, member)
        )

    def decided_by(self, path: str, member: str = "") -> frozenset[tuple[str, str]]:
        """Address and name of each field that another value of this key changes.

        ``member``: which member of a key that is a table of any keys (``tags``) gets another value.
        """
        known = (path, member if isinstance(value_at(self._config, path), Mapping) else "")
        if known not in self._decided:
            self._decided[known] = frozenset(
                field for value in _other_values(self._config, *known) for field in self._changed(path, value)
            )
        return self._decided[known]

    def is_constant(self, address: str, field: str) -> bool:
        """True if no files want another value of this field: neither another value of one key, nor of all, changes it.

        Of two keys either of which is enough, neither alone decides.
        """
        return not self.keys(address, field) and (address, field) not in self._decided_by_all

    def may_be(self, address: str, field: str, value: Any) -> bool:
        """True if some files may want this value of the field: one of its keys may have what makes it.

        Of a field that no key decides, all files want the same; one of the keys of a number has to make it,
        whichever of their known values the others have. None: the field's member is not there.
        """
        keys = self.keys(address, field)
        if not keys and address in self.stack:
            return value == self.value(address, field) or not self.is_constant(address, field)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if len(keys) == 1:
            made = self._made_by(keys[0].path, address, field, value)
            return made is True if is_number else made is not False
        if not keys or not is_number:
            return True
        paths = [key.path for key in keys]
        return any(
            Provenance(config, self._suffix)._made_by(path, address, field, value)  # noqa: SLF001 -- of another of us
            for path in paths
            for config in self._variants([other for other in paths if other != path])
        )

    def _made_by(self, path: str, address: str, field: str, value: Any) -> bool | None:
        """True if the key may have a value that makes this one of the field; None where no value of it is known to."""
        now, may_be_left_out = value_at(self._config, path), is_allowed(path, None)
        if value is None:
            return isinstance(now, Mapping) or may_be_left_out
        if may_be_left_out and self._makes(path, None, address, field, value):
            return True
        typed = _values_as_typed(now, field, value, self.value(address, field))
        made_by = [each for each in typed if self._makes(path, each, address, field, value)]
        return any(is_allowed(path, each) for each in made_by) if made_by else None

    def _variants(self, paths: Sequence[str]) -> Iterator[Config]:
        """The configuration, and the same with each known value of each of these keys that has a set of them."""
        yield self._config
        for path in paths:
            table, _, name = path.rpartition(".")
            model = type(value_at(self._config, table) if table else self._config)
            rules = [rule for rule in model.model_fields[name].metadata if isinstance(rule, OneOf)]
            for value in (value for rule in rules for value in rule.values):
                yield with_value(self._config, path, value)

    def _makes(self, path: str, value: Any, address: str, field: str, wanted: Any) -> bool:
        """True if the field has the wanted value where this key has that one; no stack is made of nonsense."""
        try:
            made = Provenance(with_value(self._config, path, value), self._suffix).value(address, field)
        except ValueError:
            return False
        return bool(made == wanted)

    @cached_property
    def _decided_by_all(self) -> frozenset[tuple[str, str]]:
        """Address and name of each field that other values of all keys at once change."""
        found: set[tuple[str, str]] = set()
        others = {path: [*_other_values(self._config, path, "")] for path in COMMON_KEYS | ENVIRONMENT_KEYS}
        for at in (0, -1):
            config = self._config
            for path, values in others.items():
                config = with_value(config, path, values[at]) if values else config
            found.update(self._differing(config))
        return frozenset(found)

    def replaces(self, path: str) -> bool:
        """True if another value of this key replaces a resource."""
        return any(
            self.stack[address].reconciler.impacts.get(field, Impact.NONE) is Impact.REPLACE
            for address, field in self.decided_by(path)
        )

    def _changed(self, path: str, value: Any) -> Iterator[tuple[str, str]]:
        return self._differing(with_value(self._config, path, value))

    def _differing(self, config: Config) -> Iterator[tuple[str, str]]:
        for resource in planned_stack(config, self._suffix):
            if resource.address in self.stack:
                before, after = self.stack[resource.address].spec, resource.spec
                for name in compare(after, before):
                    for difference in details(name, getattr(before, name), getattr(after, name)):
                        yield resource.address, difference.path


def value_at(config: BaseModel, path: str) -> Any:
    """The value at this key; None where nothing is, or its table is not there."""
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def values_as_written(live: Any, now: Any, wanted: Any) -> Iterator[Any]:
    """Values of a key that may lead to the live one: AWS tells numbers as text or fraction, and truth as text.

    ``now`` is the key's value, ``wanted`` what the stack makes of it: a share of something, for a threshold.
    """
    yield live
    if isinstance(now, bool):
        yield live == "true"
    elif isinstance(now, int) and re.fullmatch("-?[0-9]{1,15}([.][0-9]{1,15})?", str(live)):
        number = float(live)
        if number.is_integer():
            yield int(number)
        if isinstance(wanted, float) and wanted:
            yield round(now * number / wanted)


def _values_as_typed(now: Any, field: str, value: Any, wanted: Any) -> Iterator[Any]:
    """As `values_as_written`, of the key's own type; of a table of any keys, with this member."""
    if isinstance(now, Mapping):
        yield {**now, field.partition(".")[2]: value}
    else:
        for each in values_as_written(value, now, wanted):
            if now is None or type(each) is type(now):
                yield each


def with_value(model: Any, path: str, value: Any) -> Any:
    """The configuration with another value at this key, which no rule has checked."""
    name, _, rest = path.partition(".")
    return model.model_copy(update={name: with_value(getattr(model, name), rest, value) if rest else value})


def _other_values(config: Config, path: str, member: str) -> Iterator[Any]:
    """Values that the key has not now, different enough to show in whatever is made of them."""
    table, _, name = path.rpartition(".")
    model = value_at(config, table) if table else config
    if path in _PLACE or not isinstance(model, BaseModel) or name not in type(model).model_fields:
        return
    yield from _others_of(model, name, member)


def _others_of(model: BaseModel, name: str, member: str = "") -> Iterator[Any]:
    value, field = getattr(model, name), type(model).model_fields[name]
    members = [rule.values for rule in field.metadata if isinstance(rule, OneOf)]
    if members:
        # Neighbours in a set can be alike in what follows from them: two classes with as much memory.
        yield from (members[0][0], members[0][-1])
    elif get_origin(field.annotation) is Literal:
        yield from (word for word in get_args(field.annotation) if word != value)
    elif isinstance(value, tuple):
        yield from _other_arrays(value)
    elif isinstance(value, Mapping):
        yield {**value, member: f"another {value.get(member)}"}
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield f"another {value}"
    elif value is None:
        yield "another" if _is_text(field.annotation) else 1
    elif isinstance(value, int | float):
        yield value + 1


def _is_text(annotation: Any) -> bool:
    """True if an optional value of this annotation is a text."""
    return any(kind is str or getattr(kind, "__origin__", None) is str for kind in get_args(annotation))


def _other_arrays(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The array with another value of one key in all its tables; an array of texts with one more; none if empty."""
    if any(isinstance(item, BaseModel) for item in items):
        for name in type(items[0]).model_fields:
            yield tuple(item.model_copy(update={name: next(_others_of(item, name))}) for item in items)
    elif items:
        yield (*items, "another")
