"""Aurora clusters: what RDS accepts, stores and echoes; how a change takes effect; how a cluster is deleted."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from tapctl.sandbox.emulator.rds.catalog import QUOTAS, family_of, full_version, key_arn, paginate, upgrade_targets
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.secretsmanager import schedule_rotation
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("rds")

_INSIGHTS = (
    "DatabaseInsightsMode",
    "EnablePerformanceInsights",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
)
_ADVANCED_DAYS = 465
_CREATE: Final = ("CreateDBCluster", "RestoreDBClusterFromSnapshot")


def cluster_of(request: Request) -> Any:
    """Return the cluster that a request names, as moto's object.

    Raises:
        ServiceError: there is none.
    """
    name = request.params["DBClusterIdentifier"]
    cluster = request.backend("rds").clusters.get(name)
    if cluster is None:
        raise ServiceError("DBClusterNotFoundFault", f"DBCluster {name} not found.")
    return cluster


@contract(
    *("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters"),
    *("StopDBCluster", "StartDBCluster", "RestoreDBClusterFromSnapshot"),
)
def a_cluster_is_shown_as_it_is(request: Request, proceed: Next) -> Reply:
    """A change is answered with the cluster as stored; members tell of reboots due, the secret of its state."""
    reply = proceed()
    if request.operation == "DescribeDBClusters":
        return {**reply, "DBClusters": [_represent(request, shown) for shown in reply["DBClusters"]]}
    described = request.call("DescribeDBClusters", DBClusterIdentifier=request.params["DBClusterIdentifier"])
    return {"DBCluster": _represent(request, described["DBClusters"][0])}


def _represent(request: Request, shown: dict[str, Any]) -> dict[str, Any]:
    instances = request.backend("rds").databases
    for member in shown["DBClusterMembers"]:
        waits = notes_on(instances[member["DBInstanceIdentifier"]]).get("cluster_parameters_wait")
        member["DBClusterParameterGroupStatus"] = "pending-reboot" if waits else "in-sync"
    if "MasterUserSecret" in shown:
        # RDS may leave the secret "creating" until there is an instance to set the password in.
        shown["MasterUserSecret"]["SecretStatus"] = "active" if shown["DBClusterMembers"] else "creating"
    return shown


@contract(*_CREATE)
def a_cluster_is_made_once(request: Request, proceed: Next) -> Reply:
    """A name that is taken is refused; moto would overwrite the cluster."""
    if request.params["DBClusterIdentifier"] in request.backend("rds").clusters:
        raise ServiceError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    return proceed()


@contract(*_CREATE, "ModifyDBCluster")
def an_engine_version_becomes_a_minor(request: Request, proceed: Next) -> Reply:
    """A bare major stands for its default minor; what cannot be created is refused."""
    if "EngineVersion" in request.params or "Engine" in request.params:
        request.params["EngineVersion"] = full_version(request.params.get("EngineVersion", "17"))
    return proceed()


@contract(*_CREATE, "ModifyDBCluster")
def a_cluster_needs_what_it_names(request: Request, proceed: Next) -> Reply:
    """The subnet group, parameter group (of the family) and security groups of a cluster must exist."""
    rds, params = request.backend("rds"), request.params
    if request.operation in _CREATE:
        params.setdefault("DBClusterParameterGroupName", f"default.{family_of(params['EngineVersion'])}")
        subnets = params.get("DBSubnetGroupName")
        if subnets is not None and subnets not in rds.subnet_groups:
            raise ServiceError("DBSubnetGroupNotFoundFault", f"DB subnet group '{subnets}' does not exist.")
    version = params.get("EngineVersion") or cluster_of(request).engine_version
    _check_parameters(rds, params.get("DBClusterParameterGroupName"), family_of(version))
    known = {group.id for group in request.backend("ec2").describe_security_groups()}
    for group in params.get("VpcSecurityGroupIds", []):
        if group not in known:
            raise ServiceError("InvalidParameterValue", f"Invalid security group , groupId= {group}, groupName=.")
    return proceed()


def _check_parameters(rds: Any, name: str | None, family: str) -> None:
    if name is None or name == f"default.{family}":
        return
    group = rds.db_cluster_parameter_groups.get(name)
    if group is None:
        raise ServiceError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")
    if group.db_parameter_group_family != family:
        raise ServiceError(
            "InvalidParameterCombination",
            f"The Parameter Group {name} with DBParameterGroupFamily {group.db_parameter_group_family} cannot be used "
            f"for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}",
        )


@contract(*_CREATE, "ModifyDBCluster")
def keys_are_usable_and_echoed_as_arns(request: Request, proceed: Next) -> Reply:
    """A key's ARN is stored, however the key was named; a key that is not enabled is refused."""
    for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId"):
        if name in request.params:
            request.params[name] = key_arn(request, request.params[name])
    if "MasterUserSecretKmsKeyId" in request.params:
        reference = request.params["MasterUserSecretKmsKeyId"]
        request.params["MasterUserSecretKmsKeyId"] = key_arn(request, reference, shown="null")
    return proceed()


