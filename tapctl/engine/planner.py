"""The plan of an apply: a pure function of the wanted, the recorded and the observed state."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from tapctl.engine import refs
from tapctl.engine.diff import Difference, carry_over, compare, details, leave, leave_parts, unexplained
from tapctl.engine.impact import impact_of
from tapctl.engine.model import ALLOW, REBOOT, Impact, Observed, Reconciler, Spec
from tapctl.engine.observe import Absent, Observation, Observations, Unreadable, unread_note
from tapctl.engine.ownership import Claimant, other_identity, replaced_error, stand_in_error
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange, LeftField, Plan
from tapctl.engine.record import Entry, Phase, is_deleted_with_parent, recorded_value
from tapctl.engine.resources import AnyResource, Stack
from tapctl.engine.waiver import Spares, spare_nothing
from tapctl.errors import ConsentMissing, FieldUnreadable, Refused


def make_plan(
    stack: Stack,
    entries: Mapping[str, Entry],
    observations: Observations,
    claimant: Claimant,
    reconcilers: Mapping[str, Reconciler[Any, Any]],
    *,
    allowed: Collection[str] = (),
    adopted: Collection[str] = (),
    adopt_overwritten: bool = False,
    reboot: bool = False,
    spares: Spares = spare_nothing,
) -> Plan:
    """Compare the wanted resources with the observed ones, and the recorded ones with the stack.

    A plan never raises: what must not be done stands in `Change.blocked`.

    Args:
        stack: the wanted resources, each after what it needs; their specs may hold tokens.
        entries: the manifest's entries by address.
        observations: one observation for every address of ``stack`` and of ``entries`` (but for KEPT entries).
        claimant: this stack: its owner tags, and the names that it can have.
        reconcilers: type name to reconciler, for every type in ``entries``: what left the stack is removed by it.
        allowed: addresses that may lose data, or be removed although they hold data, or get a new major version, or of
            which nothing is left alone that an apply can end.
        adopted: addresses of resources that are somebody else's and are taken over, with the subresources on them.
        adopt_overwritten: True if all resources are taken back whose owner tags automation has overwritten
            (`Ownership.overwritten`).
        reboot: True if resources get the reboot that their pending values wait for.
        spares: the differences that are left as they are.
    """
    known: dict[str, dict[str, str]] = {}
    changes: list[Change] = []
    deferring: set[str] = set()
    healing: dict[str, frozenset[str]] = {}
    confirmed: list[Entry] = []
    for resource in stack:
        address = resource.address
        # Resolved here with the outputs observed now, and once more by the convergence loop: outputs may have moved.
        want = refs.resolve(resource.spec, known)
        observation, entry = observations[address], entries.get(address)
        reconciler = resource.reconciler
        adopts = address in adopted or (reconciler.subresource and reconciler.parent_id(resource.id) in _ids(adopted))
        permits = _Permits(address in allowed, adopts, adopt_overwritten, spares)
        change = _plan_change(resource, want, observation, entry, claimant, permits=permits, observations=observations)
        if entry is not None and is_deleted_with_parent(entry, entries):
            # It went with what a removal of ours has begun with.
            change = replace(change, removed_outside=False, note="")
        change = _ask_consent(resource.reconciler, change, given=address in allowed)
        if reboot:
            deferred = resource.reconciler.applies_deferred and not deferring.isdisjoint(resource.needs)
            change = _plan_reboot(change, deferred=deferred)
        if any(field.until == REBOOT for field in change.fields):
            deferring.add(address)
        if isinstance(observation, Observed):
            strangers = sorted(
                member for member in observation.members if member not in stack and member not in entries
            )
            change = replace(change, foreign_members=tuple(strangers))
            outputs = outputs_of(reconciler, observation, entry, (part.path for part in change.left))
            if outputs is not None and change.action < Action.CREATE and not observation.deleting:
                known[address] = outputs
            if change.action is Action.NOTHING and change.blocked is None:
                record = record_of(resource, want, Phase.MADE, known[address], unread=change.unreadable, before=entry)
                if record != entry:
                    confirmed.append(record)
        change = _tell_if_healing(resource.reconciler, change, observation)
        if change.heals:
            healing[address] = reconciler.healing_reads
        changes.append(_tell_if_waiting(change, [healing[need] for need in resource.needs & healing.keys()]))
    removals = {
        address: _plan_removal(
            entry, observations[address], claimant, reconcilers[entry.type], allowed=address in allowed
        )
        for address, entry in entries.items()
        if address not in stack and not stays_kept(reconcilers[entry.type], entry, observations.get(address))
    }
    handed = {
        seen.hands_over_to
        for change in changes
        if isinstance(seen := observations[change.address], Observed) and change.fails_over
    }
    changes += [_with_handover(removal, handed) for removal in removals.values() if removal is not None]
    forgotten = tuple(address for address, removal in removals.items() if removal is None)
    return Plan(tuple(changes), known, tuple(confirmed), forgotten)


def outputs_of(
    reconciler: Reconciler[Any, Any], seen: Observed[Any, Any], entry: Entry | None, left: Iterable[str]
) -> dict[str, str] | None:
    """The outputs that AWS tells; as they are recorded where one of the fields that are ``left`` keeps AWS from it."""
    outputs: dict[str, str] | None = None
    if seen.outputs is not None:
        outputs = seen.outputs.model_dump()
    elif entry is not None and entry.outputs and not reconciler.outputs_need.isdisjoint(left):
        outputs = dict(entry.outputs)
    return outputs


def record_of(
    resource: AnyResource,
    want: Spec,
    phase: Phase,
    outputs: Mapping[str, str] | None,
    *,
    unread: Iterable[str] = (),
    before: Entry | None = None,
    confirmed: Mapping[str, Any] | None = None,
    carried: Mapping[str, str] = MappingProxyType({}),
) -> Entry:
    """Make the record of one resource. A field that could not be read is recorded as before, or not at all.

    ``confirmed``: the spec that the resource was read back with last, while ``want`` is only asked for. ``carried``:
    what the one that may be made in its place takes over.
    """
    spec = refs.to_json(want)
    # The spec an interrupted run was making is no record of how the resource is.
    recorded = (before.confirmed_spec if before else None) or {}
    for name in unread:
        spec.pop(name)
        if name in recorded:
            spec[name] = recorded[name]
    return Entry(
        type=resource.type,
        id=resource.id,
        needs=tuple(sorted(resource.needs)),
        phase=phase,
        spec=spec,
        outputs=None if outputs is None else dict(outputs),
        confirmed=None if confirmed is None else dict(confirmed),
        carried=dict(carried),
    )


def _unreadable_error(address: str, observation: Unreadable) -> Refused:
    return Refused(
        f"{address} could not be read, and is never taken for absent",
        evidence=str(observation.error),
        hint=f"allow {observation.action}, then run the same command again",
    )


def _ids(addresses: Collection[str]) -> frozenset[str]:
    return frozenset(address.partition("/")[2] for address in addresses)


def _plan_reboot(change: Change, *, deferred: bool) -> Change:
    """Add a reboot to the change where a value waits for one; ``deferred``: one will, by a change of a dependency."""
    waiting = [name for name, pending in change.pending.items() if pending.until == REBOOT]
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
        pending={name: pending for name, pending in change.pending.items() if name not in waiting},
        reboots=True,
        note=change.note or "it is rebooted",
    )


@dataclass(frozen=True)
class _Permits:
    """The user's permissions for one resource."""

    allowed: bool
    adopts: bool
    adopts_overwritten: bool
    spares: Spares


