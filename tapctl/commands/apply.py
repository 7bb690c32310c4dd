"""``tapctl apply``: show the plan, ask, make it so, read it back, write the manifest."""

from __future__ import annotations

from collections.abc import Mapping

from tapctl.commands.plan import seal_survey, show_estimate
from tapctl.engine.converge import Job
from tapctl.engine.estimate import Operation
from tapctl.engine.events import Result
from tapctl.engine.model import REBOOT
from tapctl.engine.plan import Action, Plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import creation_graph, deletion_graph
from tapctl.errors import AwsError, AwsRefused, ExitCode, Status, StoreFailed, UsageError
from tapctl.evidence.record_fingerprint import leave_fingerprint
from tapctl.execution.runner import EngineRunner, ExecutionResult
from tapctl.manifest.journal import Journal
from tapctl.manifest.lock import Lease
from tapctl.planning.approval import Approval
from tapctl.planning.blockers import NOTHING_CHANGED, show_blockers
from tapctl.planning.deletions import planned_deletions
from tapctl.planning.subscribers import tell_of_subscribers
from tapctl.planning.survey import ApplySurvey, survey
from tapctl.reconcilers import teardown_ranks
from tapctl.reconcilers.kms_key import record_gave_way
from tapctl.render.plan_counts import consequences, plan_counts
from tapctl.render.values import counted
from tapctl.session.session import Session


def apply(session: Session, approval: Approval) -> int:
    """Make the environment what its configuration says: plan, confirm, execute, read back, record.

    Raises:
        PlanOutdated: something else was approved than would be done now.
    """
    permits = approval.permits
    with session.lock() as lease:
        approval.check_target(session)
        found = survey(session, permits, approval.image_digest)  # observe everything, change nothing
        approval.check(session, seal_survey(session, found, permits), found.manifest)
        session.screen.plan(found.shown)
        session.screen.preflight(found.preflight.checks)
        show_estimate(session, found)
        healed = False
        if found.plan.healing and not (
            found.preflight.errors or approval.binds
        ):  # what is judged then was not approved
            ended = _heal(session, found, lease)
            if ended is not None:
                return ended
            healed, found = True, survey(session, permits)
            session.screen.plan(found.shown)
            session.screen.preflight(found.preflight.checks)
            show_estimate(session, found)
        if found.is_blocked:
            state = "what stands above was put in order, and nothing else changed" if healed else NOTHING_CHANGED
            code = show_blockers(session, found.plan, found.preflight.errors, state=state)
            if healed:
                code, summary = ExitCode.NOT_CONVERGED, "what the rest waits for is in order again; the rest is blocked"
                return session.finish(Status.NOT_CONVERGED, code, plan_counts(found.plan), summary)
            return session.finish(Status.BLOCKED, code, plan_counts(found.plan), NOTHING_CHANGED)
        if found.plan.work and not confirm(session, _question(session, found.plan)):
            return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
        approval.begin(session)
        runner = EngineRunner(session, _open_journal(session, found), lease)
        _execute(runner, found)  # create and update, then delete what left the stack
        ended = approval.end(session, _finish(session, found, runner))
        runner.keep_durations(Operation.CREATE)
        return ended


def _heal(session: Session, found: ApplySurvey, lease: Lease) -> int | None:
    """Make the changes that the judgement of all others waits for; the exit status if the command ends with that."""
    addresses = ", ".join(change.address for change in found.plan.healing)
    session.screen.warn(f"{addresses} goes first; the rest, of which some is blocked now, is judged after it")
    if not confirm(session, f"Put {addresses} in order, and judge the rest of {session.suffix} then?"):
        return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
    runner = EngineRunner(session, _open_journal(session, found), lease)
    runner.context.outputs.update({address: dict(outputs) for address, outputs in found.plan.outputs.items()})
    entries = found.manifest.entries
    jobs = {
        change.address: Job(found.stack[change.address], change, entries.get(change.address))
        for change in found.plan.healing
    }
    rest = (change.address for change in found.plan.work if change.address not in jobs)
    runner.converge(creation_graph(job.resource for job in jobs.values()), jobs, then=rest)
    if not runner.outcome.ok:
        return finish_failed(session, runner, _result_counts(runner.outcome, found.plan))
    runner.journal.flush()
    return None


