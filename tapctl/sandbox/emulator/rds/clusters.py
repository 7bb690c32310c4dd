"""Aurora clusters: what CreateDBCluster checks and keeps, and how RDS echoes it."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rds.catalog import family_of, full_version, key_arn, page
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("rds")

_INSIGHTS = (
    "DatabaseInsightsMode",
    "EnablePerformanceInsights",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
)
_ADVANCED_DAYS = 465


def cluster_of(call: Call) -> Any:
    """The cluster a call names, as moto keeps it.

    Raises:
        Fault: there is none.
    """
    name = call.params["DBClusterIdentifier"]
    cluster = call.moto("rds").clusters.get(name)
    if cluster is None:
        raise Fault("DBClusterNotFoundFault", f"DBCluster {name} not found.")
    return cluster


@rules(
    *("CreateDBCluster", "ModifyDBCluster", "FailoverDBCluster", "DescribeDBClusters"),
    *("StopDBCluster", "StartDBCluster"),
)
def a_cluster_is_shown_as_it_is(call: Call, proceed: Proceed) -> Reply:
    """The answer to a change is what is then kept, and says what waits for a reboot and whether the secret is ready."""
    reply = proceed()
    if call.operation == "DescribeDBClusters":
        return {**reply, "DBClusters": [_shown(call, one) for one in reply["DBClusters"]]}
    seen = call.ask("DescribeDBClusters", DBClusterIdentifier=call.params["DBClusterIdentifier"])
    return {"DBCluster": _shown(call, seen["DBClusters"][0])}


def _shown(call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    instances = call.moto("rds").databases
    for member in shown["DBClusterMembers"]:
        waits = kept(instances[member["DBInstanceIdentifier"]]).get("cluster_parameters_wait")
        member["DBClusterParameterGroupStatus"] = "pending-reboot" if waits else "in-sync"
    if "MasterUserSecret" in shown:
        # RDS may leave the secret "creating" until there is an instance to set the password in.
        shown["MasterUserSecret"]["SecretStatus"] = "active" if shown["DBClusterMembers"] else "creating"
    return shown


@rules("CreateDBCluster")
def a_cluster_is_made_once(call: Call, proceed: Proceed) -> Reply:
    """A name that is taken is refused; moto would overwrite the cluster."""
    if call.params["DBClusterIdentifier"] in call.moto("rds").clusters:
        raise Fault("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    return proceed()


@rules("CreateDBCluster", "ModifyDBCluster")
def an_engine_version_becomes_a_minor(call: Call, proceed: Proceed) -> Reply:
    """A bare major stands for its default minor; what cannot be created is refused."""
    if "EngineVersion" in call.params or "Engine" in call.params:
        call.params["EngineVersion"] = full_version(call.params.get("EngineVersion", "17"))
    return proceed()


@rules("CreateDBCluster", "ModifyDBCluster")
def a_cluster_needs_what_it_names(call: Call, proceed: Proceed) -> Reply:
    """Its subnet group, parameter group (of its family) and security groups must exist."""
    rds, params = call.moto("rds"), call.params
    if call.operation == "CreateDBCluster":
        params.setdefault("DBClusterParameterGroupName", f"default.{family_of(params['EngineVersion'])}")
        subnets = params.get("DBSubnetGroupName")
        if subnets is not None and subnets not in rds.subnet_groups:
            raise Fault("DBSubnetGroupNotFoundFault", f"DB subnet group '{subnets}' does not exist.")
    version = params.get("EngineVersion") or cluster_of(call).engine_version
    _check_parameters(rds, params.get("DBClusterParameterGroupName"), family_of(version))
    known = {one.id for one in call.moto("ec2").describe_security_groups()}
    for group in params.get("VpcSecurityGroupIds", []):
        if group not in known:
            raise Fault("InvalidParameterValue", f"Invalid security group , groupId= {group}, groupName=.")
    return proceed()


def _check_parameters(rds: Any, name: str | None, family: str) -> None:
    if name is None or name == f"default.{family}":
        return
    group = rds.db_cluster_parameter_groups.get(name)
    if group is None:
        raise Fault("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")
    if group.db_parameter_group_family != family:
        raise Fault(
            "InvalidParameterCombination",
            f"The Parameter Group {name} with DBParameterGroupFamily {group.db_parameter_group_family} cannot be used "
            f"for this instance. Please use a Parameter Group with DBParameterGroupFamily {family}",
        )


@rules("CreateDBCluster", "ModifyDBCluster")
def keys_are_usable_and_echoed_as_arns(call: Call, proceed: Proceed) -> Reply:
    """Whatever a key was named by, its ARN is kept; a key that is not enabled is refused."""
    for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId"):
        if name in call.params:
            call.params[name] = key_arn(call, call.params[name])
    if "MasterUserSecretKmsKeyId" in call.params:
        reference = call.params["MasterUserSecretKmsKeyId"]
        call.params["MasterUserSecretKmsKeyId"] = key_arn(call, reference, shown="null")
    return proceed()


@rules("CreateDBCluster")
def a_managed_password_is_not_given(call: Call, proceed: Proceed) -> Reply:
    """RDS makes the password, or the caller does, never both."""
    if call.params.get("ManageMasterUserPassword") and "MasterUserPassword" in call.params:
        raise Fault(
            "InvalidParameterCombination",
            "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
        )
    return proceed()


@rules("CreateDBCluster", "ModifyDBCluster")
def storage_type_aurora_is_not_echoed(call: Call, proceed: Proceed) -> Reply:
    """Only aurora-iopt1 comes back as a storage type; moto knows neither."""
    asked = call.params.pop("StorageType", "aurora" if call.operation == "CreateDBCluster" else None)
    reply = proceed()
    if asked is not None:
        cluster_of(call).storage_type = None if asked == "aurora" else asked
    return reply


@rules("CreateDBCluster", "ModifyDBCluster")
def insights_are_kept(call: Call, proceed: Proceed) -> Reply:
    """Performance and Database Insights belong together: of those not sent with the others, the default is taken."""
    sent = {name: call.params[name] for name in _INSIGHTS if name in call.params}
    if not sent and call.operation == "ModifyDBCluster":
        return proceed()
    enabled, mode = bool(sent.get("EnablePerformanceInsights")), sent.get("DatabaseInsightsMode", "standard")
    days = sent.get("PerformanceInsightsRetentionPeriod", 7)
    if mode == "advanced" and not (enabled and days >= _ADVANCED_DAYS):
        raise Fault(
            "InvalidParameterCombination",
            "To enable the Advanced mode of Database Insights, modify your cluster to enable Performance Insights and "
            f"set the retention period for Performance Insights to at least {_ADVANCED_DAYS} days.",
        )
    reply = proceed()
    cluster = cluster_of(call)
    cluster.database_insights_mode = mode
    cluster.performance_insights_enabled = enabled
    cluster.performance_insights_retention_period = days if enabled else None
    key = sent.get("PerformanceInsightsKMSKeyId") or kept(cluster).get("insights_key")
    kept(cluster)["insights_key"] = key
    cluster.performance_insights_kms_key_id = key if enabled else None
    return reply


@rules("CreateDBCluster")
def extended_support_is_echoed(call: Call, proceed: Proceed) -> Reply:
    """EngineLifecycleSupport is kept; left out, Extended Support is on."""
    reply = proceed()
    cluster_of(call).engine_lifecycle_support = call.params.get(
        "EngineLifecycleSupport", "open-source-rds-extended-support"
    )
    return reply


@rules("DescribeDBClusters")
def clusters_come_in_pages(call: Call, proceed: Proceed) -> Reply:
    """100 records a page; moto has no pages here."""
    return page(call, "DBClusters", proceed()["DBClusters"])


@rules("EnableHttpEndpoint", "DisableHttpEndpoint")
def the_data_api_is_switched(call: Call, _: Proceed) -> Reply:
    """Moto has neither; of a cluster that is not serverless ModifyDBCluster does not switch it."""
    arn = call.params["ResourceArn"]
    cluster = next((one for one in call.moto("rds").clusters.values() if one.arn == arn), None)
    if cluster is None:
        raise Fault("ResourceNotFoundFault", f"The resource {arn} is not found.")
    # Past its setter, which lets only serverless clusters have it.
    cluster._enable_http_endpoint = call.operation == "EnableHttpEndpoint"  # noqa: SLF001 -- see above
    return {"ResourceArn": arn, "HttpEndpointEnabled": cluster.http_endpoint_enabled}


@rules("RemoveRoleFromDBCluster")
def a_role_is_taken_from_a_cluster(call: Call, _: Proceed) -> Reply:
    """Moto can only add one."""
    roles, role = cluster_of(call).associated_roles, call.params["RoleArn"]
    there = [one for one in roles if (one.role_arn, one.feature_name) == (role, call.params.get("FeatureName"))]
    if not there:
        raise Fault("DBClusterRoleNotFound", f"The role {role} is not associated with the cluster.")
    roles.remove(there[0])
    return {}
