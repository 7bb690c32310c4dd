"""``tapctl destroy``: show what goes and what is kept, ask, delete in reverse order, prove that nothing is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tapctl.aws.client import Aws
from tapctl.commands.inventory import (
    NOTHING_LEFT,
    Inventory,
    Swept,
    delete_inventory,
    ownership_of,
    refresh,
    sweep,
    take_inventory,
)
from tapctl.engine.estimate import Operation, estimate, estimate_command
from tapctl.engine.events import Detached, Failed, Result, Skipped
from tapctl.engine.model import Impact, Observed, Retained
from tapctl.engine.observe import Absent, Unreadable
from tapctl.engine.owner_tags import ENVIRONMENT_TAG, MANAGED_BY, OWNER_TAG, SUFFIX_TAG
from tapctl.engine.ownership import other_identity, replaced_error, stand_in_error
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.record import Phase, is_deleted_with_parent
from tapctl.engine.resources import Deletion, deletion_graph
from tapctl.errors import (
    AwsError,
    ConfigError,
    ExitCode,
    Refused,
    Status,
    StoreFailed,
    TapctlError,
    UsageError,
    add_default_hint,
)
from tapctl.evidence.certificate import COLUMNS, NAME, Certificate, EarlierCertificate, earlier_certificate
from tapctl.evidence.record_fingerprint import take_fingerprint
from tapctl.execution.runner import EngineRunner, usual_times
from tapctl.manifest.manifest import now
from tapctl.planning.approval import NO_APPROVAL, Approval
from tapctl.planning.blockers import NOTHING_CHANGED, show_blockers
from tapctl.planning.log_filters import ended_filters, tell_of_ended_filters
from tapctl.planning.permits import NO_PERMITS
from tapctl.planning.plan_file import PlanFile, PlanOut, publish, seal
from tapctl.planning.subscribers import ended_subscriptions, shown_subscriptions, tell_of_ended_subscriptions
from tapctl.reconcilers import teardown_ranks
from tapctl.reconcilers.db_cluster import DbCluster, held_by_others
from tapctl.reconcilers.db_cluster_snapshots import (
    SNAPSHOT,
    copies_under_other_keys,
    data_in,
    lasting_snapshots,
    snapshots_left,
)
from tapctl.reconcilers.kms_key import copies_named
from tapctl.reconcilers.log_group import LogGroup, split_filter
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.session.session import Session
from tapctl.threads import side_by_side


def destroy(session: Session, *, confirm: str | None = None, approval: Approval = NO_APPROVAL) -> int:
    """Delete one environment.

    Raises:
        PlanOutdated: something else was approved than would be done now.
    """
    if protection := _protection(session):
        raise _protected(session, protection)
    with session.lock() as lease:
        approval.check_target(session)
        earlier = _earlier_certificate(session)
        inventory = take_inventory(session)
        if protection := _protection_by_record(session, inventory):
            raise _protected(session, protection)
        inventory = replace(inventory, known_uses=_known_uses(session, inventory))
        plan = _plan(session, inventory)
        inventory = _with_ends(session, inventory, approved=approval.binds)
        approval.check(session, _seal(session, inventory, plan), inventory.manifest, inventory.retained)
        session.screen.plan(plan, removing=True)
        _show_estimate(session, inventory, plan)
        if plan.blocked:
            return session.finish(Status.BLOCKED, show_blockers(session, plan), {}, NOTHING_CHANGED)
        inventory.unidentified.warn(session.screen, session.suffix)
        if inventory.unasked.code:
            return _finish_unasked(session, inventory)
        inventory.unasked.warn(session.screen)
        _tell_of_ends(session, inventory)
        due = _tell_of_lost_data(session, inventory) or _snapshot_due(inventory)
        for address in inventory.foreign:
            session.screen.warn(f"{address} bears the tags of {session.suffix} and none of its names: it is left")
        _tell_of_theirs(session, inventory)
        loses = bool(plan.impacts[Impact.DATA_LOSS.key])
        if inventory.to_delete and not confirm_destroy(session, approval.suffix or confirm, due=due, loses=loses):
            return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
        if session.invocation.interactive:
            # While the question was open somebody may have protected it: no instance may go before its cluster may.
            plan = _plan(session, refresh(session, inventory))
            if plan.blocked:
                return session.finish(Status.BLOCKED, show_blockers(session, plan), {}, NOTHING_CHANGED)
        journal = session.journal(inventory.manifest, inventory.version)
        approval.begin(session)
        take_fingerprint(session, inventory.observations)
        # Whoever finds it cut off knows by this whose removal it was.
        journal.update(unfinished=False)
        runner = EngineRunner(session, journal, lease)
        delete_inventory(runner, inventory)
        nothing = replace(NOTHING_LEFT, others=inventory.others, unidentified=inventory.unidentified)
        swept = sweep(session, runner, inventory) if runner.outcome.ok else nothing
        swept.unidentified.beside(inventory.unidentified.by_address).warn(session.screen, session.suffix)
        code = approval.end(session, report_destroy(session, runner, inventory, swept, earlier))
        runner.keep_durations(Operation.DELETE)
        return code


def preview(session: Session, *, detailed_exitcode: bool = False, out: PlanOut | None = None) -> int:
    """``tapctl plan --destroy``: show what a destroy would remove and keep, and why it would be refused.

    ``out``: write it as a file to approve, too.
    """
    inventory = take_inventory(session)
    inventory = replace(inventory, known_uses=_known_uses(session, inventory))
    plan = _plan(session, inventory)
    inventory = _with_ends(session, inventory, approved=out is not None)
    session.screen.plan(plan, removing=True)
    _show_estimate(session, inventory, plan)
    _tell_of_ends(session, inventory)
    _tell_of_lost_data(session, inventory)
    _tell_of_theirs(session, inventory)
    going, kept = len(inventory.to_delete), len(inventory.retained)
    counts = {"remove": going, "kept": kept}
    summary = f"{going} to remove · {kept} kept already{_count_of_theirs(inventory)}"
    protection = _protection(session) or _protection_by_record(session, inventory)
    theirs = [*_refusals(session, inventory, inventory.others)]
    blocked = bool(protection or plan.blocked or theirs)
    publish(session, _seal(session, inventory, plan, out), out, blocked=blocked)
    if protection:
        error = _protected(session, protection)
        session.screen.error(error, NOTHING_CHANGED)
        return session.finish(Status.BLOCKED, error.exit_code, counts, summary)
    if plan.blocked:
        return session.finish(Status.BLOCKED, show_blockers(session, plan), counts, summary)
    inventory.unasked.tell(session.screen)
    inventory.unidentified.warn(session.screen, session.suffix)
    for incomplete in (inventory.unasked, inventory.unidentified):
        counts, summary = counts | incomplete.counts, f"{summary}{incomplete.words}"
    if theirs:
        for error in theirs:
            session.screen.error(error, NOTHING_CHANGED)
        not_ours = len(inventory.foreign) + len(inventory.others) + len(inventory.overwritten)
        return session.finish(None, ExitCode.REFUSED, counts, f"{summary} · {not_ours} not ours")
    unread = ExitCode.worst([inventory.unasked.code, inventory.unidentified.code])
    code = ExitCode.DIFFERENT if detailed_exitcode and going else unread
    return session.finish(None, code, counts, summary)


def _finish_unasked(session: Session, inventory: Inventory) -> int:
    """End a destroy that found nothing to remove, and could not ask everywhere: it neither records nor certifies that.

    What it wrote would be the history by which the next look takes the copy for gone.
    """
    inventory.unasked.tell(session.screen)
    refused = [*_refusals(session, inventory, inventory.others)]
    for error in refused:
        session.screen.error(error, NOTHING_CHANGED)
    code = ExitCode.REFUSED if refused else inventory.unasked.code
    summary = f"{NOTHING_CHANGED}{inventory.unasked.words}"
    return session.finish(Status.INCOMPLETE, code, inventory.unasked.counts, summary)


def _seal(session: Session, inventory: Inventory, plan: Plan, out: PlanOut | None = None) -> PlanFile:
    """Make the plan file of this destroy, with its hashes; what is kept already is no part of it."""
    going = replace(plan, changes=tuple(each for each in plan.changes if each.address not in inventory.retained))
    ends = (*inventory.filters, *shown_subscriptions(session, inventory.ending))
    return seal(session, going, inventory.manifest, permits=NO_PERMITS, networking={}, destroy=True, ends=ends, out=out)


def _with_ends(session: Session, inventory: Inventory, *, approved: bool) -> Inventory:
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


def _tell_of_ends(session: Session, inventory: Inventory) -> None:
    tell_of_ended_subscriptions(session, inventory.ending)
    tell_of_ended_filters(session, inventory.filters)


def _show_estimate(session: Session, inventory: Inventory, plan: Plan) -> None:
    """Show how long the destroy usually takes, where it is carried out."""
    going = {address: each for address, each in inventory.deletions.items() if address in inventory.to_delete}
    if not going or plan.blocked:
        return
    durations = session.read_durations()
    graph = deletion_graph(going.values(), teardown_ranks())
    usual = usual_times(durations, dict.fromkeys(going, Operation.DELETE))
    session.screen.estimate(estimate_command(durations, Operation.DELETE).then(estimate(graph, usual)))


# -- the plan ----------------------------------------------------------------------------------------------------------


def _plan(session: Session, inventory: Inventory) -> Plan:
    """List what is deleted and what is kept; a blocked resource stops everything before the first changing call."""
    due = _snapshot_due(inventory)
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
                else _noted(deletion.reconciler.removal_note(observation, snapshot_due=due), inventory, address)
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


def _known_uses(session: Session, inventory: Inventory) -> dict[str, str]:
    """Ask what is known of others' use of what goes; of nothing, where a final snapshot keeps the key."""
    if _snapshot_due(inventory):
        return {}
    going = inventory.present.keys() - inventory.retained.keys()
    told = {
        address: inventory.deletions[address].reconciler.known_use(session.aws, inventory.present[address])
        for address in going
    }
    return {address: text for address, text in told.items() if text}


