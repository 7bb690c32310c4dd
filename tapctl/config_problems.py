"""From what is wrong with a file to what its user reads: the file, the key's path, the bad value, the rule."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tapctl.config_schema import CommonFile, EnvironmentFile, Table
from tapctl.config_values import did_you_mean
from tapctl.errors import Problem

T = TypeVar("T", bound=Table)
KeyPath = tuple[str | int, ...]

_LONGEST = 80
_BARE = re.compile("[A-Za-z0-9_-]+")
# A file of ours holds no secret; what somebody puts there by mistake is not to be repeated in a CI log.
_SECRET = re.compile(
    "password|passwd|passphrase|secret|token|credential|private_?key|access_?key|api_?key", re.IGNORECASE
)
_TOML_WORDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    list: "an array",
    dict: "a table",
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(path: Path) -> dict[str, Any] | Problem:
    """The tables of a file as TOML has them, or what is wrong with it."""
    try:
        # Whatever else bears the name is not opened: a pipe would be waited for.
        if not path.is_file():
            return Problem(str(path), "", "", "is not a file" if path.exists() else "is missing")
        content = path.read_bytes()
    except OSError as error:
        return Problem(str(path), "", "", f"cannot be read: {error.strerror}")
    if content.startswith(_BYTE_ORDER_MARK):
        return Problem(str(path), "", "", "begins with a byte order mark; save it as UTF-8 without one")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        return Problem(str(path), "", "", f"is not UTF-8 text (byte {error.start + 1})")
    except (ValueError, RecursionError) as error:
        return Problem(str(path), "", "", f"is not TOML: {error}")


def parse(path: Path, raw: dict[str, Any], kind: type[T]) -> tuple[T | None, list[Problem]]:
    """The file as a value of its kind, or None and everything that is wrong with its keys, one by one."""
    try:
        return kind.model_validate(raw), []
    except ValidationError as error:
        return None, [each for detail in error.errors(include_url=False) for each in _told(path, detail, kind)]


def problem(path: Path, key: str, value: Any, rule: str) -> Problem:
    """One thing wrong with one key."""
    secret = _SECRET.search(key.removeprefix("secrets"))
    return Problem(str(path), key, "(not shown)" if secret else shown(value), rule)


def shown(value: Any) -> str:
    """A value as it may be printed: on one line, no control characters, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def dotted(path: KeyPath) -> str:
    """A key's path as TOML writes it."""
    return ".".join(part if _BARE.fullmatch(part) else shown(part) for part in map(str, path))


def keys(kind: type[Table], above: str = "") -> dict[str, str]:
    """The dotted path of every key that this kind of file may have, and its rule."""
    found: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        table = _table(field.annotation)
        found.update(keys(table, f"{above}{name}.") if table else {f"{above}{name}": _rule(kind, (name,))})
    return found


def _table(annotation: Any) -> type[Table] | None:
    """The kind of table that this annotation is of, be it optional."""
    candidates = (annotation, *get_args(annotation))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, Table)), None)


def _rule(kind: type[Table], path: KeyPath) -> str:
    """What has to stand at this path, as its type describes it."""
    field = kind.model_fields[str(path[0])]
    table = _table(field.annotation)
    if table and len(path) > 1:
        return _rule(table, path[1:])
    if table:
        return f"a table with the keys {', '.join(keys(table))}"
    inner = (
        getattr(each, "description", None)
        for arg in get_args(field.annotation)
        for each in getattr(arg, "__metadata__", ())
    )
    return field.description or next(filter(None, inner))


def _told(path: Path, detail: ErrorDetails, kind: type[Table]) -> Iterator[Problem]:
    where = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "extra_forbidden":
        for inside, value in _leaves(where, detail["input"]):
            yield problem(path, dotted(inside), value, _unknown(inside, kind))
        return
    if detail["type"] == "missing":
        yield Problem(str(path), dotted(where), "", f"is missing; must be {_rule(kind, where)}")
        return
    rule = detail["msg"] if detail["type"] == "rule" else f"must be {_rule(kind, where)}"
    if detail["type"].endswith("_type"):
        rule += f"; this is {_TOML_WORDS.get(type(detail['input']), 'a date or time')}"
    yield problem(path, dotted(where), detail["input"], rule)


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, value


def _unknown(path: KeyPath, kind: type[Table]) -> str:
    """Why this key may not stand in this kind of file, what was perhaps meant, and which keys may stand here."""
    key, allowed = dotted(path), keys(kind)
    depth = next(depth for depth in range(len(path) - 1, -1, -1) if not depth or _holds(allowed, path[:depth]))
    here = [each for each in allowed if not depth or each.startswith(f"{dotted(path[:depth])}.")]
    listed = f"allowed here: {', '.join(here)}"
    other = EnvironmentFile if kind is CommonFile else CommonFile
    if key in keys(other) or dotted(path[:1]) == "tags":
        place = "may differ between environments, and belongs in their own files"
        if kind is EnvironmentFile:
            place = "is the same in every environment, and belongs in common.toml"
        return f"{place}; {listed}"
    last = {each.rpartition(".")[2]: each for each in (*allowed, *here)}
    return f"is no key of this file{did_you_mean(path[-1], last)}; {listed}"


def _holds(allowed: Mapping[str, str], table: KeyPath) -> bool:
    return any(each.startswith(f"{dotted(table)}.") for each in allowed)
