"""The inventory for destroy: recorded resources, resources that carry our tags, and those that AWS recreates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.engine.events import Finished, Result
from tapctl.engine.model import Observed, Owner, Reconciler, Retained, UnreadTags, address
from tapctl.engine.observe import Absent, Observation, ObserveRequest, Unreadable, observe_all
from tapctl.engine.owner_tags import MANAGED_BY
from tapctl.engine.ownership import Ownership, Verdict, other_identity
from tapctl.engine.record import Phase
from tapctl.engine.resources import AnyResource, Deletion
from tapctl.errors import ConfigError, Refused, TapctlError
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.network_of_files import vpc_of_files, way_out, why_unknown
from tapctl.evidence.record_fingerprint import fingerprint_left
from tapctl.evidence.recorded_files import any_files
from tapctl.evidence.tag_bearers import Unasked, check_not_elsewhere
from tapctl.evidence.unread_tags import Unidentified
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import reconciler_of, recorded_spec, registry, subresources_of
from tapctl.reconcilers.log_group import LogGroup
from tapctl.session.history_place import check_history_place
from tapctl.session.session import Session
from tapctl.stack.definition import planned_stack
from tapctl.threads import side_by_side

_NOT_BY_AWS: Final = "it bears no tag, and AWS does not make one like that by itself"

VpcOfFiles = Callable[[], str | TapctlError]
"""The look-up of `vpc_of_files`, made once and only where it is needed."""


@dataclass(frozen=True)
class Inventory:
    """Everything of ours that there is, recorded or found by its tags; each mapping is by address."""

    deletions: dict[str, Deletion]
    observations: dict[str, Observation]
    retained: dict[str, Retained]
    """The resources that stay: AWS deletes them only later, or a resource that stays needs them."""
    foreign: tuple[str, ...]
    """Addresses of what bears our tags and no name of ours: a restored copy of the cluster. Listed, never touched."""
    others: Mapping[str, str]
    """Address to both identities of what bears our name and tags, and is another one than the last version of the
    record that has it; or to why what bears our name alone is nobody's of ours. Listed, never touched."""
    theirs: Mapping[str, str]
    """Address to whose tags it bears, of what bears a name of ours and is another owner's. Told, never touched."""
    overwritten: Mapping[str, str]
    """The same of what bears our suffix and environment beside another ``ManagedBy``: it may be ours. Never touched."""
    unjudged: Mapping[str, Refused]
    """Address to the refusal of what bears our names and tags, where nobody can tell if it is in our network."""
    manifest: Manifest
    version: str | None
    unasked: Unasked = field(default_factory=Unasked)
    """The places where nobody could look for the copy of which nothing is to go."""
    known_uses: Mapping[str, str] = field(default_factory=dict)
    """Address to what is known of others' use of what goes for good."""
    unidentified: Unidentified = field(default_factory=Unidentified)
    """The resources under no name of ours whose tags nobody could read, and which may bear ours."""
    ending: tuple[str, ...] = ()
    """Receivers of the subscriptions that others have made, and that end with the topic."""
    filters: tuple[str, ...] = ()
    """Addresses of the filters that others have put on log groups, and that end with them."""
    removed_before: Mapping[str, str] = field(default_factory=dict)
    """Address to the id of the run, by the history: what destroys since the last apply have removed."""

    @property
    def present(self) -> dict[str, Observed[Any, Any]]:
        """The resources that exist."""
        return {
            address: observation
            for address, observation in self.observations.items()
            if isinstance(observation, Observed)
        }

    @property
    def to_delete(self) -> dict[str, str]:
        """Address to the address that it is deleted with; empty for a deletion of its own."""
        alone = dict.fromkeys(self.present.keys() - self.retained.keys(), "")
        return alone | {child: parent for parent in alone for child in self.deletions[parent].subresources}

    @property
    def forgotten(self) -> frozenset[str]:
        """The addresses that the record tells of and AWS does not have: nothing is removed, and the record loses them.

        Of what an earlier destroy has kept it lost nothing that was to stay.
        """
        recorded = {address for address, entry in self.manifest.entries.items() if entry.phase is not Phase.KEPT}
        unread = {address for address, seen in self.observations.items() if isinstance(seen, Unreadable)}
        unread |= {child for address in unread for child in self.deletions[address].subresources}
        return frozenset(recorded - self.present.keys() - self.to_delete.keys() - unread)


