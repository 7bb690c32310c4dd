"""A drift report as people read it: what is not as recorded, where to edit, and what undoes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Report
from tapctl.render.clean import one_line, sanitize
from tapctl.render.paint import PLAIN, Palette
from tapctl.render.rows import VALUE_WIDTH
from tapctl.render.screen import Advice
from tapctl.render.tables import pad, widest
from tapctl.render.values import LIMIT, format_pair, format_value, truncate

_SYMBOLS: Final = {FindingState.PENDING: "…", FindingState.UNKNOWN: "?"}
_STYLES: Final = {FindingState.PENDING: "open", FindingState.UNKNOWN: "open"}
_NOTE_IS_VALUE: Final = (FindingState.UNKNOWN, FindingState.MISSING)
"""In these states there are no two values to show: the note says it."""


def drift_lines(
    report: Report, advice: Mapping[tuple[str, str], Advice], *, verbose: bool = False, paint: Palette = PLAIN
) -> list[str]:
    """One line a finding, its advice under it, and how much was compared."""
    found = report.findings
    names = _names(found)
    fields = ["" if one.field == WHOLE_RESOURCE else sanitize(one.field) for one in found]
    values = [_value(one, None if verbose else LIMIT) for one in found]
    widths = widest(names), widest(fields), widest(values, most=VALUE_WIDTH)
    told: list[str] = []
    advised = [advice.get((one.address, one.field)) for one in found]
    for one, texts, now, after in zip(
        found, zip(names, fields, values, strict=True), advised, _next(found), strict=True
    ):
        line = "  ".join(map(pad, texts, widths))
        symbol = paint.symbol(_SYMBOLS.get(one.state, "!"))
        state = paint(_STYLES.get(one.state, "change"), one.state.value)
        told.append(f"  {symbol} {line}  {state}{_remark(one)}".rstrip())
        # Said once under several findings of one resource that it holds for alike.
        following = None if after is None else advice.get((after.address, after.field))
        if now is not None and (after is None or after.address != one.address or following != now):
            told += advice_lines(now, paint)
    told.append(f"  checked {report.fields - report.unchecked} of {_fields(report.fields)} on {_resources(report)}")
    return told


def advice_lines(advice: Advice, paint: Palette = PLAIN) -> list[str]:
    """What to do about a finding: keep the live value, undo it, see to it that it can be read, or is in force."""
    told = [("keep it:", advice.edit), ("undo it:", advice.undo), ("read it:", advice.read), ("do it now:", advice.now)]
    return [f"      {paint('dim', label)} {one_line(text)}" for label, text in told if one_line(text)]


def _names(found: Sequence[Finding]) -> list[str]:
    """Ids, and addresses where two types of thing bear the same id."""
    types = defaultdict(set)
    for one in found:
        types[_id(one)].add(one.type)
    return [sanitize(_id(one) if len(types[_id(one)]) == 1 else one.address) for one in found]


def _id(finding: Finding) -> str:
    return finding.address.removeprefix(f"{finding.type}/")


def _next(found: Sequence[Finding]) -> list[Finding | None]:
    return [after for _, after in pairwise([*found, None])]


def _value(finding: Finding, limit: int | None) -> str:
    if finding.state in _NOTE_IS_VALUE:
        return one_line(finding.note)
    if finding.recorded is not None and finding.live is not None:
        return " → ".join(format_pair(finding.recorded, finding.live, limit=limit))
    if finding.recorded is not None:
        return f"- {truncate(format_value(finding.recorded), limit)}"
    if finding.state is FindingState.PENDING:
        return truncate(one_line(str(finding.live or "")), limit)
    return f"+ {truncate(format_value(finding.live), limit)}"


def _remark(finding: Finding) -> str:
    """What stands after the state: ``until reboot``, ``replaced outside``."""
    return f" {one_line(finding.note)}" if finding.note and finding.state not in _NOTE_IS_VALUE else ""


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _resources(report: Report) -> str:
    return "1 resource" if report.resources == 1 else f"{report.resources} resources"
