from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tapctl.config import Config, config_hash, load, load_all
from tapctl.config.problems import allowed_keys
from tapctl.config.schema import CommonFile, EnvironmentFile
from tests.support.additions import ALARM, BOUNDARY, EGRESS, PERMISSION
from tests.support.config_folder import ENVIRONMENTS, Folder
from tests.support.strides import examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(),
    str: TEXT,
    dict: st.dictionaries(TEXT, TEXT),
    tuple: st.lists(TEXT).map(tuple),
}


def full(tmp_path: Path) -> Config:
    """A configuration in which nothing is left out."""
    return full_folder(tmp_path).load()["prod"]


def full_folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "environments").put("common", "processor.image.registry", "123456789012")
    folder.put("prod", "networking", "static").put("prod", "role_arn", "arn:aws:iam::123456789012:role/deploy")
    subnets = ["subnet-00000001", "subnet-00000002"]
    folder.put("prod", "processor.image", {"tag": "1.0.0"}).put("common", "processor.runtime", "nodejs22.x")
    folder.put("common", "alarms", {}).put("common", "organisation.permissions_boundary", BOUNDARY)
    return folder.put("prod", "network", {"vpc_id": "vpc-00000001", "private_subnet_ids": subnets})


def leaves(model: BaseModel) -> Iterator[tuple[str, ...]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from ((name, *path) for path in leaves(value))
        else:
            yield (name,)


def at(model: Any, path: tuple[str, ...]) -> Any:
    return at(getattr(model, path[0]), path[1:]) if path else model


def changed(model: BaseModel, path: tuple[str, ...], value: Any) -> Any:
    inner = changed(getattr(model, path[0]), path[1:], value) if len(path) > 1 else value
    return model.model_copy(update={path[0]: inner})


# Not in the hash: a default that is written out is the same configuration.
NO_LEAVES = {("final_snapshot_is_written",)}
LEAVES = sorted(set(leaves(load(ENVIRONMENTS, "prod"))) - NO_LEAVES)


def test_every_leaf_is_known_to_these_tests(tmp_path: Path) -> None:
    assert set(LEAVES) == set(leaves(full(tmp_path))) - NO_LEAVES
    assert len(LEAVES) > 30


# Of tables nothing can be made up; see the keys below.
ARRAYS_OF_TABLES = {("alarms", "extra"), ("processor", "egress"), ("processor", "permissions")}


@pytest.mark.parametrize("path", sorted(set(LEAVES) - ARRAYS_OF_TABLES), ids=".".join)
def test_any_leaf_changed_is_another_hash(path: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> None:
    config = full(tmp_path_factory.mktemp("config"))
    before, old = config_hash(config), at(config, path)

    @examples(8, 30)
    @given(VALUES[type(old)].filter(lambda value: value != old))
    def other(value: Any) -> None:
        assert config_hash(changed(config, path, value)) != before
        assert config_hash(changed(changed(config, path, value), path, old)) == before

    other()


# Every key that a file may have, and another value of it that is valid beside all others of `full`.
OTHERS: dict[str, dict[str, Any]] = {
    "common": {
        "service": "cards",
        "tags": {"CostCenter": "cards"},
        "organisation.permissions_boundary": "arn:aws:iam::123456789012:policy/boundary",
        "organisation.role_path": "/payments/",
        "database.name": "cards",
        "database.master_username": "postgres",
        "database.engine_version": "17.11",
        "database.port": 6432,
        "database.backup_retention_days": 8,
        "database.backup_window": "01:00-02:00",
        "database.maintenance_window": "mon:05:00-mon:06:00",
        "database.log_statement": "mod",
        "database.log_min_duration_statement_ms": -1,
        "database.cluster_parameters": {"log_lock_waits": "1"},
        "database.instance_parameters": {"log_lock_waits": "1"},
        "processor.package": "zip",
        "processor.image.repository": "card-processor",
        "processor.image.tag": "1.0.1",
        "processor.image.registry": "210987654321",
        "processor.runtime": "nodejs24.x",
        "processor.timeout_s": 31,
        "processor.ephemeral_storage_mb": 1024,
        "processor.architecture": "arm64",
        "processor.environment": {"FEATURE_FLAGS": "ledger"},
        "processor.permissions": [PERMISSION],
        "processor.egress": [EGRESS],
        "secrets.rotation_days": 29,
        "logs.retention_days": 60,
        "alarms.throttle_threshold": 2,
        "alarms.cpu_threshold_percent": 81,
        "alarms.connections_threshold_percent": 81,
        "alarms.extra": [ALARM],
    },
    "prod": {
        "account_id": "210987654321",
        "region": "eu-west-1",
        "networking": "ssm:/networking",
        "network.vpc_id": "vpc-00000002",
        "network.private_subnet_ids": ["subnet-00000001", "subnet-00000003"],
        "protected": False,
        "final_snapshot": False,
        "role_arn": "arn:aws:iam::123456789012:role/other",
        "database.instance_class": "db.r6g.xlarge",
        "database.instance_count": 3,
        "processor.memory_mb": 4097,
        "processor.reserved_concurrency": 101,
        "processor.image.tag": "1.0.2",
        "alarms.error_threshold": 4,
        "alarms.latency_threshold_ms": 2001,
        "alarms.subscribers": ["email:oncall@example.com"],
    },
}


def test_every_key_of_both_files_is_changed_here() -> None:
    assert set(OTHERS["common"]) == set(allowed_keys(CommonFile))
    assert set(OTHERS["prod"]) == set(allowed_keys(EnvironmentFile))


@pytest.mark.parametrize(("file", "key"), [(file, key) for file, others in OTHERS.items() for key in others])
def test_any_key_of_any_file_changed_is_another_hash(tmp_path: Path, file: str, key: str) -> None:
    folder = full_folder(tmp_path)
    match key:
        case "account_id":
            folder.drop("prod", "role_arn")  # it is in that account
        case "networking":
            folder.drop("prod", "network").put("prod", "networking", "ssm:/elsewhere")
        case "processor.image.tag" if file == "common":
            folder.drop("prod", "processor.image")  # it would hide the common one
    before = config_hash(folder.load()["prod"])
    assert config_hash(folder.put(file, key, OTHERS[file][key]).load()["prod"]) != before


def test_two_leaves_that_swap_their_values_are_another_hash() -> None:
    config = load(ENVIRONMENTS, "dev")
    one = changed(changed(config, ("alarms", "cpu_threshold_percent"), 70), ("alarms", "throttle_threshold"), 2)
    two = changed(changed(config, ("alarms", "cpu_threshold_percent"), 2), ("alarms", "throttle_threshold"), 70)
    assert config_hash(one) != config_hash(two)


def shuffled(value: Any, order: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    keys = list(value)
    order.shuffle(keys)
    return {key: shuffled(value[key], order) for key in keys}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_does_not_matter(tmp_path: Path, seed: int) -> None:
    folder = Folder(tmp_path / "environments").put("common", "tags", {"b": "2", "a": "1", "ü": "é"})
    before = {name: config_hash(config) for name, config in folder.load().items()}
    folder.tables = shuffled(folder.tables, random.Random(seed))  # noqa: S311 -- a shuffle, and no secret
    folder.put("dev", "protected", False)
    assert {name: config_hash(config) for name, config in folder.load().items()} == before


def test_comments_layout_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    # The folder writes the files without a comment, each table inline.
    before = {name: config_hash(config) for name, config in load_all(ENVIRONMENTS).items()}
    folder = Folder(tmp_path / "environments")
    assert {name: config_hash(config) for name, config in folder.load().items()} == before
    for file in ENVIRONMENTS.glob("*.toml"):
        (folder.path / file.name).write_bytes(b"# changed\r\n" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert {name: config_hash(config) for name, config in folder.load().items()} == before


def test_a_default_written_out_does_not_matter(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments")
    before = config_hash(folder.load()["dev"])
    folder.put("dev", "final_snapshot", False).put("common", "alarms", {"cpu_threshold_percent": 80})
    assert config_hash(folder.put("common", "processor.runtime", "nodejs22.x").load()["dev"]) == before


def test_the_order_of_what_a_team_adds_does_not_matter(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments")
    hashes = []
    for step in (1, -1):
        folder.put("common", "processor.permissions", [PERMISSION, {**PERMISSION, "sid": "Again"}][::step])
        folder.put("common", "processor.egress", [EGRESS, {**EGRESS, "port": 8443}][::step])
        folder.put("common", "alarms.extra", [ALARM, {**ALARM, "name": "another"}][::step])
        folder.put("dev", "alarms.subscribers", ["email:a@example.com", "https://example.com/a"][::step])
        hashes.append(config_hash(folder.load()["dev"]))
    assert hashes[0] == hashes[1]


def test_the_order_of_subnets_does_not_matter(tmp_path: Path) -> None:
    one = full(tmp_path)
    folder = Folder(tmp_path / "other").put("common", "processor.image.registry", "123456789012")
    folder.put("prod", "networking", "static").put("prod", "role_arn", "arn:aws:iam::123456789012:role/deploy")
    folder.put("common", "organisation.permissions_boundary", BOUNDARY)
    subnets = ["subnet-00000002", "subnet-00000001", "subnet-00000002"]
    folder.put("prod", "network", {"vpc_id": "vpc-00000001", "private_subnet_ids": subnets})
    assert config_hash(folder.load()["prod"]) == config_hash(one)


def test_the_canonical_form_stays_as_it_is(tmp_path: Path) -> None:
    """Another hash for the same files would look like a change of every environment that is deployed."""
    config = changed(full(tmp_path), ("tags",), {"CostCenter": "Überweisung"})
    config = changed(config, ("database", "engine_version"), "16.13")
    assert config_hash(config) == "22ebe5b8a4ceb62ca0ebb6683feb70e524101832a8346d4089e291bdb489b0f8"
