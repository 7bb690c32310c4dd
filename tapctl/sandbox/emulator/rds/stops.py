"""Clusters that somebody stops for a while: neither changed nor removed until they were started again.

From the Aurora user guide ("Stopping and starting an Amazon Aurora DB cluster") and the RDS API reference; the words of
the refusals are those in hashicorp/terraform-provider-aws issue 28262 and aws-solutions/instance-scheduler-on-aws
issue 249. That AWS starts a cluster by itself after seven days is left out: no test waits so long.
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rds import times
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.ends import tell_event
from tapctl.sandbox.emulator.rds.lifecycle import AVAILABLE, busy, go, status_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("rds")
refusals = Rules("rds")

_BUSY: Final = "InvalidDBClusterStateFault"
_STOPPED: Final = "stopped"
_AT_REST: Final = ("stopping", _STOPPED, "starting")


def _expect(call: Call, cluster: Any, status: str) -> None:
    found = status_of(call, cluster)
    if found != status:
        name = cluster.resource_id
        raise Fault(_BUSY, f"DbCluster {name} is in {found} state but expected it to be one of {status}.")


def _go(call: Call, cluster: Any, seconds: float, status: str, end: str) -> Reply:
    """The cluster and all its members."""
    for one in (cluster, *cluster.members):
        go(call, one, (times.STATUS_LAGS_S + seconds, status), end=end, lag_s=times.STATUS_LAGS_S)
    tell_event(call, "db-cluster", cluster.resource_id, f"DB cluster {'stopped' if end == _STOPPED else 'started'}")
    return {}


@rules("StopDBCluster")
def a_cluster_stops_with_its_members(call: Call, _: Proceed) -> Reply:
    """In minutes, where all of them are available; moto has no word for it with the members."""
    cluster = cluster_of(call)
    _expect(call, cluster, AVAILABLE)
    for one in cluster.members:
        if status_of(call, one) != AVAILABLE:
            raise busy("InvalidDBInstanceState", one, status_of(call, one))
    return _go(call, cluster, times.CLUSTER_STOPPING_S, "stopping", _STOPPED)


@rules("StartDBCluster")
def a_stopped_cluster_starts_with_its_members(call: Call, _: Proceed) -> Reply:
    """In minutes."""
    cluster = cluster_of(call)
    _expect(call, cluster, _STOPPED)
    return _go(call, cluster, times.CLUSTER_STARTING_S, "starting", AVAILABLE)


@refusals("DeleteDBInstance", "DeleteDBCluster")
def what_is_stopped_is_not_deleted(call: Call, proceed: Proceed) -> Reply:
    """Neither the cluster nor one of its members, whose refusal is the cluster's too."""
    rds = call.moto("rds")
    member = rds.databases.get(call.params.get("DBInstanceIdentifier", ""))
    name = call.params.get("DBClusterIdentifier") or getattr(member, "db_cluster_identifier", None)
    cluster = rds.clusters.get(name or "")
    if cluster is not None and status_of(call, cluster) in _AT_REST:
        raise Fault(_BUSY, f"Db cluster {cluster.resource_id} is in {status_of(call, cluster)} state")
    return proceed()


@refusals("StopDBInstance", "StartDBInstance")
def a_member_does_not_stop_by_itself(call: Call, proceed: Proceed) -> Reply:
    """Only its whole cluster does."""
    member = call.moto("rds").databases.get(call.params["DBInstanceIdentifier"])
    if member is not None and member.db_cluster_identifier:
        text = f"{member.engine} DB instances are not eligible for stopping and starting."
        raise Fault("InvalidParameterCombination", text)
    return proceed()
