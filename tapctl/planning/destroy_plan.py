"""Plan of a destroy: what is deleted and what is kept, and why a destroy of it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.engine.model import Impact, Observed
from tapctl.engine.observe import Absent, Unreadable
from tapctl.engine.ownership import other_identity, replaced_error, stand_in_error
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.record import Phase, is_deleted_with_parent
from tapctl.engine.resources import Deletion
from tapctl.errors import ConfigError, Refused, TapctlError, first_few
from tapctl.planning.inventory import Inventory, ownership_of
from tapctl.planning.log_filters import ended_filters
from tapctl.planning.permits import NO_PERMITS
from tapctl.planning.plan_file import PlanFile, PlanOut, seal
from tapctl.planning.subscribers import ended_subscriptions, shown_subscriptions
from tapctl.reconcilers import teardown_ranks
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_removal import held_by_others
from tapctl.render.values import counted
from tapctl.session.session import Session
from tapctl.threads import side_by_side

_NAMED: Final = 5
"""Resources that are named where more are meant."""


def plan_destroy(session: Session, inventory: Inventory) -> Plan:
    """List what is deleted and what is kept; a blocked resource stops everything before the first changing call."""
    due = is_snapshot_due(inventory)
    view = session.aws.memoized()  # who uses the one group is asked for the others, too
    changes: dict[str, Change] = {}
    deletions = [inventory.deletions[address] for address in inventory.observations]
    blockers = side_by_side(partial(_blocked, session, view, inventory, deletion) for deletion in deletions)
    for deletion, blocked in zip(deletions, blockers, strict=True):
        address, observation = deletion.address, inventory.observations[deletion.address]
        change = Change(address, deletion.reconciler.type, deletion.id, Action.DELETE, blocked=blocked)
        if isinstance(observation, Observed):
            retained = inventory.retained.get(address)
            note = (
                f"kept until {retained.until}: {retained.why}"
                if retained is not None
                else noted(deletion.reconciler.removal_note(observation, snapshot_due=due), inventory, address)
            )
            loses = isinstance(deletion.reconciler, DbCluster) and retained is None and not due
            changes[address] = replace(change, note=note, impact=Impact.DATA_LOSS if loses else Impact.NONE)
        elif isinstance(observation, Unreadable):
            changes[address] = replace(change, unreadable={"*": observation.action})
    for child, parent in inventory.to_delete.items():
        if parent:
            type_, _, id_ = child.partition("/")
            changes[child] = Change(child, type_, id_, Action.DELETE, note=f"goes with {parent}")
    ranks = teardown_ranks()
    ordered = sorted(changes.values(), key=lambda change: (ranks[change.type], change.address))
    session.screen.stack({address: deletion.needs for address, deletion in inventory.deletions.items()})
    plan = Plan(tuple(ordered), {}, (), ())
    session.invocation.usage.impacts = plan.impacts
    return plan


def seal_destroy(session: Session, inventory: Inventory, plan: Plan, out: PlanOut | None = None) -> PlanFile:
    """Make the plan file of this destroy, with its hashes; what is kept already is no part of it."""
    going = replace(plan, changes=tuple(each for each in plan.changes if each.address not in inventory.retained))
    ends = (*inventory.filters, *shown_subscriptions(session, inventory.ending))
    return seal(session, going, inventory.manifest, permits=NO_PERMITS, networking={}, destroy=True, ends=ends, out=out)


def with_ends(session: Session, inventory: Inventory, *, approved: bool) -> Inventory:
    """The inventory with what others have put on what goes, and what ends with it; ``approved``: it is, or is to be.

    Raises:
        AwsError: an approval says what ends, and that cannot be read.
    """
    going = inventory.to_delete
    return replace(
        inventory,
        ending=ended_subscriptions(session, going, approved=approved),
        filters=ended_filters(session, going, approved=approved),
    )


def known_uses(session: Session, inventory: Inventory) -> dict[str, str]:
    """Ask what is known of others' use of what goes; of nothing, where a final snapshot keeps the key."""
    if is_snapshot_due(inventory):
        return {}
    going = inventory.present.keys() - inventory.retained.keys()
    told = {
        address: inventory.deletions[address].reconciler.known_use(session.aws, inventory.present[address])
        for address in going
    }
    return {address: text for address, text in told.items() if text}