def take_inventory(session: Session) -> Inventory:
    """Find everything of ours.

    Raises:
        ManifestError: nothing is to go, and AWS has what bears the tag of this copy in another place.
    """
    manifest, version = session.load_manifest()
    check_history_place(session.invocation, session.store, manifest)
    configured = _configured(session)
    recorded = {
        address: Deletion(
            address,
            reconciler_of(entry),
            entry.id,
            recorded_spec(entry),
            entry,
            subresources_of(entry, manifest.entries),
        )
        for address, entry in manifest.entries.items()
    }
    discovered, unidentified = discover_by_tags(session)
    tagged, strangers = _by_name(session, discovered, manifest)
    deletions = with_subresources({**planned_by_name(session), **recreated_by_aws(session), **tagged, **recorded})
    deletions |= {
        address: replace(deletions[address], reconciler=resource.reconciler)
        for address, resource in configured.items()
        if address in deletions
    }
    deletions = _with_defined_needs(session, deletions, configured.values(), manifest)
    for child in [child for deletion in deletions.values() for child in deletion.subresources]:
        deletions.pop(child, None)
    observations = _observe(session, deletions)
    # What bears a name of ours is judged by its own observation.
    unidentified = unidentified.beside(observations)
    kept = EarlierVersions(session.store, manifest, session.screen.warn)
    corrected = kept.corrected(manifest.entries, observations, fingerprint_left(session.names, observations))
    # What goes with another one has no removal of its own.
    deletions |= {
        place: replace(deletions[place], entry=entry) for place, entry in corrected.items() if place in deletions
    }
    vpc = cache(partial(vpc_of_files, session))
    others, unjudged = _others(session, deletions, observations, kept, vpc)
    others |= _not_by_aws(session, deletions, observations)
    theirs = _theirs(session, deletions, observations, others.keys(), vpc)
    overwritten = {
        address_: told for address_, told in theirs.items() if _is_overwritten(session, observations[address_])
    }
    theirs = {address_: told for address_, told in theirs.items() if address_ not in overwritten}
    # A resource without a record counts only if it is there and ours.
    deletions = {
        address: deletion
        for address, deletion in deletions.items()
        if address not in others
        if deletion.entry or _may_be_ours(session, deletion, observations) or _lingers(session, deletion, observations)
    }
    deletions = {
        address: replace(deletion, reconciler=deletion.reconciler.removed_with(deletions.keys()))
        for address, deletion in deletions.items()
    }
    observations = {address: observations[address] for address in deletions}
    retained = {
        address: reason
        for address, deletion in deletions.items()
        if (reason := _retained_because(session, deletion, observations[address]))
    }
    foreign = sorted(
        address
        for address, observation in _observe(session, strangers).items()
        if isinstance(observation, Unreadable) or (isinstance(observation, Observed) and not observation.deleting)
    )
    inventory = Inventory(
        deletions,
        observations,
        retained,
        tuple(foreign),
        others,
        theirs,
        overwritten,
        unjudged,
        manifest,
        version,
        unidentified=unidentified,
        removed_before=_removed_before(session, kept, manifest, configured) if version is not None else {},
    )
    if inventory.to_delete:
        return inventory
    unasked = check_not_elsewhere(session.invocation, session.screen, session.store, manifest)
    return replace(inventory, unasked=unasked)


def _others(
    session: Session,
    deletions: Mapping[str, Deletion],
    observations: dict[str, Observation],
    kept: EarlierVersions,
    vpc: VpcOfFiles,
) -> tuple[dict[str, str], dict[str, Refused]]:
    """Address to both identities of what is not recorded, and is another one than an earlier version tells of.

    Anybody may give a thing of theirs our tags, and, in another place, our name: where no version tells the place, the
    files do. With the refusals of what cannot be judged so, by address: it may be ours as well as theirs.
    """
    told: dict[str, str] = {}
    unjudged: dict[str, Refused] = {}
    for address_, deletion in deletions.items():
        seen, name = observations[address_], deletion.reconciler.identity
        if deletion.entry is not None or not name or not isinstance(seen, Observed):
            continue
        if not _may_be_ours(session, deletion, observations):
            continue
        entry = kept.last_made(address_)
        if entry is not None:
            told[address_] = other_identity(deletion.reconciler, entry, seen)
        elif hasattr(seen.spec, name):
            own, live = vpc(), getattr(seen.spec, name)
            if isinstance(own, TapctlError):
                unjudged[address_] = _unjudged_error(address_, live, own)
            else:
                told[address_] = f"{name} {own} → {live}" if own != live else ""
    others = {address_: identities for address_, identities in told.items() if identities}
    return others, {
        address_: error
        for address_, error in unjudged.items()
        # One word for a group and its rules.
        if address(str(deletions[address_].reconciler.parent_type), deletions[address_].id) not in unjudged
    }


