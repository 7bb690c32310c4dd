"""The topic in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.aws.policy import allow, policy, when
from tapctl.reconcilers.sns_topic import SnsTopic, SnsTopicSpec

RECONCILER = SnsTopic()
ID = "alarms-test"
CREATE = ("sns", "CreateTopic")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("sns", "ListTagsForResource", "ResourceNotFound")

_TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {
        "key": aws.kms.create_key()["KeyMetadata"]["Arn"],
        "arn": f"arn:{aws.partition}:sns:{aws.region}:{aws.account}:{ID}",
        "account": aws.account,
    }


def examples(world: dict[str, str]) -> list[SnsTopicSpec]:
    alarms = when("StringEquals", "aws:SourceAccount", world["account"])
    publish = allow(
        "alarms", ["sns:Publish"], [world["arn"]], to={"Service": "cloudwatch.amazonaws.com"}, when=[alarms]
    )
    subscribe = allow("account", ["sns:Subscribe"], [world["arn"]], to={"AWS": world["account"]})
    base = SnsTopicSpec(
        display_name="",
        kms_key_arn=world["key"],
        policy=policy(publish),
        signature_version="2",
        tags={**_TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(update={"kms_key_arn": "", "signature_version": "1", "tags": {**_TAGS, "Service": "payments"}}),
        base.model_copy(update={"display_name": "payments alarms", "policy": policy(publish, subscribe)}),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.sns.create_topic(Name=ID, Tags=[{"Key": "ManagedBy", "Value": "terraform"}])
