"""A CloudWatch metric alarm.

AWS's facts are from the CloudWatch API reference: PutMetricAlarm overwrites whatever alarm has the name and knows no
"already exists"; it takes tags only when it makes the alarm; DescribeAlarms takes 100 names a call, or tells the
composite alarms whose rule names one. As long as there are any, that one is not deleted (cloud-custodian#7763).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.engine.model import Observed, Outputs, Owner, Spec, Timing, address
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, Patience, Refused
from tapctl.reconcilers.exposures import with_details, with_exposures
from tapctl.reconcilers.used_by_others import UsedByOthers

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

_NAMES_A_CALL: Final = 100
_OLDER_TYPES: Final = ("MetricAlarm", "CompositeAlarm")
_EVERY_TYPE: Final = (*_OLDER_TYPES, "LogAlarm")
_INVALID: Final = ("ValidationError", "ValidationException", "InvalidParameterValue")
# Two spellings of one error: which one arrives depends on the protocol that botocore chooses for CloudWatch.
_MISSING: Final = ("ResourceNotFound", "ResourceNotFoundException")
_BUSY: Final = ("ResourceConflict", "ConflictException", "ConcurrentModificationException")
_TRANSIENT: Final = (
    Transient(_BUSY, "another change of this alarm is going on", Patience.BUSY),
    Transient(_MISSING, "CloudWatch does not show the alarm yet", Patience.PROPAGATION),
)
# Members that make an alarm another kind of alarm, or watch less than it says. tapctl sets none of these.
_FOREIGN: Final = (
    "Metrics",
    "ThresholdMetricId",
    "EvaluationCriteria",
    "EvaluateLowSampleCountPercentile",
    "AlarmRule",
    "ScheduledQueryConfiguration",
    "EvaluationInterval",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "ActionConfiguration",
)
# The defaults of those, which AWS may show.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "EvaluateLowSampleCountPercentile": "evaluate",
    "EvaluationWindow": {"SlidingWindow": {}},
    "WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 0},
}
_MUTE_RULE: Final = "alarm-mute-rule:"


_ALARM: Final = (arn("cloudwatch", "alarm:{cloudwatch-alarm}"),)


class CloudwatchAlarmSpec(Spec):
    """The fields that tapctl owns on an alarm."""

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
    """Canonical JSON of what somebody made of the alarm: metric math, a composite alarm, a query, another window, a
    warm-up in which it is silent. Wanted: empty."""
    muted_by: frozenset[str] = frozenset()
    """Mute rules, by name, that keep the alarm from telling anybody, now or at set times; with these. Wanted: none."""
    tags: dict[str, str]


class CloudwatchAlarmOutputs(Outputs):
    """The alarm's ARN."""

    arn: str