def _unjudged_error(address_: str, live: str, why: TapctlError) -> Refused:
    return Refused(
        f"{address_} bears our name and tags in {live}, and which VPC the files name could not be read; "
        "it was left untouched",
        evidence=why_unknown(why),
        hint=way_out(why),
    )


def _not_by_aws(
    session: Session, deletions: Mapping[str, Deletion], observations: dict[str, Observation]
) -> dict[str, str]:
    """Address to why it is left, of what bears our name alone and is not as AWS makes it: somebody else has made it."""
    return {
        address_: _NOT_BY_AWS
        for address_, deletion in deletions.items()
        if isinstance(seen := observations[address_], Observed)
        and deletion.entry is None
        and deletion.reconciler.created_by_aws
        and not seen.is_default
        and not _has_foreign_writer(session, deletion, observations)
        and ownership_of(session, deletion, seen).verdict is Verdict.NO_CLAIM
        and not getattr(seen.spec, "tags", None)
    }


def _theirs(
    session: Session,
    deletions: Mapping[str, Deletion],
    observations: dict[str, Observation],
    others: Collection[str],
    vpc: VpcOfFiles,
) -> dict[str, str]:
    """Address to the tags of what bears a name of ours, and is somebody else's; ``others``: told already.

    A log group goes untold where its writer is told, and a security group in another VPC than ours: its name is free in
    ours.
    """

    def is_elsewhere(seen: Observed[Any, Any], place: str) -> bool:
        own = vpc() if hasattr(seen.spec, place) else None
        return isinstance(own, str) and own != getattr(seen.spec, place)

    return {
        address_: ownership_of(session, deletion, seen).evidence
        for address_, deletion in deletions.items()
        if isinstance(seen := observations[address_], Observed)
        and deletion.entry is None
        and address_ not in others
        and not deletion.reconciler.subresource
        and not seen.deleting
        and not _may_be_ours(session, deletion, observations)
        and not _has_foreign_writer(session, deletion, observations)
        and not is_elsewhere(seen, deletion.reconciler.identity)
    }


def _is_overwritten(session: Session, seen: Observation) -> bool:
    """True if suffix and environment in the tags are ours, and ``ManagedBy`` alone is another's: it may be ours."""
    owner = seen.owner if isinstance(seen, Observed) else None
    return owner is not None and replace(owner, managed_by=MANAGED_BY) == session.owner


def _configured(session: Session) -> dict[str, AnyResource]:
    """The resources of the configuration by address; none where the environment has no file any more.

    They know what it says of a removal (a final snapshot, a waiting period).
    """
    if isinstance(session.loaded, ConfigError):
        return {}
    return {resource.address: resource for resource in planned_stack(session.loaded, session.suffix)}


def _with_defined_needs(
    session: Session, deletions: Mapping[str, Deletion], configured: Collection[AnyResource], manifest: Manifest
) -> dict[str, Deletion]:
    """The deletions with what each needs by the stack's definition, whatever the record tells of that.

    What all files want stands in for files that are gone. What no such stack has, an alarm that only the files knew,
    needs whatever is of a type that others of its own type need.
    """
    if not configured:
        configured = [*planned_stack(any_files(manifest.environment, session.names, manifest.entries), session.suffix)]
    needs = {resource.address: resource.needs for resource in configured}
    types: dict[str, set[str]] = defaultdict(set)
    for resource in configured:
        types[resource.type] |= {need.partition("/")[0] for need in resource.needs} - {resource.type}
    of_type = {
        type_: frozenset(address for address, each in deletions.items() if each.reconciler.type in needed)
        for type_, needed in types.items()
    }
    return {
        address: replace(deletion, defined_needs=needs.get(address, of_type.get(deletion.reconciler.type, frozenset())))
        for address, deletion in deletions.items()
    }


