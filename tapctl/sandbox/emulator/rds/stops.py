"""Clusters that stand still, stopped or without their key: nothing is done with them until they were started again.

From the Aurora user guide ("Stopping and starting an Amazon Aurora DB cluster") and the RDS API reference; the words of
the refusals are those in hashicorp/terraform-provider-aws issue 28262 and aws-solutions/instance-scheduler-on-aws
issue 249. That AWS starts a cluster by itself after seven days is left out: no test waits so long.
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.lifecycle import AVAILABLE, busy_error, enter_states, record_event, status_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError

contract = Rules("rds")
timing = Rules("rds")

_BUSY: Final = "InvalidDBClusterStateFault"
_STOPPED: Final = "stopped"
_RECOVERABLE: Final = "inaccessible-encryption-credentials-recoverable"
_AT_REST: Final = ("stopping", _STOPPED, "starting")


def _require_state(request: Request, cluster: Any, *statuses: str) -> None:
    present = status_of(request, cluster)
    if present not in statuses:
        name, expected = cluster.resource_id, ", ".join(statuses)
        raise ServiceError(_BUSY, f"DbCluster {name} is in {present} state but expected it to be one of {expected}.")


def _has_its_key(request: Request, cluster: Any) -> bool:
    key = key_of(request, cluster.kms_key_id) if cluster.kms_key_id else None
    return key is None or key.key_state == "Enabled"


def _move_with_members(request: Request, cluster: Any, seconds: float, status: str, end: str) -> Reply:
    """Move a cluster and all its members to another state."""
    for resource in (cluster, *cluster.members):
        enter_states(
            request, resource, (lifecycle.STATUS_LAGS_S + seconds, status), end=end, lag_s=lifecycle.STATUS_LAGS_S
        )
    record_event(
        request, "db-cluster", cluster.resource_id, f"DB cluster {'stopped' if end == _STOPPED else 'started'}"
    )
    return {}


@contract("StopDBCluster")
def a_cluster_stops_with_its_members(request: Request, _: Next) -> Reply:
    """A cluster stops in minutes if all its members are available; moto leaves the members alone."""
    cluster = cluster_of(request)
    _require_state(request, cluster, AVAILABLE)
    for member in cluster.members:
        if status_of(request, member) != AVAILABLE:
            raise busy_error("InvalidDBInstanceState", member, status_of(request, member))
    return _move_with_members(request, cluster, lifecycle.CLUSTER_STOPPING_S, "stopping", _STOPPED)


@contract("StartDBCluster")
def a_cluster_starts_with_its_key_alone(request: Request, proceed: Next) -> Reply:
    """A cluster whose key is not enabled does not start (StartDBCluster)."""
    cluster = cluster_of(request)
    if not _has_its_key(request, cluster):
        raise ServiceError("KMSKeyNotAccessibleFault", f"The KMS key {cluster.kms_key_id} can't be accessed.")
    return proceed()


@contract("StartDBCluster")
def a_stopped_cluster_starts_with_its_members(request: Request, _: Next) -> Reply:
    """A stopped cluster starts in minutes, with its members; so does one that was without its key for a while."""
    cluster = cluster_of(request)
    _require_state(request, cluster, _STOPPED, _RECOVERABLE)
    return _move_with_members(request, cluster, lifecycle.CLUSTER_STARTING_S, "starting", AVAILABLE)


@timing("DescribeDBClusters", "DescribeDBInstances")
def a_cluster_that_lost_its_key_stands_still(request: Request, proceed: Next) -> Reply:
    """Once RDS looks for a key that is not enabled (script ``rds.key``), its cluster and members are out of reach.

    The key alone does not bring them back: they are started then (re:Post, "RDS instance or Aurora cluster in an
    inaccessible encryption state"). That nobody can start them after seven days is left out.
    """
    for cluster in request.backend("rds").clusters.values():
        runs = status_of(request, cluster) == AVAILABLE
        if runs and not _has_its_key(request, cluster) and request.simulation.next_outcome("rds.key"):
            for each in (cluster, *cluster.members):
                enter_states(request, each, end=_RECOVERABLE)
            record_event(request, "db-cluster", cluster.resource_id, "Amazon RDS can't access the KMS encryption key.")
    return proceed()


@timing("DeleteDBInstance", "DeleteDBCluster")
def what_is_stopped_is_not_deleted(request: Request, proceed: Next) -> Reply:
    """A stopped cluster and its members are not deleted; the refusal is the cluster's in both cases."""
    rds = request.backend("rds")
    member = rds.databases.get(request.params.get("DBInstanceIdentifier", ""))
    name = request.params.get("DBClusterIdentifier") or getattr(member, "db_cluster_identifier", None)
    cluster = rds.clusters.get(name or "")
    if cluster is not None and status_of(request, cluster) in _AT_REST:
        raise ServiceError(_BUSY, f"Db cluster {cluster.resource_id} is in {status_of(request, cluster)} state")
    return proceed()


@timing("StopDBInstance", "StartDBInstance")
def a_member_does_not_stop_by_itself(request: Request, proceed: Next) -> Reply:
    """Members are stopped and started only with their cluster."""
    member = request.backend("rds").databases.get(request.params["DBInstanceIdentifier"])
    if member is not None and member.db_cluster_identifier:
        text = f"{member.engine} DB instances are not eligible for stopping and starting."
        raise ServiceError("InvalidParameterCombination", text)
    return proceed()
