"""CloudWatch Logs in time: one change at a time, keys it hears of late, and writers that bring a group back."""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.kms_life import SPREADS
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("logs")

_BUSY_S: Final = 0.5
_KEY_S: Final = 5.0
_LATE_WRITER_S: Final = 4.0
_FOREVER: Final = float("-inf")

_CHANGES: Final = (
    *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy"),
    *("AssociateKmsKey", "DisassociateKmsKey", "PutLogGroupDeletionProtection"),
)


def _name(call: Call) -> str:
    params = call.params
    reference = params.get("logGroupName") or params.get("logGroupIdentifier") or params["resourceIdentifier"]
    return str(reference).rpartition(":log-group:")[2]


def _notes(call: Call, about: str) -> dict[str, Any]:
    """What is kept by name, since it outlives the group."""
    found: dict[str, Any] = kept(call.moto("logs")).setdefault(about, {})
    return found


@rules(*_CHANGES)
def a_log_group_takes_one_change_at_a_time(call: Call, proceed: Proceed) -> Reply:
    """Another within half a second is refused."""
    changed = _notes(call, "changed")
    if call.life.now() - changed.get(_name(call), _FOREVER) < _BUSY_S:
        raise Fault(
            "OperationAbortedException",
            "A conflicting operation is currently in progress against this resource. Please try again.",
        )
    reply = proceed()
    changed[_name(call)] = call.life.now()
    return reply


@rules("CreateLogGroup", "AssociateKmsKey")
def a_key_reaches_logs_late(call: Call, proceed: Proceed) -> Reply:
    """For 5 s after a key was made or its policy changed, CloudWatch Logs may not use it."""
    reference = call.params.get("kmsKeyId")
    key = key_of(call, reference) if reference else None
    if key is not None and not call.life.after(key, SPREADS, _KEY_S):
        arn = call.arn("logs", f"log-group:{_name(call)}")
        raise Fault(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )
    return proceed()


@rules("DeleteLogGroup")
def a_late_writer_is_not_done(call: Call, proceed: Proceed) -> Reply:
    """Who still had events to write (Lambda after an invocation, RDS after a cluster) makes the group again, bare."""
    reply = proceed()
    if call.life.demanded("logs.late_writer"):
        _notes(call, "late_writers")[_name(call)] = call.life.now() + _LATE_WRITER_S
    return reply


@rules("DescribeLogGroups", "ListTagsForResource", *_CHANGES)
def a_late_writer_makes_its_group_again(call: Call, proceed: Proceed) -> Reply:
    """Without retention, key and tags."""
    late = _notes(call, "late_writers")
    for name, at in list(late.items()):
        if at <= call.life.now():
            del late[name]
            if name not in call.moto("logs").groups:
                call.ask("CreateLogGroup", logGroupName=name)
    return proceed()
