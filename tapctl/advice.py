"""What to do about a drifted field: where to edit if the live value is wanted, which command undoes it if it is not."""

from __future__ import annotations

from typing import Final

from tapctl.config import Config
from tapctl.engine.drift import Finding, Report, State
from tapctl.render.screen import Advice

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
    "lambda-function": {"timeout_s": "processor.timeout_s", "image_uri": "processor.image"},
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
    "errors": ("alarms.error_threshold", True),
    "duration": ("alarms.latency_threshold_ms", True),
    "throttles": ("alarms.throttle_threshold", False),
    "cpu": ("alarms.cpu_threshold_percent", False),
    "connections": ("alarms.connections_threshold_percent", False),
}
"""A word in an alarm's name to the key of its threshold, and whether that is the environment's own."""


def advise(report: Report, config: Config, suffix: str) -> dict[tuple[str, str], Advice]:
    """Advice on each finding, by address and field."""
    return {(one.address, one.field): _advice(one, config, suffix) for one in report.findings}


def _advice(one: Finding, config: Config, suffix: str) -> Advice:
    apply = f"tapctl apply --env {config.environment}"
    if suffix != config.environment:
        apply += f" --suffix {suffix}"
    if one.state is State.UNEXPECTED:
        member = str(one.live).rpartition("/")[2]
        return Advice(undo=f"aws rds delete-db-instance --db-instance-identifier {member} --region {config.region}")
    if one.state is State.PENDING and one.note.startswith("until"):
        return Advice()
    if one.state is State.UNKNOWN:
        return Advice(undo=f"allow the action that was denied, then: tapctl drift --env {config.environment}")
    return Advice(edit=_edit(one, config), undo=apply)


def _edit(one: Finding, config: Config) -> str:
    """The file and key that this field comes from; empty where no key can want another value."""
    if one.type == "cloudwatch-alarm" and one.field == "threshold":
        words = one.address.split("-")
        threshold, own = next(found for word, found in _ALARMS.items() if word in words)
        return f"{config.environment if own else 'common'}.toml: {threshold}"
    if one.field.startswith("tags."):
        return "common.toml: tags"
    for file, keys in ((f"{config.environment}.toml", _ENVIRONMENT), ("common.toml", _COMMON)):
        key = keys.get(one.type, {}).get(one.field, "")
        if key:
            return f"{file}: {key}"
    return ""
