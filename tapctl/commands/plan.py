"""``tapctl plan``: show what an apply would do, and why it may not."""

from __future__ import annotations

from dataclasses import replace

from tapctl.engine import model
from tapctl.engine.estimate import Operation, estimate, estimate_command, operation_of
from tapctl.engine.plan import Action
from tapctl.engine.resources import creation_graph, deletion_graph
from tapctl.errors import (
    ExitCode,
    Status,
)
from tapctl.evidence.concurrent_run import Stored, look_between_readings
from tapctl.evidence.doubtful_record import without_blame
from tapctl.execution.runner import usual_times
from tapctl.manifest.manifest import Manifest
from tapctl.planning.blockers import show_blockers
from tapctl.planning.deletions import planned_deletions
from tapctl.planning.permits import NO_PERMITS, Permits
from tapctl.planning.plan_file import PlanFile, PlanOut, publish, seal
from tapctl.planning.survey import ApplySurvey, survey
from tapctl.reconcilers import (
    teardown_ranks,
)
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.render.plan_counts import consequences, plan_counts
from tapctl.session.session import Session


def plan(
    session: Session,
    permits: Permits = NO_PERMITS,
    *,
    detailed_exitcode: bool = False,
    out: PlanOut | None = None,
    since: Manifest | None = None,
) -> int:
    """Show what an apply would do, with these steps permitted; ``out``: write it as a file to approve, too.

    ``since``: as in `look_between_readings`.
    """
    session.warn_of_run(session.run_under_way())

    def look(stored: Stored) -> ApplySurvey:
        return survey(session, permits, stored=stored)

    stored = session.load_manifest()
    _, found, meanwhile = look_between_readings(session, stored, look, lambda seen: not seen.plan.is_empty, since)
    session.warn_of_run(meanwhile.run)
    if meanwhile.written:
        found = replace(found, shown=without_blame(found.plan))
    plan = found.plan
    session.screen.plan(found.shown)
    session.screen.preflight(found.preflight.checks)
    show_estimate(session, found)
    differs = bool(found.doubt) or not plan.is_empty
    code = ExitCode.DIFFERENT if detailed_exitcode and differs else ExitCode.OK
    if found.is_blocked:
        code = show_blockers(session, found.plan, found.preflight.errors)
    elif code == ExitCode.OK and any(change.unreadable for change in plan.changes):
        code = ExitCode.INCOMPLETE
    for change in plan.healing:
        session.screen.warn(f"{change.address} goes first: an apply makes that change, and judges the rest after it")
    publish(session, seal_survey(session, found, permits, out), out, blocked=found.is_blocked)
    counts = plan_counts(plan)
    blocked = f" · {counts['blocked']} blocked" if plan.blocked else ""
    summary = (
        f"{counts['create']} to create · {counts['change']} to change · {counts['remove']} to remove"
        f" · {counts['unchanged']} unchanged{blocked}{''.join(f' · {text}' for text in consequences(plan))}"
    )
    return session.finish(Status.BLOCKED if found.is_blocked else None, code, counts, summary)


def seal_survey(session: Session, found: ApplySurvey, permits: Permits, out: PlanOut | None = None) -> PlanFile:
    """Make the plan file of a survey, with its hashes."""
    function = found.stack[model.address(LambdaFunction.type, session.names.function)]
    networking, image = found.network.model_dump(mode="json"), str(function.spec.image_uri)
    return seal(
        session,
        found.plan,
        found.manifest,
        permits=permits,
        networking=networking,
        image=image,
        snapshot=found.restored_data,
        out=out,
    )


def show_estimate(session: Session, found: ApplySurvey) -> None:
    """Show how long the plan usually takes, where it is carried out: by earlier runs, else by AWS's own times."""
    changes = {change.address: change for change in found.plan.work}
    if not changes or found.is_blocked:
        return
    going = planned_deletions([change.address for change in found.plan.to(Action.DELETE)], found.manifest)
    made = creation_graph(resource for resource in found.stack if resource.address in changes)
    operations = {address: operation_of(change) for address, change in changes.items()}
    durations = session.read_durations()
    usual = usual_times(durations, operations)
    removed = deletion_graph(going.values(), teardown_ranks())
    work = estimate(made, usual).then(estimate(removed, usual))
    session.screen.estimate(estimate_command(durations, Operation.CREATE).then(work))
