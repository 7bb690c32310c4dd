"""An instance of an Aurora cluster. The writer moves with every failover, and shows in no name and no field.

A writer whose fellow members still differ waits for them, then fails over, then changes as a reader; and a writer is
rebooted, and removed, last.

AWS's facts are from the RDS API reference (CreateDBInstance, ModifyDBInstance, FailoverDBCluster, DBClusterMember) and
the Aurora user guide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_dict, as_list
from tapctl.engine.model import (
    REBOOT,
    UNSEEN,
    Impact,
    Observed,
    Outputs,
    Owner,
    Pending,
    Reconciler,
    Spec,
    Timing,
    address,
)
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import (
    NO_INSTANCE,
    RECOVERABLE,
    arn_of,
    classify,
    cluster_of,
    how_to_recover,
    how_to_start,
    last_event,
    owned_names,
    put_off,
    step_tags,
)

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef, DBInstanceTypeDef

    from tapctl.aws.client import Aws

_READY: Final = frozenset({"available", "storage-optimization"})
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html; CloudFormation's handler fails
# on the same (aws-cloudformation-resource-providers-rds, DBInstanceStatus.java).
_TERMINAL: Final = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "incompatible-create",
        "incompatible-credentials",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "modify-failed",
        "restore-error",
        "upgrade-failed",
    }
)
# Nothing is wrong with a stopped instance, or one whose key was out of reach for a while, but AWS does nothing with it
# until somebody starts the cluster.
_STOPPED: Final = "stopped"
_NAMES_A_CALL: Final = 100
"""A page of DescribeDBInstances; RDS documents no limit of a filter's values."""
_DELETING: Final = ("delete-precheck", "deleting")
# What takes over from no writer: only a person brings it back, or nothing does.
_OUT: Final = frozenset({*_TERMINAL, _STOPPED, RECOVERABLE, *_DELETING})
_APPLYING: Final = "applying"
_CLASS: Final = "DBInstanceClass"
# What a member has from its cluster, which tells it, too, and what RDS does by itself.
_NOT_ITS_OWN: Final = frozenset(
    {
        "EngineVersion",
        "BackupRetentionPeriod",
        "StorageType",
        "IAMDatabaseAuthenticationEnabled",
        "PendingCloudwatchLogsExports",
        "MasterUserPassword",
        "CACertificateIdentifier",
    }
)
_IN_FORCE: Final = frozenset({"in-sync", _APPLYING, ""})
# Spec field to the parameter that CreateDBInstance and ModifyDBInstance share.
_PARAMETERS: Final = {
    "parameter_group": "DBParameterGroupName",
    "maintenance_window": "PreferredMaintenanceWindow",
    "publicly_accessible": "PubliclyAccessible",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "promotion_tier": "PromotionTier",
}


_INSTANCE: Final = arn("rds", "db:{db-instance}")
_CLUSTER: Final = (arn("rds", "cluster:{db-cluster}"),)
_GROUP: Final = arn("rds", "pg:{db-parameter-group}")


class DbInstanceSpec(Spec):
    """The fields that tapctl owns on an instance.

    Not owned, on purpose. Settings that a member has from its cluster, and shows late: version, key, backups,
    Performance Insights and Database Insights (a member set otherwise is the cluster's to put right: RDS wants all
    members alike). The certificate authority: AWS retires and replaces it, and another one may restart the database.
    Enhanced Monitoring: it needs a role of the account's, and changes nothing but a bill.
    """

    cluster: str
    engine: str = "aurora-postgresql"
    instance_class: str
    parameter_group: str
    maintenance_window: str
    """``ddd:hh:mm-ddd:hh:mm`` in UTC, in lower case: each member has one of its own. Backups are the cluster's."""
    publicly_accessible: bool = False
    auto_minor_version_upgrade: bool = True
    """Aurora upgrades a cluster's minor only where all its members say so."""
    promotion_tier: int = 1
    """0 to 15: the lower it is, the earlier a failover takes this one."""
    shared_zone: str = ""
    """The zone that all of several members are in; empty where a failure of one zone leaves a member.

    A member's own zone is chosen when it is made, and is no field (docs/decisions/0010-members-in-zones.md).
    """
    put_off: frozenset[str] = frozenset()
    """Changes that RDS makes in the maintenance window, and no other field tells: ``DBInstanceIdentifier <new name>``.
    Wanted: nothing."""
    tags: dict[str, str]


