"""Clusters that somebody stops for a while: neither changed nor removed until they were started again.

From the Aurora user guide ("Stopping and starting an Amazon Aurora DB cluster") and the RDS API reference; the words of
the refusals are those in hashicorp/terraform-provider-aws issue 28262 and aws-solutions/instance-scheduler-on-aws
issue 249. That AWS starts a cluster by itself after seven days is left out: no test waits so long.
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.lifecycle import AVAILABLE, busy, enter_states, record_event, status_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError

contract = Rules("rds")
timing = Rules("rds")

_BUSY: Final = "InvalidDBClusterStateFault"
_STOPPED: Final = "stopped"
_AT_REST: Final = ("stopping", _STOPPED, "starting")


def _expect(request: Request, cluster: Any, status: str) -> None:
    found = status_of(request, cluster)
    if found != status:
        name = cluster.resource_id
        raise ServiceError(_BUSY, f"DbCluster {name} is in {found} state but expected it to be one of {status}.")


def _go(request: Request, cluster: Any, seconds: float, status: str, end: str) -> Reply:
    """The cluster and all its members."""
    for one in (cluster, *cluster.members):
        enter_states(request, one, (lifecycle.STATUS_LAGS_S + seconds, status), end=end, lag_s=lifecycle.STATUS_LAGS_S)
    record_event(
        request, "db-cluster", cluster.resource_id, f"DB cluster {'stopped' if end == _STOPPED else 'started'}"
    )
    return {}


@contract("StopDBCluster")
def a_cluster_stops_with_its_members(request: Request, _: Next) -> Reply:
    """In minutes, where all of them are available; moto has no word for it with the members."""
    cluster = cluster_of(request)
    _expect(request, cluster, AVAILABLE)
    for one in cluster.members:
        if status_of(request, one) != AVAILABLE:
            raise busy("InvalidDBInstanceState", one, status_of(request, one))
    return _go(request, cluster, lifecycle.CLUSTER_STOPPING_S, "stopping", _STOPPED)


@contract("StartDBCluster")
def a_stopped_cluster_starts_with_its_members(request: Request, _: Next) -> Reply:
    """In minutes."""
    cluster = cluster_of(request)
    _expect(request, cluster, _STOPPED)
    return _go(request, cluster, lifecycle.CLUSTER_STARTING_S, "starting", AVAILABLE)


@timing("DeleteDBInstance", "DeleteDBCluster")
def what_is_stopped_is_not_deleted(request: Request, proceed: Next) -> Reply:
    """Neither the cluster nor one of its members, whose refusal is the cluster's too."""
    rds = request.backend("rds")
    member = rds.databases.get(request.params.get("DBInstanceIdentifier", ""))
    name = request.params.get("DBClusterIdentifier") or getattr(member, "db_cluster_identifier", None)
    cluster = rds.clusters.get(name or "")
    if cluster is not None and status_of(request, cluster) in _AT_REST:
        raise ServiceError(_BUSY, f"Db cluster {cluster.resource_id} is in {status_of(request, cluster)} state")
    return proceed()


@timing("StopDBInstance", "StartDBInstance")
def a_member_does_not_stop_by_itself(request: Request, proceed: Next) -> Reply:
    """Only its whole cluster does."""
    member = request.backend("rds").databases.get(request.params["DBInstanceIdentifier"])
    if member is not None and member.db_cluster_identifier:
        text = f"{member.engine} DB instances are not eligible for stopping and starting."
        raise ServiceError("InvalidParameterCombination", text)
    return proceed()
