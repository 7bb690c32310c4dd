from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.policy import PolicyDocument, allow, as_json, policy, when
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.sns_topic import SnsTopic, SnsTopicSpec
from tests.reconcilers.scripted_aws import refused, scripted

NAME = "alarms-test"
ARN = f"arn:aws:sns:us-east-1:123456789012:{NAME}"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OURS = Owner.ours("test", "dev")


def publish_by(service: str) -> PolicyDocument:
    ours = when("StringEquals", "aws:SourceAccount", "123456789012")
    return policy(allow("alarms", ["sns:Publish"], [ARN], to={"Service": service}, when=[ours]))


POLICY = publish_by("cloudwatch.amazonaws.com")
WANT = SnsTopicSpec(
    display_name="",
    kms_key_arn=KEY,
    policy=POLICY,
    signature_version="1",
    tags={"Name": NAME, **OURS.tags},
)


def with_(**changes: Any) -> SnsTopicSpec:
    return WANT.model_copy(update=changes)


def topic(**changes: Any) -> dict[str, Any]:
    """GetTopicAttributes' answer: the topic as wanted, but for the changes."""
    return {"Attributes": {"DisplayName": "", "KmsMasterKeyId": KEY, "Policy": as_json(POLICY), **changes}}


def look(aws: Any, expected: SnsTopicSpec | None = WANT) -> Any:
    seen = SnsTopic().observe(aws, NAME, expected)
    assert seen is not None
    return seen


def test_making_the_very_same_again_is_accepted(aws: Aws) -> None:
    SnsTopic().create(aws, NAME, WANT, OURS)
    SnsTopic().create(aws, NAME, WANT, OURS)

    assert look(aws).spec == WANT


@pytest.mark.parametrize("what", ["attributes", "tags"])
def test_a_topic_of_that_name_that_is_not_the_same_is_looked_at(what: str) -> None:
    message = f"Invalid parameter: Attributes Reason: Topic already exists with different {what}"
    aws = scripted({"create_topic": refused("sns:CreateTopic", "InvalidParameter", message)})

    with pytest.raises(AlreadyExists):
        SnsTopic().create(aws, NAME, WANT, OURS)


def test_the_default_policy_that_aws_gives_a_topic_is_a_difference(aws: Aws) -> None:
    aws.sns.create_topic(Name=NAME)

    seen = look(aws)
    assert seen.spec.policy != POLICY
    assert SnsTopic().update(aws, NAME, with_(policy=seen.spec.policy), WANT) == {"policy"}
    assert look(aws).spec.policy == POLICY


@pytest.mark.parametrize(
    ("have", "attribute", "value"),
    [
        ({"display_name": "mine"}, "DisplayName", ""),
        ({"kms_key_arn": ""}, "KmsMasterKeyId", KEY),
        ({"signature_version": "2"}, "SignatureVersion", "1"),
        ({"policy": publish_by("events.amazonaws.com")}, "Policy", as_json(POLICY)),
    ],
)
def test_each_attribute_changes_by_one_call(have: dict[str, Any], attribute: str, value: str) -> None:
    aws = scripted()

    assert SnsTopic().update(aws, NAME, with_(**have), WANT) == set(have)
    assert aws.calls == [
        ("set_topic_attributes", {"TopicArn": ARN, "AttributeName": attribute, "AttributeValue": value})
    ]


def test_several_attributes_are_several_steps() -> None:
    aws = scripted()

    assert SnsTopic().update(aws, NAME, with_(kms_key_arn="", display_name="mine"), WANT) == {"kms_key_arn"}
    assert SnsTopic().update(aws, NAME, with_(display_name="mine"), WANT) == {"display_name"}
    assert len(aws.calls) == 2


def test_what_somebody_changed_shows() -> None:
    changed = topic(DisplayName="mine", KmsMasterKeyId="alias/aws/sns", SignatureVersion="2")
    tags = {"Tags": [{"Key": "aws:stack", "Value": "x"}, {"Key": "A", "Value": "b"}]}
    aws = scripted({"get_topic_attributes": changed, "list_tags_for_resource": tags})

    assert look(aws).spec == SnsTopicSpec(
        display_name="mine", kms_key_arn="alias/aws/sns", policy=POLICY, signature_version="2", tags={"A": "b"}
    )


def test_a_topic_whose_encryption_was_removed_shows() -> None:
    changed = topic()
    del changed["Attributes"]["KmsMasterKeyId"]
    aws = scripted({"get_topic_attributes": changed, "list_tags_for_resource": {"Tags": []}})

    assert look(aws).spec.kms_key_arn == ""


def test_a_topic_that_may_not_be_read_is_no_absent_topic() -> None:
    aws = scripted({"get_topic_attributes": refused("sns:GetTopicAttributes", "AuthorizationError")})

    with pytest.raises(AwsRefused) as answer:
        SnsTopic().observe(aws, NAME, WANT)
    assert answer.value.is_denied


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("ConcurrentAccess", Patience.BUSY),
        ("StaleTag", Patience.BUSY),
        ("NotFound", Patience.PROPAGATION),
        ("ResourceNotFound", Patience.PROPAGATION),
    ],
)
def test_a_change_that_only_has_to_wait_says_so(code: str, patience: Patience) -> None:
    aws = scripted({"tag_resource": refused("sns:TagResource", code)})

    with pytest.raises(NotYet) as answer:
        SnsTopic().update(aws, NAME, with_(tags={}), WANT)
    assert answer.value.patience is patience


def test_a_removal_meets_what_a_change_meets() -> None:
    seen = look(scripted({"get_topic_attributes": topic(), "list_tags_for_resource": {"Tags": []}}))

    SnsTopic().delete(scripted({"delete_topic": refused("sns:DeleteTopic", "NotFound")}), NAME, seen, None)
    with pytest.raises(NotYet):
        SnsTopic().delete(scripted({"delete_topic": refused("sns:DeleteTopic", "StaleTag")}), NAME, seen, None)
