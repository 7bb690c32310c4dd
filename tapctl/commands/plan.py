"""``tapctl plan``, and the survey that ``apply`` starts with: read everything, change nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

from tapctl.commands.permits import NO_PERMITS, Permits
from tapctl.commands.plan_file import PlanFile, PlanOut, publish, seal
from tapctl.commands.preflight import Flight, Quotas, check_all, looked_up
from tapctl.commands.restore import check_restore_flags, plan_restore
from tapctl.commands.runner import usual_times
from tapctl.commands.subscribers import tell_of_confirmations, tell_of_subscribers
from tapctl.config.types import did_you_mean
from tapctl.engine import model
from tapctl.engine.diff import same
from tapctl.engine.estimate import Operation, estimate, estimate_command, operation_of
from tapctl.engine.model import Impact, Observed
from tapctl.engine.observe import Observation, Observations, ObserveRequest, observe_all
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Phase
from tapctl.engine.resources import AnyResource, Deletion, Stack, creation_graph, deletion_graph
from tapctl.engine.waiver import spares_of
from tapctl.errors import (
    AwsRefused,
    ConfigError,
    ConsentMissing,
    ExitCode,
    Problem,
    Refused,
    Status,
    TapctlError,
    UsageError,
)
from tapctl.evidence.concurrent_run import Stored, look_between_readings
from tapctl.evidence.doubtful_record import NO_DOUBT, Doubt, warn_of_doubtful_record, without_blame
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.final_snapshot import snapshot_stays_due, tell_of_snapshot
from tapctl.evidence.record_fingerprint import fingerprint_left, is_other_record
from tapctl.evidence.unfinished_upgrade import changes_with_upgrade
from tapctl.findings.waivers import waivers_for, warn_of_ended_waivers
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers import (
    known_specs,
    observations_for,
    reconciler_of,
    recorded_spec,
    registry,
    subresources_of,
    teardown_ranks,
)
from tapctl.reconcilers.db_cluster import DbCluster, DbClusterSpec
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.db_parameter_groups import DbClusterParameterGroup, DbParameterGroup
from tapctl.reconcilers.db_subnet_group import DbSubnetGroup, check_subnets
from tapctl.reconcilers.iam_role import IamRole, boundary_exists
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.reconcilers.upgrade import check_orderable, check_upgrade
from tapctl.render.plan_counts import consequences, plan_counts
from tapctl.session.session import Session
from tapctl.stack.definition import ENGINE, Artifact, build, planned_addresses
from tapctl.stack.image import FIELD as IMAGE_FIELD
from tapctl.stack.image import resolve as resolve_image
from tapctl.stack.image import tags_of
from tapctl.stack.network import AddressDemand, NetworkContract
from tapctl.stack.network import resolve as resolve_network
from tapctl.stack.package import build as build_package
from tapctl.stack.package import handler_of
from tapctl.stack.rights import values_of
from tapctl.threads import in_background

T = TypeVar("T")

NOTHING_CHANGED: Final = "nothing was changed"
ADOPT_ALL: Final = "all"
"""The word in place of an address: every resource of ours whose owner tags automation has overwritten."""


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
    fingerprint: str = ""
    """As `fingerprint_left` tells it."""
    doubt: Doubt = NO_DOUBT
    """The evidence against the record; asked for where something was changed outside."""

    @property
    def is_blocked(self) -> bool:
        """True if a change must not be made, or a check says that one cannot."""
        return bool(self.plan.blocked or self.preflight.errors)


def plan(
    session: Session,
    permits: Permits = NO_PERMITS,
    *,
    detailed_exitcode: bool = False,
    out: PlanOut | None = None,
    since: Manifest | None = None,
) -> int:
    """Show what an apply would do, with these steps permitted; ``out``: write it as a file to approve, too.

    ``since``: as in `look_between_readings`.
    """
    session.warn_of_run(session.run_under_way())

    def look(stored: Stored) -> ApplySurvey:
        return survey(session, permits, stored=stored)

    stored = session.load_manifest()
    _, found, meanwhile = look_between_readings(session, stored, look, lambda seen: not seen.plan.is_empty, since)
    session.warn_of_run(meanwhile.run)
    if meanwhile.written:
        found = replace(found, shown=without_blame(found.plan))
    plan = found.plan
    session.screen.plan(found.shown)
    session.screen.preflight(found.preflight.checks)
    show_estimate(session, found)
    differs = bool(found.doubt) or not plan.is_empty
    code = ExitCode.DIFFERENT if detailed_exitcode and differs else ExitCode.OK
    if found.is_blocked:
        code = show_blockers(session, found.plan, found.preflight.errors)
    elif code == ExitCode.OK and any(change.unreadable for change in plan.changes):
        code = ExitCode.INCOMPLETE
    for change in plan.healing:
        session.screen.warn(f"{change.address} goes first: an apply makes that change, and judges the rest after it")
    publish(session, seal_survey(session, found, permits, out), out, blocked=found.is_blocked)
    counts = plan_counts(plan)
    blocked = f" · {counts['blocked']} blocked" if plan.blocked else ""
    summary = (
        f"{counts['create']} to create · {counts['change']} to change · {counts['remove']} to remove"
        f" · {counts['unchanged']} unchanged{blocked}{''.join(f' · {text}' for text in consequences(plan))}"
    )
    return session.finish(Status.BLOCKED if found.is_blocked else None, code, counts, summary)


def seal_survey(session: Session, found: ApplySurvey, permits: Permits, out: PlanOut | None = None) -> PlanFile:
    """Make the plan file of a survey, with its hashes."""
    function = found.stack[model.address(LambdaFunction.type, session.names.function)]
    networking, image = found.network.model_dump(mode="json"), str(function.spec.image_uri)
    return seal(session, found.plan, found.manifest, permits=permits, networking=networking, image=image, out=out)


def _request_for(resource: AnyResource, manifest: Manifest) -> ObserveRequest:
    known = known_specs(manifest.entries.get(resource.address))
    return ObserveRequest(resource.reconciler.knowing(known), resource.id, resource.spec)


def survey(session: Session, permits: Permits, image_digest: str = "", *, stored: Stored | None = None) -> ApplySurvey:
    """Observe everything that is wanted or recorded, and plan; nothing is changed.

    ``image_digest``: the image's, where it was approved; empty: the one that its tag names now. ``stored``: the record,
    where it was read already.

    Raises:
        UsageError: an address that is permitted cannot be one.
    """
    check_restore_flags(permits)
    waivers = waivers_for(session)
    manifest, version = stored or session.load_manifest()
    _check_allowed(session, permits.allowed, manifest)
    network, release = look_up(session, manifest, image_digest)
    session.screen.target(replace(session.target, networking=network_summary(network)))
    config, restore = session.config, permits.restore
    stack = build(config, session.names, network, release, restore_from=restore)
    wanted = [_request_for(resource, manifest) for resource in stack]
    leftover = {address: entry for address, entry in manifest.entries.items() if address not in stack}
    # Only where a change is likely; else when there is one.
    quotas = Quotas.ask(session.aws) if manifest.config_hash != session.target.config_hash else None
    observed = observe_all(session.aws.cursory(), [*wanted, *observations_for(leftover)])
    record = manifest
    manifest = _corrected(session, manifest, observed)
    if snapshot_stays := snapshot_stays_due(session, manifest.entries, observed):
        config = config.model_copy(update={"final_snapshot": True})
        stack = build(config, session.names, network, release, restore_from=restore)
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
        _tell_of_unneeded(session, permits.allowed, plan, make())
    _check_adopted(session, permits.adopted, stack)
    unasked: list[str] = []
    told = changes_with_upgrade(plan.changes, session.names, manifest.entries)
    changes = [_check_wishes(session, stack, change, observed, unasked.append) for change in told]
    healed = _identities(observed[change.address] for change in plan.changes if change.heals)
    changes = [
        plan_restore(session, permits, change, stack[change.address].spec, manifest, healed=healed, observed=observed)
        if change.type == DbCluster.type and change.address in stack
        else change
        for change in changes
    ]
    changes = [_check_removal(session, manifest, change, observed[change.address]) for change in changes]
    plan = replace(plan, changes=tuple(tell_of_snapshot(change, stays=snapshot_stays) for change in changes))
    if snapshot_stays:
        file = f"{session.config.environment}.toml"
        session.screen.warn(f"a final snapshot stays due: {file} does not say final_snapshot = false")
    _tell_of_receivers(session, plan, {*manifest.entries, *(resource.address for resource in stack)})
    _tell_of_kept_back(session, plan, stack, manifest)
    images = [field for change in plan.to(Action.UPDATE) for field in change.fields if field.path == IMAGE_FIELD]
    plan = replace(plan, names=tags_of(session.aws, (uri for field in images for uri in (field.have, field.want))))
    doubt = _tell_of_doubt(session, record, observed, plan)
    session.invocation.usage.impacts = plan.impacts
    session.screen.stack({resource.address: resource.needs for resource in stack})
    if version is None and plan.confirmed:
        session.screen.warn(
            f"there is no record at {session.location}: apply writes it anew, with {len(plan.confirmed)} resources "
            "found in AWS"
        )
    values = values_of(session.config, session.names)
    file = str(session.invocation.config / "common.toml")
    preflight = check_all(session.aws, stack, plan, values, quotas, unasked=unasked, file=file)
    shown = without_blame(plan) if doubt else plan
    making = any(change.type == DbCluster.type for change in plan.to(Action.CREATE))
    return ApplySurvey(
        stack,
        network,
        record,
        manifest,
        version,
        plan,
        preflight,
        shown,
        restoring=permits.restore if making else "",
        fingerprint=fingerprint_left(session.names, observed),
        doubt=doubt,
    )


def _planned(
    session: Session, make: Callable[[], Plan], wanted: Iterable[ObserveRequest], observed: dict[str, Observation]
) -> Plan:
    """Plan; of what is taken over it is asked first who else can use it, as by a drift: nobody has looked before."""
    plan = make()
    adopted = {change.address for change in plan.changes if change.adopts}
    if not adopted:
        return plan
    ours = {IamRole.type: (session.names.role,)}
    requests = [request for request in wanted if request.address in adopted]
    seen = observe_all(session.aws.cursory(), requests, exposures=True, ours=ours)
    observed.update(
        (address, observation) for address, observation in seen.items() if isinstance(observation, Observed)
    )
    return make()


def _corrected(session: Session, manifest: Manifest, observed: Observations) -> Manifest:
    """The record as earlier versions tell, where it tells otherwise than a run of ours would."""
    kept = EarlierVersions(session.store, manifest, session.screen.warn)
    left = fingerprint_left(session.names, observed)
    recorded = manifest.entries
    entries = {**recorded, **kept.corrected(recorded, observed, left), **kept.lacking(recorded, observed)}
    return manifest.model_copy(update={"entries": entries})


def _tell_of_doubt(session: Session, manifest: Manifest, observed: Observations, plan: Plan) -> Doubt:
    """Warn of waivers that have ended, and of a record in doubt, where the plan undoes what was changed outside.

    Of a record that is not the one which the last run has left in any case.
    """
    is_outside = any(change.outside for change in plan.changes)
    if is_outside:
        warn_of_ended_waivers(session)
    if manifest.serial and (is_outside or is_other_record(session.names, manifest, observed)):
        return warn_of_doubtful_record(session, manifest, observed)
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


def look_up(session: Session, manifest: Manifest, image_digest: str = "") -> tuple[NetworkContract, Artifact]:
    """Look up the network and the function's code, side by side, and what common.toml names of AWS.

    Raises:
        TapctlError: one of them is not there, or broken; where more are, the others have been shown.
    """
    unread: list[str] = []
    artifact = in_background(partial(resolve_artifact, session, manifest, image_digest, unread.append))
    demand = address_demand(manifest, session.names, session.config.database.instance_count)
    folder, asked = session.invocation.config, session.config.networking
    failed: dict[str, TapctlError] = {}
    _try("additions", partial(check_additions, session), failed)
    ask = partial(resolve_network, session.aws, asked, folder=folder, arrivals=demand, warn=session.screen.warn)
    network = _try("network", ask, failed)
    release = _try("image", artifact.result, failed)
    for text in unread:
        session.screen.warn(text)
    if failed:
        session.screen.preflight([looked_up(check, failed.get(check)) for check in ("network", "image")])
        *others, last = failed.values()
        for error in others:
            session.screen.error(error, NOTHING_CHANGED)
        raise last
    assert network is not None
    assert release is not None
    return network, release


def _try(check: str, call: Callable[[], T], failed: dict[str, TapctlError]) -> T | None:
    """Call; what fails is kept under the name of the check."""
    try:
        return call()
    except TapctlError as error:
        failed[check] = error
        return None


def check_additions(session: Session) -> None:
    """Make sure that AWS knows what common.toml names of it: else it would be refused after much had been made.

    Raises:
        ConfigError: there is no such permissions boundary, or no such parameter.
    """
    organisation, db = session.config.organisation, session.config.database
    family = f"{ENGINE}{db.engine_major}"
    problems: list[tuple[str, str, str]] = []
    if written := organisation.permissions_boundary:
        arn = session.names.fill(written)
        if _ask(session, f"whether there is a policy {arn}", partial(boundary_exists, session.aws, arn)) is False:
            rule = f"there is no policy {arn}: make it, or correct the key"
            problems.append(("organisation.permissions_boundary", written, rule))
    for key, reconciler, parameters in (
        ("database.cluster_parameters", DbClusterParameterGroup(), db.cluster_parameters),
        ("database.instance_parameters", DbParameterGroup(), db.instance_parameters),
    ):
        ask = partial(reconciler.modifiable, session.aws, family)
        known = _ask(session, f"which parameters {family} has", ask) if parameters else None
        if known is None:
            continue
        for name, value in parameters.items():
            if name not in known:
                problems.append((f"{key}.{name}", value, f"is no parameter of {family}{did_you_mean(name, [*known])}"))
            elif not known[name]:
                problems.append((f"{key}.{name}", value, f"is a parameter of {family} that RDS lets nobody set"))
    if problems:
        file = str(session.invocation.config / "common.toml")
        hint = f"correct what is named, then run {session.command('plan')}: without AWS nobody sees this"
        raise ConfigError([Problem(file, key, value, rule) for key, value, rule in problems], hint=hint)


def _ask(session: Session, what: str, call: Callable[[], T]) -> T | None:
    """Ask AWS; None, which is said, where that is denied."""
    try:
        return call()
    except AwsRefused as error:
        if not error.is_denied:
            raise
        session.screen.warn(f"{what} could not be asked: {error.iam_action} denied")
        return None


def _check_wishes(
    session: Session,
    stack: Stack,
    change: Change,
    observed: Mapping[str, Observation],
    unasked: Callable[[str], object],
) -> Change:
    """Block a version, a class of instances, or subnets that RDS would refuse half way; ``unasked``: what is denied.

    It is asked where consent is missing, too: nobody is to be asked for it where RDS refuses.
    """
    if (change.blocked and not isinstance(change.blocked, ConsentMissing)) or change.address not in stack:
        return change
    try:
        refused = _refusal_of_rds(session, stack, change, observed)
    except AwsRefused as error:
        if not error.is_denied:
            raise
        unasked(f"whether RDS has what is wanted could not be asked: {error.iam_action} denied")
        return change
    return replace(change, blocked=refused) if refused else change


def _refusal_of_rds(
    session: Session, stack: Stack, change: Change, observed: Mapping[str, Observation]
) -> Refused | None:
    spec, created = stack[change.address].spec, change.action is Action.CREATE
    fields = {field.path: field for field in change.fields} if change.action is Action.UPDATE else {}
    if change.type == DbInstance.type:
        cluster = observed[model.address(DbCluster.type, spec.cluster)]
        if isinstance(cluster, Observed) and (created or "instance_class" in fields):
            version, classes = cluster.spec.engine_version, {spec.instance_class}
            return check_orderable(session.aws, spec.engine, version, address=change.address, classes=classes)
    if change.type == DbCluster.type:
        classes = {resource.spec.instance_class for resource in stack if resource.type == DbInstance.type}
        if created:
            wanted = spec.engine_version
            return check_orderable(session.aws, spec.engine, wanted, address=change.address, classes=classes)
        if version := fields.get("engine_version"):
            have, want = version.have, version.want
            return check_upgrade(session.aws, spec.engine, have, want, address=change.address, classes=classes)
    if change.type == DbSubnetGroup.type and "subnet_ids" in fields:
        return check_subnets(session.aws, change.id, spec)
    return None


def _check_removal(session: Session, manifest: Manifest, change: Change, observation: Observation) -> Change:
    """Block a removal that AWS would refuse after others had been made."""
    if change.action is not Action.DELETE or change.blocked or not isinstance(observation, Observed):
        return change
    entry = manifest.entries[change.address]
    refused = reconciler_of(entry).removal_refusal(session.aws, entry.id, observation, recorded_spec(entry))
    return replace(change, blocked=refused)


def _check_allowed(session: Session, allowed: tuple[str, ...], manifest: Manifest) -> None:
    """Make sure that each address that is permitted is one that this stack can have: a slip must not pass for it.

    Raises:
        UsageError: it is no address of anything that this suffix can have.
    """
    for address in allowed:
        type_, _, id_ = address.partition("/")
        if not session.names.may_have(type_, id_):
            known = {*manifest.entries, *planned_addresses(session.config, session.suffix)}
            raise UsageError(
                f"--allow {address} names nothing that {session.suffix} can have{did_you_mean(address, sorted(known))}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )


def _tell_of_unneeded(session: Session, allowed: tuple[str, ...], plan: Plan, without: Plan) -> None:
    """Warn of each permit that changes nothing of the plan; ``without``: the same plan without any.

    It is no error: an earlier run of the same command, which was cut off, may have made that change already.
    """
    planned, before = ({change.address: change for change in each.changes} for each in (plan, without))
    for address in allowed:
        change = planned.get(address)
        if change is None:
            near = did_you_mean(address, sorted(planned))
            session.screen.warn(f"--allow {address}: there is no such thing, or it is gone already{near}")
        elif change.blocked is None and replace(change, allowed=False) == before[address]:
            session.screen.warn(f"--allow {address}: nothing that is planned of it needs that")


def _tell_of_receivers(session: Session, plan: Plan, ours: Collection[str]) -> None:
    """Tell who has to confirm a subscription that is to be made, and who else gets what a topic sends that is adopted.

    ``ours``: addresses.
    """
    tell_of_confirmations(session, plan.changes)
    if any(change.adopts and change.type == SnsTopic.type for change in plan.changes):
        tell_of_subscribers(session, ours, nobody=False)


def _check_adopted(session: Session, adopted: tuple[str, ...], stack: Stack) -> None:
    """Make sure that each address to be taken over is one of the stack's: a slip must not pass for a permission.

    Raises:
        UsageError: it is no address of this stack.
    """
    wanted = [resource.address for resource in stack]
    for address in adopted:
        if address not in (ADOPT_ALL, *wanted):
            raise UsageError(
                f"--adopt {address} names nothing that this stack has{did_you_mean(address, wanted)}",
                hint=f"an address is type/id, as {session.command('plan')} shows them",
            )


def address_demand(manifest: Manifest, names: Names, instances: int) -> AddressDemand:
    """The resources that will take addresses in the subnets; those recorded as made have theirs already."""
    made = {address for address, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    members = {model.address(DbInstance.type, names.instance(index)) for index in range(instances)}
    return AddressDemand(model.address(LambdaFunction.type, names.function) not in made, len(members - made))


def resolve_artifact(
    session: Session, manifest: Manifest, image_digest: str, warn: Callable[[str], object]
) -> Artifact:
    """The code that the function is to run: the image by this digest, else its digest now, or our handler as a zip."""
    processor = session.config.processor
    if processor.package == "zip":
        return Artifact(package=build_package(handler_of(session.invocation.config)))
    assert processor.image is not None, "the configuration's rules want an image for package = image"
    image = processor.image.model_copy(update={"tag": image_digest}) if image_digest else processor.image
    entry = manifest.entries.get(model.address(LambdaFunction.type, session.names.function))
    deployed = entry.confirmed_spec if entry else None
    return Artifact(
        image_uri=resolve_image(
            session.aws,
            image,
            session.config.account_id,
            session.aws.region,
            deployed=str((deployed or {}).get("image_uri", "")),
            architecture=processor.architecture,
            warn=warn,
        )
    )


def network_summary(network: NetworkContract) -> str:
    """The networking stack in one line."""
    zones = f"{len(network.subnet_ids)} subnets in {len(network.zones)} zones"
    return f"{network.reference} · {network.vpc_id} · {zones}"


def planned_deletions(
    addresses: list[str], manifest: Manifest, impacts: Mapping[str, Impact] = MappingProxyType({})
) -> dict[str, Deletion]:
    """The deletions of the recorded resources at these addresses; a resource deleted with another one has none.

    ``impacts``: what each may cost at most; without them it goes whatever that costs.
    """
    entries = manifest.entries
    included = {child for address in addresses for child in subresources_of(entries[address], entries)}
    deletions = {}
    for address in addresses:
        if address not in included:
            entry = entries[address]
            subresources = subresources_of(entry, entries)
            deletions[address] = Deletion(
                address, reconciler_of(entry), entry.id, recorded_spec(entry), entry, subresources, impacts.get(address)
            )
    return deletions


def show_estimate(session: Session, found: ApplySurvey) -> None:
    """Show how long the plan usually takes, where it is carried out: by earlier runs, else by AWS's own times."""
    changes = {change.address: change for change in found.plan.work}
    if not changes or found.is_blocked:
        return
    going = planned_deletions([change.address for change in found.plan.to(Action.DELETE)], found.manifest)
    made = creation_graph(resource for resource in found.stack if resource.address in changes)
    operations = {address: operation_of(change) for address, change in changes.items()}
    durations = session.read_durations()
    usual = usual_times(durations, operations)
    removed = deletion_graph(going.values(), teardown_ranks())
    work = estimate(made, usual).then(estimate(removed, usual))
    session.screen.estimate(estimate_command(durations, Operation.CREATE).then(work))


def show_blockers(
    session: Session, plan: Plan, failed: Iterable[TapctlError] = (), *, state: str = NOTHING_CHANGED
) -> ExitCode:
    """Show all that must not, or cannot, be made, with its reason; returns the exit status. ``failed``: of checks."""
    errors = [*(change.blocked for change in plan.blocked if change.blocked is not None), *failed]
    for error in errors:
        session.screen.error(error, state)
    return ExitCode.worst(error.exit_code for error in errors)
