"""``tapctl destroy``: show what goes and what is kept, ask, remove it in reverse, prove that nothing is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tapctl.commands.advice import delete_member
from tapctl.commands.apply import confirm as ask_for_consent
from tapctl.commands.certificate import COLUMNS, NAME, Certificate
from tapctl.commands.inventory import Inventory, delete_inventory, is_foreign, refresh, sweep, take_inventory
from tapctl.commands.plan import show_blockers, verdict
from tapctl.commands.runner import EngineRunner
from tapctl.engine.events import Detached, Failed, Result, Skipped
from tapctl.engine.model import Observed, Retained
from tapctl.engine.observe import Unreadable
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.planner import foreign_error
from tapctl.engine.record import Phase
from tapctl.engine.resources import Deletion
from tapctl.errors import Refused, StoreFailed, TapctlError, UsageError
from tapctl.manifest.manifest import now
from tapctl.reconcilers.db_cluster import DbCluster, final_snapshot_due
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey
from tapctl.reconcilers.log_group import LogGroup
from tapctl.session.session import Session
from tapctl.stack.definition import RANKS


def destroy(session: Session, *, confirm: str | None = None) -> int:
    """Remove one environment."""
    if session.config.protected:
        raise _protected(session, f"{session.config.environment}.toml: protected = true")
    with session.lock() as lease:
        remains = take_inventory(session)
        plan = _plan(session, remains)
        session.screen.plan(plan, removing=True)
        if plan.blocked:
            return verdict(session, "BLOCKED", show_blockers(session, plan), {}, "nothing was changed")
        if remains.to_delete and not confirm_destroy(session, confirm, due=_snapshot_due(remains)):
            return verdict(session, "CANCELLED", 6, {}, "nothing was changed")
        if session.invocation.interactive:
            # While the question was open somebody may have protected it: no instance may go before its cluster may.
            plan = _plan(session, refresh(session, remains))
            if plan.blocked:
                return verdict(session, "BLOCKED", show_blockers(session, plan), {}, "nothing was changed")
        runner = EngineRunner(session, session.journal(remains.manifest, remains.version), lease)
        delete_inventory(runner, remains)
        left: set[str] = set()
        if runner.outcome.ok and runner.outcome.signal is None:
            left = set(sweep(session, runner, remains))
        return report_destroy(session, runner, remains, left)


def preview(session: Session, *, detailed_exitcode: bool = False) -> int:
    """``tapctl plan --destroy``: what a destroy would remove and keep, and whether it would be refused."""
    remains = take_inventory(session)
    plan = _plan(session, remains)
    session.screen.plan(plan, removing=True)
    going, kept = len(remains.to_delete), len(remains.retained)
    counts, summary = {"remove": going, "kept": kept}, f"{going} to remove · {kept} kept already"
    if session.config.protected:
        error = _protected(session, f"{session.config.environment}.toml: protected = true")
        session.screen.error(error, "nothing was changed")
        return verdict(session, "BLOCKED", error.exit_code, counts, summary)
    if plan.blocked:
        return verdict(session, "BLOCKED", show_blockers(session, plan), counts, summary)
    return verdict(session, "", 2 if detailed_exitcode and going else 0, counts, summary)


# -- what would be done ------------------------------------------------------------------------------------------------


def _plan(session: Session, remains: Inventory) -> Plan:
    """What goes and what is kept; whatever must not be removed stops all of it, before the first changing call."""
    due = _snapshot_due(remains)
    changes: dict[str, Change] = {}
    for here, sight in remains.observations.items():
        one = remains.deletions[here]
        change = Change(here, one.reconciler.type, one.id, Action.DELETE, blocked=_blocked(session, remains, one))
        if isinstance(sight, Observed):
            changes[here] = replace(change, note=removal_note(one, sight, remains.retained.get(here), due=due))
        elif isinstance(sight, Unreadable):
            changes[here] = replace(change, unreadable={"*": sight.action})
    for facet, parent in remains.to_delete.items():
        if parent:
            type_, _, id_ = facet.partition("/")
            changes[facet] = Change(facet, type_, id_, Action.DELETE, note=f"goes with {parent}")
    ordered = sorted(changes.values(), key=lambda change: (RANKS[change.type], change.address))
    return Plan(tuple(ordered), {}, (), ())


def _blocked(session: Session, remains: Inventory, one: Deletion) -> TapctlError | None:
    """Why this must not be removed now, if so."""
    sight = remains.observations[one.address]
    if isinstance(sight, Unreadable):
        return Refused(
            f"{one.address} could not be read",
            evidence=str(sight.error),
            hint=f"allow {sight.action}, then run this again",
        )
    if not isinstance(sight, Observed):
        return None
    if is_foreign(session, one, remains.observations):
        return foreign_error(one.address, sight)
    why = one.reconciler.deletion_blocker(sight)
    if why and not sight.deleting:
        protected = isinstance(one.reconciler, DbCluster) and sight.spec.deletion_protection
        return _protected(session, f"{one.address}: {why}") if protected else undeletable_error(session, one, why)
    strangers = sorted(sight.members - remains.deletions.keys())
    if strangers:
        # RDS would take the removal of our own members, and then refuse the cluster's for as long as they are there.
        names = ", ".join(strangers)
        return Refused(
            f"{one.address} holds what is not ours and is never removed: {names}",
            evidence="RDS deletes no cluster that has members; nothing of it was begun",
            hint=f"if it may go: {delete_member(strangers[0].rpartition('/')[2], session)}, then run this again",
        )
    return None


def _protected(session: Session, evidence: str) -> Refused:
    return Refused(
        f"{session.suffix} is protected; it is not destroyed in one step",
        evidence=evidence,
        hint=f"set protected = false in {session.config.environment}.toml, {session.command('apply')}, then run this again",
    )


def undeletable_error(session: Session, one: Deletion, why: str) -> Refused:
    """What AWS would refuse now: it is no protection of ours."""
    undo = (
        f"{session.command('apply')}, which takes it back"
        if isinstance(one.reconciler, LogGroup)
        else "start it, as told above"
    )
    return Refused(
        f"{one.address} cannot be removed now; nothing of it was begun",
        evidence=why,
        hint=f"{undo}, then run this again",
    )


def _snapshot_due(remains: Inventory) -> bool:
    for here, sight in remains.present.items():
        one = remains.deletions[here]
        if isinstance(one.reconciler, DbCluster) and not sight.deleting and final_snapshot_due(sight.spec, one.last):
            return True
    return False


def removal_note(one: Deletion, sight: Observed[Any, Any], kept: Retained | None, *, due: bool) -> str:
    """What becomes of it, where it does not just go."""
    if kept is not None:
        return f"kept until {kept.until}: {kept.why}"
    if isinstance(one.reconciler, DbCluster):
        return "a final snapshot is taken, and kept" if due else "its data goes with it: no final snapshot is due"
    if not isinstance(one.reconciler, KmsKey):
        return ""
    days = sight.spec.tags.get(WINDOW_TAG, "30")
    return "kept for the final snapshot" if due else f"KMS deletes it {days} days later; until then it can come back"


def confirm_destroy(session: Session, confirm: str | None, *, due: bool) -> bool:
    names = {session.suffix, session.config.environment}
    if confirm is not None and confirm not in names:
        raise UsageError(
            f"--confirm {confirm} does not name this environment",
            hint=f"to destroy it: {session.command('destroy')} --confirm {session.suffix}",
        )
    if confirm is not None:
        return True
    if due:
        raise UsageError(
            f"a final snapshot of {session.suffix} is due: its destroy wants --confirm {session.suffix}",
            hint=f"look at what goes and what is kept above, then run: {session.invocation.command} --confirm {session.suffix}",
        )
    if session.invocation.target_is_explicit:
        return ask_for_consent(session, f"Destroy {session.suffix}?")
    if not session.invocation.interactive:
        raise UsageError(
            "no environment was named, and there is no terminal to ask at",
            hint=f"{session.command('destroy')}, or {session.invocation.command} --confirm {session.suffix}",
        )
    return session.screen.ask(f"Destroy {session.suffix}? Type its name:", session.suffix)


# -- how it ended ------------------------------------------------------------------------------------------------------


def report_destroy(session: Session, runner: EngineRunner, remains: Inventory, left: set[str]) -> int:
    outcome = runner.outcome
    ended: list[Failed | Detached | Skipped] = [*outcome.failed, *outcome.detached, *outcome.skipped]
    undone = {one.address for one in ended} | left
    proof = _certificate(session, runner, remains, undone)
    counts = {"deleted": len(deleted(runner, existing(remains))), "kept": len(proof.retained), "left": len(undone)}
    summary = f"{counts['deleted']} removed · {counts['kept']} kept · {counts['left']} left"
    certified = _certified(session, proof)
    if not outcome.ok or outcome.signal is not None:
        return verdict(session, "NOT DESTROYED", runner.report_failures(), counts, summary)
    if left:
        for here in sorted(left):
            session.screen.warn(f"left: {here}")
        return verdict(session, "NOT DESTROYED", 4, counts, summary)
    if remains.version is not None or proof.records():
        try:
            runner.journal.flush()
        except StoreFailed as error:
            return verdict(session, "NOT RECORDED", runner.report_unsaved(error), counts, summary)
    if not certified:
        return verdict(session, "NOT CERTIFIED", StoreFailed.exit_code, counts, summary)
    return verdict(session, "DESTROYED", 0, counts, f"{summary} · nothing else of ours is left")


def _certified(session: Session, proof: Certificate) -> bool:
    """Show the certificate, and keep it beside the manifest; whether that could be done."""
    if not proof.records():
        return True
    unkept = None
    try:
        before = session.store.get_sidecar(session.suffix, NAME)
        proof = proof.continuing(before)
        # Where there was nothing to remove any more, the certificate of what was removed stays.
        if proof.deleted or proof.remaining or before is None:
            session.store.put_sidecar(session.suffix, NAME, proof.text())
    except StoreFailed as error:
        unkept = error
    session.screen.table(COLUMNS, proof.rows(), proof.records())
    if unkept is not None:
        session.screen.error(unkept, "the certificate is what stands above, and what it says is so")
    return unkept is None


def existing(remains: Inventory) -> set[str]:
    return {*remains.present, *remains.to_delete}


def deleted(runner: EngineRunner, among: set[str]) -> tuple[str, ...]:
    finished = runner.outcome.finished.values()
    return tuple(one.address for one in finished if one.result is Result.DELETED and one.address in among)


def _certificate(session: Session, runner: EngineRunner, remains: Inventory, undone: set[str]) -> Certificate:
    finished, header = runner.outcome.finished.values(), session.header()
    # What an interrupted destroy left to AWS may have gone before this one looked.
    recorded = {here for here, entry in remains.manifest.entries.items() if entry.phase is not Phase.MAKING}
    return Certificate(
        environment=header.env,
        suffix=header.suffix,
        account=header.account,
        region=header.region,
        run=session.id,
        by=header.identity,
        at=now(),
        deleted=deleted(runner, existing(remains) | recorded),
        retained={one.address: one.retained for one in finished if one.retained is not None},
        remaining=tuple(undone),
    )
