"""What an organisation prescribes and a team adds: one valid value of each key, as its file has it."""

from __future__ import annotations

from typing import Any, Final

from tests.support.config_folder import Folder

BOUNDARY: Final = "arn:{partition}:iam::{account_id}:policy/payments-boundary"
PERMISSION: Final[dict[str, Any]] = {
    "sid": "SendEvents",
    "actions": ["sqs:SendMessage"],
    "resources": ["arn:{partition}:sqs:{region}:{account_id}:payments-events-{suffix}"],
}
EGRESS: Final[dict[str, Any]] = {"port": 443, "to": "10.20.0.0/16", "why": "interface endpoints"}
ALARM: Final[dict[str, Any]] = {
    "name": "db-freeable-memory",
    "of": "instance",
    "metric": "FreeableMemory",
    "statistic": "Minimum",
    "comparison": "<",
    "threshold": 268435456,
    "period_s": 300,
    "periods": 3,
    "why": "the instance runs out of memory",
}
ADDITIONS: Final[dict[str, Any]] = {
    "organisation": {"permissions_boundary": BOUNDARY, "role_path": "/payments/"},
    "processor.architecture": "arm64",
    "processor.environment": {
        "FEATURE_FLAGS": "ledger,fx",
        "EVENTS_QUEUE": "https://sqs.{region}.amazonaws.com/{account_id}/payments-events-{suffix}",
    },
    "processor.permissions": [PERMISSION],
    "processor.egress": [EGRESS],
    "database.cluster_parameters": {"log_lock_waits": "1"},
    "database.instance_parameters": {"auto_explain.log_min_duration": "5000"},
    "alarms.extra": [ALARM],
}
"""Key of common.toml to its value."""


def add_all(folder: Folder) -> Folder:
    """Put every addition into common.toml."""
    for key, value in ADDITIONS.items():
        folder.put("common", key, value)
    return folder
