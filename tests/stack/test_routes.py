"""The subnets' routes: no public subnet, and a way to AWS's APIs from each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tapctl.config import NetworkingReference
from tapctl.errors import AwsRefused, NetworkingError
from tapctl.stack.network import resolve
from tests.conftest import REGION, Network, add_endpoint
from tests.reconcilers.scripted import DENIED, refuse
from tests.support.remembering import forget

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef


class Bench:
    """A VPC whose subnets have no way out, until a test gives them one."""

    def __init__(self, aws: Aws, network: Network) -> None:
        self.aws, self.network = aws, network
        self.said: list[str] = []
        self.reference = NetworkingReference(
            kind="static", vpc_id=network.vpc_id, private_subnet_ids=network.subnet_ids
        )
        endpoints = aws.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[each["VpcEndpointId"] for each in endpoints])
        main: list[FilterTypeDef] = [
            {"Name": "vpc-id", "Values": [network.vpc_id]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        self.main: str = aws.ec2.describe_route_tables(Filters=main)["RouteTables"][0]["RouteTableId"]

    def route(self, table: str = "", cidr: str = "0.0.0.0/0", **target: Any) -> None:
        self.aws.ec2.create_route(RouteTableId=table or self.main, DestinationCidrBlock=cidr, **target)

    def internet_gateway(self) -> str:
        gateway = self.aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.network.vpc_id)
        return gateway

    def nat_gateway(self) -> str:
        address = self.aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
        made = self.aws.ec2.create_nat_gateway(SubnetId=self.network.subnet_ids[0], AllocationId=address)
        return made["NatGateway"]["NatGatewayId"]

    def peering(self) -> str:
        other = self.aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        made = self.aws.ec2.create_vpc_peering_connection(VpcId=self.network.vpc_id, PeerVpcId=other)
        return made["VpcPeeringConnection"]["VpcPeeringConnectionId"]

    def table_of(self, at: int) -> str:
        table = self.aws.ec2.create_route_table(VpcId=self.network.vpc_id)["RouteTable"]["RouteTableId"]
        self.aws.ec2.associate_route_table(RouteTableId=table, SubnetId=self.network.subnet_ids[at])
        return table

    def resolve(self) -> list[str]:
        """The broken clauses; what was not checked is in `said`."""
        self.said.clear()
        try:
            resolve(self.aws, self.reference, warn=self.said.append)
        except NetworkingError as error:
            return str(error.evidence).splitlines()
        return []


@pytest.fixture
def bench(aws: Aws, network: Network) -> Bench:
    return Bench(aws, network)


def closed(bench: Bench, *subnets: str) -> list[str]:
    return [
        f"way out: {subnet} has no default route (NAT gateway, transit gateway …), and {bench.network.vpc_id} no "
        f"interface endpoint {REGION}.secretsmanager: the function would hang at its first call to AWS"
        for subnet in sorted(subnets)
    ]


def test_subnets_without_a_way_to_aws_are_a_broken_clause(bench: Bench) -> None:
    assert bench.resolve() == closed(bench, *bench.network.subnet_ids)
    assert not bench.said


def test_a_nat_gateway_is_a_way(bench: Bench) -> None:
    bench.route(NatGatewayId=bench.nat_gateway())

    assert (bench.resolve(), bench.said) == ([], [])


def test_halves_make_a_default_route(bench: Bench) -> None:
    gateway = bench.nat_gateway()
    bench.route(cidr="0.0.0.0/1", NatGatewayId=gateway)
    assert bench.resolve() == []
    assert "no default route leads out" in bench.said[0]

    bench.route(cidr="128.0.0.0/1", NatGatewayId=gateway)

    assert (bench.resolve(), bench.said) == ([], [])


def test_a_subnet_s_own_table_counts_before_the_main_one(bench: Bench) -> None:
    bench.route(NatGatewayId=bench.nat_gateway())
    bench.table_of(1)

    assert bench.resolve() == closed(bench, bench.network.subnet_ids[1])


def test_an_interface_endpoint_is_a_way(bench: Bench) -> None:
    add_endpoint(bench.aws.ec2, bench.network.vpc_id)

    assert (bench.resolve(), bench.said) == ([], [])


@pytest.mark.parametrize(
    "more",
    [
        {"ServiceName": f"com.amazonaws.{REGION}.kms"},
        {"ServiceName": "com.amazonaws.eu-west-1.secretsmanager"},
        {"VpcEndpointType": "Gateway", "ServiceName": f"com.amazonaws.{REGION}.s3"},
    ],
)
def test_an_endpoint_of_something_else_is_none(bench: Bench, more: dict[str, str]) -> None:
    add_endpoint(bench.aws.ec2, bench.network.vpc_id, **more)

    assert bench.resolve() == closed(bench, *bench.network.subnet_ids)


def test_an_endpoint_that_is_gone_is_none(bench: Bench) -> None:
    bench.aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[add_endpoint(bench.aws.ec2, bench.network.vpc_id)])

    assert bench.resolve() == closed(bench, *bench.network.subnet_ids)


def test_an_endpoint_without_private_dns_may_be_named_elsewhere_which_is_said(bench: Bench) -> None:
    add_endpoint(bench.aws.ec2, bench.network.vpc_id, PrivateDnsEnabled=False)

    assert bench.resolve() == []
    subnets = ", ".join(sorted(bench.network.subnet_ids))
    (said,) = bench.said
    assert said == (
        f"not checked in the networking of static: whether the function reaches Secrets Manager from {subnets}: no "
        f"default route leads out, and no endpoint {REGION}.secretsmanager with private DNS shows in "
        f"{bench.network.vpc_id}"
    )


def test_a_route_to_another_network_may_lead_to_a_shared_endpoint_which_is_said(bench: Bench) -> None:
    bench.route(bench.table_of(0), "10.9.0.0/16", VpcPeeringConnectionId=bench.peering())

    assert bench.resolve() == closed(bench, *bench.network.subnet_ids[1:])
    assert len(bench.said) == 1
    assert bench.network.subnet_ids[0] in bench.said[0]


def test_a_route_to_an_internet_gateway_makes_a_subnet_public(bench: Bench) -> None:
    gateway = bench.internet_gateway()
    bench.route(bench.table_of(2), GatewayId=gateway)
    bench.route(NatGatewayId=bench.nat_gateway())

    assert bench.resolve() == [
        f"public: {bench.network.subnet_ids[2]} has a route to the internet: 0.0.0.0/0 to {gateway}"
    ]


def test_a_subnet_that_gives_public_addresses_is_public(bench: Bench) -> None:
    add_endpoint(bench.aws.ec2, bench.network.vpc_id)
    subnet = bench.network.subnet_ids[0]
    bench.aws.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})

    assert bench.resolve() == [f"public: {subnet} gives public addresses on launch (MapPublicIpOnLaunch)"]


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("DescribeRouteTables", ["whether the subnets are private: ec2:DescribeRouteTables is denied"]),
        (
            "DescribeVpcEndpoints",
            [
                "whether the function reaches Secrets Manager from ",
                "which interface endpoints there are: ec2:DescribeVpcEndpoints is denied",
            ],
        ),
        (
            "DescribeVpcAttribute",
            ["whether DNS support (enableDnsSupport) is on: ec2:DescribeVpcAttribute is denied"],
        ),
    ],
)
def test_what_may_not_be_looked_at_is_said_and_is_no_broken_clause(
    bench: Bench, operation: str, told: list[str]
) -> None:
    if operation != "DescribeVpcEndpoints":
        add_endpoint(bench.aws.ec2, bench.network.vpc_id)

    with refuse(bench.aws.ec2, operation, *DENIED):
        assert bench.resolve() == []

    assert len(bench.said) == len(told)
    assert all(
        line.startswith(f"not checked in the networking of static: {start}")
        for line, start in zip(bench.said, told, strict=True)
    )


@pytest.mark.parametrize("operation", ["DescribeRouteTables", "DescribeVpcEndpoints"])
def test_any_other_refusal_goes_through(bench: Bench, operation: str) -> None:
    with refuse(bench.aws.ec2, operation, "InternalError"), pytest.raises(AwsRefused):
        bench.resolve()


def test_a_table_that_does_not_show_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr("moto.ec2.models.route_tables.RouteBackend.describe_route_tables", lambda *_, **__: [])

    assert bench.resolve() == []
    assert len(bench.said) == 3
    assert "its route table does not show" in bench.said[0]
