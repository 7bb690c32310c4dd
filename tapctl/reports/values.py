"""Values and symbols of a run's records, as all reports show them."""

from __future__ import annotations

from typing import Any, Final

from tapctl.render.values import NONE, REMOVE, format_pair, format_value, truncate
from tapctl.reports.events import FieldChange, Finding, PlannedChange
from tapctl.reports.run import Run

SYMBOLS: Final = {"create": "+", "update": "~", "replace": "-/+", "delete": "-", "settle": "…", "nothing": "…"}
"""Action to its symbol."""
STATES: Final = {"PENDING": "…", "UNKNOWN": "?", "WAIVED": "w"}
"""State of a finding to its symbol; ``!`` for any other."""
LONGEST: Final = 240
"""Characters of a value that a report shows."""
WHOLE: Final = "*"
"""The field of a finding that is about the whole resource."""


def symbol_of(change: PlannedChange) -> str:
    """The symbol of a planned change."""
    if change.blocked:
        return "x"
    return "!" if change.action == "update" and change.outside else SYMBOLS[change.action]


def change_text(field: FieldChange, limit: int = LONGEST) -> str:
    """The change of a field: ``15 → 30``."""
    return _pair(field.have, field.want, none_left=NONE, none_right=REMOVE, limit=limit)


def finding_text(finding: Finding, limit: int = LONGEST) -> str:
    """The recorded and the live value of a finding, or its note where there is none."""
    if finding.recorded is None and finding.live is None:
        return finding.note
    if finding.state == "PENDING" and finding.recorded is None:
        return " ".join(filter(None, (shown(finding.live, limit), finding.note)))
    return _pair(finding.recorded, finding.live, none_left=NONE, none_right=NONE, limit=limit)


def field_name(finding: Finding) -> str:
    """The field of a finding in a word or two."""
    return "the whole resource" if finding.field == WHOLE else finding.field


def place_text(finding: Finding) -> str:
    """The place that decides the field: ``environments/dev.toml:12 processor.memory_mb``; empty if there is none."""
    place = finding.config
    return f"{place.file}:{place.line} {place.key}".rstrip() if place else ""


def shown(value: Any, limit: int = LONGEST) -> str:
    """A value in one line, cut where it is long."""
    return truncate(format_value(value), limit)


def target_line(run: Run) -> str:
    """The target of a run: ``dev · 123456789012 · us-east-2 · sso:dana · config 9f3c1a7e``."""
    first = run.version
    suffix = f"suffix {first.suffix}" if first.suffix not in ("", first.env) else ""
    config = f"config {first.config_hash[:8]}" if first.config_hash else ""
    return " · ".join(filter(None, (first.env, suffix, first.account, first.region, first.identity, config)))


def _pair(left: Any, right: Any, *, none_left: str, none_right: str, limit: int) -> str:
    if left is None:
        return f"{none_left} → {shown(right, limit)}"
    if right is None:
        return f"{shown(left, limit)} → {none_right}"
    return " → ".join(format_pair(left, right, limit=limit))