def noted(text: str, inventory: Inventory, address: str) -> str:
    """The text, with what is known of others' use of this resource."""
    return "; ".join(filter(None, (text, inventory.known_uses.get(address, ""))))


# -- what blocks it ----------------------------------------------------------------------------------------------------


def _blocked(session: Session, view: Aws, inventory: Inventory, deletion: Deletion) -> TapctlError | None:
    """Tell why the resource must not be deleted now; None if it may be."""
    address, observation = deletion.address, inventory.observations[deletion.address]
    if isinstance(observation, Unreadable):
        return Refused(
            f"{address} could not be read",
            evidence=str(observation.error),
            hint=f"allow {observation.action}, then run this again",
        )
    if not isinstance(observation, Observed):
        return None
    if theirs := _not_ours(session, inventory, deletion, observation):
        return theirs
    if address in inventory.unjudged:
        return inventory.unjudged[address]
    reason = deletion.reconciler.deletion_blocker(observation)
    if reason and not observation.deleting:
        if deletion.reconciler.is_protection(observation):
            return protected_error(session, f"{address}: {reason}")
        return undeletable_error(session, address, reason, observation)
    if _is_recorded_protected(deletion) and not observation.deleting:
        return protected_error(
            session, f"{address}: by the record its deletion protection is on, and no apply has lifted it"
        )
    foreign = observation.members - inventory.deletions.keys()
    if foreign:
        # RDS would accept the deletion of our own members, and then refuse the cluster's as long as the others exist.
        return held_by_others(session.aws, deletion.id, foreign)
    if observation.deleting or address in inventory.retained:
        return None
    return deletion.reconciler.removal_refusal(view, deletion.id, observation, deletion.last)


def _not_ours(
    session: Session, inventory: Inventory, deletion: Deletion, seen: Observed[Any, Any]
) -> TapctlError | None:
    """Tell why what bears the name is not ours to delete; None if it is."""
    reconciler, entry = deletion.reconciler, deletion.entry
    if aside := stand_in_error(reconciler, deletion.id, entry, seen, inventory.observations.values()):
        return aside
    ownership = ownership_of(session, deletion, seen)
    if not ownership.ours:
        return ownership.error(wanted=not session.claimant.chosen_name(reconciler.type, deletion.id))
    if told := other_identity(reconciler, entry, seen):
        adopt = f"{session.command('apply')} --adopt {deletion.address}"
        hint = f"if that one may go with its data: {adopt}, then run this again" if reconciler.holds_data else ""
        return replaced_error(reconciler, deletion.address, told, hint)
    return None


def undeletable_error(session: Session, address: str, reason: str, observed: Observed[Any, Any]) -> Refused:
    """Refuse a deletion that AWS would refuse, too, for another reason than our own protection.

    Some states only a person can end (`Observed.remedy`); any other is a difference that an apply takes back.
    """
    undo = "start it, as told above" if observed.remedy else f"{session.command('apply')}, which takes it back"
    return Refused(
        f"{address} cannot be removed now; nothing of it was begun",
        evidence=reason,
        hint=f"{undo}, then run this again",
    )


def _is_recorded_protected(deletion: Deletion) -> bool:
    """True if an apply has left the resource protected: what somebody has switched off since is no word of ours."""
    confirmed = (deletion.entry.confirmed_spec if deletion.entry else None) or {}
    return any(confirmed.get(name) is True for name in deletion.reconciler.protection_fields)


