"""An Aurora PostgreSQL cluster: its storage, endpoints and settings. Its instances are `db_instance`'s.

All settings change by one call (ModifyDBCluster), but for a new major version, which goes last and by itself. RDS keeps
the master user's password (`secret_rotation`). A cluster can be deleted as soon as every member is being deleted; a
final snapshot is due unless two of configuration, record and the cluster's own tag say no, and none says otherwise.

AWS's facts are from the RDS API reference and the Aurora user guide ("Deleting Aurora DB clusters and DB instances").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_list
from tapctl.engine.model import Impact, Leftovers, Observed, Owner, Reconciler, Retained, Spec, Timing, address
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotConverged, NotYet, Patience, Refused
from tapctl.reconcilers.db_cluster_removal import (
    final_snapshot_due,
    refuse_foreign_members,
    sources_of,
    ties_of,
    word_on_snapshot,
)
from tapctl.reconcilers.db_cluster_restore import restoration
from tapctl.reconcilers.db_cluster_settings import (
    STOPPED,
    TERMINAL,
    AssociatedRole,
    DbClusterOutputs,
    DbClusterSpec,
    creation,
    modification,
    observed_cluster,
)
from tapctl.reconcilers.db_cluster_snapshots import (
    HAS_FAILED,
    SNAPSHOT,
    described_final_snapshots,
    free_name,
    has_failed,
    misnamed,
    shared_snapshots,
    snapshot_of,
    snapshot_quota,
)
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
    how_to_recover,
    how_to_start,
    last_event,
    owned_names,
    start_command,
    step_tags,
)

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_INVALID: Final = ("InvalidParameterCombination", "InvalidParameterValue")
_FIXED_SUPPORT: Final = (
    "this region's RDS does not change Extended Support of a cluster that is there (ModifyDBCluster does since "
    "2026-07-15): have AWS Support change it, or use another --suffix for a new stack"
)
_MODIFY: Final = "aws rds modify-db-cluster --db-cluster-identifier {id}"
_MADE_WITH_IT: Final = "changes that wait for the maintenance window may be made with it:"
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html (ApplyImmediately)"""
# The states of a snapshot that is no longer being taken.
_DONE: Final = ("available", "failed")
_CLUSTER: Final = arn("rds", "cluster:{db-cluster}")
_SNAPSHOTS: Final = arn("rds", "cluster-snapshot:*")


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
        if cluster.get("Status") == STOPPED:
            stopped = observed_cluster(cluster, expected, remedy=how_to_start(aws, id))
            return replace(stopped, failed_by_others=True, way_out=start_command(aws, id))
        if cluster.get("Status") == RECOVERABLE:
            return observed_cluster(cluster, expected, remedy=how_to_recover(aws, id))
        reason = last_event(aws, "db-cluster", id) if cluster.get("Status") in TERMINAL else ""
        return observed_cluster(cluster, expected, reason)

    def observe_exposures(
        self, aws: Aws, id: str, seen: Observed[DbClusterSpec, DbClusterOutputs], expected: DbClusterSpec | None
    ) -> Observed[DbClusterSpec, DbClusterOutputs]:
        """Read who may restore the cluster's manual snapshots: one call, and one for each; and groups of others.

        And if the Data API is on, of which the answer has to tell.
        """
        groups, own = seen.spec.security_group_ids, expected.security_group_ids if expected else frozenset()
        reads = {
            "shared_snapshots": lambda: shared_snapshots(aws, id),
            "open_groups": lambda: open_groups(aws, groups, own, lambda rule: rule.direction == "ingress"),
            "http_endpoint": lambda: _data_api(aws, id),
        }
        return with_exposures(seen, reads)

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
                refuse_foreign_members(aws, id, observed.owner)
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
        if observed.status == STOPPED:
            return f"it is stopped: RDS deletes no member of a stopped cluster; {observed.remedy}"
        return None

    def removal_refusal(
        self, aws: Aws, id: str, observed: Observed[DbClusterSpec, DbClusterOutputs], last: DbClusterSpec | None
    ) -> Refused | None:
        """Look for clusters in other places that hang on it, and for room for the final snapshot."""
        try:
            tied = [*ties_of(cluster_of(aws, id) or {}), *sources_of(aws, id)]
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

    def remaining_after_delete(self, aws: Aws, id: str, last: DbClusterSpec | None) -> Leftovers | None:
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
                return Leftovers(f"the final snapshot {name} is {status} ({snapshot.get('PercentProgress', 0)} %)")
        name, newest = taken[-1] if taken else ("", {})
        if has_failed(newest) and word_on_snapshot(last) is not False:
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


def ids_of_others(aws: Aws, id: str) -> frozenset[str]:
    """List the resource ids of the region's other clusters, and the ARNs of their managed secrets: one call."""
    pages = aws.pages(aws.rds.get_paginator("describe_db_clusters"))
    others = [each for page in pages for each in page["DBClusters"] if each.get("DBClusterIdentifier") != id]
    secrets = (each.get("MasterUserSecret", {}).get("SecretArn", "") for each in others)
    return frozenset(each.get("DbClusterResourceId", "") for each in others).union(secrets)


def _data_api(aws: Aws, id: str) -> bool:
    """True if the Data API is on; a cluster that is gone by now has none.

    RDS tells it of every cluster, on or off (examples of CreateDBCluster and DescribeDBClusters, RDS API reference): a
    door of which an answer says nothing is not known to be shut.

    Raises:
        AwsNoAnswer: the answer leaves it out.
    """
    cluster = cluster_of(aws, id)
    return cluster["HttpEndpointEnabled"] if cluster else False


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
