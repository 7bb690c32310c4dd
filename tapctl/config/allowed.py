"""Values that a key may have in some files, whatever else stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tapctl.config.problems import table_of
from tapctl.config.rules import common_rules, environment_rules
from tapctl.config.schema import CommonFile, EnvironmentFile, Table
from tapctl.config.types import OneOf


def is_allowed(path: str, value: Any) -> bool:
    """True if some files may have this value at this dotted key: by its type, and by the rules about it alone.

    Of a set that AWS changes with the years any value may have been in it.
    """
    field = _field(path)
    if value is not None and any(isinstance(rule, OneOf) and rule.newer for rule in field.metadata):
        return True
    try:
        _reader(path).validate_python(value)
    except ValidationError:
        return False
    tables = value
    for name in reversed(path.split(".")):
        tables = {name: tables}
    broken = (*common_rules(tables), *environment_rules(tables))
    return not any(f"{key}.".startswith(f"{path}.") for key, *_ in broken)


@cache
def _field(path: str) -> FieldInfo:
    found = (_within(kind, path.split(".")) for kind in (CommonFile, EnvironmentFile))
    return next(field for field in found if field is not None)


def _within(kind: type[Table] | None, names: Sequence[str]) -> FieldInfo | None:
    """The field that these names of tables, and its own, lead to; None where this kind of file has none."""
    field = kind.model_fields.get(names[0]) if kind else None
    return _within(table_of(field.annotation), names[1:]) if field and names[1:] else field


@cache
def _reader(path: str) -> TypeAdapter[Any]:
    field = _field(path)
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation, config=ConfigDict(strict=True))
