"""What an environment refers to and does not make itself: its networking stack and its image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from tapctl.config import Config

# Any would do: the embedded AWS looks at no signature.
CREDENTIALS = ("sandbox", "sandbox")


@dataclass(frozen=True)
class Seed:
    """What one environment needs in one region. ``stack``: its CloudFormation stack; ``image``: repository and tag."""

    region: str
    stack: str | None
    image: tuple[str, str] | None


def seed(config: Config, region: str) -> Seed:
    """What the embedded AWS must hold in ``region`` before this environment can be planned there."""
    network, image = config.networking, config.processor.image
    ours = image is not None and image.registry is None and not image.tag.startswith("sha256:")
    return Seed(
        region,
        network.target if network.kind == "cloudformation" else None,
        (image.repository, image.tag) if image is not None and ours else None,
    )


def plant(url: str, wanted: Seed) -> None:
    """Make what ``wanted`` names in the embedded AWS at ``url``; what is there already stays as it is."""
    import boto3.session

    session = boto3.session.Session(
        aws_access_key_id=CREDENTIALS[0], aws_secret_access_key=CREDENTIALS[1], region_name=wanted.region
    )
    if wanted.stack is not None:
        stacks = session.client("cloudformation", endpoint_url=url)
        if all(one["StackName"] != wanted.stack for one in stacks.describe_stacks()["Stacks"]):
            stacks.create_stack(StackName=wanted.stack, TemplateBody=json.dumps(_template()))
    if wanted.image is not None:
        _push(session.client("ecr", endpoint_url=url), *wanted.image)


def _template() -> dict[str, Any]:
    """A networking stack: one VPC with DNS, a private subnet in each of three zones, and what tapctl reads of it."""
    subnets = {
        f"PrivateSubnet{at}": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": {"Ref": "Vpc"},
                "CidrBlock": f"10.0.{16 * at}.0/20",
                "AvailabilityZone": {"Fn::Join": ["", [{"Ref": "AWS::Region"}, zone]]},
                "MapPublicIpOnLaunch": False,
            },
        }
        for at, zone in enumerate("abc")
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
