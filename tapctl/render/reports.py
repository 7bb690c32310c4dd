"""The reports for people, as lines: plan and drift."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason, Report, Who
from tapctl.engine.estimate import Estimate
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action, Change, FieldChange, LeftField, Plan
from tapctl.render.harmless import harmless_change, harmless_finding
from tapctl.render.screen import Advice, Check, Wanted
from tapctl.render.terminal import PLAIN, Palette, cells, duration, one_line, pad, sanitize, widest, wrap
from tapctl.render.values import (
    LIMIT,
    NONE,
    REMOVE,
    counted,
    format_change,
    format_item,
    format_value,
    matched,
    truncate,
)

_BELOW: Final = 8
"""The indentation of what did not fit into its line."""
VALUE_WIDTH: Final = 50
"""Cells of a value beyond which the words at the right of other lines are not pushed away."""


# -- plan --------------------------------------------------------------------------------------------------------------


OUTSIDE: Final = "changed outside tapctl; {by} will undo it"
REMOVED: Final = "removed outside tapctl; apply will make it again"
REPLACED: Final = "replaced outside tapctl ({names}); apply takes what is there"
NOT_OURS: Final = "not ours; it is never removed"
LEFT: Final = "nobody asked for it; left as it is: drift names the command that ends it"
WAIVED: Final = "waived; left as it is"
SPARED: Final = "it stays, unless --allow names its resource"
_ACTION_SYMBOLS: Final = {
    Action.SETTLE: "…",
    Action.UPDATE: "~",
    Action.CREATE: "+",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
}


def plan_lines(
    plan: Plan,
    *,
    verbose: bool = False,
    removing: bool = False,
    by: str = "apply",
    paint: Palette = PLAIN,
    width: int | None = None,
) -> list[str]:
    """The changes of a plan that are to be seen. ``verbose``: values whole, and the fields of creates too.

    ``by``: the command that makes them.
    """
    shown = map(harmless_change, filter(is_shown, plan.changes))
    blocks = [_block(change, plan.names, by, verbose=verbose) for change in shown]
    if not blocks:
        return ["  nothing to remove" if removing else "  nothing to do"]
    return block_lines(blocks, paint, width)


def estimate_lines(estimate: Estimate, *, width: int | None = None) -> list[str]:
    """The usual time, its range, and the resources that decide it: ``usually 11 m 30 s (8 m 00 s to …): a → b``."""
    low, usual, high = (duration(each) for each in (estimate.low_s, estimate.usual_s, estimate.high_s))
    path = " → ".join(one_line(address) for address in estimate.critical_path)
    text = f"usually {usual} ({low} to {high}): {path}"
    return _fitted(text, "", f"usually {usual} ({low} to {high}):", (path,), width)


def preflight_lines(checks: Sequence[Check]) -> list[str]:
    """The checks before the first change: those that are in order in one line, each other one in its own."""
    passed = ", ".join(dict.fromkeys(check.check for check in checks if check.ok))
    others = [f"  {'?' if check.ok is None else 'x'} {check.check}: {check.detail}" for check in checks if not check.ok]
    return [*([f"  checked: {passed}"] if passed else []), *others]


def is_shown(change: Change) -> bool:
    """True if there is anything to say about this change; the others are only counted."""
    return bool(
        change.action is not Action.NOTHING
        or change.blocked
        or change.pending
        or change.unreadable
        or change.foreign_members
        or change.left
        or change.note
        or change.replaced
    )


@dataclass(frozen=True)
class Detail:
    """A field of a resource: its path, its value or change, and a word at the right."""

    path: str
    value: str
    right: str = ""


@dataclass(frozen=True)
class Block:
    """A resource: symbol, type, id, a note at the right; a sentence and fields under it."""

    symbol: str
    type: str
    id: str
    note: str = ""
    cost: str = ""
    """The cost of the change; stands in front of the note, and is never broken off."""
    sentence: str = ""
    details: tuple[Detail, ...] = ()


def block_lines(blocks: Sequence[Block], paint: Palette, width: int | None = None) -> list[str]:
    """The lines of all blocks, in columns that line up over all of them.

    A line that is wider than ``width`` is broken up: the type and what a change costs stay in its first part.
    """
    symbol_width = widest(block.symbol for block in blocks)
    type_width = widest(sanitize(block.type) for block in blocks)
    id_width = widest(sanitize(block.id) for block in blocks if block.note)
    details = [detail for block in blocks for detail in block.details]
    path_width = widest(sanitize(detail.path) for detail in details)
    value_width = widest((detail.value for detail in details if detail.right), limit=VALUE_WIDTH)
    lines = []
    for block in blocks:
        start = f"  {block.symbol}{' ' * (symbol_width - widest([block.symbol]))} "
        type_, id_, note = sanitize(block.type), sanitize(block.id), sanitize(block.note)
        noted = "; ".join(filter(None, (block.cost, note)))
        cost = f"{block.cost};" if block.cost and note else block.cost
        whole = f"{start}{pad(type_, type_width)}  {pad(id_, id_width)}  {noted}".rstrip()
        below: tuple[str, ...] = (note,)
        first = f"{type_}  {id_}  {cost}".rstrip()
        if width is not None and block.cost and cells(start + first) > width:
            first, below = f"{type_}  {cost}", (id_, note)
        head, *more = _fitted(whole, start, first, below, width)
        lines += [head.replace(block.symbol, paint.symbol(block.symbol), 1), *more]
        if sentence := one_line(block.sentence):
            lines += _fitted(f"      {sentence}", "      ", sentence, (), width)
        for detail in block.details:
            path, right = sanitize(detail.path), sanitize(detail.right)
            whole = f"      {pad(path, path_width)}  {pad(detail.value, value_width)}  {right}".rstrip()
            lines += _fitted(whole, "      ", f"{path}  {right}", (detail.value,), width)
    return lines


def _fitted(whole: str, start: str, head: str, below: Sequence[str], width: int | None) -> list[str]:
    """The whole line where it fits, else its head after the start, and each other part below, broken up as need be.

    Without the spaces that line it up with others, a line may fit still.
    """
    if width is None or cells(whole) <= width:
        return [whole]
    squeezed = start + re.sub(" {3,}", "  ", whole[len(start) :])
    if cells(squeezed) <= width:
        return [squeezed]
    first, *more = wrap(head.rstrip(), width - cells(start))
    rest = [*more, *(line for text in below if text for line in wrap(text, width - _BELOW))]
    return [start + first, *(" " * _BELOW + line for line in rest)]


def _block(change: Change, names: Mapping[str, str], by: str, *, verbose: bool) -> Block:
    outside = REMOVED if change.removed_outside else OUTSIDE.format(by=by) if change.outside else ""
    if change.replaced:
        outside = REPLACED.format(names=", ".join(change.replaced))
    costs = change.impact > Impact.NONE and change.action in (Action.UPDATE, Action.DELETE)
    notes = [outside if not change.blocked else "", change.note]
    blocked = change.blocked
    return Block(
        cost=change.impact.word if costs else "",
        symbol=_symbol(change),
        type=change.type,
        id=change.id,
        note="; ".join(filter(None, notes)),
        sentence=blocked.cause if blocked else "",
        details=tuple(_details(change, names, limit=None if verbose else LIMIT)),
    )


def _symbol(change: Change) -> str:
    if change.blocked:
        return "x"
    if change.action is Action.UPDATE and change.outside:
        return "!"
    if change.action is not Action.NOTHING:
        return _ACTION_SYMBOLS[change.action]
    if change.unreadable:
        return "?"
    return "!" if change.foreign_members or change.left or change.replaced else "…"


def _details(change: Change, names: Mapping[str, str], *, limit: int | None) -> list[Detail]:
    details: list[Detail] = []
    if change.action is not Action.CREATE:
        fields = matched(change.fields, lambda field: (field.path, field.have, field.want), _joined_fields)
        details += [_field_detail(field, names, limit) for field in fields]
    elif limit is None:
        details += [Detail(field.path, format_value(field.want)) for field in change.fields]
    if not change.blocked:
        details += [
            Detail(path, f"{one_line(action)} denied", "unread") for path, action in sorted(change.unreadable.items())
        ]
    for path, pending in sorted(change.pending.items()):
        details.append(Detail(path, truncate(one_line(pending.detail), limit), f"pending until {pending.until}"))
    details += [Detail("members", truncate(format_value(id_), limit), NOT_OURS) for id_ in change.foreign_members]
    details += [Detail(part.path, truncate(_left_text(part), limit), _why_left(part)) for part in change.left]
    return details


def _left_text(part: LeftField) -> str:
    return format_value(part.have) if part.lacks is None else f"- {format_value(part.lacks)}"


def _why_left(part: LeftField) -> str:
    if part.waived:
        return WAIVED if part.newly is None else f"{WAIVED}; the files want {format_value(part.newly)} by now"
    return SPARED if part.allow_ends else LEFT


def _joined_fields(one: FieldChange, other: FieldChange) -> FieldChange:
    """A removed and an added item of one name as a change of it."""
    return replace(one, have=one.have or other.have, want=one.want or other.want, impact=max(one.impact, other.impact))


def _field_detail(field: FieldChange, names: Mapping[str, str], limit: int | None) -> Detail:
    return Detail(field.path, field_text(field, names, limit), field.cost)


def field_text(field: FieldChange, names: Mapping[str, str], limit: int | None = LIMIT) -> str:
    """The change of a field: ``15 → 30``."""
    if field.want is None:
        return f"{format_item(field.have, limit)} → {REMOVE}"
    if field.have is None:
        return f"{NONE} → {format_item(field.want, limit)}"
    return format_change(field.have, field.want, limit=limit, names=names)


# -- drift -------------------------------------------------------------------------------------------------------------

_FINDING_SYMBOLS: Final = {FindingState.PENDING: "…", FindingState.UNKNOWN: "?", FindingState.WAIVED: "·"}
_FINDING_STYLES: Final = {
    FindingState.PENDING: "open",
    FindingState.UNKNOWN: "open",
    FindingState.WAIVED: "open",
}
_NOTE_IS_VALUE: Final = (FindingState.UNKNOWN, FindingState.MISSING)
"""States without two values to show: the note stands in their place."""


_WANTED_SHOWN: Final = 10
"""Resources that are named of what an apply would change beside."""


def drift_lines(
    report: Report,
    advice: Mapping[tuple[str, str], Advice],
    *,
    verbose: bool = False,
    paint: Palette = PLAIN,
    width: int | None = None,
) -> list[str]:
    """The lines of a drift: one a finding, its advice under it, and how much was compared.

    A line that is wider than ``width`` is broken up: what it is about and its state stay in its first part.
    """
    findings = matched([*map(harmless_finding, report.findings)], _sides, _joined_findings)
    names = _names(findings, report.shared_ids)
    fields = ["" if finding.field == WHOLE_RESOURCE else sanitize(finding.field) for finding in findings]
    values = [finding_text(finding, report.names, None if verbose else LIMIT) for finding in findings]
    widths = widest(names), widest(fields), widest(values, limit=VALUE_WIDTH)
    lines: list[str] = []
    for finding, after, *texts in zip(findings, [*findings, None][1:], names, fields, values, strict=True):
        columns = "  ".join(map(pad, texts, widths))
        symbol, state = _FINDING_SYMBOLS.get(finding.state, "!"), f"{finding.state.value}{_remark(finding)}"
        start, below = f"  {symbol} ", texts[2:]
        head = "  ".join(filter(None, (texts[0], texts[1], state)))
        if width is not None and cells(start + head) > width:
            head, below = f"{texts[0]}  {state}", texts[1:]
        first, *more = _fitted(f"{start}{columns}  {state}".rstrip(), start, head, below, width)
        first = first.replace(symbol, paint.symbol(symbol), 1)
        style = _FINDING_STYLES.get(finding.state, "change")
        lines += [_paint_last(first, finding.state.value, style, paint), *more]
        lines += _who_lines(finding.who, finding.cause, paint, width)
        # Said once under several findings of one resource that share their advice.
        advised = advice.get((finding.address, finding.field))
        following = after and advice.get((after.address, after.field))
        if advised is not None and (after is None or after.address != finding.address or following != advised):
            lines += advice_lines(advised, paint)
    compared = (
        f"checked {report.compared} of {counted(report.fields, 'field')} on {counted(report.resources, 'resource')}"
    )
    never = _not_compared_lines(report.never_compared, paint, width)
    return [*lines, *_difference_count(findings), f"  {compared}", *never]


def _who_lines(who: Who | None, cause: str, paint: Palette, width: int | None) -> list[str]:
    """The line that tells who made the change, when and how, or why nobody can tell; broken up where it is wider."""
    if who is None:
        return []
    made = f"{who.principal} at {who.at} by {who.via}: {who.event} ({who.event_id})" if who.event else ""
    run = f"run {who.run}: {who.note}" if who.run else who.note
    text = one_line(" · ".join(filter(None, (cause, made, run))))
    first, *more = wrap(text, width - 11) if width else [text]
    return [f"      {paint('dim', 'who:')} {first}", *(f"           {line}" for line in more)]


def _sides(finding: Finding) -> tuple[str, Any, Any]:
    return f"{finding.address} {finding.field} {finding.reason}", finding.recorded, finding.live


def _joined_findings(one: Finding, other: Finding) -> Finding:
    """A missing and an added item of one name as a change of it."""
    return replace(one, recorded=one.recorded or other.recorded, live=one.live or other.live)


def wanted_lines(wanted: Wanted, paint: Palette = PLAIN, width: int | None = None) -> list[str]:
    """The changes that an apply makes, or refuses, beside undoing the findings: a line a resource, with its cost."""
    done = "" if wanted.plan.blocked else ", and an apply does that"
    text = f"the files want more than the record{done}: {wanted.summary}"
    lines = [f"  {line}" for line in (wrap(text, width - 2) if width else [text])]
    for change in wanted.plan.work[:_WANTED_SHOWN]:
        symbol, cost = _symbol(change), change.impact.word
        start, head = f"    {symbol} ", f"{sanitize(change.type)}  {sanitize(change.id)}  {cost}"
        shown = ", ".join(sanitize(field.path) for field in change.fields) if change.action is Action.UPDATE else ""
        first, *more = _fitted(f"{start}{head}  {shown}".rstrip(), start, head, [shown], width)
        lines += [first.replace(symbol, paint.symbol(symbol), 1), *more]
    if (more_ := len(wanted.plan.work) - _WANTED_SHOWN) > 0:
        lines.append(f"    and {more_} more")
    return [*lines, f"    {paint('dim', 'see it:')} {one_line(wanted.command)}"]


def _paint_last(line: str, word: str, style: str, paint: Palette) -> str:
    """The line with the last such word in this style: the same word may stand in a name, before it."""
    before, found, after = line.rpartition(word)
    return f"{before}{paint(style, found)}{after}"


def _not_compared_lines(listed: Sequence[str], paint: Palette, width: int | None) -> list[str]:
    """Lines on facts that AWS tells and nobody compared: one a type; broken up where it is wider."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for each in listed:
        type_, _, what = each.partition(": ")
        by_type[type_].append(what)
    width_of_types = widest(by_type)
    rows: list[str] = []
    for type_, facts in by_type.items():
        start, text = f"    {pad(type_, width_of_types)}  ", "; ".join(facts)
        first, *more = wrap(text, width - cells(start)) if width else [text]
        rows += [f"{start}{first}", *(f"{'':{cells(start)}}{line}" for line in more)]
    return [paint("dim", line) for line in (f"  not compared, on purpose ({len(listed)})", *rows)] if listed else []


