"""One line about one resource, and the lines under it: what a plan and a drift report are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Report
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action, Change, FieldChange, Plan
from tapctl.errors import TapctlError
from tapctl.render.screen import Advice, Target, Verdict
from tapctl.render.terminal import PLAIN, Palette, duration, one_line, pad, sanitize, sanitize_lines, widest
from tapctl.render.values import LIMIT, REMOVE, format_pair, format_value, truncate

VALUE_WIDTH: Final = 50
"""A value wider than this does not push what stands at its right away in the other lines."""


@dataclass(frozen=True)
class Detail:
    """One field of a resource: its path, its value or change, and a word at the right."""

    path: str
    value: str
    right: str = ""


@dataclass(frozen=True)
class Block:
    """One resource: symbol, type, id, a note at the right; a sentence and fields under it."""

    symbol: str
    type: str
    id: str
    note: str = ""
    sentence: str = ""
    details: tuple[Detail, ...] = ()


def block_lines(blocks: Sequence[Block], paint: Palette) -> list[str]:
    """All blocks, in columns that line up over all of them."""
    symbol = widest(one.symbol for one in blocks)
    type_ = widest(one.type for one in blocks)
    noted = widest(sanitize(one.id) for one in blocks if one.note)
    details = [detail for one in blocks for detail in one.details]
    path = widest(sanitize(one.path) for one in details)
    value = widest((one.value for one in details if one.right), most=VALUE_WIDTH)
    told = []
    for one in blocks:
        gap = " " * (symbol - widest([one.symbol]))
        head = f"  {paint.symbol(one.symbol)}{gap} {pad(one.type, type_)}  {pad(sanitize(one.id), noted)}"
        told.append(f"{head}  {sanitize(one.note)}".rstrip())
        if one.sentence:
            told.append(f"      {one.sentence}")
        for detail in one.details:
            line = f"      {pad(sanitize(detail.path), path)}  {pad(detail.value, value)}"
            told.append(f"{line}  {sanitize(detail.right)}".rstrip())
    return told


_ACCOUNT_DIGITS: Final = 12
_HASH_SHOWN: Final = 8
_TIMED: Final = ("apply", "destroy")
"""Verbs whose duration people are told; programs are told every one's."""
ANSWERS: Final = ("outputs", "graph", "manifest show", "schema")
"""Verbs whose answer stands alone, for ``$(…)`` and files: people get a verdict only where there is no answer."""
_VERDICT_STYLES: Final = {0: "good", 2: "change"}


def header_lines(header: Target, paint: Palette = PLAIN) -> list[str]:
    """The target: ``prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c1a7e``, and its networking."""
    parts = [
        header.env,
        f"suffix {header.suffix}" if header.suffix not in ("", header.env) else "",
        account(header.account),
        header.region,
        header.identity,
        f"config {header.config_hash[:_HASH_SHOWN]}" if header.config_hash else "",
    ]
    first, *others = [one_line(part) for part in parts if part] or [""]
    target = " · ".join([paint("bold", first), *others])
    return [target] * bool(target) + [f"networking {one_line(header.networking)}"] * bool(header.networking)


def account(number: str) -> str:
    """An account's number in groups of four, which can be compared at a glance."""
    if len(number) != _ACCOUNT_DIGITS:
        return number
    return "-".join(number[at : at + 4] for at in range(0, _ACCOUNT_DIGITS, 4))


def verdict_line(verdict: Verdict, paint: Palette = PLAIN) -> str:
    """The last line: ``APPLY prod: CONVERGED in 11 m 02 s · 23 created``; without a status the counts alone."""
    verb = verdict.verb.partition(" ")[0].upper()
    who = f"{verb} {one_line(verdict.suffix or verdict.env)}".rstrip()
    status = paint(_VERDICT_STYLES.get(verdict.exit, "bad"), verdict.status)
    if status and verdict.verb in _TIMED:
        status += f" in {duration(verdict.elapsed_s)}"
    counted = " · ".join(f"{count} {word.replace('_', ' ')}" for word, count in verdict.counts.items())
    rest = " · ".join(part for part in (status, one_line(verdict.summary) or counted) if part)
    return f"{paint('bold', f'{who}:')} {rest}".rstrip()


