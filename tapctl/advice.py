"""What to do about a drifted field: where to edit if the live value is wanted, which command undoes it if it is not."""

from __future__ import annotations

from typing import Final

from tapctl.engine.drift import Finding, Report, State
from tapctl.names import OUR_TAGS
from tapctl.render.screen import Advice
from tapctl.run import Run

_COMMON: Final = {
    "db-cluster": {
        "backup_retention_days": "database.backup_retention_days",
        "backup_window": "database.backup_window",
        "engine_version": "database.engine_version",
        "maintenance_window": "database.maintenance_window",
    },
    "db-cluster-parameter-group": {
        "parameters.log_min_duration_statement": "database.log_min_duration_statement_ms",
        "parameters.log_statement": "database.log_statement",
    },
    "db-instance": {"maintenance_window": "database.maintenance_window"},
    "lambda-function": {
        "timeout_s": "processor.timeout_s",
        "image_uri": "processor.image",
        "runtime": "processor.runtime",
    },
    "log-group": {"retention_days": "logs.retention_days"},
    "secret-rotation": {"rotation_days": "secrets.rotation_days"},
}
_ENVIRONMENT: Final = {
    "db-cluster": {"deletion_protection": "protected"},
    "db-instance": {"instance_class": "database.instance_class"},
    "lambda-function": {
        "memory_mb": "processor.memory_mb",
        "reserved_concurrency": "processor.reserved_concurrency",
    },
}
_ALARMS: Final = {
    "payment-processor-errors-": ("alarms.error_threshold", True),
    "payment-processor-duration-": ("alarms.latency_threshold_ms", True),
    "payment-processor-throttles-": ("alarms.throttle_threshold", False),
    "db-cpu-": ("alarms.cpu_threshold_percent", False),
    "db-connections-": ("alarms.connections_threshold_percent", False),
}
"""How an alarm's name begins to the key of its threshold, and whether that is the environment's own."""
_TAGS: Final = {"tags.Service": "common.toml: service", "tags.tapctl:final-snapshot": "{env}.toml: final_snapshot"}
"""Our own tags that a key decides. The others are what the thing is and whose: no key wants them otherwise."""


def advise(report: Report, run: Run) -> dict[tuple[str, str], Advice]:
    """Advice on each finding, by address and field."""
    return {(one.address, one.field): _advice(one, run) for one in report.findings}


def _advice(one: Finding, run: Run) -> Advice:
    if one.state is State.UNEXPECTED:
        return Advice(undo=delete_member(str(one.live).rpartition("/")[2], run))
    if one.state is State.PENDING and one.note.startswith("until"):
        return Advice()
    if one.state is State.UNKNOWN:
        return Advice(undo=f"allow the action that was denied, then: {run.command('drift')}")
    return Advice(edit=_edit(one, run.config.environment), undo=run.command("apply"))


def delete_member(identifier: str, run: Run) -> str:
    """The command that removes a cluster's member which is not ours: tapctl never does."""
    target = run.aws.target
    command = f"aws rds delete-db-instance --db-instance-identifier {identifier} --region {target.region}"
    # The embedded AWS: the real one must never hear of it.
    return f"{command} --endpoint-url {target.endpoint_url}" if target.endpoint_url else command


def _edit(one: Finding, env: str) -> str:
    """The file and key that this field comes from; empty where no key can want another value."""
    if one.type == "cloudwatch-alarm" and one.field == "threshold":
        id_ = one.address.partition("/")[2]
        threshold, own = next(found for start, found in _ALARMS.items() if id_.startswith(start))
        return f"{env if own else 'common'}.toml: {threshold}"
    if one.field.startswith("tags."):
        ours = one.field.startswith("tags.tapctl:") or one.field.removeprefix("tags.") in OUR_TAGS
        return _TAGS.get(one.field, "").format(env=env) if ours else "common.toml: tags"
    for file, keys in ((f"{env}.toml", _ENVIRONMENT), ("common.toml", _COMMON)):
        key = keys.get(one.type, {}).get(one.field, "")
        if key:
            return f"{file}: {key}"
    return ""
