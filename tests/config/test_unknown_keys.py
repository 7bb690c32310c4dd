"""Keys that may not stand where they stand: refused with what was perhaps meant, and with what may stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.config_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def test_a_misspelt_table_is_told_once_whatever_is_in_it(folder: Folder) -> None:
    folder.tables["common"]["databse"] = folder.tables["common"].pop("database")
    folder.put("dev", "processor.imag", {"tag": "2", "password": "hunter2"}).put("dev", "alrams", {})
    folder.put("dev", "secrts.rotation_days", 1)
    found = {(Path(each.file).name, each.key, each.value): each.rule for each in folder.problems()}
    assert found.pop(("common.toml", "database", "")).startswith("is missing; must be a table")
    assert found == {
        ("common.toml", "databse", ""): "is no table of this file; did you mean database?",
        ("dev.toml", "processor.imag", ""): "is no table of this file; did you mean processor.image?",
        ("dev.toml", "alrams", ""): "is no table of this file; did you mean alarms?",
        ("dev.toml", "secrts", ""): "is no table of this file; did you mean secrets, in common.toml?",
    }


@pytest.mark.parametrize(
    ("file", "key", "meant"),
    [
        ("dev", "database.instance_clas", "database.instance_class"),
        ("dev", "memory_mb", "processor.memory_mb"),
        ("dev", "processor.image.tags", "processor.image.tag"),
        ("common", "database.engine_verison", "database.engine_version"),
        ("common", "alarms.throttles_threshold", "alarms.throttle_threshold"),
        ("dev", "procesor", "processor"),
    ],
)
def test_an_unknown_key_is_told_what_was_perhaps_meant(folder: Folder, file: str, key: str, meant: str) -> None:
    folder.put(file, key, 1)
    rules = {each.key: each.rule for each in folder.problems()}
    assert rules[key].startswith(f"is no key of this file; did you mean {meant}?; allowed here: ")


@pytest.mark.parametrize(
    ("file", "key", "meant"),
    [
        ("common", "database.memory_mb", "processor.memory_mb, in an environment's own file"),
        ("common", "instance_count", "database.instance_count, in an environment's own file"),
        ("common", "alarms.latency_treshold_ms", "alarms.latency_threshold_ms, in an environment's own file"),
        ("dev", "processor.retention_days", "logs.retention_days, in common.toml"),
        ("dev", "secrts", "secrets, in common.toml"),
    ],
)
def test_a_key_of_the_other_kind_of_file_in_a_wrong_table_is_recognised(
    folder: Folder, file: str, key: str, meant: str
) -> None:
    assert folder.put(file, key, 1).problem()[3].startswith(f"is no key of this file; did you mean {meant}?; allowed ")


def test_an_environment_changes_nothing_of_the_image_but_its_tag(folder: Folder) -> None:
    folder.put("dev", "processor.image", {"tag": "2", "repository": "fork", "registry": "123456789012", "tags": "3"})
    rules = {each.key: each.rule for each in folder.problems()}
    assert set(rules) == {f"processor.image.{name}" for name in ("repository", "registry", "tags")}
    common = "is the same in every environment, and belongs in common.toml; allowed here: processor.image.tag"
    assert rules["processor.image.repository"] == rules["processor.image.registry"] == common
    assert "did you mean processor.image.tag?" in rules["processor.image.tags"]


def test_an_unknown_key_like_no_other_is_told_which_there_are(folder: Folder) -> None:
    assert folder.put("dev", "alarms.xyzzy", 1).problem() == (
        "dev.toml",
        "alarms.xyzzy",
        "1",
        "is no key of this file; allowed here: alarms.error_threshold, alarms.latency_threshold_ms",
    )


def test_every_unknown_key_of_an_unknown_table_is_told(folder: Folder) -> None:
    folder.put("dev", "vpn", {"peers": {}, "a b": {"c": 1}})
    assert {each.key for each in folder.problems()} == {"vpn.peers", 'vpn."a b".c'}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", "us-east-1"),
        ("database.instance_class", "db.r6g.large"),
        ("database.instance_count", 2),
        ("processor.memory_mb", 1024),
        ("alarms.error_threshold", 1),
    ],
)
def test_a_scaling_key_in_common_toml_is_refused(folder: Folder, key: str, value: Any) -> None:
    name, where, _, rule = folder.put("common", key, value).problem()
    assert (name, where) == ("common.toml", key)
    assert rule.startswith("may differ between environments, and belongs in their own files; allowed here: ")
    table = key.rpartition(".")[0]
    allowed = {"": "database.name", "database": "database.name", "processor": "processor.timeout_s"}
    assert allowed.get(table, "alarms.throttle_threshold") in rule


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("service", "payments"),
        ("tags.Team", "payments"),
        ("database.engine_version", "16.13"),
        ("processor.timeout_s", 30),
        ("secrets.rotation_days", 30),
        ("alarms.throttle_threshold", 1),
    ],
)
def test_a_common_key_in_an_environments_file_is_refused(folder: Folder, key: str, value: Any) -> None:
    name, where, shown, rule = folder.put("prod", key, value).problem()
    assert (name, where) == ("prod.toml", key)
    assert shown in (f'"{value}"', str(value))
    assert rule.startswith("is the same in every environment, and belongs in common.toml; allowed here: ")
