"""Aurora instances: members of a cluster, which inherit from it and are rebooted into parameters; and their states.

States and refusals are the Aurora user guide's ("Viewing DB instance status", "Modifying an Amazon Aurora DB cluster")
and the RDS API reference's; what AWS does not write down is marked as such.
"""

from __future__ import annotations

import math
import secrets
from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.catalog import CLASSES, family_of
from tapctl.sandbox.emulator.rds.lifecycle import (
    AVAILABLE,
    TERMINAL_STATES,
    busy_error,
    enter_states,
    is_deleting,
    is_hidden,
    mark_created,
    pending_change,
    record_event,
    show_pending_change,
    shown_status,
    start_deleting,
    status_of,
)
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("rds"), Rules("rds")

# Settings that only the cluster has → the words RDS refuses them with.
_MANAGED_BY_THE_CLUSTER = {
    "BackupRetentionPeriod": "backup retention period",
    "PreferredBackupWindow": "backup window",
    "VpcSecurityGroupIds": "vpc security group",
    "MasterUserPassword": "master user password",
    "MasterUsername": "master user name",
    "DBName": "database name",
    "Port": "port",
}
# Fields that a member has from its cluster, under the same name.
_INHERITED = (
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "DatabaseInsightsMode",
    "PerformanceInsightsEnabled",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "StorageEncrypted",
    "KmsKeyId",
    "EngineLifecycleSupport",
    "VpcSecurityGroups",
)


def instance_of(request: Request) -> Any:
    """Return the instance that a request names, as moto's object.

    Raises:
        ServiceError: there is none.
    """
    name = request.params["DBInstanceIdentifier"]
    instance = request.backend("rds").databases.get(name)
    if instance is None:
        raise ServiceError("DBInstanceNotFound", f"DBInstance {name} not found.")
    return instance


@contract("CreateDBInstance", "ModifyDBInstance", "RebootDBInstance", "DeleteDBInstance", "DescribeDBInstances")
def members_inherit_from_their_cluster(request: Request, proceed: Next) -> Reply:
    """Members have their cluster's version, port, subnet group, key, Insights and IAM authentication."""
    reply = proceed()
    shown = reply["DBInstances"] if request.operation == "DescribeDBInstances" else [reply["DBInstance"]]
    for instance in shown:
        if "DBClusterIdentifier" in instance:
            _inherit(request, instance)
    return reply


def _inherit(request: Request, shown: dict[str, Any]) -> None:
    cluster = request.call("DescribeDBClusters", DBClusterIdentifier=shown["DBClusterIdentifier"])["DBClusters"][0]
    for name in _INHERITED:
        shown[name] = cluster.get(name)
    shown.pop("StorageType", None)
    shown["Endpoint"] = {**shown["Endpoint"], "Port": cluster["Port"]}
    shown["DbInstancePort"] = 0
    groups = request.backend("rds").subnet_groups
    if cluster["DBSubnetGroup"] in groups:
        described = request.call("DescribeDBSubnetGroups", DBSubnetGroupName=cluster["DBSubnetGroup"])
        shown["DBSubnetGroup"] = described["DBSubnetGroups"][0]
    instance = request.backend("rds").databases.get(shown["DBInstanceIdentifier"])
    waits = instance is not None and notes_on(instance).get("parameters_wait")
    for group in shown["DBParameterGroups"]:
        group["ParameterApplyStatus"] = "pending-reboot" if waits else "in-sync"


@contract("CreateDBInstance")
def a_member_takes_no_settings_of_its_cluster(request: Request, proceed: Next) -> Reply:
    """Settings that the cluster manages are refused on a member."""
    if "DBClusterIdentifier" in request.params:
        for name, words in _MANAGED_BY_THE_CLUSTER.items():
            if name in request.params:
                raise ServiceError(
                    "InvalidParameterCombination",
                    f"The requested DB Instance will be a member of a DB Cluster. Set {words} for the DB Cluster.",
                )
    return proceed()


@contract("CreateDBInstance", "ModifyDBInstance")
def an_instance_class_must_exist(request: Request, proceed: Next) -> Reply:
    """Classes that Aurora PostgreSQL does not have are refused."""
    wanted = request.params.get("DBInstanceClass", CLASSES[0])
    if wanted not in CLASSES:
        raise ServiceError(
            "InvalidParameterCombination",
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={wanted}, Engine=aurora-postgresql.",
        )
    return proceed()


