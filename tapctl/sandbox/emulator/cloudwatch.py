"""CloudWatch alarms: tags at creation alone, a state that outlives a change."""

from __future__ import annotations

from typing import Any

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("cloudwatch")

_MOST_ACTIONS = 5


@rules("PutMetricAlarm")
def an_alarm_is_checked(call: Call, proceed: Proceed) -> Reply:
    """Periods are 10, 20, 30 or whole minutes; a state has five actions at most."""
    period = call.params.get("Period", 60)
    if period not in (10, 20, 30) and period % 60:
        raise Fault("ValidationError", f"The parameter Period with value {period} must be a multiple of 60.")
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(call.params.get(name, [])) > _MOST_ACTIONS:
            raise Fault("ValidationError", f"The parameter {name} has more than {_MOST_ACTIONS} members.")
    return proceed()


@rules("PutMetricAlarm")
def an_alarm_keeps_its_state_and_tags(call: Call, proceed: Proceed) -> Reply:
    """A new alarm has insufficient data; a change keeps the state, and ignores the tags it is sent."""
    before = _alarm(call)
    if before is not None:
        call.params.pop("Tags", None)
    reply = proceed()
    after = _alarm(call)
    after.state_value = before.state_value if before is not None else "INSUFFICIENT_DATA"
    return reply


def _alarm(call: Call) -> Any:
    return call.moto("cloudwatch").alarms.get(call.params["AlarmName"])


@rules("DeleteAlarms")
def an_alarm_takes_its_tags_with_it(call: Call, proceed: Proceed) -> Reply:
    """One made later under the same name has none of them."""
    cloudwatch = call.moto("cloudwatch")
    reply = proceed()
    for name in call.params["AlarmNames"]:
        cloudwatch.tagger.delete_all_tags_for_resource(call.arn("cloudwatch", f"alarm:{name}"))
    return reply


@rules("ListTagsForResource", "TagResource", "UntagResource")
def tags_are_of_alarms_that_exist(call: Call, proceed: Proceed) -> Reply:
    """An alarm that is not there has no tags to list or change."""
    name = call.params["ResourceARN"].split(":alarm:")[-1]
    if name not in call.moto("cloudwatch").alarms:
        raise Fault("ResourceNotFoundException", f"The alarm {name} does not exist.")
    return proceed()
