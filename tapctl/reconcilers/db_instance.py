"""An instance of an Aurora cluster. Which one writes moves with every failover, and is in no name and no field.

AWS's facts are from the RDS API reference (CreateDBInstance, ModifyDBInstance, FailoverDBCluster, DBClusterMember) and
the Aurora user guide. What a member has from its cluster (version, key, Performance Insights, backups …) is not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Observed, Outputs, Owner, Pending, Reconciler, Spec, Usual
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds import NO_INSTANCE, arn_of, cluster_of, last_event, meaning, set_tags, tag_list, tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef

    from tapctl.aws import Aws

_READY: Final = frozenset({"available", "storage-optimization"})
_TERMINAL: Final = frozenset(
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
_APPLYING: Final = "applying"
_IN_FORCE: Final = frozenset({"in-sync", _APPLYING, ""})
_PARAMETERS: Final = {
    "parameter_group": "DBParameterGroupName",
    "publicly_accessible": "PubliclyAccessible",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "promotion_tier": "PromotionTier",
}


class DbInstanceSpec(Spec):
    """What tapctl owns on an instance."""

    cluster: str
    engine: str = "aurora-postgresql"
    instance_class: str
    parameter_group: str
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


class DbInstance(Reconciler[DbInstanceSpec, DbInstanceOutputs]):
    """Sees and changes one member; its id is its identifier. The data is its cluster's: a failed member is replaced."""

    type = "db-instance"
    spec = DbInstanceSpec
    outputs = DbInstanceOutputs
    early = True
    replaceable = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "cluster": Impact.REPLACE,
        "engine": Impact.REPLACE,
        "instance_class": Impact.FAILOVER,
    }
    usual = Usual(creating=480, deleting=300, longest=5400)

    def observe(
        self, aws: Aws, id: str, like: DbInstanceSpec | None
    ) -> Observed[DbInstanceSpec, DbInstanceOutputs] | None:
        """Two reads a round for all members: the instances, and their cluster, which its own look asks for too."""
        instance = _instance(aws, id)
        if instance is None:
            return None
        status = instance.get("DBInstanceStatus", "")
        told = last_event(aws, "db-instance", id) if status in _TERMINAL else ""
        waiting = _waiting(aws, instance)
        later = instance.get("PendingModifiedValues", {}).get("DBInstanceClass")
        pending = {}
        if later:
            until, now = instance.get("PreferredMaintenanceWindow", ""), instance.get("DBInstanceClass")
            pending["instance_class"] = Pending(until, f"now {now}")
        needing = [f"{group}: {state}" for group, state in waiting if state not in _IN_FORCE]
        if needing:
            pending["parameter_group"] = Pending("reboot", ", ".join(needing))
        groups = instance.get("DBParameterGroups", [])
        tags = tags_of(instance.get("TagList", []))
        spec = DbInstanceSpec(
            cluster=instance.get("DBClusterIdentifier", ""),
            engine=instance.get("Engine", ""),
            instance_class=later or instance.get("DBInstanceClass", ""),
            parameter_group=groups[0].get("DBParameterGroupName", "") if groups else "",
            publicly_accessible=instance.get("PubliclyAccessible", False),
            auto_minor_version_upgrade=instance.get("AutoMinorVersionUpgrade", False),
            promotion_tier=instance.get("PromotionTier", 1),
            tags=tags,
        )
        return Observed(
            spec,
            _outputs(instance),
            settled=status in _READY and all(state != _APPLYING for _, state in waiting),
            going=status == "deleting",
            failed=f"{status}: {told}" if told else status if status in _TERMINAL else None,
            status=status,
            owner=_owner(spec, like),
            pending=pending,
        )

    def create(self, aws: Aws, id: str, want: DbInstanceSpec, owner: Owner) -> None:
        """Make it; what its cluster manages is refused on a member, and so is not sent."""
        try:
            aws.rds.create_db_instance(
                DBInstanceIdentifier=id,
                DBClusterIdentifier=want.cluster,
                Engine=want.engine,
                DBInstanceClass=want.instance_class,
                DBParameterGroupName=want.parameter_group,
                PubliclyAccessible=want.publicly_accessible,
                AutoMinorVersionUpgrade=want.auto_minor_version_upgrade,
                PromotionTier=want.promotion_tier,
                Tags=tag_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.says("DBInstanceAlreadyExists"):
                raise AlreadyExists(f"a DB instance {id} exists already") from error
            raise meaning(error) from error

    def update(self, aws: Aws, id: str, have: DbInstanceSpec, want: DbInstanceSpec) -> frozenset[str]:
        """What needs no restart; then the class, as a reader where there are others; then tags."""
        differs = frozenset(name for name in _PARAMETERS if getattr(have, name) != getattr(want, name))
        try:
            if differs:
                _modify(aws, id, {_PARAMETERS[name]: getattr(want, name) for name in differs})
                return differs
            if have.instance_class != want.instance_class:
                successor = _successor(aws, id, want)
                if successor is None:
                    _modify(aws, id, {"DBInstanceClass": want.instance_class})
                    return frozenset({"instance_class"})
                # To a named one: where it writes already, only the news is late, and RDS refuses.
                aws.rds.failover_db_cluster(DBClusterIdentifier=want.cluster, TargetDBInstanceIdentifier=successor)
                return frozenset()
            return set_tags(aws, arn_of(aws, "db", id), have.tags, want.tags)
        except AwsRefused as error:
            raise meaning(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbInstanceSpec, DbInstanceOutputs],
        last: DbInstanceSpec | None,  # noqa: ARG002 -- a member has nothing to keep
    ) -> None:
        """Delete it. A member takes no final snapshot; only a failed one has to be told so (DeleteDBInstance)."""
        skip: dict[str, Any] = {"SkipFinalSnapshot": True} if seen.failed else {}
        try:
            aws.rds.delete_db_instance(DBInstanceIdentifier=id, **skip)
        except AwsRefused as error:
            if error.says(NO_INSTANCE) or error.says("InvalidDBInstanceState", text="already being deleted"):
                return
            raise meaning(error) from error

    def explain(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-instance", id)

    def find(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All instances of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_instances")):
            for one in page["DBInstances"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBInstanceIdentifier", "")


def _instance(aws: Aws, id: str) -> DBInstanceTypeDef | None:
    try:
        found = _described(aws, "db-instance-id", aws.siblings(DbInstance.type, id))
    except AwsRefused as error:
        if error.says(NO_INSTANCE):
            return None
        raise
    return next((one for one in found if one.get("DBInstanceIdentifier") == id.lower()), None)


def _described(aws: Aws, filter_: str, values: tuple[str, ...]) -> list[DBInstanceTypeDef]:
    filters = [{"Name": filter_, "Values": list(values)}]
    pages = aws.pages(aws.rds.get_paginator("describe_db_instances"), Filters=filters)
    return [one for page in pages for one in page["DBInstances"]]


def _waiting(aws: Aws, instance: DBInstanceTypeDef) -> list[tuple[str, str]]:
    """Its parameter groups, and how far each is in force in it: its own, and its cluster's as told with the cluster."""
    found = [
        (group.get("DBParameterGroupName", ""), group.get("ParameterApplyStatus", ""))
        for group in instance.get("DBParameterGroups", [])
    ]
    cluster = cluster_of(aws, instance.get("DBClusterIdentifier", ""))
    if cluster is not None:
        shared = cluster.get("DBClusterParameterGroup", "")
        found += [
            (shared, member.get("DBClusterParameterGroupStatus", ""))
            for member in cluster.get("DBClusterMembers", [])
            if member.get("DBInstanceIdentifier") == instance.get("DBInstanceIdentifier")
        ]
    return found


def _outputs(instance: DBInstanceTypeDef) -> DbInstanceOutputs | None:
    arn, resource_id = instance.get("DBInstanceArn"), instance.get("DbiResourceId")
    return DbInstanceOutputs(arn=arn, resource_id=resource_id) if arn and resource_id else None


def _owner(spec: DbInstanceSpec, like: DbInstanceSpec | None) -> Owner | None:
    """Whose it is. Names are shared by the whole account: an instance of another cluster is somebody else's."""
    if like is not None and like.cluster != spec.cluster:
        return Owner(f"(a member of {spec.cluster or 'no cluster'})", "")
    return Owner.of(spec.tags)


def _modify(aws: Aws, id: str, asked: Mapping[str, Any]) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=id, ApplyImmediately=True, **asked)


def _successor(aws: Aws, id: str, want: DbInstanceSpec) -> str | None:
    """Who is to write while this one changes its class; None where it does not write, or is alone.

    Raises:
        NotYet: the others, which change first, are not done.
    """
    cluster = cluster_of(aws, want.cluster)
    members = cluster.get("DBClusterMembers", []) if cluster else []
    if not any(one.get("IsClusterWriter") for one in members if one.get("DBInstanceIdentifier") == id):
        return None
    ours = Owner.of(want.tags)
    others = [
        one
        for one in _described(aws, "db-cluster-id", (want.cluster,))
        # A member that somebody else added is neither waited for nor made the writer.
        if one.get("DBInstanceIdentifier") != id and Owner.of(tags_of(one.get("TagList", []))) == ours
    ]
    for one in others:
        undone = _undone(aws, one, want)
        if undone:
            name = one.get("DBInstanceIdentifier")
            raise NotYet(f"{id} writes and changes last: {name} {undone}", Patience.LONG)
    ready = sorted((one.get("PromotionTier", 1), one.get("DBInstanceIdentifier", "")) for one in others)
    status = cluster.get("Status") if cluster else ""
    if ready and status != "available":
        # Perhaps by our own failover, whose outcome does not show yet.
        raise NotYet(f"{want.cluster} is {status}", Patience.LONG)
    return ready[0][1] if ready else None


def _undone(aws: Aws, other: DBInstanceTypeDef, want: DbInstanceSpec) -> str:
    live, status = other.get("DBInstanceClass"), other.get("DBInstanceStatus")
    if live != want.instance_class:
        return f"is still {live}"
    if status not in _READY:
        return f"is {status}"
    # A reboot that its parameters wait for is no reason to wait: it never comes by itself.
    if any(state == _APPLYING for _, state in _waiting(aws, other)):
        return "is applying its parameters"
    return ""