@contract("CreateDBInstance")
def a_member_is_a_thing_of_its_own(request: Request, proceed: Next) -> Reply:
    """A member has its own resource id and zone, is private by default, and has no backup."""
    cluster = request.backend("rds").clusters.get(request.params.get("DBClusterIdentifier", ""))
    if cluster is None:
        return proceed()
    request.params.setdefault("PubliclyAccessible", False)
    request.params.setdefault("AvailabilityZone", cluster.availability_zones[len(cluster.members) % 3])
    reply = proceed()
    instance = instance_of(request)
    instance.dbi_resource_id = reply["DBInstance"]["DbiResourceId"] = f"db-{secrets.token_hex(13).upper()}"
    snapshots = request.backend("rds").database_snapshots
    for id_ in [id_ for id_, snapshot in snapshots.items() if snapshot.db_instance_identifier == instance.resource_id]:
        del snapshots[id_]
    return reply


@contract("CreateDBInstance", "ModifyDBInstance")
def a_parameter_group_is_of_the_family(request: Request, proceed: Next) -> Reply:
    """A member's parameter group exists and is of its engine's family."""
    name = request.params.get("DBParameterGroupName")
    rds = request.backend("rds")
    new = request.operation == "CreateDBInstance"
    owner = request.params.get("DBClusterIdentifier") if new else instance_of(request).db_cluster_identifier
    group, cluster = rds.db_parameter_groups.get(name or ""), rds.clusters.get(owner or "")
    if group is not None and cluster is not None and group.family != family_of(cluster.engine_version):
        raise ServiceError(
            "InvalidParameterCombination",
            f"The Parameter Group {name} with DBParameterGroupFamily {group.family} cannot be used for this instance. "
            f"Please use a Parameter Group with DBParameterGroupFamily {family_of(cluster.engine_version)}",
        )
    return proceed()


@contract("CreateDBInstance", "ModifyDBInstance", "ModifyDBCluster")
def minor_upgrades_are_of_the_whole_cluster(request: Request, proceed: Next) -> Reply:
    """AutoMinorVersionUpgrade of a cluster is that of all members, new ones too; a member's makes it what all have.

    The table in the Aurora user guide, "Automatic minor version upgrades for Aurora DB clusters"; moto keeps them
    apart.
    """
    params, clusters, name = request.params, request.backend("rds").clusters, "AutoMinorVersionUpgrade"
    new = clusters.get(params.get("DBClusterIdentifier", "")) if request.operation == "CreateDBInstance" else None
    if new is not None:
        params.setdefault(name, new.auto_minor_version_upgrade)
    reply = proceed()
    if name not in params:
        return reply
    if request.operation == "ModifyDBCluster":
        for member in clusters[params["DBClusterIdentifier"]].members:
            member.auto_minor_version_upgrade = params[name]
        return reply
    cluster = clusters.get(instance_of(request).db_cluster_identifier or "")
    if cluster is not None:
        cluster.auto_minor_version_upgrade = all(member.auto_minor_version_upgrade for member in cluster.members)
    return reply


@contract("ModifyDBInstance")
def an_instance_change_that_is_not_immediate_waits(request: Request, proceed: Next) -> Reply:
    """Another class and a new name wait for the window in PendingModifiedValues, unless ApplyImmediately."""
    instance = instance_of(request)
    if request.params.get("ApplyImmediately"):
        instance.pending_modified_values = None
        return proceed()
    wanted = request.params.pop("DBInstanceClass", None), request.params.pop("NewDBInstanceIdentifier", None)
    now = instance.db_instance_class, instance.db_instance_identifier
    names = "DBInstanceClass", "DBInstanceIdentifier"
    later = {name: new for name, new, old in zip(names, wanted, now, strict=True) if new not in (None, old)}
    if later:
        instance.pending_modified_values = {**(getattr(instance, "pending_modified_values", None) or {}), **later}
    return proceed()


@contract("ModifyDBInstance")
def another_instance_parameter_group_waits_for_a_reboot(request: Request, proceed: Next) -> Reply:
    """A parameter group newly chosen is in force after a reboot."""
    before = instance_of(request).db_parameter_group_name
    reply = proceed()
    if instance_of(request).db_parameter_group_name != before:
        notes_on(instance_of(request))["parameters_wait"] = True
    return reply


@contract("RebootDBInstance")
def a_reboot_applies_parameters(request: Request, proceed: Next) -> Reply:
    """Parameters that waited for a reboot are in force, those of the cluster's group too."""
    for waiting in ("parameters_wait", "cluster_parameters_wait"):
        notes_on(instance_of(request)).pop(waiting, None)
    return proceed()


# -- timing ----------------------------------------------------------------------------------------------------------


