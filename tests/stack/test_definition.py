"""The stack that follows from a configuration."""

from __future__ import annotations

from pathlib import Path

from tapctl.config import load
from tapctl.stack.definition import planned_stack
from tests.support.config_folder import ENVIRONMENTS, Folder


def test_another_port_is_the_database_s_the_rules_and_the_function_s(tmp_path: Path) -> None:
    stack = planned_stack(Folder(tmp_path).put("common", "database.port", 6432).load()["dev"], "dev")
    rules = [
        rule
        for group in ("lambda-sg-dev", "db-sg-dev")
        for rule in stack[f"security-group-rules/{group}"].spec.rules
        if rule.from_port != 443
    ]
    assert {(rule.from_port, rule.to_port) for rule in rules} == {(6432, 6432)}
    assert len(rules) == 2
    assert stack["db-cluster/db-cluster-dev"].spec.port == 6432
    assert stack["lambda-function/payment-processor-dev"].spec.environment["DB_PORT"] == "6432"


def test_who_logs_in_and_out_is_logged_and_messages_are_signed_with_the_newer_version() -> None:
    stack = planned_stack(load(Path(ENVIRONMENTS), "dev"), "dev")
    (group,) = (resource for resource in stack if resource.type == "db-cluster-parameter-group")
    assert {"log_connections": "1", "log_disconnections": "1"}.items() <= group.spec.parameters.items()
    assert stack["sns-topic/alarms-dev"].spec.signature_version == "2"