def _removed_before(
    session: Session, kept: EarlierVersions, manifest: Manifest, configured: Collection[str]
) -> dict[str, str]:
    """The removals of destroys that were cut off: of names of this suffix, and in the record no more."""
    # An apply's end has all that is configured: then there is nothing to be looked for.
    if manifest.entries.keys() >= {*configured}:
        return {}
    may_have = session.claimant.may_have_name
    removed = {place: run for place, run in kept.removed_by_destroys().items() if place not in manifest.entries}
    return {place: run for place, run in removed.items() if may_have(*place.split("/", 1))}


def refresh(session: Session, inventory: Inventory) -> Inventory:
    """Observe the same resources again."""
    return replace(inventory, observations=_observe(session, inventory.deletions))


def discover_by_tags(session: Session) -> tuple[dict[str, Deletion], Unidentified]:
    """Find every resource that carries our tags, of every type that tapctl has ever managed.

    With what may carry them and could not be asked.
    """
    reconcilers = [reconciler for reconciler in registry().values() if not reconciler.subresource]
    # Most types ask the tagging API the same: once is enough.
    view = session.aws.memoized()
    searches = side_by_side(partial(_owned_ids, view, session.owner, item) for item in reconcilers)
    found = [(item, one) for item, ones in zip(reconcilers, searches, strict=True) for one in ones]
    deletions = [_deletion(item, one) for item, one in found if isinstance(one, str)]
    unread = {address(item.type, one.id): one for item, one in found if isinstance(one, UnreadTags)}
    return {deletion.address: deletion for deletion in deletions}, Unidentified(unread)


def planned_by_name(session: Session) -> dict[str, Deletion]:
    """List every resource of the stack by its name: the tagging API may not show what was made a moment ago.

    None without the environment's file: the record tells them then.
    """
    resources = () if isinstance(session.loaded, ConfigError) else planned_stack(session.loaded, session.suffix)
    own = (_deletion(resource.reconciler, resource.id) for resource in resources if not resource.reconciler.subresource)
    return {deletion.address: deletion for deletion in own}


def recreated_by_aws(session: Session) -> dict[str, Deletion]:
    """List the resources of our names that AWS recreates by itself, and those for which it does so.

    A log group that AWS recreates for a late writer has neither tags nor a record: the group is ours unless its writer
    is somebody else's.
    """
    recreated, writers = [], []
    groups = registry()[LogGroup.type]
    for id_ in (session.names.function_log_group, session.names.database_log_group):
        recreated.append(_deletion(groups, id_))
        type_, _, writer = str(groups.recreated_by(id_)).partition("/")
        writers.append(_deletion(registry()[type_], writer))
    return {deletion.address: deletion for deletion in (*recreated, *writers)}


def with_subresources(deletions: dict[str, Deletion]) -> dict[str, Deletion]:
    """Add the subresources that need a deletion of their own, which no tag finds.

    Security groups that name each other in their rules can be deleted only after those rules.
    """
    children = [
        _deletion(reconciler, deletion.id)
        for reconciler in registry().values()
        for deletion in deletions.values()
        if reconciler.parent_type == deletion.reconciler.type and not reconciler.deleted_with_parent
    ]
    return {child.address: child for child in children} | deletions


def leftovers(
    session: Session, finished: Mapping[str, Finished], inventory: Inventory
) -> tuple[dict[str, tuple[Deletion, Observation]], tuple[str, ...], Unidentified]:
    """Find the resources of ours that still exist without a reason, and what is somebody else's in place of one.

    With what may be ours and could not be asked. ``finished``: by this run, by address.
    """
    discovered, unidentified = discover_by_tags(session)
    tagged, _ = _by_name(session, discovered, inventory.manifest)
    deletions = {**recreated_by_aws(session), **tagged, **inventory.deletions}
    observations = _observe(session, deletions)
    found = {
        address: (deletion, observations[address])
        for address, deletion in deletions.items()
        if _is_leftover(session, finished.get(address), deletion, observations)
    }
    anew = (
        address
        for address, seen in observations.items()
        if isinstance(seen, Observed)
        and not seen.deleting
        and address not in found
        and address in finished
        and finished[address].result is Result.DELETED
    )
    return found, tuple(anew), unidentified.beside(observations)


def ownership_of(
    session: Session, deletion: Deletion, observed: Observed[Any, Any], *, known: bool = False
) -> Ownership:
    """Tell whose the resource is; ``known``: this run has removed one of that name, and AWS may make it again."""
    recorded = deletion.entry.claim if deletion.entry else None
    return session.claimant.judge(deletion.reconciler, deletion.id, observed, recorded=recorded, known=known)


