"""Restore of an Aurora cluster from a snapshot: whether one fits what is wanted, and the call that makes it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.diff import same
from tapctl.errors import AwsRefused, Refused
from tapctl.reconcilers.db_cluster_settings import PARAMETERS, DbClusterSpec
from tapctl.reconcilers.db_cluster_snapshots import NO_SNAPSHOT, snapshot_of, snapshots_of
from tapctl.reconcilers.upgrade import check_upgrade

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef

    from tapctl.aws.client import Aws

# What RestoreDBClusterFromSnapshot does not take, or takes only since lately: set by ModifyDBCluster, as are the
# managed secret and Performance Insights.
_AFTER_RESTORE: Final = frozenset({"backup_retention_days", "backup_window", "maintenance_window"})


def restoration(id: str, want: DbClusterSpec, version: str, tags: list[Any]) -> dict[str, Any]:
    """Build RestoreDBClusterFromSnapshot's parameters; ``version``: the snapshot's, which stays if it is a later minor.

    Master user and encryption are the snapshot's, but for the key. The rest is brought to what is wanted by updates.
    """
    later = same(DbClusterSpec, "engine_version", want.engine_version, version)
    return {
        "DBClusterIdentifier": id,
        "Engine": want.engine,
        "EngineVersion": version if later else want.engine_version,
        "DatabaseName": want.database_name,
        "DBSubnetGroupName": want.subnet_group,
        **({"KmsKeyId": want.kms_key_arn} if want.kms_key_arn else {}),
        "EnableCloudwatchLogsExports": sorted(want.log_exports),
        **{name: value(want) for field, (name, value) in PARAMETERS.items() if field not in _AFTER_RESTORE},
        "Tags": tags,
    }


def restore_refusal(aws: Aws, address_: str, name: str, want: DbClusterSpec) -> Refused | None:
    """Tell why the wanted cluster cannot be made from this snapshot; None if it can."""
    try:
        snapshot = snapshot_of(aws, name)
    except AwsRefused as error:
        if not error.matches(NO_SNAPSHOT):
            raise
        known = snapshots_of(aws, address_.partition("/")[2])
        return Refused(
            f"{address_}: there is no cluster snapshot {name}",
            evidence=f"snapshots of it: {', '.join(known) or 'none'}",
            hint="name one that is there: aws rds describe-db-cluster-snapshots",
        )
    version = snapshot.get("EngineVersion", "")
    if differing := misfits(snapshot, want):
        return Refused(
            f"{address_} cannot be made from {name}",
            evidence="\n".join(differing),
            hint="choose another snapshot, or change the configuration to what it holds",
        )
    if same(DbClusterSpec, "engine_version", want.engine_version, version):
        return None
    return check_upgrade(aws, want.engine, version, want.engine_version, address=address_, classes=())


def misfits(snapshot: DBClusterSnapshotTypeDef, want: DbClusterSpec) -> list[str]:
    """Tell in what a snapshot differs from the wanted cluster that no restore changes; none: it can be restored."""
    return [
        f"its {what} is {have}, wanted is {wanted}"
        for what, have, wanted in (
            ("status", snapshot.get("Status", ""), "available"),
            ("engine", snapshot.get("Engine", ""), want.engine),
            ("master user", snapshot.get("MasterUsername", ""), want.master_username),
            ("encryption", snapshot.get("StorageEncrypted", False), want.storage_encrypted),
        )
        if have != wanted
    ]
