"""``tapctl revert``: what drifted goes back to what is recorded, and nothing else, whatever the files want by now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from tapctl.commands.apply import confirm, finish_failed
from tapctl.commands.drift import Examined, examine, finish_nothing
from tapctl.commands.older import warn_of_old_record, without_blame
from tapctl.commands.plan import NOTHING_CHANGED, consequences, show_blockers
from tapctl.commands.runner import EngineRunner
from tapctl.commands.targets import ALL, choose, place
from tapctl.commands.waivers import waivers_for
from tapctl.engine.converge import Job
from tapctl.engine.drift import Finding, Reason
from tapctl.engine.events import Result
from tapctl.engine.plan import Change, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Phase
from tapctl.engine.resources import Node, Stack
from tapctl.engine.waiver import spares_of
from tapctl.errors import ConfigError, ConsentMissing, ExitCode, Refused, Status, TapctlError
from tapctl.names import Names
from tapctl.reconcilers import reconciler_of, registry
from tapctl.reconcilers.lambda_function import SENDS_CODE, LambdaFunction, LambdaFunctionSpec
from tapctl.session.session import Session
from tapctl.stack.forged import forged
from tapctl.stack.never_wanted import let_in, never_wanted
from tapctl.stack.package import build as build_package
from tapctl.stack.package import handler_of

_NO_REVERT: Mapping[Reason, str] = {
    Reason.ABSENT: "it is missing: an apply makes it again",
    Reason.DELETING: "it is being deleted: an apply makes it again",
    Reason.NOT_OURS: "it is not ours, and is never removed",
    Reason.GAVE_UP: "AWS gave it up: an apply mends it, where it can be mended",
    Reason.REPLACED: "it is another resource of that name: an apply takes it back, where it is ours",
    Reason.NEVER_WANTED: "tapctl never wants what is recorded: drift tells what ends it",
    Reason.FORGED: "the files want something else there than is recorded: an apply puts it in order",
    Reason.WRONG_PHASE: "the record itself was changed: an apply writes it anew",
}
"""The reason of a finding to why there is nothing to put back."""


_NO_CODE: Final = (
    "the record knows the zip by its hash alone, and handlers/ packages another one: put those files there, or apply"
)


def revert(session: Session, targets: Sequence[str]) -> int:
    """Put back the recorded values of these findings: plan, confirm, execute, read back, record.

    Raises:
        UsageError: a target names nothing that drifted.
        Refused: nothing of it can be put back, or all of it by a record that is older than AWS.
    """
    with session.lock() as lease:
        found = examine(session, locked=True)
        chosen = choose(session, targets, found.report.findings if found else ())
        if found is None or not chosen:
            return finish_nothing(session, found)
        older = warn_of_old_record(session, found.manifest, found.observed)
        if older and (not targets or ALL in targets):
            raise _older_error(session, older)
        fields, left = fields_of(found, chosen)
        stack = as_recorded(found, fields)
        left |= dict.fromkeys(never_put_back(session.names, stack, fields), _NO_REVERT[Reason.NEVER_WANTED])
        left |= dict.fromkeys(other_doors(session, found, fields), _NO_REVERT[Reason.FORGED])
        left |= dict.fromkeys(give_code(session, found, stack, fields), _NO_CODE)
        plan, ignored = _plan(session, found, stack, fields)
        for where, why in [*left.items(), *ignored.items()]:
            session.screen.warn(f"{where} is not put back: {why}")
        if not plan.changes or (plan.is_empty and not plan.blocked):
            raise Refused(
                f"none of this can be put back, and {NOTHING_CHANGED}",
                evidence="\n".join(f"{where}: {why}" for where, why in [*left.items(), *ignored.items()]),
                hint=f"what ends each one stands under it: {session.command('drift')}",
            )
        session.screen.plan(without_blame(plan) if older else plan, by="revert")
        if plan.blocked:
            return session.finish(Status.BLOCKED, show_blockers(session, plan), summary=NOTHING_CHANGED)
        if not confirm(session, _question(session, plan)):
            return session.finish(Status.CANCELLED, ExitCode.REFUSED, summary=NOTHING_CHANGED)
        journal = session.journal(found.manifest, found.version)
        # The files were not applied: the record goes on to say which configuration was.
        journal.update(config_hash=found.manifest.config_hash)
        runner = EngineRunner(session, journal, lease)
        runner.context.outputs.update({address: dict(outputs) for address, outputs in plan.outputs.items()})
        entries = found.manifest.entries
        jobs = {one.address: Job(stack[one.address], one, entries[one.address]) for one in plan.work}
        runner.converge([Node(address) for address in jobs], jobs)  # all there already: nothing waits
        return _finish(session, runner, len(left) + len(ignored))


def _older_error(session: Session, older: str) -> Refused:
    """Refuse to put everything back to an old record: that would undo whatever a later run has made."""
    return Refused(
        f"the record of {session.suffix} is older than AWS, and what differs may be the work of a later run",
        evidence=older,
        hint=f"put the newest version back ({session.command('manifest history')} lists them), or name what is meant: "
        f"{session.command('revert')} ADDRESS.FIELD",
    )


def fields_of(found: Examined, chosen: Sequence[Finding]) -> tuple[dict[str, set[str]], dict[str, str]]:
    """The paths to put back, by address; and the place of every other finding, with why it stays."""
    fields: dict[str, set[str]] = defaultdict(set)
    left: dict[str, str] = {}
    for one in chosen:
        if one.reason is not Reason.CHANGED:
            left[place(one)] = _NO_REVERT[one.reason]
        elif found.entries[one.address].phase is not Phase.MADE:
            left[place(one)] = "an apply did not finish there: run it again"
        else:
            fields[one.address].add(one.field)
    return fields, left


def as_recorded(found: Examined, addresses: Iterable[str]) -> Stack:
    """The resources as they are recorded: outputs are known, so there is nothing to wait for among them.

    Raises:
        Refused: a resource is recorded in another form than this tapctl's.
    """
    stack = Stack()
    for address in addresses:
        entry = found.entries[address]
        reconciler = reconciler_of(entry)
        try:
            stack.add_recorded(reconciler, entry, reconciler.spec.model_validate(entry.spec))
        except ValidationError:
            raise Refused(
                f"{address} was recorded by another version of tapctl, which knew other fields",
                hint="an apply records it anew, and puts it in order",
            ) from None
    return stack


def never_put_back(names: Names, stack: Stack, fields: dict[str, set[str]]) -> list[str]:
    """Take out of ``fields`` those whose recorded value the product can never want, and name their places.

    A record is evidence, and no order: whoever may write it would else have doors opened by our hand.
    """
    taken = []
    for address, paths in fields.items():
        resource = stack[address]
        recorded = (resource.type, resource.id, resource.spec)
        roots = {name for name, *_ in (*never_wanted(names, *recorded), *let_in(names, *recorded))}
        refused = sorted(path for path in paths if path.partition(".")[0] in roots)
        paths.difference_update(refused)
        taken += [f"{address}.{path}" for path in refused]
    return taken


def give_code(session: Session, found: Examined, stack: Stack, fields: dict[str, set[str]]) -> list[str]:
    """Give each function whose zip is put back the zip as it is packaged now, where that is the recorded one.

    Where it is another, what sends the code is taken out of ``fields``; returns the places of that.
    """
    taken = []
    for address, paths in fields.items():
        spec, sending = stack[address].spec, sorted(paths & SENDS_CODE)
        if not sending or not isinstance(spec, LambdaFunctionSpec) or spec.package_type != "Zip":
            continue
        content = _packaged(session, spec.code_sha256)
        if content is None:
            paths.difference_update(sending)
            taken += [f"{address}.{path}" for path in sending]
        else:
            stack.add_recorded(LambdaFunction(content), found.entries[address], spec)
    return taken


def _packaged(session: Session, sha256: str) -> bytes | None:
    """The handler's zip; None where it has another hash, or cannot be made."""
    try:
        package = build_package(handler_of(session.invocation.config))
    except ConfigError:
        return None
    return package.content if package.sha256_base64 == sha256 else None


