"""Places of keys in the environment files: the line on which a key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tapctl.config.problems import MAX_BYTES
from tapctl.safety.files import read_file

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_TABLE = re.compile(rf"\s*\[\[?\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*\]")
_PART = re.compile(_NAME)
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'|#[^\n]*|[\[\]{}\n]", re.DOTALL
)
"""Tokens that decide where a value ends: texts and comments (a bracket in them is none), brackets, ends of lines."""
_OPENING, _CLOSING = ("[", "{"), ("]", "}")


def line_of(path: Path, key: str) -> int:
    """The number of the line on which this dotted key stands; where it does not, that of its table; else 1."""
    wanted = _parts(key)
    try:
        text = read_file(path, MAX_BYTES).decode(errors="replace")
    except OSError:
        return 1
    lines = _lines(text)
    return next((lines[found] for end in range(len(wanted), 0, -1) if (found := wanted[:end]) in lines), 1)


@lru_cache(maxsize=16)
def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """The first line of each table and key, by its dotted name: kept, since many problems may be of one file."""
    lines: dict[tuple[str, ...], int] = {}
    for number, found in _keys(text):
        lines.setdefault(found, number)
    return lines


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each line that begins a table or a key, with its dotted name; what stands inside of a value is passed over."""
    table: tuple[str, ...] = ()
    begins = ends = 0
    for number, line in enumerate(text.split("\n"), 1):
        at, begins = begins, begins + len(line) + 1
        if at < ends:
            continue
        if match := _TABLE.match(line):
            table = _parts(match[1])
            yield number, table
        elif match := _KEY.match(line):
            yield number, (*table, *_parts(match[1]))
            ends = _end(text, at + match.end())


def _end(text: str, at: int) -> int:
    """The end of the value that begins here: that of the first line on which no bracket is open."""
    open_brackets = 0
    for token in _TOKEN.finditer(text, at):
        open_brackets += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if token[0] == "\n" and not open_brackets:
            return token.end()
    return len(text)


def _parts(key: str) -> tuple[str, ...]:
    return tuple(match[0].strip("\"'") for match in _PART.finditer(key))
