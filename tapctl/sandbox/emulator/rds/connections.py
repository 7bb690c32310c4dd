"""A cluster's connections beyond its members: global clusters, replicas, forwarded writes, a gateway, a directory."""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rds.lifecycle import is_deleting
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("rds")


def _global_clusters(request: Request) -> dict[str, Any]:
    """Return all global clusters of the account by name, as moto's objects: it has them in one region."""
    clusters: dict[str, Any] = request.backend("rds", "us-east-1").global_clusters
    return clusters


def _global_cluster(request: Request, cluster: Any) -> str:
    """Name the global cluster that a cluster is a member of; empty if it is none's."""
    known = _global_clusters(request).items()
    return next((name for name, one in known if any(member.arn == cluster.arn for member in one.members)), "")


@contract("CreateGlobalCluster", "RemoveFromGlobalCluster")
def a_member_of_a_global_cluster_is_of_any_region(request: Request, proceed: Next) -> Reply:
    """The first member comes from any region, and any member leaves; moto looks in one region alone."""
    params = request.params
    name, new = params["GlobalClusterIdentifier"], request.operation == "CreateGlobalCluster"
    arn = params.pop("SourceDBClusterIdentifier", "") if new else params["DbClusterIdentifier"]
    if not arn:
        return proceed()
    clusters = request.backend("rds", arn.split(":")[3]).clusters.values()
    cluster = next((cluster for cluster in clusters if cluster.arn == arn), None)
    if cluster is None:
        raise ServiceError("DBClusterNotFoundFault", f"DBCluster {arn} not found.")
    if new:
        params.update(Engine=cluster.engine, EngineVersion=cluster.engine_version)
        proceed()
        _global_clusters(request)[name].members.append(cluster)
        cluster.global_cluster_identifier = _global_clusters(request)[name].global_cluster_arn
    else:
        _global_clusters(request)[name].members.remove(cluster)
        cluster.global_cluster_identifier = None
    told = request.call("DescribeGlobalClusters")["GlobalClusters"]
    return {"GlobalCluster": next(one for one in told if one["GlobalClusterIdentifier"] == name)}


@contract("DescribeDBClusters")
def a_member_tells_its_global_cluster(request: Request, proceed: Next) -> Reply:
    """A cluster tells the global cluster that it is a member of; moto does not."""
    reply = proceed()
    for shown in reply["DBClusters"]:
        name = _global_cluster(request, request.backend("rds").clusters[shown["DBClusterIdentifier"]])
        if name:
            shown["GlobalClusterIdentifier"] = name
    return reply


@contract("DeleteDBCluster")
def a_member_of_a_global_cluster_stays(request: Request, proceed: Next) -> Reply:
    """A member of a global cluster is not deleted, with the code of a cluster that is busy."""
    if _global_cluster(request, cluster_of(request)):
        raise ServiceError(
            "InvalidDBClusterStateFault",
            "This cluster is a part of a global cluster, please remove it from globalcluster first",
        )
    return proceed()


@contract("DeleteDBInstance")
def the_last_member_of_a_source_stays(request: Request, proceed: Next) -> Reply:
    """The last member of a cluster with replicas is not deleted, with the code of a cluster that is busy.

    The text is that of rebuy-de/aws-nuke#570.
    """
    rds = request.backend("rds")
    instance = rds.databases.get(request.params["DBInstanceIdentifier"])
    cluster = rds.clusters.get(getattr(instance, "db_cluster_identifier", None) or "")
    is_source = cluster is not None and bool(cluster.read_replica_identifiers)
    if is_source and all(member is instance or is_deleting(member) for member in cluster.members):
        raise ServiceError(
            "InvalidDBClusterStateFault",
            "Cannot delete the last instance of the master cluster. Delete the replica cluster before deleting the "
            "last master cluster instance.",
        )
    return proceed()


