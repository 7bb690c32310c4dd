"""A CloudWatch metric alarm.

AWS's facts are from the CloudWatch API reference: PutMetricAlarm overwrites whatever alarm has the name and knows no
"already exists"; it takes tags only when it makes the alarm; DescribeAlarms takes 100 names a call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tapctl.engine.model import Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_NAMES_A_CALL: Final = 100
_EVERY_TYPE: Final = ("MetricAlarm", "CompositeAlarm", "LogAlarm")
# One error, two spellings: which one arrives depends on the protocol that botocore chooses for CloudWatch.
_MISSING: Final = ("ResourceNotFound", "ResourceNotFoundException")
_BUSY: Final = ("ResourceConflict", "ConflictException", "ConcurrentModificationException")
# What makes an alarm another kind of alarm, or watches less than it says. tapctl sets none of these.
_FOREIGN: Final = (
    "Metrics",
    "ThresholdMetricId",
    "EvaluationCriteria",
    "EvaluateLowSampleCountPercentile",
    "AlarmRule",
    "ScheduledQueryConfiguration",
)


class CloudwatchAlarmSpec(Spec):
    """What tapctl owns on an alarm."""

    namespace: str
    metric_name: str
    dimensions: dict[str, str]
    statistic: str = ""
    """``Sum``, ``Average``, ``Maximum`` …; empty where ``extended_statistic`` is set."""
    extended_statistic: str = ""
    """A percentile such as ``p95``; empty where ``statistic`` is set."""
    comparison: str
    """AWS's word, such as ``GreaterThanOrEqualToThreshold``."""
    threshold: float
    """In the metric's own unit: Lambda's Duration is in milliseconds."""
    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: str
    """``missing``, ``notBreaching``, ``breaching`` or ``ignore``."""
    unit: str = ""
    """Empty: any unit."""
    description: str
    alarm_actions: frozenset[str]
    ok_actions: frozenset[str]
    insufficient_data_actions: frozenset[str] = frozenset()
    actions_enabled: bool = True
    expression: str = ""
    """Canonical JSON of what somebody turned it into: metric math, a composite alarm, a query. Wanted: empty."""
    tags: dict[str, str]


class CloudwatchAlarmOutputs(Outputs):
    """Its ARN."""

    arn: str


class CloudwatchAlarm(Reconciler[CloudwatchAlarmSpec, CloudwatchAlarmOutputs]):
    """A metric alarm; its id is its name."""

    type = "cloudwatch-alarm"
    spec = CloudwatchAlarmSpec
    outputs = CloudwatchAlarmOutputs
    timing = Timing(create_s=3, delete_s=3, longest_s=300)

    def observe(
        self, aws: Aws, id: str, expected: CloudwatchAlarmSpec | None
    ) -> Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs] | None:
        """One read for all alarms of the round, and one for this one's tags."""
        names = aws.batch_ids(self.type, id)
        first = names.index(id) // _NAMES_A_CALL * _NAMES_A_CALL
        alarm = _described(aws, id, names[first : first + _NAMES_A_CALL])
        if alarm is None:
            return None
        arn = _arn(aws, id)
        owner, unread = None, {}
        try:
            listed = aws.read(aws.cloudwatch.list_tags_for_resource, ResourceARN=arn)["Tags"]
            tags = {one["Key"]: one["Value"] for one in listed if not one["Key"].startswith("aws:")}
            owner = Owner.of(tags)
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            if not error.is_denied:
                raise
            tags, unread = expected.tags if expected else {}, {"tags": error.iam_action}
        return Observed(_spec(alarm, tags), CloudwatchAlarmOutputs(arn=arn), owner=owner, unreadable=unread)

    def create(self, aws: Aws, id: str, want: CloudwatchAlarmSpec, owner: Owner) -> None:
        """Make it, after a look of its own: the call would overwrite an alarm of this name without a word."""
        if _described(aws.memoized(), id, (id,)) is not None:
            raise AlreadyExists(f"an alarm {id} exists already")
        try:
            _put(aws, id, want, {**want.tags, **owner.tags})
        except AwsRefused as error:
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: CloudwatchAlarmSpec, want: CloudwatchAlarmSpec) -> frozenset[str]:
        """Overwrite it whole, then its tags."""
        differs = {
            name for name in type(want).model_fields if name != "tags" and getattr(have, name) != getattr(want, name)
        }
        try:
            if differs:
                # AWS ignores the tags, unless the alarm vanished meanwhile: what this makes then is not nobody's.
                _put(aws, id, want, want.tags)
                return frozenset(differs)
            return _set_tags(aws, _arn(aws, id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs],  # noqa: ARG002 -- one call takes any alarm
        last: CloudwatchAlarmSpec | None,  # noqa: ARG002 -- as above
    ) -> None:
        """Remove it."""
        try:
            aws.cloudwatch.delete_alarms(AlarmNames=[id])
        except AwsRefused as error:
            if not error.matches(*_MISSING):
                raise classify(error) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """By tag, in the listing that all types share."""
        filters = [{"Key": key, "Values": [value]} for key, value in owner.tags.items()]
        for page in aws.pages(aws.tagging.get_paginator("get_resources"), TagFilters=filters):
            for one in page["ResourceTagMappingList"]:
                _, _, service, _, _, resource = one["ResourceARN"].split(":", 5)
                if service == "cloudwatch" and resource.startswith("alarm:"):
                    yield resource.removeprefix("alarm:")


