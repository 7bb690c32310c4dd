"""What tapctl owns on an Aurora cluster, and how AWS's answer is read into it.

Facts are from the RDS API reference (DBCluster, ClusterPendingModifiedValues), the Aurora user guide ("Viewing DB
cluster status") and aws-cloudformation-resource-providers-rds for what comes back in another form than it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from tapctl.engine.model import AT_LEAST_MINOR, Observed, Outputs, Owner, Pending, Spec, address
from tapctl.reconcilers.rds import tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

NO_EXTENDED_SUPPORT: Final = "open-source-rds-extended-support-disabled"
EXTENDED_SUPPORT: Final = "open-source-rds-extended-support"

FOR: Final = " for "

STOPPED: Final = "stopped"
_GOING: Final = frozenset({"deleting", "deleted"})
_TERMINAL: Final = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-parameters",
        "incompatible-restore",
        "migration-failed",
        "restore-failed",
        # Nothing is wrong with it, but nothing will happen to it either until somebody starts it.
        STOPPED,
    }
)
_MOVING: Final = frozenset({"adding", "removing"})
# What is accepted for later → the field it is accepted for.
_PENDING: Final = {
    "EngineVersion": "engine_version",
    "IAMDatabaseAuthenticationEnabled": "iam_authentication",
    "BackupRetentionPeriod": "backup_retention_days",
    "StorageType": "storage_type",
}


class DbClusterSpec(Spec):
    """What tapctl owns on a cluster. No password: RDS makes it, keeps it and rotates it.

    Not owned: the scaling of Aurora Serverless. It means nothing to members of another class than ``db.serverless``,
    and a cluster that was given one never loses it (ModifyDBCluster), so that there is no undoing it.
    """

    engine: str
    engine_version: Annotated[str, AT_LEAST_MINOR]
    database_name: str
    master_username: str
    port: int
    subnet_group: str
    cluster_parameter_group: str
    security_group_ids: frozenset[str]
    kms_key_arn: str
    storage_encrypted: bool = True
    storage_type: str = "aurora"
    """``aurora`` or ``aurora-iopt1``."""
    managed_secret: bool = True
    """Whether RDS manages the master user's password in Secrets Manager. Never wanted otherwise."""
    secret_kms_key_arn: str
    iam_authentication: bool = True
    backup_retention_days: int
    backup_window: str
    """``hh:mm-hh:mm`` in UTC."""
    maintenance_window: str
    """``ddd:hh:mm-ddd:hh:mm`` in UTC, in lower case."""
    log_exports: frozenset[str] = frozenset({"postgresql"})
    copy_tags_to_snapshot: bool = True
    insights_mode: str = "standard"
    """Of Database Insights: ``standard`` or ``advanced``, which needs 465 days of Performance Insights."""
    performance_insights: bool = True
    performance_insights_kms_key_arn: str
    """Empty where Performance Insights is off."""
    performance_insights_retention_days: int = 7
    """0 where Performance Insights is off."""
    deletion_protection: bool
    extended_support: bool = False
    http_endpoint: bool = False
    """Whether the Data API answers for it: SQL by IAM, past its security groups. Never wanted."""
    associated_roles: frozenset[str] = frozenset()
    """ARNs of the roles that it may take to reach other services, each with `FOR` and its feature where it has one.
    Wanted: none."""
    tags: dict[str, str]


class DbClusterOutputs(Outputs):
    """What is known once the create is accepted, minutes before the cluster can be used."""

    arn: str
    resource_id: str
    endpoint: str
    reader_endpoint: str
    secret_arn: str


def observed_cluster(
    cluster: DBClusterTypeDef, expected: DbClusterSpec | None, reason: str
) -> Observed[DbClusterSpec, DbClusterOutputs]:
    """DescribeDBClusters' answer; ``reason`` is what RDS last told of it, where it is asked for."""
    # Read as a plain mapping: several fields are there only while they mean something.
    found: Mapping[str, Any] = cluster
    status = found.get("Status", "")
    groups = found.get("VpcSecurityGroups", ())
    accepted, pending = _accepted(found)
    tags = tags_of(found.get("TagList", ()))
    return Observed(
        DbClusterSpec.model_validate(
            {**_settings(found, expected), **_support(found, expected), **accepted, "tags": tags}
        ),
        _outputs(found),
        settled=status == "available" and not any(one.get("Status") in _MOVING for one in groups),
        deleting=status in _GOING,
        failure=f"{status}: {reason}" if reason else status if is_terminal(cluster) else None,
        status=status,
        owner=Owner.of(tags),
        pending=pending,
        members=frozenset(
            address("db-instance", member["DBInstanceIdentifier"]) for member in found.get("DBClusterMembers", ())
        ),
    )


def is_terminal(cluster: DBClusterTypeDef) -> bool:
    """Whether nothing more will happen to it by itself."""
    return cluster.get("Status") in _TERMINAL


