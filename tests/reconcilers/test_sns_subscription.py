"""Subscriptions: pending until they are confirmed, and without tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused, NotYet, Refused
from tapctl.reconcilers.sns_subscription import SnsSubscription, SnsSubscriptionSpec, delivery, subscriber
from tapctl.safety.redaction import hide_path
from tests.reconcilers.scripted import refuse

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import TagTypeDef

REC = SnsSubscription()
OURS = Owner.ours("test", "dev")
MAIL = "oncall@example.com"
ID = f"alarms-test/email:{MAIL}"


@pytest.fixture
def topic(aws: Aws) -> str:
    tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in OURS.tags.items()]
    return aws.sns.create_topic(Name="alarms-test", Tags=tags)["TopicArn"]


@pytest.fixture
def want(topic: str) -> SnsSubscriptionSpec:
    return SnsSubscriptionSpec(topic_arn=topic, protocol="email", endpoint=MAIL)


def test_it_is_pending_until_it_is_confirmed(aws: Aws, want: SnsSubscriptionSpec) -> None:
    REC.create(aws, ID, want, OURS)
    seen = REC.observe(aws, ID, want)
    assert seen is not None
    assert (seen.spec, seen.owner, seen.status) == (want, OURS, "pending confirmation")
    assert seen.pending["endpoint"].until == "its receiver confirms it"
    aws.sns.confirm_subscription(TopicArn=want.topic_arn, Token=MAIL)
    seen = REC.observe(aws, ID, want)
    assert seen is not None
    assert (seen.spec, dict(seen.pending), seen.status) == (want, {}, "confirmed")
    assert REC.delete(aws, ID, seen, want) is None
    assert REC.observe(aws, ID, want) is None


def test_what_nobody_has_confirmed_is_left_to_sns(aws: Aws, want: SnsSubscriptionSpec) -> None:
    REC.create(aws, ID, want, OURS)
    seen = REC.observe(aws, ID, want)
    assert seen is not None
    kept = REC.delete(aws, ID, seen, want)
    assert kept is not None
    assert "48 hours" in kept.until
    with pytest.raises(NotYet, match="does not show the subscription"):
        REC.update(aws, ID, want.model_copy(update={"raw_delivery": "true"}), want)


def test_it_is_absent_with_its_topic(aws: Aws, want: SnsSubscriptionSpec) -> None:
    assert REC.observe(aws, "alarms-other/email:a@example.com", None) is None
    assert REC.observe(aws, ID, want) is None


def test_attributes_that_may_not_be_read_are_unknown(aws: Aws, topic: str) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    want = SnsSubscriptionSpec(topic_arn=topic, protocol="sqs", endpoint=queue)
    REC.create(aws, f"alarms-test/{queue}", want, OURS)
    with refuse(aws.sns, "GetSubscriptionAttributes", "AuthorizationError"):
        seen = REC.observe(aws, f"alarms-test/{queue}", want)
    assert seen is not None
    assert seen.spec == want
    assert seen.unreadable["filter_policy"] == "sns:GetSubscriptionAttributes"


class _Refusing:
    """An AWS whose SNS takes no subscription."""

    @property
    def sns(self) -> Any:
        return self

    def subscribe(self, **_: str) -> None:
        raise AwsRefused("sns", "Subscribe", "InvalidParameter", "no such endpoint")

    def get_paginator(self, _: str) -> None:
        """Ask for pages, which `pages` refuses."""

    def pages(self, *_: Any, **__: Any) -> None:
        raise AwsRefused("sns", "ListSubscriptionsByTopic", "InvalidParameter", "no such topic")


def test_an_endpoint_that_sns_does_not_take_is_refused() -> None:
    want = SnsSubscriptionSpec(topic_arn="arn:x", protocol="email", endpoint=MAIL)
    with pytest.raises(AwsRefused, match="no such endpoint"):
        REC.create(cast("Any", _Refusing()), ID, want, OURS)
    filtered = want.model_copy(update={"filter_policy": "{}"})
    with pytest.raises(AwsRefused, match="no such topic"):
        REC.update(cast("Any", _Refusing()), ID, want, filtered)


def test_other_refusals_are_final(aws: Aws, want: SnsSubscriptionSpec) -> None:
    with refuse(aws.sns, "ListSubscriptionsByTopic", "InvalidParameter"), pytest.raises(AwsRefused):
        REC.observe(aws, ID, want)
    with pytest.raises(NotYet):
        REC.create(aws, ID, want.model_copy(update={"topic_arn": f"{want.topic_arn}-none"}), OURS)
    REC.create(aws, ID, want, OURS)
    aws.sns.confirm_subscription(TopicArn=want.topic_arn, Token=MAIL)
    seen = REC.observe(aws, ID, want)
    assert seen is not None
    with refuse(aws.sns, "Unsubscribe", "InvalidParameter"), pytest.raises(AwsRefused):
        REC.delete(aws, ID, seen, want)
    with refuse(aws.sns, "Unsubscribe", "NotFound"):
        assert REC.delete(aws, ID, seen, want) is None


@pytest.mark.parametrize("code", ["NotFound", "ResourceNotFound"])
def test_one_that_goes_between_two_reads_is_absent(aws: Aws, topic: str, code: str) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    want = SnsSubscriptionSpec(topic_arn=topic, protocol="sqs", endpoint=queue)
    REC.create(aws, f"alarms-test/{queue}", want, OURS)
    with refuse(aws.sns, "GetSubscriptionAttributes", code):
        assert REC.observe(aws, f"alarms-test/{queue}", want) is None


def test_no_spec_holds_the_whole_address_of_a_receiver_on_the_web(aws: Aws, topic: str) -> None:
    web, other = (f"https://events.example.com/integration/{key}/enqueue" for key in ("0a1b", "2c3d"))
    hidden = hide_path(web)
    want = SnsSubscriptionSpec(topic_arn=topic, protocol="https", endpoint=hidden)
    aws.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=other)
    # Who has seen the digest in a report may subscribe an address that reads like it.
    aws.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=hidden)
    assert REC.observe(aws, f"alarms-test/{hidden}", want) is None
    with pytest.raises(Refused, match="in the files alone"):
        REC.create(aws, f"alarms-test/{hidden}", want, OURS)
    SnsSubscription(web).create(aws, f"alarms-test/{hidden}", want, OURS)
    seen = REC.observe(aws, f"alarms-test/{hidden}", want)
    assert seen is not None
    assert seen.spec == want
    assert web in {one["Endpoint"] for one in aws.sns.list_subscriptions()["Subscriptions"]}


def test_an_error_text_that_repeats_a_receiver_s_address_has_no_path_of_it(aws: Aws, topic: str) -> None:
    web = "https://events.example.com/integration/0a1b2c/enqueue"
    want = SnsSubscriptionSpec(topic_arn=topic, protocol="https", endpoint=hide_path(web))
    text = f"Invalid parameter: Unreachable Endpoint {web.upper()} or {web}"
    with refuse(aws.sns, "Subscribe", "InvalidParameter", text), pytest.raises(AwsRefused) as refused:
        SnsSubscription(web).create(aws, f"alarms-test/{hide_path(web)}", want, OURS)
    told = "Invalid parameter: Unreachable Endpoint HTTPS://EVENTS.EXAMPLE.COM/… or https://events.example.com/…"
    assert (refused.value.message, told in str(refused.value)) == (told, True)


@pytest.mark.parametrize(
    ("name", "protocol", "endpoint"),
    [
        (f"email:{MAIL}", "email", MAIL),
        ("https://example.com/a", "https", "https://example.com/a"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "lambda",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
        ),
    ],
)
def test_a_subscriber_is_a_protocol_and_an_endpoint(name: str, protocol: str, endpoint: str) -> None:
    assert delivery(name) == (protocol, endpoint)
    assert subscriber({"Protocol": protocol, "Endpoint": endpoint}) == name
