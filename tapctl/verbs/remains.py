"""What there is of ours: by the record, by the tags of every type, and what AWS makes again by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from tapctl.beside import beside
from tapctl.engine.graph import Removal, removing
from tapctl.engine.model import Kept, Observed, Reconciler, address
from tapctl.engine.observe import Absent, Look, Sight, Unreadable, is_ours, look, owner_is_unread
from tapctl.engine.remove import Leaving
from tapctl.execution import Runner
from tapctl.manifest.entry import Manifest
from tapctl.reconcilers import registry
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.reconcilers.kms_key_lookup import snapshots_of
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.log_group import LogGroup
from tapctl.reconcilers.security_group import RULES, SecurityGroup
from tapctl.reconcilers.security_group_rules import SecurityGroupRules
from tapctl.records import facets_of, likeness, reconciler_of
from tapctl.run import Run
from tapctl.stack import RANKS

_ROUNDS: Final = 2
"""How often what came back is removed again: who writes on after that has to be found by a person."""


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
    def going(self) -> dict[str, str]:
        """What a destroy has still to remove: address to what it goes with; empty where it goes by itself."""
        alone = dict.fromkeys(self.present.keys() - self.kept.keys(), "")
        return alone | {facet: here for here in alone for facet in self.leaving[here].facets}


def survey(run: Run) -> Remains:
    """Find everything of ours."""
    manifest, version = run.recorded()
    recorded: dict[str, Leaving] = {}
    reconcilers = registry()
    for here, entry in manifest.entries.items():
        reconciler = reconciler_of(entry, reconcilers)
        facets = facets_of(entry, manifest, reconcilers)
        recorded[here] = Leaving(here, reconciler, entry.id, likeness(entry, reconciler), entry, facets)
    leaving = _with_rules({**_late(run), **found_by_tags(run), **recorded})
    dying = {facet for one in leaving.values() for facet in one.facets}
    going = {here: one for here, one in leaving.items() if here not in dying}
    seen = _look(run, going)
    # What was only looked for counts where it is there and ours.
    going = {here: one for here, one in going.items() if one.entry or _is_ours_or_unread(run, one, seen)}
    kept = {here: why for here in going if (why := _kept(run, going[here], seen[here]))}
    return Remains(going, {here: seen[here] for here in going}, kept, manifest, version)


def seen_again(run: Run, remains: Remains) -> Remains:
    """The same things, as they are now."""
    return replace(remains, seen=_look(run, remains.leaving))


def found_by_tags(run: Run) -> dict[str, Leaving]:
    """Every thing that carries our tags, of every type tapctl has ever managed."""
    reconcilers = [one for one in registry().values() if not one.facet]
    found = [(one, beside(partial(_found, run, one))) for one in reconcilers]
    return {
        address(one.type, id_): Leaving(address(one.type, id_), one, id_, None, None)
        for one, ids in found
        for id_ in ids.result()
    }


def remove(runner: Runner, remains: Remains) -> None:
    """Take all of it away, in order."""
    removals = [
        Removal(
            here,
            one.reconciler.type,
            frozenset(one.entry.needs) if one.entry else None,
            one.reconciler.early,
            one.reconciler.outlived_by,
        )
        for here, one in remains.leaving.items()
    ]
    runner.remove(removing(removals, RANKS), remains.leaving)


def sweep(run: Run, runner: Runner, remains: Remains) -> dict[str, Sight]:
    """Look again, by tags and at every id just removed; what came back (a late writer's log group) goes once more."""
    left = _left(run, runner, remains)
    for _ in range(_ROUNDS):
        if not left:
            break
        late = {here: replace(one, entry=None, last=_spec(sight)) for here, (one, sight) in left.items()}
        seen = {here: sight for here, (_, sight) in left.items()}
        remove(runner, Remains(late, seen, {}, remains.manifest, remains.version))
        left = _left(run, runner, remains)
    return {here: sight for here, (_, sight) in left.items()}


def _left(run: Run, runner: Runner, remains: Remains) -> dict[str, tuple[Leaving, Sight]]:
    again = {**_late(run), **remains.leaving, **found_by_tags(run)}
    seen = _look(run, again)
    return {here: (one, seen[here]) for here, one in again.items() if _is_left(run, runner, one, seen)}


def is_strangers(run: Run, one: Leaving, seen: dict[str, Sight]) -> bool:
    """Whether what is seen there is somebody else's, or may be."""
    sight = seen[one.address]
    return isinstance(sight, Observed) and not _is_ours(run, one, sight)


def _kept(run: Run, one: Leaving, sight: Sight) -> Kept | None:
    """Why it would stay as it is."""
    if not isinstance(sight, Observed) or sight.kept is not None:
        return sight.kept if isinstance(sight, Observed) else None
    needing = snapshots_of(run.aws, sight.outputs.arn) if isinstance(one.reconciler, KmsKey) and sight.outputs else []
    return Kept("its snapshots are deleted", f"it decrypts {', '.join(needing)}") if needing else None


def _is_ours_or_unread(run: Run, one: Leaving, seen: dict[str, Sight]) -> bool:
    """Whether what is seen there is ours; what could not be read may be."""
    sight = seen[one.address]
    if not isinstance(sight, Observed):
        return isinstance(sight, Unreadable)
    if one.entry is None and sight.owner is None and _writer_is_a_strangers(run, one, seen):
        return False
    return _is_ours(run, one, sight) or (one.reconciler.made_by_aws and owner_is_unread(sight))


def _is_ours(run: Run, one: Leaving, sight: Observed[Any, Any]) -> bool:
    recorded = one.entry.outputs if one.entry else None
    return is_ours(sight, run.owner, recorded=recorded, made_by_aws=one.reconciler.made_by_aws)


def _writer_is_a_strangers(run: Run, one: Leaving, seen: dict[str, Sight]) -> bool:
    """Whether this is the log group of a function or cluster of our name that is somebody else's."""
    writer = _writers(run).get(one.id)
    if not isinstance(one.reconciler, LogGroup) or writer is None:
        return False
    sight = seen.get(writer.address, Absent())
    return isinstance(sight, Observed) and not is_ours(sight, run.owner, recorded=None, made_by_aws=False)


def _writers(run: Run) -> dict[str, Leaving]:
    """Who writes each log group of our names."""
    names = run.names
    by_group: dict[str, tuple[Reconciler[Any, Any], str]] = {
        names.function_log_group: (LambdaFunction(), names.function),
        names.database_log_group: (DbCluster(), names.cluster),
    }
    return {group: Leaving(address(rec.type, id_), rec, id_, None, None) for group, (rec, id_) in by_group.items()}


def _found(run: Run, reconciler: Reconciler[Any, Any]) -> list[str]:
    return list(reconciler.find(run.aws, run.owner))


def _late(run: Run) -> dict[str, Leaving]:
    """The log groups of our names, and their writers.

    What AWS writes into a group once more after a destroy has neither tags nor a record: it is ours unless its writer
    is somebody else's.
    """
    writers = _writers(run)
    groups = {(here := address(LogGroup.type, id_)): Leaving(here, LogGroup(), id_, None, None) for id_ in writers}
    return groups | {one.address: one for one in writers.values()}


def _with_rules(leaving: dict[str, Leaving]) -> dict[str, Leaving]:
    """Each security group with its rules, which no tag finds: groups that name each other go only after those."""
    groups = [one.id for one in leaving.values() if isinstance(one.reconciler, SecurityGroup)]
    rules = {address(RULES, id_): id_ for id_ in groups}
    return {here: Leaving(here, SecurityGroupRules(), id_, None, None) for here, id_ in rules.items()} | leaving


def _look(run: Run, going: dict[str, Leaving]) -> dict[str, Sight]:
    return look(run.aws, [Look(one.reconciler, one.id, one.last) for one in going.values()])


def _spec(sight: Sight) -> Any:
    return sight.spec if isinstance(sight, Observed) else None


def _is_left(run: Run, runner: Runner, one: Leaving, seen: dict[str, Sight]) -> bool:
    """Whether this is ours and still there without a reason."""
    sight = seen[one.address]
    if not isinstance(sight, Observed):
        return isinstance(sight, Unreadable)
    ended = runner.outcome.finished.get(one.address)
    if sight.kept is not None or (ended is not None and ended.kept is not None):
        return False
    return _is_ours_or_unread(run, replace(one, entry=None), seen)
