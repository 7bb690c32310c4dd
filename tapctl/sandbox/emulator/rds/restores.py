"""Aurora clusters from snapshots: RestoreDBClusterFromSnapshot creates a cluster, without members, that holds the data.

From the RDS API reference (RestoreDBClusterFromSnapshot): the new cluster has a default configuration but for what the
snapshot holds and the call names. A snapshot's tags and managed secret are not taken over; that an omitted version is
the snapshot's is what AWS does, though the reference speaks of the engine's default.
"""

from __future__ import annotations

import secrets
from typing import Any

from tapctl.sandbox.emulator.rds.catalog import full_version, upgrade_targets
from tapctl.sandbox.emulator.rds.lifecycle import AVAILABLE, status_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError

OPERATION = "RestoreDBClusterFromSnapshot"
contract, creation, timing = Rules("rds"), Rules("rds"), Rules("rds")


def _snapshot_of(request: Request) -> Any:
    """Return the snapshot that a request names by its identifier or ARN, as moto's object.

    Raises:
        ServiceError: there is none.
    """
    name = request.params["SnapshotIdentifier"]
    snapshots = request.backend("rds").cluster_snapshots.values()
    known = (snapshot for snapshot in snapshots if name.lower() in (snapshot.resource_id, snapshot.arn.lower()))
    snapshot = next(known, None)
    if snapshot is None:
        raise ServiceError("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {name} not found.")
    return snapshot


@contract(OPERATION)
def a_restored_cluster_is_its_snapshots(request: Request, proceed: Next) -> Reply:
    """Database, master user, version, port, backup retention and encryption are the snapshot's."""
    snapshot, params = _snapshot_of(request), request.params
    if params["Engine"] != snapshot.engine:
        raise ServiceError(
            "InvalidParameterCombination", f"A snapshot of {snapshot.engine} cannot be restored as {params['Engine']}."
        )
    version = full_version(params.setdefault("EngineVersion", snapshot.engine_version))
    if version not in (snapshot.engine_version, *upgrade_targets(snapshot.engine_version)):
        raise ServiceError(
            "InvalidParameterCombination", f"Cannot find upgrade path from {snapshot.engine_version} to {version}."
        )
    params.setdefault("Port", snapshot.port)
    params.setdefault("BackupRetentionPeriod", snapshot.cluster.backup_retention_period)
    if snapshot.cluster.database_name:
        params.setdefault("DatabaseName", snapshot.cluster.database_name)
    if snapshot.encrypted:
        params.setdefault("KmsKeyId", snapshot.kms_key_id)
    return proceed()


@creation(OPERATION)
def a_restore_is_a_creation(request: Request, _: Next) -> Reply:
    """A cluster is created with the snapshot's master user and a password that nobody is told; moto would fail."""
    params = {**request.params}
    snapshot = _snapshot_of(request)
    del params["SnapshotIdentifier"]
    own = {"MasterUsername": snapshot.master_username, "MasterUserPassword": secrets.token_urlsafe(24)}
    return request.call("CreateDBCluster", **params, **own, StorageEncrypted="KmsKeyId" in params)


@timing(OPERATION)
def a_snapshot_is_whole_before_it_is_restored(request: Request, proceed: Next) -> Reply:
    """A snapshot that is not available is not restored."""
    snapshot = _snapshot_of(request)
    status = status_of(request, snapshot)
    if status != AVAILABLE:
        raise ServiceError(
            "InvalidDBClusterSnapshotStateFault",
            f"The DB cluster snapshot {snapshot.resource_id} is not available: {status}",
        )
    return proceed()
