from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Simulation
from tests.emulator.conftest import Refused

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def looked_up(aws: Aws, key: str, value: str, **more: Any) -> dict[str, Any]:
    attributes = [{"AttributeKey": key, "AttributeValue": value}]
    answer: dict[str, Any] = aws.client("cloudtrail").lookup_events(LookupAttributes=attributes, **more)
    return answer


def test_a_change_is_told_with_who_made_it_how_and_what_was_asked(aws: Aws) -> None:
    arn = aws.sns.create_topic(Name="alarms")["TopicArn"]
    aws.sns.get_topic_attributes(TopicArn=arn)
    aws.sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="x")
    (told,) = looked_up(aws, "ResourceName", arn)["Events"]
    event = json.loads(told["CloudTrailEvent"])
    assert (event["eventName"], event["eventSource"]) == ("SetTopicAttributes", "sns.amazonaws.com")
    assert event["userIdentity"]["userName"] == "moto"
    assert "run/" in event["userAgent"]
    assert event["requestParameters"]["attributeName"] == "DisplayName"
    assert looked_up(aws, "EventId", told["EventId"])["Events"][0]["EventId"] == told["EventId"]
    assert looked_up(aws, "Username", "moto")["Events"] == []


def test_names_of_parameters_begin_small_and_the_keys_of_a_map_are_data(aws: Aws) -> None:
    aws.sns.create_topic(Name="alarms", Tags=[{"Key": "Team", "Value": "A"}])
    (told,) = looked_up(aws, "EventName", "CreateTopic")["Events"]
    assert json.loads(told["CloudTrailEvent"])["requestParameters"]["tags"] == [{"key": "Team", "value": "A"}]
    aws.logs.create_log_group(logGroupName="g", tags={"Team": "A"})
    (told,) = looked_up(aws, "EventName", "CreateLogGroup")["Events"]
    assert json.loads(told["CloudTrailEvent"])["requestParameters"]["tags"] == {"Team": "A"}


def test_a_role_s_session_is_told_and_iam_s_events_are_at_home(aws: Aws) -> None:
    aws.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=TRUST)
    (told,) = looked_up(aws, "EventName", "CreateRole")["Events"]
    assert json.loads(told["CloudTrailEvent"])["awsRegion"] == "us-east-1"
    credentials = aws.sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="dana")[
        "Credentials"
    ]
    boto3.client(
        "logs",
        region_name=aws.region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    ).create_log_group(logGroupName="/x")
    (told,) = looked_up(aws, "EventName", "CreateLogGroup")["Events"]
    identity = json.loads(told["CloudTrailEvent"])["userIdentity"]
    assert (identity["type"], identity["arn"]) == (
        "AssumedRole",
        "arn:aws:sts::123456789012:assumed-role/deploy/dana",
    )
    assert looked_up(aws, "ResourceName", "/x")["Events"] == [], "the events of logs name no resource"


def test_a_user_is_told_by_the_key_that_signed(aws: Aws) -> None:
    aws.iam.create_user(UserName="sam")
    key = aws.iam.create_access_key(UserName="sam")["AccessKey"]
    boto3.client(
        "logs",
        region_name=aws.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    ).create_log_group(logGroupName="/x")
    (told,) = looked_up(aws, "EventName", "CreateLogGroup")["Events"]
    identity = json.loads(told["CloudTrailEvent"])["userIdentity"]
    assert (identity["userName"], identity["arn"]) == ("sam", "arn:aws:iam::123456789012:user/sam")


def test_fifty_are_told_at_a_time_the_newest_first(aws: Aws) -> None:
    for number in range(51):
        aws.sns.create_topic(Name=f"t{number}")
    first = looked_up(aws, "EventName", "CreateTopic")
    assert len(first["Events"]) == 50
    assert json.loads(first["Events"][0]["CloudTrailEvent"])["requestParameters"]["name"] == "t50"
    rest = looked_up(aws, "EventName", "CreateTopic", NextToken=first["NextToken"])
    assert [json.loads(one["CloudTrailEvent"])["requestParameters"]["name"] for one in rest["Events"]] == ["t0"]


def test_one_attribute_is_looked_up_at_a_time(aws: Aws, refused: Refused) -> None:
    two = [{"AttributeKey": "EventName", "AttributeValue": "a"}, {"AttributeKey": "EventId", "AttributeValue": "b"}]
    with refused("InvalidLookupAttributesException"):
        aws.client("cloudtrail").lookup_events(LookupAttributes=two)


def test_an_event_is_told_minutes_later(aws: Aws, sandbox_app: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0
    monkeypatch.setattr(sandbox_app, "simulation", Simulation(now=lambda: seconds, scale=1))
    aws.logs.create_log_group(logGroupName="/late")
    seconds = 299
    assert looked_up(aws, "EventName", "CreateLogGroup")["Events"] == []
    seconds = 301
    assert looked_up(aws, "EventName", "CreateLogGroup")["Events"]