def _question(session: Session, plan: Plan) -> str:
    """The question to the user, once for all, with what the plan takes over and what it costs."""
    taken = sum(change.adopts for change in plan.changes)
    first = f"Take over {taken} {'resource' if taken == 1 else 'resources'}, and apply" if taken else "Apply"
    costs = ", ".join(consequences(plan))
    return f"{first} this to {session.suffix}?{f' Of its resources {costs}.' if costs else ''}"


def confirm(session: Session, question: str, *, shown: str = "the plan") -> bool:
    """Ask the user about what was ``shown``; True if the answer is yes. ``--yes`` is an answer.

    Raises:
        UsageError: nobody is there to answer.
    """
    if session.invocation.yes:
        return True
    if not session.invocation.interactive:
        raise UsageError(
            "there is a question and no terminal to answer it",
            evidence=question,
            hint=f"look at {shown} above, then run: {session.invocation.command} --yes",
        )
    return session.screen.ask(f"{question} Type yes:", "yes")


def _open_journal(session: Session, found: ApplySurvey) -> Journal:
    """The journal of this apply, with what the survey has proved already."""
    journal = session.journal(found.record, found.version)
    journal.update(networking=found.network.model_dump(mode="json"))
    # Where nothing is to be recorded, nothing is written.
    journal.update(unfinished=True, restoring=found.restoring)
    entries = found.manifest.entries
    journal.put(*(entry for address, entry in entries.items() if entry != found.record.entries.get(address)))
    # Each change of an entry is said before: else it was written by somebody else.
    journal.put(*(_intent(entry, entries[entry.address]) for entry in found.plan.confirmed if entry.address in entries))
    journal.put(*found.plan.confirmed)
    journal.drop(*found.plan.forgotten)
    return journal


def _intent(entry: Entry, before: Entry) -> Entry:
    """The entry of what AWS has already, as one that an apply is about to confirm."""
    return entry.model_copy(
        update={"phase": Phase.MAKING, "confirmed": before.confirmed_spec, "outputs": before.outputs}
    )


def _execute(runner: EngineRunner, found: ApplySurvey) -> None:
    plan, entries = found.plan, found.manifest.entries
    runner.context.outputs.update({address: dict(outputs) for address, outputs in plan.outputs.items()})
    changing = {change.address: change for change in plan.work if change.action is not Action.DELETE}
    jobs = {address: Job(found.stack[address], change, entries.get(address)) for address, change in changing.items()}
    going = plan.to(Action.DELETE)
    if jobs:
        graph = creation_graph(job.resource for job in jobs.values())
        runner.converge(graph, jobs, then=[change.address for change in going])
    if going and runner.outcome.ok:
        # Only when everything new is there: what was superseded may still be in use until then.
        costs = {change.address: change.impact for change in going}
        deletions = planned_deletions([*costs], found.manifest, costs)
        runner.remove(deletion_graph(deletions.values(), teardown_ranks()), deletions)


# -- how it ended ------------------------------------------------------------------------------------------------------


