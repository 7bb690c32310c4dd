"""What tapctl owns on an instance of an Aurora cluster, and how AWS's answers are read into it.

Facts are from the RDS API reference (DBInstance, DBClusterMember) and the Aurora user guide ("Viewing DB instance
status").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tapctl.engine.model import REBOOT, Impact, Observed, Outputs, Owner, Pending, Spec
from tapctl.errors import AwsRefused
from tapctl.reconcilers.rds import NO_INSTANCE, cluster_of, how_to_start, last_event, tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef, DBInstanceTypeDef

    from tapctl.aws import Aws

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
        return Owner(f"(a member of {spec.cluster or 'no cluster'})", "")
    return Owner.of(spec.tags)
