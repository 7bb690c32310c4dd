"""Aurora clusters over time: creating, available, modifying, upgrading, failing over, deleting; and their secrets.

States and refusals are the Aurora user guide's ("Viewing DB cluster status", "Deleting Aurora DB clusters") and the RDS
API reference's; what AWS does not write down is marked as such. Secrets are as in the Aurora user guide ("Password
management with Amazon RDS and AWS Secrets Manager") and the Secrets Manager user guide ("Managed rotation"); the text
of a refused rotation is Secrets Manager's for any rotation that is not complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.catalog import family_of
from tapctl.sandbox.emulator.rds.clusters import cluster_of
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
from tapctl.sandbox.emulator.secretsmanager import owned_secret
from tapctl.sandbox.emulator.simulation import notes_on

timing, secret_timing, rotation_timing = Rules("rds"), Rules("rds"), Rules("secretsmanager")

_BUSY: Final = "InvalidDBClusterStateFault"
_SHOWN: Final = (
    *("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters"),
    *("StopDBCluster", "StartDBCluster", "RestoreDBClusterFromSnapshot"),
)
# Fields that show their old value until the change is through, and are pending meanwhile → the value of one left out.
_DEFERRED: Final = {
    "EngineVersion": "",
    "IAMDatabaseAuthenticationEnabled": "",
    "BackupRetentionPeriod": "",
    "StorageType": "aurora",
}
# Fields that are in force with the answer (ModifyDBCluster), although the status has not moved yet.
_AT_ONCE: Final = (
    *("DeletionProtection", "CopyTagsToSnapshot"),
    *("PreferredBackupWindow", "PreferredMaintenanceWindow"),
)
_LOGS: Final = "EnabledCloudwatchLogsExports"


@timing(*_SHOWN)
def a_cluster_shows_its_state(request: Request, proceed: Next) -> Reply:
    """A cluster's status is a little behind; its groups, parameters and secret are on their way."""
    reply = proceed()
    for shown in reply.get("DBClusters", [reply.get("DBCluster")]):
        cluster = request.backend("rds").clusters[shown["DBClusterIdentifier"]]
        _show_changes(request, cluster, shown)
        shown["Status"] = shown_status(request, cluster)
    return reply


def _show_changes(request: Request, cluster: Any, shown: dict[str, Any]) -> None:
    groups, logs = shown["VpcSecurityGroups"], shown.get(_LOGS, [])
    old = show_pending_change(request, cluster, shown, _DEFERRED, _AT_ONCE)
    if "VpcSecurityGroups" in old:
        shown["VpcSecurityGroups"] = _groups_in_transition(old["VpcSecurityGroups"], groups)
    if _LOGS in old:
        was = old[_LOGS] or []
        shown[_LOGS] = was
        coming = {"LogTypesToEnable": sorted({*logs} - {*was}), "LogTypesToDisable": sorted({*was} - {*logs})}
        pending = {name: kinds for name, kinds in coming.items() if kinds}
        shown.setdefault("PendingModifiedValues", {})["PendingCloudwatchLogsExports"] = pending
    until, writer = notes_on(cluster).get("writer_was", (-math.inf, ""))
    if request.simulation.now() < until:
        for member in shown["DBClusterMembers"]:
            member["IsClusterWriter"] = member["DBInstanceIdentifier"] == writer


def _groups_in_transition(before: list[dict[str, str]], after: list[dict[str, str]]) -> list[dict[str, str]]:
    old, new = ({group["VpcSecurityGroupId"] for group in groups} for groups in (before, after))
    states = {**dict.fromkeys(old & new, "active"), **dict.fromkeys(new - old, "adding")}
    states |= dict.fromkeys(old - new, "removing")
    return [{"VpcSecurityGroupId": id_, "Status": status} for id_, status in sorted(states.items())]


