"""The contract: what is held against AWS once the ids are known, one test for each clause."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from moto.ec2.models import ec2_backends

from tapctl.aws.client import Aws
from tapctl.config import NetworkingReference
from tapctl.errors import NetworkingError
from tapctl.stack.network import MAX_SUBNETS, AddressDemand, NetworkContract, resolve
from tests.conftest import ACCOUNT, REGION, Network, add_endpoint
from tests.reconcilers.scripted import answer
from tests.support.remembering import forget


def static(vpc_id: str | None, subnet_ids: tuple[str, ...]) -> NetworkingReference:
    return NetworkingReference(kind="static", vpc_id=vpc_id, private_subnet_ids=subnet_ids)


@pytest.fixture
def good(network: Network) -> NetworkingReference:
    return static(network.vpc_id, network.subnet_ids)


def broken(aws: Aws, reference: NetworkingReference, *, function: bool = False, instances: int = 0) -> list[str]:
    with pytest.raises(NetworkingError) as raised:
        resolve(aws, reference, arrivals=AddressDemand(function, instances))
    assert raised.value.exit_code == 3
    return str(raised.value.evidence).splitlines()


def subnet(aws: Aws, vpc_id: str, cidr: str, zone: str = "a") -> str:
    made = aws.ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")
    return made["Subnet"]["SubnetId"]


def test_a_network_that_holds_its_contract_is_resolved(aws: Aws, network: Network, good: NetworkingReference) -> None:
    reference = good.model_copy(update={"private_subnet_ids": tuple(sorted(good.private_subnet_ids, reverse=True))})

    assert resolve(aws, reference) == NetworkContract(
        reference="static",
        vpc_id=network.vpc_id,
        subnet_ids=tuple(sorted(network.subnet_ids)),
        zones=("us-east-1a", "us-east-1b", "us-east-1c"),
    )


def test_ids_in_the_file_take_five_calls_and_none_changes_anything(aws: Aws, good: NetworkingReference) -> None:
    aws.call_log.calls.clear()

    resolve(aws, good)

    assert aws.call_log.calls.total() == 5
    assert not aws.call_log.changes


def test_a_missing_vpc(aws: Aws, good: NetworkingReference) -> None:
    lines = broken(aws, good.model_copy(update={"vpc_id": "vpc-0123abcd"}))

    assert lines[0] == "VPC: vpc-0123abcd does not exist in us-east-1"


def test_a_vpc_that_is_not_available(aws: Aws, good: NetworkingReference, network: Network) -> None:
    forget()
    ec2_backends[ACCOUNT][REGION].vpcs[network.vpc_id].state = "pending"

    assert broken(aws, good) == [f"VPC: {network.vpc_id} is pending, not available"]


def test_a_vpc_of_dedicated_tenancy(aws: Aws) -> None:
    vpc_id = aws.ec2.create_vpc(CidrBlock="10.1.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
    add_endpoint(aws.ec2, vpc_id)
    subnets = (subnet(aws, vpc_id, "10.1.0.0/24", "a"), subnet(aws, vpc_id, "10.1.1.0/24", "b"))

    assert broken(aws, static(vpc_id, subnets)) == [
        f"tenancy: {vpc_id} is of dedicated tenancy, which Lambda cannot attach to"
    ]


def test_a_vpc_without_dns_support(aws: Aws, good: NetworkingReference, network: Network) -> None:
    aws.ec2.modify_vpc_attribute(VpcId=network.vpc_id, EnableDnsSupport={"Value": False})

    assert broken(aws, good) == [
        f"DNS: DNS support (enableDnsSupport) is off in {network.vpc_id}; the database's name would not resolve"
    ]


def test_a_missing_subnet_hides_no_other(aws: Aws, good: NetworkingReference) -> None:
    missing = ("subnet-0123abcd", "subnet-0456abcd")

    assert broken(aws, good.model_copy(update={"private_subnet_ids": good.private_subnet_ids + missing})) == [
        "subnet: subnet-0123abcd does not exist in us-east-1",
        "subnet: subnet-0456abcd does not exist in us-east-1",
    ]


def test_a_subnet_of_another_vpc(aws: Aws, good: NetworkingReference, network: Network) -> None:
    other = aws.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    stranger = subnet(aws, other, "10.2.0.0/24")

    assert broken(aws, good.model_copy(update={"private_subnet_ids": (*good.private_subnet_ids, stranger)})) == [
        f"subnet: {stranger} is in {other}, not in {network.vpc_id}"
    ]


def test_a_subnet_that_is_not_available(aws: Aws, good: NetworkingReference, network: Network) -> None:
    forget()
    backend = ec2_backends[ACCOUNT][REGION]
    backend.get_subnet(network.subnet_ids[1]).state = "pending"

    assert broken(aws, good) == [f"subnet: {network.subnet_ids[1]} is pending, not available"]


def test_a_subnet_where_lambda_cannot_be(aws: Aws, good: NetworkingReference, network: Network) -> None:
    there = subnet(aws, network.vpc_id, "10.0.9.0/24", "e")
    told = f"zone: {there} is in us-east-1e (use1-az3), which Lambda does not serve"

    assert told in broken(aws, good.model_copy(update={"private_subnet_ids": (*good.private_subnet_ids, there)}))


def test_a_subnet_where_aurora_cannot_be(aws: Aws, good: NetworkingReference, network: Network) -> None:
    forget()
    vars(ec2_backends[ACCOUNT][REGION].get_subnet(network.subnet_ids[1]))["_availability_zone"] = SimpleNamespace(
        name="us-east-1-bos-1a", zone_id="use1-bos1-az1"
    )

    assert [line.partition(" (a Local")[0] for line in broken(aws, good)] == [
        f"zone: {network.subnet_ids[1]} is in us-east-1-bos-1a, no availability zone of us-east-1"
    ]


def test_a_subnet_of_ipv6_alone(aws: Aws, good: NetworkingReference, network: Network) -> None:
    forget()
    ec2_backends[ACCOUNT][REGION].get_subnet(network.subnet_ids[1]).ipv6_native = True

    assert broken(aws, good) == [f"addresses: {network.subnet_ids[1]} has IPv6 alone; Lambda and Aurora need IPv4"]


def test_a_subnet_on_an_outpost(aws: Aws, good: NetworkingReference, network: Network) -> None:
    described = aws.ec2.describe_subnets(SubnetIds=list(network.subnet_ids))
    described["Subnets"][1]["OutpostArn"] = "arn:aws:outposts:us-east-1:123456789012:outpost/op-1"

    answer(aws.ec2, "DescribeSubnets", dict(described))

    assert broken(aws, good) == [
        f"zone: {described['Subnets'][1]['SubnetId']} is on an Outpost, where Lambda cannot attach"
    ]


def test_a_subnet_of_another_vpc_is_no_second_zone(aws: Aws, network: Network) -> None:
    other = aws.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    stranger = subnet(aws, other, "10.2.0.0/24", "b")

    assert sorted(broken(aws, static(network.vpc_id, (network.subnet_ids[0], stranger)))) == [
        f"subnet: {stranger} is in {other}, not in {network.vpc_id}",
        "zones: the private subnets are in us-east-1a; Aurora needs at least 2 availability zones",
    ]


def test_subnets_in_one_zone(aws: Aws, network: Network) -> None:
    second = subnet(aws, network.vpc_id, "10.0.9.0/24")

    assert broken(aws, static(network.vpc_id, (network.subnet_ids[0], second))) == [
        "zones: the private subnets are in us-east-1a; Aurora needs at least 2 availability zones"
    ]


def test_subnets_in_no_zone(aws: Aws, network: Network) -> None:
    lines = broken(aws, static(network.vpc_id, ("subnet-0123abcd",)))

    assert lines[-1] == "zones: the private subnets are in none; Aurora needs at least 2 availability zones"


def fill(aws: Aws, subnet_id: str, *, leave: int) -> None:
    """Take addresses of the subnet until so many are left."""
    described = aws.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    for _ in range(described["AvailableIpAddressCount"] - leave):
        aws.ec2.create_network_interface(SubnetId=subnet_id)


@pytest.mark.parametrize(
    ("function", "instances", "needed", "who"),
    [
        (True, 1, 4, "2 for Lambda, 1 for a database instance and 1 to spare"),
        (True, 2, 5, "2 for Lambda, 2 for database instances and 1 to spare"),
        (True, 0, 3, "2 for Lambda and 1 to spare"),
        (False, 8, 9, "8 for database instances and 1 to spare"),
    ],
)
def test_too_few_free_addresses_in_one_subnet_for_what_is_to_be_created(
    aws: Aws, *, function: bool, instances: int, needed: int, who: str
) -> None:
    vpc_id = aws.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    add_endpoint(aws.ec2, vpc_id)
    small = subnet(aws, vpc_id, "10.1.9.0/28")
    reference = static(vpc_id, (subnet(aws, vpc_id, "10.1.0.0/24", "b"), small))
    fill(aws, small, leave=needed)
    resolve(aws, reference, arrivals=AddressDemand(function, instances))

    fill(aws, small, leave=needed - 1)

    assert broken(aws, reference, function=function, instances=instances) == [
        f"addresses: {small} has {needed - 1} free and {needed} are needed: {who}"
    ]


def test_as_many_instances_as_a_cluster_may_have_want_as_many_addresses(
    aws: Aws, good: NetworkingReference, network: Network
) -> None:
    small = subnet(aws, network.vpc_id, "10.0.9.0/28")
    reference = good.model_copy(update={"private_subnet_ids": (*good.private_subnet_ids, small)})

    assert broken(aws, reference, function=True, instances=16) == [
        f"addresses: {small} has 11 free and 19 are needed: 2 for Lambda, 16 for database instances and 1 to spare"
    ]


def test_free_addresses_do_not_count_if_nothing_is_to_be_created(
    aws: Aws, good: NetworkingReference, network: Network
) -> None:
    small = subnet(aws, network.vpc_id, "10.0.9.0/28")
    fill(aws, small, leave=0)
    reference = good.model_copy(update={"private_subnet_ids": (*good.private_subnet_ids, small)})

    assert small in resolve(aws, reference, arrivals=AddressDemand()).subnet_ids


def test_more_subnets_than_lambda_takes(aws: Aws, good: NetworkingReference) -> None:
    many = tuple(f"subnet-{at:08x}" for at in range(MAX_SUBNETS + 1))

    assert broken(aws, good.model_copy(update={"private_subnet_ids": many})) == [
        "subnets: there are 17, Lambda takes at most 16"
    ]


def test_as_many_subnets_as_lambda_takes(aws: Aws, network: Network) -> None:
    more = tuple(subnet(aws, network.vpc_id, f"10.0.{at}.0/24") for at in range(3, MAX_SUBNETS))

    assert len(resolve(aws, static(network.vpc_id, network.subnet_ids + more)).subnet_ids) == MAX_SUBNETS


def test_missing_ids(aws: Aws) -> None:
    aws.call_log.calls.clear()

    assert broken(aws, static(None, ())) == ["outputs: VpcId is missing", "outputs: PrivateSubnetIds is missing"]
    assert not aws.call_log.calls


def test_every_broken_clause_is_named_at_once(aws: Aws, network: Network) -> None:
    aws.ec2.modify_vpc_attribute(VpcId=network.vpc_id, EnableDnsSupport={"Value": False})
    other = aws.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    stranger = subnet(aws, other, "10.2.0.0/28")
    fill(aws, stranger, leave=0)

    with pytest.raises(NetworkingError) as raised:
        resolve(
            aws,
            static(network.vpc_id, (stranger, "subnet-0123abcd")),
            arrivals=AddressDemand(function=True, instances=1),
        )

    assert str(raised.value) == "the networking of static does not hold its contract: 5 clauses broken"
    kinds = [line.split(":")[0] for line in str(raised.value.evidence).splitlines()]
    assert sorted(kinds) == ["DNS", "addresses", "subnet", "subnet", "zones"]
    assert raised.value.hint
