"""Plans, reports and streams that several tests of the screens stand on."""

from __future__ import annotations

import io

from tapctl.engine.drift import Finding, Reason, Report
from tapctl.engine.model import Impact, Pending
from tapctl.engine.plan import Action, Change, FieldChange, Plan
from tapctl.errors import Refused, TapctlError
from tapctl.render.screen import Advice, Target

HEADER = Target(
    env="prod",
    suffix="prod",
    account="421077550192",
    region="us-east-1",
    identity="sso:dana",
    config_hash="9f3c",
)
DEV, PROD, ALL = Target("dev", "dev"), Target("prod", "prod"), Target()
CROSS = "\N{MULTIPLICATION SIGN}"
"""The start of an error's cause; a linter takes the sign itself for a letter."""
ADVICE = Advice(edit="common.toml: processor.timeout_s", undo="tapctl apply --env prod")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def change(address: str, action: Action, *fields: FieldChange, blocked: TapctlError | None = None) -> Change:
    type_, _, id_ = address.partition("/")
    impact = max((one.impact for one in fields), default=Impact.NONE)
    return Change(address, type_, id_, action, fields, impact, blocked=blocked)


def plan(*changes: Change) -> Plan:
    return Plan(changes, {}, (), ())


def pending(address: str, path: str, detail: str, until: str = "reboot") -> Change:
    type_, _, id_ = address.partition("/")
    return Change(address, type_, id_, Action.NOTHING, pending={path: Pending(until, detail)})


PLAN = plan(
    change("kms-key/alias/db-key-prod", Action.CREATE, FieldChange("rotation", None, True)),
    change(
        "db-instance/db-cluster-prod-0",
        Action.UPDATE,
        FieldChange("instance_class", "db.r6g.large", "db.r6g.xlarge", Impact.FAILOVER),
    ),
    change("sns-topic/alarms-prod", Action.NOTHING),
    change("iam-role/theirs", Action.NOTHING, blocked=Refused("iam-role/theirs exists and is not ours")),
)

REPORT = Report(
    (
        Finding("lambda-function/processor", "lambda-function", "timeout_s", Reason.CHANGED, 15, 30),
        Finding("kms-key/db-key-prod", "kms-key", "policy", Reason.DENIED, action="kms:GetKeyPolicy"),
    ),
    fields=214,
    unchecked=1,
    resources=23,
)
