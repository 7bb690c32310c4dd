"""The tests' own environment files, and a copy of them that a test changes key by key."""

from __future__ import annotations

import importlib
import json
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from tapctl.config import Config, load_all, schema
from tapctl.errors import ConfigError, Problem

# It has no types of its own; moto brings it.
jsonschema: Any = importlib.import_module("jsonschema")

ENVIRONMENTS = Path(__file__).parent / "environments"
"""A small, a middle and a protected environment; the folder at the top of the repository is its user's."""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: dict[str, dict[str, Any]] = {
            file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in ENVIRONMENTS.glob("*.toml")
        }
        self._write()

    def put(self, file: str, key: str, value: Any) -> Folder:
        table, last = self._table(file, key)
        table[last] = value
        self._write()
        return self

    def drop(self, file: str, key: str) -> Folder:
        table, last = self._table(file, key)
        del table[last]
        self._write()
        return self

    def load(self) -> dict[str, Config]:
        return load_all(self.path)

    def problems(self) -> list[Problem]:
        """List the problems of what is refused; none when nothing is."""
        try:
            load_all(self.path)
        except ConfigError as error:
            return list(error.problems)
        return []

    def problem(self) -> tuple[str, str, str, str]:
        """The one thing that is refused: the file's name, the key, the value, the rule."""
        (only,) = self.problems()
        return Path(only.file).name, only.key, only.value, only.rule

    def valid_by_schema(self, file: str) -> bool:
        """Tell whether this file is as the JSON Schema of its kind says."""
        return bool(validator(file).is_valid(self.tables[file]))

    def _table(self, file: str, key: str) -> tuple[dict[str, Any], str]:
        *tables, last = key.split(".")
        found = self.tables.setdefault(file, {})
        for each in tables:
            found = found.setdefault(each, {})
        return found, last

    def _write(self) -> None:
        self.path.mkdir(exist_ok=True)
        for name, tables in self.tables.items():
            lines = [f"{json.dumps(key)} = {_toml(value)}\n" for key, value in tables.items()]
            (self.path / f"{name}.toml").write_text("".join(lines), encoding="utf-8")


def validator(file: str) -> Any:
    """Return what holds a file of this name against the JSON Schema of its kind."""
    return _validator("common" if file == "common" else "environment")


@cache
def _validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(schema()[kind])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)