def _plan_change(
    resource: AnyResource,
    want: Spec,
    observation: Observation,
    entry: Entry | None,
    claimant: Claimant,
    *,
    permits: _Permits,
    observations: Observations,
) -> Change:
    address, reconciler = resource.address, resource.reconciler
    base = Change(address, resource.type, resource.id, Action.NOTHING, allowed=permits.allowed, spares=permits.spares)
    if isinstance(observation, Unreadable):
        blocked = _unreadable_error(address, observation)
        return replace(base, unreadable={"*": observation.action}, blocked=blocked)
    if isinstance(observation, Absent):
        removed = entry is not None and entry.phase is Phase.MADE
        note = reconciler.gone_by_itself(entry.claim) if entry is not None and removed else ""
        wanted, want = want, carry_over(reconciler, want, entry.carried if entry else {}, allowed=permits.allowed)
        return replace(
            base,
            action=Action.CREATE,
            fields=_wanted_values(want),
            left=_left_fields(reconciler, wanted, want),
            removed_outside=removed,
            note=note,
        )
    if aside := stand_in_error(reconciler, resource.id, entry, observation, observations.values()):
        return replace(base, blocked=aside)
    ownership = claimant.judge(reconciler, resource.id, observation, recorded=entry.claim if entry else None)
    if not ownership.ours:
        adopts = (permits.adopts and ownership.adoptable) or (permits.adopts_overwritten and ownership.overwritten)
        if not adopts:
            return replace(base, blocked=ownership.error())
        base = replace(base, adopts=True, note=f"taken over; {ownership.evidence}")
    elif ownership.untagged:
        base = replace(base, note="taken over: AWS makes it by itself, and nobody has tagged it")
    base = _tell_if_replaced(base, reconciler, want, observation, entry, adopts=permits.adopts)
    return base if base.blocked else _plan_present(base, reconciler, want, observation, entry)


