"""Records of an earlier tapctl, read as this one writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tapctl.engine.record import Entry
from tapctl.safety.redaction import hide_path_once

_SUBSCRIPTION: Final = "sns-subscription"


def as_written_now(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries, by address, without the paths of subscribers on the web, which an earlier tapctl has recorded."""
    return {entry.address: entry for entry in map(_without_path, entries.values())}


def _without_path(entry: Entry) -> Entry:
    if entry.type != _SUBSCRIPTION:
        return entry
    specs = {name: _hidden(value) for name in ("spec", "confirmed") if (value := getattr(entry, name)) is not None}
    return entry.model_copy(update={"id": hide_path_once(entry.id), **specs})


def _hidden(spec: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = spec.get("endpoint")
    return {**spec, "endpoint": hide_path_once(endpoint)} if isinstance(endpoint, str) else dict(spec)