def advice_lines(advice: Advice, paint: Palette = PLAIN) -> list[str]:
    """The choices about a finding: keep the live value, undo it, make it readable, or put it in force.

    Each command stands alone on its line, so that it can be copied.
    """
    lines = [f"      {paint('dim', 'keep it:')} {one_line(advice.edit)}"] if one_line(advice.edit) else []
    if one_line(advice.accept):
        lines.append(f"        {one_line(advice.accept)}")
    commands = [
        ("undo it:", advice.undo, advice.undo_note),
        ("waive it:", advice.waive, ""),
        ("read it:", advice.read, advice.read_note),
        ("do it now:", advice.now, ""),
    ]
    for label, command, note in commands:
        if one_line(command) or one_line(note):
            lines.append(f"      {paint('dim', label)} {one_line(note)}".rstrip())
        if one_line(command):
            lines.append(f"        {one_line(command)}")
    return lines


def _names(findings: Sequence[Finding], shared_ids: Collection[str]) -> list[str]:
    """The findings' ids, or addresses where an id tells of two resources: no field says of a whole one which is meant.

    ``shared_ids``: as in `Report`.
    """
    types = defaultdict(set)
    for finding in findings:
        types[_id(finding)].add(finding.type)

    def is_ambiguous(finding: Finding) -> bool:
        told_apart = finding.field != WHOLE_RESOURCE or _id(finding) not in shared_ids
        return len(types[_id(finding)]) > 1 or not told_apart

    return [sanitize(finding.address if is_ambiguous(finding) else _id(finding)) for finding in findings]


