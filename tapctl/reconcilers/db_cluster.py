"""An Aurora PostgreSQL cluster: its storage, endpoints and settings. Its instances are `db_instance`'s.

All settings change by one call (ModifyDBCluster), but for a new major version, which goes last and by itself. RDS keeps
the master user's password (`secret_rotation`). A cluster can be deleted as soon as every member is being deleted; a
final snapshot is due unless two of configuration, record and the cluster's own tag say no, and none says otherwise.

AWS's facts are from the RDS API reference and the Aurora user guide ("Deleting Aurora DB clusters and DB instances").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from tapctl.aws.refusals import where_known
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_dict, as_list
from tapctl.engine.diff import same
from tapctl.engine.model import (
    AT_LEAST_MINOR,
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
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience, Refused
from tapctl.reconcilers.db_cluster_snapshots import (
    HAS_FAILED,
    NO_SNAPSHOT,
    SNAPSHOT,
    described_final_snapshots,
    free_name,
    has_failed,
    misnamed,
    shared_snapshots,
    snapshot_of,
    snapshot_quota,
    snapshots_of,
)
from tapctl.reconcilers.db_instance import describe_instances
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.foreign_groups import ASKS_GROUPS, open_groups
from tapctl.reconcilers.kms_key_rights import as_caller
from tapctl.reconcilers.rds import (
    NO_CLUSTER,
    RECOVERABLE,
    UNTIE,
    arn_of,
    classify,
    cluster_of,
    how_to_delete,
    how_to_recover,
    how_to_start,
    last_event,
    owned_names,
    put_off,
    start_command,
    step_tags,
)
from tapctl.reconcilers.upgrade import check_upgrade

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef, DBClusterTypeDef

    from tapctl.aws.client import Aws

FINAL_SNAPSHOT_TAG: Final = "tapctl:final-snapshot"
"""The cluster's own tag, so that the answer is known without the files that once said it."""
RESOURCE_ID: Final = "cluster-[A-Z0-9]+"
"""The pattern of the id that RDS gives a cluster."""
MANAGED: Final = "secret:rds!cluster-[A-Za-z0-9-]+-[A-Za-z0-9]{6}"
"""The pattern of the end of a managed secret's ARN: of what people may choose, "!" is none (CreateSecret)."""

