"""What an environment refers to and does not make itself: its networking stack and its image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapctl.aws import Aws, Target
from tapctl.errors import AwsError, SandboxError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from tapctl.config import Config

# Any would do: the embedded AWS looks at no signature.
CREDENTIALS = ("sandbox", "sandbox")
_ZONES, _FEWEST_ZONES = 3, 2


@dataclass(frozen=True)
class Seed:
    """What one environment needs in one region. ``stack``: its CloudFormation stack; ``image``: repository and tag.

    An ``environment`` that is named has one stack in a region: where its file names another one later, that is missing
    there, as it would be in AWS.
    """

    region: str
    stack: str | None
    image: tuple[str, str] | None
    environment: str = ""


def seed_for(config: Config, region: str) -> Seed:
    """What the embedded AWS must hold in ``region`` before this environment can be planned there."""
    network, image = config.networking, config.processor.image
    ours = image is not None and image.registry is None and not image.tag.startswith("sha256:")
    return Seed(
        region,
        network.target if network.kind == "cloudformation" else None,
        (image.repository, image.tag) if image is not None and ours else None,
        config.environment,
    )


def load_seed(url: str, wanted: Seed) -> None:
    """Make what ``wanted`` names in the embedded AWS at ``url``; what is there already stays as it is.

    Raises:
        SandboxError: it cannot be made there.
    """
    door = Aws(Target(wanted.region, endpoint_url=url, credentials=CREDENTIALS))
    try:
        if wanted.stack is not None:
            _build(door, wanted.stack)
        if wanted.image is not None:
            _push(door.ecr, *wanted.image)
    except AwsError as error:
        raise SandboxError(
            f"the embedded AWS does not take what an environment in {wanted.region} refers to",
            evidence=str(error),
            hint="see whether it has that region; begin with a new one: tapctl sandbox stop",
        ) from error


def _build(door: Aws, stack: str) -> None:
    there = door.cloudformation.describe_stacks()["Stacks"]
    if any(one["StackName"] == stack for one in there):
        return
    zones = [one["ZoneName"] for one in door.ec2.describe_availability_zones()["AvailabilityZones"]]
    if len(zones) < _FEWEST_ZONES:
        raise SandboxError(
            f"the embedded AWS has no region {door.region}",
            evidence=f"it knows {len(zones)} availability zones there, and a network has {_FEWEST_ZONES} at least",
            hint="use another one with it: --region us-east-1",
        )
    door.cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(_template(zones[:_ZONES])))


def _template(zones: list[str]) -> dict[str, Any]:
    """A networking stack: one VPC with DNS, a private subnet in each of these zones, and what tapctl reads of it."""
    subnets = {
        f"PrivateSubnet{at}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": f"10.0.{16 * at}.0/20",
                "AvailabilityZone": zone,
                "MapPublicIpOnLaunch": False,
            },
        }
        for at, zone in enumerate(zones)
    }
    vpc = {
        "Type": "AWS::EC2::VPC",
        "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": True, "EnableDnsHostnames": True},
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Vpc": vpc, **subnets},
        "Outputs": {
            "VpcId": {"Value": {"Ref": "Vpc"}},
            "PrivateSubnetIds": {"Value": {"Fn::Join": [",", [{"Ref": name} for name in subnets]]}},
        },
    }


def _push(ecr: ECRClient, repository: str, tag: str) -> None:
    if all(one["repositoryName"] != repository for one in ecr.describe_repositories()["repositories"]):
        ecr.create_repository(repositoryName=repository)
    if any(one.get("imageTag") == tag for one in ecr.list_images(repositoryName=repository)["imageIds"]):
        return
    blob = f"sha256:{hashlib.sha256(f'{repository}:{tag}'.encode()).hexdigest()}"
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": blob},
        "layers": [],
    }
    ecr.put_image(
        repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest), imageManifestMediaType=media
    )
