"""An environment's file that is not there any more, as far as its record tells what stood in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tapctl.errors import ConfigError, Problem
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names

_MEMBER: Final = "db-instance"


def file_is_gone(folder: Path, manifest: Manifest, where: str) -> ConfigError:
    """The error of a command that needs the file; ``where``: the record's place."""
    file = folder / f"{manifest.environment}.toml"
    rule = f"is not there, and {where} is the record of what it made"
    known = "\n".join(f"  {line}" for line in recorded_keys(manifest))
    error = ConfigError([Problem(str(file), "", "", rule)], hint=f"put {file} back")
    error.evidence = f"{error.evidence}\nas far as the record tells:\n{known}"
    return error


def recorded_keys(manifest: Manifest) -> Iterator[str]:
    """The lines of the environment's file that the record knows, as TOML."""
    names = Names(manifest.suffix, manifest.account, manifest.region)
    yield f"account_id = {_toml(manifest.account)}"
    yield f"region = {_toml(manifest.region)}"
    reference = manifest.networking.get("reference")
    if isinstance(reference, str):
        yield f"networking = {_toml(reference)}"
    cluster, function = _spec(manifest, "db-cluster", names.cluster), _spec(manifest, "lambda-function", names.function)
    tags = cluster.get("tags")
    snapshot = tags.get("tapctl:final-snapshot") if isinstance(tags, Mapping) else None
    members = [entry.spec for entry in manifest.entries.values() if entry.type == _MEMBER]
    values = {
        "protected": cluster.get("deletion_protection"),
        "final_snapshot": None if snapshot is None else snapshot != "false",
        "database.instance_class": members[0].get("instance_class") if members else None,
        "database.instance_count": len(members) or None,
        "processor.memory_mb": function.get("memory_mb"),
        "processor.reserved_concurrency": function.get("reserved_concurrency"),
    }
    yield from (f"{key} = {_toml(value)}" for key, value in values.items() if isinstance(value, bool | int | str))


def _spec(manifest: Manifest, type_: str, id_: str) -> Mapping[str, Any]:
    entry = manifest.entries.get(f"{type_}/{id_}")
    return {} if entry is None else entry.confirmed_spec or entry.spec


def _toml(value: bool | int | str) -> str:
    return json.dumps(value)
