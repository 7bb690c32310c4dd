"""``tapctl destroy``: show what goes and what is kept, ask, remove it in reverse, prove that nothing is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tapctl.advice import delete_member
from tapctl.certificate import COLUMNS, NAME, Certificate
from tapctl.engine.change import Action, Change, Plan
from tapctl.engine.events import Failed, Left, Result, Skipped
from tapctl.engine.model import Kept, Observed
from tapctl.engine.observe import Unreadable
from tapctl.engine.plan import not_ours
from tapctl.engine.remove import Leaving
from tapctl.errors import Refused, StoreFailed, TapctlError, UsageError
from tapctl.execution import Runner
from tapctl.manifest.entry import Phase, now
from tapctl.reconcilers.db_cluster import DbCluster, final_snapshot_due
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey
from tapctl.reconcilers.log_group import LogGroup
from tapctl.run import Run
from tapctl.stack import RANKS
from tapctl.verbs.applying import consent
from tapctl.verbs.planning import show_blocked, verdict
from tapctl.verbs.remains import Remains, is_strangers, remove, seen_again, survey, sweep


def destroy(run: Run, *, confirm: str | None = None) -> int:
    """Remove one environment."""
    if run.config.protected:
        raise _protected(run, f"{run.config.environment}.toml: protected = true")
    with run.locked() as lease:
        remains = survey(run)
        plan = _plan(run, remains)
        run.screen.plan(plan, removing=True)
        if plan.blocked:
            return verdict(run, "BLOCKED", show_blocked(run, plan), {}, "nothing was changed")
        if remains.going and not _agreed(run, confirm, due=_snapshot_due(remains)):
            return verdict(run, "CANCELLED", 6, {}, "nothing was changed")
        if run.options.can_ask:
            # While the question was open somebody may have protected it: no instance may go before its cluster may.
            plan = _plan(run, seen_again(run, remains))
            if plan.blocked:
                return verdict(run, "BLOCKED", show_blocked(run, plan), {}, "nothing was changed")
        runner = Runner(run, run.journal(remains.manifest, remains.version), lease)
        remove(runner, remains)
        left: set[str] = set()
        if runner.outcome.complete and runner.outcome.signal is None:
            left = set(sweep(run, runner, remains))
        return _ended(run, runner, remains, left)


def preview(run: Run, *, detailed_exitcode: bool = False) -> int:
    """``tapctl plan --destroy``: what a destroy would remove and keep, and whether it would be refused."""
    remains = survey(run)
    plan = _plan(run, remains)
    run.screen.plan(plan, removing=True)
    going, kept = len(remains.going), len(remains.kept)
    counts, summary = {"remove": going, "kept": kept}, f"{going} to remove · {kept} kept already"
    if run.config.protected:
        error = _protected(run, f"{run.config.environment}.toml: protected = true")
        run.screen.error(error, "nothing was changed")
        return verdict(run, "BLOCKED", error.exit_code, counts, summary)
    if plan.blocked:
        return verdict(run, "BLOCKED", show_blocked(run, plan), counts, summary)
    return verdict(run, "", 2 if detailed_exitcode and going else 0, counts, summary)


# -- what would be done ------------------------------------------------------------------------------------------------


def _plan(run: Run, remains: Remains) -> Plan:
    """What goes and what is kept; whatever must not be removed stops all of it, before the first changing call."""
    due = _snapshot_due(remains)
    changes: dict[str, Change] = {}
    for here, sight in remains.seen.items():
        one = remains.leaving[here]
        change = Change(here, one.reconciler.type, one.id, Action.DELETE, blocked=_blocked(run, remains, one))
        if isinstance(sight, Observed):
            changes[here] = replace(change, note=_note(one, sight, remains.kept.get(here), due=due))
        elif isinstance(sight, Unreadable):
            changes[here] = replace(change, unread={"*": sight.action})
    for facet, parent in remains.going.items():
        if parent:
            type_, _, id_ = facet.partition("/")
            changes[facet] = Change(facet, type_, id_, Action.DELETE, note=f"goes with {parent}")
    ordered = sorted(changes.values(), key=lambda change: (RANKS[change.type], change.address))
    return Plan(tuple(ordered), {}, (), ())


def _blocked(run: Run, remains: Remains, one: Leaving) -> TapctlError | None:
    """Why this must not be removed now, if so."""
    sight = remains.seen[one.address]
    if isinstance(sight, Unreadable):
        return Refused(
            f"{one.address} could not be read",
            evidence=str(sight.error),
            hint=f"allow {sight.action}, then run this again",
        )
    if not isinstance(sight, Observed):
        return None
    if is_strangers(run, one, remains.seen):
        return not_ours(one.address, sight)
    why = one.reconciler.refuses(sight)
    if why and not sight.going:
        protected = isinstance(one.reconciler, DbCluster) and sight.spec.deletion_protection
        return _protected(run, f"{one.address}: {why}") if protected else _held(run, one, why)
    strangers = sorted(sight.residents - remains.leaving.keys())
    if strangers:
        # RDS would take the removal of our own members, and then refuse the cluster's for as long as they are there.
        names = ", ".join(strangers)
        return Refused(
            f"{one.address} holds what is not ours and is never removed: {names}",
            evidence="RDS deletes no cluster that has members; nothing of it was begun",
            hint=f"if it may go: {delete_member(strangers[0].rpartition('/')[2], run)}, then run this again",
        )
    return None


def _protected(run: Run, evidence: str) -> Refused:
    return Refused(
        f"{run.suffix} is protected; it is not destroyed in one step",
        evidence=evidence,
        hint=f"set protected = false in {run.config.environment}.toml, {run.command('apply')}, then run this again",
    )


def _held(run: Run, one: Leaving, why: str) -> Refused:
    """What AWS would refuse now: it is no protection of ours."""
    undo = (
        f"{run.command('apply')}, which takes it back"
        if isinstance(one.reconciler, LogGroup)
        else "start it, as told above"
    )
    return Refused(
        f"{one.address} cannot be removed now; nothing of it was begun",
        evidence=why,
        hint=f"{undo}, then run this again",
    )


def _snapshot_due(remains: Remains) -> bool:
    for here, sight in remains.present.items():
        one = remains.leaving[here]
        if isinstance(one.reconciler, DbCluster) and not sight.going and final_snapshot_due(sight.spec, one.last):
            return True
    return False


def _note(one: Leaving, sight: Observed[Any, Any], kept: Kept | None, *, due: bool) -> str:
    """What becomes of it, where it does not just go."""
    if kept is not None:
        return f"kept until {kept.until}: {kept.why}"
    if isinstance(one.reconciler, DbCluster):
        return "a final snapshot is taken, and kept" if due else "its data goes with it: no final snapshot is due"
    if not isinstance(one.reconciler, KmsKey):
        return ""
    days = sight.spec.tags.get(WINDOW_TAG, "30")
    return "kept for the final snapshot" if due else f"KMS deletes it {days} days later; until then it can come back"


def _agreed(run: Run, confirm: str | None, *, due: bool) -> bool:
    names = {run.suffix, run.config.environment}
    if confirm is not None and confirm not in names:
        raise UsageError(
            f"--confirm {confirm} does not name this environment",
            hint=f"to destroy it: {run.command('destroy')} --confirm {run.suffix}",
        )
    if confirm is not None:
        return True
    if due:
        raise UsageError(
            f"a final snapshot of {run.suffix} is due: its destroy wants --confirm {run.suffix}",
            hint=f"look at what goes and what is kept above, then run: {run.options.command} --confirm {run.suffix}",
        )
    if run.options.named:
        return consent(run, f"Destroy {run.suffix}?")
    if not run.options.can_ask:
        raise UsageError(
            "no environment was named, and there is no terminal to ask at",
            hint=f"{run.command('destroy')}, or {run.options.command} --confirm {run.suffix}",
        )
    return run.screen.ask(f"Destroy {run.suffix}? Type its name:", run.suffix)


# -- how it ended ------------------------------------------------------------------------------------------------------


def _ended(run: Run, runner: Runner, remains: Remains, left: set[str]) -> int:
    outcome = runner.outcome
    ended: list[Failed | Left | Skipped] = [*outcome.failed, *outcome.left, *outcome.skipped]
    undone = {one.address for one in ended} | left
    proof = _certificate(run, runner, remains, undone)
    counts = {"deleted": len(_deleted(runner, _there(remains))), "kept": len(proof.kept), "left": len(undone)}
    summary = f"{counts['deleted']} removed · {counts['kept']} kept · {counts['left']} left"
    certified = _certified(run, proof)
    if not outcome.complete or outcome.signal is not None:
        return verdict(run, "NOT DESTROYED", runner.report(), counts, summary)
    if left:
        for here in sorted(left):
            run.screen.warn(f"left: {here}")
        return verdict(run, "NOT DESTROYED", 4, counts, summary)
    if remains.version is not None or proof.records():
        try:
            runner.journal.flush()
        except StoreFailed as error:
            return verdict(run, "NOT RECORDED", runner.unsaved(error), counts, summary)
    if not certified:
        return verdict(run, "NOT CERTIFIED", StoreFailed.exit_code, counts, summary)
    return verdict(run, "DESTROYED", 0, counts, f"{summary} · nothing else of ours is left")


def _certified(run: Run, proof: Certificate) -> bool:
    """Show the certificate, and keep it beside the manifest; whether that could be done."""
    if not proof.records():
        return True
    unkept = None
    try:
        before = run.store.attached(run.suffix, NAME)
        proof = proof.continuing(before)
        # Where there was nothing to remove any more, the certificate of what was removed stays.
        if proof.gone or proof.left or before is None:
            run.store.attach(run.suffix, NAME, proof.text())
    except StoreFailed as error:
        unkept = error
    run.screen.table(COLUMNS, proof.rows(), proof.records())
    if unkept is not None:
        run.screen.error(unkept, "the certificate is what stands above, and what it says is so")
    return unkept is None


def _there(remains: Remains) -> set[str]:
    return {*remains.present, *remains.going}


def _deleted(runner: Runner, among: set[str]) -> tuple[str, ...]:
    finished = runner.outcome.finished.values()
    return tuple(one.address for one in finished if one.result is Result.DELETED and one.address in among)


def _certificate(run: Run, runner: Runner, remains: Remains, undone: set[str]) -> Certificate:
    finished, header = runner.outcome.finished.values(), run.header()
    # What an interrupted destroy left to AWS may have gone before this one looked.
    recorded = {here for here, entry in remains.manifest.entries.items() if entry.phase is not Phase.MAKING}
    return Certificate(
        environment=header.env,
        suffix=header.suffix,
        account=header.account,
        region=header.region,
        run=run.id,
        by=header.identity,
        at=now(),
        gone=_deleted(runner, _there(remains) | recorded),
        kept={one.address: one.kept for one in finished if one.kept is not None},
        left=tuple(undone),
    )
