"""An instance of an Aurora cluster. Which one writes moves with every failover, and is in no name and no field.

AWS's facts are from the RDS API reference (CreateDBInstance, ModifyDBInstance, FailoverDBCluster, DBClusterMember) and
the Aurora user guide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import REBOOT, Impact, Observed, Outputs, Owner, Pending, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import (
    NO_INSTANCE,
    arn_of,
    classify,
    cluster_of,
    how_to_start,
    last_event,
    set_tags,
    tag_list,
    tags_of,
)

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef, DBInstanceTypeDef

    from tapctl.aws.client import Aws


TYPE: Final = "db-instance"
READY: Final = frozenset({"available", "storage-optimization"})
TERMINAL: Final = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
    }
)
STOPPED: Final = "stopped"
"""Nothing is wrong with it, but nothing will happen to it either until somebody starts its cluster."""
APPLYING: Final = "applying"
IN_FORCE: Final = frozenset({"in-sync", APPLYING, ""})


class DbInstanceSpec(Spec):
    """What tapctl owns on an instance.

    Not owned, on purpose. What a member has from its cluster, and echoes in its own time: version, key, backups,
    Performance Insights and Database Insights (one member set otherwise is the cluster's to put right: RDS wants all
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
    tags: dict[str, str]


class DbInstanceOutputs(Outputs):
    """Its ARN, and the identity that a name alone does not give."""

    arn: str
    resource_id: str


def observed_instance(
    aws: Aws, instance: DBInstanceTypeDef, expected: DbInstanceSpec | None
) -> Observed[DbInstanceSpec, DbInstanceOutputs]:
    """DescribeDBInstances' answer, with what its cluster's tells of it."""
    name, status = instance.get("DBInstanceIdentifier", ""), instance.get("DBInstanceStatus", "")
    told = last_event(aws, "db-instance", name) if status in TERMINAL else ""
    cluster = _cluster_of(aws, instance)
    waiting = _parameters(cluster, instance)
    window = instance.get("PreferredMaintenanceWindow", "")
    later = instance.get("PendingModifiedValues", {}).get("DBInstanceClass")
    pending = {}
    if later:
        # At work on it now, or put off until then.
        until = window if status == "available" else "AWS is done"
        pending["instance_class"] = Pending(until, f"now {instance.get('DBInstanceClass')}")
    needing = [f"{group}: {state}" for group, state in waiting if state not in IN_FORCE]
    if needing:
        pending["parameter_group"] = Pending(REBOOT, ", ".join(needing))
    groups = instance.get("DBParameterGroups", [])
    spec = DbInstanceSpec(
        cluster=instance.get("DBClusterIdentifier", ""),
        engine=instance.get("Engine", ""),
        instance_class=later or instance.get("DBInstanceClass", ""),
        parameter_group=groups[0].get("DBParameterGroupName", "") if groups else "",
        maintenance_window=window,
        publicly_accessible=instance.get("PubliclyAccessible", False),
        auto_minor_version_upgrade=instance.get("AutoMinorVersionUpgrade", False),
        promotion_tier=instance.get("PromotionTier", 1),
        tags=tags_of(instance.get("TagList", [])),
    )
    return Observed(
        spec,
        _outputs(instance),
        settled=status in READY and all(state != APPLYING for _, state in waiting),
        deleting=status == "deleting",
        failure=f"{status}: {told}" if told else status if status in TERMINAL else None,
        # Not failed: one that failed is replaced.
        update_failure=f"it is stopped; {how_to_start(aws, spec.cluster)}" if status == STOPPED else None,
        status=status,
        owner=_owner(spec, expected),
        pending=pending,
        removal_impact=_removal(cluster, instance),
    )


def find_instance(aws: Aws, id: str) -> DBInstanceTypeDef | None:
    """The instance: one read for all of the round, or by itself where RDS refuses all for one that is not there."""
    for names in dict.fromkeys((aws.batch_ids(TYPE, id), (id,))):
        try:
            instances = describe_instances(aws, "db-instance-id", names)
        except AwsRefused as error:
            if not error.matches(NO_INSTANCE):
                raise
        else:
            return next((one for one in instances if one.get("DBInstanceIdentifier") == id.lower()), None)
    return None


def describe_instances(aws: Aws, filter_: str, values: tuple[str, ...]) -> list[DBInstanceTypeDef]:
    """All instances that RDS finds by this filter."""
    filters = [{"Name": filter_, "Values": list(values)}]
    pages = aws.pages(aws.rds.get_paginator("describe_db_instances"), Filters=filters)
    return [one for page in pages for one in page["DBInstances"]]


def parameters(aws: Aws, instance: DBInstanceTypeDef) -> list[tuple[str, str]]:
    """Its parameter groups, and how far each is in force in it: its own, and its cluster's as told with the cluster."""
    return _parameters(_cluster_of(aws, instance), instance)


def _cluster_of(aws: Aws, instance: DBInstanceTypeDef) -> DBClusterTypeDef | None:
    cluster_id = instance.get("DBClusterIdentifier")
    # RDS refuses to look for a cluster without a name, rather than to find none.
    return cluster_of(aws, cluster_id) if cluster_id else None


def _removal(cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef) -> Impact:
    """What its removal costs: another member takes over from a writer."""
    members = cluster.get("DBClusterMembers", []) if cluster is not None else []
    writers = [one.get("DBInstanceIdentifier") for one in members if one.get("IsClusterWriter")]
    return Impact.FAILOVER if len(members) > 1 and instance.get("DBInstanceIdentifier") in writers else Impact.NONE


def _parameters(cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef) -> list[tuple[str, str]]:
    return [
        (group.get("DBParameterGroupName", ""), group.get("ParameterApplyStatus", ""))
        for group in instance.get("DBParameterGroups", [])
    ] + list(_shared(cluster, instance))


def _shared(cluster: DBClusterTypeDef | None, instance: DBInstanceTypeDef) -> Iterator[tuple[str, str]]:
    if cluster is not None:
        shared = cluster.get("DBClusterParameterGroup", "")
        for member in cluster.get("DBClusterMembers", []):
            if member.get("DBInstanceIdentifier") == instance.get("DBInstanceIdentifier"):
                yield shared, member.get("DBClusterParameterGroupStatus", "")


def _outputs(instance: DBInstanceTypeDef) -> DbInstanceOutputs | None:
    arn, resource_id = instance.get("DBInstanceArn"), instance.get("DbiResourceId")
    return DbInstanceOutputs(arn=arn, resource_id=resource_id) if arn and resource_id else None


def _owner(spec: DbInstanceSpec, expected: DbInstanceSpec | None) -> Owner | None:
    """Whose it is. Names are shared by the whole account: an instance of another cluster is somebody else's."""
    if expected is not None and expected.cluster != spec.cluster:
        return Owner("", "", scope=f"a member of {spec.cluster or 'no cluster'}")
    return Owner.of(spec.tags)


def successor(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> str | None:
    """Who is to write while this one changes its class; None where it does not write, or nobody else can.

    ``staying``: the members that are wanted; None: all of ours. Only they are waited for. One that is to be removed
    writes where no other can: a moment's failover is less than a restart of minutes.

    Raises:
        NotYet: the others, which change first, are not done.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return None
    status = cluster.get("Status", "")
    stays: list[tuple[int, str]] = []
    leaves: list[tuple[int, str]] = []
    for one in _others(aws, id, want):
        name = one.get("DBInstanceIdentifier", "")
        wanted = staying is None or name in staying
        if wanted:
            _await(aws, id, one, want, busy=status != "available")
        if one.get("DBInstanceStatus") in READY:
            (stays if wanted else leaves).append((one.get("PromotionTier", 1), name))
    ready = sorted(stays) or sorted(leaves)
    if ready and status != "available":
        # Perhaps by our own failover, whose outcome does not show yet.
        raise NotYet(f"{want.cluster} is {status}", Patience.LONG)
    return ready[0][1] if ready else None


def readers_first(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> None:
    """Let a writer be rebooted only when the readers, who may have to take over, run with the new parameters.

    Raises:
        NotYet: one of them does not.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return
    for one in _others(aws, id, want):
        name, status = one.get("DBInstanceIdentifier", ""), one.get("DBInstanceStatus", "")
        waits = any(state not in IN_FORCE for _, state in parameters(aws, one))
        if (staying is None or name in staying) and (waits or status not in READY):
            why = "waits for its own reboot" if waits else f"is {status}"
            raise NotYet(f"{id} writes and is rebooted last: {name} {why}", Patience.LONG)


def _writes(cluster: DBClusterTypeDef, id: str) -> bool:
    members = cluster.get("DBClusterMembers", [])
    return any(one.get("IsClusterWriter") for one in members if one.get("DBInstanceIdentifier") == id)


def _others(aws: Aws, id: str, want: DbInstanceSpec) -> list[DBInstanceTypeDef]:
    """The other members that may be waited for, and written to: ours, and none that only somebody can bring back."""
    ours = Owner.of(want.tags)
    return [
        one
        for one in describe_instances(aws, "db-cluster-id", (want.cluster,))
        if one.get("DBInstanceIdentifier") != id
        and Owner.of(tags_of(one.get("TagList", []))) == ours
        and one.get("DBInstanceStatus") not in {*TERMINAL, STOPPED, "deleting"}
    ]


def _await(aws: Aws, id: str, other: DBInstanceTypeDef, want: DbInstanceSpec, *, busy: bool) -> None:
    """Wait for this one, unless it is as wanted.

    Raises:
        NotYet: it is not.
    """
    live, status = other.get("DBInstanceClass"), other.get("DBInstanceStatus")
    begins = f"{id} writes and changes last: {other.get('DBInstanceIdentifier')}"
    if live != want.instance_class:
        # Where AWS is at work on nothing, its change was refused, or somebody stopped it: then it never comes.
        idle = status in READY and not busy and not other.get("PendingModifiedValues")
        raise NotYet(f"{begins} is still {live}", Patience.BUSY if idle else Patience.LONG)
    if status not in READY:
        raise NotYet(f"{begins} is {status}", Patience.LONG)
    # A reboot that its parameters wait for is no reason to wait: it never comes by itself.
    if any(state == APPLYING for _, state in parameters(aws, other)):
        raise NotYet(f"{begins} is applying its parameters", Patience.LONG)


__all__ = ["DbInstance", "DbInstanceOutputs", "DbInstanceSpec"]

_PARAMETERS: Final = {
    "parameter_group": "DBParameterGroupName",
    "maintenance_window": "PreferredMaintenanceWindow",
    "publicly_accessible": "PubliclyAccessible",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "promotion_tier": "PromotionTier",
}


class DbInstance(Reconciler[DbInstanceSpec, DbInstanceOutputs]):
    """Sees and changes one member; its id is its identifier. The data is its cluster's: a failed member is replaced.

    ``staying``: all members that are wanted, this one among them, whom a writer's change of class waits for; None: all
    of ours.
    """

    type = TYPE
    spec = DbInstanceSpec
    outputs = DbInstanceOutputs
    outputs_known_early = True
    replaceable = True
    applies_deferred = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "cluster": Impact.REPLACE,
        "engine": Impact.REPLACE,
        "instance_class": Impact.FAILOVER,
    }
    timing = Timing(create_s=480, delete_s=300, longest_s=5400)

    def __init__(self, staying: Collection[str] | None = None) -> None:
        self._staying = staying

    def observe(
        self, aws: Aws, id: str, expected: DbInstanceSpec | None
    ) -> Observed[DbInstanceSpec, DbInstanceOutputs] | None:
        """Two reads a round for all members: the instances, and their cluster, which its own look asks for too."""
        instance = find_instance(aws, id)
        return None if instance is None else observed_instance(aws, instance, expected)

    def create(self, aws: Aws, id: str, want: DbInstanceSpec, owner: Owner) -> None:
        """Make it; what its cluster manages is refused on a member, and so is not sent."""
        asked: dict[str, Any] = {parameter: getattr(want, name) for name, parameter in _PARAMETERS.items()}
        try:
            aws.rds.create_db_instance(
                DBInstanceIdentifier=id,
                DBClusterIdentifier=want.cluster,
                Engine=want.engine,
                DBInstanceClass=want.instance_class,
                Tags=tag_list({**want.tags, **owner.tags}),
                **asked,
            )
        except AwsRefused as error:
            if error.matches("DBInstanceAlreadyExists"):
                raise AlreadyExists(f"a DB instance {id} exists already") from error
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def update(self, aws: Aws, id: str, have: DbInstanceSpec, want: DbInstanceSpec) -> frozenset[str]:
        """What needs no restart; then the class, as a reader where there are others; then tags."""
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
                # To a named one: where it writes already, only the news is late, and RDS refuses.
                aws.rds.failover_db_cluster(DBClusterIdentifier=want.cluster, TargetDBInstanceIdentifier=other)
                return frozenset()
            return set_tags(aws, arn_of(aws, "db", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def reboot(self, aws: Aws, id: str, want: DbInstanceSpec) -> None:
        """Reboot it without a failover, which would put no parameter in force; the writer last."""
        readers_first(aws, id, want, self._staying)
        try:
            aws.rds.reboot_db_instance(DBInstanceIdentifier=id)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, want.cluster)) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbInstanceSpec, DbInstanceOutputs],
        last: DbInstanceSpec | None,  # noqa: ARG002 -- a member has nothing to keep
    ) -> None:
        """Delete it. A member takes no final snapshot; only a failed one has to be told so (DeleteDBInstance)."""
        skip: dict[str, Any] = {"SkipFinalSnapshot": True} if seen.failure else {}
        try:
            aws.rds.delete_db_instance(DBInstanceIdentifier=id, **skip)
        except AwsRefused as error:
            if error.matches(NO_INSTANCE) or error.matches("InvalidDBInstanceState", text="already being deleted"):
                return
            raise classify(error, how_to_start(aws, seen.spec.cluster)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-instance", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All instances of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_instances")):
            for one in page["DBInstances"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBInstanceIdentifier", "")


def _modify(aws: Aws, id: str, asked: Mapping[str, Any]) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=id, ApplyImmediately=True, **asked)