@contract("CreateDBCluster")
def a_managed_password_is_not_given(request: Request, proceed: Next) -> Reply:
    """RDS makes the password, or the caller does, never both."""
    if request.params.get("ManageMasterUserPassword") and "MasterUserPassword" in request.params:
        raise ServiceError(
            "InvalidParameterCombination",
            "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
        )
    return proceed()


@contract(*_CREATE, "ModifyDBCluster")
def storage_type_aurora_is_not_echoed(request: Request, proceed: Next) -> Reply:
    """Only aurora-iopt1 comes back as a storage type; moto knows neither."""
    storage_type = request.params.pop("StorageType", "aurora" if request.operation in _CREATE else None)
    reply = proceed()
    if storage_type is not None:
        cluster_of(request).storage_type = None if storage_type == "aurora" else storage_type
    return reply


@contract(*_CREATE, "ModifyDBCluster")
def insights_are_kept(request: Request, proceed: Next) -> Reply:
    """Performance and Database Insights belong together: of those not sent with the others, the default is taken."""
    sent = {name: request.params[name] for name in _INSIGHTS if name in request.params}
    if not sent and request.operation == "ModifyDBCluster":
        return proceed()
    enabled, mode = bool(sent.get("EnablePerformanceInsights")), sent.get("DatabaseInsightsMode", "standard")
    days = sent.get("PerformanceInsightsRetentionPeriod", 7)
    if mode == "advanced" and not (enabled and days >= _ADVANCED_DAYS):
        raise ServiceError(
            "InvalidParameterCombination",
            "To enable the Advanced mode of Database Insights, modify your cluster to enable Performance Insights and "
            f"set the retention period for Performance Insights to at least {_ADVANCED_DAYS} days.",
        )
    reply = proceed()
    cluster = cluster_of(request)
    cluster.database_insights_mode = mode
    cluster.performance_insights_enabled = enabled
    cluster.performance_insights_retention_period = days if enabled else None
    key = sent.get("PerformanceInsightsKMSKeyId") or notes_on(cluster).get("insights_key")
    notes_on(cluster)["insights_key"] = key
    cluster.performance_insights_kms_key_id = key if enabled else None
    return reply


@contract(*_CREATE)
def extended_support_is_echoed(request: Request, proceed: Next) -> Reply:
    """EngineLifecycleSupport is kept; left out, Extended Support is on."""
    reply = proceed()
    cluster_of(request).engine_lifecycle_support = request.params.get(
        "EngineLifecycleSupport", "open-source-rds-extended-support"
    )
    return reply


@contract("ModifyDBCluster")
def the_key_of_insights_stays(request: Request, proceed: Next) -> Reply:
    """The key of Performance Insights is chosen once ("Turning Performance Insights on and off for Aurora")."""
    key, wanted = notes_on(cluster_of(request)).get("insights_key"), request.params.get("PerformanceInsightsKMSKeyId")
    if key and wanted and key_arn(request, wanted) != key:
        raise ServiceError("InvalidParameterCombination", "You can't change the KMS key of Performance Insights.")
    return proceed()


@contract("DescribeDBClusters")
def clusters_come_in_pages(request: Request, proceed: Next) -> Reply:
    """100 records a page; moto has no pages here."""
    return paginate(request, "DBClusters", proceed()["DBClusters"])


@contract("StartActivityStream", "StopActivityStream")
def activity_is_streamed(request: Request, _: Next) -> Reply:
    """Moto has neither; all that a cluster does goes to a Kinesis stream (Aurora user guide, "Activity streams")."""
    cluster = _cluster_at(request, "DBClusterNotFoundFault")
    notes = notes_on(cluster)
    notes["stream"] = f"aws-rds-das-{cluster.resource_id}" if request.operation == "StartActivityStream" else ""
    return {"Status": "started" if notes["stream"] else "stopped", "KinesisStreamName": notes["stream"]}


@contract("DescribeDBClusters")
def a_cluster_tells_its_activity_stream(request: Request, proceed: Next) -> Reply:
    """A cluster tells the stream that its activity goes to."""
    reply, clusters = proceed(), request.backend("rds").clusters
    for shown in reply["DBClusters"]:
        if stream := notes_on(clusters[shown["DBClusterIdentifier"]]).get("stream"):
            shown.update(ActivityStreamStatus="started", ActivityStreamKinesisStreamName=stream)
    return reply


