"""The JSON Schema of the events, as a test of lines."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tapctl.reports.events import schema


@cache
def _validators() -> dict[str, Draft202012Validator]:
    """A validator for each kind of line: the schema's own choice among them tells less of what is wrong."""
    whole = schema()
    kinds = whole["discriminator"]["mapping"]
    return {kind: Draft202012Validator({"$ref": ref, "$defs": whole["$defs"]}) for kind, ref in kinds.items()}


def valid(record: dict[str, Any]) -> dict[str, Any]:
    """Check a line; returns it.

    Raises:
        jsonschema.ValidationError: a key is missing, or of another type.
        KeyError: the schema has no such kind of line.
    """
    _validators()[record["type"]].validate(record)
    return record