def _finish(session: Session, found: ApplySurvey, runner: EngineRunner) -> int:
    """Write the record and show the verdict; returns the exit status."""
    outcome = runner.outcome
    counts = _result_counts(outcome, found.plan)
    left = "" if record_gave_way(session.aws) else found.fingerprint
    if outcome.ok:
        try:
            leave_fingerprint(session, runner.journal.manifest, left=left)
        except AwsError as error:
            if left:
                return _finish_unconfirmed(session, error, counts)
            warn_of_no_fingerprint(session, error.cause)
        runner.journal.update(unfinished=False, restoring="")
    failed = finish_failed(session, runner, counts)
    if failed is not None:
        return failed
    tell_of_subscribers(session, runner.journal.manifest.entries)
    _tell_of_reboot(session, found.plan)
    # Who else was let in is not for an apply to read: drift does.
    total = sum(
        len(resource.reconciler.spec.model_fields) - len(resource.reconciler.leaves(allowed=True))
        for resource in found.stack
    )
    unread = [action for change in found.plan.changes for action in change.unreadable.values()]
    unread += [action for finished in outcome.finished.values() for action in finished.unreadable]
    results = [f"{count} {name}" for name, count in counts.items()]
    calls = sum(session.aws.call_log.calls.values())
    summary = " · ".join(
        [*results, f"{total - len(unread)}/{counted(total, 'field')} read back", counted(calls, "API call")]
    )
    if not unread:
        return session.finish(Status.CONVERGED, ExitCode.OK, counts, summary)
    service, _, operation = unread[0].partition(":")
    denied = AwsRefused(service, operation, "AccessDenied", f"{counted(len(unread), 'field')} could not be read back")
    denied.hint = f"allow {', '.join(sorted(set(unread)))}, then run the same command again"
    session.screen.error(denied, "everything that was asked for was accepted by AWS; the manifest is up to date")
    code = ExitCode.NOT_CONVERGED if session.aws.call_log.accepted else ExitCode.REFUSED
    return session.finish(Status.INCOMPLETE, code, counts, summary)


def warn_of_no_fingerprint(session: Session, why: str) -> None:
    """Say that the key bears no fingerprint of the record, and why."""
    session.screen.warn(f"no fingerprint of the record is left on the key: {why}")


def _finish_unconfirmed(session: Session, error: AwsError, counts: Mapping[str, int]) -> int:
    """Show the verdict on an apply whose record KMS takes no fingerprint of; returns the exit status."""
    session.screen.error(error, "all is made, and its record is not confirmed")
    is_denied = isinstance(error, AwsRefused) and error.is_denied
    code = ExitCode.REFUSED if is_denied else error.exit_code
    if session.aws.call_log.accepted:
        code = ExitCode.NOT_CONVERGED
    return session.finish(Status.NOT_CONVERGED, code, counts, "the record is not confirmed")


def _tell_of_reboot(session: Session, plan: Plan) -> None:
    """Warn of values that are accepted, and not in force before the instances are rebooted, where the plan has none."""
    waiting = [
        change.address
        for change in plan.changes
        if REBOOT in {*(field.until for field in change.fields), *(value.until for value in change.pending.values())}
    ]
    if waiting and not any(change.reboots for change in plan.changes):
        session.screen.warn(
            f"not in force before a reboot: {', '.join(waiting)}; when it suits: {session.command('apply')} --reboot"
        )


def finish_failed(session: Session, runner: EngineRunner, counts: Mapping[str, int]) -> int | None:
    """Write the record; where that fails, or a resource did, show the verdict and return the exit status; else None."""
    if not runner.outcome.ok:
        counts = {**counts, **runner.changed_in_part}
        return session.finish(Status.NOT_CONVERGED, runner.report_failures(), counts, _failure_counts(runner.outcome))
    try:
        runner.journal.flush()
    except StoreFailed as error:
        return session.finish(Status.NOT_RECORDED, runner.report_unsaved(error), counts, "all is made")
    return None


def _result_counts(outcome: ExecutionResult, plan: Plan) -> dict[str, int]:
    """The numbers of resources by result, without those that are zero."""
    counts = {result.value: outcome.count(result) for result in Result}
    counts["unchanged"] += len(plan.changes) - len(plan.work)
    counts["failed"], counts["skipped"] = len(outcome.failed), len(outcome.skipped)
    return {name: count for name, count in counts.items() if count}


def _failure_counts(outcome: ExecutionResult) -> str:
    return f"{len(outcome.failed)} failed · {len(outcome.skipped)} not tried · {len(outcome.detached)} left"