def _tell_if_replaced(
    base: Change,
    reconciler: Reconciler[Any, Any],
    want: Spec,
    seen: Observed[Any, Any],
    entry: Entry | None,
    *,
    adopts: bool,
) -> Change:
    """Say of a resource that it is not the recorded one, whatever its tags say; block one that holds other data.

    And one that is in another place.
    """
    recorded = (entry.outputs or {}) if entry is not None and entry.confirmed_spec is not None else {}
    if seen.outputs is not None and not seen.deleting:
        base = replace(base, replaced=seen.outputs.changed_from(recorded))
    told = other_identity(reconciler, entry, seen)
    if not told:
        return base
    if adopts:
        return replace(base, adopts=True, note=f"taken over as it is; {told}")
    # One in another place than the wanted could not be brought to that: taking it over would end in another refusal.
    is_way = reconciler.holds_data or dict(want)[reconciler.identity] == dict(seen.spec)[reconciler.identity]
    hint = f"if the one that is there is meant: apply with --adopt {base.address}" if is_way else ""
    return replace(base, blocked=replaced_error(reconciler, base.address, told, hint))


def _plan_present(
    base: Change, reconciler: Reconciler[Any, Any], want: Spec, seen: Observed[Any, Any], entry: Entry | None
) -> Change:
    """Plan the change of a resource that is there and may be changed."""
    if seen.deleting:
        note = f"it is {seen.status}" + ("; it is brought back" if seen.retained else "; its end is awaited")
        return replace(base, action=Action.CREATE, fields=_wanted_values(want), note=note)
    wanted, want = want, leave(reconciler, want, seen.spec, allowed=base.allowed)
    # What is made anew has nothing of what ends with the old one, and no wish of anybody's but the files'.
    wanted_anew = want.model_copy(update={name: getattr(wanted, name) for name in reconciler.ends_with_it})
    left = _left_fields(reconciler, wanted, want, unread=seen.unreadable)
    wanted, want = want, leave_parts(want, seen.spec, partial(base.spares, base.address))
    left += _spared_fields(reconciler, wanted, want, seen, entry)
    fields = _field_changes(reconciler, want, seen, entry)
    impact = max((field.impact for field in fields), default=Impact.NONE)
    base = replace(base, fields=fields, impact=impact, pending=seen.pending, unreadable=seen.unreadable, left=left)
    unread_error = _unread_change_error(base.address, want, seen, entry)
    if unread_error is not None:
        return replace(base, blocked=unread_error)
    anew: Change | None = None
    if seen.failure is not None:
        anew = _plan_failed(base, reconciler, seen, seen.failure)
    elif any(field.impact is Impact.REPLACE for field in fields):
        anew = _plan_replacement(base, reconciler)
    if anew is not None:
        return _with_ended(anew, reconciler, wanted_anew, seen, entry) if anew.action is Action.REPLACE else anew
    if fields:
        return replace(base, action=Action.UPDATE)
    settled = seen.settled and outputs_of(reconciler, seen, entry, (part.path for part in left)) is not None
    return base if settled else replace(base, action=Action.SETTLE, note=f"it is {seen.status}")


