"""A subscription in the conformance suite: a subresource, so its topic is prepared."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.sns_subscription import SnsSubscription, SnsSubscriptionSpec

RECONCILER = SnsSubscription()
ID = "alarms-test/arn:aws:sqs:us-east-1:123456789012:alarms"
CREATE = ("sns", "Subscribe")
# These stand in the id.
FIXED = frozenset({"topic_arn", "protocol", "endpoint"})


def prepare(aws: Aws) -> dict[str, str]:
    tags = {"ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
    topic = aws.sns.create_topic(Name="alarms-test", Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return {"topic": topic["TopicArn"]}


def examples(world: dict[str, str]) -> list[SnsSubscriptionSpec]:
    endpoint = ID.partition("/")[2]
    base = SnsSubscriptionSpec(topic_arn=world["topic"], protocol="sqs", endpoint=endpoint)
    redrive = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}'
    return [
        base,
        base.model_copy(update={"raw_delivery": "true", "redrive_policy": redrive}),
        base.model_copy(update={"filter_policy": '{"kind": ["alarm"]}', "delivery_policy": '{"throttlePolicy": {}}'}),
    ]