OUTSIDE: Final = "changed outside tapctl; apply will undo it"
REMOVED: Final = "removed outside tapctl; apply will make it again"
NOT_OURS: Final = "not ours; it is never removed"
_ACTION_SYMBOLS: Final = {
    Action.SETTLE: "…",
    Action.UPDATE: "~",
    Action.CREATE: "+",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
}


def plan_lines(plan: Plan, *, verbose: bool = False, removing: bool = False, paint: Palette = PLAIN) -> list[str]:
    """What would be done; of what needs nothing only what should be known. ``verbose``: values whole, creates too."""
    blocks = [_block(one, verbose=verbose) for one in plan.changes if is_told(one)]
    if not blocks:
        return ["  nothing to remove" if removing else "  nothing to do"]
    return block_lines(blocks, paint)


def is_told(change: Change) -> bool:
    """Whether there is anything to say about it: the others are only counted."""
    return bool(
        change.action is not Action.NOTHING
        or change.blocked
        or change.pending
        or change.unreadable
        or change.foreign_members
    )


def _block(change: Change, *, verbose: bool) -> Block:
    outside = REMOVED if change.removed_outside else OUTSIDE if change.outside else ""
    told = change.impact is Impact.DATA_LOSS or (change.action is Action.DELETE and change.impact > Impact.NONE)
    loss = change.impact.word if told else ""
    notes = [outside if not change.blocked else "", loss, change.note]
    blocked = change.blocked
    return Block(
        symbol=_symbol(change),
        type=change.type,
        id=change.id,
        note="; ".join(one for one in notes if one),
        sentence=one_line(blocked.cause) if blocked else "",
        details=tuple(_details(change, limit=None if verbose else LIMIT)),
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
    return "!" if change.foreign_members else "…"


def _details(change: Change, *, limit: int | None) -> list[Detail]:
    told: list[Detail] = []
    if change.action is not Action.CREATE:
        told += [_changed(one, limit) for one in change.fields]
    elif limit is None:
        told += [Detail(one.path, format_value(one.want)) for one in change.fields]
    if not change.blocked:
        told += [
            Detail(path, f"{one_line(action)} denied", "unread") for path, action in sorted(change.unreadable.items())
        ]
    for path, pending in sorted(change.pending.items()):
        told.append(Detail(path, truncate(one_line(pending.detail), limit), f"pending until {pending.until}"))
    told += [Detail("members", truncate(format_value(there), limit), NOT_OURS) for there in change.foreign_members]
    return told


def _changed(change: FieldChange, limit: int | None) -> Detail:
    have, want = format_pair(change.have, change.want, limit=limit)
    wanted = REMOVE if change.want is None else want
    return Detail(change.path, f"{have} → {wanted}", change.cost)


_FINDING_SYMBOLS: Final = {FindingState.PENDING: "…", FindingState.UNKNOWN: "?"}
_FINDING_STYLES: Final = {FindingState.PENDING: "open", FindingState.UNKNOWN: "open"}
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
        symbol = paint.symbol(_FINDING_SYMBOLS.get(one.state, "!"))
        state = paint(_FINDING_STYLES.get(one.state, "change"), one.state.value)
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


_CROSS: Final = "\N{MULTIPLICATION SIGN}"


def error_lines(error: TapctlError, state: str = "", paint: Palette = PLAIN) -> list[str]:
    """The error, one thing a line; evidence of several lines is a tree."""
    told = [f"{paint('bad', 'error')} {error.code}", f"  {paint('bad', _CROSS)} {one_line(error.cause)}"]
    told += evidence_lines(error.evidence)
    if state:
        told.append(f"  {paint('dim', 'state')}  {one_line(state)}")
    if error.hint:
        told.append(f"  {paint('dim', 'hint')}   {one_line(error.hint)}")
    return told


def evidence_lines(evidence: str | None) -> list[str]:
    """Each line of the evidence as a branch."""
    shown = [line for line in sanitize_lines(evidence or "") if line]
    return [f"  {'╰─' if at == len(shown) else '├─'} {line}" for at, line in enumerate(shown, 1)]