class CloudwatchAlarm(UsedByOthers[CloudwatchAlarmSpec, CloudwatchAlarmOutputs]):
    """A metric alarm; the id is its name."""

    type = "cloudwatch-alarm"
    name_is_identity = True
    teardown_rank = 10
    why_it_stays = "CloudWatch deletes no alarm that the rule of a composite alarm names"
    way_out = "take the alarm out of that rule, or remove the composite alarm where nobody needs it"
    stays_in_use = True
    never_compared = ("composite alarms over it", "whether it rings, or cannot be evaluated: status tells")
    left_alone: ClassVar[Mapping[str, str]] = {
        "muted_by": "aws cloudwatch get-alarm-mute-rule --alarm-mute-rule-name {name}",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        "muted_by": "a rule may mute other teams' alarms, too: whoever owns it takes this one out; this shows which:",
    }
    trail = Trail(
        "monitoring",
        whole=("PutMetricAlarm", "PutCompositeAlarm", "DeleteAlarms"),
        fields={
            "actions_enabled": ("EnableAlarmActions", "DisableAlarmActions"),
            "muted_by": ("PutAlarmMuteRule", "DeleteAlarmMuteRule"),
            "tags": ("TagResource", "UntagResource"),
        },
        named=False,
    )
    timing = Timing(create_s=3, delete_s=3, longest_s=300)
    actions = (
        Right(Need.OBSERVE, ("cloudwatch:DescribeAlarms",), why="composite alarms are told to nobody with less"),
        Right(Need.OBSERVE, ("cloudwatch:ListTagsForResource",), _ALARM),
        Right(
            Need.EXPOSURES,
            ("cloudwatch:GetAlarmMuteRule", "cloudwatch:ListAlarmMuteRules"),
            (arn("cloudwatch", "alarm-mute-rule:*"),),
        ),
        Right(Need.CREATE | Need.UPDATE, ("cloudwatch:PutMetricAlarm",), _ALARM),
        Right(Need.CREATE | Need.UPDATE, ("cloudwatch:TagResource",), _ALARM, fields=frozenset({"tags"})),
        Right(Need.UPDATE, ("cloudwatch:UntagResource",), _ALARM, fields=frozenset({"tags"})),
        Right(Need.REPLACE | Need.DELETE, ("cloudwatch:DeleteAlarms",), _ALARM),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )

    def observe(
        self, aws: Aws, id: str, expected: CloudwatchAlarmSpec | None
    ) -> Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs] | None:
        """Read all alarms of the round by one call, and the tags of this one by another."""
        alarm = _described(aws, id, aws.batch_ids(self.type, id, _NAMES_A_CALL))
        if alarm is None:
            return None
        arn = _arn(aws, id)
        unreadable = UnreadableFields()
        try:
            live_tags = unreadable.read(
                "tags",
                lambda: tags.as_dict(aws.read(aws.cloudwatch.list_tags_for_resource, ResourceARN=arn)["Tags"]),
                expected.tags if expected else {},
            )
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            raise
        owner = None if unreadable.actions else Owner.of(live_tags)
        outputs = CloudwatchAlarmOutputs(arn=arn)
        return Observed(_spec(alarm, live_tags), outputs, owner=owner, unreadable=unreadable.actions)

    def observe_exposures(
        self,
        aws: Aws,
        id: str,
        seen: Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs],
        expected: CloudwatchAlarmSpec | None,
    ) -> Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs]:
        """Read the mute rules of the account: one call for all alarms; where there are any, more for this one's."""
        return with_exposures(seen, {"muted_by": lambda: _mute_rules(aws, id)})

    def create(self, aws: Aws, id: str, want: CloudwatchAlarmSpec, owner: Owner) -> None:
        """Make the alarm, after a look of its own: the call would overwrite an alarm of this name without a word."""
        if _described(aws.memoized(), id, (id,)) is not None:
            raise AlreadyExists(f"an alarm {id} exists already")
        try:
            _put(aws, id, want, {**want.tags, **owner.tags})
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: CloudwatchAlarmSpec, want: CloudwatchAlarmSpec) -> frozenset[str]:
        """Overwrite the alarm whole; then tags.

        Raises:
            Refused: what is waived of the alarm, and wanted as it is therefore, is nothing that the call could keep.
        """
        differs = {
            name for name in type(want).model_fields if name != "tags" and getattr(have, name) != getattr(want, name)
        }
        if differs and want.expression:
            raise Refused(
                f"{address(self.type, id)}: CloudWatch takes an alarm whole, and the waived expression would be lost",
                evidence=f"to be changed beside it: {', '.join(sorted(differs))}",
                hint="take that waiver out, or change these by hand, then run the same command again",
            )
        try:
            if differs:
                # AWS ignores the tags, unless the alarm has vanished meanwhile: then the call makes one, of ours.
                _put(aws, id, want, want.tags)
                return frozenset(differs)
            arn = _arn(aws, id)
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.cloudwatch.tag_resource(ResourceARN=arn, Tags=tags.as_list(missing)),
                remove=lambda extra: aws.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=extra),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs],
        last: CloudwatchAlarmSpec | None,
    ) -> None:
        """Delete the alarm."""
        try:
            aws.cloudwatch.delete_alarms(AlarmNames=[id])
        except AwsRefused as error:
            if not error.matches(*_MISSING):
                if error.matches(*_INVALID, text="composite alarm"):
                    parents = f"aws cloudwatch describe-alarms --parents-of-alarm-name {id}"
                    error.hint = f"{self.way_out} ({aws.target.command(parents)}), then run the same command again"
                raise classify(error, _TRANSIENT) from error

    def _others(
        self,
        aws: Aws,
        id: str,
        observed: Observed[CloudwatchAlarmSpec, CloudwatchAlarmOutputs],
        going: Collection[str],
    ) -> Iterator[str]:
        """Name the composite alarms whose rule names this one: none is ever ours."""
        pages = aws.pages(aws.cloudwatch.get_paginator("describe_alarms"), ParentsOfAlarmName=id)
        for alarm in (alarm for page in pages for alarm in page.get("CompositeAlarms", ())):
            yield f"the composite alarm {alarm.get('AlarmName', '')}"

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the alarms by the owner's tags."""
        return tags.find(aws, owner.search_tags, "cloudwatch", "alarm:")


