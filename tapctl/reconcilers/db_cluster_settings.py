"""Settings of an Aurora cluster: the fields that tapctl owns, as RDS shows them and as its calls take them.

AWS's facts are from the RDS API reference (CreateDBCluster, ModifyDBCluster, DescribeDBClusters).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from tapctl.aws.tags import as_dict
from tapctl.engine.model import AT_LEAST_MINOR, Observed, Outputs, Owner, Pending, Spec, address
from tapctl.reconcilers.exposures import with_details
from tapctl.reconcilers.rds import RECOVERABLE, put_off
from tapctl.safety.hidden_values import untold_text

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

RESOURCE_ID: Final = "cluster-[A-Z0-9]+"
"""The pattern of the id that RDS gives a cluster."""
MANAGED: Final = "secret:rds!cluster-[A-Za-z0-9-]+-[A-Za-z0-9]{6}"
"""The pattern of the end of a managed secret's ARN: of what people may choose, "!" is none (CreateSecret)."""
STOPPED: Final = "stopped"
_READY: Final = ("available", "storage-optimization")
_DELETING: Final = frozenset({"deleting", "deleted"})
TERMINAL: Final = frozenset(
    {
        "failed",
        "inaccessible-encryption-credentials",
        RECOVERABLE,
        "incompatible-network",
        "incompatible-parameters",
        "incompatible-restore",
        "migration-failed",
        "restore-failed",
        "cloning-failed",
        # Nothing is wrong with a stopped cluster, but AWS does nothing with it until somebody starts it.
        STOPPED,
    }
)
_MOVING: Final = frozenset({"adding", "removing"})
_NO_EXTENDED_SUPPORT: Final = "open-source-rds-extended-support-disabled"
_EXTENDED_SUPPORT: Final = "open-source-rds-extended-support"
# AWS's name of a value accepted for later to the field.
_PENDING: Final = {
    "EngineVersion": "engine_version",
    "IAMDatabaseAuthenticationEnabled": "iam_authentication",
    "BackupRetentionPeriod": "backup_retention_days",
    "StorageType": "storage_type",
}
# What is asked for by no change of the cluster's own settings: RDS rotates the password, and renews the certificate.
_BY_RDS: Final = frozenset({"MasterUserPassword", "CertificateDetails"})
_LOGS: Final = "PendingCloudwatchLogsExports"
_OF_STREAM: Final = ("ActivityStreamMode", "ActivityStreamKmsKeyId")
"""Members that decide who reads the stream: another key is another difference."""
_STREAM: Final = ("ActivityStreamKinesisStreamName", *_OF_STREAM)
"""The members that RDS tells of an activity stream beside its state."""
_OF_DIRECTORY: Final = ("FQDN", "IAMRoleName", "OU", "AuthSecretArn")
"""Members that decide who vouches for a directory's users, beside its servers."""
_NAMELESS_DIRECTORY: Final = untold_text("a directory without a name")
_NAMELESS_STREAM: Final = untold_text("a stream without a name")


@dataclass(frozen=True)
class AssociatedRole:
    """A role that a cluster may take to reach other services. ``feature``: what for; may be empty."""

    arn: str
    feature: str

    @classmethod
    def parse(cls, text: str) -> AssociatedRole:
        """Read the form in which a spec holds a role: the ARN, followed by `` for <feature>`` where it has one."""
        role, _, feature = text.partition(" for ")
        return cls(role, feature)

    def __str__(self) -> str:
        return f"{self.arn} for {self.feature}" if self.feature else self.arn