_STOPPED: Final = "stopped"
_READY: Final = ("available", "storage-optimization")
_DELETING: Final = frozenset({"deleting", "deleted"})
_TERMINAL: Final = frozenset(
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
        _STOPPED,
    }
)
_WORDS_TO_SKIP: Final = 2
_MOVING: Final = frozenset({"adding", "removing"})
_NO_EXTENDED_SUPPORT: Final = "open-source-rds-extended-support-disabled"
_EXTENDED_SUPPORT: Final = "open-source-rds-extended-support"
_INVALID: Final = ("InvalidParameterCombination", "InvalidParameterValue")
_FIXED_SUPPORT: Final = (
    "this region's RDS does not change Extended Support of a cluster that is there (ModifyDBCluster does since "
    "2026-07-15): have AWS Support change it, or use another --suffix for a new stack"
)
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
_FORWARDING: Final = ("enabled", "enabling", "requested")
_MODIFY: Final = "aws rds modify-db-cluster --db-cluster-identifier {id}"
_MADE_WITH_IT: Final = "changes that wait for the maintenance window may be made with it:"
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html (ApplyImmediately)"""
# The states of a snapshot that is no longer being taken.
_DONE: Final = ("available", "failed")
_CLUSTER: Final = arn("rds", "cluster:{db-cluster}")
_SNAPSHOTS: Final = arn("rds", "cluster-snapshot:*")


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
    # ModifyDBCluster takes it since 2026-07-15.
    "extended_support": (
        "EngineLifecycleSupport",
        lambda want: _EXTENDED_SUPPORT if want.extended_support else _NO_EXTENDED_SUPPORT,
    ),
}
_CHANGEABLE: Final = _PARAMETERS.keys() | _INSIGHTS | {"log_exports", "managed_secret"}


class DbCluster(Reconciler[DbClusterSpec, DbClusterOutputs]):
    """A cluster; the id is its identifier. A cluster never waits for its members.

    ``member_group``: the parameter group of the members for the wanted major version, which a major upgrade moves them
    to in the same call. ``final_snapshot``: the configuration's word, None where it is not known. ``restore_from``: the
    snapshot that a cluster which is not there is made from.
    """

    type = "db-cluster"
    teardown_rank = 60
    outputs_known_early = True
    holds_data = True
    identity = "resource_id"
    outputs_need = frozenset({"managed_secret"})
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
    }
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html (since 2026, with an outage)
    by_hand: ClassVar[Mapping[str, str]] = {
        "subnet_group": "RDS itself can move it, with an outage: aws rds modify-db-cluster --db-subnet-group-name",
    }
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_PerfInsights.Enabling.html
    fixed_once_set = frozenset({"performance_insights_kms_key_arn"})
    left_alone: ClassVar[Mapping[str, str]] = {
        "auto_minor_version_upgrade": f"{_MODIFY} --auto-minor-version-upgrade --apply-immediately",
        "activity_stream": "aws rds stop-activity-stream --resource-arn {arn} --apply-immediately",
        "internet_gateway": f"{_MODIFY} --no-enable-internet-access-gateway --apply-immediately",
        "global_cluster": "aws rds remove-from-global-cluster --global-cluster-identifier {value} "
        "--db-cluster-identifier {arn}",
        "replicas": "aws rds describe-db-clusters --db-cluster-identifier {value}",
        "replicates": "aws rds promote-read-replica-db-cluster --db-cluster-identifier {id}",
        "write_forwarding": f"{_MODIFY} --no-enable-{{value}}-write-forwarding --apply-immediately",
        "custom_endpoints": "aws rds delete-db-cluster-endpoint --db-cluster-endpoint-identifier {label}",
        "directories": f"{_MODIFY} --domain none --apply-immediately",
        "shared_snapshots": "aws rds modify-db-cluster-snapshot-attribute --db-cluster-snapshot-identifier {value} "
        "--attribute-name restore --values-to-remove {name}",
        "open_groups": "aws ec2 describe-security-groups --group-ids {value}",
        "put_off": "aws rds describe-db-clusters --db-cluster-identifier {id} "
        "--query DBClusters[].PendingModifiedValues",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("auto_minor_version_upgrade", "internet_gateway", "write_forwarding"), _MADE_WITH_IT),
        "directories": f"nobody logs in by a directory any more; {_MADE_WITH_IT}",
        "activity_stream": "whoever watches the database by the stream sees no more of it:",
        "global_cluster": "nothing is copied from or to the clusters of other regions any more:",
        "replicas": "a cluster of its own: whoever owns it promotes or deletes it; this shows it:",
        "replicates": "it copies nothing from its source any more, for good:",
        "custom_endpoints": "whoever connects by it is cut off:",
    }
    leads_there: ClassVar[Mapping[str, str]] = {"open_groups": "security_group_ids"}
    never_compared = (
        "Serverless, network type, maintenance that AWS has planned",
        "clones, manual snapshots, proxies, integrations, blue/green, exports, AWS Backup, shares by RAM",
        "what else groups of others that it is in let through",
    )
    retention_field = "backup_retention_days"
    protection_fields = frozenset({"deletion_protection"})
    # No figure of AWS's: what users report (the guide only says that it depends on the number of objects).
    trail = Trail(
        "rds",
        whole=("CreateDBCluster", "RestoreDBClusterFromSnapshot", "RestoreDBClusterToPointInTime", "DeleteDBCluster"),
        fields={
            "status": ("StopDBCluster",),
            "engine_version": ("ModifyDBCluster:engineVersion",),
            "port": ("ModifyDBCluster:port",),
            "cluster_parameter_group": ("ModifyDBCluster:dBClusterParameterGroupName",),
            "security_group_ids": ("ModifyDBCluster:vpcSecurityGroupIds",),
            "storage_type": ("ModifyDBCluster:storageType",),
            "managed_secret": ("ModifyDBCluster:manageMasterUserPassword", "ModifyDBCluster:masterUserPassword"),
            "secret_kms_key_arn": ("ModifyDBCluster:masterUserSecretKmsKeyId",),
            "iam_authentication": ("ModifyDBCluster:enableIAMDatabaseAuthentication",),
            "backup_retention_days": ("ModifyDBCluster:backupRetentionPeriod",),
            "backup_window": ("ModifyDBCluster:preferredBackupWindow",),
            "maintenance_window": ("ModifyDBCluster:preferredMaintenanceWindow",),
            "log_exports": ("ModifyDBCluster:cloudwatchLogsExportConfiguration",),
            "copy_tags_to_snapshot": ("ModifyDBCluster:copyTagsToSnapshot",),
            "insights_mode": ("ModifyDBCluster:databaseInsightsMode",),
            "performance_insights": ("ModifyDBCluster:enablePerformanceInsights",),
            "performance_insights_kms_key_arn": ("ModifyDBCluster:performanceInsightsKMSKeyId",),
            "performance_insights_retention_days": ("ModifyDBCluster:performanceInsightsRetentionPeriod",),
            "deletion_protection": ("ModifyDBCluster:deletionProtection",),
            "extended_support": ("ModifyDBCluster:engineLifecycleSupport",),
            "http_endpoint": ("EnableHttpEndpoint", "DisableHttpEndpoint", "ModifyDBCluster:enableHttpEndpoint"),
            "associated_roles": ("AddRoleToDBCluster", "RemoveRoleFromDBCluster"),
            "auto_minor_version_upgrade": ("ModifyDBCluster:autoMinorVersionUpgrade",),
            "activity_stream": ("StartActivityStream", "StopActivityStream", "ModifyActivityStream"),
            "global_cluster": (
                "CreateGlobalCluster",
                "ModifyGlobalCluster",
                "RemoveFromGlobalCluster",
                "DeleteGlobalCluster",
            ),
            "replicates": ("PromoteReadReplicaDBCluster",),
            "write_forwarding": (
                "ModifyDBCluster:enableLocalWriteForwarding",
                "ModifyDBCluster:enableGlobalWriteForwarding",
            ),
            "custom_endpoints": ("CreateDBClusterEndpoint", "ModifyDBClusterEndpoint", "DeleteDBClusterEndpoint"),
            "directories": ("ModifyDBCluster:domain",),
            "shared_snapshots": ("ModifyDBClusterSnapshotAttribute",),
            "open_groups": ("AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules"),
            "put_off": ("ModifyDBCluster",),
            "tags": ("AddTagsToResource", "RemoveTagsFromResource"),
        },
        of_items=frozenset({"open_groups"}),
    )
    timing = Timing(
        create_s=180,
        delete_s=300,
        first_look_s=2,
        update_s=120,
        restart_s=600,
        upgrade_s=1800,
        longest_s=2 * 3600,
        upgrade="15 to 60 minutes, in which nobody is served",
    )
    actions = (
        Right(Need.OBSERVE, ("rds:DescribeDBClusters",), (_CLUSTER,)),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
        Right(Need.EXPOSURES, ("rds:DescribeDBClusters",), (arn("rds", "cluster:*"),)),
        Right(Need.EXPOSURES, ("rds:DescribeDBClusterSnapshots",), (_CLUSTER, _SNAPSHOTS)),
        Right(Need.EXPOSURES, ("rds:DescribeDBClusterSnapshotAttributes",), (_SNAPSHOTS,)),
        *ASKS_GROUPS,
        Right(
            Need.PLAN | Need.CREATE | Need.DELETE | Need.SWEEP,
            ("rds:DescribeDBClusterSnapshots",),
            (arn("rds", "cluster:*"), _SNAPSHOTS),
        ),
        Right(
            Need.PLAN,
            ("rds:DescribeDBEngineVersions", "rds:DescribeOrderableDBInstanceOptions"),
            why="what RDS offers to everybody",
        ),
        Right(Need.PLAN | Need.SWEEP, ("rds:DescribeAccountAttributes",), why="the account's own quotas"),
        Right(Need.SWEEP, ("rds:DescribeIntegrations",), (arn("rds", "integration:*"),)),
        Right(Need.SWEEP, ("rds:DescribeBlueGreenDeployments",), (arn("rds", "deployment:*"),)),
        Right(
            Need.CREATE,
            ("rds:CreateDBCluster", "rds:RestoreDBClusterFromSnapshot"),
            (
                *(_CLUSTER, arn("rds", "cluster-pg:{db-cluster-parameter-group}")),
                *(arn("rds", "subgrp:{db-subnet-group}"), arn("rds", "og:default:*")),
            ),
        ),
        Right(Need.CREATE, ("rds:RestoreDBClusterFromSnapshot",), (_SNAPSHOTS,)),
        Right(Need.CREATE, ("rds:AddTagsToResource",), (_CLUSTER,)),
        # What RDS does as its caller: the storage and the secret are encrypted, and the secret is made.
        *(
            right
            for service in ("rds", "secretsmanager")
            for right in as_caller(Need.CREATE, service, ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"))
        ),
        Right(
            Need.CREATE,
            ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
            (arn("secretsmanager", "secret:rds!cluster-*"),),
        ),
        Right(
            Need.UPDATE,
            ("rds:ModifyDBCluster",),
            (
                *(_CLUSTER, arn("rds", "cluster-pg:{db-cluster-parameter-group}")),
                arn("rds", "pg:{db-parameter-group}"),
            ),
        ),
        Right(Need.UPDATE, ("rds:DisableHttpEndpoint",), (_CLUSTER,), fields=frozenset({"http_endpoint"})),
        Right(Need.UPDATE, ("rds:RemoveRoleFromDBCluster",), (_CLUSTER,), fields=frozenset({"associated_roles"})),
        Right(
            Need.UPDATE,
            ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"),
            (_CLUSTER,),
            fields=frozenset({"tags"}),
        ),
        Right(Need.CREATE | Need.UPDATE, ("rds:DescribeEvents",), why=LISTS),
        Right(
            Need.DELETE,
            ("rds:DeleteDBCluster", "rds:CreateDBClusterSnapshot"),
            (_CLUSTER, arn("rds", "cluster-snapshot:{db-cluster}-final-*")),
        ),
        Right(Need.DELETE, ("rds:AddTagsToResource",), (arn("rds", "cluster-snapshot:{db-cluster}-final-*"),)),
    )

    def __init__(self, member_group: str = "", *, final_snapshot: bool | None = None, restore_from: str = "") -> None:
        self._member_group = member_group
        self._final_snapshot = final_snapshot
        self._restore_from = restore_from

    def observe(
        self, aws: Aws, id: str, expected: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs] | None:
        """Read the cluster, and its last event where AWS gave the cluster up: one call, or two."""
        cluster = cluster_of(aws, id)
        if cluster is None:
            return None
        if cluster.get("Status") == _STOPPED:
            stopped = observed_cluster(cluster, expected, remedy=how_to_start(aws, id))
            return replace(stopped, failed_by_others=True, way_out=start_command(aws, id))
        if cluster.get("Status") == RECOVERABLE:
            return observed_cluster(cluster, expected, remedy=how_to_recover(aws, id))
        reason = last_event(aws, "db-cluster", id) if cluster.get("Status") in _TERMINAL else ""
        return observed_cluster(cluster, expected, reason)

    def observe_exposures(
        self, aws: Aws, id: str, seen: Observed[DbClusterSpec, DbClusterOutputs], expected: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs]:
        """Read who may restore the cluster's manual snapshots: one call, and one for each; and groups of others."""
        groups, own = seen.spec.security_group_ids, expected.security_group_ids if expected else frozenset()
        reads = {
            "shared_snapshots": lambda: shared_snapshots(aws, id),
            "open_groups": lambda: open_groups(aws, groups, own, lambda rule: rule.direction == "ingress"),
        }
        return with_exposures(seen, reads, gone=(NO_CLUSTER,))

    def create(self, aws: Aws, id: str, want: DbClusterSpec, owner: Owner) -> None:
        """Make the cluster with all its settings by CreateDBCluster alone, or from a snapshot with most of them."""
        tags = as_list({**want.tags, **owner.tags})
        try:
            if self._restore_from:
                version = snapshot_of(aws, self._restore_from).get("EngineVersion", "")
                aws.rds.restore_db_cluster_from_snapshot(
                    SnapshotIdentifier=self._restore_from, **restoration(id, want, version, tags)
                )
            else:
                aws.rds.create_db_cluster(**creation(id, want, tags))
        except AwsRefused as error:
            if error.matches("DBClusterAlreadyExistsFault"):
                raise AlreadyExists(f"a DB cluster {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
        """Close unwanted access; then all settings in one call, at once; then a new major version; then tags."""
        parameters, fields = modification(have, want, self._member_group)
        try:
            if have.http_endpoint != want.http_endpoint or have.associated_roles != want.associated_roles:
                return _remove_access(aws, id, have, want)
            if fields:
                aws.rds.modify_db_cluster(DBClusterIdentifier=id, ApplyImmediately=True, **parameters)
                return fields
            return step_tags(aws, arn_of(aws, "cluster", id), have.tags, want.tags)
        except AwsRefused as error:
            if "extended_support" in fields and error.matches(*_INVALID, text="lifecycle"):
                error.hint = _FIXED_SUPPORT
            raise classify(error, how_to_start(aws, id)) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[DbClusterSpec, DbClusterOutputs], last: DbClusterSpec | None
    ) -> None:
        """Delete the cluster, with a final snapshot where one is due."""
        snapshot: dict[str, Any] = {"SkipFinalSnapshot": True}
        if final_snapshot_due(observed.spec, last, self._final_snapshot):
            cluster = cluster_of(aws, id)
            if cluster is None:
                return
            name = free_name(aws, id, cluster.get("DbClusterResourceId", ""))
            snapshot = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": name}
        try:
            aws.rds.delete_db_cluster(DBClusterIdentifier=id, **snapshot)
        except AwsRefused as error:
            if error.matches(NO_CLUSTER):
                return
            if error.matches("DBClusterSnapshotAlreadyExistsFault"):
                # The name was taken since the names were read; the next step reads them again.
                raise NotYet(error.message, Patience.PROPAGATION) from error
            if error.matches("InvalidDBClusterStateFault", text="still contains DB instances"):
                _refuse_foreign_members(aws, id, observed.owner)
            raise classify(error, how_to_start(aws, id)) from error

    def last_event(self, aws: Aws, id: str) -> str:
        """Read the last event: an upgrade or a change that RDS gave up shows nowhere else."""
        return last_event(aws, "db-cluster", id)

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the clusters by the owner's tags."""
        return owned_names(aws, owner, "cluster")

    def deletion_blocker(self, observed: Observed[DbClusterSpec, DbClusterOutputs]) -> str | None:
        """Name the protection (RDS deletes a protected cluster's instances all the same), or that it is stopped."""
        if observed.spec.deletion_protection:
            return "its deletion protection is on"
        if observed.status == _STOPPED:
            return f"it is stopped: RDS deletes no member of a stopped cluster; {observed.remedy}"
        return None

    def removal_refusal(
        self, aws: Aws, id: str, observed: Observed[DbClusterSpec, DbClusterOutputs], last: DbClusterSpec | None
    ) -> Refused | None:
        """Look for clusters in other places that hang on it, and for room for the final snapshot."""
        try:
            tied = [*_ties(cluster_of(aws, id) or {}), *_sources_of(aws, id)]
            if tied:
                return Refused(
                    f"{address(self.type, id)} is tied to others, and RDS would refuse its removal: {', '.join(tied)}",
                    evidence="nothing of it was begun",
                    hint=UNTIE,
                )
            used, most = snapshot_quota(aws) if self.takes_final_snapshot(observed, last) else (0, 1)
        except AwsRefused as error:
            return error.unasked(f"{address(self.type, id)}: whether RDS would refuse its removal")
        if used < most:
            return None
        return Refused(
            f"{address(self.type, id)}: a final snapshot is due, and there is no room for one",
            evidence=f"DescribeAccountAttributes: ManualClusterSnapshots, {used} of {most} used",
            hint="delete cluster snapshots that are of no use, or have the quota raised, then run this again",
        )

    def is_protection(self, observed: Observed[DbClusterSpec, DbClusterOutputs]) -> bool:
        """True if the cluster's deletion protection is on."""
        return observed.spec.deletion_protection

    def takes_final_snapshot(
        self, observed: Observed[DbClusterSpec, DbClusterOutputs], last: DbClusterSpec | None
    ) -> bool:
        """True if a final snapshot is due, and the cluster is not being deleted already."""
        return not observed.deleting and final_snapshot_due(observed.spec, last, self._final_snapshot)

    def owes_final_snapshot(self, last: Spec | None) -> bool:
        """True if a final snapshot of a cluster that is not there would have been due."""
        return final_snapshot_due(None, last, self._final_snapshot)

    def removal_note(self, observed: Observed[DbClusterSpec, DbClusterOutputs], *, snapshot_due: bool) -> str:
        """Tell what happens to the data."""
        kept, lost = "a final snapshot is taken, and kept", "its data goes with it: no final snapshot is due"
        return kept if snapshot_due else lost

    def remaining_after_delete(self, aws: Aws, id: str, last: DbClusterSpec | None) -> str | None:
        """Name the final snapshot as long as RDS is taking it.

        Snapshots of earlier clusters of this name are kept, too, and nothing tells the resource id of a cluster that is
        gone. But RDS has finished all earlier ones; so the newest is this cluster's, where by the record one was due.

        Raises:
            NotConverged: the snapshot has failed.
        """
        taken = [*described_final_snapshots(aws, id).items()]
        for name, snapshot in taken:
            status = snapshot.get("Status", "")
            if status not in _DONE:
                return f"the final snapshot {name} is {status} ({snapshot.get('PercentProgress', 0)} %)"
        name, newest = taken[-1] if taken else ("", {})
        if has_failed(newest) and _word(last) is not False:
            raise NotConverged(
                f"the final snapshot {name} has failed",
                evidence="AWS says: failed",
                hint="see its events in the RDS console; where it is of no use, delete it and run this again",
            )
        return None

    def retained_after_delete(
        self, aws: Aws, id: str, last: DbClusterSpec, identity: Mapping[str, str]
    ) -> Iterator[tuple[str, Retained]]:
        """List the snapshots that bear a final one's name, and tell this cluster's own from those of others.

        Anybody may make a cluster of this name once it is free, and choose the name of a snapshot. Where nobody knows
        the cluster's identity, the name of each has to bear the id of the cluster that it is of.
        """
        own = identity.get("resource_id", "")
        for name, snapshot in described_final_snapshots(aws, id).items():
            why = "the final snapshot: the database can be restored from it"
            of_another = snapshot.get("DbClusterResourceId") != own if own else bool(misnamed(name, snapshot))
            if of_another:
                user = snapshot.get("MasterUsername", "unknown")
                why = f"of another cluster of this name, whose master user is {user}: no final snapshot of this one"
            if has_failed(snapshot):
                why = HAS_FAILED
            yield address(SNAPSHOT, name), Retained("you delete it", why)


