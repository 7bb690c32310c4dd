"""What an apply would do: a pure function of what is wanted, recorded and seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tapctl.engine import refs
from tapctl.engine.diff import compare, details, is_downgrade, same
from tapctl.engine.model import MANAGED_BY, REBOOT, Impact, Observed, Owner, Reconciler, Spec
from tapctl.engine.observe import Absent, Observation, Observations, Unreadable, is_ours, owner_is_unreadable
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange, Plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import AnyResource, Stack
from tapctl.errors import FieldUnreadable, Refused


def make_plan(
    stack: Stack,
    entries: Mapping[str, Entry],
    seen: Observations,
    owner: Owner,
    reconcilers: Mapping[str, Reconciler[Any, Any]],
    *,
    allowed: Collection[str] = (),
    adopted: Collection[str] = (),
    reboot: bool = False,
) -> Plan:
    """Compare what is wanted with what is seen.

    ``allowed``: addresses that hold data and may be removed. ``adopted``: addresses of what is somebody else's and is
    taken over, with the facets on it. ``reboot``: what waits for a reboot gets it.
    """
    known: dict[str, dict[str, str]] = {}
    changes: list[Change] = []
    deferring: set[str] = set()
    confirmed: list[Entry] = []
    for one in stack:
        want = refs.resolve(one.spec, known)
        sight = seen[one.address]
        adopts = one.address in adopted or (one.reconciler.subresource and one.id in _ids(adopted))
        change = _plan_change(one, want, sight, entries.get(one.address), owner, adopts=adopts)
        if reboot:
            change = _plan_reboot(
                change, deferred=one.reconciler.applies_deferred and not deferring.isdisjoint(one.needs)
            )
        if any(each.until == REBOOT for each in change.fields):
            deferring.add(one.address)
        unexpected = tuple(
            sorted(there for there in _foreign_members(sight) if there not in stack and there not in entries)
        )
        change = replace(change, foreign_members=unexpected)
        changes.append(change)
        if (
            isinstance(sight, Observed)
            and sight.outputs is not None
            and change.action < Action.CREATE
            and not sight.deleting
        ):
            known[one.address] = sight.outputs.model_dump()
        if change.action is Action.NOTHING and change.blocked is None and isinstance(sight, Observed):
            before = entries.get(one.address)
            made = record_of(one, want, Phase.MADE, known[one.address], unread=change.unreadable, before=before)
            if before != made:
                confirmed.append(made)
    forgotten: list[str] = []
    for here, entry in entries.items():
        if here in stack or entry.phase is Phase.KEPT:
            continue
        removal = _plan_removal(entry, seen[here], owner, reconcilers[entry.type], allowed=here in allowed)
        if removal is None:
            forgotten.append(here)
        else:
            changes.append(removal)
    return Plan(tuple(changes), known, tuple(confirmed), tuple(forgotten))


def record_of(
    one: AnyResource,
    want: Spec,
    phase: Phase,
    outputs: Mapping[str, str] | None,
    *,
    unread: Iterable[str] = (),
    before: Entry | None = None,
) -> Entry:
    """The record of one resource. A field that could not be read is recorded as before, or not at all."""
    spec = refs.to_json(want)
    # What an interrupted run meant to make is no record of how it is.
    recorded = before.spec if before and before.phase is not Phase.MAKING else {}
    for name in unread:
        spec.pop(name)
        if name in recorded:
            spec[name] = recorded[name]
    return Entry(
        type=one.type,
        id=one.id,
        needs=tuple(sorted(one.needs)),
        phase=phase,
        spec=spec,
        outputs=None if outputs is None else dict(outputs),
    )


def foreign_error(here: str, seen: Observed[Any, Any]) -> Refused:
    """The refusal of a thing that bears our name and is somebody else's, or may be."""
    if owner_is_unreadable(seen):
        return Refused(
            f"{here} exists, and whose it is could not be read; it was left untouched",
            evidence=f"denied: {seen.unreadable['tags']}",
            hint=f"allow {seen.unreadable['tags']}, then run the same command again",
        )
    if _other_region_error(seen):
        return Refused(
            f"{here} exists and is of the same suffix in another region; it was left untouched",
            evidence=f"its tags say: {_tags_summary(seen)}",
            hint="use another --suffix here",
        )
    return Refused(
        f"{here} exists and is not ours; it was left untouched",
        evidence=f"its tags say: {_tags_summary(seen)}",
        hint=f"use another --suffix, rename that resource, or take it over: apply with --adopt {here}",
    )


