"""Places of keys in the environment files: the line on which a key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tapctl.config.problems import MAX_BYTES
from tapctl.safety.files import read_file

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_TABLE = re.compile(rf"\s*\[\[?\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*\]")
_PART = re.compile(_NAME)


def line_of(path: Path, key: str) -> int:
    """The number of the line on which this dotted key stands; where it does not, that of its table; else 1."""
    try:
        text = read_file(path, MAX_BYTES).decode(errors="replace")
    except OSError:
        return 1
    wanted = _parts(key)
    best, depth = 1, 0
    for number, found in _keys(text):
        shared = len(found) if wanted[: len(found)] == found else 0
        if shared > depth:
            best, depth = number, shared
    return best


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that begins a table or a key, with its dotted name; what stands inside of a value is passed over."""
    table: list[str] = []
    lines = text.split("\n")
    start = 0
    for at, line in enumerate(lines):
        if at < start:
            continue
        if match := _TABLE.match(line):
            table = _parts(match[1])
            yield at + 1, table
        elif match := _KEY.match(line):
            yield at + 1, [*table, *_parts(match[1])]
            start = _end(lines, at)


def _end(lines: list[str], at: int) -> int:
    """The number of the line, from 0, after the value that begins on this one."""
    if not re.search(r"[\[{]|\"\"\"|'''", lines[at]):
        return at + 1
    for end in range(at + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[at:end]))
        except (ValueError, RecursionError):
            continue
        return end
    return at + 1


def _parts(key: str) -> list[Any]:
    return [part.strip("\"'") for part in _PART.findall(key)]
