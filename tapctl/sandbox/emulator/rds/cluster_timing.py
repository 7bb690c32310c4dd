"""Aurora clusters in time: creating, available, modifying, upgrading, failing over, deleting; and refusing meanwhile.

States and refusals are the Aurora user guide's ("Viewing DB cluster status", "Deleting Aurora DB clusters") and the RDS
API reference's; what AWS does not write down is marked as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.catalog import family_of
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.ends import ENDS, tell_event
from tapctl.sandbox.emulator.rds.lifecycle import (
    AVAILABLE,
    busy,
    flight,
    go,
    is_going,
    is_hidden,
    leave,
    make,
    show_flight,
    shown_status,
    status_of,
)
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

_BUSY: Final = "InvalidDBClusterStateFault"
_SHOWN: Final = (
    *("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters"),
    *("StopDBCluster", "StartDBCluster"),
)
# What shows its old value until the change is through, and is told as pending meanwhile; and what it is where it is
# left out.
_DEFERRED: Final = {
    "EngineVersion": "",
    "IAMDatabaseAuthenticationEnabled": "",
    "BackupRetentionPeriod": "",
    "StorageType": "aurora",
}
# What is in force with the answer (ModifyDBCluster), although the status has not moved yet.
_AT_ONCE: Final = (
    *("DeletionProtection", "CopyTagsToSnapshot"),
    *("PreferredBackupWindow", "PreferredMaintenanceWindow"),
)
_LOGS: Final = "EnabledCloudwatchLogsExports"


@rules(*_SHOWN)
def a_cluster_shows_its_state(call: Call, proceed: Proceed) -> Reply:
    """Its status, a little behind; its security groups, parameters and secret on their way."""
    reply = proceed()
    for one in reply.get("DBClusters", [reply.get("DBCluster")]):
        cluster = call.moto("rds").clusters[one["DBClusterIdentifier"]]
        _show_changes(call, cluster, one)
        one["Status"] = shown_status(call, cluster)
    return reply


def _show_changes(call: Call, cluster: Any, shown: dict[str, Any]) -> None:
    groups, logs = shown["VpcSecurityGroups"], shown.get(_LOGS, [])
    old = show_flight(call, cluster, shown, _DEFERRED, _AT_ONCE)
    if "VpcSecurityGroups" in old:
        shown["VpcSecurityGroups"] = _moving(old["VpcSecurityGroups"], groups)
    if _LOGS in old:
        was = old[_LOGS] or []
        shown[_LOGS] = was
        coming = {"LogTypesToEnable": sorted({*logs} - {*was}), "LogTypesToDisable": sorted({*was} - {*logs})}
        pending = {name: kinds for name, kinds in coming.items() if kinds}
        shown.setdefault("PendingModifiedValues", {})["PendingCloudwatchLogsExports"] = pending
    until, writer = kept(cluster).get("writer_was", (-math.inf, ""))
    if call.life.now() < until:
        for member in shown["DBClusterMembers"]:
            member["IsClusterWriter"] = member["DBInstanceIdentifier"] == writer


def _moving(before: list[dict[str, str]], after: list[dict[str, str]]) -> list[dict[str, str]]:
    old, new = ({one["VpcSecurityGroupId"] for one in groups} for groups in (before, after))
    states = {**dict.fromkeys(old & new, "active"), **dict.fromkeys(new - old, "adding")}
    states |= dict.fromkeys(old - new, "removing")
    return [{"VpcSecurityGroupId": id_, "Status": status} for id_, status in sorted(states.items())]


@rules("DescribeDBClusters", "ModifyDBCluster", "DeleteDBCluster", "FailoverDBCluster", "CreateDBInstance")
def a_new_cluster_does_not_show_at_once(call: Call, proceed: Proceed) -> Reply:
    """For 2 s, and once more after it has shown."""
    hidden = {name for name, one in call.moto("rds").clusters.items() if is_hidden(call, one)}
    if call.params.get("DBClusterIdentifier") in hidden:
        raise Fault("DBClusterNotFoundFault", f"DBCluster {call.params['DBClusterIdentifier']} not found.")
    reply = proceed()
    if call.operation == "DescribeDBClusters":
        reply["DBClusters"] = [one for one in reply["DBClusters"] if one["DBClusterIdentifier"] not in hidden]
    return reply


@rules("CreateDBCluster")
def a_cluster_is_made_in_minutes(call: Call, proceed: Proceed) -> Reply:
    """It is ``creating`` for three minutes; or comes to the end that was demanded, with an event that says why."""
    reply = proceed()
    cluster, end = cluster_of(call), call.life.demanded("rds.cluster") or AVAILABLE
    make(call, cluster)
    go(call, cluster, (times.CLUSTER_CREATING_S, "creating"), end=end)
    tell_event(call, "db-cluster", cluster.resource_id, ENDS.get(end, "DB cluster created"))
    return reply


@rules("ModifyDBCluster", "FailoverDBCluster")
def a_cluster_takes_one_change_at_a_time(call: Call, proceed: Proceed) -> Reply:
    """And none before it is available."""
    cluster = cluster_of(call)
    status = status_of(call, cluster)
    if status != AVAILABLE:
        raise busy(_BUSY, cluster, status)
    return proceed()


@rules("ModifyDBCluster")
def a_change_of_a_cluster_takes_its_time(call: Call, proceed: Proceed) -> Reply:
    """The status lags, then it is ``modifying`` or ``upgrading``; what waits for the window changes no state."""
    cluster = cluster_of(call)
    have = cluster.engine_version
    with flight(call, cluster, "DBCluster", DBClusterIdentifier=cluster.resource_id) as old:
        reply = proceed()
        _set_course(call, cluster, have, cluster.engine_version)
    if not old:
        # Nothing that is in force at once: it stays as it is.
        go(call, cluster)
    elif "Port" in old:
        _take_members_along(call, cluster, times.INSTANCE_REBOOTING_S, "rebooting")
    return reply


def _set_course(call: Call, cluster: Any, have: str, want: str) -> None:
    takes, status = times.CLUSTER_MODIFYING_S, "modifying"
    end = call.life.demanded("rds.cluster.change") or AVAILABLE
    if have != want:
        major = family_of(have) != family_of(want)
        takes, status = times.UPGRADE_MAJOR_S if major else times.UPGRADE_MINOR_S, "upgrading"
        _take_members_along(call, cluster, takes, status)
    go(call, cluster, (times.STATUS_LAGS_S + takes, status), lag_s=times.STATUS_LAGS_S, end=end)
    if end in ENDS:
        tell_event(call, "db-cluster", cluster.resource_id, ENDS[end])


def _take_members_along(call: Call, cluster: Any, takes: float, status: str) -> None:
    for member in cluster.members:
        if not is_going(member):
            go(call, member, (times.STATUS_LAGS_S + takes, status), lag_s=times.STATUS_LAGS_S)


@rules("FailoverDBCluster")
def a_failover_takes_its_time(call: Call, proceed: Proceed) -> Reply:
    """To a member that is available and does not write yet."""
    cluster, target = cluster_of(call), call.params.get("TargetDBInstanceIdentifier", "")
    member = call.moto("rds").databases.get(target)
    if member is not None and status_of(call, member) != AVAILABLE:
        raise busy("InvalidDBInstanceState", member, status_of(call, member))
    if member is not None and member is cluster.writer:
        # Not in the API reference, which only says that the target has to be a reader.
        raise Fault(_BUSY, f"DB instance {target} is the writer of {cluster.resource_id} already.")
    before = cluster.writer
    reply = proceed()
    takes = times.STATUS_LAGS_S + times.CLUSTER_FAILING_OVER_S
    # Who writes is news that comes with the end of it.
    kept(cluster)["writer_was"] = (call.life.now() + takes, before.resource_id)
    go(call, cluster, (takes, "failing-over"), lag_s=times.STATUS_LAGS_S)
    writer = cluster.writer.resource_id
    tell_event(call, "db-cluster", cluster.resource_id, f"Completed failover to DB instance: {writer}")
    return reply


# -- the end ---------------------------------------------------------------------------------------------------------


@rules("DeleteDBCluster")
def a_cluster_goes_after_its_members(call: Call, proceed: Proceed) -> Reply:
    """It is taken once every member is being deleted, not before; and it is there until they are gone."""
    cluster = cluster_of(call)
    going = [one for one in cluster.members if is_going(one)]
    last = max((kept(one)["gone_at"] for one in going), default=call.life.now())
    if len(going) < len(cluster.members) and not cluster.deletion_protection:
        raise Fault(_BUSY, "Cluster cannot be deleted, it still contains DB instances in non-deleting state.")
    with _set_aside(call.moto("rds").databases, [one.resource_id for one in going]):
        reply = proceed()
    call.moto("rds").clusters[cluster.resource_id] = cluster
    leave(call, cluster, last - call.life.now() + times.CLUSTER_GOES_S)
    return reply


@rules("DeleteDBCluster")
def a_busy_cluster_is_not_deleted(call: Call, proceed: Proceed) -> Reply:
    """Nor one that is being deleted already."""
    cluster = cluster_of(call)
    status = status_of(call, cluster)
    if status not in (AVAILABLE, *ENDS):
        raise Fault(_BUSY, f"DB cluster {cluster.resource_id} is not currently in the available state: {status}")
    return proceed()


@contextmanager
def _set_aside(things: Any, names: list[str]) -> Iterator[None]:
    """Moto refuses to delete a cluster that has members, whatever becomes of them."""
    aside = {name: things.pop(name) for name in names}
    try:
        yield
    finally:
        things.update(aside)


@rules("DeleteDBCluster")
def a_final_snapshot_takes_minutes(call: Call, proceed: Proceed) -> Reply:
    """It is ``creating`` for four minutes, longer than the cluster may be there."""
    reply = proceed()
    snapshot = call.moto("rds").cluster_snapshots.get(call.params.get("FinalDBSnapshotIdentifier", ""))
    if snapshot is not None:
        end = call.life.demanded("rds.snapshot") or AVAILABLE
        go(call, snapshot, (times.SNAPSHOT_S, "creating"), end=end)
    return reply


@rules("DescribeDBClusterSnapshots")
def a_snapshot_shows_its_state(call: Call, proceed: Proceed) -> Reply:
    """And no progress before it is there."""
    reply = proceed()
    for one in reply["DBClusterSnapshots"]:
        status = status_of(call, call.moto("rds").cluster_snapshots[one["DBClusterSnapshotIdentifier"]])
        one.update(Status=status, PercentProgress=100 if status == AVAILABLE else 0)
    return reply
