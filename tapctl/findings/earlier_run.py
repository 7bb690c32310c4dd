"""The findings of a recorded run: a later one shows what is new since."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tapctl.engine import refs
from tapctl.engine.drift import Finding, Report
from tapctl.errors import RunInvalid
from tapctl.render.harmless import harmless_finding
from tapctl.render.screen import Screen
from tapctl.safety.files import ForeignFile, read_handed_file
from tapctl.safety.hidden_values import HIDDEN_TEXT
from tapctl.safety.redaction import HIDDEN

_MAX_BYTES: Final = 64 * 1024 * 1024
_HINT: Final = "record one: the same drift with --json, its output in a file"

_NOT_SHOWN: Final = re.compile(f'"({HIDDEN_TEXT}|{re.escape(HIDDEN)})"')
"""A value of JSON that stands for another one."""

Known = frozenset[tuple[str, ...]]
"""The parts that tell findings apart: suffix, address, field, state, and the value as JSON, as `_values` gives it."""


def known_findings(run: str, screen: Screen) -> Known:
    """The findings of a recorded drift. One that was cut off counts as far as it goes, which is said.

    Raises:
        RunInvalid: the file cannot be read, may be somebody else's, or holds no recorded drift.
    """
    try:
        lines = read_handed_file(Path(run), _MAX_BYTES).decode(errors="replace").splitlines()
    except OSError as error:
        hint = error.cure if isinstance(error, ForeignFile) else _HINT
        raise RunInvalid(run, f"cannot be read: {error.strerror}", hint=hint) from None
    records = [_record(line) for line in lines]
    first = records[0] if records else None
    if first is None or first.get("type") != "version" or first.get("verb") != "drift":
        raise RunInvalid(run, "holds no recorded drift", line=1, hint=_HINT)
    whole = [one for one in records if one is not None]
    if len(whole) < len(records) or whole[-1].get("type") != "verdict":
        screen.warn(f"{run} was cut off: what it had found until then is known")
    return frozenset(_of_record(one) for one in whole if one.get("type") == "finding")


def only_new(report: Report, suffix: str, known: Known) -> Report:
    """The report without the findings that are known; what is hidden may be another value by now, and never is."""
    named = [(one, _of_finding(suffix, one)) for one in report.findings]
    return replace(report, findings=tuple(one for one, parts in named if parts not in known or _is_hidden(parts)))


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(_NOT_SHOWN.search(part) for part in parts)


def _record(line: str) -> Mapping[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _of_record(record: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("suffix", "address", "field", "state")
    return (*(str(record.get(name, "")) for name in names), *_values(record.get("recorded"), record.get("live")))


def _of_finding(suffix: str, finding: Finding) -> tuple[str, ...]:
    shown = harmless_finding(finding)
    values = _values(refs.to_json(shown.recorded), refs.to_json(shown.live))
    return suffix, finding.address, finding.field, finding.state.value, *values


def _values(recorded: Any, live: Any) -> tuple[str, str]:
    """The live value; where there is none, since something was taken away, what that is."""
    return _text(None if live is not None else recorded), _text(live)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