def _unread_change_error(
    address: str, want: Spec, seen: Observed[Any, Any], entry: Entry | None
) -> FieldUnreadable | None:
    """Make the refusal of fields that could not be read and, by the record, would have to change."""
    # What an unfinished apply has asked for is not known to be in force.
    recorded = ((entry.confirmed_spec or entry.spec) if entry else None) or {}
    stale = [
        name for name in seen.unreadable if name in recorded and recorded[name] != refs.to_json(getattr(want, name))
    ]
    if not stale:
        return None
    return _unread_error(f"{address}: {', '.join(stale)} would have to change and could not be read", stale, seen)


def _unread_error(cause: str, names: Iterable[str], seen: Observed[Any, Any]) -> FieldUnreadable:
    """Make the refusal of a change that hangs on fields which could not be read, with AWS's word for each of them."""
    unread = {seen.unreadable[name]: seen.refusals.get(name, "") for name in names}
    denied = ", ".join(sorted(action for action, refusal in unread.items() if not refusal))
    refused = [unread_note(*one) for one in sorted(unread.items()) if one[1]]
    return FieldUnreadable(
        cause,
        evidence="\n".join([*([f"denied: {denied}"] if denied else []), *refused]),
        hint=f"allow {denied}, then run the same command again" if denied else "run the same command again later",
    )


def _wanted_values(want: Spec) -> tuple[FieldChange, ...]:
    shown = refs.substitute(want, lambda text: AFTER_APPLY if refs.needs(text) else text)
    return tuple(FieldChange(name, None, getattr(shown, name)) for name in type(want).model_fields)


def _field_changes(
    reconciler: Reconciler[Any, Any], want: Spec, seen: Observed[Any, Any], entry: Entry | None
) -> tuple[FieldChange, ...]:
    changes: list[FieldChange] = []
    recorded = _left_as(reconciler, entry)
    for name in compare(want, seen.spec, unread=seen.unreadable):
        have, wanted = getattr(seen.spec, name), getattr(want, name)
        if refs.needs(wanted):
            # The value is known only after another resource was made: the field may change, in place.
            outside = name in recorded and refs.to_json(have) != recorded[name]
            impact = reconciler.impacts.get(name, Impact.NONE)
            cost = impact if impact < Impact.REPLACE else Impact.NONE
            changes.append(FieldChange(name, have, AFTER_APPLY, cost, outside))
            continue
        outside = _made_outside(reconciler, entry, want, name, seen)
        unconfirmed = entry is None or entry.confirmed_spec is None
        impact = impact_of(reconciler, name, want, seen, undoes=bool(outside) or unconfirmed)
        changes += [
            FieldChange(
                part.path, part.have, part.want, impact, part in outside, seen.deferred_until.get(part.path, "")
            )
            for part in details(name, have, wanted)
        ]
    return tuple(changes)


def _left_as(reconciler: Reconciler[Any, Any], entry: Entry | None) -> Mapping[str, Any]:
    """The fields that the last run is known to have left the resource with; empty if there is none."""
    if entry is None or entry.phase is Phase.KEPT:
        return {}
    # A removal that began may have changed these since.
    unset = reconciler.unset_by_removal if entry.phase is Phase.LEAVING else frozenset()
    return {name: value for name, value in (entry.confirmed_spec or {}).items() if name not in unset}