def _other_region_error(seen: Observed[Any, Any]) -> bool:
    """Whether a stack of tapctl stands on it that is not this one: it is not to be had for any word."""
    return seen.owner is not None and seen.owner.managed_by.startswith(f"{MANAGED_BY}, for ")


def _tags_summary(seen: Observed[Any, Any]) -> str:
    if seen.owner is None:
        return "no owner tags"
    return f"ManagedBy={seen.owner.managed_by or '-'}, EnvironmentSuffix={seen.owner.suffix or '-'}"


def _unreadable_error(here: str, sight: Unreadable) -> Refused:
    return Refused(
        f"{here} could not be read, and is never taken for absent",
        evidence=str(sight.error),
        hint=f"allow {sight.action}, then run the same command again",
    )


def _foreign_members(sight: Observation) -> frozenset[str]:
    return sight.members if isinstance(sight, Observed) else frozenset()


def _ids(addresses: Collection[str]) -> frozenset[str]:
    return frozenset(here.partition("/")[2] for here in addresses)


def _plan_reboot(change: Change, *, deferred: bool) -> Change:
    """The change, with a reboot where something waits for one, or will: ``deferred``, by what is changed before it."""
    waiting = [name for name, one in change.pending.items() if one.until == REBOOT]
    if change.blocked or change.action > Action.UPDATE or not (waiting or deferred):
        return change
    fields = (
        FieldChange(name, f"pending: {change.pending[name].detail}", "in force", Impact.RESTART) for name in waiting
    )
    return replace(
        change,
        action=Action.UPDATE,
        fields=(*change.fields, *fields),
        impact=max(change.impact, Impact.RESTART),
        pending={name: one for name, one in change.pending.items() if name not in waiting},
        reboots=True,
        note=change.note or "it is rebooted",
    )


def _plan_change(
    one: AnyResource, want: Spec, sight: Observation, entry: Entry | None, owner: Owner, *, adopts: bool
) -> Change:
    base = Change(one.address, one.type, one.id, Action.NOTHING)
    if isinstance(sight, Unreadable):
        return replace(base, unreadable={"*": sight.action}, blocked=_unreadable_error(one.address, sight))
    if isinstance(sight, Absent):
        removed = entry is not None and entry.phase is Phase.MADE
        return replace(base, action=Action.CREATE, fields=_wanted_values(want), removed_outside=removed)
    recorded = entry.outputs if entry else None
    if not is_ours(sight, owner, recorded=recorded, created_by_aws=one.reconciler.created_by_aws):
        if not adopts or owner_is_unreadable(sight) or _other_region_error(sight):
            return replace(base, blocked=foreign_error(one.address, sight))
        base = replace(base, adopts=True, note=f"taken over; its tags say: {_tags_summary(sight)}")
    if sight.deleting:
        note = f"it is {sight.status}" + ("; it is brought back" if sight.retained else "; its end is awaited")
        return replace(base, action=Action.CREATE, fields=_wanted_values(want), note=note)
    fields = _field_changes(one.reconciler, want, sight, entry)
    impact = max((each.impact for each in fields), default=Impact.NONE)
    base = replace(base, fields=fields, impact=impact, pending=sight.pending, unreadable=sight.unreadable)
    recorded = entry.spec if entry else {}
    stale = [
        name for name in sight.unreadable if name in recorded and recorded[name] != refs.to_json(getattr(want, name))
    ]
    if stale:
        actions = ", ".join(sorted({sight.unreadable[name] for name in stale}))
        blocked = FieldUnreadable(
            f"{one.address}: {', '.join(stale)} would have to change and could not be read",
            evidence=f"denied: {actions}",
            hint=f"allow {actions}, then run the same command again",
        )
        return replace(base, blocked=blocked)
    if sight.failure is not None:
        return _plan_failed(base, one, sight)
    if impact is Impact.REPLACE:
        return _plan_replacement(base, one)
    if fields:
        return replace(base, action=Action.UPDATE)
    settled = sight.settled and sight.outputs is not None
    return base if settled else replace(base, action=Action.SETTLE, note=f"it is {sight.status}")


