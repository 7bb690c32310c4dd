from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.emulator.conftest import Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import TagTypeDef

TAGS: list[TagTypeDef] = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
ATTRIBUTES = {"KmsMasterKeyId": "alias/a"}


@pytest.fixture(autouse=True)
def arn(aws: Aws) -> str:
    return aws.sns.create_topic(Name="t", Attributes=ATTRIBUTES, Tags=TAGS)["TopicArn"]


def test_every_attribute_is_shown(aws: Aws, arn: str) -> None:
    def seen() -> dict[str, str]:
        return aws.sns.get_topic_attributes(TopicArn=arn)["Attributes"]

    assert "SignatureVersion" not in seen()
    aws.sns.set_topic_attributes(TopicArn=arn, AttributeName="SignatureVersion", AttributeValue="2")
    aws.sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue="")
    assert seen()["SignatureVersion"] == "2"
    assert "KmsMasterKeyId" not in seen()
    other = aws.sns.create_topic(Name="o", Attributes={"TracingConfig": "Active"})["TopicArn"]
    assert aws.sns.get_topic_attributes(TopicArn=other)["Attributes"]["TracingConfig"] == "Active"


@pytest.mark.parametrize("same", [{}, {"Attributes": ATTRIBUTES}, {"Tags": TAGS[::-1]}])
def test_the_same_topic_is_answered(aws: Aws, arn: str, same: dict[str, Any]) -> None:
    assert aws.sns.create_topic(Name="t", **same)["TopicArn"] == arn


@pytest.mark.parametrize(
    ("other", "word"),
    [({"Attributes": {"KmsMasterKeyId": "alias/b"}}, "attributes"), ({"Tags": TAGS[:1]}, "tags")],
)
def test_a_topic_that_differs_is_refused(aws: Aws, refused: Refused, other: dict[str, Any], word: str) -> None:
    with refused("InvalidParameter", f"different {word}"):
        aws.sns.create_topic(Name="t", **other)


def test_naive_code_sets_two_attributes_at_once(aws: Aws, clock: Clock, refused: Refused) -> None:
    topic = aws.sns.create_topic(Name="t")["TopicArn"]
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="a")
    with refused("ConcurrentAccess"):
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    with refused("ConcurrentAccess"):
        aws.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "b"}])
    clock.advance(1)
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    with refused("NotFound"):
        aws.sns.set_topic_attributes(TopicArn=f"{topic}x", AttributeName="DisplayName", AttributeValue="a")


def listed(aws: Aws, topic: str) -> dict[str, str]:
    """Endpoint to ARN, or to what stands in its place."""
    found = aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {each["Endpoint"]: each["SubscriptionArn"] for each in found}


def test_naive_code_takes_an_address_for_subscribed(aws: Aws, arn: str) -> None:
    mail, queue = "a@example.com", "arn:aws:sqs:us-east-1:123456789012:q"
    for _ in range(2):
        answer = aws.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=mail)
        assert answer["SubscriptionArn"] == "pending confirmation"
    made = aws.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert made.startswith(f"{arn}:")
    assert listed(aws, arn)[queue] == made
    theirs = queue.replace("123456789012", "210987654321")
    assert aws.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=theirs)["SubscriptionArn"] == "pending confirmation"


def test_what_nobody_has_confirmed_has_no_arn(aws: Aws, arn: str, refused: Refused) -> None:
    aws.sns.subscribe(TopicArn=arn, Protocol="https", Endpoint="https://example.com/a")
    assert listed(aws, arn) == {"https://example.com/a": "PendingConfirmation"}
    assert aws.sns.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"] == "PendingConfirmation"


def test_a_placeholder_is_no_arn(aws: Aws, refused: Refused) -> None:
    with refused("InvalidParameter", "at least 6 elements"):
        aws.sns.unsubscribe(SubscriptionArn="PendingConfirmation")


def test_a_receiver_confirms(aws: Aws, arn: str, refused: Refused) -> None:
    aws.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")
    with refused("InvalidParameter", "Token"):
        aws.sns.confirm_subscription(TopicArn=arn, Token="b@example.com")
    confirmed = aws.sns.confirm_subscription(TopicArn=arn, Token="a@example.com")["SubscriptionArn"]
    assert listed(aws, arn) == {"a@example.com": confirmed}
    aws.sns.unsubscribe(SubscriptionArn=confirmed)
    assert listed(aws, arn) == {}


def test_what_nobody_confirms_goes(aws: Aws, arn: str, clock: Clock) -> None:
    aws.sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")
    clock.advance(47 * 3600)
    assert listed(aws, arn) != {}
    clock.advance(2 * 3600)
    assert listed(aws, arn) == {}
