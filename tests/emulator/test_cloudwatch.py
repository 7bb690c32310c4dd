from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import ACCOUNT, REGION
from tests.emulator.conftest import OF_AWS, Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

ARN = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a"


def put(aws: Aws, **more: Any) -> None:
    aws.cloudwatch.put_metric_alarm(
        **{
            "AlarmName": "a",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **more,
        }
    )


def describe(aws: Aws) -> MetricAlarmTypeDef:
    (alarm,) = aws.cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    return alarm


def tags(aws: Aws) -> dict[str, str]:
    told = aws.cloudwatch.list_tags_for_resource(ResourceARN=ARN)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in told if tag != OF_AWS}


def test_a_new_alarm_has_insufficient_data(aws: Aws) -> None:
    put(aws)
    assert describe(aws)["StateValue"] == "INSUFFICIENT_DATA"


def test_a_change_keeps_state_and_tags(aws: Aws) -> None:
    put(aws, Tags=[{"Key": "a", "Value": "1"}])
    aws.cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="r")
    put(aws, Threshold=2.0, Tags=[{"Key": "b", "Value": "2"}])
    assert (describe(aws)["Threshold"], describe(aws)["StateValue"]) == (2.0, "ALARM")
    assert tags(aws) == {"a": "1"}
    put(aws)
    assert tags(aws) == {"a": "1"}


def test_naive_code_takes_an_alarm_that_warms_up_for_one_that_rings(aws: Aws) -> None:
    warm_up = {"WarmUpPeriodDurationInMinutes": 2880}
    put(aws, WarmUpConfiguration=warm_up)
    assert describe(aws)["WarmUpConfiguration"] == warm_up
    put(aws, Threshold=2.0)
    assert "WarmUpConfiguration" not in describe(aws)


def test_actions_are_switched_off_and_seen_so(aws: Aws) -> None:
    put(aws, AlarmActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:t"])
    aws.cloudwatch.disable_alarm_actions(AlarmNames=["a"])
    assert describe(aws)["ActionsEnabled"] is False


def test_bad_alarms_are_refused(aws: Aws, refused: Refused) -> None:
    with refused("ValidationError", "Period"):
        put(aws, Period=61)
    with refused("ValidationError", "OKActions"):
        put(aws, OKActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:t{at}" for at in range(6)])
    put(aws, Period=10)


@pytest.mark.parametrize("way", ["list", "tag"])
def test_an_alarm_takes_its_tags_with_it(aws: Aws, refused: Refused, way: str) -> None:
    put(aws, Tags=[{"Key": "a", "Value": "1"}])
    aws.cloudwatch.delete_alarms(AlarmNames=["a"])
    with refused("ResourceNotFoundException"):
        if way == "list":
            tags(aws)
        else:
            aws.cloudwatch.tag_resource(ResourceARN=ARN, Tags=[{"Key": "a", "Value": "1"}])
    put(aws)
    assert tags(aws) == {}


def test_naive_code_puts_many_alarms_at_once(clock: Clock) -> None:
    once = Config(retries={"total_max_attempts": 1})
    cloudwatch: Any = boto3.client("cloudwatch", region_name=REGION, config=once)

    def put_alarm(name: str) -> None:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )

    for name in "abc":
        put_alarm(name)
    with pytest.raises(ClientError, match="Throttling"):
        put_alarm("d")
    clock.advance(1.5)
    put_alarm("d")


def test_a_mute_rule_is_listed_for_its_alarms(aws: Aws) -> None:
    client: Any = aws.cloudwatch
    rule = {"Schedule": {"Expression": "cron(0 2 * * *)", "Duration": "PT2H"}}
    client.put_alarm_mute_rule(Name="night", Rule=rule, MuteTargets={"AlarmNames": ["a"]})

    def listed(**of: str) -> list[str]:
        return [each["AlarmMuteRuleArn"] for each in client.list_alarm_mute_rules(**of)["AlarmMuteRuleSummaries"]]

    night = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm-mute-rule:night"
    assert (listed(), listed(AlarmName="a"), listed(AlarmName="b")) == ([night], [night], [])
    assert client.get_alarm_mute_rule(AlarmMuteRuleName="night")["Rule"] == rule
    client.delete_alarm_mute_rule(AlarmMuteRuleName="night")
    assert listed() == []
    with pytest.raises(AwsRefused, match="ResourceNotFound"):
        client.get_alarm_mute_rule(AlarmMuteRuleName="night")


def test_naive_code_deletes_an_alarm_that_a_composite_alarm_names(aws: Aws, refused: Refused) -> None:
    put(aws)
    put(aws, AlarmName="b")
    client: Any = aws.cloudwatch
    for name, rule in (("one", "ALARM(a) AND OK(other)"), ("two", f'NOT ALARM("{ARN}")')):
        client.put_composite_alarm(AlarmName=name, AlarmRule=rule)

    def parents(of: str) -> list[str]:
        told = client.describe_alarms(ParentsOfAlarmName=of)
        return [each["AlarmName"] for each in told["CompositeAlarms"]]

    assert (parents("a"), parents("b"), parents("other")) == (["one", "two"], [], ["one"])
    with refused("ValidationError", "Cannot delete a as there are composite alarm(s) depending on it."):
        client.delete_alarms(AlarmNames=["a"])
    client.delete_alarms(AlarmNames=["b"])
    client.delete_alarms(AlarmNames=["one"])
    client.delete_alarms(AlarmNames=["two"])
    client.delete_alarms(AlarmNames=["a"])
    assert client.describe_alarms()["MetricAlarms"] == []


def test_composite_alarms_are_told_to_who_asks_for_them(aws: Aws, refused: Refused) -> None:
    put(aws)
    client: Any = aws.cloudwatch
    client.put_composite_alarm(AlarmName="one", AlarmRule="ALARM(a)")

    def told(**asked: Any) -> tuple[list[str], list[str]]:
        answer = client.describe_alarms(**asked)
        metric, composite = answer.get("MetricAlarms", []), answer.get("CompositeAlarms", [])
        return [each["AlarmName"] for each in metric], [each["AlarmRule"] for each in composite]

    assert told() == (["a"], [])
    assert told(AlarmTypes=["CompositeAlarm"]) == ([], ["ALARM(a)"])
    assert told(AlarmNames=["a", "b"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == (["a"], [])
    assert told(AlarmNames=["one"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == ([], ["ALARM(a)"])
    with refused("ValidationError", "ParentsOfAlarmName"):
        client.describe_alarms(ParentsOfAlarmName="a", AlarmTypes=["CompositeAlarm"])


def test_naive_code_asks_an_older_region_for_log_alarms(aws: Aws, simulation: Simulation, refused: Refused) -> None:
    simulation.script("cloudwatch.older", "yes")
    with refused("ValidationError", "LogAlarm"):
        aws.cloudwatch.describe_alarms(AlarmNames=["a"], AlarmTypes=["MetricAlarm", "LogAlarm"])
