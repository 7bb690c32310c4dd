"""``tapctl destroy``: show what goes and what is kept, ask, delete in reverse order, prove that nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tapctl.engine.delete import is_another
from tapctl.engine.estimate import Operation, estimate, estimate_command
from tapctl.engine.events import Detached, Failed, Result, Skipped
from tapctl.engine.model import Impact, Observed, Retained
from tapctl.engine.observe import Observation, Unreadable
from tapctl.engine.plan import Plan
from tapctl.engine.record import Phase
from tapctl.engine.resources import deletion_graph
from tapctl.errors import AwsError, ExitCode, Status, StoreFailed, UsageError
from tapctl.evidence.certificate import Certificate, EarlierCertificate, certify, read_earlier
from tapctl.evidence.doubtful_record import warn_of_doubtful_record
from tapctl.evidence.record_fingerprint import fingerprint_left, is_other_record, take_fingerprint
from tapctl.evidence.remaining_snapshots import Copies, remaining_snapshots
from tapctl.evidence.unread_tags import Unidentified
from tapctl.execution.runner import EngineRunner, usual_times
from tapctl.manifest.manifest import now
from tapctl.planning.approval import NO_APPROVAL, Approval
from tapctl.planning.blockers import NOTHING_CHANGED, show_blockers
from tapctl.planning.destroy_plan import (
    is_snapshot_due,
    known_uses,
    noted,
    plan_destroy,
    protected_error,
    protection_by_file,
    protection_by_record,
    removed_outside,
    seal_destroy,
    tell_of_forgotten,
    tell_of_lost_data,
    with_ends,
)
from tapctl.planning.foreign_resources import count_of_theirs, foreign_refusals, tell_of_theirs
from tapctl.planning.inventory import Inventory, leftovers, refresh, take_inventory
from tapctl.planning.log_filters import tell_of_ended_filters
from tapctl.planning.plan_file import PlanOut, publish
from tapctl.planning.subscribers import shown_subscriptions, tell_of_ended_subscriptions
from tapctl.reconcilers import teardown_ranks
from tapctl.reconcilers.kms_key import KmsKey, copies_named
from tapctl.reconcilers.log_group import LogGroup, split_filter
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.render.values import counted
from tapctl.session.session import Session


def destroy(session: Session, *, confirm: str | None = None, approval: Approval = NO_APPROVAL) -> int:
    """Delete one environment.

    Raises:
        PlanOutdated: something else was approved than would be done now.
    """
    if protection := protection_by_file(session):
        raise protected_error(session, protection)
    with session.lock() as lease:
        approval.check_target(session)
        earlier = read_earlier(session)
        inventory = take_inventory(session)
        if protection := protection_by_record(session, inventory):
            raise protected_error(session, protection)
        _warn_of_other_record(session, inventory)
        inventory = replace(inventory, known_uses=known_uses(session, inventory))
        plan = plan_destroy(session, inventory)
        inventory = with_ends(session, inventory, approved=approval.binds)
        approval.check(session, seal_destroy(session, inventory, plan), inventory.manifest, inventory.retained)
        session.screen.plan(plan, removing=True)
        _show_estimate(session, inventory, plan)
        if plan.blocked:
            return session.finish(Status.BLOCKED, show_blockers(session, plan), {}, NOTHING_CHANGED)
        inventory.unidentified.warn(session.screen, session.suffix)
        if inventory.unasked.code:
            return _finish_unasked(session, inventory)
        inventory.unasked.warn(session.screen)
        _tell_of_ends(session, inventory)
        due = tell_of_lost_data(session, inventory) or is_snapshot_due(inventory)
        for address in inventory.foreign:
            session.screen.warn(f"{address} bears the tags of {session.suffix} and none of its names: it is left")
        tell_of_theirs(session, inventory)
        tell_of_forgotten(session, inventory)
        loses = bool(plan.impacts[Impact.DATA_LOSS.key])
        asks = bool(inventory.to_delete or inventory.forgotten)
        question = _question(session, inventory, loses=loses)
        if asks and not confirm_destroy(session, approval.suffix or confirm, question, due=due):
            return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
        if session.invocation.interactive:
            # While the question was open somebody may have protected it: no instance may go before its cluster may.
            plan = plan_destroy(session, refresh(session, inventory))
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
    session.warn_of_run(session.run_under_way())
    inventory = take_inventory(session)
    _warn_of_other_record(session, inventory)
    inventory = replace(inventory, known_uses=known_uses(session, inventory))
    plan = plan_destroy(session, inventory)
    inventory = with_ends(session, inventory, approved=out is not None)
    session.screen.plan(plan, removing=True)
    _show_estimate(session, inventory, plan)
    _tell_of_ends(session, inventory)
    tell_of_lost_data(session, inventory)
    tell_of_theirs(session, inventory)
    tell_of_forgotten(session, inventory)
    going, kept = len(inventory.to_delete), len(inventory.retained)
    counts = {"remove": going, "kept": kept}
    summary = f"{going} to remove · {kept} kept already"
    if inventory.forgotten:
        counts["not_there"] = len(inventory.forgotten)
        summary += f" · {counts['not_there']} not there"
    summary += count_of_theirs(inventory)
    protection = protection_by_file(session) or protection_by_record(session, inventory)
    theirs = [*foreign_refusals(session, inventory, inventory.others)]
    blocked = bool(protection or plan.blocked or theirs)
    publish(session, seal_destroy(session, inventory, plan, out), out, blocked=blocked)
    if protection:
        error = protected_error(session, protection)
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


def _warn_of_other_record(session: Session, inventory: Inventory) -> None:
    """Say that somebody has written into the record, where the key bears the fingerprint of another one."""
    left = fingerprint_left(session.names, inventory.observations)
    if is_other_record(inventory.manifest, left):
        warn_of_doubtful_record(session, inventory.manifest, inventory.observations, left)


def _finish_unasked(session: Session, inventory: Inventory) -> int:
    """End a destroy that found nothing to remove, and could not ask everywhere: it neither records nor certifies that.

    What it wrote would be the history by which the next look takes the copy for gone.
    """
    inventory.unasked.tell(session.screen)
    refused = [*foreign_refusals(session, inventory, inventory.others)]
    for error in refused:
        session.screen.error(error, NOTHING_CHANGED)
    code = ExitCode.REFUSED if refused else inventory.unasked.code
    summary = f"{NOTHING_CHANGED}{inventory.unasked.words}"
    return session.finish(Status.INCOMPLETE, code, inventory.unasked.counts, summary)


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


def _question(session: Session, inventory: Inventory, *, loses: bool) -> str:
    """The question of a destroy, with what it costs; ``loses``: the data, too."""
    costs = ["Its data is lost."] if loses else []
    if inventory.forgotten:
        costs.append(f"Its record loses {counted(len(inventory.forgotten), 'resource')} that AWS does not have.")
    return " ".join([f"Destroy {session.suffix}?", *costs])


def confirm_destroy(session: Session, confirm: str | None, question: str, *, due: bool) -> bool:
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
        return session.screen.ask(f"{question} Type its name:", suffix)
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
        evidence=question,
        hint=f"look at what goes, what is kept and what is lost above, then run: {invocation.command} {missing}",
    )


# -- the sweep ---------------------------------------------------------------------------------------------------------


def delete_inventory(runner: EngineRunner, inventory: Inventory) -> None:
    """Delete all of the inventory, in order."""
    runner.remove(deletion_graph(inventory.deletions.values(), teardown_ranks()), inventory.deletions)


@dataclass(frozen=True)
class Swept:
    """The addresses of what is there after the sweep."""

    remaining: Mapping[str, str]
    """Address to state, in AWS's words, of each resource that is ours, or may be."""
    anew: tuple[str, ...]
    """Addresses of resources that this run had removed, and somebody has made anew without our tags."""
    others: Mapping[str, str] = field(default_factory=dict)
    """As in `Inventory`, with what bears the name and the tags of what this run has removed, and is another one."""
    unseen: AwsError | None = None
    """The reason why nobody could look; None where it was looked."""
    unidentified: Unidentified = field(default_factory=Unidentified)
    """As in `Inventory`."""


