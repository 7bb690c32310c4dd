"""Looks that miss the last change, service by service: naive code believes the first one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused
from tests.emulator.conftest import LONG_S, Clock
from tests.emulator.test_cloudwatch import put

Look = Callable[[], bool]


def known(look: Callable[[], object]) -> Look:
    """Tell whether a thing is there, by a look that is refused where it is not."""

    def seen() -> bool:
        try:
            look()
        except AwsRefused:
            return False
        return True

    return seen


def log_group(aws: Aws) -> tuple[Callable[[], object], Callable[[], object], Look]:
    return (
        lambda: aws.logs.create_log_group(logGroupName="g"),
        lambda: aws.logs.delete_log_group(logGroupName="g"),
        lambda: bool(aws.logs.describe_log_groups(logGroupNamePrefix="g")["logGroups"]),
    )


def topic(aws: Aws) -> tuple[Callable[[], object], Callable[[], object], Look]:
    arn = "arn:aws:sns:us-east-1:123456789012:t"
    return (
        lambda: aws.sns.create_topic(Name="t"),
        lambda: aws.sns.delete_topic(TopicArn=arn),
        known(lambda: aws.sns.get_topic_attributes(TopicArn=arn)),
    )


def role(aws: Aws) -> tuple[Callable[[], object], Callable[[], object], Look]:
    trust = '{"Statement": []}'
    return (
        lambda: aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust),
        lambda: aws.iam.delete_role(RoleName="r"),
        known(lambda: aws.iam.get_role(RoleName="r")),
    )


def alarm(aws: Aws) -> tuple[Callable[[], object], Callable[[], object], Look]:
    return (
        lambda: put(aws),
        lambda: aws.cloudwatch.delete_alarms(AlarmNames=["a"]),
        lambda: bool(aws.cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]),
    )


def tag_of_a_group(aws: Aws) -> tuple[Callable[[], object], Callable[[], object], Look]:
    group = aws.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    return (
        lambda: aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "b"}]),
        lambda: aws.ec2.delete_tags(Resources=[group], Tags=[{"Key": "a"}]),
        lambda: bool(aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0].get("Tags")),
    )


@pytest.mark.parametrize("of", [log_group, topic, role, alarm, tag_of_a_group])
def test_what_is_new_shows_and_hides_and_so_does_what_is_gone(
    aws: Aws, clock: Clock, of: Callable[[Aws], tuple[Callable[[], object], Callable[[], object], Look]]
) -> None:
    make, take_away, seen = of(aws)
    assert not seen()
    clock.advance(LONG_S)
    make()
    assert clock.sample(seen) == {True, False}
    clock.advance(4)
    assert clock.sample(seen) == {True}
    take_away()
    assert clock.sample(seen) == {True, False}
    clock.advance(4)
    assert clock.sample(seen) == {False}


def test_what_nobody_looked_at_before_shows_at_once(aws: Aws, clock: Clock) -> None:
    aws.logs.create_log_group(logGroupName="g")
    assert aws.logs.describe_log_groups(logGroupNamePrefix="g")["logGroups"]


def test_what_was_changed_again_and_again_shows_what_is_three_seconds_old(aws: Aws, clock: Clock) -> None:
    topic = aws.sns.create_topic(Name="t")["TopicArn"]
    clock.advance(LONG_S)

    def name() -> str:
        return aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("DisplayName", "")

    seen = [name()]
    for at in range(8):
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=str(at))
        clock.advance(0.5)
        assert name() == str(at)
        clock.advance(0.5)
        seen.append(name())
    # However often it is changed, what is shown is never older than that.
    assert seen == ["", "", "", "", "1", "2", "3", "4", "5"]