def _made_outside(
    reconciler: Reconciler[Any, Any], entry: Entry | None, want: Spec, name: str, seen: Observed[Any, Any]
) -> list[Difference]:
    """List the differences between a field and the wanted one that neither this run nor an unfinished one makes."""
    spec, recorded, have = type(want), _left_as(reconciler, entry), getattr(seen.spec, name)
    try:
        before = recorded_value(spec, name, recorded)
        asked = recorded_value(spec, name, entry.spec) if entry else before
    except (KeyError, ValidationError):
        return []
    # A new wish over AWS's own default: what the record does not hold there is nobody's change.
    foreign = [
        part
        for part in unexplained(spec, name, have, before, asked)
        if part.want is not None or part.path not in seen.defaults
    ]
    # At the same place: the wanted value may be another one than the recorded by now.
    return [part for part in details(name, have, getattr(want, name)) if any(part.is_at(other) for other in foreign)]


def _tell_if_healing(reconciler: Reconciler[Any, Any], change: Change, observation: Observation) -> Change:
    """Mark the change that what uses the resource waits for: a disabled key enabled, a deleted one brought back."""
    if change.blocked or not reconciler.healing_fields:
        return change
    back = isinstance(observation, Observed) and observation.retained is not None and change.action is Action.CREATE
    mends = change.action is Action.UPDATE and any(field.path in reconciler.healing_fields for field in change.fields)
    return replace(change, heals=True) if back or mends else change


def _tell_if_waiting(change: Change, healing: Sequence[Collection[str]]) -> Change:
    """Mark a change that is blocked, and may be judged otherwise once what the resource needs is healed.

    ``healing``: `Reconciler.healing_reads` of all that it needs and that is healed.
    """
    unread = isinstance(change.blocked, FieldUnreadable) and any(
        action in reads for reads in healing for action in change.unreadable.values()
    )
    return replace(change, waits=unread or (change.gave_up and bool(healing)))


def _ask_consent(reconciler: Reconciler[Any, Any], change: Change, *, given: bool) -> Change:
    """Block an update that cannot be undone where nobody has named its address; say how long an upgrade takes."""
    costs = {field.impact: field for field in change.fields if field.impact.needs_consent}
    if change.action is not Action.UPDATE or change.blocked or not costs:
        return change
    upgrade = costs.get(Impact.UPGRADE)
    if upgrade is not None:
        takes = f"; it usually takes {reconciler.timing.upgrade}" if reconciler.timing.upgrade else ""
        note = f"a new major version cannot be undone{takes}"
        change = replace(change, note="; ".join(filter(None, (change.note, note))))
    if given:
        return change
    field = costs.get(Impact.DATA_LOSS) or upgrade
    assert field is not None, "one of the two needs consent"
    loses = field.impact is Impact.DATA_LOSS
    why = "what is older than that is lost" if loses else "nothing leads back from a new major version"
    kept = "put what is there" if field.outside else "put the old value back"
    blocked = ConsentMissing(
        f"{change.address}: {field.path} would go from {field.have} to {field.want}, and {why}",
        hint=f"if that is meant: --allow {change.address}; otherwise {kept} into the configuration",
    )
    return replace(change, blocked=blocked)


def _left_fields(
    reconciler: Reconciler[Any, Any], wanted: Spec, want: Spec, *, unread: Iterable[str] = ()
) -> tuple[LeftField, ...]:
    """List what an apply leaves although nobody wants it: the part in which ``want`` gave up what is ``wanted``."""
    return tuple(
        LeftField(part.path, part.have, allow_ends=reconciler.left_alone.get(name, ALLOW) == ALLOW)
        for name in compare(wanted, want, unread=unread)
        for part in details(name, getattr(want, name), getattr(wanted, name))
    )


def _spared_fields(
    reconciler: Reconciler[Any, Any], wanted: Spec, want: Spec, seen: Observed[Any, Any], entry: Entry | None
) -> tuple[LeftField, ...]:
    """List what is left because the user says so: the part in which ``want`` gave up what is ``wanted``."""
    return tuple(
        LeftField(
            part.path,
            part.have,
            allow_ends=False,
            waived=True,
            lacks=part.want if part.item else None,
            newly=part.want if part.path in _newly_wanted(reconciler, wanted, name, entry) else None,
        )
        for name in compare(wanted, want, unread=seen.unreadable)
        for part in details(name, getattr(want, name), getattr(wanted, name))
    )