NOTHING_LEFT: Final = Swept({}, ())
_SWEEPS: Final = 2
"""The number of times recreated resources are deleted again. After that their writer is none that we manage."""


def sweep(session: Session, runner: EngineRunner, inventory: Inventory) -> Swept:
    """Search again, by tags and at every deleted id, and delete what AWS recreated; returns what is there then.

    Raises:
        AwsError: AWS tells nothing, and nothing was removed either; else that is told with what was.
    """
    try:
        return _sweep(session, runner, inventory)
    except AwsError as error:
        if not session.aws.call_log.accepted:
            raise
        return Swept({}, (), inventory.others, error, inventory.unidentified)


def _sweep(session: Session, runner: EngineRunner, inventory: Inventory) -> Swept:
    found, anew, unidentified = leftovers(session, runner.outcome.finished, inventory)
    others = dict(inventory.others)
    for _ in range(_SWEEPS):
        remaining = {address: found[address] for address in found.keys() - others.keys()}
        others |= {
            address: "made, or tagged, since this run has looked"
            for address, (deletion, observation) in remaining.items()
            if is_another(deletion.reconciler, inventory.observations.get(address), observation)
        }
        deletions = {
            address: replace(deletion, entry=None, last=_spec(observation))
            for address, (deletion, observation) in remaining.items()
            if address not in others
        }
        if not deletions:
            break
        observations = {address: remaining[address][1] for address in deletions}
        delete_inventory(runner, replace(inventory, deletions=deletions, observations=observations, retained={}))
        found, anew, unidentified = leftovers(session, runner.outcome.finished, inventory)
    left = {address: _state(observation) for address, (_, observation) in found.items() if address not in others}
    return Swept(left, anew, others, unidentified=unidentified)