_BUSY: Final = "InvalidDBInstanceState"
_SHOWN: Final = ("CreateDBInstance", "ModifyDBInstance", "RebootDBInstance", "DescribeDBInstances")
_CHANGES: Final = ("ModifyDBInstance", "RebootDBInstance")
_DEFERRED: Final = {"DBInstanceClass": ""}
# States in which an instance is deleted only with SkipFinalSnapshot (DeleteDBInstance).
_DELETED_WITHOUT_SNAPSHOT: Final = ("failed", "incompatible-restore", "incompatible-network")


@timing(*_SHOWN)
def an_instance_shows_its_state(request: Request, proceed: Next) -> Reply:
    """An instance's status is a little behind; a new one has no address yet."""
    reply = proceed()
    for shown in reply.get("DBInstances", [reply.get("DBInstance")]):
        instance = request.backend("rds").databases[shown["DBInstanceIdentifier"]]
        show_pending_change(request, instance, shown, _DEFERRED)
        shown["DBInstanceStatus"] = status = shown_status(request, instance)
        if status == "creating":
            shown.pop("Endpoint", None)
    return reply


@timing("DescribeDBClusters", "DescribeDBInstances", "DeleteDBInstance", *_CHANGES)
def a_new_instance_does_not_show_at_once(request: Request, proceed: Next) -> Reply:
    """A new instance is missing, as a member too, for 2 s, and once more after it has shown."""
    hidden = {name for name, member in request.backend("rds").databases.items() if is_hidden(request, member)}
    if request.params.get("DBInstanceIdentifier") in hidden:
        raise ServiceError("DBInstanceNotFound", f"DBInstance {request.params['DBInstanceIdentifier']} not found.")
    reply = proceed()
    if "DBInstances" in reply:
        reply["DBInstances"] = [shown for shown in reply["DBInstances"] if shown["DBInstanceIdentifier"] not in hidden]
    for cluster in reply.get("DBClusters", ()):
        cluster["DBClusterMembers"] = [
            member for member in cluster["DBClusterMembers"] if member["DBInstanceIdentifier"] not in hidden
        ]
    return reply


@timing("CreateDBInstance", "ModifyDBInstance")
def a_member_waits_for_its_cluster(request: Request, proceed: Next) -> Reply:
    """A cluster that is not available takes no member. AWS does not say so of a ``creating`` one."""
    rds = request.backend("rds")
    member = rds.databases.get(request.params["DBInstanceIdentifier"])
    name = request.params.get("DBClusterIdentifier") or getattr(member, "db_cluster_identifier", None)
    cluster = rds.clusters.get(name or "")
    if cluster is not None and status_of(request, cluster) != AVAILABLE:
        raise busy_error("InvalidDBClusterStateFault", cluster, status_of(request, cluster))
    return proceed()


@timing("CreateDBInstance")
def an_instance_is_made_in_minutes(request: Request, proceed: Next) -> Reply:
    """An instance is created for six and a half minutes, configured and backed up; its end may be scripted."""
    reply = proceed()
    instance, end = instance_of(request), request.simulation.next_outcome("rds.instance") or AVAILABLE
    mark_created(request, instance)
    enter_states(
        request,
        instance,
        (lifecycle.INSTANCE_CREATING_S, "creating"),
        (lifecycle.INSTANCE_CONFIGURING_S, "configuring-iam-database-auth"),
        (lifecycle.INSTANCE_BACKING_UP_S, "backing-up"),
        end=end,
    )
    record_event(request, "db-instance", instance.resource_id, TERMINAL_STATES.get(end, "DB instance created"))
    return reply


