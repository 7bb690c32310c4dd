"""JSON that cannot be used, told in words of ours: what is wrong with it, and at which line, column or key.

The words of the libraries that read it tell of Python, and of this program, not of the file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.safety.redaction import hide_paths_within

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_MARKS: Final = {
    b"\xef\xbb\xbf": "it begins with a byte order mark: save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
}
_SYNTAX: Final = {
    "Expecting value": "a value is missing",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting ',' delimiter": "a comma is missing, or the end of the object or array",
    "Illegal trailing comma before end of object": "a comma stands before the end of an object",
    "Illegal trailing comma before end of array": "a comma stands before the end of an array",
    "Extra data": "there is more behind its end",
    "Unterminated string starting at": "the text that begins there has no end",
    "Invalid control character at": "a text holds a control character",
    "Invalid \\escape": "a text holds an escape that JSON has not",
    "Invalid \\uXXXX escape": "a text holds an escape that JSON has not",
}
"""The words of Python's reader, as they begin, to ours."""
_DEEP: Final = "it is nested too deep"
_MUST_BE: Final = {
    "string": "a string",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "dict": "an object",
    "model": "an object",
    "list": "an array",
    "tuple": "an array",
}
"""The first word of an error's type to what belongs there."""
_IS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "an array",
    tuple: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}
_BOUNDS: Final = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
}


def printable(text: str, longest: int = 60) -> str:
    """A text of the file's as an error may show it: cut, without what moves a cursor, or a web address's path."""
    plain = "".join(char if char.isprintable() else "?" for char in hide_paths_within(text[:longest]))
    return plain + "…" if len(text) > longest else plain


class DuplicateKey(ValueError):
    """A key that is twice in one object: JSON allows that, files of ours do not."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object.

    Raises:
        DuplicateKey: a key is there twice.
    """
    unique = dict(pairs)
    if len(unique) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DuplicateKey(f"the key {printable(twice)!r} is there twice")
    return unique


def mark_problem(content: bytes) -> str:
    """Tell that these bytes begin with a mark that UTF-8 needs not, or are of another encoding; else empty."""
    return next((words for mark, words in _MARKS.items() if content.startswith(mark)), "")


def decoding_problem(content: bytes) -> str:
    """Tell why these bytes are no UTF-8, or what they begin with; empty where they can be read."""
    if marked := mark_problem(content):
        return marked
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"line {line}: byte {error.start + 1} of the file is no UTF-8"
    return ""


def json_problem(error: ValueError | RecursionError) -> str:
    """Tell what Python's reader of JSON has met, in our words, with its line and column."""
    if isinstance(error, json.JSONDecodeError):
        words = next((ours for theirs, ours in _SYNTAX.items() if error.msg.startswith(theirs)), "it is no JSON")
        rest = error.doc[error.pos :].lstrip(" \t\r\n")
        if not rest or rest.startswith("\0"):
            words = "a NUL byte stands there" if rest else "it ends there, before its end"
        return f"line {error.lineno}, column {error.colno}: {words}"
    if isinstance(error, DuplicateKey):
        return str(error)
    return _DEEP if isinstance(error, RecursionError) else "a number in it has too many digits"


def shape_problems(error: ValidationError, most: int = 5) -> str:
    """Tell the first values that are not what belongs there, a line each with its key."""
    details = error.errors(include_url=False)
    lines = [shape_problem(detail) for detail in details[:most]]
    return "\n".join([*lines, f"and {len(details) - most} more"] if len(details) > most else lines)


def shape_problem(detail: ErrorDetails, above: int = 0) -> str:
    """Tell of one value that it is not what belongs there; ``above``: the parts of its place that are no keys."""
    key = ".".join(printable(str(part)) for part in detail["loc"][above:])
    return f"{key}: {_rule(detail)}" if key else _rule(detail)


def _rule(detail: ErrorDetails) -> str:
    """The rule that a value breaks, in words; the value itself may be anything, and is not told."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return printable(str(context["error"]), 300)
    if kind == "json_invalid":
        # What Python's reader lets pass: a nesting that it takes, and a lone surrogate.
        place = re.sub(r".* at line ([0-9]+) column ([0-9]+)$", r"line \1, column \2: ", context["error"])
        return f"{place}{_DEEP if 'recursion' in context['error'] else 'a text holds half of a character'}"
    if kind == "missing":
        return "is missing"
    if kind == "union_tag_not_found":
        return "its type is missing"
    if kind == "extra_forbidden":
        return "is no key that belongs there"
    if expected := context.get("expected") or context.get("expected_tags"):
        return f"must be {expected}"
    bounds = [words.format(context[name]) for name, words in _BOUNDS.items() if name in context]
    what = _MUST_BE.get(kind.partition("_")[0], "")
    if bounds:
        return f"must be {bounds[0]}"
    is_other_type = what and kind.endswith(("_type", "_parsing", "_number"))
    found = _IS.get(type(detail["input"]), "something else")
    return f"must be {what}; this is {found}" if is_other_type and found != what else "is not what belongs there"
