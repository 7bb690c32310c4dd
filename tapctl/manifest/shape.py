"""Checks what a manifest says before anybody acts on it: names, identities and numbers as AWS and tapctl write them.

A manifest is evidence, and whoever may write its place may have written it: nothing of an odd shape goes any further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tapctl.engine.record import Entry, Phase
from tapctl.engine.refs import needs
from tapctl.safety.json_errors import printable

MAX_ENTRIES: Final = 1_000
MAX_NUMBER: Final = 2**63 - 1
MAX_SERIAL: Final = 99_999_999
"""The highest serial whose name in the history sorts by its number: S3 lists names as text, and pages them so."""
_MAX_DEPTH: Final = 30
_MAX_TEXT: Final = 100_000

_NAME = re.compile("[a-z][a-z0-9-]{0,62}")
_ACCOUNT = re.compile("[0-9]{12}")
_REGION = re.compile("[a-z]{2,4}(-[a-z0-9]{1,12}){1,4}")
_HASH = re.compile("[A-Za-z0-9-]{0,128}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?")
_ID = re.compile(r"[\w/][\w+=,.@:/#-]{0,511}", re.ASCII)
_ADDRESS = re.compile(r"[a-z][a-z0-9-]{0,62}/[\w/][\w+=,.@:/#-]{0,511}", re.ASCII)
_OUTPUT = re.compile("[a-z][a-z0-9_]{0,62}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{0,500}")
_REASON = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{0,100000}")
"""Why a resource is kept: it names what uses that."""

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_ARN = re.compile(r"arn:aws[a-z-]{0,20}:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:([0-9]{12})?:[\w+=,.@:/!*#-]{1,1500}", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9][a-z0-9-]{0,62})*", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[\w.:/-]{1,255}", re.ASCII)
_OUTPUTS = (("arn", _ARN, "an ARN"), ("endpoint", _HOST, "a host"), ("_id", _IDENTIFIER, "an id"))
"""The shape of an output by the end of its name."""


def problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Name each value of a manifest's fields whose shape is not one that tapctl writes, with its place."""
    header = (
        ("environment", _NAME),
        ("suffix", _NAME),
        ("account", _ACCOUNT),
        ("region", _REGION),
        ("config_hash", _HASH),
        ("run", _TEXT),
        ("written_by", _TEXT),
        ("ci", _TEXT),
        ("commit", _HASH),
        ("restoring", _TEXT),
        ("written_at", _TIME),
    )
    for name, pattern in header:
        value = manifest[name]
        if not pattern.fullmatch(value):
            yield f"{name}: {printable(value)} is not the shape of one"
    if manifest["serial"] > MAX_SERIAL:
        yield f"serial: is larger than {MAX_SERIAL:,}"
    yield from (f"networking{problem}" for problem in _odd_values(manifest["networking"]))
    entries: Mapping[str, Entry] = manifest["entries"]
    if len(entries) > MAX_ENTRIES:
        yield f"entries: there are {len(entries)}, of one environment at most {MAX_ENTRIES}"
        return
    for address, entry in entries.items():
        yield from (f"entries.{printable(address)}{problem}" for problem in _entry_problems(entry))


def _entry_problems(entry: Entry) -> Iterator[str]:
    for name, pattern in (("type", _NAME), ("id", _ID), ("kept_until", _TEXT), ("kept_why", _REASON)):
        value = getattr(entry, name)
        if not pattern.fullmatch(value):
            yield f".{name}: {printable(value)} is not the shape of one"
    yield from (f".needs: {printable(need)} is no address" for need in entry.needs if not _ADDRESS.fullmatch(need))
    yield from _output_problems(entry)
    yield from (f".spec{problem}" for problem in _odd_values(entry.spec))
    yield from (f".confirmed{problem}" for problem in _odd_values(entry.confirmed))
    if entry.phase is Phase.MADE and entry.confirmed is not None:
        # Two readers would believe two specs: drift compares with this one, and a revert puts the other one back.
        yield ".confirmed: what is made has no other spec beside its own"
    yield from (f".carried{problem}" for problem in _odd_values(entry.carried))
    if entry.phase is not Phase.MAKING and entry.carried:
        yield ".carried: only what is being made takes anything over"


def _output_problems(entry: Entry) -> Iterator[str]:
    for name, value in (entry.outputs or {}).items():
        pattern, kind = next(
            ((pattern, kind) for end, pattern, kind in _OUTPUTS if name.endswith(end)), (_TEXT, "one line of text")
        )
        if not _OUTPUT.fullmatch(name) or not pattern.fullmatch(value):
            yield f".outputs.{printable(name)}: {printable(value)} is not {kind}"


def _odd_values(value: Any, depth: int = 0) -> Iterator[str]:
    """Name each number, text and nesting beyond all bounds, and each promise of an output: a record has none."""
    if depth > _MAX_DEPTH:
        yield f": is nested more than {_MAX_DEPTH} deep"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (f".{printable(key)}{problem}" for problem in _odd_values(inner, depth + 1))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from (f".{at}{problem}" for problem in _odd_values(inner, depth + 1))
    elif isinstance(value, int | float) and abs(value) > MAX_NUMBER:
        yield ": is a number beyond all bounds"
    elif isinstance(value, str) and len(value) > _MAX_TEXT:
        yield f": is longer than {_MAX_TEXT:,} characters"
    elif isinstance(value, str) and needs(value):
        yield f": {printable(value)} promises an output that was known when it was recorded"