class DbInstanceOutputs(Outputs):
    """The instance's ARN, and the id that another instance of the same name would not have."""

    arn: str
    resource_id: str


class DbInstance(Reconciler[DbInstanceSpec, DbInstanceOutputs]):
    """A member; the id is its identifier. The data is the cluster's: a failed member is replaced.

    ``staying``: all members that are wanted, this one among them, whom a writer's change of class waits for; None: all
    of ours. ``zones``: the availability zones over which members are spread as they are made; none: RDS chooses.
    """

    type = "db-instance"
    teardown_rank = 40
    outputs_known_early = True
    replaceable = True
    applies_deferred = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "cluster": Impact.REPLACE,
        "engine": Impact.REPLACE,
        "instance_class": Impact.OUTAGE,
    }
    left_alone: ClassVar[Mapping[str, str]] = {
        "shared_zone": "aws rds delete-db-instance --db-instance-identifier {id}",
        "put_off": "aws rds describe-db-instances --db-instance-identifier {id} "
        "--query DBInstances[].PendingModifiedValues",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        "shared_zone": "the reader is away for some minutes, and an apply makes it again in another zone:",
    }
    never_compared = ("certificate authority", "Enhanced Monitoring, its own Performance Insights")
    trail = Trail(
        "rds",
        whole=("CreateDBInstance", "DeleteDBInstance"),
        fields={
            "instance_class": ("ModifyDBInstance:dBInstanceClass",),
            "parameter_group": ("ModifyDBInstance:dBParameterGroupName",),
            "maintenance_window": ("ModifyDBInstance:preferredMaintenanceWindow",),
            "publicly_accessible": ("ModifyDBInstance:publiclyAccessible",),
            "auto_minor_version_upgrade": ("ModifyDBInstance:autoMinorVersionUpgrade",),
            "promotion_tier": ("ModifyDBInstance:promotionTier",),
            "put_off": ("ModifyDBInstance",),
            "tags": ("AddTagsToResource", "RemoveTagsFromResource"),
        },
    )
    timing = Timing(create_s=480, delete_s=300, update_s=60, restart_s=600, first_look_s=2, longest_s=5400)
    actions = (
        # By filter, which RDS takes for all of the region's.
        Right(Need.OBSERVE, ("rds:DescribeDBInstances",), (arn("rds", "db:*"),)),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
        Right(Need.OBSERVE, ("rds:DescribeDBClusters",), _CLUSTER),
        Right(Need.CREATE, ("rds:CreateDBInstance",), (_INSTANCE, *_CLUSTER, _GROUP)),
        Right(Need.CREATE, ("rds:AddTagsToResource",), (_INSTANCE,)),
        Right(Need.UPDATE, ("rds:ModifyDBInstance",), (_INSTANCE, _GROUP)),
        Right(Need.UPDATE, ("rds:RebootDBInstance",), (_INSTANCE,)),
        Right(Need.UPDATE, ("rds:FailoverDBCluster",), _CLUSTER),
        Right(
            Need.UPDATE,
            ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"),
            (_INSTANCE,),
            fields=frozenset({"tags"}),
        ),
        Right(Need.CREATE | Need.UPDATE, ("rds:DescribeEvents",), why=LISTS),
        Right(Need.REPLACE | Need.DELETE, ("rds:DeleteDBInstance",), (_INSTANCE,)),
    )

    def __init__(self, staying: Collection[str] | None = None, zones: Collection[str] = ()) -> None:
        self._staying = staying
        self._zones = zones

    def observe(
        self, aws: Aws, id: str, expected: DbInstanceSpec | None
    ) -> Observed[DbInstanceSpec, DbInstanceOutputs] | None:
        """Read the instances and their cluster, each by one call for all members of the round."""
        instances = _read_instances(aws, id)
        instance = next((item for item in instances if item.get("DBInstanceIdentifier") == id.lower()), None)
        if instance is None:
            return None
        cluster = _cluster_of(aws, instance)
        members = _members(aws, cluster, instances)
        shared_zone = _shared_zone(cluster, instance, members)
        seen = observed_instance(aws, instance, cluster, expected, shared_zone=shared_zone)
        writes, fellows = _writes(cluster, id), _fellows(cluster, id, members)
        stay, leave = _takers(fellows, expected or seen.spec, self._staying)
        serving = Impact.FAILOVER if writes else Impact.NONE
        return replace(
            seen,
            # An apply leaves a member, be it one that it makes first: that one takes over.
            removal_impact=serving,
            impacts={"instance_class": serving if fellows else Impact.OUTAGE},
            hands_over_to=next((address(self.type, _name(taker)) for taker in (stay or leave) if writes), ""),
        )

    def create(self, aws: Aws, id: str, want: DbInstanceSpec, owner: Owner) -> None:
        """Make the instance, without the settings that the cluster manages: RDS refuses those on a member."""
        parameters: dict[str, Any] = {parameter: getattr(want, name) for name, parameter in _PARAMETERS.items()}
        if zone := _choose_zone(aws, id, want, self._staying or (), self._zones):
            parameters["AvailabilityZone"] = zone
        try:
            aws.rds.create_db_instance(
                DBInstanceIdentifier=id,
                DBClusterIdentifier=want.cluster,
                Engine=want.engine,
                DBInstanceClass=want.instance_class,
                Tags=as_list({**want.tags, **owner.tags}),
                **parameters,
            )
        except AwsRefused as error:
            if error.matches("DBInstanceAlreadyExists"):
                raise AlreadyExists(f"a DB instance {id} exists already") from error
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def update(self, aws: Aws, id: str, have: DbInstanceSpec, want: DbInstanceSpec) -> frozenset[str]:
        """Change what needs no restart; then the class, as a reader where there are others; then tags."""
        differs = frozenset(name for name in _PARAMETERS if getattr(have, name) != getattr(want, name))
        try:
            if differs:
                _modify(aws, id, {_PARAMETERS[name]: getattr(want, name) for name in differs})
                return differs
            if have.instance_class != want.instance_class:
                other = successor(aws, id, want, self._staying)
                if other is None:
                    _modify(aws, id, {"DBInstanceClass": want.instance_class})
                    return frozenset({"instance_class"})
                # To a named member: where that one writes already and only this does not show yet, RDS refuses.
                aws.rds.failover_db_cluster(DBClusterIdentifier=want.cluster, TargetDBInstanceIdentifier=other)
                return UNSEEN
            return step_tags(aws, arn_of(aws, "db", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def reboot(self, aws: Aws, id: str, want: DbInstanceSpec) -> None:
        """Reboot the instance without a failover, which would put no parameter in force; the writer last."""
        check_readers_rebooted(aws, id, want, self._staying)
        try:
            aws.rds.reboot_db_instance(DBInstanceIdentifier=id)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[DbInstanceSpec, DbInstanceOutputs], last: DbInstanceSpec | None
    ) -> None:
        """Delete the instance. A member takes no final snapshot; only a failed one needs a flag for that."""
        skip: dict[str, Any] = {"SkipFinalSnapshot": True} if observed.failure else {}
        try:
            aws.rds.delete_db_instance(DBInstanceIdentifier=id, **skip)
        except AwsRefused as error:
            if error.matches(NO_INSTANCE) or error.matches("InvalidDBInstanceState", text="already being deleted"):
                return
            raise classify(error, how_to_start(aws, observed.spec.cluster)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Read the last event: an upgrade or a change that RDS gave up shows nowhere else."""
        return last_event(aws, "db-instance", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the instances by the owner's tags."""
        return owned_names(aws, owner, "db")


# -- reading -----------------------------------------------------------------------------------------------------------


def observed_instance(
    aws: Aws,
    instance: DBInstanceTypeDef,
    cluster: DBClusterTypeDef | None,
    expected: DbInstanceSpec | None,
    *,
    shared_zone: str,
) -> Observed[DbInstanceSpec, DbInstanceOutputs]:
    """Interpret DescribeDBInstances' answer, with the cluster's answer about this member."""
    name, status = instance["DBInstanceIdentifier"], instance["DBInstanceStatus"]
    reason = last_event(aws, "db-instance", name) if status in _TERMINAL else ""
    groups = _group_states(cluster, instance)
    window = instance.get("PreferredMaintenanceWindow", "")
    # Read as a plain mapping: RDS adds members.
    values: Mapping[str, Any] = instance.get("PendingModifiedValues", {})
    later = values.get(_CLASS)
    # In progress now, or put off until the window.
    until = window if status == "available" else "AWS is done"
    pending = {}
    if later:
        pending["instance_class"] = Pending(until, f"now {instance.get('DBInstanceClass')}")
    if doing := put_off(values, values.keys() - _NOT_ITS_OWN):
        pending["put_off"] = Pending(until, ", ".join(sorted(doing)))
    needing = [f"{group}: {state}" for group, state in groups if state not in _IN_FORCE]
    if needing:
        pending["parameter_group"] = Pending(REBOOT, ", ".join(needing))
    own_groups = instance.get("DBParameterGroups", [])
    spec = DbInstanceSpec(
        cluster=instance.get("DBClusterIdentifier", ""),
        engine=instance.get("Engine", ""),
        instance_class=later or instance.get("DBInstanceClass", ""),
        parameter_group=own_groups[0].get("DBParameterGroupName", "") if own_groups else "",
        maintenance_window=window,
        publicly_accessible=instance["PubliclyAccessible"],
        auto_minor_version_upgrade=instance.get("AutoMinorVersionUpgrade", False),
        promotion_tier=instance.get("PromotionTier", 1),
        shared_zone=shared_zone,
        put_off=put_off(values, {_CLASS, *_NOT_ITS_OWN}),
        tags=as_dict(instance.get("TagList", [])),
    )
    return Observed(
        spec,
        _outputs(instance),
        settled=status in _READY and all(state != _APPLYING for _, state in groups),
        deleting=status in _DELETING,
        failure=f"{status}: {reason}" if reason else status if status in _TERMINAL else None,
        update_failure=_resting(aws, status, spec.cluster),
        status=status,
        owner=_owner(name, spec, expected),
        pending=pending,
    )


def _read_instances(aws: Aws, id: str) -> list[DBInstanceTypeDef]:
    """Read the instance: with all of the round, or by itself where RDS refuses all since one is absent."""
    for names in dict.fromkeys((aws.batch_ids(DbInstance.type, id, _NAMES_A_CALL), (id,))):
        try:
            return describe_instances(aws, "db-instance-id", names)
        except AwsRefused as error:
            if not error.matches(NO_INSTANCE):
                raise
    return []


def _members(
    aws: Aws, cluster: DBClusterTypeDef | None, instances: Sequence[DBInstanceTypeDef]
) -> Sequence[DBInstanceTypeDef]:
    """The cluster's members: among these instances, or, where one lacks there, by a call of their own.

    One lacks that nobody has recorded, or that another part of many ids was asked with.
    """
    known = {instance.get("DBInstanceIdentifier") for instance in instances}
    if cluster is None or all(one.get("DBInstanceIdentifier") in known for one in cluster.get("DBClusterMembers", [])):
        return instances
    return describe_instances(aws, "db-cluster-id", (cluster.get("DBClusterIdentifier", ""),))


def _shared_zone(
    cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef, instances: Collection[DBInstanceTypeDef]
) -> str:
    """The zone that this member shares with all others; empty where they are spread.

    It is told of the last reader alone: one that moves is enough, and a writer's removal would be a failover.
    """
    name, zone = instance.get("DBClusterIdentifier"), instance.get("AvailabilityZone", "")
    members = [other for other in instances if other.get("DBClusterIdentifier") == name]
    readers = [member for member in members if not _writes(cluster, _name(member))]
    told = max((member.get("DBInstanceIdentifier", "") for member in readers), default="")
    alone = len(members) == 1 or told != instance.get("DBInstanceIdentifier")
    return "" if alone or any(member.get("AvailabilityZone") != zone for member in members) else zone


def describe_instances(aws: Aws, filter_: str, values: tuple[str, ...]) -> list[DBInstanceTypeDef]:
    """List the instances that RDS finds by this filter."""
    filters = [{"Name": filter_, "Values": list(values)}]
    pages = aws.pages(aws.rds.get_paginator("describe_db_instances"), Filters=filters)
    return [instance for page in pages for instance in page["DBInstances"]]


def _cluster_of(aws: Aws, instance: DBInstanceTypeDef) -> DBClusterTypeDef | None:
    cluster_id = instance.get("DBClusterIdentifier")
    # RDS refuses an empty name, rather than to find nothing.
    return cluster_of(aws, cluster_id) if cluster_id else None


def _resting(aws: Aws, status: str, cluster: str) -> str | None:
    """The failure of an instance that its cluster's start brings back. None is replaced for it."""
    if status == _STOPPED:
        return f"it is stopped; {how_to_start(aws, cluster)}"
    return f"it is {status}; {how_to_recover(aws, cluster)}" if status == RECOVERABLE else None


def _group_states(cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef) -> list[tuple[str, str]]:
    """List the parameter groups, each with how far it is in force: the instance's own, and the cluster's."""
    return [
        (group.get("DBParameterGroupName", ""), group["ParameterApplyStatus"])
        for group in instance.get("DBParameterGroups", [])
    ] + list(_shared_group(cluster, instance))


def _shared_group(cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef) -> Iterator[tuple[str, str]]:
    if cluster is not None:
        shared = cluster.get("DBClusterParameterGroup", "")
        for member in cluster.get("DBClusterMembers", []):
            if member.get("DBInstanceIdentifier") == instance.get("DBInstanceIdentifier"):
                yield shared, member["DBClusterParameterGroupStatus"]


def _outputs(instance: DBInstanceTypeDef) -> DbInstanceOutputs | None:
    arn, resource_id = instance.get("DBInstanceArn"), instance.get("DbiResourceId")
    return DbInstanceOutputs(arn=arn, resource_id=resource_id) if arn and resource_id else None


def _owner(id: str, spec: DbInstanceSpec, expected: DbInstanceSpec | None) -> Owner | None:
    """Read the owner. The whole account shares the names: an instance of another cluster is somebody else's.

    Its own name tells its cluster; what a record says of that counts only against it.
    """
    if spec.cluster != id.rpartition("-")[0] or (expected is not None and expected.cluster != spec.cluster):
        return Owner("", "", scope=f"a member of {spec.cluster or 'no cluster'}")
    return Owner.of(spec.tags)


# -- changing ----------------------------------------------------------------------------------------------------------


def _choose_zone(
    aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str], zones: Collection[str]
) -> str | None:
    """Choose the zone with the fewest members that has the class; of members made together, each knows the others'."""
    usable = sorted(set(zones) & _zones_with_class(aws, want) or zones) if zones else []
    if not usable:
        return None
    living = {
        member.get("DBInstanceIdentifier", ""): member.get("AvailabilityZone", "")
        for member in describe_instances(aws, "db-cluster-id", (want.cluster,))
        if member.get("DBInstanceStatus") != "deleting"
    }
    taken = Counter(living.values())
    missing = [name for name in staying if name not in living]
    zone = usable[0]
    for _ in (*missing[: missing.index(id) if id in missing else 0], id):
        zone = min(usable, key=lambda each: taken[each])
        taken[zone] += 1
    return zone


def _zones_with_class(aws: Aws, want: DbInstanceSpec) -> set[str]:
    """List the zones where the class can be had (DescribeOrderableDBInstanceOptions); none where that is denied."""
    try:
        pages = aws.pages(
            aws.rds.get_paginator("describe_orderable_db_instance_options"),
            Engine=want.engine,
            DBInstanceClass=want.instance_class,
        )
    except AwsRefused as error:
        if not error.is_denied:
            raise
        return set()
    options = [option for page in pages for option in page.get("OrderableDBInstanceOptions", [])]
    return {zone.get("Name", "") for option in options for zone in option.get("AvailabilityZones", [])}


def _modify(aws: Aws, id: str, asked: Mapping[str, Any]) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=id, ApplyImmediately=True, **asked)