# -- reading -----------------------------------------------------------------------------------------------------------


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
        failure=f"{status}: {reason}" if reason else status if status in _TERMINAL else None,
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
            group.get("VpcSecurityGroupId", "") for group in groups if group.get("Status") != "removing"
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
    streaming = live.get("ActivityStreamStatus", "stopped") != "stopped"
    forwarding = {"global": live.get("GlobalWriteForwardingStatus"), "local": live.get("LocalWriteForwardingStatus")}
    return {
        "auto_minor_version_upgrade": live["AutoMinorVersionUpgrade"],
        "activity_stream": (live.get("ActivityStreamKinesisStreamName") or "starting") if streaming else "",
        "internet_gateway": live.get("InternetAccessGatewayEnabled", False),
        "global_cluster": live.get("GlobalClusterIdentifier", ""),
        "replicas": frozenset(live.get("ReadReplicaIdentifiers", ())),
        "replicates": live.get("ReplicationSourceIdentifier", ""),
        "write_forwarding": frozenset(name for name, status in forwarding.items() if status in _FORWARDING),
        "custom_endpoints": frozenset(live.get("CustomEndpoints", ())),
        "directories": frozenset(
            domain.get("Domain", "") for domain in live.get("DomainMemberships", ()) if domain.get("Domain")
        ),
    }


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