def _cluster_at(request: Request, refusal: str) -> Any:
    """Return the cluster of the request's ARN."""
    arn = request.params["ResourceArn"]
    cluster = next((cluster for cluster in request.backend("rds").clusters.values() if cluster.arn == arn), None)
    if cluster is None:
        raise ServiceError(refusal, f"The resource {arn} is not found.")
    return cluster


@contract("EnableHttpEndpoint", "DisableHttpEndpoint")
def the_data_api_is_switched(request: Request, _: Next) -> Reply:
    """Moto has neither; of a cluster that is not serverless ModifyDBCluster does not switch it."""
    arn, cluster = request.params["ResourceArn"], _cluster_at(request, "ResourceNotFoundFault")
    # Not by its setter, which is for serverless clusters only.
    cluster._enable_http_endpoint = request.operation == "EnableHttpEndpoint"  # noqa: SLF001 -- see above
    return {"ResourceArn": arn, "HttpEndpointEnabled": cluster.http_endpoint_enabled}


@contract("RemoveRoleFromDBCluster")
def a_role_is_taken_from_a_cluster(request: Request, _: Next) -> Reply:
    """A role is removed from a cluster; moto can only add one."""
    roles, arn = cluster_of(request).associated_roles, request.params["RoleArn"]
    feature = request.params.get("FeatureName")
    associated = [role for role in roles if (role.role_arn, role.feature_name) == (arn, feature)]
    if not associated:
        raise ServiceError("DBClusterRoleNotFound", f"The role {arn} is not associated with the cluster.")
    roles.remove(associated[0])
    return {}


# -- changes and deletion --------------------------------------------------------------------------------------------


_DEFERRED_UNTIL_THE_WINDOW = {
    "EngineVersion": "EngineVersion",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "NewDBClusterIdentifier": "DBClusterIdentifier",
}


@contract("ModifyDBCluster")
def an_upgrade_goes_forward(request: Request, proceed: Next) -> Reply:
    """A version becomes one of its valid targets alone, and a new major must be allowed."""
    have, want = cluster_of(request).engine_version, request.params.get("EngineVersion", "")
    if want not in ("", have, *upgrade_targets(have)):
        raise ServiceError("InvalidParameterCombination", f"Cannot find upgrade path from {have} to {want}.")
    if want and family_of(want) != family_of(have) and not request.params.get("AllowMajorVersionUpgrade"):
        raise ServiceError(
            "InvalidParameterCombination",
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        )
    return proceed()


@contract("ModifyDBCluster")
def a_major_upgrade_moves_the_members(request: Request, proceed: Next) -> Reply:
    """Members get the named instance parameter group, or the new family's default; a name is for such upgrades only."""
    cluster = cluster_of(request)
    name, before = request.params.pop("DBInstanceParameterGroupName", None), family_of(cluster.engine_version)
    after = family_of(request.params.get("EngineVersion", cluster.engine_version))
    group = request.backend("rds").db_parameter_groups.get(name or "")
    if name and before == after:
        raise ServiceError(
            "InvalidParameterCombination",
            "The db-instance-parameter-group-name can only be specified for a major version upgrade.",
        )
    if name and group is None:
        raise ServiceError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    if name and group.family != after:
        raise ServiceError("InvalidParameterCombination", f"The parameter group {name} cannot be used for {after}.")
    reply = proceed()
    if before != family_of(cluster.engine_version):
        for member in cluster.members:
            member.db_parameter_group_name = name or f"default.{after}"
    return reply


@contract("ModifyDBCluster")
def what_is_not_immediate_waits(request: Request, proceed: Next) -> Reply:
    """Version, IAM authentication and name wait for the window in PendingModifiedValues, unless ApplyImmediately."""
    now = request.params.get("ApplyImmediately", False)
    waiting = (
        {}
        if now
        else {to: request.params.pop(name) for name, to in _DEFERRED_UNTIL_THE_WINDOW.items() if name in request.params}
    )
    reply = proceed()
    cluster = cluster_of(request)
    pending = {} if now else {**notes_on(cluster).get("pending", {}), **waiting}
    notes_on(cluster)["pending"] = pending
    cluster.pending_modified_values = pending or None
    return reply


@contract("ModifyDBCluster")
def iam_authentication_is_changed(request: Request, proceed: Next) -> Reply:
    """EnableIAMDatabaseAuthentication takes effect; moto ignores it."""
    reply = proceed()
    if "EnableIAMDatabaseAuthentication" in request.params:
        cluster_of(request).iam_auth = request.params["EnableIAMDatabaseAuthentication"]
    return reply