def other_doors(session: Session, found: Examined, fields: dict[str, set[str]]) -> list[str]:
    """Take out of ``fields`` what may let others in and is not recorded as the files want it now; name their places.

    That neither AWS nor the files have: the record alone tells of it, and gives no right to put it there. Where no
    files can be used, nobody can tell.
    """
    if isinstance(session.loaded, ConfigError):
        return []
    others: dict[str, list[str]] = defaultdict(list)
    for entry, part in forged(session.loaded, session.names, found.entries):
        others[entry.address] += [part.path] if part else []
    taken = []
    for address, paths in fields.items():
        refused = sorted(path for path in paths if any(_overlap(path, other) for other in others[address]))
        paths.difference_update(refused)
        taken += [f"{address}.{path}" for path in refused]
    return taken


def _overlap(path: str, other: str) -> bool:
    """True if one of the paths is the other, or leads to it."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _plan(
    session: Session, found: Examined, stack: Stack, fields: Mapping[str, set[str]]
) -> tuple[Plan, dict[str, str]]:
    """The plan of these fields alone, and the fields that no change of ours puts back; what is waived in them stays."""
    is_waived = spares_of(waivers_for(session))
    plan = make_plan(
        stack,
        {address: found.entries[address] for address in fields},
        {address: found.observed[address] for address in fields},
        session.claimant,
        registry(),
        spares=lambda address, path, live: path not in fields[address] or is_waived(address, path, live),
    )
    # What else differs is neither shown nor touched: it was not asked for.
    changes = tuple(
        replace(change, left=(), foreign_members=(), blocked=without_allow(session, change)) for change in plan.changes
    )
    ignored = {
        f"{change.address}.{path}": "a person ends it: the command stands under it in drift"
        for change in changes
        if change.blocked is None
        for path in sorted(fields[change.address] - {field.path for field in change.fields})
    }
    return replace(plan, changes=changes, confirmed=(), forgotten=()), ignored


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


def _finish(session: Session, runner: EngineRunner, left: int) -> int:
    """Write the record and show the verdict; returns the exit status."""
    outcome = runner.outcome
    counts = {"reverted": outcome.count(*Result), "left": left, "failed": len(outcome.failed)}
    summary = f"{counts['reverted']} put back as recorded" + (f" · {left} left" if left else "")
    code = ExitCode.DIFFERENT if left else ExitCode.OK
    failed = finish_failed(session, runner, counts)
    return session.finish(Status.CONVERGED, code, counts, summary) if failed is None else failed