def _id(finding: Finding) -> str:
    return finding.address.removeprefix(f"{finding.type}/")


def finding_text(finding: Finding, names: Mapping[str, str], limit: int | None = LIMIT) -> str:
    """The difference of a finding, or its note where there are no two values: ``30 → 60``, ``+ ingress …``."""
    if finding.state in _NOTE_IS_VALUE:
        return one_line(finding.note)
    if finding.recorded is finding.live is finding.asked is None:
        return ""
    if finding.reason is Reason.UNCONFIRMED:
        unconfirmed = finding.recorded is None and finding.live != finding.asked
        have = finding.live if unconfirmed or finding.asked == finding.recorded else finding.recorded
        return format_change(have, finding.asked, limit=limit, names=names)
    if finding.recorded is not None and finding.live is not None:
        return format_change(finding.recorded, finding.live, limit=limit, names=names)
    if finding.recorded is not None:
        return f"- {format_item(finding.recorded, limit)}"
    if finding.reason is Reason.DEFERRED:
        return truncate(one_line(str(finding.live)), limit)
    return f"+ {format_item(finding.live, limit)}"


def _remark(finding: Finding) -> str:
    """The words after the state: ``until reboot``, ``replaced outside``."""
    return f" {one_line(finding.note)}" if finding.note and finding.state not in _NOTE_IS_VALUE else ""


def _difference_count(findings: Sequence[Finding]) -> list[str]:
    """The number of fields that drifted, where the verdict, which counts resources, does not say it."""
    fields = {(finding.address, finding.field) for finding in findings if finding.state is FindingState.DRIFT}
    resources = {address for address, _ in fields}
    if len(fields) == len(resources):
        return []
    return [f"  {counted(len(fields), 'field')} drifted on {counted(len(resources), 'resource')}"]