class DbClusterSpec(Spec):
    """The fields that tapctl owns on a cluster, without the password: RDS makes, keeps and rotates that.

    Not owned: the scaling of Aurora Serverless. It means nothing to members of another class than ``db.serverless``,
    and a cluster that was given one never loses it (ModifyDBCluster), so that nothing could undo the change.
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
    """True if RDS manages the master user's password in Secrets Manager. Wanted: True."""
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
    """The mode of Database Insights: ``standard`` or ``advanced``, which needs 465 days of Performance Insights."""
    performance_insights: bool = True
    performance_insights_kms_key_arn: str
    """Empty where Performance Insights is off."""
    performance_insights_retention_days: int = 7
    """0 where Performance Insights is off."""
    deletion_protection: bool
    extended_support: bool = False
    http_endpoint: bool = False
    """True if the Data API is on: SQL by IAM, past the security groups. Wanted: False."""
    associated_roles: frozenset[str] = frozenset()
    """The roles that the cluster may take to reach other services, each `AssociatedRole` as text. Wanted: none."""
    auto_minor_version_upgrade: bool = True
    """Aurora upgrades a minor version only where the cluster has this on too, and not its members alone."""
    activity_stream: str = ""
    """The Kinesis stream that gets every statement, with its values; empty: none. Wanted: empty."""
    internet_gateway: bool = False
    """True if the cluster answers on the internet, past the security groups. Wanted: False."""
    global_cluster: str = ""
    """The global database in which the cluster's data is copied to other regions; empty: none. Wanted: empty."""
    replicas: frozenset[str] = frozenset()
    """Clusters elsewhere that copy this one's data. Wanted: none."""
    replicates: str = ""
    """The cluster elsewhere whose data this one copies; empty: none. Wanted: empty."""
    write_forwarding: frozenset[str] = frozenset()
    """``global`` and ``local``, where readers take statements that write. Wanted: none."""
    custom_endpoints: frozenset[str] = frozenset()
    """Further host names of the cluster. Wanted: none."""
    directories: frozenset[str] = frozenset()
    """Active Directory domains whose users may log in. Wanted: none."""
    shared_snapshots: frozenset[str] = frozenset()
    """Snapshots that others may restore the data from: ``<snapshot> by <account, or all>``. Wanted: none."""
    open_groups: frozenset[str] = frozenset()
    """Rules of others' groups by which the world reaches the cluster: ``<group id> <rule>``. Wanted: none."""
    put_off: frozenset[str] = frozenset()
    """Changes that RDS makes in the maintenance window, and no other field tells: ``DBClusterIdentifier <new name>``.
    Wanted: nothing."""
    tags: dict[str, str]


class DbClusterOutputs(Outputs):
    """The identity that is known once the create is accepted, minutes before the cluster can be used."""

    arn: str
    resource_id: str
    endpoint: str
    reader_endpoint: str
    secret_arn: str


_INSIGHTS: Final = frozenset(
    {
        "insights_mode",
        "performance_insights",
        "performance_insights_kms_key_arn",
        "performance_insights_retention_days",
    }
)
# Spec field to the parameter that CreateDBCluster and ModifyDBCluster share, and its value.
PARAMETERS: Final[Mapping[str, tuple[str, Callable[[DbClusterSpec], Any]]]] = {
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
    # ModifyDBCluster takes it since 2026-07-15.
    "extended_support": (
        "EngineLifecycleSupport",
        lambda want: _EXTENDED_SUPPORT if want.extended_support else _NO_EXTENDED_SUPPORT,
    ),
}
_CHANGEABLE: Final = PARAMETERS.keys() | _INSIGHTS | {"log_exports", "managed_secret"}


# -- as RDS shows them -------------------------------------------------------------------------------------------------


def observed_cluster(
    cluster: DBClusterTypeDef, expected: DbClusterSpec | None, reason: str = "", remedy: str = ""
) -> Observed[DbClusterSpec, DbClusterOutputs]:
    """Interpret DescribeDBClusters' answer.

    ``reason``: RDS's last event about a cluster that was given up; ``remedy``: the command that starts a stopped one.
    """
    # Read as a plain mapping: several members are there only while they mean something.
    live: Mapping[str, Any] = cluster
    reason = reason or remedy
    status = live["Status"]
    groups = live.get("VpcSecurityGroups", ())
    accepted, pending = _accepted(live)
    live_tags = as_dict(live.get("TagList", ()))
    return Observed(
        DbClusterSpec.model_validate(
            {**_settings(live, expected), **_support(live, expected), **accepted, "tags": live_tags}
        ),
        _outputs(live),
        settled=status in _READY and not any(group.get("Status") in _MOVING for group in groups),
        deleting=status in _DELETING,
        failure=f"{status}: {reason}" if reason else status if status in TERMINAL else None,
        status=status,
        owner=Owner.of(live_tags),
        pending=pending,
        remedy=remedy,
        holds_data_since=live.get("ClusterCreateTime"),
        members=frozenset(
            address("db-instance", member["DBInstanceIdentifier"]) for member in live.get("DBClusterMembers", ())
        ),
    )