@timing("DescribeDBClusters", "ModifyDBCluster", "DeleteDBCluster", "FailoverDBCluster", "CreateDBInstance")
def a_new_cluster_does_not_show_at_once(request: Request, proceed: Next) -> Reply:
    """A new cluster is missing for 2 s, and once more after it has shown."""
    hidden = {name for name, cluster in request.backend("rds").clusters.items() if is_hidden(request, cluster)}
    if request.params.get("DBClusterIdentifier") in hidden:
        raise ServiceError("DBClusterNotFoundFault", f"DBCluster {request.params['DBClusterIdentifier']} not found.")
    reply = proceed()
    if request.operation == "DescribeDBClusters":
        reply["DBClusters"] = [shown for shown in reply["DBClusters"] if shown["DBClusterIdentifier"] not in hidden]
    return reply


@timing("CreateDBCluster", "RestoreDBClusterFromSnapshot")
def a_cluster_is_made_in_minutes(request: Request, proceed: Next) -> Reply:
    """A cluster is ``creating`` for three minutes; its end may be scripted, and an event says why."""
    reply = proceed()
    cluster, end = cluster_of(request), request.simulation.next_outcome("rds.cluster") or AVAILABLE
    mark_created(request, cluster)
    enter_states(request, cluster, (lifecycle.CLUSTER_CREATING_S, "creating"), end=end)
    record_event(request, "db-cluster", cluster.resource_id, TERMINAL_STATES.get(end, "DB cluster created"))
    return reply


