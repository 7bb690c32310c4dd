"""Hosts of databases: those of their partition, and the custom endpoints of clusters."""

from __future__ import annotations

import uuid
from typing import Any, Final

from tapctl.sandbox.emulator.rds.clusters import cluster_of
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract = Rules("rds")

_MOST: Final = 5
_DATABASES: Final = ("DBCluster", "DBInstance")


@contract(
    *(f"{verb}{kind}" for verb in ("Create", "Modify", "Delete") for kind in _DATABASES),
    *(f"Describe{kind}s" for kind in _DATABASES),
    *("CreateDBClusterEndpoint", "DescribeDBClusterEndpoints", "RestoreDBClusterFromSnapshot"),
)
def a_host_in_china_has_another_form(request: Request, proceed: Next) -> Reply:
    """In China ``rds`` stands before the region, and the domain is another (aws-advanced-jdbc-wrapper, ``RdsUtils``).

    Moto has one form for all partitions.
    """
    reply = proceed()
    if request.partition != "aws-cn":
        return reply
    end = f".{request.region}.rds.amazonaws.com"
    renamed: Reply = _with_other_ends(reply, end, f".rds.{request.region}.amazonaws.com.cn")
    return renamed


def _with_other_ends(value: Any, end: str, other: str) -> Any:
    """Copy an answer; each text in it that ends so ends otherwise."""
    if isinstance(value, dict):
        return {name: _with_other_ends(each, end, other) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_other_ends(each, end, other) for each in value]
    return value.removesuffix(end) + other if isinstance(value, str) and value.endswith(end) else value


def _custom(cluster: Any) -> dict[str, dict[str, Any]]:
    """Return the custom endpoints of a cluster, one of moto's objects, by name: they are lost with it."""
    endpoints: dict[str, dict[str, Any]] = notes_on(cluster).setdefault("endpoints", {})
    return endpoints


@contract("CreateDBClusterEndpoint")
def a_cluster_has_few_custom_endpoints(request: Request, _: Next) -> Reply:
    """Moto has no endpoints; a cluster has five, each of a name that is free in the region, for members of its own.

    Aurora user guide, "Custom endpoints for Amazon Aurora". DeleteDBCluster names no refusal because of one: they go
    with their cluster.
    """
    cluster, params = cluster_of(request), request.params
    name, mine = params["DBClusterEndpointIdentifier"].lower(), _custom(cluster)
    if any(name in _custom(each) for each in request.backend("rds").clusters.values()):
        raise ServiceError("DBClusterEndpointAlreadyExistsFault", f"DB cluster endpoint {name} already exists.")
    if len(mine) == _MOST:
        raise ServiceError("DBClusterEndpointQuotaExceededFault", "The cluster already has 5 custom endpoints.")
    known = {member.db_instance_identifier for member in cluster.members}
    if unknown := {*params.get("StaticMembers", []), *params.get("ExcludedMembers", [])} - known:
        raise ServiceError("DBInstanceNotFound", f"DBInstance {min(unknown)} not found in the cluster.")
    host = cluster.endpoint.replace(f"{cluster.db_cluster_identifier}.cluster-", f"{name}.cluster-custom-")
    mine[name] = {
        "DBClusterEndpointIdentifier": name,
        "DBClusterIdentifier": cluster.db_cluster_identifier,
        "DBClusterEndpointResourceIdentifier": f"cluster-endpoint-{uuid.uuid4().hex[:26].upper()}",
        "DBClusterEndpointArn": request.arn("rds", f"cluster-endpoint:{name}"),
        "Endpoint": host,
        "Status": "available",
        "EndpointType": "CUSTOM",
        "CustomEndpointType": params["EndpointType"],
        "StaticMembers": params.get("StaticMembers", []),
        "ExcludedMembers": params.get("ExcludedMembers", []),
    }
    return mine[name]


@contract("DeleteDBClusterEndpoint", "DescribeDBClusterEndpoints")
def custom_endpoints_are_listed_and_deleted(request: Request, _: Next) -> Reply:
    """The custom endpoints of a cluster, or of all, are listed; one is deleted by its name."""
    clusters, params = request.backend("rds").clusters.values(), request.params
    if request.operation == "DescribeDBClusterEndpoints":
        wanted = [cluster_of(request)] if "DBClusterIdentifier" in params else clusters
        return {"DBClusterEndpoints": [endpoint for cluster in wanted for endpoint in _custom(cluster).values()]}
    name = params["DBClusterEndpointIdentifier"].lower()
    endpoints = next((_custom(cluster) for cluster in clusters if name in _custom(cluster)), None)
    if endpoints is None:
        raise ServiceError("DBClusterEndpointNotFoundFault", f"DB cluster endpoint {name} not found.")
    return endpoints.pop(name) | {"Status": "deleting"}


@contract("DescribeDBClusters")
def a_cluster_tells_its_custom_endpoints(request: Request, proceed: Next) -> Reply:
    """A cluster tells the hosts of its custom endpoints."""
    reply, clusters = proceed(), request.backend("rds").clusters
    for shown in reply["DBClusters"]:
        if mine := _custom(clusters[shown["DBClusterIdentifier"]]):
            shown["CustomEndpoints"] = [endpoint["Endpoint"] for endpoint in mine.values()]
    return reply