def _by_name(
    session: Session, deletions: Mapping[str, Deletion], manifest: Manifest
) -> tuple[dict[str, Deletion], dict[str, Deletion]]:
    """Part what bears a name that this suffix can have from what does not, or may bear one by chance."""
    ours: dict[str, Deletion] = {}
    others: dict[str, Deletion] = {}
    claimant = session.claimant
    for address_, deletion in deletions.items():
        name = (deletion.reconciler.type, deletion.id)
        by_chance = claimant.chosen_name(*name) and address_ not in manifest.entries
        may_be_ours = claimant.may_have_name(*name) and not by_chance
        (ours if may_be_ours else others)[address_] = deletion
    return ours, others


def _retained_because(session: Session, deletion: Deletion, observation: Observation) -> Retained | None:
    """Tell why the resource would stay."""
    if not isinstance(observation, Observed):
        return None
    return observation.retained or deletion.reconciler.retained_because(session.aws, deletion.id, observation)


def _may_be_ours(
    session: Session, deletion: Deletion, observations: dict[str, Observation], *, known: bool = False
) -> bool:
    """True if the resource exists and is ours, or could not be read.

    Or if its tags are ours but for what is another environment's, or lacks, or what else tells against them.
    """
    observation = observations[deletion.address]
    if not isinstance(observation, Observed):
        return isinstance(observation, Unreadable)
    if deletion.entry is None and observation.owner is None and _has_foreign_writer(session, deletion, observations):
        return False
    verdict, owner = ownership_of(session, deletion, observation, known=known).verdict, observation.owner
    is_unsure = verdict is Verdict.NO_CLAIM and owner is not None and (owner.lacks or owner.doubt)
    if owner is not None and (verdict is Verdict.OTHER_ENVIRONMENT or is_unsure):
        return session.owner.finds(owner.tags)
    return verdict in (Verdict.OURS, Verdict.UNREADABLE)


def _lingers(session: Session, deletion: Deletion, observations: dict[str, Observation]) -> bool:
    """True if the resource is gone, and AWS still needs others of ours to clean up after it.

    Without a record nothing else tells: the role would go, and the network interfaces would stay for ever.
    """
    reconciler = deletion.reconciler
    needed = {address.partition("/")[0] for address, seen in observations.items() if isinstance(seen, Observed)}
    if not isinstance(observations[deletion.address], Absent) or not reconciler.leftovers_need & needed:
        return False
    return reconciler.remaining_after_delete(session.aws, deletion.id, None) is not None


def _has_foreign_writer(session: Session, deletion: Deletion, observations: dict[str, Observation]) -> bool:
    """True if AWS made this resource for a function or cluster of our name that is somebody else's."""
    writer = deletion.reconciler.recreated_by(deletion.id) or ""
    observation = observations.get(writer)
    if not isinstance(observation, Observed):
        return False
    type_, _, id_ = writer.partition("/")
    return not ownership_of(session, _deletion(registry()[type_], id_), observation).ours


def _is_leftover(
    session: Session, finished: Finished | None, deletion: Deletion, observations: dict[str, Observation]
) -> bool:
    """True if the resource is ours and still exists without a reason. ``finished``: by this run."""
    observation = observations[deletion.address]
    if not isinstance(observation, Observed):
        return isinstance(observation, Unreadable)
    if observation.retained is not None or (finished is not None and finished.retained is not None):
        return False
    # Gone from the record: of the claims only the tags are left, unless people have chosen the name.
    chosen = session.claimant.chosen_name(deletion.reconciler.type, deletion.id)
    claimed = deletion if chosen else replace(deletion, entry=None)
    return _may_be_ours(session, claimed, observations, known=finished is not None)


def _owned_ids(view: Aws, owner: Owner, reconciler: Reconciler[Any, Any]) -> list[str | UnreadTags]:
    return list(reconciler.list_owned(view, owner))


def _deletion(reconciler: Reconciler[Any, Any], id_: str) -> Deletion:
    """The deletion of a resource without a record."""
    return Deletion(address(reconciler.type, id_), reconciler, id_, None, None)


def _observe(session: Session, deletions: dict[str, Deletion]) -> dict[str, Observation]:
    requests = [ObserveRequest(item.reconciler, item.id, item.last) for item in deletions.values()]
    return observe_all(session.aws, requests)
