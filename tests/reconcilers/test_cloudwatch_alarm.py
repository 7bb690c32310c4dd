from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience, Refused
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, CloudwatchAlarmSpec
from tests.reconcilers.scripted_aws import refused, scripted

NAME = "payment-processor-errors-test"
ARN = f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{NAME}"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms-test"
OURS = Owner.ours("test", "dev")
WANT = CloudwatchAlarmSpec(
    namespace="AWS/Lambda",
    metric_name="Errors",
    dimensions={"FunctionName": "payment-processor-test"},
    statistic="Sum",
    comparison="GreaterThanOrEqualToThreshold",
    threshold=3,
    period_s=300,
    evaluation_periods=2,
    datapoints_to_alarm=2,
    treat_missing_data="notBreaching",
    description="the function fails",
    alarm_actions=frozenset({TOPIC}),
    ok_actions=frozenset({TOPIC}),
    tags={"Name": NAME, **OURS.tags},
)


def with_(**changes: Any) -> CloudwatchAlarmSpec:
    return WANT.model_copy(update=changes)


def alarm(**changes: Any) -> dict[str, Any]:
    """DescribeAlarms' answer: the alarm as wanted, but for the changes; None leaves a member out."""
    members = {
        "AlarmName": NAME,
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "payment-processor-test"}],
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 3.0,
        "Period": 300,
        "EvaluationPeriods": 2,
        "TreatMissingData": "notBreaching",
        "AlarmDescription": "the function fails",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "InsufficientDataActions": [],
        "ActionsEnabled": True,
        **changes,
    }
    return {"MetricAlarms": [{name: value for name, value in members.items() if value is not None}]}


# With one of AWS's own, which is none of ours.
TAGS = {"Tags": [{"Key": key, "Value": value} for key, value in {**WANT.tags, "aws:stack": "x"}.items()]}


def look(aws: Any, expected: CloudwatchAlarmSpec | None = WANT) -> Any:
    seen = CloudwatchAlarm().observe(aws, NAME, expected)
    assert seen is not None
    return seen


def shown(**changes: Any) -> CloudwatchAlarmSpec:
    spec: CloudwatchAlarmSpec = look(
        scripted({"describe_alarms": alarm(**changes), "list_tags_for_resource": TAGS})
    ).spec
    return spec


def test_all_alarms_of_a_round_are_described_by_one_call_for_each_hundred(aws: Aws) -> None:
    names = tuple(f"alarm-{index:03}" for index in range(130))
    for name in (names[0], names[129]):
        CloudwatchAlarm().create(aws, name, WANT, OURS)
    view = aws.memoized({"cloudwatch-alarm": names})

    seen = {name: CloudwatchAlarm().observe(view, name, WANT) for name in names}

    assert [name for name, one in seen.items() if one is not None] == [names[0], names[129]]
    # Two looks of the creates' own, and two of the round.
    assert aws.call_log.calls["cloudwatch:DescribeAlarms"] == 4


def test_a_create_never_overwrites_an_alarm_of_that_name(aws: Aws) -> None:
    theirs = with_(threshold=99.0, tags={"ManagedBy": "terraform"})
    CloudwatchAlarm().create(aws, NAME, theirs, Owner("terraform", ""))
    view = aws.memoized()
    view.pages(view.cloudwatch.get_paginator("describe_alarms"), AlarmNames=[NAME])

    with pytest.raises(AlreadyExists):
        CloudwatchAlarm().create(view, NAME, WANT, OURS)
    assert look(aws).spec.threshold == 99.0


def test_a_region_without_log_alarms_is_asked_again_without_them() -> None:
    older = refused("cloudwatch:DescribeAlarms", "ValidationError", "Value 'LogAlarm' … failed to satisfy constraint")
    aws = scripted({"describe_alarms": older})
    with pytest.raises(AwsRefused):
        CloudwatchAlarm().observe(aws, NAME, WANT)
    assert [asked["AlarmTypes"] for asked in aws.asked("describe_alarms")] == [
        ["MetricAlarm", "CompositeAlarm", "LogAlarm"],
        ["MetricAlarm", "CompositeAlarm"],
    ]
    with pytest.raises(AwsRefused, match="Throttling"):
        CloudwatchAlarm().observe(scripted({"describe_alarms": refused("cloudwatch:D", "Throttling")}), NAME, WANT)