def _settings(found: Mapping[str, Any], expected: DbClusterSpec | None) -> dict[str, Any]:
    insights = found.get("PerformanceInsightsEnabled", False)
    groups = found.get("VpcSecurityGroups", ())
    return {
        "engine": found.get("Engine", ""),
        "engine_version": found.get("EngineVersion", ""),
        # RDS may leave it out (terraform-provider-aws, rds/cluster.go); nothing can change it.
        "database_name": found.get("DatabaseName") or (expected.database_name if expected else ""),
        "master_username": found.get("MasterUsername", ""),
        "port": found.get("Port", 0),
        "subnet_group": found.get("DBSubnetGroup", ""),
        "cluster_parameter_group": found.get("DBClusterParameterGroup", ""),
        "security_group_ids": frozenset(
            one.get("VpcSecurityGroupId", "") for one in groups if one.get("Status") != "removing"
        ),
        "kms_key_arn": found.get("KmsKeyId", "") if found.get("StorageEncrypted") else "",
        "storage_encrypted": found.get("StorageEncrypted", False),
        # Of the two it is the default that is left out.
        "storage_type": found.get("StorageType") or "aurora",
        "iam_authentication": found.get("IAMDatabaseAuthenticationEnabled", False),
        "backup_retention_days": found.get("BackupRetentionPeriod", 0),
        "backup_window": found.get("PreferredBackupWindow", ""),
        "maintenance_window": found.get("PreferredMaintenanceWindow", ""),
        "log_exports": frozenset(found.get("EnabledCloudwatchLogsExports", ())),
        "copy_tags_to_snapshot": found.get("CopyTagsToSnapshot", False),
        "insights_mode": found.get("DatabaseInsightsMode", "standard"),
        "performance_insights": insights,
        "performance_insights_kms_key_arn": found.get("PerformanceInsightsKMSKeyId", "") if insights else "",
        "performance_insights_retention_days": found.get("PerformanceInsightsRetentionPeriod", 0) if insights else 0,
        "deletion_protection": found.get("DeletionProtection", False),
        "http_endpoint": found.get("HttpEndpointEnabled", False),
        "associated_roles": frozenset(
            FOR.join(filter(None, (one["RoleArn"], one.get("FeatureName")))) for one in found.get("AssociatedRoles", ())
        ),
    }


def _support(found: Mapping[str, Any], expected: DbClusterSpec | None) -> dict[str, Any]:
    """What a cluster in the making may not tell yet, and what could only be replaced: taken for what is wanted."""
    making = expected if found.get("Status") == "creating" else None
    # CreateDBCluster: Extended Support is on unless it was declined.
    support = found.get("EngineLifecycleSupport")
    extended = support != NO_EXTENDED_SUPPORT
    secret = found.get("MasterUserSecret", {"SecretStatus": "creating"})
    managed = "MasterUserSecret" in found
    # A secret that is not there has no key that could be the wrong one; it will be the cluster's.
    key = found.get("KmsKeyId", "") if secret.get("SecretStatus") == "creating" else ""
    return {
        "extended_support": making.extended_support if making and support is None else extended,
        "managed_secret": making.managed_secret if making and not managed else managed,
        "secret_kms_key_arn": secret.get("KmsKeyId", key),
    }


def _accepted(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Pending]]:
    """What RDS has accepted and not put into force: it counts as it will be, and is told as pending."""
    values = found.get("PendingModifiedValues") or {}
    # At work on it now, or put off until then.
    until = found.get("PreferredMaintenanceWindow", "") if found.get("Status") == "available" else "AWS is done"
    accepted = {field: values[name] for name, field in _PENDING.items() if name in values}
    pending = {
        field: Pending(until, f"now {found.get(name, 'aurora')}") for name, field in _PENDING.items() if name in values
    }
    logs = values.get("PendingCloudwatchLogsExports")
    if logs:
        now = frozenset(found.get("EnabledCloudwatchLogsExports", ()))
        coming, leaving = logs.get("LogTypesToEnable", ()), logs.get("LogTypesToDisable", ())
        accepted["log_exports"] = (now | frozenset(coming)) - frozenset(leaving)
        pending["log_exports"] = Pending(until, f"now {', '.join(sorted(now)) or 'none'}")
    return accepted, pending


def _outputs(found: Mapping[str, Any]) -> DbClusterOutputs | None:
    told = {
        "arn": found.get("DBClusterArn"),
        "resource_id": found.get("DbClusterResourceId"),
        "endpoint": found.get("Endpoint"),
        "reader_endpoint": found.get("ReaderEndpoint"),
        "secret_arn": found.get("MasterUserSecret", {}).get("SecretArn"),
    }
    return DbClusterOutputs.model_validate(told) if all(told.values()) else None
