"""Values that a key may have in some files, whatever else stands in them."""

from __future__ import annotations

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
    *above, last = path.split(".")
    for kind in (CommonFile, EnvironmentFile):
        table: type[Table] | None = kind
        for name in above:
            table = table_of(table.model_fields[name].annotation) if table and name in table.model_fields else None
        if table and last in table.model_fields:
            return table.model_fields[last]
    raise KeyError(path)


@cache
def _reader(path: str) -> TypeAdapter[Any]:
    field = _field(path)
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation, config=ConfigDict(strict=True))