def test_what_aws_leaves_out_is_its_default() -> None:
    assert shown() == WANT
    assert shown(TreatMissingData=None, AlarmDescription=None, AlarmActions=None, OKActions=None) == with_(
        treat_missing_data="missing", description="", alarm_actions=frozenset(), ok_actions=frozenset()
    )
    assert shown(DatapointsToAlarm=1).datapoints_to_alarm == 1


def test_what_somebody_changed_shows() -> None:
    changed = shown(
        Statistic=None,
        ExtendedStatistic="p95",
        Unit="Count",
        ActionsEnabled=False,
        InsufficientDataActions=[TOPIC],
        Dimensions=[],
    )

    assert changed == with_(
        statistic="",
        extended_statistic="p95",
        unit="Count",
        actions_enabled=False,
        insufficient_data_actions=frozenset({TOPIC}),
        dimensions={},
    )


def test_an_alarm_that_was_turned_into_metric_math_shows() -> None:
    metrics = [{"Id": "e1", "Expression": "0"}]
    changed = shown(MetricName=None, Namespace=None, Statistic=None, Period=None, Metrics=metrics)

    assert json.loads(changed.expression) == {"Metrics": metrics}
    assert (changed.metric_name, changed.period_s) == ("", 0)


def test_a_percentile_that_ignores_few_samples_shows_and_the_default_does_not() -> None:
    assert shown(EvaluateLowSampleCountPercentile="evaluate") == WANT
    assert "ignore" in shown(EvaluateLowSampleCountPercentile="ignore").expression


@pytest.mark.parametrize(
    "silence",
    [
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 2880}},
        {"EvaluationWindow": {"WallClockWindow": {"Timezone": "UTC"}}},
        {"ActionConfiguration": {"AlarmTagsPropagation": {"Mode": "NONE"}}},
        {"EvaluationInterval": 3600},
    ],
)
def test_an_alarm_that_watches_or_tells_less_than_it_says_shows(silence: dict[str, Any]) -> None:
    assert json.loads(shown(**silence).expression) == silence


def test_a_sliding_window_and_no_warm_up_are_the_defaults() -> None:
    warm_up = {"WarmUpPeriodDurationInMinutes": 0}
    assert shown(EvaluationWindow={"SlidingWindow": {}}, WarmUpConfiguration=warm_up) == WANT


def test_a_composite_alarm_of_our_name_is_seen_and_is_different() -> None:
    composite = {"AlarmName": NAME, "AlarmRule": "FALSE", "ActionsEnabled": True}
    aws = scripted({"describe_alarms": {"CompositeAlarms": [composite]}, "list_tags_for_resource": {"Tags": []}})

    seen = look(aws)
    assert seen.owner is None
    assert json.loads(seen.spec.expression) == {"AlarmRule": "FALSE"}
    with pytest.raises(AlreadyExists):
        CloudwatchAlarm().create(aws, NAME, WANT, OURS)


def test_a_waived_expression_that_overwriting_it_would_lose_is_kept_by_a_refusal() -> None:
    aws, waived = scripted(), with_(expression='{"EvaluationInterval": 10}')
    with pytest.raises(Refused, match="the waived expression would be lost") as caught:
        CloudwatchAlarm().update(aws, NAME, waived.model_copy(update={"threshold": 9}), waived)
    assert (caught.value.evidence, aws.calls) == ("to be changed beside it: threshold", [])
    assert CloudwatchAlarm().update(aws, NAME, waived.model_copy(update={"tags": {}}), waived) == {"tags"}


def test_it_is_overwritten_whole_and_says_which_fields_that_asked_for() -> None:
    aws = scripted()

    asked = CloudwatchAlarm().update(
        aws, NAME, with_(threshold=5.0, actions_enabled=False, tags={}), with_(unit="Count")
    )

    assert asked == {"threshold", "actions_enabled", "unit"}
    ((operation, sent),) = aws.calls
    assert operation == "put_metric_alarm"
    assert sent == {
        "AlarmName": NAME,
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "payment-processor-test"}],
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 3.0,
        "Period": 300,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "TreatMissingData": "notBreaching",
        "Unit": "Count",
        "AlarmDescription": "the function fails",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "InsufficientDataActions": [],
        "ActionsEnabled": True,
        # Ignored where it is there; where it has vanished, what this makes is not nobody's.
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(WANT.tags.items())],
    }


