"""The stack with what an organisation prescribes and a team adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapctl.config import load
from tapctl.config.additions import OUR_PARAMETERS
from tapctl.names import OUR_STATEMENTS, OUR_VARIABLES
from tapctl.stack.definition import planned_stack
from tests.support.additions import ALARM
from tests.support.config_folder import ENVIRONMENTS, Folder

FUNCTION, ROLE = "lambda-function/payment-processor-pr-42", "iam-role/lambda-role-pr-42"
GROUPS = ("db-cluster-parameter-group/db-cluster-params-pg16-pr-42", "db-parameter-group/db-instance-params-pg16-pr-42")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def spec(folder: Folder, address: str) -> Any:
    return planned_stack(folder.load()["dev"], "pr-42")[address].spec


def test_what_nobody_may_add_is_what_the_stack_has() -> None:
    stack = planned_stack(load(ENVIRONMENTS, "dev"), "pr-42")
    assert set(stack[FUNCTION].spec.environment) == set(OUR_VARIABLES)
    (document,) = stack[ROLE].spec.inline.values()
    assert {statement.sid for statement in document.statements} == set(OUR_STATEMENTS)
    parameters = {name for group in GROUPS for name in stack[group].spec.parameters}
    assert parameters <= set(OUR_PARAMETERS)


@pytest.mark.parametrize(
    ("of", "name", "metric", "missing"),
    [
        ("function", "a-pr-42", ("AWS/Lambda", {"FunctionName": "payment-processor-pr-42"}), "notBreaching"),
        ("cluster", "a-pr-42", ("AWS/RDS", {"DBClusterIdentifier": "db-cluster-pr-42"}), "missing"),
        ("instance", "a-0-pr-42", ("AWS/RDS", {"DBInstanceIdentifier": "db-cluster-pr-42-0"}), "missing"),
        ("custom", "a-pr-42", ("AWS/SQS", {"QueueName": "events-pr-42"}), "missing"),
    ],
)
def test_an_alarm_watches_what_it_is_of(
    folder: Folder, of: str, name: str, metric: tuple[str, dict[str, str]], missing: str
) -> None:
    own = {"namespace": "AWS/SQS", "dimensions": {"QueueName": "events-{suffix}"}} if of == "custom" else {}
    folder.put("common", "alarms.extra", [{**ALARM, "name": "a", "of": of, "statistic": "p99", **own}])
    alarm = spec(folder, f"cloudwatch-alarm/{name}")
    assert ((alarm.namespace, alarm.dimensions), alarm.treat_missing_data) == (metric, missing)
    assert (alarm.statistic, alarm.extended_statistic, alarm.comparison) == ("", "p99", "LessThanThreshold")


def test_a_parameter_loads_the_library_that_it_needs(folder: Folder) -> None:
    folder.put("common", "database.cluster_parameters", {"pgaudit.log": "ddl", "log_lock_waits": "1"})
    folder.put("common", "database.instance_parameters", {"auto_explain.log_min_duration": "5000"})
    parameters = spec(folder, GROUPS[1]).parameters
    assert parameters["shared_preload_libraries"] == "auto_explain,pg_stat_statements,pgaudit"
    assert spec(folder, GROUPS[0]).parameters["pgaudit.log"] == "ddl"
