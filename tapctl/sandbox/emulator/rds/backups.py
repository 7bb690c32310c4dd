"""Automated backups: one for each living cluster, and those that are retained when their cluster is deleted.

Source: RDS API reference, DescribeDBClusterAutomatedBackups and DeleteDBCluster (DeleteAutomatedBackups).
"""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("rds")


@contract("DescribeDBClusterAutomatedBackups")
def clusters_have_automated_backups(request: Request, proceed: Next) -> Reply:  # noqa: ARG001 -- moto has no answer
    """A living cluster has an active backup, a deleted one may have a retained one."""
    rds = request.backend("rds")
    living = [_backup(cluster, "active") for cluster in rds.clusters.values()]
    return {"DBClusterAutomatedBackups": [*living, *_retained(request)]}


@contract("DeleteDBCluster")
def automated_backups_may_be_retained(request: Request, proceed: Next) -> Reply:
    """The automated backups go with their cluster, unless the deletion says that they stay."""
    cluster = request.backend("rds").clusters.get(request.params["DBClusterIdentifier"])
    reply = proceed()
    if request.params.get("DeleteAutomatedBackups") is False:
        _retained(request).append(_backup(cluster, "retained"))
    return reply


@contract("DescribeDBClusterSnapshots")
def snapshots_tell_the_cluster_that_they_are_of(request: Request, proceed: Next) -> Reply:
    """DbClusterResourceId tells apart clusters that had one name after another; moto leaves it out."""
    reply = proceed()
    snapshots = request.backend("rds").cluster_snapshots
    for shown in reply["DBClusterSnapshots"]:
        cluster = snapshots[shown["DBClusterSnapshotIdentifier"]].cluster
        shown["DbClusterResourceId"] = cluster.db_cluster_resource_id
    return reply


def _retained(request: Request) -> list[dict[str, Any]]:
    backups: list[dict[str, Any]] = notes_on(request.backend("rds")).setdefault("retained_backups", [])
    return backups


def _backup(cluster: Any, status: str) -> dict[str, Any]:
    key = {"KmsKeyId": cluster.kms_key_id} if cluster.kms_key_id else {}
    return {"DBClusterIdentifier": cluster.db_cluster_identifier, "Status": status, **key}
