"""``tapctl destroy``: show what goes and what is kept, ask, remove it in reverse, prove that nothing is left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tapctl.beside import beside
from tapctl.engine.events import Finished, Result
from tapctl.engine.graph import Removal, removing
from tapctl.engine.model import Kept, Observed, Reconciler, Spec, address
from tapctl.engine.observe import Absent, Look, Sight, Unreadable, is_ours, look
from tapctl.engine.plan import Action, Change, Plan, not_ours
from tapctl.engine.remove import Leaving
from tapctl.errors import Refused, StoreFailed, UsageError
from tapctl.execution import Runner
from tapctl.manifest.entry import Manifest
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster, final_snapshot_due
from tapctl.reconcilers.kms_key import WINDOW_TAG, KmsKey
from tapctl.reconcilers.kms_key_lookup import snapshots_of
from tapctl.reconcilers.log_group import LogGroup
from tapctl.reconcilers.security_group import RULES, SecurityGroup
from tapctl.reconcilers.security_group_rules import SecurityGroupRules
from tapctl.records import facets_of, likeness, reconciler_of
from tapctl.run import Run
from tapctl.stack import RANKS
from tapctl.verbs.applying import consent
from tapctl.verbs.planning import verdict


@dataclass(frozen=True)
class Remains:
    """Everything of ours that there is, recorded or found by its tags."""

    leaving: dict[str, Leaving]
    seen: dict[str, Sight]
    kept: dict[str, Kept]
    """What stays as it is: AWS lets it go only later, or something that stays needs it."""
    manifest: Manifest
    version: str | None

    @property
    def present(self) -> dict[str, Observed[Any, Any]]:
        """What is really there."""
        return {here: sight for here, sight in self.seen.items() if isinstance(sight, Observed)}

    @property
    def going(self) -> int:
        """How many resources a destroy has still to remove."""
        return len(self.present) - len(self.kept)


def destroy(run: Run, *, confirm: str | None = None) -> int:
    """Remove one environment."""
    if run.config.protected:
        raise _protected(run, f"{run.config.environment}.toml: protected = true")
    with run.locked() as lease:
        remains = survey(run)
        _refuse(run, remains)
        due = _snapshot_due(remains)
        run.screen.plan(_shown(remains, due=due), removing=True)
        if remains.going and not _agreed(run, confirm, due=due):
            return verdict(run, "CANCELLED", 6, {}, "nothing was changed")
        runner = Runner(run, run.journal(remains.manifest, remains.version), lease)
        _remove(runner, remains)
        left: dict[str, Sight] = {}
        if runner.outcome.complete and runner.outcome.signal is None:
            left = _sweep(run, runner, remains)
        return _ended(run, runner, left)


def preview(run: Run, *, detailed_exitcode: bool = False) -> int:
    """``tapctl plan --destroy``: what a destroy would remove and keep."""
    remains = survey(run)
    run.screen.plan(_shown(remains, due=_snapshot_due(remains)), removing=True)
    going, kept = remains.going, len(remains.kept)
    code = 2 if detailed_exitcode and going else 0
    return verdict(run, "", code, {"remove": going, "kept": kept}, f"{going} to remove · {kept} kept already")


def survey(run: Run) -> Remains:
    """Find everything of ours: by the record, by the tags of every type, and what AWS makes again by itself."""
    manifest, version = run.recorded()
    leaving: dict[str, Leaving] = {}
    reconcilers = registry()
    for here, entry in manifest.entries.items():
        reconciler = reconciler_of(entry, reconcilers)
        facets = facets_of(entry, manifest, reconcilers)
        leaving[here] = Leaving(here, reconciler, entry.id, likeness(entry, reconciler), entry, facets)
    leaving = _with_rules({**_late(run), **found_by_tags(run), **leaving})
    dying = {facet for one in leaving.values() for facet in one.facets}
    going = {here: one for here, one in leaving.items() if here not in dying}
    seen = _look(run, going)
    # What was only looked for counts where it is there and ours.
    going = {here: one for here, one in going.items() if one.entry or _is_ours_or_unread(run, one, seen[here])}
    kept = {here: why for here in going if (why := _kept(run, going[here], seen[here]))}
    return Remains(going, {here: seen[here] for here in going}, kept, manifest, version)


def _kept(run: Run, one: Leaving, sight: Sight) -> Kept | None:
    """Why it would stay as it is."""
    if not isinstance(sight, Observed) or sight.kept is not None:
        return sight.kept if isinstance(sight, Observed) else None
    needing = snapshots_of(run.aws, sight.outputs.arn) if isinstance(one.reconciler, KmsKey) and sight.outputs else []
    return Kept("its snapshots are deleted", f"it decrypts {', '.join(needing)}") if needing else None


def _is_ours_or_unread(run: Run, one: Leaving, sight: Sight) -> bool:
    """Whether what is seen there is ours; what could not be read may be."""
    if not isinstance(sight, Observed):
        return isinstance(sight, Unreadable)
    recorded = one.entry.outputs if one.entry else None
    return is_ours(sight, run.owner, recorded=recorded, made_by_aws=one.reconciler.made_by_aws)


def found_by_tags(run: Run) -> dict[str, Leaving]:
    """Every thing that carries our tags, of every type tapctl has ever managed."""
    reconcilers = [one for one in registry().values() if not one.facet]
    found = [(one, beside(partial(_found, run, one))) for one in reconcilers]
    return {
        address(one.type, id_): Leaving(address(one.type, id_), one, id_, None, None)
        for one, ids in found
        for id_ in ids.result()
    }


def _found(run: Run, reconciler: Reconciler[Any, Any]) -> list[str]:
    return list(reconciler.find(run.aws, run.owner))


def _late(run: Run) -> dict[str, Leaving]:
    """The log groups of our names: what AWS writes into one once more after a destroy has neither tags nor a record."""
    names = (run.names.function_log_group, run.names.database_log_group)
    return {(here := address(LogGroup.type, id_)): Leaving(here, LogGroup(), id_, None, None) for id_ in names}


def _with_rules(leaving: dict[str, Leaving]) -> dict[str, Leaving]:
    """Each security group with its rules, which no tag finds: groups that name each other go only after those."""
    groups = [one.id for one in leaving.values() if isinstance(one.reconciler, SecurityGroup)]
    rules = {address(RULES, id_): id_ for id_ in groups}
    return {here: Leaving(here, SecurityGroupRules(), id_, None, None) for here, id_ in rules.items()} | leaving


def _look(run: Run, going: dict[str, Leaving]) -> dict[str, Sight]:
    return look(run.aws, [Look(one.reconciler, one.id, one.last) for one in going.values()])


def _refuse(run: Run, remains: Remains) -> None:
    """Whatever must not be removed stops all of it, before the first changing call."""
    for here, sight in sorted(remains.seen.items()):
        one = remains.leaving[here]
        if isinstance(sight, Unreadable):
            raise Refused(f"{here} could not be read", evidence=str(sight.error), hint=f"allow {sight.action}")
        if isinstance(sight, Absent):
            continue
        if not _is_ours_or_unread(run, one, sight):
            raise not_ours(here, sight)
        why = one.reconciler.refuses(sight)
        if why and not sight.going:
            raise _protected(run, f"{here}: {why}")


def _protected(run: Run, evidence: str) -> Refused:
    return Refused(
        f"{run.suffix} is protected; it is not destroyed in one step",
        evidence=evidence,
        hint=f"set protected = false in {run.config.environment}.toml, {run.command('apply')}, then run this again",
    )


def _snapshot_due(remains: Remains) -> bool:
    for here, sight in remains.present.items():
        one = remains.leaving[here]
        if isinstance(one.reconciler, DbCluster) and not sight.going and final_snapshot_due(sight.spec, one.last):
            return True
    return False


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


def _shown(remains: Remains, *, due: bool) -> Plan:
    changes = []
    for here, sight in sorted(
        remains.present.items(), key=lambda pair: (RANKS[remains.leaving[pair[0]].reconciler.type], pair[0])
    ):
        one = remains.leaving[here]
        note = _note(one, sight, remains.kept.get(here), due=due)
        changes.append(Change(here, one.reconciler.type, one.id, Action.DELETE, note=note))
    return Plan(tuple(changes), {}, (), ())


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


def _remove(runner: Runner, remains: Remains) -> None:
    removals = [
        Removal(here, one.reconciler.type, frozenset(one.entry.needs) if one.entry else None, one.reconciler.early)
        for here, one in remains.leaving.items()
    ]
    runner.remove(removing(removals, RANKS), remains.leaving)


def _sweep(run: Run, runner: Runner, remains: Remains) -> dict[str, Sight]:
    """Look again, by tags and at every id just removed; what came back (a late writer's log group) goes once more."""
    for more in (True, True, False):
        again = {**_late(run), **remains.leaving, **found_by_tags(run)}
        left = {here: sight for here, sight in _look(run, again).items() if _remains(run, runner, again[here], sight)}
        if not left or not more:
            break
        late = {here: replace(again[here], entry=None, last=_spec(left[here])) for here in left}
        _remove(runner, Remains(late, left, {}, remains.manifest, remains.version))
    return left


def _spec(sight: Sight) -> Spec | None:
    return sight.spec if isinstance(sight, Observed) else None


def _remains(run: Run, runner: Runner, one: Leaving, sight: Sight) -> bool:
    """Whether this is ours and still there without a reason."""
    if isinstance(sight, Absent):
        return False
    ended = runner.outcome.finished.get(one.address)
    if isinstance(sight, Unreadable):
        return True
    if sight.kept is not None or (ended is not None and ended.result is Result.KEPT):
        return False
    return is_ours(sight, run.owner, recorded=None, made_by_aws=one.reconciler.made_by_aws)


def _ended(run: Run, runner: Runner, left: dict[str, Sight]) -> int:
    outcome = runner.outcome
    kept = [one for one in outcome.finished.values() if one.result is Result.KEPT]
    counts = {"deleted": outcome.count(Result.DELETED), "kept": len(kept), "left": len(left)}
    summary = f"{counts['deleted']} removed · {counts['kept']} kept · {counts['left']} left"
    if not outcome.complete or outcome.signal is not None:
        return verdict(run, "NOT DESTROYED", runner.report(), counts, summary)
    _tell_kept(run, kept)
    if left:
        for here in sorted(left):
            run.screen.warn(f"left: {here}")
        return verdict(run, "NOT DESTROYED", 4, counts, summary)
    try:
        runner.journal.flush()
    except StoreFailed as error:
        return verdict(run, "NOT RECORDED", runner.unsaved(error), counts, summary)
    return verdict(run, "DESTROYED", 0, counts, f"{summary} · nothing else of ours is left")


def _tell_kept(run: Run, kept: list[Finished]) -> None:
    for one in sorted(kept, key=lambda each: each.address):
        run.screen.warn(f"kept: {one.address} {one.note}")
