"""The alarm in the conformance suite."""

from __future__ import annotations

from tapctl.aws.client import Aws
from tapctl.reconcilers.cloudwatch_alarm import CloudwatchAlarm, CloudwatchAlarmSpec

RECONCILER = CloudwatchAlarm()
ID = "payment-processor-errors-test"
CREATE = ("cloudwatch", "PutMetricAlarm")
# The call that reads the tags, and its refusal of a resource that is gone.
TAGS_READ = ("cloudwatch", "ListTagsForResource", "ResourceNotFoundException")
# Never wanted otherwise: it only shows what somebody turned the alarm into.
FIXED = frozenset({"expression"})

_TAGS = {"Name": ID, "ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}


def prepare(aws: Aws) -> dict[str, str]:
    return {name: aws.sns.create_topic(Name=name)["TopicArn"] for name in ("alarms", "pager")}


def examples(world: dict[str, str]) -> list[CloudwatchAlarmSpec]:
    base = CloudwatchAlarmSpec(
        namespace="AWS/Lambda",
        metric_name="Errors",
        dimensions={"FunctionName": "payment-processor-test"},
        statistic="Sum",
        extended_statistic="",
        comparison="GreaterThanOrEqualToThreshold",
        threshold=3,
        period_s=60,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
        unit="",
        description="the function fails",
        alarm_actions=frozenset({world["alarms"]}),
        ok_actions=frozenset({world["alarms"]}),
        insufficient_data_actions=frozenset(),
        actions_enabled=True,
        tags={**_TAGS, "CostCenter": "payments"},
    )
    return [
        base,
        base.model_copy(
            update={
                "metric_name": "Duration",
                "statistic": "",
                "extended_statistic": "p95",
                "threshold": 2000.5,
                "unit": "Milliseconds",
                "evaluation_periods": 3,
                "datapoints_to_alarm": 2,
                "description": "the function is slow",
            }
        ),
        base.model_copy(
            update={
                "namespace": "AWS/RDS",
                "metric_name": "CPUUtilization",
                "dimensions": {"DBInstanceIdentifier": "db-cluster-test-0"},
                "statistic": "Average",
                "comparison": "GreaterThanThreshold",
                "threshold": 80.0,
                "period_s": 300,
                "treat_missing_data": "breaching",
                "alarm_actions": frozenset({world["alarms"], world["pager"]}),
                "ok_actions": frozenset(),
                "insufficient_data_actions": frozenset({world["pager"]}),
                "actions_enabled": False,
                "tags": {**_TAGS, "Service": "payments"},
            }
        ),
    ]


def foreign(aws: Aws, world: dict[str, str]) -> None:
    aws.cloudwatch.put_metric_alarm(
        AlarmName=ID,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=[{"Key": "ManagedBy", "Value": "terraform"}],
    )
