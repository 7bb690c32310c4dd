"""``tapctl revert``: what drifted goes back to what is recorded, and nothing else, whatever the files want by now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tapctl.commands.apply import confirm, finish_failed, warn_of_no_fingerprint
from tapctl.engine.converge import Job
from tapctl.engine.drift import Reason
from tapctl.engine.events import Result
from tapctl.engine.plan import Change, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Entry
from tapctl.engine.resources import Node
from tapctl.engine.waiver import spares_of
from tapctl.errors import ConsentMissing, ExitCode, Refused, Status, TapctlError
from tapctl.evidence.doubtful_record import Doubt, warn_of_doubtful_record, without_blame
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.final_snapshot import tell_of_snapshot
from tapctl.evidence.record_fingerprint import carry_fingerprint
from tapctl.execution.runner import EngineRunner
from tapctl.findings.examination import Examined, examine, finish_nothing
from tapctl.findings.revertible import Revertible, revertible
from tapctl.findings.selection import ALL, choose
from tapctl.findings.waivers import waivers_for
from tapctl.notices import silent
from tapctl.planning.blockers import NOTHING_CHANGED, show_blockers
from tapctl.reconcilers import reconciler_of, registry
from tapctl.reconcilers.kms_key import record_gave_way
from tapctl.render.plan_counts import consequences
from tapctl.session.session import Session

_NOT_AS_LEFT: Final = "the record is in doubt, and by the history the last run has left another value there"
_NOTHING_LEFT: Final = "the record is in doubt, and the history has no version that the last run has left"


def revert(session: Session, targets: Sequence[str]) -> int:
    """Put back the recorded values of these findings: plan, confirm, execute, read back, record.

    What a revert has begun that was cut off is gone on with, or, where AWS has it by now, recorded as made.

    Raises:
        UsageError: a target names nothing that drifted.
        Refused: nothing of it can be put back, or all of it by a record that is older than AWS.
    """
    with session.lock() as lease:
        found = examine(session, locked=True)
        chosen = choose(session, targets, found.report.findings if found else (), Reason.REVERT_INTERRUPTED)
        if found is None or not chosen:
            return finish_nothing(session, found)
        older = warn_of_doubtful_record(session, found.manifest, found.observed, found.fingerprint)
        if older and (not targets or ALL in targets):
            raise _older_error(session, older)
        cut_off = {one.address for one in found.report.findings if one.reason is Reason.REVERT_INTERRUPTED}
        part = revertible(session, found.entries, chosen, found.observed, cut_off)
        stack, left = part.stack, part.left
        if older:
            left |= _not_as_left(session, found, part)
        plan, ignored = _plan(session, found, part, cut_off)
        for where, why in [*left.items(), *ignored.items()]:
            session.screen.warn(f"{where} is not put back: {why}")
        if not plan.confirmed and (not plan.changes or (plan.is_empty and not plan.blocked)):
            raise Refused(
                f"none of this can be put back, and {NOTHING_CHANGED}",
                evidence="\n".join(f"{where}: {why}" for where, why in [*left.items(), *ignored.items()]),
                hint=f"what ends each one stands under it: {session.command('drift')}",
            )
        session.screen.plan(without_blame(plan) if older else plan, by="revert")
        if plan.blocked:
            return session.finish(Status.BLOCKED, show_blockers(session, plan), summary=NOTHING_CHANGED)
        if plan.work and not confirm(session, _question(session, plan)):
            return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
        journal = session.journal(found.manifest, found.version)
        # The files were not applied: the record goes on to say which configuration was.
        journal.update(config_hash=found.manifest.config_hash)
        journal.put(*plan.confirmed)
        runner = EngineRunner(session, journal, lease)
        runner.context.outputs.update({address: dict(outputs) for address, outputs in plan.outputs.items()})
        entries = found.manifest.entries
        jobs = {one.address: Job(stack[one.address], one, entries[one.address]) for one in plan.work}
        runner.converge([Node(address) for address in jobs], jobs)  # all there already: nothing waits
        _tell_of_moved_outputs(session, runner, entries)
        if record_gave_way(session.aws):
            warn_of_no_fingerprint(session, "it gave way to the last tag that the key takes")
        elif runner.outcome.ok:
            carry_fingerprint(session, found.manifest, journal.manifest, left=found.fingerprint)
        return _finish(session, runner, len(left) + len(ignored))


def _older_error(session: Session, older: Doubt) -> Refused:
    """Refuse to put everything back to a record in doubt: that would undo whatever a run of ours has made."""
    return Refused(
        f"the record of {session.suffix} {older}, and what differs {older.meaning}",
        evidence=older.evidence,
        hint=f"{older.way_out} ({session.command('manifest history')} lists them), or name what is meant: "
        f"{session.command('revert')} ADDRESS.FIELD",
    )


def _not_as_left(session: Session, found: Examined, part: Revertible) -> dict[str, str]:
    """Take out what the last run has left otherwise than a record in doubt tells, by the history; the places and why.

    Whoever has put that record there may have written the values, too, and a person who names a field sees them alone.
    """
    # What the history cannot tell the comparison has said.
    version = EarlierVersions(session.store, found.manifest, silent).last_left(found.fingerprint)
    entries = version.entries if version else {}
    taken: dict[str, str] = {}
    for address, paths in part.fields.items():
        entry = entries.get(address)
        known, recorded = (entry.confirmed_spec if entry else None) or {}, found.entries[address].spec
        otherwise = {path for path in paths if known.get(root := path.partition(".")[0]) != recorded.get(root)}
        paths.difference_update(otherwise)
        taken |= {f"{address}.{path}": _NOT_AS_LEFT if version else _NOTHING_LEFT for path in otherwise}
    return taken


def _plan(session: Session, found: Examined, part: Revertible, cut_off: Collection[str]) -> tuple[Plan, dict[str, str]]:
    """The plan of these fields alone, and the fields that no change of ours puts back; what is waived in them stays.

    ``cut_off``: as in `revertible`; what AWS has of that by now as it is recorded is confirmed.
    """
    stack, fields = part.stack, part.fields
    is_waived = spares_of(waivers_for(session))
    plan = make_plan(
        stack,
        {address: found.entries[address] for address in fields},
        found.observed,
        session.claimant,
        registry(),
        spares=lambda address, path, live: path not in fields[address] or is_waived(address, path, live),
    )
    # What else differs is neither shown nor touched: it was not asked for.
    changes = tuple(
        replace(
            tell_of_snapshot(change, stays=False),
            left=(),
            foreign_members=(),
            blocked=without_allow(session, change),
        )
        for change in plan.changes
    )
    ignored = {
        f"{change.address}.{path}": "a person ends it: the command stands under it in drift"
        for change in changes
        if change.blocked is None
        for path in sorted(fields[change.address] - {field.path for field in change.fields})
        if not _goes_with(change, path)
    }
    confirmed = tuple(entry for entry in plan.confirmed if entry.address in cut_off)
    return replace(plan, changes=changes, confirmed=confirmed, forgotten=()), ignored


def _goes_with(change: Change, path: str) -> bool:
    """True if what is open goes with what led there: the change puts all of that field back."""
    root = path.partition(".")[0]
    leads = registry()[change.type].leads_there.get(root)
    kept = {part.path.partition(".")[0] for part in change.left}
    return leads is not None and leads not in kept and any(field.path == leads for field in change.fields)


def without_allow(session: Session, change: Change) -> TapctlError | None:
    """The reason why the change is not made, with what may be done instead: a revert is given no ``--allow``."""
    blocked = change.blocked
    if isinstance(blocked, ConsentMissing):
        apply, accept = session.command("apply"), session.command("accept")
        meant = f"if that is meant, and the files want it: {apply} --allow {change.address}"
        return Refused(blocked.cause, hint=f"{meant}; to keep what is there: {accept} {change.address}")
    return blocked


def _question(session: Session, plan: Plan) -> str:
    costs = ", ".join(consequences(plan))
    count = sum(len(change.fields) for change in plan.work)
    what = "1 value" if count == 1 else f"{count} values"
    return f"Put {what} of {session.suffix} back to what is recorded?{f' Of its resources {costs}.' if costs else ''}"


def _tell_of_moved_outputs(session: Session, runner: EngineRunner, before: Mapping[str, Entry]) -> None:
    """Record as unfinished what AWS has given another identity by this: its users have the earlier one until an apply.

    A cluster whose managed secret is put back gets another secret than the function was given. What an earlier tapctl
    did not record of an identity is no other one.
    """
    now = runner.journal.manifest.entries
    moved = {address for address in runner.outcome.finished if _has_moved(before[address], now[address])}
    users = sorted(address for address, entry in now.items() if moved.intersection(entry.needs))
    if users:
        runner.journal.update(unfinished=True)
        apply = session.command("apply")
        session.screen.warn(f"{', '.join(sorted(moved))} is known by something else now: {apply} gives it to its users")


def _has_moved(before: Entry, now: Entry) -> bool:
    """True if an output that was recorded, and told, is another one now."""
    outputs = reconciler_of(now).outputs.model_validate(now.claim)
    return bool(outputs.changed_from(before.claim))


def _finish(session: Session, runner: EngineRunner, left: int) -> int:
    """Write the record and show the verdict; returns the exit status."""
    outcome = runner.outcome
    counts = {"reverted": outcome.count(*Result), "left": left, "failed": len(outcome.failed)}
    summary = f"{counts['reverted']} put back as recorded" + (f" · {left} left" if left else "")
    code = ExitCode.DIFFERENT if left else ExitCode.OK
    failed = finish_failed(session, runner, counts)
    return session.finish(Status.CONVERGED, code, counts, summary) if failed is None else failed
