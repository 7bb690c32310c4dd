"""``tapctl apply``: show the plan, ask, make it so, read it back, write the manifest."""

from __future__ import annotations

from tapctl.config_values import did_you_mean
from tapctl.engine.change import Action, Plan
from tapctl.engine.converge import Job
from tapctl.engine.events import Result
from tapctl.engine.graph import Removal, building, removing
from tapctl.engine.remove import Leaving
from tapctl.errors import AwsRefused, StoreFailed, UsageError
from tapctl.execution import Outcome, Runner
from tapctl.manifest.entry import Manifest
from tapctl.reconcilers import registry
from tapctl.records import facets_of, likeness
from tapctl.run import Run
from tapctl.stack import RANKS
from tapctl.verbs.planning import Survey, counted, show_blocked, survey, verdict


def apply(run: Run, *, adopted: tuple[str, ...] = (), allowed: tuple[str, ...] = (), reboot: bool = False) -> int:
    """Make the environment what its configuration says.

    ``adopted``: addresses of what is somebody else's and is taken over. ``allowed``: of what holds data and may be
    removed. ``reboot``: what waits for a reboot gets it.
    """
    with run.locked() as lease:
        found = survey(run, adopted=adopted, allowed=allowed, reboot=reboot)
        _check_adopted(run, adopted, [one.address for one in found.stack])
        run.screen.plan(found.plan)
        if found.plan.blocked:
            return verdict(run, "BLOCKED", show_blocked(run, found.plan), counted(found.plan), "nothing was changed")
        if found.plan.work and not consent(run, f"Apply this to {run.suffix}?"):
            return verdict(run, "CANCELLED", 6, {}, "nothing was changed")
        journal = run.journal(found.manifest, found.version)
        journal.update(networking=found.network.model_dump(mode="json"))
        journal.put(*found.plan.confirmed)
        journal.drop(*found.plan.forgotten)
        runner = Runner(run, journal, lease)
        runner.tools.known.update({here: dict(outputs) for here, outputs in found.plan.outputs.items()})
        outcome = _execute(runner, found)
        if not outcome.complete or outcome.signal is not None:
            return verdict(run, "NOT CONVERGED", runner.report(), _results(outcome, found.plan), _left_over(outcome))
        try:
            journal.flush()
        except StoreFailed as error:
            return verdict(run, "NOT RECORDED", runner.unsaved(error), _results(outcome, found.plan), "all is made")
        return _converged(run, found, outcome)


def _check_adopted(run: Run, adopted: tuple[str, ...], wanted: list[str]) -> None:
    """Hold what is to be taken over against what is wanted: a slip must not pass for a permission.

    Raises:
        UsageError: it is no address of this stack.
    """
    for one in adopted:
        if one not in wanted:
            raise UsageError(
                f"--adopt {one} names nothing that this stack has{did_you_mean(one, wanted)}",
                hint=f"an address is type/id, as {run.command('plan')} shows them",
            )


def consent(run: Run, question: str) -> bool:
    """Whether the user agrees; ``--yes`` is an answer.

    Raises:
        UsageError: nobody is there to answer.
    """
    if run.options.yes:
        return True
    if not run.options.can_ask:
        raise UsageError(
            "there is a question and no terminal to answer it",
            evidence=question,
            hint=f"look at the plan above, then run: {run.options.command} --yes",
        )
    return run.screen.ask(f"{question} Type yes:", "yes")


def _execute(runner: Runner, found: Survey) -> Outcome:
    plan, entries = found.plan, found.manifest.entries
    changing = {one.address: one for one in plan.work if one.action is not Action.DELETE}
    jobs = {here: Job(found.stack[here], change, entries.get(here)) for here, change in changing.items()}
    early = {one.type: one.reconciler.early for one in found.stack}
    outcome = runner.outcome
    if jobs:
        outcome = runner.converge(building([job.resource for job in jobs.values()], early), jobs)
    going = plan.to(Action.DELETE)
    if going and outcome.complete and outcome.signal is None:
        # Only when everything new is there: what was superseded may still be in use until then.
        leaving, removals = departures([one.address for one in going], found.manifest)
        outcome = runner.remove(removing(removals, RANKS), leaving)
    return outcome


def departures(addresses: list[str], manifest: Manifest) -> tuple[dict[str, Leaving], list[Removal]]:
    """The recorded things at these addresses, as what is to be removed; what dies with another of them is not."""
    reconcilers = registry()
    leaving, removals = {}, []
    dying = {facet for here in addresses for facet in facets_of(manifest.entries[here], manifest, reconcilers)}
    for here in addresses:
        if here in dying:
            continue
        entry = manifest.entries[here]
        reconciler = reconcilers[entry.type]
        facets = facets_of(entry, manifest, reconcilers)
        leaving[here] = Leaving(here, reconciler, entry.id, likeness(entry, reconciler), entry, facets)
        removals.append(Removal(here, entry.type, frozenset(entry.needs), reconciler.early, reconciler.outlived_by))
    return leaving, removals


def _results(outcome: Outcome, plan: Plan) -> dict[str, int]:
    counts = {result.value: outcome.count(result) for result in Result}
    counts["unchanged"] += len(plan.changes) - len(plan.work)
    counts["failed"], counts["skipped"] = len(outcome.failed), len(outcome.skipped)
    return {name: count for name, count in counts.items() if count}


def _left_over(outcome: Outcome) -> str:
    return f"{len(outcome.failed)} failed · {len(outcome.skipped)} not tried · {len(outcome.left)} left"


def _converged(run: Run, found: Survey, outcome: Outcome) -> int:
    total = sum(len(one.reconciler.spec.model_fields) for one in found.stack)
    unread = [action for one in found.plan.changes for action in one.unread.values()]
    unread += [action for one in outcome.finished.values() for action in one.unread]
    counts = _results(outcome, found.plan)
    said = [f"{count} {name}" for name, count in counts.items()]
    calls = sum(run.aws.traffic.calls.values())
    summary = " · ".join([*said, f"{total - len(unread)}/{total} fields read back", f"{calls} API calls"])
    if not unread:
        return verdict(run, "CONVERGED", 0, counts, summary)
    service, _, operation = unread[0].partition(":")
    denied = AwsRefused(service, operation, "AccessDenied", f"{len(unread)} fields could not be read back")
    denied.hint = f"allow {', '.join(sorted(set(unread)))}, then run the same command again"
    run.screen.error(denied, "everything that was asked for was accepted by AWS; the manifest is up to date")
    return verdict(run, "INCOMPLETE", 4 if run.aws.traffic.accepted else 6, counts, summary)