@timing(*_CHANGES)
def an_instance_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Changes are refused while another goes on, and before the instance is available."""
    instance = instance_of(request)
    if status_of(request, instance) != AVAILABLE:
        raise busy_error(_BUSY, instance, status_of(request, instance))
    return proceed()


@timing("ModifyDBInstance")
def a_change_of_an_instance_takes_its_time(request: Request, proceed: Next) -> Reply:
    """The status lags, then is ``modifying``; a new class restarts the instance, and another member writes."""
    instance = instance_of(request)
    with pending_change(request, instance, "DBInstance", DBInstanceIdentifier=instance.resource_id) as old:
        before = instance.db_instance_class
        reply = proceed()
        other_class = instance.db_instance_class != before
        takes = lifecycle.STATUS_LAGS_S + (
            lifecycle.INSTANCE_CLASS_S if other_class else lifecycle.INSTANCE_MODIFYING_S
        )
        end = request.simulation.next_outcome("rds.instance.change") or AVAILABLE
        enter_states(request, instance, (takes, "modifying"), lag_s=lifecycle.STATUS_LAGS_S, end=end)
        if end in TERMINAL_STATES:
            record_event(request, "db-instance", instance.resource_id, TERMINAL_STATES[end])
    if not old:
        # Nothing has changed yet: the instance keeps its state.
        enter_states(request, instance)
    elif other_class:
        _fail_over(request, instance)
    return reply


def _fail_over(request: Request, instance: Any) -> None:
    """Make the first reader by tier the writer, in place of a writer that restarts for minutes."""
    cluster = request.backend("rds").clusters.get(instance.db_cluster_identifier or "")
    if cluster is None or cluster.writer is not instance:
        return
    others = [
        member for member in cluster.members if member is not instance and status_of(request, member) == AVAILABLE
    ]
    if others:
        cluster.failover(min(others, key=lambda reader: (reader.promotion_tier, reader.resource_id)))
        message = f"Completed failover to DB instance: {cluster.writer.resource_id}"
        record_event(request, "db-cluster", cluster.resource_id, message)


@timing("RebootDBInstance")
def a_reboot_takes_its_time(request: Request, proceed: Next) -> Reply:
    """A reboot takes a minute; then the parameters are in force."""
    instance = instance_of(request)
    reply = proceed()
    takes = lifecycle.STATUS_LAGS_S + lifecycle.INSTANCE_REBOOTING_S
    enter_states(request, instance, (takes, "rebooting"), lag_s=lifecycle.STATUS_LAGS_S)
    record_event(request, "db-instance", instance.resource_id, "DB instance restarted")
    return reply


@timing("DeleteDBInstance")
def an_instance_goes_in_minutes(request: Request, proceed: Next) -> Reply:
    """An instance is ``deleting`` for four minutes, and a member as long."""
    instance = instance_of(request)
    reply = proceed()
    request.backend("rds").databases[instance.resource_id] = instance
    start_deleting(request, instance, lifecycle.INSTANCE_DELETING_S)
    return reply


@timing("DeleteDBInstance")
def a_busy_instance_is_not_deleted(request: Request, proceed: Next) -> Reply:
    """A busy instance is not deleted, nor one being deleted; a failed one only without a snapshot."""
    instance = instance_of(request)
    status = status_of(request, instance)
    if is_deleting(instance):
        raise ServiceError(_BUSY, f"Instance {instance.resource_id} is already being deleted.")
    if status not in (AVAILABLE, *TERMINAL_STATES):
        raise ServiceError(_BUSY, f"Instance {instance.resource_id} is not in available state: {status}")
    if status in _DELETED_WITHOUT_SNAPSHOT and not request.params.get("SkipFinalSnapshot"):
        raise ServiceError(
            _BUSY, f"Instance {instance.resource_id} is {status}: it can only be deleted without a snapshot."
        )
    return proceed()


# -- tags of both ----------------------------------------------------------------------------------------------------


def _tagged(request: Request) -> Any:
    """Return the cluster or instance whose tags a request is about; None for any other resource."""
    rds, arn = request.backend("rds"), request.params["ResourceName"]
    return next(
        (resource for resource in (*rds.clusters.values(), *rds.databases.values()) if resource.arn == arn), None
    )


@timing("AddTagsToResource", "RemoveTagsFromResource")
def what_is_busy_is_not_tagged(request: Request, proceed: Next) -> Reply:
    """Tags of a busy cluster or instance are refused (rds-controller retries its tags for that)."""
    resource = _tagged(request)
    if resource is not None and status_of(request, resource) not in (AVAILABLE, *TERMINAL_STATES):
        code = "InvalidDBClusterStateFault" if resource in request.backend("rds").clusters.values() else _BUSY
        raise busy_error(code, resource, status_of(request, resource))
    return proceed()


@timing("AddTagsToResource", "RemoveTagsFromResource")
def tags_show_late(request: Request, proceed: Next) -> Reply:
    """Changed tags keep their former values in descriptions for 3 s."""
    resource = _tagged(request)
    before = [] if resource is None else [*resource.tags]
    reply = proceed()
    if resource is not None:
        notes_on(resource)["tags_were"] = (request.simulation.now() + lifecycle.TAGS_LAG_S, before)
    return reply


@timing("DescribeDBClusters", "DescribeDBInstances")
def old_tags_are_told(request: Request, proceed: Next) -> Reply:
    """Descriptions return former tags while new ones do not show."""
    reply = proceed()
    rds = request.backend("rds")
    for shown in reply.get("DBClusters") or reply.get("DBInstances", ()):
        name = shown.get("DBInstanceIdentifier")
        resource = rds.databases[name] if name else rds.clusters[shown["DBClusterIdentifier"]]
        until, tags = notes_on(resource).get("tags_were", (-math.inf, []))
        if request.simulation.now() < until:
            shown["TagList"] = tags
    return reply
