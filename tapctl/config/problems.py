"""Problems a user can act on, from TOML and pydantic errors: the file, the key's path, the value, the rule."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tapctl.config.rules import RECEIVERS, get_path
from tapctl.config.schema import CommonFile, EnvironmentFile, Table
from tapctl.config.types import did_you_mean
from tapctl.errors import Problem
from tapctl.safety.files import read_file
from tapctl.safety.redaction import hide_paths_within, hosts_alone, is_arn, is_secret, redact

T = TypeVar("T", bound=Table)
KeyPath = tuple[str | int, ...]

_LONGEST = 80
_LONGEST_MESSAGE = 1_000
MAX_BYTES = 256 * 1024
"""The size of a file beyond which it is not read."""
_MAX_DOTS = 256
_MAX_DEPTH = 20
_MAX_BITS = 1024
"""The length of a number that is read. A hexadecimal one may be longer than the decimal digits that Python takes."""
MAX_PROBLEMS = 50
"""Problems shown of one file; more are counted."""
_BARE = re.compile("[A-Za-z0-9_-]+")
# A file of ours holds no secret; what somebody puts there by mistake is not to be repeated in a CI log. So these names
# count too, of a key that breaks a rule.
_SECRET = re.compile(
    "passw|pwd|(?:^|[._-])(?:url|uri|dsn|pw|pass|auth)(?:$|[._-])|connection_?string|cookie", re.IGNORECASE
)
_LONGEST_KEY = 200
_TOML_WORDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    list: "an array",
    dict: "a table",
}
_FILES: dict[type[Table], str] = {CommonFile: "common.toml", EnvironmentFile: "an environment's own file"}
_KEY = re.compile(r"""[\w.'" -]+""")
_DIGITS = re.compile("[0-9_]+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(path: Path) -> dict[str, Any] | Problem:
    """Read the tables of a file, or the problem that makes it unreadable."""
    try:
        content = read_file(path, MAX_BYTES)
    except FileNotFoundError:
        return Problem(str(path), "", "", "is missing" if not path.is_symlink() else "is a link that leads nowhere")
    except OSError as error:
        return Problem(str(path), "", "", f"cannot be read: {error.strerror}")
    if content.startswith(_BYTE_ORDER_MARK):
        return Problem(str(path), "", "", "begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return Problem(str(path), "", "", f"is not UTF-8 text (byte {error.start + 1})")
    # tomllib takes the square of a key's parts in time.
    crowded = next((number for number, line in enumerate(text.split("\n"), 1) if line.count(".") > _MAX_DOTS), None)
    if crowded is not None:
        return Problem(str(path), "", "", f"has more than {_MAX_DOTS} dots at line {crowded}")
    too_deep = Problem(str(path), "", "", f"is nested more than {_MAX_DEPTH} tables and arrays deep")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Problem(str(path), "", "", f"is not TOML: {_explain(str(error), text)}")
    except ValueError:
        # The one that is no syntax error is Python's bound on digits, which tells no place.
        longest = [max(map(len, _DIGITS.findall(line)), default=0) for line in text.split("\n")]
        at = longest.index(max(longest)) + 1
        return Problem(str(path), "", "", f"has a number of too many digits at line {at}")
    except RecursionError:
        return too_deep
    if _is_deep(tables):
        return too_deep
    vast = next((key for key, value in _all_values((), tables) if type(value) is int and _is_vast(value)), None)
    return tables if vast is None else Problem(str(path), toml_path(vast), "", "is a number of too many digits")


def _all_values(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Each value that is no table or array, with its key."""
    if not isinstance(value, dict | list):
        yield path, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _all_values((*path, key), inner)


def _is_vast(number: int) -> bool:
    """True of what Python may refuse to print, or to compare with a number that is not whole."""
    return number.bit_length() > _MAX_BITS


def _is_deep(tables: dict[str, Any]) -> bool:
    level: list[Any] = [tables]
    for _ in range(_MAX_DEPTH):
        inner = [list(value.values()) if isinstance(value, dict) else value for value in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _explain(error: str, text: str) -> str:
    """Complete tomllib's message: name the key that has a second value, and write tables as TOML does, not Python."""
    error = shorten(error, _LONGEST_MESSAGE)
    if place := re.fullmatch(r"Cannot overwrite a value \((at line ([0-9]+), .*|at end of document)\)", error):
        lines = text.rstrip("\n").split("\n")
        key = _assigned(lines[int(place[2] or len(lines)) - 1])
        return f"the key {shorten(key)} has a value already ({place[1]})" if key else error
    return re.sub(r"\('([^()]*?)',?\)", lambda names: names[1].replace("', '", "."), error)


def _assigned(line: str) -> str:
    """The key before its value, or a table's name; empty where the line has neither."""
    line = line.strip()
    key = line.lstrip("[").partition("]")[0] if line.startswith("[") else line.partition("=")[0]
    key = key.strip() if "=" in line or line.startswith("[") else ""
    return key if _KEY.fullmatch(key) else ""


def parse(path: Path, raw: dict[str, Any], kind: type[T]) -> tuple[T | None, list[Problem]]:
    """Parse the file into a value of its kind, or into None and a problem for each key that breaks its rule."""
    try:
        return kind.model_validate(raw), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = list(
            islice((each for detail in details for each in _to_problem(path, detail, kind, raw)), MAX_PROBLEMS)
        )
        if len(problems) == MAX_PROBLEMS:
            # Counted without being explained: to look for what was meant is most of the work.
            rest = sum(map(_count, details)) - MAX_PROBLEMS
            problems += [Problem(str(path), "…", "", f"and {rest} more")] if rest > 0 else []
        return None, problems


def problem(path: Path, key: str, value: Any, rule: str) -> Problem:
    """Build the problem of one key; a value that may be a secret is not shown."""
    is_receivers = key.startswith(RECEIVERS) or RECEIVERS.startswith(f"{key}.")
    text = printable(hosts_alone(value) if is_receivers else value)
    name = key.removeprefix("secrets")
    hidden = is_secret(str(value), name) or (_SECRET.search(name) and not is_arn(str(value)))
    shown = "(not shown)" if hidden else text
    return Problem(str(path), shorten(key, _LONGEST_KEY), shown, rule)


def printable(value: Any) -> str:
    """Print a value on one line: no control characters, not too long, of addresses neither user part nor path."""
    text = hide_paths_within(redact(json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST_MESSAGE]))
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return shorten(text)


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Cut a text that is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def toml_path(path: KeyPath) -> str:
    """Write a key's path as TOML does."""
    return ".".join(part if _BARE.fullmatch(part) else printable(part) for part in map(str, path))


def allowed_keys(kind: type[Table], above: str = "") -> dict[str, str]:
    """List the dotted path of every key that this kind of file may have, with its rule."""
    rules: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        table = table_of(field.annotation)
        rules.update(allowed_keys(table, f"{above}{name}.") if table else {f"{above}{name}": _rule(kind, (name,))})
    return rules


def table_of(annotation: Any) -> type[Table] | None:
    """The kind of table of this annotation, optional or not; None if it is no table's."""
    return _table_among((annotation, *get_args(annotation))) if get_origin(annotation) is not tuple else None


def _element(annotation: Any) -> type[Table] | None:
    """The kind of the tables in an array of this annotation; None if it is no such array's."""
    return _table_among(get_args(annotation)) if get_origin(annotation) is tuple else None


def _table_among(kinds: tuple[Any, ...]) -> type[Table] | None:
    return next((each for each in kinds if isinstance(each, type) and issubclass(each, Table)), None)


def _array(kind: type[Table], path: KeyPath) -> type[Table] | None:
    """The kind of the tables of the array that the path of an unknown key leads through; None if through none."""
    field = kind.model_fields.get(str(path[0]))
    if field is None:
        return None
    table = table_of(field.annotation)
    return _array(table, path[1:]) if table else _element(field.annotation)


def _rule(kind: type[Table], path: KeyPath) -> str:
    """The rule of this path, in the words of its type's description."""
    field = kind.model_fields[str(path[0])]
    table = table_of(field.annotation)
    if table and len(path) > 1:
        return _rule(table, path[1:])
    if table:
        return f"a table with the keys {', '.join(allowed_keys(table))}"
    if (element := _element(field.annotation)) and len(path) > 1:
        # The second part is the table's place in the array.
        inside = path[2:]
        return _rule(element, inside) if inside else f"a table with the keys {', '.join(element.model_fields)}"
    inner = [
        each.description
        for arg in get_args(field.annotation)
        for each in getattr(arg, "__metadata__", ())
        if getattr(each, "description", None)
    ]
    # An optional value is described within, and so is an element of an array or of a table of any keys.
    return field.description if field.description and len(path) == 1 else inner[0]


def _to_problem(path: Path, detail: ErrorDetails, kind: type[Table], raw: Mapping[str, Any]) -> Iterator[Problem]:
    where, value = detail["loc"], detail["input"]
    if where[-1] == "[key]" and get_path(raw, where) is None:
        # The error is about the key itself, and has the key for its input.
        where = where[:-1]
        value = get_path(raw, where)
    if detail["type"] == "extra_forbidden":
        if isinstance(value, Mapping) and (meant := _table_suggestion(where, kind)):
            # One slip is one problem, however many keys follow it.
            yield Problem(str(path), toml_path(where), "", f"is no table of this file{meant}")
            return
        for inside, leaf in _leaves(where, value):
            # A key with a slip in it may be the receivers'.
            yield problem(path, toml_path(inside), hosts_alone(leaf), _unknown(inside, kind))
        return
    if detail["type"] == "missing":
        yield Problem(str(path), toml_path(where), "", f"is missing; must be {_rule(kind, where)}")
        return
    rule = detail["msg"] if detail["type"] == "rule" else f"must be {_rule(kind, where)}"
    if detail["type"].endswith("_type"):
        rule += f"; this is {_TOML_WORDS.get(type(value), 'a date or time')}"
    yield problem(path, toml_path(where), value, rule)


def _count(detail: ErrorDetails) -> int:
    return sum(1 for _ in _leaves((), detail["input"])) if detail["type"] == "extra_forbidden" else 1


def _leaves(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path, value


def _unknown(path: KeyPath, kind: type[Table]) -> str:
    """Explain why this key is not allowed in this kind of file, which one was perhaps meant, and which are allowed."""
    if element := _array(kind, path):
        meant = did_you_mean(path[-1], [*element.model_fields])
        return f"is no key of this table{meant}; allowed here: {', '.join(element.model_fields)}"
    allowed = allowed_keys(kind)
    depth = next(depth for depth in range(len(path) - 1, -1, -1) if not depth or _holds(allowed, path[:depth]))
    siblings = [each for each in allowed if not depth or each.startswith(f"{toml_path(path[:depth])}.")]
    listed = f"allowed here: {', '.join(siblings)}"
    elsewhere = allowed_keys(_other(kind))
    if kind in _FILES and any(toml_path(path[:end]) in elsewhere for end in range(1, len(path) + 1)):
        place = "may differ between environments, and belongs in their own files"
        if kind is EnvironmentFile:
            place = "is the same in every environment, and belongs in common.toml"
        return f"{place}; {listed}"
    last = {each.rpartition(".")[2]: f"{each}{place}" for each, place in _all_keys(kind).items()}
    # A key beside it is likelier than one that is spelt the same elsewhere.
    beside = {each.rpartition(".")[2]: each for each in siblings if depth or "." not in each}
    meant = did_you_mean(path[-1], beside) or did_you_mean(path[-1], last)
    return f"is no key of this file{meant or _table_suggestion(path, kind)}; {listed}"


def _table_suggestion(path: KeyPath, kind: type[Table]) -> str:
    """``; did you mean database?``: a table at the same level with a similar name."""
    above = "".join(f"{part}." for part in path[:-1])
    beside = (
        (*each.removeprefix(above).partition("."), place)
        for each, place in _all_keys(kind).items()
        if each.startswith(above)
    )
    tables = {name: f"{above}{name}{place}" for name, dot, _, place in beside if dot}
    return "" if path[-1] in tables else did_you_mean(path[-1], tables)


def _all_keys(kind: type[Table]) -> dict[str, str]:
    """Every key of both kinds of file with the place where it belongs, empty for this kind, whose keys come last."""
    own, other = allowed_keys(kind), _other(kind)
    return {each: f", in {_FILES[other]}" for each in allowed_keys(other) if each not in own} | dict.fromkeys(own, "")


def _other(kind: type[Table]) -> type[Table]:
    """The file that a key of this one may belong to instead; itself where there is none."""
    if kind not in _FILES:
        return kind
    return EnvironmentFile if kind is CommonFile else CommonFile


def _holds(allowed: Mapping[str, str], table: KeyPath) -> bool:
    return any(each.startswith(f"{toml_path(table)}.") for each in allowed)
