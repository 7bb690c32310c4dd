"""The severity of a finding, from one table: first who could get in, then what no longer protects, then the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tapctl.safety.card_data import prints_card_data


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its name, its severity, what it means, and the fields that it is about."""

    name: str
    severity: str
    """``high``, ``medium`` or ``low``."""
    title: str
    meaning: str
    fields: frozenset[str] = frozenset()
    """``type.field``, ``*.field`` for the field of any type, ``type.*`` for a whole resource."""


WORLD: Final = Kind(
    "open-to-the-world",
    "high",
    "Open to the world",
    "Anybody may reach this resource: a rule for 0.0.0.0/0 or ::/0, a policy for every principal, a public address.",
    frozenset(
        {
            *("db-instance.publicly_accessible", "db-cluster.internet_gateway", "lambda-function.urls"),
            *("db-cluster.open_groups", "lambda-function.open_groups"),
        }
    ),
)
ACCESS: Final = Kind(
    "somebody-elses-access",
    "high",
    "Somebody else's access",
    "Who may use this resource, or what it may do to others, is not what tapctl left.",
    frozenset(
        {
            *("*.policy", "*.resource_policy", "*.members", "*.permissions_boundary"),
            *("iam-role.trust", "iam-role.inline", "iam-role.attached", "iam-role.instance_profiles"),
            *("kms-key.grants", "kms-key.further_aliases", "security-group-rules.rules"),
            *("security-group.strangers", "security-group.other_vpcs"),
            *("db-cluster.security_group_ids", "db-cluster.subnet_group", "db-instance.cluster"),
            *("db-cluster.associated_roles", "db-cluster.shared_snapshots"),
            *("db-cluster.http_endpoint", "db-cluster.iam_authentication", "db-cluster.replicas"),
            *(
                "db-cluster.activity_stream",
                "db-cluster.global_cluster",
                "db-cluster.custom_endpoints",
                "db-cluster.directories",
            ),
            *("lambda-function.role_arn", "lambda-function.security_group_ids", "lambda-function.event_sources"),
            *("lambda-function.destinations", "lambda-function.layers", "lambda-function.image_uri"),
            *("lambda-function.runtime", "lambda-function.handler", "lambda-function.image_config"),
            *("lambda-function.environment", "lambda-function.file_systems", "sns-subscription.redrive_policy"),
            *("lambda-function.code_sha256", "lambda-function.aliases", "lambda-function.dead_letter"),
            "lambda-function.further_settings",
            *("secret-rotation.replicas", "secret-rotation.rotated_by"),
            *("log-group.subscriptions", "log-group.bearer_tokens", "sns-subscription.endpoint"),
            "db-cluster-snapshot.restorable_by",
        }
    ),
)
ENCRYPTION: Final = Kind(
    "encryption",
    "high",
    "Encryption",
    "What keeps this data unreadable to others has changed: a key, its rotation, or TLS.",
    frozenset(
        {
            *("*.kms_key_arn", "*.secret_kms_key_arn", "db-cluster.storage_encrypted"),
            *("db-cluster.performance_insights_kms_key_arn", "kms-key.alias", "kms-key.enabled", "kms-key.rotation"),
            *("kms-key.rotation_period_days", "kms-key.key_spec", "kms-key.usage", "kms-key.multi_region"),
            *("secret-rotation.rotation_days", "secret-rotation.enabled", "db-cluster.managed_secret"),
            # Another group has another setting of TLS; a key that is to be deleted takes what it has encrypted along.
            *("db-cluster-parameter-group.parameters.rds.force_ssl", "db-cluster.cluster_parameter_group", "kms-key.*"),
            "kms-key.kept_until",
        }
    ),
)
STATEMENTS: Final = Kind(
    "card-data-in-logs",
    "high",
    "Card data in the logs",
    "Statements of the database with their values, which may be card data, get into its logs.",
)
LOGGING: Final = Kind(
    "logging",
    "medium",
    "Logging",
    "What is done here is no longer recorded as it was, or for as long.",
    frozenset(
        {
            *("db-cluster.log_exports", "log-group.retention_days"),
            *("log-group.retention_cut", "kms-key.record"),
            *("log-group.log_class", "log-group.data_protection", "lambda-function.log_group"),
            *("lambda-function.log_format", "lambda-function.tracing", "*.parameters"),
            "db-instance.parameter_group",
        }
    ),
)
PROTECTION: Final = Kind(
    "protection",
    "medium",
    "Protection",
    "What guards against a loss is weaker (deletion protection, backups, alarms and who gets them), or calls are turned"
    " away, or the resource itself is gone.",
    frozenset(
        {
            *(
                "*.deletion_protection",
                "*.*",
                "*.put_off",
                *(f"db-cluster-snapshot.{field}" for field in ("kept_until", "resource_id", "kms_key_arn")),
                "secret-rotation.deleted_on",
                "*.status",
            ),
            *("db-cluster.backup_retention_days", "db-cluster.backup_window", "db-cluster.tags.tapctl:final-snapshot"),
            *("db-cluster.copy_tags_to_snapshot", "cloudwatch-alarm.alarm_actions", "cloudwatch-alarm.threshold"),
            *("cloudwatch-alarm.actions_enabled", "cloudwatch-alarm.muted_by", "rds-event-subscription.enabled"),
            *("cloudwatch-alarm.comparison", "cloudwatch-alarm.treat_missing_data", "cloudwatch-alarm.namespace"),
            *("cloudwatch-alarm.metric_name", "cloudwatch-alarm.dimensions", "cloudwatch-alarm.statistic"),
            *("cloudwatch-alarm.extended_statistic", "cloudwatch-alarm.period_s", "cloudwatch-alarm.expression"),
            *("cloudwatch-alarm.evaluation_periods", "cloudwatch-alarm.datapoints_to_alarm", "cloudwatch-alarm.unit"),
            *("rds-event-subscription.topic_arn", "rds-event-subscription.source_type"),
            *("rds-event-subscription.source_ids", "rds-event-subscription.categories"),
            *("sns-subscription.topic_arn", "sns-subscription.protocol", "sns-subscription.filter_policy"),
            "lambda-function.reserved_concurrency",
        }
    ),
)
SETTING: Final = Kind("setting", "low", "Another setting", "A setting is not as tapctl left it.")
KINDS: Final = (WORLD, STATEMENTS, ACCESS, ENCRYPTION, LOGGING, PROTECTION, SETTING)
"""The table: a finding is of the first kind that fits."""

