"""CloudWatch in time: alarms are put three a second."""

from __future__ import annotations

from typing import Final

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("cloudwatch")

_PUTS_A_SECOND: Final = 3


@rules("PutMetricAlarm")
def alarms_are_put_three_a_second(call: Call, proceed: Proceed) -> Reply:
    """More are throttled, and count no further."""
    notes, now = kept(call.moto("cloudwatch")), call.life.now()
    recent = [at for at in notes.get("puts", []) if at > now - 1]
    if len(recent) >= _PUTS_A_SECOND:
        raise Fault("Throttling", "Rate exceeded")
    notes["puts"] = [*recent, now]
    return proceed()