def _settings(live: Mapping[str, Any], expected: DbClusterSpec | None) -> dict[str, Any]:
    insights = live.get("PerformanceInsightsEnabled", False)
    groups = live.get("VpcSecurityGroups", ())
    return {
        "engine": live.get("Engine", ""),
        "engine_version": live.get("EngineVersion", ""),
        # RDS may leave it out (terraform-provider-aws, rds/cluster.go); nothing can change it.
        "database_name": live.get("DatabaseName") or (expected.database_name if expected else ""),
        "master_username": live.get("MasterUsername", ""),
        "port": live.get("Port", 0),
        "subnet_group": live.get("DBSubnetGroup", ""),
        "cluster_parameter_group": live.get("DBClusterParameterGroup", ""),
        "security_group_ids": frozenset(
            group["VpcSecurityGroupId"] for group in groups if group.get("Status") != "removing"
        ),
        "kms_key_arn": live.get("KmsKeyId", "") if live.get("StorageEncrypted") else "",
        "storage_encrypted": live.get("StorageEncrypted", False),
        # RDS leaves the default out.
        "storage_type": live.get("StorageType") or "aurora",
        "iam_authentication": live.get("IAMDatabaseAuthenticationEnabled", False),
        "backup_retention_days": live.get("BackupRetentionPeriod", 0),
        "backup_window": live.get("PreferredBackupWindow", ""),
        "maintenance_window": live.get("PreferredMaintenanceWindow", ""),
        "log_exports": frozenset(live.get("EnabledCloudwatchLogsExports", ())),
        "copy_tags_to_snapshot": live.get("CopyTagsToSnapshot", False),
        "insights_mode": live.get("DatabaseInsightsMode", "standard"),
        "performance_insights": insights,
        "performance_insights_kms_key_arn": live.get("PerformanceInsightsKMSKeyId", "") if insights else "",
        "performance_insights_retention_days": live.get("PerformanceInsightsRetentionPeriod", 0) if insights else 0,
        "deletion_protection": live.get("DeletionProtection", False),
        "http_endpoint": live.get("HttpEndpointEnabled", False),
        "associated_roles": frozenset(
            str(AssociatedRole(role["RoleArn"], role.get("FeatureName", "")))
            for role in live.get("AssociatedRoles", ())
        ),
        **_access(live),
    }


def _access(live: Mapping[str, Any]) -> dict[str, Any]:
    """Read the ways in, out and into copies that the answer tells; RDS leaves out what is off."""
    # Only the word for off is off: RDS has others, and one of them is "unknown".
    streaming = live.get("ActivityStreamStatus", "" if any(map(live.get, _STREAM)) else "stopped") != "stopped"
    requested = "requested" if live.get("GlobalWriteForwardingRequested") else "disabled"
    forwarding = {
        "global": live.get("GlobalWriteForwardingStatus", requested),
        "local": live.get("LocalWriteForwardingStatus", "disabled"),
    }
    return {
        "auto_minor_version_upgrade": live["AutoMinorVersionUpgrade"],
        "activity_stream": _stream(live) if streaming else "",
        "internet_gateway": live.get("InternetAccessGatewayEnabled", False),
        "global_cluster": live.get("GlobalClusterIdentifier", ""),
        "replicas": frozenset(live.get("ReadReplicaIdentifiers", ())),
        "replicates": live.get("ReplicationSourceIdentifier", ""),
        "write_forwarding": frozenset(name for name, status in forwarding.items() if status != "disabled"),
        "custom_endpoints": frozenset(live.get("CustomEndpoints", ())),
        "directories": frozenset(map(_directory, live.get("DomainMemberships", ()))),
    }


def _stream(live: Mapping[str, Any]) -> str:
    """The stream of what is done in the database, with the key under which others read it."""
    name = live.get("ActivityStreamKinesisStreamName")
    return with_details(name, {each: live.get(each) for each in _OF_STREAM}) if name else _NAMELESS_STREAM


def _directory(domain: Mapping[str, Any]) -> str:
    """The directory whose users log in, with what says who vouches for them."""
    name = domain.get("Domain") or domain.get("FQDN")
    details = {each: domain.get(each) for each in _OF_DIRECTORY} | {"DnsIps": sorted(domain.get("DnsIps", ()))}
    return with_details(name, details) if name else _NAMELESS_DIRECTORY


def _support(live: Mapping[str, Any], expected: DbClusterSpec | None) -> dict[str, Any]:
    """Read the settings that a cluster in creation may not show yet, and only a replacement could change.

    Until they show, they count as expected.
    """
    creating = expected if live.get("Status") == "creating" else None
    # CreateDBCluster: Extended Support is on unless it was declined.
    support = live.get("EngineLifecycleSupport")
    extended = support != _NO_EXTENDED_SUPPORT
    secret = live.get("MasterUserSecret", {"SecretStatus": "creating"})
    managed = "MasterUserSecret" in live
    # A secret that is not made yet has no wrong key: it will have the cluster's.
    key = live.get("KmsKeyId", "") if secret.get("SecretStatus") == "creating" else ""
    return {
        "extended_support": creating.extended_support if creating and support is None else extended,
        "managed_secret": creating.managed_secret if creating and not managed else managed,
        "secret_kms_key_arn": secret.get("KmsKeyId", key),
    }