def _arn(aws: Aws, id: str) -> str:
    return f"arn:{aws.partition}:cloudwatch:{aws.region}:{aws.account}:alarm:{id}"


def _described(aws: Aws, id: str, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The alarm as AWS tells it, whatever kind of alarm it is."""
    paginator = aws.cloudwatch.get_paginator("describe_alarms")
    pages: list[Any] = aws.pages(
        paginator, AlarmNames=list(names), AlarmTypes=list(_EVERY_TYPE), PaginationConfig={"PageSize": _NAMES_A_CALL}
    )
    for page in pages:
        for kind in _EVERY_TYPE:
            for alarm in page.get(f"{kind}s", ()):
                if alarm["AlarmName"] == id:
                    found: Mapping[str, Any] = alarm
                    return found
    return None


def _spec(alarm: Mapping[str, Any], tags: dict[str, str]) -> CloudwatchAlarmSpec:
    foreign = {name: alarm[name] for name in _FOREIGN if alarm.get(name)}
    # What AWS does when it is left out.
    if foreign.get("EvaluateLowSampleCountPercentile") == "evaluate":
        del foreign["EvaluateLowSampleCountPercentile"]
    periods = alarm.get("EvaluationPeriods", 0)
    return CloudwatchAlarmSpec(
        namespace=alarm.get("Namespace", ""),
        metric_name=alarm.get("MetricName", ""),
        dimensions={one["Name"]: one["Value"] for one in alarm.get("Dimensions", ())},
        statistic=alarm.get("Statistic", ""),
        extended_statistic=alarm.get("ExtendedStatistic", ""),
        comparison=alarm.get("ComparisonOperator", ""),
        threshold=alarm.get("Threshold", 0.0),
        period_s=alarm.get("Period", 0),
        evaluation_periods=periods,
        datapoints_to_alarm=alarm.get("DatapointsToAlarm", periods),
        treat_missing_data=alarm.get("TreatMissingData", "missing"),
        unit=alarm.get("Unit", ""),
        description=alarm.get("AlarmDescription", ""),
        alarm_actions=frozenset(alarm.get("AlarmActions", ())),
        ok_actions=frozenset(alarm.get("OKActions", ())),
        insufficient_data_actions=frozenset(alarm.get("InsufficientDataActions", ())),
        actions_enabled=alarm.get("ActionsEnabled", True),
        expression=json.dumps(foreign, sort_keys=True) if foreign else "",
        tags=tags,
    )


def _put(aws: Aws, id: str, want: CloudwatchAlarmSpec, tags: Mapping[str, str]) -> None:
    asked: dict[str, Any] = {
        "Namespace": want.namespace,
        "MetricName": want.metric_name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(want.dimensions.items())],
        "ComparisonOperator": want.comparison,
        "Threshold": want.threshold,
        "Period": want.period_s,
        "EvaluationPeriods": want.evaluation_periods,
        "DatapointsToAlarm": want.datapoints_to_alarm,
        "TreatMissingData": want.treat_missing_data,
        "AlarmDescription": want.description,
        "AlarmActions": sorted(want.alarm_actions),
        "OKActions": sorted(want.ok_actions),
        "InsufficientDataActions": sorted(want.insufficient_data_actions),
        "ActionsEnabled": want.actions_enabled,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }
    # AWS refuses these empty, and exactly one statistic is needed.
    either = {"Statistic": want.statistic, "ExtendedStatistic": want.extended_statistic, "Unit": want.unit}
    asked.update({name: value for name, value in either.items() if value})
    aws.cloudwatch.put_metric_alarm(AlarmName=id, **asked)


def _set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        aws.cloudwatch.tag_resource(
            ResourceARN=arn, Tags=[{"Key": key, "Value": value} for key, value in sorted(added.items())]
        )
        return frozenset() if extra else frozenset({"tags"})
    aws.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=extra)
    return frozenset({"tags"})


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches(*_BUSY):
        return NotYet("another change of this alarm is going on", Patience.BUSY)
    if error.matches(*_MISSING):
        return NotYet("CloudWatch does not show the alarm yet", Patience.PROPAGATION)
    return error
