"""SNS in time: one change of a topic at a time."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("sns")

_BUSY_S: Final = 0.5


@rules("SetTopicAttributes", "TagResource", "UntagResource")
def a_topic_takes_one_change_at_a_time(call: Call, proceed: Proceed) -> Reply:
    """Another within half a second is refused."""
    topic = call.moto("sns").topics.get(call.params.get("TopicArn") or call.params.get("ResourceArn"))
    if topic is None:
        return proceed()
    if not call.life.after(topic, "changed", _BUSY_S):
        raise Fault("ConcurrentAccess", "Another change of this topic is in progress.")
    reply = proceed()
    call.life.begin(topic, "changed")
    return reply