def _accepted(live: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Pending]]:
    """Read the values that RDS has accepted and not put into force: they count as they will be, and as pending."""
    values = live.get("PendingModifiedValues") or {}
    # In progress now, or put off until the window.
    until = live.get("PreferredMaintenanceWindow", "") if live.get("Status") == "available" else "AWS is done"
    accepted = {field: values[name] for name, field in _PENDING.items() if name in values}
    pending = {
        field: Pending(until, f"now {live.get(name, 'aurora')}") for name, field in _PENDING.items() if name in values
    }
    accepted["put_off"] = put_off(values, {*_PENDING, *_BY_RDS, _LOGS})
    doing = put_off(values, values.keys() - _BY_RDS)
    if doing:
        pending["put_off"] = Pending(until, ", ".join(sorted(doing)))
    logs = values.get(_LOGS)
    if logs:
        now = frozenset(live.get("EnabledCloudwatchLogsExports", ()))
        coming, leaving = logs.get("LogTypesToEnable", ()), logs.get("LogTypesToDisable", ())
        accepted["log_exports"] = (now | frozenset(coming)) - frozenset(leaving)
        pending["log_exports"] = Pending(until, f"now {', '.join(sorted(now)) or 'none'}")
    return accepted, pending


def _outputs(live: Mapping[str, Any]) -> DbClusterOutputs | None:
    outputs = {
        "arn": live.get("DBClusterArn"),
        "resource_id": live.get("DbClusterResourceId"),
        "endpoint": live.get("Endpoint"),
        "reader_endpoint": live.get("ReaderEndpoint"),
        "secret_arn": live.get("MasterUserSecret", {}).get("SecretArn"),
    }
    return DbClusterOutputs.model_validate(outputs) if all(outputs.values()) else None


# -- as its calls take them --------------------------------------------------------------------------------------------


def creation(id: str, want: DbClusterSpec, tags: list[Any]) -> dict[str, Any]:
    """Build CreateDBCluster's parameters; the password is left to RDS."""
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
        **{name: value(want) for name, value in PARAMETERS.values()},
        **_managed(want),
        **_insights(want),
        "Tags": tags,
    }


def modification(have: DbClusterSpec, want: DbClusterSpec, member_group: str) -> tuple[dict[str, Any], frozenset[str]]:
    """Build ModifyDBCluster's parameters, all that may go together; returns them and the fields they ask for.

    A new major version goes last and by itself, with the parameter groups of its family: a group of one family is
    refused by a cluster of another.
    """
    upgrade, major = _upgrade(have.engine_version, want.engine_version)
    changeable = _CHANGEABLE - {"cluster_parameter_group"} if major else _CHANGEABLE
    fields = frozenset(name for name in changeable if getattr(have, name) != getattr(want, name))
    if major and not fields:
        return _major_upgrade(have, want, member_group)
    parameters: dict[str, Any] = {name: value(want) for field, (name, value) in PARAMETERS.items() if field in fields}
    if "log_exports" in fields:
        parameters["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(want.log_exports - have.log_exports),
            "DisableLogTypes": sorted(have.log_exports - want.log_exports),
        }
    if "managed_secret" in fields:
        # Somebody may have made the master user log in by IAM, which takes the secret away (ModifyDBCluster).
        parameters |= {**_managed(want), "MasterUserAuthenticationType": "password"}
    # All together: RDS resets those that are not sent with the others (rds-controller, custom_update.go).
    if fields & _INSIGHTS:
        parameters |= _insights(want)
    if upgrade and not major:
        parameters["EngineVersion"] = want.engine_version
        fields |= {"engine_version"}
    return parameters, fields


def _major_upgrade(
    have: DbClusterSpec, want: DbClusterSpec, member_group: str
) -> tuple[dict[str, Any], frozenset[str]]:
    parameters = {
        "EngineVersion": want.engine_version,
        "AllowMajorVersionUpgrade": True,
        "DBClusterParameterGroupName": want.cluster_parameter_group,
        # The members' groups are of the old family, and RDS moves all members in this one call.
        "DBInstanceParameterGroupName": member_group,
    }
    group = {"cluster_parameter_group"} if have.cluster_parameter_group != want.cluster_parameter_group else set()
    return parameters, frozenset({"engine_version", *group})


def _upgrade(have: str, want: str) -> tuple[bool, bool]:
    """Tell if the version has to be asked for, and if its major differs. A later minor than wanted stays."""
    old, new = ([int(part) for part in re.findall(r"\d+", version)] for version in (have, want))
    major = old[:1] != new[:1]
    return major or old < new, major


def _managed(want: DbClusterSpec) -> dict[str, Any]:
    key = {"MasterUserSecretKmsKeyId": want.secret_kms_key_arn} if want.secret_kms_key_arn else {}
    return {"ManageMasterUserPassword": True, **key}


def _insights(want: DbClusterSpec) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "DatabaseInsightsMode": want.insights_mode,
        "EnablePerformanceInsights": want.performance_insights,
    }
    if want.performance_insights:
        parameters["PerformanceInsightsRetentionPeriod"] = want.performance_insights_retention_days
        if want.performance_insights_kms_key_arn:
            parameters["PerformanceInsightsKMSKeyId"] = want.performance_insights_kms_key_arn
    return parameters
