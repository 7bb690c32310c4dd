"""Values and symbols of a run's records, as all reports show them."""

from __future__ import annotations

from typing import Any, Final

from tapctl.render.terminal import one_line
from tapctl.render.values import NONE, REMOVE, format_pair, format_value, format_verdict, truncate
from tapctl.reports.events import Difference, FieldChange, Finding, PlannedChange, Who
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
    if field.text:
        return truncate(one_line(field.text), limit)
    return _pair(field.have, field.want, none_left=NONE, none_right=REMOVE, limit=limit)


def finding_text(finding: Finding, limit: int = LONGEST) -> str:
    """The recorded and the live value of a finding, or its note where there is none."""
    if finding.text:
        return " ".join(filter(None, (truncate(one_line(finding.text), limit), _remark(finding))))
    if finding.recorded is None and finding.live is None:
        return finding.note
    if finding.state == "PENDING" and finding.recorded is None:
        return " ".join(filter(None, (shown(finding.live, limit), finding.note)))
    return _pair(finding.recorded, finding.live, none_left=NONE, none_right=NONE, limit=limit)


def _remark(finding: Finding) -> str:
    """The note, where the text does not tell it."""
    return one_line(finding.note) if one_line(finding.note) not in finding.text else ""


def who_text(who: Who, cause: str | None = None) -> str:
    """The author of a change, or why nobody can tell: ``person · sam · 2026-11-28T21:40:04Z · console · …``."""
    event = f"{who.event} ({who.event_id})" if who.event_id else who.event
    run = f"run {who.run}" if who.run else ""
    return " · ".join(filter(None, (cause, who.principal, who.at, who.via, event, run, who.note)))


def verdict_of(difference: Difference) -> str:
    """The verdict on a difference, with those who answer for it."""
    return format_verdict(difference.verdict, [waiver.model_dump() for waiver in difference.waivers])


def commands(finding: Finding) -> list[tuple[str, str, str]]:
    """The choices about a finding: each a label, a few words, and the command; of these two, one may be empty."""
    choices = [
        ("keep it", finding.edit, finding.accept),
        ("undo it", finding.undo_note, finding.undo),
        ("waive it", "", finding.waive),
        ("read it", finding.read_note, finding.read),
        ("do it now", "", finding.now),
    ]
    return [choice for choice in choices if choice[1] or choice[2]]


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