@contract("DeleteDBCluster")
def a_deleted_replica_leaves_its_source(request: Request, proceed: Next) -> Reply:
    """A source no longer names a replica that was deleted; moto goes on naming it."""
    arn = cluster_of(request).arn
    reply = proceed()
    for source in request.backend("rds").clusters.values():
        source.read_replica_identifiers = [replica for replica in source.read_replica_identifiers if replica != arn]
    return reply


_FORWARDING: Final = {
    "EnableLocalWriteForwarding": "LocalWriteForwardingStatus",
    "EnableGlobalWriteForwarding": "GlobalWriteForwardingStatus",
}


@contract("CreateDBCluster", "ModifyDBCluster", "DescribeDBClusters")
def writes_are_forwarded(request: Request, proceed: Next) -> Reply:
    """Readers, or a member of a global cluster, hand writes over to the writer; moto does not tell.

    Aurora user guide, "Local write forwarding"; ModifyDBCluster for what only a member of a global cluster does.
    """
    params = request.params
    if request.operation == "DescribeDBClusters":
        reply, clusters = proceed(), request.backend("rds").clusters
        for shown in reply["DBClusters"]:
            shown.update(notes_on(clusters[shown["DBClusterIdentifier"]]).get("forwarding", {}))
        return reply
    new = request.operation == "CreateDBCluster"
    is_member = "GlobalClusterIdentifier" in params if new else _global_cluster(request, cluster_of(request))
    if params.get("EnableGlobalWriteForwarding") and not is_member:
        raise ServiceError(
            "InvalidParameterCombination", "EnableGlobalWriteForwarding is for members of a global cluster only."
        )
    reply = proceed()
    told = {_FORWARDING[name]: "enabled" if params[name] else "disabled" for name in _FORWARDING if name in params}
    notes_on(cluster_of(request)).setdefault("forwarding", {}).update(told)
    return reply


@contract("RestoreDBClusterFromSnapshot", "DescribeDBClusters")
def a_cluster_may_be_reached_from_the_internet(request: Request, proceed: Next) -> Reply:
    """A cluster with an internet access gateway tells of it: restored with one, or given one since.

    RestoreDBClusterFromSnapshot and DBCluster in the RDS API reference. That a cluster is given one, by a parameter
    of ModifyDBCluster that older SDKs do not know, is scripted (``rds.internet-gateway``). Moto has none.
    """
    wanted = request.params.pop("EnableInternetAccessGateway", False)
    request.params.pop("EnableVPCNetworking", None)
    reply, clusters = proceed(), request.backend("rds").clusters
    if request.operation == "RestoreDBClusterFromSnapshot":
        notes_on(cluster_of(request))["gateway"] = wanted
        return reply
    shown = reply["DBClusters"]
    given = bool(shown and request.simulation.next_outcome("rds.internet-gateway"))
    for each in shown:
        notes = notes_on(clusters[each["DBClusterIdentifier"]])
        notes["gateway"] = notes.get("gateway", False) or given
        if notes["gateway"]:
            each.update(InternetAccessGatewayEnabled=True, VPCNetworkingEnabled=True)
    return reply


@contract("ModifyDBCluster", "DescribeDBClusters")
def a_cluster_joins_a_directory(request: Request, proceed: Next) -> Reply:
    """Users of a directory log in to its member by Kerberos, until its domain is ``none``; moto drops the change.

    Aurora user guide, "Managing a DB cluster in a domain" (PostgreSQL).
    """
    if request.operation == "DescribeDBClusters":
        reply, clusters = proceed(), request.backend("rds").clusters
        for shown in reply["DBClusters"]:
            if membership := notes_on(clusters[shown["DBClusterIdentifier"]]).get("directory"):
                shown["DomainMemberships"] = [membership]
        return reply
    domain, role = request.params.pop("Domain", ""), request.params.pop("DomainIAMRoleName", "")
    reply = proceed()
    if domain:
        membership = {"Domain": domain, "Status": "kerberos-enabled", "FQDN": "", "IAMRoleName": role}
        notes_on(cluster_of(request))["directory"] = membership if domain != "none" else {}
    return reply
