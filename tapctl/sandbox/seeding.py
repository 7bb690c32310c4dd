"""The resources an environment refers to and does not make itself: its networking stack and its image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapctl.aws.client import Aws, Connection
from tapctl.errors import AwsError, SandboxError
from tapctl.regions import registry_of

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

    from tapctl.config import Config

_ZONES, _MIN_ZONES = 3, 2
_LAMBDA_READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "LambdaReads",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}
"""The policy that a repository in another account needs before a function gets its image."""


def credentials_of(account: str) -> tuple[str, str]:
    """The credentials of this account in the embedded AWS; empty: of the one that it has anyway.

    It has every account and checks no signature: the key's id tells whose it is. (The account alone would be hidden in
    every error, as keys are.)
    """
    return f"sandbox-{account}" if account else "sandbox", "sandbox"


@dataclass(frozen=True)
class Seed:
    """The needs of one environment in one region. ``stack``: its CloudFormation stack; ``image``: repository and tag.

    ``registry`` is the account of the image's registry, empty for the environment's own, which is ``account``.

    A named ``environment`` has one stack in a region of an account: if its file names another one later, that one is
    missing, as it would be in AWS.
    """

    region: str
    stack: str | None
    image: tuple[str, str] | None
    environment: str = ""
    registry: str = ""
    account: str = ""


def seed_for(config: Config, region: str) -> Seed:
    """Return the seed that the emulated AWS must hold in ``region`` before this environment can be planned there."""
    network, image = config.networking, config.processor.image
    tagged = image if image is not None and not image.tag.startswith("sha256:") else None
    registry = (tagged.registry or "") if tagged is not None else ""
    host = registry_of(registry)
    return Seed(
        region,
        network.target if network.kind == "cloudformation" else None,
        (tagged.repository, tagged.tag) if tagged is not None else None,
        config.environment,
        host[0] if host else registry,
        config.account_id,
    )


def load_seed(url: str, seed: Seed) -> None:
    """Make the resources of a seed in the emulated AWS at ``url``; existing ones stay as they are.

    Raises:
        SandboxError: the emulated AWS refuses them.
    """
    aws = Aws(Connection(seed.region, endpoint_url=url, credentials=credentials_of(seed.account)))
    try:
        if seed.stack is not None:
            _build(aws, seed.stack)
        if seed.image is not None:
            _push(aws.ecr, *seed.image, {"registryId": seed.registry} if seed.registry else {})
    except AwsError as error:
        raise SandboxError(
            f"the embedded AWS does not take what an environment in {seed.region} refers to",
            evidence=str(error),
            hint="see whether it has that region; begin with a new one: tapctl sandbox stop",
        ) from error


def _build(aws: Aws, stack: str) -> None:
    stacks = aws.cloudformation.describe_stacks()["Stacks"]
    if any(known["StackName"] == stack for known in stacks):
        return
    zones = [zone["ZoneName"] for zone in aws.ec2.describe_availability_zones()["AvailabilityZones"]]
    if len(zones) < _MIN_ZONES:
        raise SandboxError(
            f"the embedded AWS has no region {aws.region}",
            evidence=f"it knows {len(zones)} availability zones there, and a network has {_MIN_ZONES} at least",
            hint="use another one with it: --region us-east-1",
        )
    aws.cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(_template(aws.region, zones[:_ZONES])))


def _template(region: str, zones: list[str]) -> dict[str, Any]:
    """Write the template of a networking stack: a VPC with DNS, private subnets, a way to AWS, and tapctl's outputs."""
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
    endpoint = {
        "Type": "AWS::EC2::VPCEndpoint",
        "Properties": {
            "VpcId": {"Ref": "Vpc"},
            "VpcEndpointType": "Interface",
            "ServiceName": f"com.amazonaws.{region}.secretsmanager",
            "PrivateDnsEnabled": True,
            "SubnetIds": [{"Ref": name} for name in subnets],
        },
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Vpc": vpc, **subnets, "SecretsEndpoint": endpoint},
        "Outputs": {
            "VpcId": {"Value": {"Ref": "Vpc"}},
            "PrivateSubnetIds": {"Value": {"Fn::Join": [",", [{"Ref": name} for name in subnets]]}},
        },
    }


def _push(ecr: ECRClient, repository: str, tag: str, registry: dict[str, Any]) -> None:
    known = ecr.describe_repositories(**registry)["repositories"]
    if all(each["repositoryName"] != repository for each in known):
        ecr.create_repository(repositoryName=repository, **registry)
        if registry:
            ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(_LAMBDA_READS), **registry)
    place: dict[str, Any] = {"repositoryName": repository, **registry}
    if any(image.get("imageTag") == tag for image in ecr.list_images(**place)["imageIds"]):
        return
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"name": f"{repository}:{tag}"}}})
    blob = f"sha256:{hashlib.sha256(config.encode()).hexdigest()}"
    upload = ecr.initiate_layer_upload(**place)["uploadId"]
    part: dict[str, Any] = {"partFirstByte": 0, "partLastByte": len(config) - 1, "layerPartBlob": config.encode()}
    ecr.upload_layer_part(uploadId=upload, **part, **place)
    ecr.complete_layer_upload(uploadId=upload, layerDigests=[blob], **place)
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": blob,
        },
        "layers": [],
    }
    ecr.put_image(imageTag=tag, imageManifest=json.dumps(manifest), imageManifestMediaType=media, **place)
