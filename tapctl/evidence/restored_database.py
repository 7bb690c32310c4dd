"""The database in a snapshot: AWS does not tell its name, and no restore changes it; a kept record may tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.manifest.manifest import TIME_FORMAT
from tapctl.reconcilers.db_cluster_snapshots import cluster_in_name


def database_in(snapshot: Mapping[str, Any], address: str, kept: EarlierVersions) -> tuple[str, str]:
    """Tell the name of the database in this snapshot of the cluster at this address, and by which record.

    By the record that has the very cluster: a copy of a snapshot has the time of its copying, and several clusters may
    have borne the name. By the time of the snapshot where AWS does not tell its cluster. Both are empty where no record
    tells it.
    """
    resource_id = snapshot.get("DbClusterResourceId") or cluster_in_name(
        snapshot.get("DBClusterSnapshotIdentifier", "")
    )
    if resource_id:
        told, how = kept.made_as(address, "resource_id", resource_id), "the record of its cluster"
    else:
        taken = snapshot.get("SnapshotCreateTime", datetime.now(UTC)).astimezone(UTC).strftime(TIME_FORMAT)
        told, how = kept.made_at(address, taken), "the record of that time"
    name = str((told[0].confirmed_spec or {}).get("database_name", "")) if told is not None else ""
    return (name, f"{how} ({told[1].stamp})") if told is not None and name else ("", "")
