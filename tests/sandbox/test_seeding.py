from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import pytest

from tapctl import sandbox
from tapctl.aws.client import Aws, Connection
from tapctl.config import Config, load_all
from tapctl.errors import SandboxError
from tapctl.sandbox.seeding import load_seed
from tests.support.config_folder import ENVIRONMENTS

SEED = sandbox.Seed("us-east-1", "net", ("repo", "1"))


def test_the_stack_is_a_network_in_three_zones(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, SEED)
    (stack,) = aws.cloudformation.describe_stacks(StackName="net")["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    subnets = aws.ec2.describe_subnets(SubnetIds=outputs["PrivateSubnetIds"].split(","))["Subnets"]
    assert {one["VpcId"] for one in subnets} == {outputs["VpcId"]}
    assert {one["AvailabilityZone"] for one in subnets} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    dns = aws.ec2.describe_vpc_attribute(VpcId=outputs["VpcId"], Attribute="enableDnsSupport")
    assert dns["EnableDnsSupport"]["Value"] is True


def test_the_stack_is_of_its_region(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, replace(SEED, region="us-west-2"))
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


def test_it_has_each_account_that_is_asked_for_and_what_is_in_one_is_in_no_other(aws: Aws, sandbox_url: str) -> None:
    other = replace(SEED, account="210987654321")
    load_seed(sandbox_url, other)
    credentials = sandbox.credentials_of(other.account)
    there = Aws(Connection(other.region, endpoint_url=sandbox_url, credentials=credentials))
    assert there.identify("210987654321").account == "210987654321"
    (stack,) = there.cloudformation.describe_stacks()["Stacks"]
    assert ":210987654321:" in stack["StackId"]
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize("region", ["us-west-1", "ap-northeast-1", "ca-central-1", "us-gov-west-1"])
def test_its_zones_are_those_of_the_region(sandbox_url: str, region: str) -> None:
    load_seed(sandbox_url, replace(SEED, region=region))
    ec2 = Aws(Connection(region, endpoint_url=sandbox_url, credentials=sandbox.credentials_of(""))).ec2
    known = {one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]}
    zones = {one["AvailabilityZone"] for one in ec2.describe_subnets()["Subnets"] if not one["DefaultForAz"]}
    assert zones <= known
    assert len(zones) == min(len(known), 3)


def test_a_region_the_embedded_aws_has_not_is_named(sandbox_url: str) -> None:
    with pytest.raises(SandboxError, match="the embedded AWS has no region eu-isoe-west-1") as caught:
        load_seed(sandbox_url, replace(SEED, region="eu-isoe-west-1"))
    assert "zones" in str(caught.value.evidence)
    assert "--region" in str(caught.value.hint)


def test_what_it_does_not_take_is_told(sandbox_url: str) -> None:
    with pytest.raises(SandboxError, match="does not take") as caught:
        load_seed(sandbox_url, replace(SEED, image=("UPPER", "1")))
    assert "ecr:CreateRepository" in str(caught.value.evidence)
    assert "tapctl sandbox stop" in str(caught.value.hint)


@pytest.mark.parametrize(("name", "value"), [("HTTP_PROXY", "http://127.0.0.1:9"), ("AWS_PROFILE", "nobody")])
def test_no_setting_of_the_user_s_is_in_the_way(
    aws: Aws, sandbox_url: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    # moto reads settings at the first call of a service; the sandbox's own process, unlike this one, has none of them.
    load_seed(sandbox_url, replace(SEED, region="us-west-2"))
    monkeypatch.setenv(name, value)
    load_seed(sandbox_url, SEED)
    assert len(aws.cloudformation.describe_stacks()["Stacks"]) == 1


def test_planting_again_changes_nothing(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, SEED)
    before = aws.ecr.describe_images(repositoryName="repo")["imageDetails"], aws.ec2.describe_vpcs()["Vpcs"]
    load_seed(sandbox_url, SEED)
    assert (aws.ecr.describe_images(repositoryName="repo")["imageDetails"], aws.ec2.describe_vpcs()["Vpcs"]) == before


def test_an_image_in_another_account_is_in_that_account_s_registry(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, replace(SEED, stack=None, registry="210987654321"))
    images = aws.ecr.describe_images(repositoryName="repo", registryId="210987654321")["imageDetails"]
    assert [each["imageTags"] for each in images] == [["1"]]
    assert aws.ecr.describe_repositories()["repositories"] == []


def test_distinct_images_have_distinct_digests(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, replace(SEED, stack=None))
    load_seed(sandbox_url, replace(SEED, stack=None, image=("repo", "2")))
    images = aws.ecr.describe_images(repositoryName="repo")["imageDetails"]
    assert len({one["imageDigest"] for one in images}) == 2


def test_what_is_not_needed_is_not_made(aws: Aws, sandbox_url: str) -> None:
    load_seed(sandbox_url, replace(SEED, stack=None, image=None))
    assert aws.ecr.describe_repositories()["repositories"] == []
    assert aws.cloudformation.describe_stacks()["Stacks"] == []


@dataclass(frozen=True)
class _Networking:
    kind: str
    target: str


@dataclass(frozen=True)
class _Image:
    repository: str
    tag: str
    registry: str | None = None


@dataclass(frozen=True)
class _Processor:
    image: _Image | None


@dataclass(frozen=True)
class _Config:
    """The part of a configuration that seeding looks at."""

    networking: _Networking
    processor: _Processor
    environment: str = ""
    account_id: str = ""


def seed(networking: _Networking, image: _Image | None) -> sandbox.Seed:
    return sandbox.seed_for(cast("Config", _Config(networking, _Processor(image))), "us-east-1")


def test_a_seed_is_what_the_environment_refers_to() -> None:
    stack = _Networking("cloudformation", "net")
    assert seed(stack, _Image("repo", "1")) == SEED
    assert seed(_Networking("ssm", "/net"), _Image("repo", "1")).stack is None
    assert seed(stack, None).image is None
    theirs = replace(SEED, registry="210987654321")
    assert seed(stack, _Image("repo", "1", registry="210987654321")) == theirs
    assert seed(stack, _Image("repo", "1", registry="210987654321.dkr.ecr.us-east-1.amazonaws.com")) == theirs
    assert seed(stack, _Image("repo", f"sha256:{'0' * 64}")).image is None


def test_every_environment_that_refers_to_a_stack_and_an_image_has_a_seed() -> None:
    configs = load_all(ENVIRONMENTS)
    seeds = [sandbox.seed_for(config, config.region) for config in configs.values()]
    assert {one.stack for one in seeds} == {f"networking-{name}" for name in configs}
    assert all(one.image is not None for one in seeds)
