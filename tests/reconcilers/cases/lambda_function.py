"""The function in the conformance suite: as a zip and as an image."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from typing import Any

from tapctl.aws.client import Aws
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec

ID = "payment-processor-test"
CREATE = ("lambda_", "CreateFunction")
# Never wanted otherwise: they only show what somebody else, or AWS, did.
FIXED = frozenset({"resource_policy", "update_failure", "dead_letter", "file_systems", "snap_start"})


def _zip(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.mjs", (1980, 1, 1, 0, 0, 0)), source)
    return packed.getvalue()


CONTENT = _zip("export const handler = async () => 'ok';\n")
RECONCILER = LambdaFunction(CONTENT)

_TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
# Without these Lambda takes no function into a VPC (Lambda developer guide, VPC networking).
_IN_VPC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "Resource": "*",
        },
    ],
}


def prepare(aws: Aws) -> dict[str, str]:
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    world = {"key": aws.kms.create_key()["KeyMetadata"]["Arn"]}
    for at, zone in enumerate("ab"):
        subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=f"{aws.region}{zone}")
        world[f"subnet_{zone}"] = subnet["Subnet"]["SubnetId"]
        group = aws.ec2.create_security_group(GroupName=f"lambda-sg-{zone}", Description="test", VpcId=vpc)
        world[f"group_{zone}"] = group["GroupId"]
        everywhere: Any = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        aws.ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=[everywhere])
        role = aws.iam.create_role(RoleName=f"lambda-role-{zone}", AssumeRolePolicyDocument=json.dumps(_TRUST))
        world[f"role_{zone}"] = role["Role"]["Arn"]
        aws.iam.put_role_policy(RoleName=f"lambda-role-{zone}", PolicyName="in-vpc", PolicyDocument=json.dumps(_IN_VPC))
        layer = aws.lambda_.publish_layer_version(LayerName=f"layer-{zone}", Content={"ZipFile": CONTENT})
        world[f"layer_{zone}"] = layer["LayerVersionArn"]
    repository = aws.ecr.create_repository(repositoryName="payment-processor")["repository"]["repositoryUri"]
    for tag in ("one", "two"):
        image = aws.ecr.put_image(
            repositoryName="payment-processor", imageManifest=json.dumps(_manifest(tag)), imageTag=tag
        )
        world[f"image_{tag}"] = f"{repository}@{image['image']['imageId']['imageDigest']}"
    return world


def _manifest(tag: str) -> dict[str, object]:
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 10, "digest": _digest(tag)}
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 10, "digest": _digest(tag * 2)}
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": config,
        "layers": [layer],
    }


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def examples(world: dict[str, str]) -> list[LambdaFunctionSpec]:
    image = LambdaFunctionSpec(
        package_type="Image",
        image_uri=world["image_one"],
        code_sha256="",
        runtime="",
        handler="",
        role_arn=world["role_a"],
        memory_mb=1024,
        timeout_s=30,
        environment={"ENVIRONMENT_NAME": "test", "DB_PORT": "5432"},
        kms_key_arn=world["key"],
        subnet_ids=frozenset({world["subnet_a"], world["subnet_b"]}),
        security_group_ids=frozenset({world["group_a"]}),
        tracing="Active",
        reserved_concurrency=10,
        architecture="x86_64",
        ephemeral_storage_mb=512,
        layers=(),
        log_format="JSON",
        log_group=f"/aws/lambda/{ID}",
        tags={**_TAGS, "CostCenter": "payments"},
    )
    zipped = image.model_copy(
        update={
            "package_type": "Zip",
            "image_uri": "",
            "code_sha256": base64.b64encode(hashlib.sha256(CONTENT).digest()).decode(),
            "runtime": "nodejs22.x",
            "handler": "index.handler",
            "layers": (world["layer_a"],),
        }
    )
    return [
        image,
        image.model_copy(
            update={
                "image_uri": world["image_two"],
                "role_arn": world["role_b"],
                "memory_mb": 2048,
                "timeout_s": 60,
                "environment": {"ENVIRONMENT_NAME": "other"},
                "kms_key_arn": "",
                "subnet_ids": frozenset({world["subnet_a"]}),
                "security_group_ids": frozenset({world["group_b"]}),
                "tracing": "PassThrough",
                "reserved_concurrency": None,
                "architecture": "arm64",
                "ephemeral_storage_mb": 1024,
                "log_format": "Text",
                "log_group": "/payments/processor",
                "description": "Processes payments",
                "image_config": json.dumps({"Command": ["index.other"]}),
                "tags": {**_TAGS, "Service": "payments"},
            }
        ),
        zipped,
        zipped.model_copy(
            update={
                "runtime": "nodejs24.x",
                "handler": "index.other",
                "layers": (world["layer_b"], world["layer_a"]),
                "environment": {},
                "subnet_ids": frozenset(),
                "security_group_ids": frozenset(),
                "reserved_concurrency": 0,
            }
        ),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.lambda_.create_function(
        FunctionName=ID,
        Role=world["role_a"],
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": CONTENT},
        Tags={"ManagedBy": "terraform"},
    )