def _newly_wanted(reconciler: Reconciler[Any, Any], wanted: Spec, name: str, entry: Entry | None) -> frozenset[str]:
    """The paths in this field at which the last apply wanted another value; the items of a set have none."""
    try:
        before = recorded_value(type(wanted), name, _left_as(reconciler, entry))
    except (KeyError, ValidationError):
        return frozenset()
    return frozenset(part.path for part in details(name, before, getattr(wanted, name)) if not part.item)


def _plan_failed(base: Change, reconciler: Reconciler[Any, Any], seen: Observed[Any, Any], failure: str) -> Change:
    state = f"is {seen.status}" if seen.failed_by_others else "has failed"
    if reconciler.holds_data:
        how = "bring it back to available as AWS's documentation of that state says"
        blocked = Refused(
            f"{base.address} {state} and holds data: tapctl neither changes nor replaces it",
            evidence=f"AWS says: {failure}",
            hint=f"{seen.remedy or how}, then run this again",
        )
        return replace(base, blocked=blocked, gave_up=True)
    note = failure if seen.failed_by_others else f"AWS gave it up: {failure}"
    if reconciler.replaceable and not base.adopts:
        return replace(base, action=Action.REPLACE, impact=Impact.REPLACE, note=note)
    return replace(base, action=Action.UPDATE, note=note)


def _plan_replacement(base: Change, reconciler: Reconciler[Any, Any]) -> Change:
    if reconciler.replaceable and not reconciler.holds_data and not base.adopts:
        return replace(base, action=Action.REPLACE)
    paths = sorted({field.path for field in base.fields if field.impact is Impact.REPLACE})
    why = "it is somebody else's" if base.adopts else "what uses it holds it"
    why = "it holds data" if reconciler.holds_data else why
    ways = [reconciler.by_hand[path] for path in paths if path in reconciler.by_hand]
    ways.insert(0, "put what is there into the configuration, or use another --suffix for a new stack")
    blocked = Refused(
        f"{base.address}: {', '.join(paths)} cannot be changed in place, and it is never replaced because {why}",
        hint="; ".join(ways),
    )
    return replace(base, blocked=blocked)


def _with_ended(
    change: Change, reconciler: Reconciler[Any, Any], want: Spec, seen: Observed[Any, Any], entry: Entry | None
) -> Change:
    """The replacement with what goes with the old resource and is not made again, or with what stands against it.

    That is what hangs on the resource (`Reconciler.ends_with_it`), and what a waiver keeps in any other change.
    """
    against = _stands_against(change, reconciler, seen)
    if against is not None:
        return replace(change, blocked=against)
    planned = [(field.path, field.have, field.want) for field in change.fields]
    ended = tuple(
        replace(field, impact=Impact.REPLACE)
        for field in _field_changes(reconciler, want, seen, entry)
        if (field.path, field.have, field.want) not in planned
    )
    if not ended:
        return change
    kept = tuple(part for part in change.left if not part.waived and part.path not in reconciler.ends_with_it)
    paths = ", ".join(dict.fromkeys(field.path for field in ended))
    note = "; ".join(filter(None, (change.note, f"goes with the old one, and is not made again: {paths}")))
    blocked = None if change.allowed else _ended_unasked(change, paths, kept)
    return replace(change, fields=(*change.fields, *ended), left=kept, note=note, blocked=blocked)


