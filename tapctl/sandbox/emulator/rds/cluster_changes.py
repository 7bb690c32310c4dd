"""Aurora clusters: how a change takes effect, and how a cluster goes."""

from __future__ import annotations

from tapctl.sandbox.emulator.rds.catalog import family_of
from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

_DEFERRED = {"EngineVersion": "EngineVersion", "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled"}


@rules("ModifyDBCluster")
def an_upgrade_goes_forward(call: Call, proceed: Proceed) -> Reply:
    """A version is never taken back, and a new major must be allowed."""
    have, want = cluster_of(call).engine_version, call.params.get("EngineVersion", "")
    old, new = ([int(part) for part in version.split(".") if part] for version in (have, want))
    if new and new < old:
        raise Fault("InvalidParameterCombination", f"Cannot find upgrade path from {have} to {want}.")
    if new and new[0] > old[0] and not call.params.get("AllowMajorVersionUpgrade"):
        raise Fault(
            "InvalidParameterCombination",
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        )
    return proceed()


@rules("ModifyDBCluster")
def a_major_upgrade_moves_the_members(call: Call, proceed: Proceed) -> Reply:
    """They get the instance parameter group that is named, or the default of the new family; else none may be named."""
    cluster = cluster_of(call)
    name, before = call.params.pop("DBInstanceParameterGroupName", None), family_of(cluster.engine_version)
    after = family_of(call.params.get("EngineVersion", cluster.engine_version))
    group = call.moto("rds").db_parameter_groups.get(name or "")
    if name and before == after:
        raise Fault(
            "InvalidParameterCombination",
            "The db-instance-parameter-group-name can only be specified for a major version upgrade.",
        )
    if name and group is None:
        raise Fault("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    if name and group.family != after:
        raise Fault("InvalidParameterCombination", f"The parameter group {name} cannot be used for {after}.")
    reply = proceed()
    if before != family_of(cluster.engine_version):
        for member in cluster.members:
            member.db_parameter_group_name = name or f"default.{after}"
    return reply


@rules("ModifyDBCluster")
def what_is_not_immediate_waits(call: Call, proceed: Proceed) -> Reply:
    """Without ApplyImmediately, version and IAM authentication wait for the window in PendingModifiedValues."""
    now = call.params.get("ApplyImmediately", False)
    waiting = {} if now else {to: call.params.pop(name) for name, to in _DEFERRED.items() if name in call.params}
    reply = proceed()
    cluster = cluster_of(call)
    pending = {} if now else {**kept(cluster).get("pending", {}), **waiting}
    kept(cluster)["pending"] = pending
    cluster.pending_modified_values = pending or None
    return reply


@rules("ModifyDBCluster")
def iam_authentication_is_changed(call: Call, proceed: Proceed) -> Reply:
    """EnableIAMDatabaseAuthentication takes effect; moto ignores it."""
    reply = proceed()
    if "EnableIAMDatabaseAuthentication" in call.params:
        cluster_of(call).iam_auth = call.params["EnableIAMDatabaseAuthentication"]
    return reply


@rules("ModifyDBCluster")
def log_exports_are_changed_by_difference(call: Call, proceed: Proceed) -> Reply:
    """CloudwatchLogsExportConfiguration names what to add and what to take away."""
    change = call.params.pop("CloudwatchLogsExportConfiguration", {})
    reply = proceed()
    cluster = cluster_of(call)
    left = {*cluster.enabled_cloudwatch_logs_exports} - {*change.get("DisableLogTypes", [])}
    cluster.enabled_cloudwatch_logs_exports = sorted(left | {*change.get("EnableLogTypes", [])})
    return reply


@rules("ModifyDBCluster")
def another_parameter_group_waits_for_a_reboot(call: Call, proceed: Proceed) -> Reply:
    """A cluster parameter group newly chosen is in force once each member was rebooted."""
    before = cluster_of(call).parameter_group
    reply = proceed()
    cluster = cluster_of(call)
    # A major upgrade restarts them all.
    if cluster.parameter_group != before and not call.params.get("AllowMajorVersionUpgrade"):
        for member in cluster.members:
            kept(member)["cluster_parameters_wait"] = True
    return reply


@rules("DeleteDBCluster")
def a_final_snapshot_is_named_or_skipped(call: Call, proceed: Proceed) -> Reply:
    """One of SkipFinalSnapshot and FinalDBSnapshotIdentifier, not both and not neither; a taken name is refused."""
    cluster, name = cluster_of(call), call.params.get("FinalDBSnapshotIdentifier")
    if cluster.deletion_protection or cluster.members:
        return proceed()
    if bool(name) == bool(call.params.get("SkipFinalSnapshot")):
        raise Fault(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then allowed.",
        )
    if name and name in call.moto("rds").cluster_snapshots:
        raise Fault(
            "DBClusterSnapshotAlreadyExistsFault",
            f"Cannot create the cluster snapshot because one with the identifier {name} already exists.",
        )
    return proceed()


@rules("DeleteDBCluster")
def automated_backups_go_with_the_cluster(call: Call, proceed: Proceed) -> Reply:
    """Unless DeleteAutomatedBackups is False; moto keeps the automated snapshot."""
    reply = proceed()
    snapshots = call.moto("rds").cluster_snapshots
    if call.params.get("DeleteAutomatedBackups", True):
        name = call.params["DBClusterIdentifier"]
        for id_, one in list(snapshots.items()):
            if one.snapshot_type == "automated" and one.db_cluster_identifier == name:
                del snapshots[id_]
    return {"DBCluster": {**reply["DBCluster"], "Status": "deleting"}}
