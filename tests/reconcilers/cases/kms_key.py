"""The key for the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.aws.policy import PolicyDocument, allow, policy, when
from tapctl.engine.model import Spec
from tapctl.reconcilers.kms_key import KmsKey, KmsKeySpec

RECONCILER = KmsKey()
ID = "alias/db-key-test"
CREATE = ("kms_without_retries", "CreateKey")
# Never wanted otherwise: the alias is the id, and a key is enabled and has no duplicate.
FIXED = frozenset({"alias", "duplicates", "enabled"})
ACCOUNT = "123456789012"
TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {}


def key_policy(service: str) -> PolicyDocument:
    return policy(
        allow("Account", ["kms:*"], ["*"], to={"AWS": ACCOUNT}),
        allow(
            "Service",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            ["*"],
            to={"Service": service},
            when=[
                when("StringEquals", "aws:SourceAccount", ACCOUNT),
                when("ArnLike", "aws:SourceArn", f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:errors-test"),
            ],
        ),
    )


def examples(world: dict[str, str]) -> list[Spec]:
    first = KmsKeySpec(
        alias=ID,
        description="Encrypts everything of payments in test",
        policy=key_policy("cloudwatch.amazonaws.com"),
        rotation=True,
        rotation_period_days=365,
        enabled=True,
        tags={**TAGS, "Team": "payments"},
    )
    second = first.model_copy(
        update={
            "description": "Encrypts everything of others in test",
            "policy": key_policy("logs.us-east-1.amazonaws.com"),
            "rotation_period_days": 200,
            "tags": {**TAGS, "CostCenter": "payments"},
        }
    )
    off = first.model_copy(update={"rotation": False, "rotation_period_days": 0})
    elsewhere = first.model_copy(update={"multi_region": True})
    signs = first.model_copy(
        update={
            "rotation": False,
            "rotation_period_days": 0,
            "key_spec": "HMAC_256",
            "usage": "GENERATE_VERIFY_MAC",
        }
    )
    return [first, second, off, elsewhere, signs]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    made = aws.kms.create_key(Tags=[{"TagKey": "ManagedBy", "TagValue": "terraform"}])
    aws.kms.create_alias(AliasName=ID, TargetKeyId=made["KeyMetadata"]["KeyId"])
