"""What CreateDBCluster and ModifyDBCluster are asked.

Facts are from the RDS API reference of both, and the Aurora user guide ("Modifying an Amazon Aurora DB cluster",
"Performing a major version upgrade").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import SUFFIX_TAG
from tapctl.names import Names
from tapctl.reconcilers.db_cluster_sight import EXTENDED_SUPPORT, NO_EXTENDED_SUPPORT, DbClusterSpec

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import TagTypeDef

_INSIGHTS: Final = frozenset(
    {
        "insights_mode",
        "performance_insights",
        "performance_insights_kms_key_arn",
        "performance_insights_retention_days",
    }
)
# What both calls take under one name.
_PARAMETERS: Final[Mapping[str, tuple[str, Callable[[DbClusterSpec], Any]]]] = {
    "port": ("Port", lambda want: want.port),
    "cluster_parameter_group": ("DBClusterParameterGroupName", lambda want: want.cluster_parameter_group),
    "security_group_ids": ("VpcSecurityGroupIds", lambda want: sorted(want.security_group_ids)),
    "storage_type": ("StorageType", lambda want: want.storage_type),
    "iam_authentication": ("EnableIAMDatabaseAuthentication", lambda want: want.iam_authentication),
    "backup_retention_days": ("BackupRetentionPeriod", lambda want: want.backup_retention_days),
    "backup_window": ("PreferredBackupWindow", lambda want: want.backup_window),
    "maintenance_window": ("PreferredMaintenanceWindow", lambda want: want.maintenance_window),
    "copy_tags_to_snapshot": ("CopyTagsToSnapshot", lambda want: want.copy_tags_to_snapshot),
    "deletion_protection": ("DeletionProtection", lambda want: want.deletion_protection),
}
_CHANGEABLE: Final = _PARAMETERS.keys() | _INSIGHTS | {"log_exports", "managed_secret"}


def creation(id: str, want: DbClusterSpec, tags: list[TagTypeDef]) -> dict[str, Any]:
    """All of the cluster in one call, its password left to RDS."""
    assert want.managed_secret, "tapctl holds no passwords: RDS manages the master user's"
    return {
        "DBClusterIdentifier": id,
        "Engine": want.engine,
        "EngineVersion": want.engine_version,
        "DatabaseName": want.database_name,
        "MasterUsername": want.master_username,
        "DBSubnetGroupName": want.subnet_group,
        "StorageEncrypted": want.storage_encrypted,
        **({"KmsKeyId": want.kms_key_arn} if want.kms_key_arn else {}),
        "EnableCloudwatchLogsExports": sorted(want.log_exports),
        "EngineLifecycleSupport": EXTENDED_SUPPORT if want.extended_support else NO_EXTENDED_SUPPORT,
        **{name: value(want) for name, value in _PARAMETERS.values()},
        **_managed(want),
        **_insights(want),
        "Tags": tags,
    }


def modification(have: DbClusterSpec, want: DbClusterSpec) -> tuple[dict[str, Any], frozenset[str]]:
    """What ModifyDBCluster is to be asked, all that may go together, and the fields that are asked for by it.

    A new major version goes last and by itself, with the parameter groups of its family: a group of one family is
    refused by a cluster of another.
    """
    upgrade, major = _upgrade(have.engine_version, want.engine_version)
    changeable = _CHANGEABLE - {"cluster_parameter_group"} if major else _CHANGEABLE
    fields = frozenset(name for name in changeable if getattr(have, name) != getattr(want, name))
    if major and not fields:
        return _major_upgrade(have, want)
    asked: dict[str, Any] = {name: value(want) for field, (name, value) in _PARAMETERS.items() if field in fields}
    if "log_exports" in fields:
        asked["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(want.log_exports - have.log_exports),
            "DisableLogTypes": sorted(have.log_exports - want.log_exports),
        }
    if "managed_secret" in fields:
        asked |= _managed(want)
    # Together: of these RDS resets those that are not sent with the others (rds-controller, custom_update.go).
    if fields & _INSIGHTS:
        asked |= _insights(want)
    if upgrade and not major:
        asked["EngineVersion"] = want.engine_version
        fields |= {"engine_version"}
    return asked, fields


def _major_upgrade(have: DbClusterSpec, want: DbClusterSpec) -> tuple[dict[str, Any], frozenset[str]]:
    names = Names(want.tags[SUFFIX_TAG], account="", region="")
    asked = {
        "EngineVersion": want.engine_version,
        "AllowMajorVersionUpgrade": True,
        "DBClusterParameterGroupName": want.cluster_parameter_group,
        # The members' groups are of the old family, and RDS moves all members in this one call.
        "DBInstanceParameterGroupName": names.instance_parameter_group(int(want.engine_version.split(".")[0])),
    }
    group = {"cluster_parameter_group"} if have.cluster_parameter_group != want.cluster_parameter_group else set()
    return asked, frozenset({"engine_version", *group})


def _upgrade(have: str, want: str) -> tuple[bool, bool]:
    """Whether the version has to be asked for, and whether its major differs. A later minor than wanted stays."""
    old, new = ([int(part) for part in re.findall(r"\d+", version)] for version in (have, want))
    major = old[:1] != new[:1]
    return major or old < new, major


def _managed(want: DbClusterSpec) -> dict[str, Any]:
    key = {"MasterUserSecretKmsKeyId": want.secret_kms_key_arn} if want.secret_kms_key_arn else {}
    return {"ManageMasterUserPassword": True, **key}


def _insights(want: DbClusterSpec) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "DatabaseInsightsMode": want.insights_mode,
        "EnablePerformanceInsights": want.performance_insights,
    }
    if want.performance_insights:
        asked["PerformanceInsightsRetentionPeriod"] = want.performance_insights_retention_days
        if want.performance_insights_kms_key_arn:
            asked["PerformanceInsightsKMSKeyId"] = want.performance_insights_kms_key_arn
    return asked