# -- changing ----------------------------------------------------------------------------------------------------------


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
        **{name: value(want) for name, value in _PARAMETERS.values()},
        **_managed(want),
        **_insights(want),
        "Tags": tags,
    }


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
        **{name: value(want) for field, (name, value) in _PARAMETERS.items() if field not in _AFTER_RESTORE},
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


def ids_of_others(aws: Aws, id: str) -> frozenset[str]:
    """List the resource ids of the region's other clusters, and the ARNs of their managed secrets: one call."""
    pages = aws.pages(aws.rds.get_paginator("describe_db_clusters"))
    others = [each for page in pages for each in page["DBClusters"] if each.get("DBClusterIdentifier") != id]
    secrets = (each.get("MasterUserSecret", {}).get("SecretArn", "") for each in others)
    return frozenset(each.get("DbClusterResourceId", "") for each in others).union(secrets)


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
    parameters: dict[str, Any] = {name: value(want) for field, (name, value) in _PARAMETERS.items() if field in fields}
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


def _remove_access(aws: Aws, id: str, have: DbClusterSpec, want: DbClusterSpec) -> frozenset[str]:
    """Remove one unwanted access: the Data API, or one role. What is waived is wanted as it is."""
    extra = have.associated_roles - want.associated_roles
    assert have.http_endpoint or not want.http_endpoint, "the Data API is a way past the security groups"
    assert want.associated_roles <= have.associated_roles, "tapctl gives no cluster a role"
    if have.http_endpoint != want.http_endpoint:
        aws.rds.disable_http_endpoint(ResourceArn=arn_of(aws, "cluster", id))
        return frozenset({"http_endpoint"})
    role = AssociatedRole.parse(min(extra))
    feature: dict[str, Any] = {"FeatureName": role.feature} if role.feature else {}
    aws.rds.remove_role_from_db_cluster(DBClusterIdentifier=id, RoleArn=role.arn, **feature)
    return frozenset({"associated_roles"} if len(extra) == 1 else ())