def test_a_percentile_takes_the_place_of_the_statistic(aws: Aws) -> None:
    CloudwatchAlarm().create(aws, NAME, WANT, OURS)
    p95 = with_(statistic="", extended_statistic="p95")

    assert CloudwatchAlarm().update(aws, NAME, WANT, p95) == {"statistic", "extended_statistic"}
    assert look(aws).spec == p95


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("ConcurrentModificationException", Patience.BUSY),
        ("ConflictException", Patience.BUSY),
        ("ResourceConflict", Patience.BUSY),
        ("ResourceNotFound", Patience.PROPAGATION),
        ("ResourceNotFoundException", Patience.PROPAGATION),
    ],
)
def test_a_change_that_only_has_to_wait_says_so(code: str, patience: Patience) -> None:
    aws = scripted({"tag_resource": refused("cloudwatch:TagResource", code)})

    with pytest.raises(NotYet) as answer:
        CloudwatchAlarm().update(aws, NAME, with_(tags={}), WANT)
    assert answer.value.patience is patience


def test_a_removal_meets_what_a_change_meets() -> None:
    seen = look(scripted({"describe_alarms": alarm(), "list_tags_for_resource": TAGS}))
    gone = refused("cloudwatch:DeleteAlarms", "ResourceNotFound")
    busy = refused("cloudwatch:DeleteAlarms", "ResourceConflict")

    CloudwatchAlarm().delete(scripted({"delete_alarms": gone}), NAME, seen, None)
    with pytest.raises(NotYet):
        CloudwatchAlarm().delete(scripted({"delete_alarms": busy}), NAME, seen, None)


def test_who_made_a_composite_alarm_over_it_since_the_plan_is_told_how_to_find_it() -> None:
    seen = look(scripted({"describe_alarms": alarm(), "list_tags_for_resource": TAGS}))
    said = f"Cannot delete {NAME} as there are composite alarm(s) depending on it."
    held = refused("cloudwatch:DeleteAlarms", "ValidationError", said)
    with pytest.raises(AwsRefused) as caught:
        CloudwatchAlarm().delete(scripted({"delete_alarms": held}), NAME, seen, None)
    assert caught.value.hint is not None
    assert f"aws cloudwatch describe-alarms --parents-of-alarm-name {NAME} --region us-east-1" in caught.value.hint


def test_composite_alarms_over_it_that_may_not_be_asked_for_stop_a_removal() -> None:
    seen = look(scripted({"describe_alarms": alarm(), "list_tags_for_resource": TAGS}))
    denied = scripted({"describe_alarms": refused("cloudwatch:DescribeAlarms", "AccessDenied")})
    told = CloudwatchAlarm().removal_refusal(denied, NAME, seen, None)
    assert told is not None
    assert told.cause == f"cloudwatch-alarm/{NAME}: who else uses it could not be asked"
    nobody = scripted({"describe_alarms": {"CompositeAlarms": []}})
    assert CloudwatchAlarm().removal_refusal(nobody, NAME, seen, None) is None
    assert nobody.asked("describe_alarms") == [{"ParentsOfAlarmName": NAME}]


def test_a_warm_up_that_somebody_gave_an_alarm_shows_and_is_undone(aws: Aws) -> None:
    kind = CloudwatchAlarm()
    kind.create(aws, NAME, WANT, OURS)
    (live,) = aws.cloudwatch.describe_alarms(AlarmNames=[NAME])["MetricAlarms"]
    kept: Any = {name: live[name] for name in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period")}
    kept |= {name: live[name] for name in ("ComparisonOperator", "Threshold", "EvaluationPeriods", "AlarmActions")}
    aws.cloudwatch.put_metric_alarm(AlarmName=NAME, **kept, WarmUpConfiguration={"WarmUpPeriodDurationInMinutes": 2880})
    silent = look(aws).spec
    assert "2880" in silent.expression
    kind.update(aws, NAME, silent, WANT)
    assert look(aws).spec == WANT
