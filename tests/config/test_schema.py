from __future__ import annotations

import importlib
import json
import tomllib
from typing import Any

import pytest

from tapctl.config import schema
from tests.support.config_folder import ENVIRONMENTS

# It has no types of its own; moto brings it.
jsonschema: Any = importlib.import_module("jsonschema")

FILES = ["common", "dev", "staging", "prod"]


def validator(file: str) -> Any:
    return jsonschema.Draft202012Validator(schema()["common" if file == "common" else "environment"])


def content(file: str) -> dict[str, Any]:
    return tomllib.loads((ENVIRONMENTS / f"{file}.toml").read_text(encoding="utf-8"))


def test_there_is_one_schema_for_each_kind_of_file_and_each_is_one() -> None:
    assert set(schema()) == {"common", "environment"}
    for each in schema().values():
        assert each["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(each)
        json.dumps(each)


@pytest.mark.parametrize("file", FILES)
def test_files_that_load_are_valid(file: str) -> None:
    validator(file).validate(content(file))


def tables(each: Any) -> list[dict[str, Any]]:
    inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    found = [table for value in inner for table in tables(value)]
    return [each, *found] if isinstance(each, dict) and each.get("type") == "object" else found


def test_every_table_is_closed_and_nothing_may_be_null() -> None:
    for each in schema().values():
        found = tables(each)
        assert len(found) > 3
        assert [table for table in found if "properties" in table and table["additionalProperties"] is not False] == []
        assert '"null"' not in json.dumps(each)


HOST = "123456789012.dkr.ecr.us-east-2.amazonaws.com"
ACCEPTED: list[tuple[str, str, Any]] = [
    *(("common", "tags", tags) for tags in ({}, {"Größe": ""}, {"names": "a b"}, {"k": "v"}, {"awsx": "aws"})),
    *(("common", "database.name", name) for name in ("pay", "a" * 59, "payments_2", "names_1")),
    ("common", "database.master_username", "postgres"),
    ("common", "processor.image", {"repository": "ab", "tag": "1", "registry": HOST}),
    ("dev", "processor.image", {"tag": "1.0.1"}),
    ("dev", "processor.reserved_concurrency", 100_000),
]


@pytest.mark.parametrize(("file", "key", "value"), ACCEPTED)
def test_what_a_file_may_hold_the_schema_takes(file: str, key: str, value: Any) -> None:
    changed = content(file)
    *path, last = key.split(".")
    table = changed
    for each in path:
        table = table[each]
    table[last] = value
    validator(file).validate(changed)


CHANGES: list[tuple[str, str, Any]] = [
    ("common", "database.engine_version", "16.12"),
    ("common", "database.engine_version", 16),
    ("common", "database.name", "Payments"),
    ("common", "database.master_username", "a" * 17),
    ("common", "database.backup_window", "3:00-4:00"),
    ("common", "database.maintenance_window", "sunday:05:00-sunday:06:00"),
    ("common", "database.backup_retention_days", 6),
    ("common", "database.backup_retention_days", 36),
    ("common", "database.log_statement", "all"),
    ("common", "database.log_min_duration_statement_ms", 0),
    ("common", "database.log_min_duration_statement_ms", -2),
    ("common", "database.instance_count", 2),
    ("common", "processor.package", "jar"),
    ("common", "processor.runtime", "nodejs20.x"),
    ("common", "processor.timeout_s", 901),
    ("common", "processor.image", {"tag": "1"}),
    ("common", "secrets.rotation_days", 31),
    ("common", "logs.retention_days", 31),
    ("common", "tags", {"Name": "x"}),
    *(("common", "tags", {key: "x"}) for key in ("name", "SERVICE", "aws:x", "AWS:x", "rds:x", "tapctl:x", " a", "a ")),
    *(("common", "tags", {"a": value}) for value in ("aws:x", "Rds:x", " a", "a ", 1)),
    ("common", "tags", {"a*": "x"}),
    ("common", "tags", {"a": "*"}),
    ("common", "service", "Payments"),
    ("common", "colour", "red"),
    ("dev", "account_id", 123456789012),
    ("dev", "region", "us-est-1"),
    ("dev", "networking", "vpc-1"),
    ("dev", "protected", "true"),
    ("dev", "role_arn", "deploy"),
    ("dev", "network", {"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001"]}),
    ("dev", "database.instance_class", "db.m5.large"),
    ("dev", "database.instance_count", 17),
    ("dev", "database.engine_version", "16.13"),
    ("dev", "processor.memory_mb", 127),
    ("dev", "processor.reserved_concurrency", 0),
    ("dev", "processor.reserved_concurrency", 10**23),
    ("dev", "processor.image", {"tag": "-1"}),
    ("dev", "processor.image", {"tag": "1", "repository": "fork"}),
    ("dev", "processor.image", {"tag": "1", "registry": "123456789012"}),
    ("common", "database.name", "a" * 60),
    ("common", "processor.image", {"repository": "ab", "tag": "1", "registry": f"{HOST}.cn"}),
    ("dev", "alarms.error_threshold", 0),
    ("dev", "alarms.latency_threshold_ms", 900_001),
]


@pytest.mark.parametrize(("file", "key", "value"), CHANGES)
def test_what_a_file_may_not_hold_the_schema_refuses(file: str, key: str, value: Any) -> None:
    changed = content(file)
    *path, last = key.split(".")
    table = changed
    for each in path:
        table = table[each]
    table[last] = value
    assert not validator(file).is_valid(changed)


@pytest.mark.parametrize("file", FILES)
def test_what_a_file_must_hold_the_schema_demands(file: str) -> None:
    for key in set(content(file)) - {"tags", "final_snapshot"}:
        lacking = {name: value for name, value in content(file).items() if name != key}
        assert not validator(file).is_valid(lacking)


def test_every_key_says_its_rule() -> None:
    for each in schema().values():
        for table in tables(each):
            lacking = [
                name
                for name, key in table.get("properties", {}).items()
                if "$ref" not in key and not key["description"]
            ]
            assert lacking == []
