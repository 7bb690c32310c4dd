"""A function as it is wanted, and GetFunction's answer for it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tapctl.engine.model import Owner
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec
from tests.reconcilers.cases.lambda_function import CONTENT

NAME = "payment-processor-test"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/payment-processor"
DIGEST = f"{IMAGE}@sha256:{'a' * 64}"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:iam::123456789012:role/lambda-role-test"
OURS = Owner.ours("test", "dev")
WANT = LambdaFunctionSpec(
    package_type="Image",
    image_uri=DIGEST,
    code_sha256="",
    runtime="",
    handler="",
    role_arn=ROLE,
    memory_mb=1024,
    timeout_s=30,
    environment={"DB_PORT": "5432"},
    kms_key_arn=KEY,
    subnet_ids=frozenset({"subnet-1", "subnet-2"}),
    security_group_ids=frozenset({"sg-1"}),
    tracing="Active",
    reserved_concurrency=10,
    log_group=f"/aws/lambda/{NAME}",
    tags={"Name": NAME, **OURS.tags},
)

SHA = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
ZIP = WANT.model_copy(
    update={
        "package_type": "Zip",
        "image_uri": "",
        "code_sha256": SHA,
        "runtime": "nodejs22.x",
        "handler": "index.handler",
        "kms_key_arn": "",
    }
)


def answer(*, code: dict[str, Any] | None = None, beside: dict[str, Any] | None = None, **changes: Any) -> Any:
    """GetFunction's answer for the function as wanted, but for the changes; None leaves a member out."""
    configuration = {
        "FunctionName": NAME,
        "FunctionArn": ARN,
        "PackageType": "Image",
        "Role": ROLE,
        "CodeSha256": "a" * 64,
        "MemorySize": 1024,
        "Timeout": 30,
        "Environment": {"Variables": {"DB_PORT": "5432"}},
        "KMSKeyArn": KEY,
        "VpcConfig": {"SubnetIds": ["subnet-2", "subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
        "TracingConfig": {"Mode": "Active"},
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{NAME}"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        **changes,
    }
    return {
        "Configuration": {name: value for name, value in configuration.items() if value is not None},
        "Code": code or {"ImageUri": f"{IMAGE}:1.0.0", "ResolvedImageUri": DIGEST},
        "Tags": dict(WANT.tags),
        "Concurrency": {"ReservedConcurrentExecutions": 10},
        **(beside or {}),
    }
