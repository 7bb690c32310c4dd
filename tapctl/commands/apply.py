"""``tapctl apply``: show the plan, ask, make it so, read it back, write the manifest."""

from __future__ import annotations

from tapctl.commands.plan import ApplySurvey, plan_counts, show_blockers, survey, verdict
from tapctl.commands.runner import EngineRunner, ExecutionResult
from tapctl.config.types import did_you_mean
from tapctl.engine.converge import Job
from tapctl.engine.events import Result
from tapctl.engine.plan import Action, Plan
from tapctl.engine.resources import Deletion, creation_graph, deletion_graph
from tapctl.errors import AwsRefused, StoreFailed, UsageError
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import recorded_spec, registry, subresources_of
from tapctl.session.session import Session
from tapctl.stack.definition import RANKS


def apply(
    session: Session, *, adopted: tuple[str, ...] = (), allowed: tuple[str, ...] = (), reboot: bool = False
) -> int:
    """Make the environment what its configuration says.

    ``adopted``: addresses of what is somebody else's and is taken over. ``allowed``: of what holds data and may be
    removed. ``reboot``: what waits for a reboot gets it.
    """
    with session.lock() as lease:
        found = survey(session, adopted=adopted, allowed=allowed, reboot=reboot)
        _check_adopted(session, adopted, [one.address for one in found.stack])
        session.screen.plan(found.plan)
        if found.plan.blocked:
            return verdict(
                session, "BLOCKED", show_blockers(session, found.plan), plan_counts(found.plan), "nothing was changed"
            )
        if found.plan.work and not confirm(session, f"Apply this to {session.suffix}?"):
            return verdict(session, "CANCELLED", 6, {}, "nothing was changed")
        journal = session.journal(found.manifest, found.version)
        journal.update(networking=found.network.model_dump(mode="json"))
        journal.put(*found.plan.confirmed)
        journal.drop(*found.plan.forgotten)
        runner = EngineRunner(session, journal, lease)
        runner.context.outputs.update({here: dict(outputs) for here, outputs in found.plan.outputs.items()})
        outcome = _execute(runner, found)
        if not outcome.ok or outcome.signal is not None:
            return verdict(
                session,
                "NOT CONVERGED",
                runner.report_failures(),
                result_counts(outcome, found.plan),
                failure_counts(outcome),
            )
        try:
            journal.flush()
        except StoreFailed as error:
            return verdict(
                session, "NOT RECORDED", runner.report_unsaved(error), result_counts(outcome, found.plan), "all is made"
            )
        return _converged(session, found, outcome)


def _check_adopted(session: Session, adopted: tuple[str, ...], wanted: list[str]) -> None:
    """Hold what is to be taken over against what is wanted: a slip must not pass for a permission.

    Raises:
        UsageError: it is no address of this stack.
    """
    for one in adopted:
        if one not in wanted:
            raise UsageError(
                f"--adopt {one} names nothing that this stack has{did_you_mean(one, wanted)}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )


def confirm(session: Session, question: str) -> bool:
    """Whether the user agrees; ``--yes`` is an answer.

    Raises:
        UsageError: nobody is there to answer.
    """
    if session.invocation.yes:
        return True
    if not session.invocation.interactive:
        raise UsageError(
            "there is a question and no terminal to answer it",
            evidence=question,
            hint=f"look at the plan above, then run: {session.invocation.command} --yes",
        )
    return session.screen.ask(f"{question} Type yes:", "yes")


def _execute(runner: EngineRunner, found: ApplySurvey) -> ExecutionResult:
    plan, entries = found.plan, found.manifest.entries
    changing = {one.address: one for one in plan.work if one.action is not Action.DELETE}
    jobs = {here: Job(found.stack[here], change, entries.get(here)) for here, change in changing.items()}
    outcome = runner.outcome
    if jobs:
        outcome = runner.converge(creation_graph(job.resource for job in jobs.values()), jobs)
    going = plan.to(Action.DELETE)
    if going and outcome.ok and outcome.signal is None:
        # Only when everything new is there: what was superseded may still be in use until then.
        deletions = planned_deletions([one.address for one in going], found.manifest)
        outcome = runner.remove(deletion_graph(deletions.values(), RANKS), deletions)
    return outcome


def planned_deletions(addresses: list[str], manifest: Manifest) -> dict[str, Deletion]:
    """The deletions of the recorded resources at these addresses, but for those that go with another of them."""
    reconcilers = registry()
    deletions = {}
    dying = {facet for here in addresses for facet in subresources_of(manifest.entries[here], manifest, reconcilers)}
    for here in addresses:
        if here in dying:
            continue
        entry = manifest.entries[here]
        reconciler = reconcilers[entry.type]
        facets = subresources_of(entry, manifest, reconcilers)
        deletions[here] = Deletion(here, reconciler, entry.id, recorded_spec(entry, reconciler), entry, facets)
    return deletions


def result_counts(outcome: ExecutionResult, plan: Plan) -> dict[str, int]:
    counts = {result.value: outcome.count(result) for result in Result}
    counts["unchanged"] += len(plan.changes) - len(plan.work)
    counts["failed"], counts["skipped"] = len(outcome.failed), len(outcome.skipped)
    return {name: count for name, count in counts.items() if count}


def failure_counts(outcome: ExecutionResult) -> str:
    return f"{len(outcome.failed)} failed · {len(outcome.skipped)} not tried · {len(outcome.detached)} left"


def _converged(session: Session, found: ApplySurvey, outcome: ExecutionResult) -> int:
    total = sum(len(one.reconciler.spec.model_fields) for one in found.stack)
    unread = [action for one in found.plan.changes for action in one.unreadable.values()]
    unread += [action for one in outcome.finished.values() for action in one.unreadable]
    counts = result_counts(outcome, found.plan)
    said = [f"{count} {name}" for name, count in counts.items()]
    calls = sum(session.aws.call_log.calls.values())
    summary = " · ".join([*said, f"{total - len(unread)}/{total} fields read back", f"{calls} API calls"])
    if not unread:
        return verdict(session, "CONVERGED", 0, counts, summary)
    service, _, operation = unread[0].partition(":")
    denied = AwsRefused(service, operation, "AccessDenied", f"{len(unread)} fields could not be read back")
    denied.hint = f"allow {', '.join(sorted(set(unread)))}, then run the same command again"
    session.screen.error(denied, "everything that was asked for was accepted by AWS; the manifest is up to date")
    return verdict(session, "INCOMPLETE", 4 if session.aws.call_log.accepted else 6, counts, summary)