def _wanted_values(want: Spec) -> tuple[FieldChange, ...]:
    shown = refs.substitute(want, lambda text: AFTER_APPLY if refs.needs(text) else text)
    return tuple(FieldChange(name, None, getattr(shown, name)) for name in type(want).model_fields)


def _field_changes(
    reconciler: Reconciler[Any, Any], want: Spec, sight: Observed[Any, Any], entry: Entry | None
) -> tuple[FieldChange, ...]:
    changes: list[FieldChange] = []
    # Only a finished run has left it as it is recorded.
    left = entry.spec if entry and entry.phase is Phase.MADE else {}
    for name in compare(want, sight.spec, unread=sight.unreadable):
        have, wanted = getattr(sight.spec, name), getattr(want, name)
        impact = (
            Impact.REPLACE
            if is_downgrade(type(want), name, wanted, have)
            else reconciler.impacts.get(name, Impact.NONE)
        )
        if refs.needs(wanted):
            # Its value is known only after something else was made: it may change, in place.
            touched = name in left and refs.to_json(have) != left[name]
            cost = impact if impact < Impact.REPLACE else Impact.NONE
            changes.append(FieldChange(name, have, AFTER_APPLY, cost, touched))
            continue
        outside = name in left and same(type(want), name, refs.to_json(wanted), left[name])
        changes += [
            FieldChange(each.path, each.have, each.want, impact, outside, sight.deferred_until.get(each.path, ""))
            for each in details(name, have, wanted)
        ]
    return tuple(changes)


def _plan_failed(base: Change, one: AnyResource, sight: Observed[Any, Any]) -> Change:
    if one.reconciler.holds_data:
        blocked = Refused(
            f"{one.address} has failed and holds data: tapctl neither changes nor replaces it",
            evidence=f"AWS says: {sight.failure}",
            hint="bring it back to available as AWS's documentation of that state says, then run this again",
        )
        return replace(base, blocked=blocked)
    if one.reconciler.replaceable and not base.adopts:
        return replace(base, action=Action.REPLACE, impact=Impact.REPLACE, note=f"AWS gave it up: {sight.failure}")
    return replace(base, action=Action.UPDATE, note=f"AWS gave it up: {sight.failure}")


def _plan_replacement(base: Change, one: AnyResource) -> Change:
    if one.reconciler.replaceable and not one.reconciler.holds_data and not base.adopts:
        return replace(base, action=Action.REPLACE)
    which = ", ".join(sorted({each.path for each in base.fields if each.impact is Impact.REPLACE}))
    why = "it is somebody else's" if base.adopts else "what uses it holds it"
    why = "it holds data" if one.reconciler.holds_data else why
    blocked = Refused(
        f"{one.address}: {which} cannot be changed in place, and it is never replaced because {why}",
        hint="put the old value back into the configuration, or use another --suffix for a new stack",
    )
    return replace(base, blocked=blocked)


def _plan_removal(
    entry: Entry, sight: Observation, owner: Owner, reconciler: Reconciler[Any, Any], *, allowed: bool
) -> Change | None:
    impact = Impact.DATA_LOSS if reconciler.holds_data else Impact.NONE
    base = Change(entry.address, entry.type, entry.id, Action.DELETE, impact=impact)
    if isinstance(sight, Absent):
        return None
    if isinstance(sight, Unreadable):
        return replace(base, unreadable={"*": sight.action}, blocked=_unreadable_error(entry.address, sight))
    if not is_ours(sight, owner, recorded=entry.outputs, created_by_aws=reconciler.created_by_aws):
        return replace(base, blocked=foreign_error(entry.address, sight))
    if sight.deleting:
        return base
    base = replace(base, impact=max(base.impact, sight.removal_impact))
    if reconciler.holds_data and not allowed:
        blocked = Refused(
            f"{entry.address} is no longer wanted, and it holds data",
            hint=f"if its data may go: --allow {entry.address}; otherwise put it back into the configuration",
        )
        return replace(base, blocked=blocked)
    why = reconciler.deletion_blocker(sight)
    return replace(base, blocked=Refused(f"{entry.address} must not be removed: {why}") if why else None)
