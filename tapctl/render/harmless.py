"""Values without what looks like a secret: anybody may write one into a tag or a description, and reports go far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel

from tapctl.engine.drift import Finding
from tapctl.engine.plan import Change
from tapctl.safety.redaction import HIDDEN, is_secret

_NAMED_BY_ANYBODY: Final = ("tags", "dimensions")
"""The fields whose parts bear names that anybody chooses, so that a name may tell what the value is."""


def harmless(path: str, value: Any) -> Any:
    """The value of a field, or of a part of one, with `HIDDEN` in place of each text that looks like a secret."""
    root, _, name = path.partition(".")
    return _harmless(value, name, named=root in _NAMED_BY_ANYBODY)


def harmless_finding(finding: Finding) -> Finding:
    """The finding as reports show it."""
    return replace(
        finding,
        recorded=harmless(finding.field, finding.recorded),
        live=harmless(finding.field, finding.live),
        asked=harmless(finding.field, finding.asked),
        detail=harmless("", finding.detail),
    )


def harmless_change(change: Change) -> Change:
    """The change as plans show it."""
    return replace(
        change,
        fields=tuple(
            replace(field, have=harmless(field.path, field.have), want=harmless(field.path, field.want))
            for field in change.fields
        ),
        left=tuple(
            replace(
                part,
                have=harmless(part.path, part.have),
                lacks=harmless(part.path, part.lacks),
                newly=harmless(part.path, part.newly),
            )
            for part in change.left
        ),
    )


def _harmless(value: Any, name: str, *, named: bool) -> Any:
    if isinstance(value, str):
        return HIDDEN if is_secret(value, name if named else "") else value
    if isinstance(value, Mapping):
        return {key: _harmless(item, str(key), named=named) for key, item in value.items()}
    if isinstance(value, frozenset | tuple | list):
        return type(value)(_harmless(item, name, named=named) for item in value)
    if isinstance(value, BaseModel):
        parts = {field: getattr(value, field) for field in type(value).model_fields}
        hidden = {field: _harmless(part, "", named=False) for field, part in parts.items()}
        return value.model_copy(update={field: part for field, part in hidden.items() if part != parts[field]})
    return value
