"""The table of severities: every field that it names is one of the product's, and the first kind that fits counts."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.reconcilers import registry
from tapctl.render.severity import KINDS, kind_of, severity_of

ANYBODY = {"principals": [{"kind": "AWS", "name": "*"}], "sid": "a"}


@pytest.mark.parametrize(
    ("type_", "field", "recorded", "live", "kind"),
    [
        ("security-group-rules", "rules", None, {"peer": "0.0.0.0/0"}, "open-to-the-world"),
        ("security-group-rules", "rules", None, {"peer": "::/0"}, "open-to-the-world"),
        ("security-group-rules", "rules", {"peer": "0.0.0.0/0"}, None, "somebody-elses-access"),
        ("security-group-rules", "rules", None, {"peer": "10.0.0.0/8"}, "somebody-elses-access"),
        ("sns-topic", "policy.statements", None, ANYBODY, "open-to-the-world"),
        ("sns-topic", "policy.statements", ANYBODY, {**ANYBODY, "sid": "b"}, "somebody-elses-access"),
        ("db-instance", "publicly_accessible", False, True, "open-to-the-world"),
        ("db-instance", "publicly_accessible", None, False, "setting"),
        ("db-cluster", "members", None, "db-instance/theirs", "somebody-elses-access"),
        ("db-cluster", "storage_encrypted", True, False, "encryption"),
        ("db-cluster-parameter-group", "parameters.rds.force_ssl", "1", "0", "encryption"),
        ("db-cluster-parameter-group", "parameters.log_statement", "ddl", None, "logging"),
        ("db-parameter-group", "parameters.log_temp_files", "0", "1", "logging"),
        ("db-cluster-parameter-group", "parameters.log_statement", "ddl", "all", "card-data-in-logs"),
        ("db-parameter-group", "parameters.log_min_duration_statement", "1000", "0", "card-data-in-logs"),
        ("db-parameter-group", "parameters.auto_explain.log_parameter_max_length", "0", None, "card-data-in-logs"),
        ("db-parameter-group", "parameters.pgaudit.log", None, "read, write", "card-data-in-logs"),
        ("db-parameter-group", "parameters.pgaudit.log", "ddl", None, "logging"),
        ("db-parameter-group", "parameters.pgaudit.log", None, 1, "logging"),
        ("db-cluster", "cluster_parameter_group", "ours", "default.aurora-postgresql16", "encryption"),
        ("db-cluster", "activity_stream", "", "started", "somebody-elses-access"),
        ("kms-key", "*", None, None, "encryption"),
        ("kms-key", "kept_until", "2027-01-01", "2026-12-01", "encryption"),
        ("db-cluster-snapshot", "restorable_by", None, "999999999999", "somebody-elses-access"),
        ("db-cluster-snapshot", "kept_until", "you delete it", "it is gone", "protection"),
        ("cloudwatch-alarm", "dimensions.FunctionName", "ours", "theirs", "protection"),
        ("rds-event-subscription", "source_ids", "db-cluster-dev", None, "protection"),
        ("sns-subscription", "filter_policy", "", "{}", "protection"),
        ("lambda-function", "reserved_concurrency", 10, 0, "protection"),
        ("log-group", "retention_days", 30, 7, "logging"),
        ("db-cluster", "deletion_protection", True, False, "protection"),
        ("sns-topic", "*", None, None, "protection"),
        ("db-cluster", "status", "available", "stopped", "protection"),
        ("lambda-function", "timeout_s", 30, 15, "setting"),
        ("lambda-function", "tags.Owner", None, "x", "setting"),
    ],
)
def test_a_finding_is_of_the_first_kind_that_fits(type_: str, field: str, recorded: Any, live: Any, kind: str) -> None:
    assert kind_of(type_, field, recorded, live).name == kind


def test_what_only_waits_is_low() -> None:
    finding = {"resource_type": "db-cluster", "field": "deletion_protection", "recorded": True, "live": False}
    assert severity_of({**finding, "state": "DRIFT"}) == "medium"
    assert severity_of({**finding, "state": "PENDING"}) == "low"


def test_the_table_names_fields_that_there_are() -> None:
    fields = {(type_, name) for type_, each in registry().items() for name in each.spec.model_fields}
    names, wholes = {name for _, name in fields} | {"members", "status", "*"}, {(type_, "*") for type_ in registry()}
    fields |= {
        *(("kms-key", name) for name in ("kept_until", "record")),
        *(("db-cluster-snapshot", name) for name in ("kept_until", "restorable_by", "resource_id", "kms_key_arn")),
    }
    for place in (place for kind in KINDS for place in kind.fields):
        type_, _, field = place.partition(".")
        assert field in names if type_ == "*" else (type_, field.partition(".")[0]) in {*fields, *wholes}, place