_ANYBODY: Final = re.compile(r"\b0\.0\.0\.0/0|(?<![0-9a-f:])::/0|\"kind\": \"[^\"]*\", \"name\": \"\*\"")
"""A rule's peer that is everybody, or a policy's principal (`tapctl.aws.policy.Principal`)."""


def kind_of(resource_type: str, field: str, recorded: Any, live: Any) -> Kind:
    """Tell the kind of a finding; ``recorded`` and ``live`` are plain JSON."""
    if _opens(recorded, live):
        return WORLD
    if _prints(field, live) and not _prints(field, recorded):
        return STATEMENTS
    for kind in KINDS:
        for place in _places(resource_type, field):
            if place in kind.fields and not (kind is WORLD and not live):
                return kind
    return SETTING


def severity_of(finding: Mapping[str, Any]) -> str:
    """The severity of a finding's record; what only waits to be put in force is low."""
    if finding["state"] == "PENDING":
        return "low"
    return kind_of(finding["resource_type"], finding["field"], finding["recorded"], finding["live"]).severity


def _opens(recorded: Any, live: Any) -> bool:
    """True if anybody is let in by the live value, and was not by the recorded one."""
    before, after = (json.dumps(value, default=str) for value in (recorded, live))
    return bool(_ANYBODY.search(after)) and not _ANYBODY.search(before)


def _prints(field: str, value: Any) -> bool:
    """True if the field is a parameter of the database, and this value of it puts card data into the logs."""
    table, _, name = field.partition(".")
    return table == "parameters" and (value is None or isinstance(value, str)) and prints_card_data(name, value)


def _places(resource_type: str, field: str) -> list[str]:
    """The names under which the table may know a field: with its members, without, and of any type."""
    names = [field, field.partition(".")[0]]
    return [f"{type_}.{name}" for name in names for type_ in (resource_type, "*")]
