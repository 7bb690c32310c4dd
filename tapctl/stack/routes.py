"""The subnets' routes: private ones lead to no internet gateway, and yet AWS's APIs can be reached from them.

AWS's facts are from the VPC user guide ("Route tables", "Access an AWS service using an interface VPC endpoint") and
the Lambda developer guide ("Giving Lambda functions access to resources in an Amazon VPC").
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tapctl.errors import AwsRefused
from tapctl.threads import in_background

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import RouteTableTypeDef, RouteTypeDef, SubnetTypeDef, VpcEndpointTypeDef

    from tapctl.aws.client import Aws

NEEDED_SERVICE: Final = "secretsmanager"
"""The one API that the function itself calls. Its logs, traces and environment are Lambda's own to send and to decrypt,
from outside the VPC; the token of the database is made without a call.
"""
_EVERYWHERE: Final = IPv4Network("0.0.0.0/0")
_TARGETS: Final = (
    *("NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId"),
    *("EgressOnlyInternetGatewayId", "CarrierGatewayId", "LocalGatewayId", "CoreNetworkArn", "GatewayId"),
)

T = TypeVar("T")


@dataclass
class Findings:
    """The broken clauses, and what could not be looked at: a line each."""

    broken: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def read(self, call: Callable[[], T], why: str) -> T | None:
        """Read something; None where a permission is missing, which is noted with ``why`` it was to be read.

        Raises:
            AwsRefused: AWS refused for any other reason.
        """
        try:
            return call()
        except AwsRefused as error:
            if not error.is_denied:
                raise
            self.unseen.append(f"{why}: {error.iam_action} is denied")
            return None


@dataclass(frozen=True)
class Routes:
    """A VPC's route tables and endpoints; None for what may not be read."""

    tables: list[RouteTableTypeDef] | None
    endpoints: list[VpcEndpointTypeDef] | None


def read_routes(aws: Aws, vpc_id: str, findings: Findings) -> Routes:
    """Read the VPC's route tables and endpoints: two calls, side by side."""
    endpoints = in_background(partial(_read_endpoints, aws, vpc_id, findings))
    pages = partial(aws.pages, aws.ec2.get_paginator("describe_route_tables"), Filters=_of_vpc(vpc_id))
    listed = findings.read(pages, "whether the subnets are private")
    tables = None if listed is None else [table for page in listed for table in page["RouteTables"]]
    return Routes(tables, endpoints.result())


def _read_endpoints(aws: Aws, vpc_id: str, findings: Findings) -> list[VpcEndpointTypeDef] | None:
    pages = partial(aws.pages, aws.ec2.get_paginator("describe_vpc_endpoints"), Filters=_of_vpc(vpc_id))
    listed = findings.read(pages, "which interface endpoints there are")
    return None if listed is None else [endpoint for page in listed for endpoint in page["VpcEndpoints"]]


def _of_vpc(vpc_id: str) -> Any:
    return [{"Name": "vpc-id", "Values": [vpc_id]}]


def check_routes(
    routes: Routes, subnets: Mapping[str, SubnetTypeDef], vpc_id: str, region: str, findings: Findings
) -> None:
    """Check that no subnet is public, and that AWS's APIs can be reached from each."""
    closed: list[str] = []
    elsewhere: list[str] = []
    for subnet_id, subnet in sorted(subnets.items()):
        if subnet.get("MapPublicIpOnLaunch"):
            findings.broken.append(f"public: {subnet_id} gives public addresses on launch (MapPublicIpOnLaunch)")
        if routes.tables is None:
            continue
        table = _table_of(routes.tables, subnet_id)
        if table is None:
            findings.unseen.append(f"whether {subnet_id} is private: its route table does not show")
            continue
        live = table.get("Routes", [])
        if gateways := [f"{_destination(route)} to {_target(route)}" for route in live if _is_public(route)]:
            findings.broken.append(f"public: {subnet_id} has a route to the internet: {', '.join(gateways)}")
        elif not _has_default(live):
            (elsewhere if any(map(_leads_elsewhere, live)) else closed).append(subnet_id)
    service = f"{region}.{NEEDED_SERVICE}"
    ours = [endpoint for endpoint in routes.endpoints or () if _serves(endpoint, service)]
    if any(endpoint.get("PrivateDnsEnabled") for endpoint in ours):
        return
    # Without private DNS, a private zone of Route 53 may still name it.
    may_be_there = routes.endpoints is None or bool(ours)
    findings.broken += (
        []
        if may_be_there
        else [
            f"way out: {subnet_id} has no default route (NAT gateway, transit gateway …), and {vpc_id} no interface "
            f"endpoint {service}: the function would hang at its first call to AWS"
            for subnet_id in closed
        ]
    )
    if hidden := sorted([*elsewhere, *(closed if may_be_there else ())]):
        findings.unseen.append(
            f"whether the function reaches Secrets Manager from {', '.join(hidden)}: no default route leads out, and "
            f"no endpoint {service} with private DNS shows in {vpc_id}"
        )


def _table_of(tables: list[RouteTableTypeDef], subnet_id: str) -> RouteTableTypeDef | None:
    """The table that is associated with the subnet, or else the VPC's main one."""
    links = [(table, link) for table in tables for link in table.get("Associations", [])]
    own = next((table for table, link in links if link.get("SubnetId") == subnet_id), None)
    return own or next((table for table, link in links if link.get("Main")), None)


def _target(route: RouteTypeDef) -> str:
    return next((str(value) for name in _TARGETS if (value := route.get(name))), "")


def _destination(route: RouteTypeDef) -> str:
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return next((str(value) for name in names if (value := route.get(name))), "")


def _is_public(route: RouteTypeDef) -> bool:
    # A "blackhole" too: its gateway is detached, and comes back with one call.
    return _target(route).startswith("igw-")


def _leaves(route: RouteTypeDef) -> bool:
    return route.get("State", "active") == "active" and _target(route) not in ("", "local")


def _has_default(routes: Collection[RouteTypeDef]) -> bool:
    """True if the routes that leave the VPC cover every IPv4 address, be it in halves."""
    return _EVERYWHERE in collapse_addresses(_networks(routes))


def _networks(routes: Collection[RouteTypeDef]) -> Iterator[IPv4Network]:
    for route in routes:
        if _leaves(route) and (block := route.get("DestinationCidrBlock")):
            yield IPv4Network(block)


def _leads_elsewhere(route: RouteTypeDef) -> bool:
    """True for a route to another network, where endpoints may be shared; a gateway endpoint's is none."""
    own_endpoint = _target(route).startswith("vpce-") and bool(route.get("DestinationPrefixListId"))
    return _leaves(route) and not own_endpoint and not _target(route).startswith("eigw-")


def _serves(endpoint: VpcEndpointTypeDef, service: str) -> bool:
    # com.amazonaws.<region>.<service>, in China cn.com.amazonaws.…
    return (
        endpoint.get("VpcEndpointType", "").lower() == "interface"
        and endpoint.get("State", "").lower() == "available"
        and endpoint.get("ServiceName", "").endswith(f".{service}")
    )
