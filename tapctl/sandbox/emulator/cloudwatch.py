"""CloudWatch alarms: tags at creation alone, a state that outlives a change, three puts a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("cloudwatch"), Rules("cloudwatch")
SERVICE: Final = Service(
    name="cloudwatch",
    timing=(timing,),
    contract=(contract,),
    stale_reads=("DescribeAlarms", "ListTagsForResource"),
    changes=("PutMetricAlarm", "PutCompositeAlarm", "DeleteAlarms", "TagResource", "UntagResource"),
    tags=Tags(
        returned_by=("ListTagsForResource",),
        taken_by=("PutMetricAlarm", "TagResource", "UntagResource"),
        refusal="InvalidParameterValue",
    ),
    indexed=("PutMetricAlarm", "DeleteAlarms", "TagResource", "UntagResource"),
)

_MAX_ACTIONS = 5
_SILENCING = ("EvaluationWindow", "WarmUpConfiguration")


@contract("PutMetricAlarm")
def an_alarm_is_checked(request: Request, proceed: Next) -> Reply:
    """Periods are 10, 20, 30 or whole minutes; a state has five actions at most."""
    period = request.params.get("Period", 60)
    if period not in (10, 20, 30) and period % 60:
        raise ServiceError("ValidationError", f"The parameter Period with value {period} must be a multiple of 60.")
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(request.params.get(name, [])) > _MAX_ACTIONS:
            raise ServiceError("ValidationError", f"The parameter {name} has more than {_MAX_ACTIONS} members.")
    return proceed()


@contract("PutMetricAlarm")
def an_alarm_keeps_its_state_and_tags(request: Request, proceed: Next) -> Reply:
    """A new alarm has insufficient data; a change keeps the state, and ignores the tags it is sent."""
    before = _alarm(request)
    if before is not None:
        request.params.pop("Tags", None)
    reply = proceed()
    after = _alarm(request)
    after.state_value = before.state_value if before is not None else "INSUFFICIENT_DATA"
    return reply


@contract("PutMetricAlarm")
def what_silences_an_alarm_is_kept_until_it_is_put_again(request: Request, proceed: Next) -> Reply:
    """Warm-up and window, which moto drops; a put without them resets them (API reference, PutMetricAlarm)."""
    reply = proceed()
    given = {name: request.params[name] for name in _SILENCING if name in request.params}
    notes_on(_alarm(request))["silencing"] = given
    return reply


@contract("DescribeAlarms")
def what_silences_an_alarm_is_told(request: Request, proceed: Next) -> Reply:
    """Warm-up and window are shown where they are set."""
    reply, alarms = proceed(), request.backend("cloudwatch").alarms
    for shown in reply.get("MetricAlarms", []):
        shown.update(notes_on(alarms[shown["AlarmName"]]).get("silencing", {}))
    return reply


def _alarm(request: Request) -> Any:
    return request.backend("cloudwatch").alarms.get(request.params["AlarmName"])


@contract("DescribeAlarms")
def an_older_region_knows_no_log_alarms(request: Request, proceed: Next) -> Reply:
    """A region that does not know the alarms of 2026 refuses the word for them, if scripted."""
    if "LogAlarm" in request.params.get("AlarmTypes", []) and request.simulation.next_outcome("cloudwatch.older"):
        raise ServiceError(
            "ValidationError",
            "1 validation error detected: Value 'LogAlarm' at 'alarmTypes.3.member' failed to satisfy constraint: "
            "Member must satisfy enum value set: [CompositeAlarm, MetricAlarm]",
        )
    return proceed()


@contract("PutAlarmMuteRule", "GetAlarmMuteRule", "ListAlarmMuteRules", "DeleteAlarmMuteRule")
def alarms_are_muted(request: Request, proceed: Next) -> Reply:  # noqa: ARG001 -- moto knows no mute rules
    """Mute rules are kept by name, told as they were put, and listed for all alarms or for one."""
    rules: dict[str, Any] = notes_on(request.backend("cloudwatch")).setdefault("mute_rules", {})
    params = request.params
    if request.operation == "PutAlarmMuteRule":
        rules[params["Name"]] = params
        return {}
    if request.operation == "GetAlarmMuteRule":
        if params["AlarmMuteRuleName"] not in rules:
            raise ServiceError("ResourceNotFoundException", "There is no such mute rule.")
        return {**rules[params["AlarmMuteRuleName"]], "Status": "ACTIVE"}
    if request.operation == "DeleteAlarmMuteRule":
        rules.pop(params["AlarmMuteRuleName"], None)
        return {}
    alarms = {name: rule.get("MuteTargets", {}).get("AlarmNames", []) for name, rule in rules.items()}
    listed = [name for name in rules if params.get("AlarmName") in (None, *alarms[name])]
    return {
        "AlarmMuteRuleSummaries": [
            {"AlarmMuteRuleArn": request.arn("cloudwatch", f"alarm-mute-rule:{name}"), "Status": "ACTIVE"}
            for name in listed
        ]
    }


_NAMED_IN_A_RULE: Final = re.compile(r'(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*"?(?:arn:[^"()]*:alarm:)?([^"()]*?)"?\s*\)')


def _composite_alarms(request: Request) -> dict[str, Mapping[str, Any]]:
    alarms: dict[str, Mapping[str, Any]] = notes_on(request.backend("cloudwatch")).setdefault("composite_alarms", {})
    return alarms


@contract("PutCompositeAlarm", "DescribeAlarms")
def composite_alarms_are_told_to_who_asks_for_them(request: Request, proceed: Next) -> Reply:
    """Composite alarms, which moto lacks, are told as such alone, by name, or as those whose rule names an alarm.

    With what names that one, a call takes nothing else, and tells no more than names and states (DescribeAlarms).
    """
    composite, params = _composite_alarms(request), request.params
    if request.operation == "PutCompositeAlarm":
        composite[params["AlarmName"]] = params
        return {}
    if of := params.get("ParentsOfAlarmName"):
        if params.keys() - {"ParentsOfAlarmName", "MaxRecords", "NextToken"}:
            raise ServiceError("ValidationError", "ParentsOfAlarmName must not be combined with other parameters.")
        return {"CompositeAlarms": [_told(request, name) for name in _parents(composite, of)]}
    kinds = params.get("AlarmTypes", ["MetricAlarm"])
    reply = proceed() if kinds != ["CompositeAlarm"] else {}
    if "CompositeAlarm" in kinds:
        asked = params.get("AlarmNames") or composite
        reply["CompositeAlarms"] = [
            {**alarm, **_told(request, name)} for name, alarm in composite.items() if name in asked
        ]
    return reply


def _told(request: Request, name: str) -> dict[str, Any]:
    return {"AlarmName": name, "AlarmArn": request.arn("cloudwatch", f"alarm:{name}"), "StateValue": "OK"}


def _parents(composite: Mapping[str, Mapping[str, Any]], of: str) -> list[str]:
    """The names of the composite alarms whose rule names this alarm, as such or by its ARN."""
    return [name for name, alarm in composite.items() if of in _NAMED_IN_A_RULE.findall(alarm["AlarmRule"])]


@contract("DeleteAlarms")
def an_alarm_that_a_rule_names_stays(request: Request, proceed: Next) -> Reply:
    """No alarm is deleted that the rule of a composite alarm names (cloud-custodian#7763, aws-nuke#462)."""
    composite = _composite_alarms(request)
    for name in request.params["AlarmNames"]:
        if _parents(composite, name):
            raise ServiceError(
                "ValidationError", f"Cannot delete {name} as there are composite alarm(s) depending on it."
            )
    for name in request.params["AlarmNames"]:
        composite.pop(name, None)
    return proceed()


@contract("DeleteAlarms")
def an_alarm_takes_its_tags_with_it(request: Request, proceed: Next) -> Reply:
    """A deleted alarm's tags go with it: an alarm made later under the same name has none of them."""
    cloudwatch = request.backend("cloudwatch")
    reply = proceed()
    for name in request.params["AlarmNames"]:
        cloudwatch.tagger.delete_all_tags_for_resource(request.arn("cloudwatch", f"alarm:{name}"))
    return reply


@contract("ListTagsForResource", "TagResource", "UntagResource")
def tags_are_of_alarms_that_exist(request: Request, proceed: Next) -> Reply:
    """A missing alarm has no tags to list or change."""
    name = request.params["ResourceARN"].split(":alarm:")[-1]
    if name not in request.backend("cloudwatch").alarms:
        raise ServiceError("ResourceNotFoundException", f"The alarm {name} does not exist.")
    return proceed()


# -- timing ----------------------------------------------------------------------------------------------------------


_MAX_PUTS_A_SECOND: Final = 3


@timing("PutMetricAlarm")
def alarms_are_put_three_a_second(request: Request, proceed: Next) -> Reply:
    """Further puts are throttled, and do not count themselves."""
    notes, now = notes_on(request.backend("cloudwatch")), request.simulation.now()
    recent = [at for at in notes.get("puts", []) if at > now - 1]
    if len(recent) >= _MAX_PUTS_A_SECOND:
        raise ServiceError("Throttling", "Rate exceeded")
    notes["puts"] = [*recent, now]
    return proceed()
