"""The log group in the conformance suite."""

from __future__ import annotations

import json

from tapctl.aws.client import Aws
from tapctl.reconcilers.log_group import LogGroup, LogGroupSpec

RECONCILER = LogGroup()
ID = "/aws/lambda/payment-processor-test"
CREATE = ("logs", "CreateLogGroup")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("logs", "ListTagsForResource", "ResourceNotFoundException")

_TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    # Another group whose name begins as ours does: AWS searches by prefix.
    aws.logs.create_log_group(logGroupName=f"{ID}-canary", tags={"ManagedBy": "terraform"})
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root", "Service": f"logs.{aws.region}.amazonaws.com"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    return {"key": aws.kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]}


def examples(world: dict[str, str]) -> list[LogGroupSpec]:
    base = LogGroupSpec(
        retention_days=30,
        kms_key_arn=world["key"],
        log_class="STANDARD",
        deletion_protection=False,
        tags={**_TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(update={"retention_days": 0, "kms_key_arn": "", "tags": {**_TAGS, "Service": "payments"}}),
        base.model_copy(update={"retention_days": 365, "deletion_protection": True}),
        base.model_copy(update={"log_class": "INFREQUENT_ACCESS"}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.logs.create_log_group(logGroupName=ID, tags={"Name": ID, "ManagedBy": "terraform"})
