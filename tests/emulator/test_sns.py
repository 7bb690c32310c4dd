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