@contract("ModifyDBCluster")
def log_exports_are_changed_by_difference(request: Request, proceed: Next) -> Reply:
    """CloudwatchLogsExportConfiguration names what to add and what to take away."""
    change = request.params.pop("CloudwatchLogsExportConfiguration", {})
    reply = proceed()
    cluster = cluster_of(request)
    left = {*cluster.enabled_cloudwatch_logs_exports} - {*change.get("DisableLogTypes", [])}
    cluster.enabled_cloudwatch_logs_exports = sorted(left | {*change.get("EnableLogTypes", [])})
    return reply


@contract("ModifyDBCluster")
def another_parameter_group_waits_for_a_reboot(request: Request, proceed: Next) -> Reply:
    """A cluster parameter group newly chosen is in force once each member was rebooted."""
    before = cluster_of(request).parameter_group
    reply = proceed()
    cluster = cluster_of(request)
    # A major upgrade restarts all members.
    if cluster.parameter_group != before and not request.params.get("AllowMajorVersionUpgrade"):
        for member in cluster.members:
            notes_on(member)["cluster_parameters_wait"] = True
    return reply


@contract("DeleteDBCluster")
def a_final_snapshot_is_named_or_skipped(request: Request, proceed: Next) -> Reply:
    """Exactly one of SkipFinalSnapshot and FinalDBSnapshotIdentifier is given; a taken name is refused."""
    cluster, name = cluster_of(request), request.params.get("FinalDBSnapshotIdentifier")
    if cluster.deletion_protection or cluster.members:
        return proceed()
    if bool(name) == bool(request.params.get("SkipFinalSnapshot")):
        raise ServiceError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then allowed.",
        )
    if name and name in request.backend("rds").cluster_snapshots:
        raise ServiceError(
            "DBClusterSnapshotAlreadyExistsFault",
            f"Cannot create the cluster snapshot because one with the identifier {name} already exists.",
        )
    return proceed()


@contract("DeleteDBCluster", "CreateDBClusterSnapshot")
def a_snapshot_needs_room(request: Request, proceed: Next) -> Reply:
    """An account has a hundred manual snapshots of clusters (RDS user guide, "Quotas"); moto counts none."""
    snapshots = request.backend("rds").cluster_snapshots.values()
    taken = "FinalDBSnapshotIdentifier" in request.params or request.operation == "CreateDBClusterSnapshot"
    if taken and sum(each.snapshot_type == "manual" for each in snapshots) >= QUOTAS["ManualClusterSnapshots"]:
        raise ServiceError("SnapshotQuotaExceeded", "Cannot create more than 100 manual cluster snapshots")
    return proceed()


@contract("DeleteDBCluster")
def automated_backups_go_with_the_cluster(request: Request, proceed: Next) -> Reply:
    """Automated backups are deleted, unless DeleteAutomatedBackups is False; moto keeps the automated snapshot."""
    reply = proceed()
    snapshots = request.backend("rds").cluster_snapshots
    if request.params.get("DeleteAutomatedBackups", True):
        name = request.params["DBClusterIdentifier"]
        for id_, snapshot in list(snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.db_cluster_identifier == name:
                del snapshots[id_]
    return {"DBCluster": {**reply["DBCluster"], "Status": "deleting"}}


# -- the master user's secret ----------------------------------------------------------------------------------------


_RDS_ROTATES_AFTER: Final = {"AutomaticallyAfterDays": 7}


@contract("ModifyDBCluster")
def a_master_user_logs_in_one_way(request: Request, proceed: Next) -> Reply:
    """A master user who logs in by IAM has no password, and so no secret, until the type is ``password`` again."""
    cluster, type_ = cluster_of(request), request.params.pop("MasterUserAuthenticationType", None)
    by_iam = notes_on(cluster).get("by_iam", False) if type_ is None else type_ == "iam-db-auth"
    if by_iam and request.params.get("ManageMasterUserPassword"):
        raise ServiceError(
            "InvalidParameterCombination", "ManageMasterUserPassword can't be used with MasterUserAuthenticationType."
        )
    if by_iam and cluster.manage_master_user_password:
        request.params["ManageMasterUserPassword"] = False
    notes_on(cluster)["by_iam"] = by_iam
    return proceed()


@contract("CreateDBCluster", "ModifyDBCluster")
def the_master_secret_is_made_by_rds(request: Request, proceed: Next) -> Reply:
    """A managed master secret holds the master user's name and is rotated every 7 days from the start."""
    reply = proceed()
    cluster = cluster_of(request)
    if cluster.manage_master_user_password and not cluster.master_user_secret.secret.rotation_requested:
        secret = cluster.master_user_secret.secret
        secret.versions[secret.default_version_id]["secret_string"] = json.dumps(
            {"username": cluster.master_username, "password": secrets.token_urlsafe(24)}
        )
        secret.rotation_requested = secret.rotation_enabled = True
        notes_on(secret)["cluster"] = cluster
        schedule_rotation(secret, _RDS_ROTATES_AFTER)
    return reply