# -- before a removal --------------------------------------------------------------------------------------------------


def _ties(cluster: Mapping[str, Any]) -> list[str]:
    """Name what makes RDS refuse to delete this cluster (DeleteDBCluster): a global cluster, a source, replicas."""
    tied = [f"global cluster {cluster['GlobalClusterIdentifier']}"] if cluster.get("GlobalClusterIdentifier") else []
    source = cluster.get("ReplicationSourceIdentifier")
    tied += [f"its source {source}"] if source else []
    return [*tied, *(f"its replica {replica}" for replica in cluster.get("ReadReplicaIdentifiers") or ())]


def _sources_of(aws: Aws, id: str) -> Iterator[str]:
    """Name the integrations and the blue/green deployments that this cluster is the source of, and that do not end."""
    client: Any = aws.rds  # untyped, since the operation's name is data
    for what, listing, member, ended in (
        ("integration", "describe_integrations", "Integration", {"deleting"}),
        (
            *("blue/green deployment", "describe_blue_green_deployments", "BlueGreenDeployment"),
            {"DELETING", "SWITCHOVER_COMPLETED"},
        ),
    ):
        pages: list[Any] = where_known(partial(aws.pages, client.get_paginator(listing)), [])
        for each in (each for page in pages for each in page.get(f"{member}s", ())):
            source = str(each.get("SourceArn") or each.get("Source", ""))
            if source == aws.arn("rds", f"cluster:{id}") and each.get("Status") not in ended:
                yield f"its {what} {each.get(f'{member}Name', '')}"