def _arn(aws: Aws, id: str) -> str:
    return aws.arn("cloudwatch", f"alarm:{id}")


def _described(aws: Aws, id: str, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The alarm as AWS describes it, of whatever kind; None if there is none."""
    return next((alarm for alarm in described_alarms(aws, names) if alarm["AlarmName"] == id), None)


def described_alarms(aws: Aws, names: Collection[str]) -> list[Mapping[str, Any]]:
    """Describe the alarms of these names, at most 100, of every kind that this region knows."""
    client: Any = aws.cloudwatch
    paginator = client.get_paginator("describe_alarms")
    asked = {"AlarmNames": list(names), "PaginationConfig": {"PageSize": _NAMES_A_CALL}}
    try:
        pages = aws.pages(paginator, **asked, AlarmTypes=list(_EVERY_TYPE))
    except AwsRefused as error:
        # LogAlarm is of 2026: a region, or a partition, that does not know it has none.
        if not error.matches(*_INVALID):
            raise
        pages = aws.pages(paginator, **asked, AlarmTypes=list(_OLDER_TYPES))
    return [alarm for page in pages for kind in _EVERY_TYPE for alarm in page.get(f"{kind}s", ())]


def _mute_rules(aws: Aws, id: str) -> frozenset[str]:
    client: Any = aws.cloudwatch  # newer than the stubs
    paginator = client.get_paginator("list_alarm_mute_rules")
    if not any(page.get("AlarmMuteRuleSummaries") for page in aws.pages(paginator)):
        return frozenset()
    rules: list[Mapping[str, Any]] = [
        rule for page in aws.pages(paginator, AlarmName=id) for rule in page.get("AlarmMuteRuleSummaries", ())
    ]
    names = (str(rule.get("AlarmMuteRuleArn", "")).partition(_MUTE_RULE)[2] for rule in rules if _mutes(rule))
    return frozenset(with_details(f"muted by {name}", _times_of(aws, name) if name else {}) for name in names)


def _times_of(aws: Aws, name: str) -> Mapping[str, Any]:
    """When a mute rule silences its alarms, in AWS's words; empty where it went since it was listed."""
    client: Any = aws.cloudwatch
    try:
        rule: Mapping[str, Any] = aws.read(client.get_alarm_mute_rule, AlarmMuteRuleName=name)
    except AwsRefused as error:
        if error.matches(*_MISSING):
            return {}
        raise
    return {
        **rule.get("Rule", {}).get("Schedule", {}),
        **{date: rule.get(date) for date in ("StartDate", "ExpireDate")},
    }


def _mutes(rule: Mapping[str, Any]) -> bool:
    return rule.get("Status") != "EXPIRED"


def _spec(alarm: Mapping[str, Any], live_tags: dict[str, str]) -> CloudwatchAlarmSpec:
    foreign = {name: alarm[name] for name in _FOREIGN if alarm.get(name) and alarm[name] != _DEFAULTS.get(name)}
    periods = alarm.get("EvaluationPeriods", 0)
    return CloudwatchAlarmSpec(
        namespace=alarm.get("Namespace", ""),
        metric_name=alarm.get("MetricName", ""),
        dimensions={dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", ())},
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
        actions_enabled=alarm["ActionsEnabled"],
        expression=json.dumps(foreign, sort_keys=True) if foreign else "",
        tags=live_tags,
    )


def _put(aws: Aws, id: str, want: CloudwatchAlarmSpec, all_tags: Mapping[str, str]) -> None:
    parameters: dict[str, Any] = {
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
        "Tags": tags.as_list(all_tags),
    }
    # AWS refuses these empty, and exactly one statistic is needed.
    optional = {"Statistic": want.statistic, "ExtendedStatistic": want.extended_statistic, "Unit": want.unit}
    parameters.update({name: value for name, value in optional.items() if value})
    aws.cloudwatch.put_metric_alarm(AlarmName=id, **parameters)
