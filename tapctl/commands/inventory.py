"""What there is of ours: by the record, by the tags of every type, and what AWS makes again by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from tapctl.commands.runner import EngineRunner
from tapctl.engine.model import Observed, Reconciler, Retained, address
from tapctl.engine.observe import (
    Absent,
    Observation,
    ObserveRequest,
    Unreadable,
    is_ours,
    observe_all,
    owner_is_unreadable,
)
from tapctl.engine.resources import Deletion, deletion_graph
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import reconciler_of, recorded_spec, registry, subresources_of
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.kms_key import KmsKey, snapshots_of
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.log_group import LogGroup
from tapctl.reconcilers.security_group import RULES, SecurityGroup
from tapctl.reconcilers.security_group_rules import SecurityGroupRules
from tapctl.session.session import Session
from tapctl.stack.definition import RANKS
from tapctl.threads import in_background

_ROUNDS: Final = 2
"""How often what came back is removed again: who writes on after that has to be found by a person."""


@dataclass(frozen=True)
class Inventory:
    """Everything of ours that there is, recorded or found by its tags."""

    deletions: dict[str, Deletion]
    observations: dict[str, Observation]
    retained: dict[str, Retained]
    """What stays as it is: AWS lets it go only later, or something that stays needs it."""
    manifest: Manifest
    version: str | None

    @property
    def present(self) -> dict[str, Observed[Any, Any]]:
        """What is really there."""
        return {here: sight for here, sight in self.observations.items() if isinstance(sight, Observed)}

    @property
    def to_delete(self) -> dict[str, str]:
        """What a destroy has still to remove: address to what it goes with; empty where it goes by itself."""
        alone = dict.fromkeys(self.present.keys() - self.retained.keys(), "")
        return alone | {facet: here for here in alone for facet in self.deletions[here].subresources}


def take_inventory(session: Session) -> Inventory:
    """Find everything of ours."""
    manifest, version = session.load_manifest()
    recorded: dict[str, Deletion] = {}
    reconcilers = registry()
    for here, entry in manifest.entries.items():
        reconciler = reconciler_of(entry, reconcilers)
        facets = subresources_of(entry, manifest, reconcilers)
        recorded[here] = Deletion(here, reconciler, entry.id, recorded_spec(entry, reconciler), entry, facets)
    leaving = with_rules({**recreated_log_groups(session), **discover_by_tags(session), **recorded})
    dying = {facet for one in leaving.values() for facet in one.subresources}
    going = {here: one for here, one in leaving.items() if here not in dying}
    seen = _look(session, going)
    # What was only looked for counts where it is there and ours.
    going = {here: one for here, one in going.items() if one.entry or _is_ours_or_unread(session, one, seen)}
    kept = {here: why for here in going if (why := retained_because(session, going[here], seen[here]))}
    return Inventory(going, {here: seen[here] for here in going}, kept, manifest, version)


def refresh(session: Session, remains: Inventory) -> Inventory:
    """The same things, as they are now."""
    return replace(remains, observations=_look(session, remains.deletions))


def discover_by_tags(session: Session) -> dict[str, Deletion]:
    """Every thing that carries our tags, of every type tapctl has ever managed."""
    reconcilers = [one for one in registry().values() if not one.subresource]
    found = [(one, in_background(partial(owned_ids, session, one))) for one in reconcilers]
    return {
        address(one.type, id_): Deletion(address(one.type, id_), one, id_, None, None)
        for one, ids in found
        for id_ in ids.result()
    }


def delete_inventory(runner: EngineRunner, remains: Inventory) -> None:
    """Take all of it away, in order."""
    runner.remove(deletion_graph(remains.deletions.values(), RANKS), remains.deletions)


def sweep(session: Session, runner: EngineRunner, remains: Inventory) -> dict[str, Observation]:
    """Look again, by tags and at every id just removed; what came back (a late writer's log group) goes once more."""
    left = leftovers(session, runner, remains)
    for _ in range(_ROUNDS):
        if not left:
            break
        late = {here: replace(one, entry=None, last=_spec(sight)) for here, (one, sight) in left.items()}
        seen = {here: sight for here, (_, sight) in left.items()}
        delete_inventory(runner, Inventory(late, seen, {}, remains.manifest, remains.version))
        left = leftovers(session, runner, remains)
    return {here: sight for here, (_, sight) in left.items()}


def leftovers(session: Session, runner: EngineRunner, remains: Inventory) -> dict[str, tuple[Deletion, Observation]]:
    again = {**recreated_log_groups(session), **remains.deletions, **discover_by_tags(session)}
    seen = _look(session, again)
    return {here: (one, seen[here]) for here, one in again.items() if is_leftover(session, runner, one, seen)}


def is_foreign(session: Session, one: Deletion, seen: dict[str, Observation]) -> bool:
    """Whether what is seen there is somebody else's, or may be."""
    sight = seen[one.address]
    return isinstance(sight, Observed) and not _is_ours(session, one, sight)


def retained_because(session: Session, one: Deletion, sight: Observation) -> Retained | None:
    """Why it would stay as it is."""
    if not isinstance(sight, Observed) or sight.retained is not None:
        return sight.retained if isinstance(sight, Observed) else None
    needing = (
        snapshots_of(session.aws, sight.outputs.arn) if isinstance(one.reconciler, KmsKey) and sight.outputs else []
    )
    return Retained("its snapshots are deleted", f"it decrypts {', '.join(needing)}") if needing else None


def _is_ours_or_unread(session: Session, one: Deletion, seen: dict[str, Observation]) -> bool:
    """Whether what is seen there is ours; what could not be read may be."""
    sight = seen[one.address]
    if not isinstance(sight, Observed):
        return isinstance(sight, Unreadable)
    if one.entry is None and sight.owner is None and has_foreign_writer(session, one, seen):
        return False
    return _is_ours(session, one, sight) or (one.reconciler.created_by_aws and owner_is_unreadable(sight))


def _is_ours(session: Session, one: Deletion, sight: Observed[Any, Any]) -> bool:
    recorded = one.entry.outputs if one.entry else None
    return is_ours(sight, session.owner, recorded=recorded, created_by_aws=one.reconciler.created_by_aws)


def has_foreign_writer(session: Session, one: Deletion, seen: dict[str, Observation]) -> bool:
    """Whether this is the log group of a function or cluster of our name that is somebody else's."""
    writer = _writers(session).get(one.id)
    if not isinstance(one.reconciler, LogGroup) or writer is None:
        return False
    sight = seen.get(writer.address, Absent())
    return isinstance(sight, Observed) and not is_ours(sight, session.owner, recorded=None, created_by_aws=False)


def _writers(session: Session) -> dict[str, Deletion]:
    """Who writes each log group of our names."""
    names = session.names
    by_group: dict[str, tuple[Reconciler[Any, Any], str]] = {
        names.function_log_group: (LambdaFunction(), names.function),
        names.database_log_group: (DbCluster(), names.cluster),
    }
    return {group: Deletion(address(rec.type, id_), rec, id_, None, None) for group, (rec, id_) in by_group.items()}


def owned_ids(session: Session, reconciler: Reconciler[Any, Any]) -> list[str]:
    return list(reconciler.list_owned(session.aws, session.owner))


def recreated_log_groups(session: Session) -> dict[str, Deletion]:
    """The log groups of our names, and their writers.

    What AWS writes into a group once more after a destroy has neither tags nor a record: it is ours unless its writer
    is somebody else's.
    """
    writers = _writers(session)
    groups = {(here := address(LogGroup.type, id_)): Deletion(here, LogGroup(), id_, None, None) for id_ in writers}
    return groups | {one.address: one for one in writers.values()}


def with_rules(leaving: dict[str, Deletion]) -> dict[str, Deletion]:
    """Each security group with its rules, which no tag finds: groups that name each other go only after those."""
    groups = [one.id for one in leaving.values() if isinstance(one.reconciler, SecurityGroup)]
    rules = {address(RULES, id_): id_ for id_ in groups}
    return {here: Deletion(here, SecurityGroupRules(), id_, None, None) for here, id_ in rules.items()} | leaving


def _look(session: Session, going: dict[str, Deletion]) -> dict[str, Observation]:
    return observe_all(session.aws, [ObserveRequest(one.reconciler, one.id, one.last) for one in going.values()])


def _spec(sight: Observation) -> Any:
    return sight.spec if isinstance(sight, Observed) else None


def is_leftover(session: Session, runner: EngineRunner, one: Deletion, seen: dict[str, Observation]) -> bool:
    """Whether this is ours and still there without a reason."""
    sight = seen[one.address]
    if not isinstance(sight, Observed):
        return isinstance(sight, Unreadable)
    ended = runner.outcome.finished.get(one.address)
    if sight.retained is not None or (ended is not None and ended.retained is not None):
        return False
    return _is_ours_or_unread(session, replace(one, entry=None), seen)
