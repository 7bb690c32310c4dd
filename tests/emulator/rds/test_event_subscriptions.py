"""Event subscriptions: what RDS takes, what it shows, and how long its states last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.emulator.conftest import Build, Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import EventSubscriptionTypeDef

BUSY = "InvalidEventSubscriptionState"
LONG_S = 60


@pytest.fixture
def topic(aws: Aws, clock: Clock) -> str:
    """A topic with SNS's own policy, which lets the account publish, made before time began; and two groups."""
    for name in ("g", "h"):
        aws.rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql16", Description="d"
        )
    return aws.sns.create_topic(Name="alarms")["TopicArn"]


def subscribe(aws: Aws, topic: str, name: str = "s", **more: Any) -> None:
    aws.rds.create_event_subscription(
        **{
            "SubscriptionName": name,
            "SnsTopicArn": topic,
            "SourceType": "db-parameter-group",
            "SourceIds": ["G"],
            "EventCategories": ["configuration change"],
            **more,
        }
    )


def described(aws: Aws) -> EventSubscriptionTypeDef:
    (subscription,) = aws.rds.describe_event_subscriptions(SubscriptionName="s")["EventSubscriptionsList"]
    return subscription


def status(aws: Aws) -> str:
    return described(aws)["Status"]


def let(aws: Aws, topic: str, service: str | list[str]) -> None:
    """Let this service publish to the topic, and nobody else."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


# -- what is accepted, stored and returned ---------------------------------------------------------------------------


def test_a_new_subscription_is_shown_as_stored(aws: Aws, topic: str) -> None:
    subscribe(aws, topic, Tags=[{"Key": "a", "Value": "1"}])
    shown = described(aws)
    assert (shown["CustSubscriptionId"], shown["SnsTopicArn"], shown["Status"]) == ("s", topic, "active")
    assert (shown["SourceIdsList"], shown["EventCategoriesList"]) == (["g"], ["configuration change"])
    assert shown["Enabled"] is True
    assert shown["EventSubscriptionArn"] == "arn:aws:rds:us-east-1:123456789012:es:s"
    tags = aws.rds.list_tags_for_resource(ResourceName=shown["EventSubscriptionArn"])["TagList"]
    assert {"Key": "a", "Value": "1"} in tags


def test_a_bad_subscription_is_refused(aws: Aws, topic: str, refused: Refused) -> None:
    with refused("SNSTopicArnNotFound"):
        subscribe(aws, f"{topic}-none")
    with refused("SNSInvalidTopic"):
        subscribe(aws, f"{topic}.fifo")
    with refused("SubscriptionCategoryNotFound", "failover"):
        subscribe(aws, topic, EventCategories=["configuration change", "failover"])
    with refused("SubscriptionCategoryNotFound", "weather"):
        aws.rds.create_event_subscription(SubscriptionName="s", SnsTopicArn=topic, EventCategories=["weather"])
    subscribe(aws, topic)
    with refused("SubscriptionAlreadyExist"):
        subscribe(aws, topic)
    for change in (aws.rds.modify_event_subscription, aws.rds.delete_event_subscription):
        with refused("SubscriptionNotFound"):
            change(SubscriptionName="none")


def test_a_source_must_exist(aws: Aws, topic: str, refused: Refused) -> None:
    with refused("SourceNotFound", "none"):
        subscribe(aws, topic, SourceIds=["g", "none"])
    subscribe(aws, topic)
    with refused("SourceNotFound", "none"):
        aws.rds.add_source_identifier_to_subscription(SubscriptionName="s", SourceIdentifier="none")


def test_every_type_of_source_is_known(aws: Aws, topic: str, make_cluster: Build, make_instance: Build) -> None:
    make_cluster()
    make_instance()
    subscribe(aws, topic, "c", SourceType="db-cluster", SourceIds=["c"], EventCategories=["failover"])
    subscribe(aws, topic, "i", SourceType="db-instance", SourceIds=["i"], EventCategories=["failure"])
    assert len(aws.rds.describe_event_subscriptions()["EventSubscriptionsList"]) == 2


def test_a_topic_must_let_rds_publish(aws: Aws, topic: str, refused: Refused) -> None:
    let(aws, topic, "cloudwatch.amazonaws.com")
    with refused("SNSNoAuthorization"):
        subscribe(aws, topic)
    let(aws, topic, ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"])
    subscribe(aws, topic)
    other = aws.sns.create_topic(Name="other")["TopicArn"]
    let(aws, other, "cloudwatch.amazonaws.com")
    with refused("SNSNoAuthorization"):
        aws.rds.modify_event_subscription(SubscriptionName="s", SourceType="db-parameter-group", SnsTopicArn=other)


def test_a_topic_that_is_closed_or_gone_shows(aws: Aws, topic: str) -> None:
    subscribe(aws, topic)
    let(aws, topic, "cloudwatch.amazonaws.com")
    assert status(aws) == "no-permission"
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
    for policy in ({"Statement": [everybody]}, {"Statement": everybody}):
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
        assert status(aws) == "active"
    aws.sns.delete_topic(TopicArn=topic)
    assert status(aws) == "topic-not-exist"


def test_a_subscription_is_changed_in_place(aws: Aws, topic: str, make_cluster: Build) -> None:
    subscribe(aws, topic)
    aws.rds.modify_event_subscription(SubscriptionName="s", SourceType="db-parameter-group", Enabled=False)
    assert (described(aws)["Enabled"], described(aws)["EventCategoriesList"]) == (False, ["configuration change"])
    other = aws.sns.create_topic(Name="other")["TopicArn"]
    changed = aws.rds.modify_event_subscription(
        SubscriptionName="s", SnsTopicArn=other, SourceType="db-cluster", EventCategories=["failure"]
    )["EventSubscription"]
    assert changed == described(aws)
    assert (changed["SnsTopicArn"], changed["SourceType"], changed["Enabled"]) == (other, "db-cluster", False)
    assert (changed["EventCategoriesList"], changed["SourceIdsList"]) == (["failure"], ["g"])


def test_sources_come_and_go_one_a_call(aws: Aws, topic: str, refused: Refused) -> None:
    subscribe(aws, topic)
    added = aws.rds.add_source_identifier_to_subscription(SubscriptionName="s", SourceIdentifier="H")
    assert added["EventSubscription"]["SourceIdsList"] == ["h", "g"], "in no order"
    aws.rds.remove_source_identifier_from_subscription(SubscriptionName="s", SourceIdentifier="g")
    assert described(aws)["SourceIdsList"] == ["h"]
    with refused("SourceNotFound"):
        aws.rds.remove_source_identifier_from_subscription(SubscriptionName="s", SourceIdentifier="g")


def test_an_account_has_twenty(aws: Aws, topic: str, refused: Refused) -> None:
    for at in range(20):
        subscribe(aws, topic, f"s-{at}")
    with refused("EventSubscriptionQuotaExceeded"):
        subscribe(aws, topic)


def test_subscriptions_come_in_pages(aws: Aws, topic: str, refused: Refused) -> None:
    subscribe(aws, topic)
    with refused("InvalidParameterValue", "between 20 and 100"):
        aws.rds.describe_event_subscriptions(MaxRecords=1)


# -- timing ----------------------------------------------------------------------------------------------------------


def test_naive_code_looks_for_what_it_has_just_made(aws: Aws, topic: str, clock: Clock, refused: Refused) -> None:
    clock.start()
    subscribe(aws, topic)
    for naive in (
        lambda: status(aws),
        lambda: aws.rds.modify_event_subscription(SubscriptionName="s", SourceType="db-parameter-group"),
    ):
        with refused("SubscriptionNotFound"):
            naive()
    assert aws.rds.describe_event_subscriptions()["EventSubscriptionsList"] == []
    clock.advance(2)
    assert status(aws) == "creating"
    clock.advance(1)
    with refused("SubscriptionNotFound"):
        status(aws)
    clock.advance(LONG_S)
    assert status(aws) == "active"


def test_a_subscription_at_work_takes_no_change(aws: Aws, topic: str, clock: Clock, refused: Refused) -> None:
    subscribe(aws, topic)
    clock.start()
    aws.rds.add_source_identifier_to_subscription(SubscriptionName="s", SourceIdentifier="h")
    assert status(aws) == "modifying"
    with refused(BUSY, "modifying"):
        aws.rds.remove_source_identifier_from_subscription(SubscriptionName="s", SourceIdentifier="g")
    with refused(BUSY, "modifying"):
        aws.rds.delete_event_subscription(SubscriptionName="s")
    clock.advance(LONG_S)
    assert status(aws) == "active"


def test_a_deleted_subscription_goes_in_seconds(aws: Aws, topic: str, clock: Clock, refused: Refused) -> None:
    subscribe(aws, topic)
    clock.start()
    aws.rds.delete_event_subscription(SubscriptionName="s")
    assert status(aws) == "deleting"
    with refused(BUSY, "deleting"):
        aws.rds.delete_event_subscription(SubscriptionName="s")
    with refused("SubscriptionAlreadyExist"):
        subscribe(aws, topic)
    clock.advance(LONG_S)
    subscribe(aws, topic)
    clock.advance(LONG_S)
    assert status(aws) == "active"


def test_a_policy_is_news_to_rds(aws: Aws, topic: str, clock: Clock, refused: Refused) -> None:
    clock.start()
    let(aws, topic, "events.rds.amazonaws.com")
    with refused("SNSNoAuthorization"):
        subscribe(aws, topic)
    clock.advance(LONG_S)
    subscribe(aws, topic)
