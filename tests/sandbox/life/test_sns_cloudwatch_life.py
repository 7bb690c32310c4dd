from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tapctl.aws.client import Aws
from tests.conftest import REGION
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import Clock


def test_naive_code_sets_two_attributes_at_once(aws: Aws, clock: Clock, refused: Refused) -> None:
    topic = aws.sns.create_topic(Name="t")["TopicArn"]
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="a")
    with refused("ConcurrentAccess"):
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    with refused("ConcurrentAccess"):
        aws.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "b"}])
    clock.after(1)
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    with refused("NotFound"):
        aws.sns.set_topic_attributes(TopicArn=f"{topic}x", AttributeName="DisplayName", AttributeValue="a")


def test_naive_code_puts_many_alarms_at_once(clock: Clock) -> None:
    once = Config(retries={"total_max_attempts": 1})
    cloudwatch: Any = boto3.client("cloudwatch", region_name=REGION, config=once)

    def put(name: str) -> None:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )

    for name in "abc":
        put(name)
    with pytest.raises(ClientError, match="Throttling"):
        put("d")
    clock.after(1.5)
    put("d")