def _stands_against(change: Change, reconciler: Reconciler[Any, Any], seen: Observed[Any, Any]) -> Refused | None:
    """Make the refusal of a replacement of which nobody knows what it ends, or whose removal AWS would refuse."""
    address = change.address
    unread = sorted(seen.unreadable.keys() & (reconciler.ends_with_it | reconciler.holds_it))
    if unread:
        names = ", ".join(unread)
        cause = f"{address} would be replaced, and {names}, which may hang on it, could not be read"
        return _unread_error(cause, unread, seen)
    holders = [part for part in change.left if part.path in reconciler.holds_it]
    if not holders:
        return None
    id_ = shlex.quote(address.partition("/")[2])
    commands = [reconciler.left_alone[one.path].format(value=shlex.quote(str(one.have)), id=id_) for one in holders]
    return Refused(
        f"{address} would be replaced, and AWS deletes it only once others let go of it: "
        + ", ".join(f"{part.path} {part.have}" for part in holders),
        evidence="nothing was begun",
        hint=f"where nobody needs that: {' && '.join(commands)}; then run this again",
    )


def _ended_unasked(change: Change, paths: str, kept: Iterable[LeftField]) -> ConsentMissing:
    """Make the refusal of a replacement that ends what others have put on the resource."""
    hint = f"if that may go: --allow {change.address}"
    if beside := ", ".join(part.path for part in kept if part.allow_ends):
        hint += f", which takes off what it leaves else, too: {beside}"
    if replacing := ", ".join(field.path for field in change.fields if field.impact is Impact.REPLACE):
        hint += f"; otherwise take back in the files what replaces it: {replacing}"
    return ConsentMissing(
        f"{change.address} would be replaced, and what others have put on the old one goes with it: {paths}", hint=hint
    )


def _with_handover(removal: Change, handed: Collection[str]) -> Change:
    """The removal as it costs when its time comes: of one of those that have taken over by then, a failover."""
    return replace(removal, impact=max(removal.impact, Impact.FAILOVER)) if removal.address in handed else removal


def stays_kept(reconciler: Reconciler[Any, Any], entry: Entry, observation: Observation | None) -> bool:
    """True if the resource is kept by a removal, and nothing that is seen of it says that this has come to an end."""
    if entry.phase is not Phase.KEPT or not reconciler.kept_while_pending or observation is None:
        return entry.phase is Phase.KEPT
    return isinstance(observation, Observed) and reconciler.kept_while_pending in observation.pending


def _plan_removal(
    entry: Entry, observation: Observation, claimant: Claimant, reconciler: Reconciler[Any, Any], *, allowed: bool
) -> Change | None:
    """Plan the removal of a recorded resource that is wanted no longer; None if there is nothing left to remove."""
    address = entry.address
    impact = Impact.DATA_LOSS if reconciler.holds_data else Impact.NONE
    base = Change(address, entry.type, entry.id, Action.DELETE, impact=impact)
    if isinstance(observation, Absent):
        return None
    if isinstance(observation, Unreadable):
        blocked = _unreadable_error(address, observation)
        return replace(base, unreadable={"*": observation.action}, blocked=blocked)
    ownership = claimant.judge(reconciler, entry.id, observation, recorded=entry.claim)
    if not ownership.ours:
        return replace(base, blocked=ownership.error(wanted=False))
    if observation.deleting:
        return base
    if told := other_identity(reconciler, entry, observation):
        hint = f"if that one is meant: put it back into the configuration, and apply with --adopt {address}"
        return replace(base, blocked=replaced_error(reconciler, address, told, hint))
    base = replace(base, impact=max(base.impact, observation.removal_impact))
    if reconciler.holds_data and not allowed:
        blocked = Refused(
            f"{address} is no longer wanted, and it holds data",
            hint=f"if its data may go: --allow {address}; otherwise put it back into the configuration",
        )
        return replace(base, blocked=blocked)
    # A subresource shows its parent's tags: they say nothing of who made it. What is unconfirmed goes by itself.
    claimed_by_record_alone = reconciler.subresource and claimant.chosen_name(entry.type, entry.id)
    if claimed_by_record_alone and not observation.pending and not allowed:
        blocked = Refused(
            f"{address} is no longer wanted, and nothing but the record says that tapctl has made it",
            hint=f"if it may go: --allow {address}; otherwise put it back into the configuration",
        )
        return replace(base, blocked=blocked)
    why = reconciler.deletion_blocker(observation)
    return replace(base, blocked=Refused(f"{address} must not be removed: {why}") if why else None)
