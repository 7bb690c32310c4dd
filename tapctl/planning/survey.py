"""Survey that plan and apply start with: everything is read, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tapctl.engine import model
from tapctl.engine.diff import same
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observation, Observations, ObserveRequest, observe_all
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.resources import AnyResource, Stack
from tapctl.engine.waiver import spares_of
from tapctl.evidence.concurrent_run import Stored
from tapctl.evidence.doubtful_record import NO_DOUBT, Doubt, warn_of_doubtful_record, without_blame
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.final_snapshot import snapshot_stays_due, tell_of_snapshot
from tapctl.evidence.record_fingerprint import fingerprint_left, fingerprint_taken_for_left, is_other_record
from tapctl.evidence.tag_bearers import check_not_elsewhere
from tapctl.evidence.unfinished_upgrade import changes_with_upgrade
from tapctl.findings.waivers import waivers_for, warn_of_ended_waivers
from tapctl.manifest.manifest import Manifest
from tapctl.planning.foreseen_refusals import with_foreseen_refusal, with_refused_removal
from tapctl.planning.lookup import look_up, network_summary
from tapctl.planning.permits import ADOPT_ALL, Permits, check_adopted, check_allowed, warn_of_unneeded
from tapctl.planning.preflight import Flight, Quotas, check_all
from tapctl.planning.restore import check_restore_flags, plan_restore
from tapctl.planning.subscribers import tell_of_confirmations, tell_of_subscribers
from tapctl.reconcilers import (
    known_specs,
    observations_for,
    registry,
)
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_cluster_snapshots import restored_data
from tapctl.reconcilers.iam_role import IamRole
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.render.values import counted
from tapctl.session.session import Session
from tapctl.session.target import is_deployed
from tapctl.stack.definition import build
from tapctl.stack.image import FIELD as IMAGE_FIELD
from tapctl.stack.image import tags_of
from tapctl.stack.network import NetworkContract
from tapctl.stack.rights import values_of


@dataclass(frozen=True)
class ApplySurvey:
    """The stack that is wanted, the record, the networking, and the plan that follows from them and from AWS."""

    stack: Stack
    network: NetworkContract
    record: Manifest
    """The record as it is stored."""
    manifest: Manifest
    """The record, corrected where it tells otherwise than a run of ours would."""
    version: str | None
    plan: Plan
    preflight: Flight
    shown: Plan
    """The plan as it is shown."""
    restoring: str = ""
    """The snapshot that a cluster which is to be made is made from; empty: none is."""
    restored_data: str = ""
    """The identity of what that snapshot holds (`restored_data`)."""
    fingerprint: str = ""
    """As `fingerprint_taken_for_left` tells it."""
    doubt: Doubt = NO_DOUBT
    """The evidence against the record; asked for where something was changed outside."""

    @property
    def is_blocked(self) -> bool:
        """True if a change must not be made, or a check says that one cannot."""
        return bool(self.plan.blocked or self.preflight.errors)


def survey(session: Session, permits: Permits, image_digest: str = "", *, stored: Stored | None = None) -> ApplySurvey:
    """Observe everything that is wanted or recorded, and plan; nothing is changed.

    ``image_digest``: the image's, where it was approved; empty: the one that its tag names now. ``stored``: the record,
    where it was read already.

    Raises:
        UsageError: an address that is permitted cannot be one.
        ManifestError: nothing of this copy is deployed, by its record, and AWS has it in another place.
    """
    check_restore_flags(permits)
    waivers = waivers_for(session)
    record, version = stored or session.load_manifest()
    check_allowed(session, permits.allowed, record)
    if version is not None and not is_deployed(record):
        check_not_elsewhere(session.invocation, session.screen, session.store, record).warn(session.screen)
    network, release = look_up(session, record, image_digest)
    session.screen.target(replace(session.target, networking=network_summary(network)))
    stack = build(session.config, session.names, network, release, restore_from=permits.restore)
    check_adopted(session, permits.adopted, [resource.address for resource in stack])
    # Only where a change is likely; else when there is one.
    quotas = Quotas.ask(session.aws) if record.config_hash != session.target.config_hash else None
    leftover = {address: entry for address, entry in record.entries.items() if address not in stack}
    wanted = [_request_for(resource, record) for resource in stack]
    observed = observe_all(session.aws.cursory(), [*wanted, *observations_for(leftover)])
    left = fingerprint_left(session.names, observed)
    manifest = _corrected(session, record, observed, left)
    stays_due = snapshot_stays_due(session, manifest.entries, observed, permits.restore)
    if stays_due:
        config = session.config.model_copy(update={"final_snapshot": True})
        stack = build(config, session.names, network, release, restore_from=permits.restore)
        session.screen.warn(
            f"a final snapshot stays due: {session.config.environment}.toml does not say final_snapshot = false"
        )
    make = partial(
        make_plan,
        stack,
        manifest.entries,
        observed,
        session.claimant,
        registry(),
        adopted=permits.adopted,
        adopt_overwritten=ADOPT_ALL in permits.adopted,
        reboot=permits.reboot,
        spares=spares_of(waivers),
    )
    plan = _planned(session, partial(make, allowed=permits.allowed), wanted, observed)
    if permits.allowed:
        warn_of_unneeded(session, permits.allowed, plan, make(), manifest.entries)
    unasked: list[str] = []
    judge = _Judge(session, permits, stack, manifest, observed, unasked.append, stays_due=stays_due)
    plan = replace(plan, changes=judge.judged(plan))
    _tell_of_receivers(session, plan, {*manifest.entries, *(resource.address for resource in stack)})
    _tell_of_kept_back(session, plan, stack, manifest)
    plan = replace(plan, names=_image_tags(session, plan))
    doubt = _tell_of_doubt(session, record, observed, plan, left)
    session.invocation.usage.impacts = plan.impacts
    session.screen.stack({resource.address: resource.needs for resource in stack})
    if version is None and plan.confirmed:
        session.screen.warn(
            f"there is no record at {session.location}: apply writes it anew, with "
            f"{counted(len(plan.confirmed), 'resource')} found in AWS"
        )
    values, file = values_of(session.config, session.names), str(session.invocation.config / "common.toml")
    making = any(change.type == DbCluster.type and not change.blocked for change in plan.to(Action.CREATE))
    restoring = permits.restore if making else ""
    return ApplySurvey(
        stack,
        network,
        record,
        manifest,
        version,
        plan,
        preflight=check_all(session.aws, stack, plan, values, quotas, unasked=unasked, file=file, marked=bool(left)),
        shown=without_blame(plan) if doubt else plan,
        restoring=restoring,
        restored_data=restored_data(session.aws, restoring) if restoring else "",
        fingerprint=fingerprint_taken_for_left(session.names, observed, record),
        doubt=doubt,
    )


@dataclass(frozen=True)
class _Judge:
    """The judgement of each planned change: what AWS would refuse of it, and where a database gets its data from."""

    session: Session
    permits: Permits
    stack: Stack
    manifest: Manifest
    observed: Observations
    unasked: Callable[[str], object]
    """Takes what could not be asked, as a sentence."""
    stays_due: bool
    """True if a final snapshot stays due."""

    def judged(self, plan: Plan) -> tuple[Change, ...]:
        """The changes of a plan, each told with its upgrade and its snapshot, or blocked."""
        changes = [
            with_foreseen_refusal(self.session, self.stack, change, self.observed, self.unasked)
            for change in changes_with_upgrade(plan.changes, self.session.names, self.manifest.entries)
        ]
        healed = _identities(self.observed[change.address] for change in changes if change.heals)
        return tuple(self._judged(change, healed) for change in changes)

    def _judged(self, change: Change, healed: Collection[str]) -> Change:
        session, manifest, observed = self.session, self.manifest, self.observed
        if change.type == DbCluster.type and change.address in self.stack:
            want = self.stack[change.address].spec
            change = plan_restore(session, self.permits, change, want, manifest, healed=healed, observed=observed)
        change = with_refused_removal(session.aws, manifest, change, observed[change.address])
        return tell_of_snapshot(change, stays=self.stays_due)


def _image_tags(session: Session, plan: Plan) -> Mapping[str, str]:
    """The tag of each image that an update leaves or goes to, by its URI."""
    images = [field for change in plan.to(Action.UPDATE) for field in change.fields if field.path == IMAGE_FIELD]
    return tags_of(session.aws, (uri for field in images for uri in (field.have, field.want)))


def _request_for(resource: AnyResource, manifest: Manifest) -> ObserveRequest:
    known = known_specs(manifest.entries.get(resource.address))
    return ObserveRequest(resource.reconciler.knowing(known), resource.id, resource.spec)


def _planned(
    session: Session, make: Callable[[], Plan], wanted: Iterable[ObserveRequest], observed: dict[str, Observation]
) -> Plan:
    """Plan; of what is taken over or replaced it is asked first who else can use it, as by a drift.

    Nobody has looked at the one before, and the other loses what hangs on it.
    """
    plan = make()
    asked = {change.address for change in plan.changes if change.adopts or change.action is Action.REPLACE}
    if not asked:
        return plan
    ours = {IamRole.type: (session.names.role,)}
    requests = [request for request in wanted if request.address in asked]
    seen = observe_all(session.aws.cursory(), requests, exposures=True, ours=ours)
    observed.update(
        (address, observation) for address, observation in seen.items() if isinstance(observation, Observed)
    )
    return make()


def _corrected(session: Session, manifest: Manifest, observed: Observations, left: str) -> Manifest:
    """The record as earlier versions tell, where it tells otherwise than a run of ours would."""
    kept = EarlierVersions(session.store, manifest, session.screen.warn)
    recorded = manifest.entries
    entries = {**recorded, **kept.corrected(recorded, observed, left), **kept.lacking(recorded, observed)}
    return manifest.model_copy(update={"entries": entries})


def _tell_of_doubt(session: Session, manifest: Manifest, observed: Observations, plan: Plan, left: str) -> Doubt:
    """Warn of waivers that have ended, and of a record in doubt, where the plan undoes what was changed outside.

    Of a record that is not the one which the last run has left in any case.
    """
    is_outside = any(change.outside for change in plan.changes)
    if is_outside:
        warn_of_ended_waivers(session)
    if manifest.serial and (is_outside or is_other_record(manifest, left)):
        return warn_of_doubtful_record(session, manifest, observed, left)
    return NO_DOUBT


def _tell_of_kept_back(session: Session, plan: Plan, stack: Stack, manifest: Manifest) -> None:
    """Say which changes of the files do not go in: RDS takes no earlier version, or somebody's change is waived."""
    cluster = stack[model.address(DbCluster.type, session.names.cluster)]
    entry, want = manifest.entries.get(cluster.address), cluster.spec.engine_version
    recorded = (entry.confirmed_spec if entry else None) or {}
    before = recorded.get("engine_version", want)
    if before != want and same(DbClusterSpec, "engine_version", want, before):
        session.screen.warn(
            f"{cluster.address}: the files want {want} by now, and RDS goes back to none before {before}: it stays"
        )
    for change in plan.changes:
        for part in change.left:
            if part.newly is not None:
                session.screen.warn(
                    f"{change.address} {part.path}: the files want another value than at the last apply, and a waiver "
                    "keeps it back; where it is to go in, take the waiver out of waivers.toml"
                )


def _identities(observations: Iterable[Observation]) -> frozenset[str]:
    """Outputs, by which these resources are told apart."""
    outputs = (seen.outputs for seen in observations if isinstance(seen, Observed) and seen.outputs is not None)
    return frozenset(value for each in outputs for value in each.model_dump().values())


def _tell_of_receivers(session: Session, plan: Plan, ours: Collection[str]) -> None:
    """Tell who has to confirm a subscription that is to be made, and who else gets what a topic sends that is adopted.

    ``ours``: addresses.
    """
    tell_of_confirmations(session, plan.changes)
    if any(change.adopts and change.type == SnsTopic.type for change in plan.changes):
        tell_of_subscribers(session, ours, nobody=False)