def protection_by_file(session: Session) -> str:
    """Tell if its file protects the environment; empty if it does not, or is gone."""
    if isinstance(session.loaded, ConfigError) or not session.loaded.protected:
        return ""
    return f"{session.target.env}.toml: protected = true"


def protection_by_record(session: Session, inventory: Inventory) -> str:
    """Tell that the environment's file is gone and the record says nothing of its protection; empty if it does.

    Where there is nothing to remove but what a destroy has kept, nothing is protected.
    """
    left = all(inventory.deletions[address].reconciler.retainable for address in inventory.present)
    if left or not isinstance(session.loaded, ConfigError):
        return ""
    cluster = inventory.manifest.entries.get(f"{DbCluster.type}/{session.names.cluster}")
    if cluster is not None and (cluster.confirmed_spec or cluster.spec).get("deletion_protection") is False:
        return ""
    return f"{session.target.env}.toml is not there, and the record does not say that it was not protected"


def protected_error(session: Session, evidence: str) -> Refused:
    """Refuse the destroy of a protected environment, and tell how its protection is lifted."""
    file = f"{session.target.env}.toml"
    gone = isinstance(session.loaded, ConfigError)
    first = f"put {file} back with protected = false" if gone else f"set protected = false in {file}"
    return Refused(
        f"{session.suffix} is protected; it is not destroyed in one step",
        evidence=evidence,
        hint=f"{first}, {session.command('apply')}, then run this again",
    )


# -- the data ----------------------------------------------------------------------------------------------------------


def is_snapshot_due(inventory: Inventory) -> bool:
    """True if this destroy takes a final snapshot."""
    return any(
        inventory.deletions[address].reconciler.takes_final_snapshot(observed, inventory.deletions[address].last)
        for address, observed in inventory.present.items()
    )


def tell_of_lost_data(session: Session, inventory: Inventory) -> bool:
    """Warn of a cluster that went, or goes, by nobody's destroy; True if a final snapshot that is due is lost by it."""
    lost = False
    for address, deletion in inventory.deletions.items():
        if not isinstance(deletion.reconciler, DbCluster) or not _went_outside(inventory, address):
            continue
        state = "is being deleted" if isinstance(inventory.observations[address], Observed) else "is not there"
        due = deletion.reconciler.owes_final_snapshot(deletion.last)
        lost = lost or due
        missed = "; the final snapshot that is due cannot be taken" if due else ""
        session.screen.warn(f"{address} {state}, by no run of ours: its data goes outside tapctl{missed}")
    return lost


def tell_of_forgotten(session: Session, inventory: Inventory) -> None:
    """Warn of what the record loses though nothing is removed: behind an address there may be another AWS."""
    gone, recorded = sorted(inventory.forgotten), inventory.manifest.entries.values()
    if not gone:
        return
    held = counted(sum(entry.phase is not Phase.KEPT for entry in recorded), "resource")
    session.screen.warn(
        f"AWS does not have {len(gone)} of the {held} that the record holds: a destroy removes nothing of them, and "
        f"the record loses them: {', '.join(first_few(gone, _NAMED))}"
    )


def _went_outside(inventory: Inventory, address: str) -> bool:
    """True if somebody else has removed, or is removing, what the record holds as made."""
    observation, entries = inventory.observations[address], inventory.manifest.entries
    if not isinstance(observation, Absent) and not (isinstance(observation, Observed) and observation.deleting):
        return False
    entry = entries.get(address)
    if entry is None or entry.phase not in (Phase.MADE, Phase.MAKING) or entry.confirmed_spec is None:
        return False
    return not is_deleted_with_parent(entry, entries)


def removed_outside(inventory: Inventory) -> Iterator[str]:
    """The addresses of what somebody else has removed, or is removing, with what goes with it."""
    for address, deletion in inventory.deletions.items():
        if _went_outside(inventory, address):
            yield from (address, *deletion.subresources)