@timing("ModifyDBCluster", "FailoverDBCluster")
def a_cluster_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Changes are refused while another goes on, and before the cluster is available."""
    cluster = cluster_of(request)
    status = status_of(request, cluster)
    if status != AVAILABLE:
        raise busy_error(_BUSY, cluster, status)
    return proceed()


@timing("ModifyDBCluster")
def a_change_of_a_cluster_takes_its_time(request: Request, proceed: Next) -> Reply:
    """The status lags, then is ``modifying`` or ``upgrading``; a change deferred to the window changes no status."""
    cluster = cluster_of(request)
    have = cluster.engine_version
    with pending_change(request, cluster, "DBCluster", DBClusterIdentifier=cluster.resource_id) as old:
        reply = proceed()
        _enter_change_states(request, cluster, have, cluster.engine_version)
    if not old:
        # Nothing has changed yet: the cluster keeps its state.
        enter_states(request, cluster)
    elif "Port" in old:
        _take_members_along(request, cluster, lifecycle.INSTANCE_REBOOTING_S, "rebooting")
    return reply


def _enter_change_states(request: Request, cluster: Any, have: str, want: str) -> None:
    takes, status = lifecycle.CLUSTER_MODIFYING_S, "modifying"
    end = request.simulation.next_outcome("rds.cluster.change") or AVAILABLE
    if have != want:
        major = family_of(have) != family_of(want)
        takes, status = lifecycle.UPGRADE_MAJOR_S if major else lifecycle.UPGRADE_MINOR_S, "upgrading"
        _take_members_along(request, cluster, takes, status)
    enter_states(request, cluster, (lifecycle.STATUS_LAGS_S + takes, status), lag_s=lifecycle.STATUS_LAGS_S, end=end)
    if end in TERMINAL_STATES:
        record_event(request, "db-cluster", cluster.resource_id, TERMINAL_STATES[end])


def _take_members_along(request: Request, cluster: Any, takes: float, status: str) -> None:
    for member in cluster.members:
        if not is_deleting(member):
            enter_states(request, member, (lifecycle.STATUS_LAGS_S + takes, status), lag_s=lifecycle.STATUS_LAGS_S)


@timing("FailoverDBCluster")
def a_failover_takes_its_time(request: Request, proceed: Next) -> Reply:
    """A failover goes to a reader that is available."""
    cluster, target = cluster_of(request), request.params.get("TargetDBInstanceIdentifier", "")
    member = request.backend("rds").databases.get(target)
    if member is not None and status_of(request, member) != AVAILABLE:
        raise busy_error("InvalidDBInstanceState", member, status_of(request, member))
    if member is not None and member is cluster.writer:
        # Not in the API reference, which only says that the target has to be a reader.
        raise ServiceError(_BUSY, f"DB instance {target} is the writer of {cluster.resource_id} already.")
    before = cluster.writer
    reply = proceed()
    takes = lifecycle.STATUS_LAGS_S + lifecycle.CLUSTER_FAILING_OVER_S
    # The new writer shows only at the end of the failover.
    notes_on(cluster)["writer_was"] = (request.simulation.now() + takes, before.resource_id)
    enter_states(request, cluster, (takes, "failing-over"), lag_s=lifecycle.STATUS_LAGS_S)
    writer = cluster.writer.resource_id
    record_event(request, "db-cluster", cluster.resource_id, f"Completed failover to DB instance: {writer}")
    return reply


# -- deletion --------------------------------------------------------------------------------------------------------


@timing("DeleteDBCluster")
def a_cluster_goes_after_its_members(request: Request, proceed: Next) -> Reply:
    """Deletion is accepted once every member is being deleted; the cluster stays until they are gone."""
    cluster = cluster_of(request)
    going = [member for member in cluster.members if is_deleting(member)]
    last = max((notes_on(member)["gone_at"] for member in going), default=request.simulation.now())
    if len(going) < len(cluster.members) and not cluster.deletion_protection:
        raise ServiceError(_BUSY, "Cluster cannot be deleted, it still contains DB instances in non-deleting state.")
    with _set_aside(request.backend("rds").databases, [member.resource_id for member in going]):
        reply = proceed()
    request.backend("rds").clusters[cluster.resource_id] = cluster
    start_deleting(request, cluster, last - request.simulation.now() + lifecycle.CLUSTER_GOES_S)
    return reply


@timing("DeleteDBCluster")
def a_busy_cluster_is_not_deleted(request: Request, proceed: Next) -> Reply:
    """A busy cluster is not deleted, nor one that is being deleted already."""
    cluster = cluster_of(request)
    status = status_of(request, cluster)
    if status not in (AVAILABLE, *TERMINAL_STATES):
        raise ServiceError(_BUSY, f"DB cluster {cluster.resource_id} is not currently in the available state: {status}")
    return proceed()


@contextmanager
def _set_aside(members: Any, names: list[str]) -> Iterator[None]:
    """Hide members from moto, which refuses to delete a cluster that has some, whatever their state."""
    aside = {name: members.pop(name) for name in names}
    try:
        yield
    finally:
        members.update(aside)


@timing("DeleteDBCluster")
def a_final_snapshot_takes_minutes(request: Request, proceed: Next) -> Reply:
    """A final snapshot is ``creating`` for four minutes, longer than the cluster may be there."""
    reply = proceed()
    snapshot = request.backend("rds").cluster_snapshots.get(request.params.get("FinalDBSnapshotIdentifier", ""))
    if snapshot is not None:
        end = request.simulation.next_outcome("rds.snapshot") or AVAILABLE
        enter_states(request, snapshot, (lifecycle.SNAPSHOT_S, "creating"), end=end)
    return reply


@timing("CreateDBClusterSnapshot", "DeleteDBCluster")
def a_snapshot_in_the_making_holds_its_cluster(request: Request, proceed: Next) -> Reply:
    """A cluster is not deleted while a snapshot of it is ``creating`` (DeleteDBCluster)."""
    snapshots = request.backend("rds").cluster_snapshots
    if request.operation == "CreateDBClusterSnapshot":
        reply = proceed()
        made = snapshots[request.params["DBClusterSnapshotIdentifier"]]
        enter_states(request, made, (lifecycle.SNAPSHOT_S, "creating"))
        return reply
    name = cluster_of(request).resource_id
    for snapshot in snapshots.values():
        if snapshot.db_cluster_identifier == name and status_of(request, snapshot) == "creating":
            raise ServiceError(
                "InvalidDBClusterSnapshotStateFault", f"A snapshot of {name} is not in a valid state: creating"
            )
    return proceed()


@timing("DescribeDBClusterSnapshots")
def a_snapshot_shows_its_state(request: Request, proceed: Next) -> Reply:
    """A snapshot has no progress before it is available."""
    reply = proceed()
    for snapshot in reply["DBClusterSnapshots"]:
        status = status_of(request, request.backend("rds").cluster_snapshots[snapshot["DBClusterSnapshotIdentifier"]])
        snapshot.update(Status=status, PercentProgress=100 if status == AVAILABLE else 0)
    return reply


# -- the master user's secret ----------------------------------------------------------------------------------------


_READY_S: Final = (
    lifecycle.INSTANCE_CREATING_S
    + lifecycle.INSTANCE_CONFIGURING_S
    + lifecycle.INSTANCE_BACKING_UP_S
    + lifecycle.SECRET_READY_S
)


@secret_timing("CreateDBInstance")
def a_secret_is_ready_after_the_first_instance(request: Request, proceed: Next) -> Reply:
    """The secret is ready some time after the first instance, in which RDS sets the password."""
    reply = proceed()
    cluster = request.backend("rds").clusters.get(request.params.get("DBClusterIdentifier", ""))
    if cluster is not None:
        ready = request.simulation.now() + _READY_S
        notes_on(cluster).setdefault("secret_ready_at", ready)
        notes_on(cluster).setdefault("secret_end", request.simulation.next_outcome("rds.secret"))
    return reply


@secret_timing("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters")
def a_secret_shows_its_state(request: Request, proceed: Next) -> Reply:
    """A secret is ``creating``, ``active``, ``rotating``, or ``impaired`` if scripted."""
    reply = proceed()
    for shown in reply.get("DBClusters", [reply.get("DBCluster")]):
        if "MasterUserSecret" in shown:
            cluster = request.backend("rds").clusters[shown["DBClusterIdentifier"]]
            shown["MasterUserSecret"]["SecretStatus"] = _secret_status(request, cluster)
    return reply


@secret_timing("ModifyDBCluster")
def a_secret_that_is_wanted_later_is_ready_later(request: Request, proceed: Next) -> Reply:
    """A cluster with members that had no managed secret, such as a restored one, has one some time after the change."""
    cluster = cluster_of(request)
    before = cluster.manage_master_user_password
    reply = proceed()
    if cluster.manage_master_user_password and not before and cluster.members:
        ready = request.simulation.now() + lifecycle.SECRET_READY_S
        notes_on(cluster)["secret_ready_at"] = max(ready, notes_on(cluster)["secret_ready_at"])
    return reply


def _secret_status(request: Request, cluster: Any) -> str:
    notes, now = notes_on(cluster), request.simulation.now()
    if now < notes.get("secret_ready_at", -math.inf if cluster.members else math.inf):
        return "creating"
    if now < notes.get("rotating_until", -math.inf):
        return "rotating"
    return str(notes.get("secret_end") or "active")


@rotation_timing("RotateSecret")
def a_secret_is_not_rotated_while_it_changes(request: Request, proceed: Next) -> Reply:
    """A rotation waits for the secret to be active; it takes 40 s, in which the cluster is busy."""
    secret = owned_secret(request)
    if secret is None:
        return proceed()
    cluster = notes_on(secret)["cluster"]
    if _secret_status(request, cluster) in ("creating", "rotating"):
        raise ServiceError(
            "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted."
        )
    reply = proceed()
    if request.params.get("RotateImmediately", True):
        notes_on(cluster)["rotating_until"] = request.simulation.now() + lifecycle.ROTATION_S
        enter_states(
            request, cluster, (lifecycle.ROTATION_S, "resetting-master-credentials"), lag_s=lifecycle.STATUS_LAGS_S
        )
    return reply