def _noted(text: str, inventory: Inventory, address: str) -> str:
    """The text, with what is known of others' use of this resource."""
    return "; ".join(filter(None, (text, inventory.known_uses.get(address, ""))))


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
            return _protected(session, f"{address}: {reason}")
        return undeletable_error(session, address, reason, observation)
    if _is_recorded_protected(deletion) and not observation.deleting:
        return _protected(
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


def _is_recorded_protected(deletion: Deletion) -> bool:
    """True if an apply has left the resource protected: what somebody has switched off since is no word of ours."""
    confirmed = (deletion.entry.confirmed_spec if deletion.entry else None) or {}
    return any(confirmed.get(name) is True for name in deletion.reconciler.protection_fields)


def _protection(session: Session) -> str:
    """Tell if its file protects the environment; empty if it does not, or is gone."""
    if isinstance(session.loaded, ConfigError) or not session.loaded.protected:
        return ""
    return f"{session.target.env}.toml: protected = true"


def _protection_by_record(session: Session, inventory: Inventory) -> str:
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


def _protected(session: Session, evidence: str) -> Refused:
    file = f"{session.target.env}.toml"
    gone = isinstance(session.loaded, ConfigError)
    first = f"put {file} back with protected = false" if gone else f"set protected = false in {file}"
    return Refused(
        f"{session.suffix} is protected; it is not destroyed in one step",
        evidence=evidence,
        hint=f"{first}, {session.command('apply')}, then run this again",
    )


def _left_error(session: Session, foreign: tuple[str, ...]) -> Refused:
    """Refuse what bears our tags and no name of ours: a restored copy of the cluster, or what somebody has tagged."""
    count = "a resource bears" if len(foreign) == 1 else f"{len(foreign)} resources bear"
    return Refused(
        f"{count} the tags of {session.suffix} and none of its names; tapctl never touches such a thing",
        evidence="\n".join(foreign),
        hint=f"see whose it is: remove it yourself, or take its tag {SUFFIX_TAG} away; then run this again",
    )


def _others_error(session: Session, others: Mapping[str, str]) -> Refused:
    """Refuse what bears our names, and is another one than ours; ``others``: as in `Inventory`."""
    count = "a resource bears" if len(others) == 1 else f"{len(others)} resources bear"
    return Refused(
        f"{count} a name of {session.suffix}, and no run of tapctl has made that; it was left untouched",
        evidence="\n".join(f"{address}: {told}" for address, told in sorted(others.items())),
        hint="see whose it is: remove it yourself, or let its tags say that it is another's; then run this again",
    )


def _overwritten_error(session: Session, overwritten: Mapping[str, str]) -> Refused:
    """Refuse what may be ours, but for one tag; ``overwritten``: as in `Inventory`."""
    count = "a resource bears" if len(overwritten) == 1 else f"{len(overwritten)} resources bear"
    return Refused(
        f"{count} a name of {session.suffix} and its tags {SUFFIX_TAG} and {ENVIRONMENT_TAG}, and another {OWNER_TAG}; "
        "nothing tells whose that is, and it was left untouched",
        evidence="\n".join(f"{address}: {told}" for address, told in sorted(overwritten.items())),
        hint=f"where automation has overwritten {OWNER_TAG}, put the record back, or set that tag back to "
        f"{MANAGED_BY}; where it is another's, let its other tags say so, too; then run this again",
    )


def _refusals(
    session: Session, inventory: Inventory, others: Mapping[str, str], anew: tuple[str, ...] = ()
) -> Iterator[Refused]:
    """The refusals of what is left since it is not ours; ``anew``: as in `Swept`."""
    if inventory.foreign:
        yield _left_error(session, inventory.foreign)
    if others:
        yield _others_error(session, others)
    if inventory.overwritten:
        yield _overwritten_error(session, inventory.overwritten)
    if anew:
        yield _anew_error(session, anew)


def _anew_error(session: Session, anew: tuple[str, ...]) -> Refused:
    """Refuse what somebody has made anew, under our names and without our tags, while the destroy ran."""
    return Refused(
        f"somebody has made anew, without the tags of {session.suffix}, what this run has removed",
        evidence="\n".join(sorted(anew)),
        hint="see whose it is, and remove it yourself where nobody needs it: its name is one of ours",
    )


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


def _snapshot_due(inventory: Inventory) -> bool:
    """True if this destroy takes a final snapshot."""
    return any(
        inventory.deletions[address].reconciler.takes_final_snapshot(observed, inventory.deletions[address].last)
        for address, observed in inventory.present.items()
    )


def _tell_of_lost_data(session: Session, inventory: Inventory) -> bool:
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


def _tell_of_theirs(session: Session, inventory: Inventory) -> None:
    """Warn of what bears a name of ours and is somebody else's: nobody is to take it for removed."""
    for address, evidence in sorted(inventory.theirs.items()):
        session.screen.warn(f"{address} bears a name of {session.suffix}, and is not ours: it is left ({evidence})")


def _count_of_theirs(inventory: Inventory) -> str:
    """The words for the verdict on what is told by `_tell_of_theirs`; empty where that is nothing."""
    return f" · {len(inventory.theirs)} of its names not ours" if inventory.theirs else ""


def _went_outside(inventory: Inventory, address: str) -> bool:
    """True if somebody else has removed, or is removing, what the record holds as made."""
    observation, entries = inventory.observations[address], inventory.manifest.entries
    if not isinstance(observation, Absent) and not (isinstance(observation, Observed) and observation.deleting):
        return False
    entry = entries.get(address)
    if entry is None or entry.phase not in (Phase.MADE, Phase.MAKING) or entry.confirmed_spec is None:
        return False
    return not is_deleted_with_parent(entry, entries)


def _removed_outside(inventory: Inventory) -> Iterator[str]:
    for address, deletion in inventory.deletions.items():
        if _went_outside(inventory, address):
            yield from (address, *deletion.subresources)


def confirm_destroy(session: Session, confirm: str | None, *, due: bool, loses: bool) -> bool:
    """Ask the user; True if the answer is yes.

    At a terminal the suffix has to be typed, whatever flags there are but ``--yes``. Without one ``--yes`` is needed,
    and ``--confirm`` too where a final snapshot is ``due`` or no environment was named.

    Raises:
        UsageError: ``--confirm`` names another environment, or a flag is missing.
    """
    invocation, suffix = session.invocation, session.suffix
    if confirm is not None and confirm not in {suffix, session.target.env}:
        raise UsageError(
            f"--confirm {confirm} does not name this environment",
            hint=f"to destroy it: {session.command('destroy')} --confirm {suffix}",
        )
    if invocation.interactive and not invocation.yes:
        cost = " Its data is lost." if loses else ""
        return session.screen.ask(f"Destroy {suffix}?{cost} Type its name:", suffix)
    named = confirm is not None or not (due or not invocation.target_is_explicit)
    if invocation.yes and named:
        return True
    missing = " ".join([*([] if invocation.yes else ["--yes"]), *([] if named else [f"--confirm {suffix}"])])
    cause = "there is a question and no terminal to answer it"
    if not named:
        why = f"a final snapshot of {suffix} is due" if due else f"nothing on the command line names {suffix}"
        cause = f"{why}: its destroy wants --confirm {suffix}"
    raise UsageError(
        cause,
        evidence=f"Destroy {suffix}?",
        hint=f"look at what goes and what is kept above, then run: {invocation.command} {missing}",
    )


# -- how it ended ------------------------------------------------------------------------------------------------------


def report_destroy(
    session: Session,
    runner: EngineRunner,
    inventory: Inventory,
    swept: Swept,
    earlier: EarlierCertificate | None = None,
) -> int:
    """Show the certificate and the verdict, and write the record; returns the exit status."""
    outcome = runner.outcome
    ended: list[Failed | Detached | Skipped] = [*outcome.failed, *outcome.detached, *outcome.skipped]
    undone = {event.address for event in ended} | {*swept.remaining, *swept.anew, *swept.others}
    undone |= {*inventory.foreign, *inventory.overwritten}
    proof = replace(
        _certificate(session, runner, inventory, undone),
        swept=swept.unseen is None,
        not_read=frozenset(swept.unidentified.by_address),
    )
    lasting, copies = _snapshots_left(session, runner, undone, proof.retained, earlier=earlier)
    proof = replace(proof, retained={**lasting, **proof.retained})
    counts = {"deleted": len(deleted(runner, existing(inventory))), "kept": len(proof.retained), "left": len(undone)}
    summary = (
        f"{counts['deleted']} removed · {counts['kept']} kept · {counts['left']} left{_count_of_theirs(inventory)}"
        f"{inventory.unasked.words}{swept.unidentified.words}"
    )
    counts |= inventory.unasked.counts | swept.unidentified.counts
    certified = _certified(session, proof, earlier)
    if not outcome.ok:
        counts |= runner.changed_in_part
        return session.finish(Status.NOT_DESTROYED, runner.report_failures(), counts, summary)
    if swept.unseen is not None:
        session.screen.error(swept.unseen, "what stands above is so; what else is left could not be looked for")
        unseen = f"{summary} · what else is left was not looked for"
        return session.finish(Status.NOT_DESTROYED, ExitCode.NOT_CONVERGED, counts, unseen)
    if swept.remaining:
        for address in sorted(swept.remaining):
            state = swept.remaining[address]
            session.screen.warn(f"left: {address}{f' ({state})' if state else ''}")
        return session.finish(Status.NOT_DESTROYED, ExitCode.NOT_CONVERGED, counts, summary)
    if inventory.version is not None or proof.records():
        # What an apply has left undone is of no account any more.
        runner.journal.update(restoring="")
        try:
            runner.journal.flush()
        except StoreFailed as error:
            return session.finish(Status.NOT_RECORDED, runner.report_unsaved(error), counts, summary)
    if not certified:
        return session.finish(Status.NOT_CERTIFIED, StoreFailed.exit_code, counts, summary)
    refused = [*_refusals(session, inventory, swept.others, swept.anew)]
    for refusal in refused:
        session.screen.error(refusal, "all that is ours is gone, or kept as told above")
    if refused:
        return session.finish(Status.NOT_DESTROYED, ExitCode.REFUSED, counts, summary)
    return _finish_gone(session, swept, copies, counts, summary)


def _finish_gone(session: Session, swept: Swept, copies: _Copies, counts: Mapping[str, int], summary: str) -> int:
    """End a destroy after which nothing of ours was found, as far as tags and copies of the data could be read."""
    counts, summary = {**counts, **copies.counts}, f"{summary}{copies.words}"
    if swept.unidentified or copies.unseen:
        return session.finish(Status.INCOMPLETE, ExitCode.INCOMPLETE, counts, summary)
    return session.finish(Status.DESTROYED, ExitCode.OK, counts, f"{summary} · nothing else of ours is left")


def _earlier_certificate(session: Session) -> EarlierCertificate | None:
    """Read the certificate that an earlier destroy has left, and say if it is none, before anything is removed.

    Raises:
        StoreFailed: what is in its place cannot be read, and so not be replaced by this destroy's.
    """
    text = session.store.get_sidecar(session.suffix, NAME)
    if text is None:
        return None
    before = earlier_certificate(text, session.target, session.claimant.may_have_name)
    if before is None:
        session.screen.warn(f"the certificate beside the record is none of {session.suffix}: it is not continued")
    return before


def _certified(session: Session, proof: Certificate, before: EarlierCertificate | None) -> bool:
    """Show the certificate, and keep it beside the manifest; returns True if that could be done."""
    if not proof.records():
        return True
    write_error = None
    stays = before is not None and proof.is_no_more_than(before)
    if before is not None:
        proof = proof.continuing(before)
    try:
        # A run that had nothing left to remove leaves the certificate of the one that did, as long as that is so.
        if before is None or (not stays and (proof.deleted or proof.remaining)):
            session.store.put_sidecar(session.suffix, NAME, proof.text())
        elif not before.keeps_as(proof):
            session.store.put_sidecar(session.suffix, NAME, proof.renewing(before).text())
    except StoreFailed as error:
        write_error = error
    session.screen.table(COLUMNS, proof.rows(), proof.records())
    if write_error is not None:
        session.screen.error(write_error, "the certificate is what stands above, and what it says is so")
    return write_error is None


def existing(inventory: Inventory) -> set[str]:
    """The addresses of everything that was there, with what goes with it."""
    return {*inventory.present, *inventory.to_delete}


def deleted(runner: EngineRunner, among: set[str]) -> tuple[str, ...]:
    """The addresses among these whose deletion has finished."""
    finished = runner.outcome.finished.values()
    return tuple(event.address for event in finished if event.result is Result.DELETED and event.address in among)


@dataclass(frozen=True)
class _Copies:
    """The copies of the data that are left beside its final snapshot, as a verdict counts them."""

    of_data: int = 0
    alike: int = 0
    """The number of snapshots that bear the cluster's name or tags, and may be copies."""
    unseen: bool = False
    """True if AWS did not let us look for them."""

    @property
    def counts(self) -> dict[str, int]:
        """The look that failed, for the counts of a verdict; empty where none did."""
        return {"copies_not_seen": 1} if self.unseen else {}

    @property
    def words(self) -> str:
        """The words for the verdict; empty where nothing is left."""
        if self.unseen:
            return " · copies of its data were not looked for"
        counted = (
            (self.of_data, "copy of its data is", "copies of its data are"),
            (self.alike, "snapshot of its name or tags is", "snapshots of its name or tags are"),
        )
        return "".join(f" · {count} {one if count == 1 else more} left" for count, one, more in counted if count)


def _snapshots_left(
    session: Session,
    runner: EngineRunner,
    undone: Collection[str],
    retained: Mapping[str, Retained],
    *,
    earlier: EarlierCertificate | None,
) -> tuple[Mapping[str, Retained], _Copies]:
    """The snapshots that the cluster's removal has left, where an earlier destroy did that, and copies of the data.

    With the number of copies, under whatever key. ``retained``: by this run. Nothing but the certificate tells of
    copies that other keys encrypt, and ``earlier`` one of which data they are, where the snapshot itself is gone: that
    is told. Where AWS does not let us look, what that one has kept stays certified, as not seen.
    """
    cluster, left = f"{DbCluster.type}/{session.names.cluster}", dict[str, Retained]()
    try:
        if cluster not in undone and cluster not in runner.outcome.finished:
            left |= snapshots_left(session.aws, session.names.cluster, session.owner)
        if cluster in undone:
            return left, _Copies()
        kept = (place.partition("/") for place in (*left, *retained))
        final = {name for type_, _, name in kept if type_ == SNAPSHOT}
        names = final | {name for one in retained.values() for name in copies_named(one.why)}
        before = earlier.snapshots | earlier.decrypted if earlier is not None else frozenset()
        there = lasting_snapshots(session.aws)
        for name in sorted(before - there.keys()):
            session.screen.warn(f"{name} is gone, which an earlier destroy has kept: no destroy removes one")
        kept_before = names | (before - there.keys())
        copies = dict(copies_under_other_keys(there, kept_before, session.names.cluster, session.owner))
        for place in sorted(copies.keys() - (earlier.kept.keys() if earlier is not None else set())):
            session.screen.warn(
                f"{place} is there: {copies[place].why}; it is certified now, and drift takes it for meant: if nobody "
                "means it, delete it"
            )
        left |= copies
        data = data_in(kept_before, there)
        of_data = {name for name, one in there.items() if name not in final and one.resource_id.lower() in data}
        alike = {name for _, _, name in (place.partition("/") for place in copies)} - of_data
    except AwsError as error:
        add_default_hint(error)
        session.screen.warn(
            f"the snapshots that are kept of {session.names.cluster} could not be seen: "
            f"{'; '.join(filter(None, (error.cause, error.hint)))}"
        )
        unseen = earlier.unseen_snapshots() if earlier is not None else {}
        return {**unseen, **left}, _Copies(unseen=True)
    return left, _Copies(len(of_data), len(alike))


def _certificate(session: Session, runner: EngineRunner, inventory: Inventory, undone: set[str]) -> Certificate:
    finished, target = runner.outcome.finished.values(), session.target
    # Resources that an interrupted destroy left to AWS may have been deleted before this one looked.
    recorded = {address for address, entry in inventory.manifest.entries.items() if entry.phase is not Phase.MAKING}
    gone, topic = deleted(runner, (existing(inventory) | recorded) - undone), f"{SnsTopic.type}/{session.names.topic}"
    return Certificate(
        environment=target.env,
        suffix=target.suffix,
        account=target.account,
        region=target.region,
        run=session.id,
        by=target.identity,
        at=now(),
        deleted=gone,
        outside=frozenset(_removed_outside(inventory)),
        retained={
            event.address: replace(event.retained, why=_noted(event.retained.why, inventory, event.address))
            for event in finished
            if event.retained is not None
        },
        remaining=tuple(undone),
        ended=frozenset(
            [
                *(one for one in inventory.filters if f"{LogGroup.type}/{split_filter(one)[0]}" in gone),
                *(shown_subscriptions(session, inventory.ending) if topic in gone else ()),
            ]
        ),
    )
