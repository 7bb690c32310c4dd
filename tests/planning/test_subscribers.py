"""What several commands tell of the receivers of the alarms."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.plan import Action, Change
from tapctl.errors import ConfigError
from tapctl.planning.subscribers import (
    ended_subscriptions,
    shown_subscriptions,
    tell_of_confirmations,
    tell_of_ended_subscriptions,
    tell_of_subscribers,
)
from tapctl.session.session import Session
from tests.reconcilers.scripted import refuse
from tests.support.config_folder import Folder

TOPIC = "sns-topic/alarms-dev"


@pytest.fixture
def topic(aws: Aws) -> str:
    return aws.sns.create_topic(Name="alarms-dev")["TopicArn"]


def test_a_topic_without_a_subscriber_is_warned_of(session: Session, topic: str, said: io.StringIO) -> None:
    tell_of_subscribers(session, [TOPIC], nobody=False)
    assert said.getvalue() == ""
    tell_of_subscribers(session, [TOPIC])
    assert said.getvalue() == (
        "warning: alarms-dev has no subscriber: no alarm reaches anybody; name some as alarms.subscribers in dev.toml\n"
    )


def test_subscribers_that_have_not_confirmed_get_nothing(
    session: Session, aws: Aws, topic: str, said: io.StringIO, tmp_path: Path
) -> None:
    aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    folder = Folder(tmp_path / "environments").put("dev", "alarms.subscribers", ["email:a@example.com"])
    session = replace(session, loaded=folder.load()["dev"])
    tell_of_subscribers(session, [TOPIC, "sns-subscription/alarms-dev/email:a@example.com"])
    assert said.getvalue() == (
        "warning: no subscriber of alarms-dev has confirmed: no alarm reaches anybody (email:a@example.com)\n"
    )


def test_others_are_listed_without_what_lets_somebody_in(
    session: Session, aws: Aws, topic: str, said: io.StringIO
) -> None:
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:a")
    aws.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://hooks.example.com/secret-path?key=1")
    for name in "bcdef":
        aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{name}@example.com")
    tell_of_subscribers(session, [TOPIC])
    assert said.getvalue() == (
        "warning: alarms-dev has subscribers that others have added, and keeps them: "
        "arn:aws:sqs:us-east-1:123456789012:a, email:b@example.com, email:c@example.com, email:d@example.com, "
        "email:e@example.com, 2 more\n"
    )
    said.truncate(0)
    for name in "bcdef":
        (live,) = [s for s in aws.sns.list_subscriptions()["Subscriptions"] if s["Endpoint"][0] == name]
        confirmed = aws.sns.confirm_subscription(TopicArn=topic, Token=live["Endpoint"])["SubscriptionArn"]
        aws.sns.unsubscribe(SubscriptionArn=confirmed)
    tell_of_subscribers(session, [TOPIC])
    assert said.getvalue().endswith("arn:aws:sqs:us-east-1:123456789012:a, https://hooks.example.com/…\n")


def test_one_that_the_record_alone_tells_of_is_named(
    session: Session, aws: Aws, topic: str, said: io.StringIO, tmp_path: Path
) -> None:
    """Whatever files the record says that it is of: these decide whether drift holds the record against them."""
    ours, evil = (f"arn:aws:sqs:us-east-1:123456789012:{name}" for name in ("ours", "evil"))
    for queue in (ours, evil):
        aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    recorded = [TOPIC, *(f"sns-subscription/alarms-dev/{queue}" for queue in (ours, evil))]
    folder = Folder(tmp_path / "environments").put("dev", "alarms.subscribers", [ours])
    tell_of_subscribers(replace(session, loaded=folder.load()["dev"]), recorded)
    assert said.getvalue() == (
        "warning: alarms-dev has subscribers that the record tells of and dev.toml does not name: "
        f"{evil}; an apply removes those that --allow names\n"
    )
    said.truncate(0)
    said.seek(0)
    tell_of_subscribers(replace(session, loaded=ConfigError([])), recorded)
    assert said.getvalue() == "", "without files nobody can tell"


def test_one_that_nobody_can_unsubscribe_yet_names_no_command(
    session: Session, aws: Aws, topic: str, said: io.StringIO, tmp_path: Path
) -> None:
    queue = "arn:aws:sqs:us-east-2:123456789012:ours"
    aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    recorded = [TOPIC, *(f"sns-subscription/alarms-dev/{each}" for each in ("email:a@example.com", queue))]
    folder = Folder(tmp_path / "environments").put("dev", "alarms.subscribers", [queue])
    session = replace(session, loaded=folder.load()["dev"])
    tell_of_subscribers(session, recorded)
    assert said.getvalue() == (
        "warning: alarms-dev has asked subscribers that dev.toml does not name, and that have not confirmed: "
        "email:a@example.com; nobody can unsubscribe them before that, and SNS drops them 48 hours after they were "
        "asked; who confirms until then gets every alarm, and drift tells it\n"
    )
    said.truncate(0)
    aws.sns.confirm_subscription(TopicArn=topic, Token="a@example.com")
    tell_of_subscribers(session, recorded)
    assert said.getvalue().endswith("email:a@example.com; an apply removes those that --allow names\n")


def test_what_cannot_be_read_is_told_and_stops_nothing(
    session: Session, aws: Aws, topic: str, said: io.StringIO
) -> None:
    with refuse(aws.sns, "ListSubscriptionsByTopic", "AuthorizationError"):
        tell_of_subscribers(session, [TOPIC])
    assert said.getvalue().startswith("warning: the subscribers of alarms-dev could not be read: AuthorizationError")


def test_without_a_topic_nothing_is_asked(session: Session, said: io.StringIO) -> None:
    tell_of_subscribers(session, [])
    assert said.getvalue() == ""


def test_a_destroy_names_the_subscriptions_of_others_that_end_with_the_topic(
    session: Session, aws: Aws, topic: str, said: io.StringIO
) -> None:
    ours, theirs = (f"arn:aws:sqs:us-east-1:123456789012:{name}" for name in ("ours", "theirs"))
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ours)
    own = f"sns-subscription/alarms-dev/{ours}"
    assert ended_subscriptions(session, [TOPIC, own], approved=False) == ()
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=theirs)
    assert ended_subscriptions(session, [own], approved=True) == ()
    tell_of_ended_subscriptions(session, [])
    assert said.getvalue() == "", "nothing but ours goes, or the topic does not"
    told = ended_subscriptions(session, [TOPIC, own], approved=False)
    tell_of_ended_subscriptions(session, told)
    assert shown_subscriptions(session, told) == (f"sns-subscription/alarms-dev/{theirs}",)
    assert said.getvalue() == (
        f"warning: alarms-dev has subscribers that others have added, and they go with it: {theirs}\n"
    )
    # An address on the web may be all that lets somebody in.
    for protocol, web in (("https", "https://me:pass@[hooks.example/T0/token"), ("http", "http://example?token")):
        aws.sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=web)
    hidden = ("https://[hooks.example/…", "http:http://example/…")
    told = ended_subscriptions(session, [TOPIC, own], approved=False)
    tell_of_ended_subscriptions(session, told)
    shown = shown_subscriptions(session, told)
    assert {one.partition("#")[0] for one in shown} == {
        f"sns-subscription/alarms-dev/{each}" for each in (theirs, *hidden)
    }
    assert "token" not in said.getvalue() + "".join(shown)
    at_one_host = shown_subscriptions(session, ["https://hooks.example/a", "https://hooks.example/b"])
    assert len({*at_one_host}) == len(at_one_host), "a digest tells them apart"


def test_a_receiver_in_another_account_is_told_to_confirm(session: Session, said: io.StringIO) -> None:
    theirs = "arn:aws:sqs:us-east-2:210987654321:alarms"
    receivers = [theirs, "arn:aws:lambda:us-east-2:123456789012:function:a", "email:a@example.com"]
    made = [
        Change(f"sns-subscription/alarms-dev/{each}", "sns-subscription", f"alarms-dev/{each}", Action.CREATE)
        for each in receivers
    ]
    tell_of_confirmations(session, [*made, replace(made[0], action=Action.NOTHING)])
    (warning,) = said.getvalue().splitlines()
    assert warning.startswith(f"warning: {theirs} is of account 210987654321, which has to confirm it: ")
