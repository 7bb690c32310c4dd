"""Filters of others on our log groups, which a destroy tells."""

from __future__ import annotations

import io

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused
from tapctl.planning.log_filters import ended_filters, tell_of_ended_filters
from tapctl.reconcilers.log_group import LogGroup
from tapctl.session.session import Session
from tests.reconcilers.scripted import answer, refuse

GROUP = "/aws/lambda/payment-processor-dev"


def put(aws: Aws, *names: str) -> None:
    aws.logs.create_log_group(logGroupName=GROUP)
    for name in names:
        aws.logs.put_metric_filter(
            logGroupName=GROUP,
            filterName=name,
            filterPattern="",
            metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        )
    LogGroup().observe(aws, GROUP, None)


def test_of_many_filters_five_are_named_and_a_name_may_hold_a_slash(
    session: Session, aws: Aws, said: io.StringIO
) -> None:
    names = ["team/a", *"bcdefg"]
    put(aws, *names)
    found = ended_filters(session, [f"log-group/{GROUP}", "sns-topic/alarms-dev"], approved=False)
    assert found == tuple(sorted(f"log-metric-filter/{GROUP}:{name}" for name in names))
    tell_of_ended_filters(session, found)
    named = "".join(f"metric filter {name}, " for name in sorted(names)[:5])
    assert said.getvalue() == (
        f"warning: {GROUP} has filters that others have added, and they go with it: {named}2 more\n"
    )


def test_where_aws_does_not_tell_how_many_metric_filters_there_are_they_are_asked_for(
    session: Session, aws: Aws
) -> None:
    answer(aws.logs, "DescribeLogGroups", {"logGroups": [{"logGroupName": GROUP}]})
    put(aws, "theirs")
    assert ended_filters(session, [f"log-group/{GROUP}"], approved=False) == (f"log-metric-filter/{GROUP}:theirs",)


def test_a_group_that_is_gone_since_or_stays_has_no_filters_that_end(
    session: Session, aws: Aws, said: io.StringIO
) -> None:
    put(aws, "theirs")
    assert ended_filters(session, ["sns-topic/alarms-dev"], approved=False) == ()
    aws.logs.delete_log_group(logGroupName=GROUP)
    assert ended_filters(session, [f"log-group/{GROUP}"], approved=False) == ()
    tell_of_ended_filters(session, ())
    assert said.getvalue() == ""


def test_a_group_that_is_there_and_not_found_may_have_filters_that_end(session: Session, aws: Aws) -> None:
    put(aws, "theirs")
    refuse(session.aws.logs, "DescribeSubscriptionFilters", "ResourceNotFoundException")
    with pytest.raises(AwsRefused, match="ResourceNotFoundException"):
        ended_filters(session, [f"log-group/{GROUP}"], approved=True)