def successor(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> str | None:
    """Choose the member to write while this one changes its class; None if this one is a reader, or nobody else can.

    ``staying``: the members that are wanted; None: all of ours. Of the others the first is waited for, and writes where
    none that stays can: two failovers, of a moment each, are less than a restart of minutes.

    Raises:
        NotYet: the others, which change first, are not done; or the one that is to write cannot yet.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return None
    members = describe_instances(aws, "db-cluster-id", (want.cluster,))
    stay, leave = _takers(_fellows(cluster, id, members), want, staying)
    for other in stay:
        _check_changed(id, other, want, cluster)
    takers = stay or leave
    if not takers:
        return None
    if cluster.get("Status") != "available":
        # Perhaps our own failover, whose outcome does not show yet.
        raise NotYet(f"{want.cluster} is {cluster.get('Status')}", Patience.LONG)
    if takers[0].get("DBInstanceStatus") not in _READY:
        raise NotYet(f"{id} writes: {_name(takers[0])} is {takers[0].get('DBInstanceStatus')}", Patience.LONG)
    return _name(takers[0])


def check_readers_rebooted(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> None:
    """Check that the readers, who may have to take over, run with the new parameters before a writer is rebooted.

    Raises:
        NotYet: a reader does not.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return
    members = describe_instances(aws, "db-cluster-id", (want.cluster,))
    stay, _ = _takers(_fellows(cluster, id, members), want, staying)
    for other in stay:
        status = other.get("DBInstanceStatus", "")
        waits = any(state not in _IN_FORCE for _, state in _group_states(cluster, other))
        if waits or status not in _READY:
            why = "waits for its own reboot" if waits else f"is {status}"
            raise NotYet(f"{id} writes and is rebooted last: {_name(other)} {why}", Patience.LONG)


def _name(instance: DBInstanceTypeDef) -> str:
    return instance.get("DBInstanceIdentifier", "")


def _writes(cluster: DBClusterTypeDef | None, id: str) -> bool:
    members = cluster.get("DBClusterMembers", []) if cluster is not None else []
    return any(member["IsClusterWriter"] for member in members if member.get("DBInstanceIdentifier") == id)


def _fellows(
    cluster: DBClusterTypeDef | None, id: str, instances: Iterable[DBInstanceTypeDef]
) -> list[DBInstanceTypeDef]:
    """List the other members of the cluster, whoever made them, that could take over, now or in a moment."""
    name = cluster.get("DBClusterIdentifier") if cluster is not None else None
    return [
        member
        for member in instances
        if name and member.get("DBClusterIdentifier") == name
        if _name(member) != id and member.get("DBInstanceStatus") not in _OUT
    ]


def _takers(
    fellows: Iterable[DBInstanceTypeDef], want: DbInstanceSpec, staying: Collection[str] | None
) -> tuple[list[DBInstanceTypeDef], list[DBInstanceTypeDef]]:
    """List those of ours that stay, and those that are to be removed, each in the order in which they take over."""
    owner = Owner.of(want.tags)
    ours = [member for member in fellows if Owner.of(as_dict(member.get("TagList", []))) == owner]
    ours.sort(key=lambda member: (member.get("PromotionTier", 1), _name(member)))
    stay = [member for member in ours if staying is None or _name(member) in staying]
    return stay, [member for member in ours if member not in stay]


def _check_changed(id: str, other: DBInstanceTypeDef, want: DbInstanceSpec, cluster: DBClusterTypeDef) -> None:
    """Check that another member has the wanted class and is at rest.

    Raises:
        NotYet: the member is not there yet.
    """
    live, status = other.get("DBInstanceClass"), other.get("DBInstanceStatus")
    begins = f"{id} writes and changes last: {other.get('DBInstanceIdentifier')}"
    if live != want.instance_class:
        # Where AWS is at work on nothing, the change was refused, or somebody stopped it: it never comes.
        at_rest = status in _READY and cluster.get("Status") == "available"
        idle = at_rest and not other.get("PendingModifiedValues")
        raise NotYet(f"{begins} is still {live}", Patience.BUSY if idle else Patience.LONG)
    if status not in _READY:
        raise NotYet(f"{begins} is {status}", Patience.LONG)
    # A reboot that parameters wait for is no reason to wait: it never comes by itself.
    if any(state == _APPLYING for _, state in _group_states(cluster, other)):
        raise NotYet(f"{begins} is applying its parameters", Patience.LONG)