# -- removing ----------------------------------------------------------------------------------------------------------


def held_by_others(aws: Aws, id: str, members: Iterable[str]) -> Refused:
    """Refuse the removal of a cluster with members of somebody else's, of these addresses."""
    foreign = sorted(members)
    return Refused(
        f"{address(DbCluster.type, id)} holds what is not ours and is never removed: {', '.join(foreign)}",
        evidence="RDS deletes no cluster that has members",
        hint=f"if it may go: {how_to_delete(aws, foreign[0].partition('/')[2])}, then run this again",
    )


def _refuse_foreign_members(aws: Aws, id: str, ours: Owner | None) -> None:
    """Look for members that somebody else added meanwhile: they stay, and so does the cluster, however long one waits.

    Raises:
        Refused: there are foreign members.
    """
    try:
        members = describe_instances(aws, "db-cluster-id", (id,))
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return
    foreign = [
        address("db-instance", member.get("DBInstanceIdentifier", ""))
        for member in members
        if member.get("DBInstanceStatus") != "deleting" and Owner.of(as_dict(member.get("TagList", []))) != ours
    ]
    if foreign:
        raise held_by_others(aws, id, foreign)


def final_snapshot_due(live: DbClusterSpec | None, last: Spec | None, configured: bool | None) -> bool:
    """True if a final snapshot has to be taken: unless two of the three say no, and none says otherwise.

    A missing tag, a missing record and a missing file say nothing: data goes only by two words, since each of them may
    be somebody else's.
    """
    words = [_word(live), _word(last), configured]
    return any(word is True for word in words) or sum(word is False for word in words) < _WORDS_TO_SKIP


def _word(spec: Spec | None) -> bool | None:
    """Read what the tag says; None where there is none. Any other text than ``false`` wants the snapshot."""
    text = spec.tags.get(FINAL_SNAPSHOT_TAG) if isinstance(spec, DbClusterSpec) else None
    return None if text is None else text != "false"