def _state(observation: Observation) -> str:
    denied = f"{observation.action} denied" if isinstance(observation, Unreadable) else ""
    return observation.status if isinstance(observation, Observed) else denied


def _spec(observation: Observation) -> Any:
    return observation.spec if isinstance(observation, Observed) else None


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
        _certificate(session, runner, inventory, undone, earlier),
        swept=swept.unseen is None,
        not_read=frozenset(swept.unidentified.by_address),
    )
    kept_key = _kept_key(inventory, proof.retained)
    lasting, copies = remaining_snapshots(
        session, runner.outcome.finished, undone, proof.retained, kept_key=kept_key, earlier=earlier
    )
    proof = replace(proof, retained={**lasting, **proof.retained})
    counts = {"deleted": len(deleted(runner, existing(inventory))), "kept": len(proof.retained), "left": len(undone)}
    summary = (
        f"{counts['deleted']} removed · {counts['kept']} kept · {counts['left']} left{count_of_theirs(inventory)}"
        f"{inventory.unasked.words}{swept.unidentified.words}"
    )
    counts |= inventory.unasked.counts | swept.unidentified.counts
    certified = certify(session, proof, earlier)
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
    refused = [*foreign_refusals(session, inventory, swept.others, swept.anew)]
    for refusal in refused:
        session.screen.error(refusal, "all that is ours is gone, or kept as told above")
    if refused:
        return session.finish(Status.NOT_DESTROYED, ExitCode.REFUSED, counts, summary)
    return _finish_gone(session, swept, copies, counts, summary)


def _finish_gone(session: Session, swept: Swept, copies: Copies, counts: Mapping[str, int], summary: str) -> int:
    """End a destroy after which nothing of ours was found, as far as tags and copies of the data could be read."""
    counts, summary = {**counts, **copies.counts}, f"{summary}{copies.words}"
    if swept.unidentified or copies.unseen:
        return session.finish(Status.INCOMPLETE, ExitCode.INCOMPLETE, counts, summary)
    return session.finish(Status.DESTROYED, ExitCode.OK, counts, f"{summary} · nothing else of ours is left")


def existing(inventory: Inventory) -> set[str]:
    """The addresses of everything that was there, with what goes with it."""
    return {*inventory.present, *inventory.to_delete}


def deleted(runner: EngineRunner, among: set[str]) -> tuple[str, ...]:
    """The addresses among these whose deletion has finished."""
    finished = runner.outcome.finished.values()
    return tuple(event.address for event in finished if event.result is Result.DELETED and event.address in among)


def _kept_key(inventory: Inventory, retained: Mapping[str, Retained]) -> str:
    """The ARN of the key that is kept for snapshots; empty where none is."""
    for place, observed in inventory.present.items():
        kept = retained.get(place)
        if place.partition("/")[0] == KmsKey.type and kept is not None and copies_named(kept.why) and observed.outputs:
            return str(observed.outputs.arn)
    return ""


def _certificate(
    session: Session,
    runner: EngineRunner,
    inventory: Inventory,
    undone: set[str],
    earlier: EarlierCertificate | None,
) -> Certificate:
    finished, target = runner.outcome.finished.values(), session.target
    # Resources that an interrupted destroy left to AWS may have been deleted before this one looked.
    recorded = {address for address, entry in inventory.manifest.entries.items() if entry.phase is not Phase.MAKING}
    gone, topic = deleted(runner, (existing(inventory) | recorded) - undone), f"{SnsTopic.type}/{session.names.topic}"
    # What a destroy has removed that ended is in the certificate that it has left; one that was killed has left none.
    certified = earlier.run if earlier is not None else ""
    cut_off = {place for place, run in inventory.removed_before.items() if run != certified}
    return Certificate(
        environment=target.env,
        suffix=target.suffix,
        account=target.account,
        region=target.region,
        run=session.id,
        by=target.identity,
        at=now(),
        deleted=(*gone, *sorted(cut_off - existing(inventory) - undone - {*gone})),
        outside=frozenset(removed_outside(inventory)),
        retained={
            event.address: replace(event.retained, why=noted(event.retained.why, inventory, event.address))
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
