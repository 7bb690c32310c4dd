"""A networking stack that is not what the environment needs: each broken clause is named and nothing is created."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.backends import get_backend

from tests.conftest import add_endpoint
from tests.support.remembering import forget
from tests.support.world import World


@pytest.fixture
def stacks(world: World) -> Any:
    return world.client("cloudformation")


def refused(world: World, *told: str, verb: str = "apply") -> None:
    """Exit 3, nothing changed, and all of this said."""
    answer = world.tapctl(verb, "--env", "dev", *(("--yes",) if verb == "apply" else ()))
    assert (answer.code, answer.changes) == (3, ()), answer.err
    for text in ("error networking-contract", "nothing was changed", "hint", *told):
        assert text in answer.err
    assert not world.path().exists()


def template(stacks: Any) -> dict[str, Any]:
    """The networking stack as it is."""
    body = stacks.get_template(StackName="networking-dev")["TemplateBody"]
    found: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return found


def left_at(status: str) -> None:
    """The stack's last operation ended like this."""
    forget()
    for stack in get_backend("cloudformation")["123456789012"]["us-east-2"].stacks.values():
        stack.status = status


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_missing_stack(world: World, stacks: Any, verb: str) -> None:
    stacks.delete_stack(StackName="networking-dev")
    refused(world, "networking-dev", verb=verb)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_is_not_complete(world: World, status: str) -> None:
    left_at(status)
    refused(world, "networking-dev", status)


@pytest.mark.parametrize("output", ["VpcId", "PrivateSubnetIds"])
def test_a_stack_without_an_output(world: World, stacks: Any, output: str) -> None:
    changed = template(stacks)
    del changed["Outputs"][output]
    stacks.update_stack(StackName="networking-dev", TemplateBody=json.dumps(changed))
    refused(world, output)


def test_a_subnet_of_another_vpc(world: World, stacks: Any) -> None:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    changed = template(stacks)
    changed["Outputs"]["PrivateSubnetIds"]["Value"]["Fn::Join"][1].append(subnet)
    stacks.update_stack(StackName="networking-dev", TemplateBody=json.dumps(changed))
    refused(world, subnet, vpc)


def test_a_subnet_that_is_gone_and_too_few_zones_are_told_at_once(world: World, stacks: Any) -> None:
    changed = template(stacks)
    first = changed["Outputs"]["PrivateSubnetIds"]["Value"]["Fn::Join"][1][0]
    changed["Outputs"]["PrivateSubnetIds"]["Value"]["Fn::Join"][1] = [first, "subnet-0dead"]
    stacks.update_stack(StackName="networking-dev", TemplateBody=json.dumps(changed))
    refused(world, "subnet-0dead", "2 availability zones")


def test_a_subnet_that_the_internet_reaches_and_one_without_a_way_to_aws(world: World) -> None:
    ec2 = world.client("ec2")
    subnet = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/20"]}])["Subnets"][0]
    ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[each["VpcEndpointId"] for each in endpoints])
    refused(world, f"public: {subnet['SubnetId']}", f"way out: {subnet['SubnetId']}", verb="plan")


def elsewhere(world: World, size: str) -> list[str]:
    """Move dev to another VPC from now on; gives its subnets."""
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets: list[str] = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0{size}", AvailabilityZone=f"us-east-2{zone}")["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate("ab")
    ]
    add_endpoint(ec2, vpc, ServiceName="com.amazonaws.us-east-2.secretsmanager")
    ids = f'"static"\nnetwork.vpc_id = "{vpc}"\nnetwork.private_subnet_ids = {subnets}'
    world.edit("dev.toml", '"cloudformation:networking-dev"', ids)
    return subnets


@pytest.mark.soak
def test_subnets_without_room_for_every_instance(world: World) -> None:
    subnets = elsewhere(world, "/28")
    world.edit("dev.toml", "instance_count = 1", "instance_count = 16")
    needed = "has 11 free and 19 are needed: 2 for Lambda, 16 for database instances and 1 to spare"
    refused(world, *(f"{subnet} {needed}" for subnet in subnets), verb="plan")
    world.edit("dev.toml", "instance_count = 16", "instance_count = 8")
    assert world.tapctl("plan", "--env", "dev").code == 0


@pytest.mark.soak
def test_what_is_deployed_stays_when_its_networking_breaks(world: World) -> None:
    world.deploy()
    before = world.manifest()
    left_at("UPDATE_ROLLBACK_FAILED")
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (3, ())
    assert world.manifest() == before
    # Neither of these needs it.
    assert world.drift().code == 0
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0


@pytest.mark.soak
def test_what_is_deployed_stays_in_its_vpc(world: World) -> None:
    """Groups are held by what uses them, and a cluster moves to no other VPC: it is said before anything is begun."""
    world.deploy()
    elsewhere(world, "/24")
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    told = answer.out + answer.err
    assert "security-group/db-sg-dev: vpc_id cannot be changed in place" in told
    assert "it is never replaced because what uses it holds it" in told
    assert "put what is there into the configuration, or use another --suffix for a new stack" in told
    assert world.drift().code == 0
