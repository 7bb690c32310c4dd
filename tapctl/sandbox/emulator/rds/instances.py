"""Aurora instances: members of a cluster, which inherit from it and are rebooted into their parameters."""

from __future__ import annotations

import secrets
from typing import Any

from tapctl.sandbox.emulator.rds.catalog import CLASSES, family_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

# What only the cluster has → the words RDS refuses it with.
_THE_CLUSTERS = {
    "BackupRetentionPeriod": "backup retention period",
    "PreferredBackupWindow": "backup window",
    "VpcSecurityGroupIds": "vpc security group",
    "MasterUserPassword": "master user password",
    "MasterUsername": "master user name",
    "DBName": "database name",
    "Port": "port",
}
# Fields of a member that are its cluster's, under the same name in both.
_INHERITED = (
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "DatabaseInsightsMode",
    "PerformanceInsightsEnabled",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "StorageEncrypted",
    "KmsKeyId",
    "EngineLifecycleSupport",
    "VpcSecurityGroups",
)


def instance_of(call: Call) -> Any:
    """The instance a call names, as moto keeps it.

    Raises:
        Fault: there is none.
    """
    name = call.params["DBInstanceIdentifier"]
    instance = call.moto("rds").databases.get(name)
    if instance is None:
        raise Fault("DBInstanceNotFound", f"DBInstance {name} not found.")
    return instance


@rules("CreateDBInstance", "ModifyDBInstance", "RebootDBInstance", "DeleteDBInstance", "DescribeDBInstances")
def members_inherit_from_their_cluster(call: Call, proceed: Proceed) -> Reply:
    """Version, port, subnet group, key, Insights and IAM authentication of a member are its cluster's."""
    reply = proceed()
    shown = reply["DBInstances"] if call.operation == "DescribeDBInstances" else [reply["DBInstance"]]
    for one in shown:
        if "DBClusterIdentifier" in one:
            _inherit(call, one)
    return reply


def _inherit(call: Call, shown: dict[str, Any]) -> None:
    cluster = call.ask("DescribeDBClusters", DBClusterIdentifier=shown["DBClusterIdentifier"])["DBClusters"][0]
    for name in _INHERITED:
        shown[name] = cluster.get(name)
    shown.pop("StorageType", None)
    shown["Endpoint"] = {**shown["Endpoint"], "Port": cluster["Port"]}
    shown["DbInstancePort"] = 0
    groups = call.moto("rds").subnet_groups
    if cluster["DBSubnetGroup"] in groups:
        found = call.ask("DescribeDBSubnetGroups", DBSubnetGroupName=cluster["DBSubnetGroup"])
        shown["DBSubnetGroup"] = found["DBSubnetGroups"][0]
    instance = call.moto("rds").databases.get(shown["DBInstanceIdentifier"])
    waits = instance is not None and kept(instance).get("parameters_wait")
    for group in shown["DBParameterGroups"]:
        group["ParameterApplyStatus"] = "pending-reboot" if waits else "in-sync"


@rules("CreateDBInstance")
def a_member_takes_no_settings_of_its_cluster(call: Call, proceed: Proceed) -> Reply:
    """What the cluster manages is refused on a member."""
    if "DBClusterIdentifier" in call.params:
        for name, words in _THE_CLUSTERS.items():
            if name in call.params:
                raise Fault(
                    "InvalidParameterCombination",
                    f"The requested DB Instance will be a member of a DB Cluster. Set {words} for the DB Cluster.",
                )
    return proceed()


@rules("CreateDBInstance", "ModifyDBInstance")
def an_instance_class_must_exist(call: Call, proceed: Proceed) -> Reply:
    """A class that Aurora PostgreSQL has not is refused."""
    wanted = call.params.get("DBInstanceClass", CLASSES[0])
    if wanted not in CLASSES:
        raise Fault(
            "InvalidParameterCombination",
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={wanted}, Engine=aurora-postgresql.",
        )
    return proceed()


@rules("CreateDBInstance")
def a_member_is_a_thing_of_its_own(call: Call, proceed: Proceed) -> Reply:
    """It has its own resource id, is private unless told otherwise, sits in a zone of its own, and has no backup."""
    cluster = call.moto("rds").clusters.get(call.params.get("DBClusterIdentifier", ""))
    if cluster is None:
        return proceed()
    call.params.setdefault("PubliclyAccessible", False)
    call.params.setdefault("AvailabilityZone", cluster.availability_zones[len(cluster.members) % 3])
    reply = proceed()
    instance = instance_of(call)
    instance.dbi_resource_id = reply["DBInstance"]["DbiResourceId"] = f"db-{secrets.token_hex(13).upper()}"
    snapshots = call.moto("rds").database_snapshots
    for id_ in [id_ for id_, one in snapshots.items() if one.db_instance_identifier == instance.resource_id]:
        del snapshots[id_]
    return reply


@rules("CreateDBInstance", "ModifyDBInstance")
def a_parameter_group_is_of_the_family(call: Call, proceed: Proceed) -> Reply:
    """A member's parameter group exists and is of its engine's family."""
    name = call.params.get("DBParameterGroupName")
    rds = call.moto("rds")
    new = call.operation == "CreateDBInstance"
    owner = call.params.get("DBClusterIdentifier") if new else instance_of(call).db_cluster_identifier
    group, cluster = rds.db_parameter_groups.get(name or ""), rds.clusters.get(owner or "")
    if group is not None and cluster is not None and group.family != family_of(cluster.engine_version):
        raise Fault(
            "InvalidParameterCombination",
            f"The Parameter Group {name} with DBParameterGroupFamily {group.family} cannot be used for this instance. "
            f"Please use a Parameter Group with DBParameterGroupFamily {family_of(cluster.engine_version)}",
        )
    return proceed()


@rules("ModifyDBInstance")
def an_instance_change_that_is_not_immediate_waits(call: Call, proceed: Proceed) -> Reply:
    """Without ApplyImmediately another class waits for the window in PendingModifiedValues."""
    instance = instance_of(call)
    if call.params.get("ApplyImmediately"):
        instance.pending_modified_values = None
        return proceed()
    wanted = call.params.pop("DBInstanceClass", None)
    if wanted not in (None, instance.db_instance_class):
        instance.pending_modified_values = {"DBInstanceClass": wanted}
    return proceed()


@rules("ModifyDBInstance")
def another_instance_parameter_group_waits_for_a_reboot(call: Call, proceed: Proceed) -> Reply:
    """A parameter group newly chosen is in force after a reboot."""
    before = instance_of(call).db_parameter_group_name
    reply = proceed()
    if instance_of(call).db_parameter_group_name != before:
        kept(instance_of(call))["parameters_wait"] = True
    return reply


@rules("RebootDBInstance")
def a_reboot_applies_parameters(call: Call, proceed: Proceed) -> Reply:
    """What waited for a reboot, of the cluster's group too, is in force."""
    for waiting in ("parameters_wait", "cluster_parameters_wait"):
        kept(instance_of(call)).pop(waiting, None)
    return proceed()
