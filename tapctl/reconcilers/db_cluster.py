"""An Aurora PostgreSQL cluster: its storage, endpoints and settings. Its instances are `db_instance`'s.

AWS's facts are from the RDS API reference and the Aurora user guide ("Deleting Aurora DB clusters and DB instances").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from tapctl.engine.model import (
    AT_LEAST_MINOR,
    SUFFIX_TAG,
    Impact,
    Observed,
    Outputs,
    Owner,
    Pending,
    Reconciler,
    Retained,
    Spec,
    Timing,
    address,
)
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience
from tapctl.names import Names
from tapctl.reconcilers.db_instance import describe_instances
from tapctl.reconcilers.rds import (
    NO_CLUSTER,
    arn_of,
    classify,
    cluster_of,
    how_to_start,
    last_event,
    set_tags,
    tag_list,
    tags_of,
)

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef, DBClusterTypeDef, TagTypeDef

    from tapctl.aws.client import Aws


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


__all__ = ["DbCluster", "DbClusterOutputs", "DbClusterSpec", "final_snapshot_due"]

_DONE: Final = ("available", "failed")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

FINAL_SNAPSHOT_TAG: Final = "tapctl:final-snapshot"
"""On the cluster itself, so that it is known without the files that once said it."""


class DbCluster(Reconciler[DbClusterSpec, DbClusterOutputs]):
    """Sees and changes one cluster; its id is its identifier. It never waits for its members."""

    type = "db-cluster"
    spec = DbClusterSpec
    outputs = DbClusterOutputs
    outputs_known_early = True
    holds_data = True
    impacts: ClassVar[Mapping[str, Impact]] = {
        "engine": Impact.REPLACE,
        "engine_version": Impact.RESTART,
        "database_name": Impact.REPLACE,
        "master_username": Impact.REPLACE,
        "port": Impact.RESTART,
        "subnet_group": Impact.REPLACE,
        "kms_key_arn": Impact.REPLACE,
        "storage_encrypted": Impact.REPLACE,
        # Only by turning management off, which takes a password, and on again.
        "secret_kms_key_arn": Impact.REPLACE,
        "extended_support": Impact.REPLACE,
    }
    timing = Timing(create_s=180, delete_s=300, longest_s=2 * 3600)

    def observe(
        self, aws: Aws, id: str, expected: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs] | None:
        """One read; where AWS gave it up, its last event too."""
        cluster = cluster_of(aws, id)
        if cluster is None:
            return None
        if cluster.get("Status") == STOPPED:
            return observed_cluster(cluster, expected, how_to_start(aws, id))
        return observed_cluster(cluster, expected, last_event(aws, "db-cluster", id) if is_terminal(cluster) else "")

    def create(self, aws: Aws, id: str, want: DbClusterSpec, owner: Owner) -> None:
        """Make all of it in one call."""
        try:
            aws.rds.create_db_cluster(**creation(id, want, tag_list({**want.tags, **owner.tags})))
        except AwsRefused as error:
            if error.matches("DBClusterAlreadyExistsFault"):
                raise AlreadyExists(f"a DB cluster {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
        """Ways in that nobody wants; all settings in one call, at once; then a new major version; then tags."""
        asked, fields = modification(have, want)
        try:
            if have.http_endpoint != want.http_endpoint or have.associated_roles != want.associated_roles:
                return _close(aws, id, have, want)
            if fields:
                aws.rds.modify_db_cluster(DBClusterIdentifier=id, ApplyImmediately=True, **asked)
                return fields
            return set_tags(aws, arn_of(aws, "cluster", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, how_to_start(aws, id)) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[DbClusterSpec, DbClusterOutputs],
        last: DbClusterSpec | None,
    ) -> None:
        """Delete it, with a final snapshot where one is due. RDS takes it as soon as every member is being deleted."""
        asked: dict[str, Any] = {"SkipFinalSnapshot": True}
        if final_snapshot_due(seen.spec, last):
            cluster = cluster_of(aws, id)
            if cluster is None:
                return
            name = _free_name(aws, id, cluster.get("DbClusterResourceId", ""))
            asked = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": name}
        try:
            aws.rds.delete_db_cluster(DBClusterIdentifier=id, **asked)
        except AwsRefused as error:
            if error.matches(NO_CLUSTER):
                return
            if error.matches("DBClusterSnapshotAlreadyExistsFault"):
                # Taken since the names were read; the next step reads them again.
                raise NotYet(error.message, Patience.PROPAGATION) from error
            if error.matches("InvalidDBClusterStateFault", text="still contains DB instances"):
                _name_strangers(aws, id, seen.owner)
            raise classify(error, how_to_start(aws, id)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Its last event: an upgrade or a change that RDS gave up is told nowhere else."""
        return last_event(aws, "db-cluster", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """All clusters of the region, by the tags that are told with them."""
        for page in aws.pages(aws.rds.get_paginator("describe_db_clusters")):
            for one in page["DBClusters"]:
                if Owner.of(tags_of(one.get("TagList", []))) == owner:
                    yield one.get("DBClusterIdentifier", "")

    def deletion_blocker(self, seen: Observed[DbClusterSpec, DbClusterOutputs]) -> str | None:
        """RDS deletes a protected cluster's instances all the same: so nothing of it may be begun."""
        if seen.spec.deletion_protection:
            return "its deletion protection is on"
        if seen.status == STOPPED:
            start = (seen.failure or "").removeprefix(f"{STOPPED}: ")
            return f"it is stopped: RDS deletes no member of a stopped cluster; {start}"
        return None

    def remaining_after_delete(self, aws: Aws, id: str, last: DbClusterSpec) -> str | None:
        """The final snapshot, as long as it is being taken.

        Snapshots of earlier clusters of this name are kept beside it. Of a cluster that is gone nothing tells its
        resource id; but each of the others is done with, and it is the newest, where by the record one was due.

        Raises:
            NotConverged: it has failed.
        """
        taken = sorted(_final_snapshots(aws, id).items(), key=_age)
        for name, one in taken:
            status = one.get("Status", "")
            if status not in _DONE:
                return f"the final snapshot {name} is {status} ({one.get('PercentProgress', 0)} %)"
        name, newest = taken[-1] if taken else ("", {})
        if newest.get("Status") == "failed" and final_snapshot_due(last, None):
            raise NotConverged(
                f"the final snapshot {name} has failed",
                evidence="AWS says: failed",
                hint="see its events in the RDS console; where it is of no use, delete it and run this again",
            )
        return None

    def retained_after_delete(self, aws: Aws, id: str, last: DbClusterSpec) -> Iterator[tuple[str, Retained]]:  # noqa: ARG002 -- as above
        """Its final snapshot."""
        for name in _final_snapshots(aws, id):
            why = "the final snapshot: the database can be restored from it"
            yield address("db-cluster-snapshot", name), Retained("you delete it", why)


def _close(aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
    """Take one way in away: the Data API, or one role."""
    assert not want.http_endpoint, "the Data API is a way past the security groups"
    assert not want.associated_roles, "tapctl gives no cluster a role"
    if have.http_endpoint:
        aws.rds.disable_http_endpoint(ResourceArn=arn_of(aws, "cluster", id))
        return frozenset({"http_endpoint"})
    arn, _, feature = min(have.associated_roles).partition(FOR)
    of: dict[str, Any] = {"FeatureName": feature} if feature else {}
    aws.rds.remove_role_from_db_cluster(DBClusterIdentifier=id, RoleArn=arn, **of)
    return frozenset({"associated_roles"} if len(have.associated_roles) == 1 else ())


def _name_strangers(aws: Aws, id: str, ours: Owner | None) -> None:
    """Members that somebody added go by no removal of ours: RDS may refuse the cluster's for ever.

    Raises:
        NotYet: there are any.
    """
    try:
        members = describe_instances(aws, "db-cluster-id", (id,))
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return
    strangers = [
        one.get("DBInstanceIdentifier", "")
        for one in members
        if one.get("DBInstanceStatus") != "deleting" and Owner.of(tags_of(one.get("TagList", []))) != ours
    ]
    if strangers:
        raise NotYet(f"{id} holds members that are not ours: {', '.join(sorted(strangers))}", Patience.BUSY)


def final_snapshot_due(live: DbClusterSpec, last: Spec | None) -> bool:
    """Whether a snapshot has to be taken when it goes: unless its tag says no, in AWS and in the record alike.

    A tag that is missing says nothing, and data is kept where nothing is said.
    """
    told = [one.tags for one in (live, last) if isinstance(one, DbClusterSpec)]
    return any(tags.get(FINAL_SNAPSHOT_TAG) != "false" for tags in told)


def _free_name(aws: Aws, id: str, resource_id: str) -> str:
    """The final snapshot's name: from the cluster's resource id, so that a retry after a lost answer finds the same.

    A snapshot that bears it already was taken by a removal that did not end, and what was written since is not in it:
    another one is taken beside it (``-2``, ``-3`` …).
    """
    token = resource_id.lower().removeprefix("cluster-")
    name, taken = f"{id}-final-{token}", _final_snapshots(aws, id)
    beside = (f"{name}-{number}" for number in range(2, len(taken) + 2))
    return next(one for one in (name, *beside) if one not in taken)


def _age(one: tuple[str, DBClusterSnapshotTypeDef]) -> tuple[datetime, datetime, str]:
    """The newest last: by its cluster, then by its own time, which one that failed may not have."""
    name, snapshot = one
    return snapshot.get("ClusterCreateTime", _FIRST), snapshot.get("SnapshotCreateTime", _LAST), name


def _final_snapshots(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    # Without DBClusterIdentifier: that must be an existing cluster's (DescribeDBClusterSnapshots).
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"), SnapshotType="manual")
    found = {one.get("DBClusterSnapshotIdentifier", ""): one for page in pages for one in page["DBClusterSnapshots"]}
    # Its token and a number; the snapshots of a suffix that itself ends in "-final-1" have more.
    ours = re.compile(rf"{re.escape(id)}-final-[a-z0-9]+(-[0-9]+)?")
    return {name: one for name, one in found.items() if ours.fullmatch(name)}
