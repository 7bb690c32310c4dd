from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tapctl.config import schema
from tests.support.config_folder import ENVIRONMENTS, Folder, validator

# It has no types of its own; moto brings it.
jsonschema: Any = importlib.import_module("jsonschema")

FILES = ["common", "dev", "staging", "prod"]


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


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("common", "database.engine_version", 16),
        ("common", "database.instance_count", 2),
        ("common", "processor.image", {"tag": "1"}),
        ("common", "processor.environment", {"PARTNER_HOST": "(hidden)"}),
        ("common", "tags", {"a": 1}),
        ("common", "colour", "red"),
        ("dev", "account_id", 123456789012),
        ("dev", "protected", "true"),
        ("dev", "network", {"vpc_id": "vpc-00000001", "private_subnet_ids": ["subnet-00000001"]}),
        ("dev", "database.engine_version", "16.13"),
        ("dev", "processor.image", {"tag": "-1"}),
        ("dev", "processor.image", {"tag": "1", "repository": "fork"}),
        ("dev", "processor.image", {"tag": "1", "registry": "123456789012"}),
    ],
)
def test_unknown_keys_and_values_of_another_type_are_invalid(tmp_path: Path, file: str, key: str, value: Any) -> None:
    assert not validator(file).is_valid(Folder(tmp_path / "environments").put(file, key, value).tables[file])


def test_an_environment_s_image_is_a_tag(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("dev", "processor.image", {"tag": "2"})
    validator("dev").validate(folder.tables["dev"])


@pytest.mark.parametrize("file", FILES)
def test_the_keys_that_a_file_must_have_are_required(file: str) -> None:
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
