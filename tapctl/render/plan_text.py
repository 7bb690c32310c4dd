"""A plan as people read it: what would be done with what, field by field, and at what cost."""

from __future__ import annotations

from typing import Final

from tapctl.engine.change import Action, Change, FieldChange, Plan
from tapctl.engine.model import Impact
from tapctl.render.clean import one_line
from tapctl.render.paint import PLAIN, Palette
from tapctl.render.rows import Block, Detail, block_lines
from tapctl.render.values import LIMIT, REMOVE, format_pair, format_value, truncate

OUTSIDE: Final = "changed outside tapctl; apply will undo it"
REMOVED: Final = "removed outside tapctl; apply will make it again"
NOT_OURS: Final = "not ours; it is never removed"
_SYMBOLS: Final = {
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
        return _SYMBOLS[change.action]
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
