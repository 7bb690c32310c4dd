"""Environment files that are wrong: refused offline, all at once, naming the file, the key, the value and the rule."""

from __future__ import annotations

import shutil

import pytest

from tests.support.world import World

CHECKING = ("validate", "plan", "apply", "drift", "destroy")


def refused(world: World, *told: str, verb: str = "plan", env: str = "dev") -> None:
    """Exit 3 without one call to AWS, and all of this said."""
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    answer = world.tapctl(verb, "--env", env, *more)
    assert (answer.code, answer.asked) == (3, ()), answer.err
    assert "error config-invalid" in answer.err
    for text in (*told, "hint"):
        assert text in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("verb", CHECKING)
@pytest.mark.parametrize("file", ["common.toml", "dev.toml"])
def test_malformed_toml(world: World, file: str, verb: str) -> None:
    path = world.folder / "environments" / file
    path.write_text(f"{path.read_text()}\n[database\n")
    refused(world, file, "line", verb=verb)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00"])
def test_a_file_that_is_empty_or_no_text(world: World, content: bytes) -> None:
    (world.folder / "environments" / "dev.toml").write_bytes(content)
    refused(world, "dev.toml")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("dev.toml", '"123456789012"', "123456789012", ("account_id", "123456789012", "string")),
        ("dev.toml", "memory_mb = 1024", 'memory_mb = "1024"', ("processor.memory_mb", '"1024"')),
        ("dev.toml", "memory_mb = 1024", "memory_mb = 1024.0", ("processor.memory_mb", "1024.0")),
        ("dev.toml", "memory_mb = 1024", "memory_mb = true", ("processor.memory_mb", "true")),
        ("dev.toml", "memory_mb = 1024", "memory_mb = 64", ("processor.memory_mb", "64", "128")),
        ("dev.toml", "protected = false", 'protected = "no"', ("protected", '"no"')),
        ("dev.toml", "memory_mb = 1024", "memry_mb = 1024", ("processor.memry_mb", "memory_mb")),
        ("dev.toml", "[alarms]", "timeout_s = 5\n[alarms]", ("processor.timeout_s", "common.toml")),
        ("common.toml", "[secrets]", "memory_mb = 512\n[secrets]", ("processor.memory_mb", "allowed")),
        ("common.toml", '"ddl"', '"all"', ("database.log_statement", "card data")),
        ("dev.toml", "db.t4g.medium", "db.x9.huge", ("database.instance_class", "db.x9.huge")),
    ],
)
def test_a_value_or_key_that_must_not_be(world: World, file: str, old: str, new: str, told: tuple[str, ...]) -> None:
    world.edit(file, old, new)
    refused(world, file, *told)


def test_all_errors_of_all_files_are_told_at_once(world: World) -> None:
    world.edit("common.toml", "timeout_s = 30", "timeout_s = 9000")
    world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1")
    world.edit("prod.toml", "instance_count = 2", "instance_count = 1")
    answer = world.tapctl("validate")
    assert answer.code == 3
    for told in ("common.toml: processor.timeout_s = 9000", "dev.toml: processor.memory_mb = 1", "prod.toml"):
        assert told in answer.err


def test_errors_are_told_to_programs_one_by_one(world: World) -> None:
    world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1")
    answer = world.tapctl("plan", "--env", "dev", "--json")
    (error,) = answer.of_type("error")
    assert error["problems"][0]["file"].endswith("dev.toml")
    assert error["problems"][0]["key"] == "processor.memory_mb"
    assert answer.records[-1] | {"type": "verdict", "exit": 3} == answer.records[-1]


@pytest.mark.parametrize(("missing", "told"), [("common.toml", "common.toml"), ("dev.toml", "prod, staging")])
def test_a_file_is_missing(world: World, missing: str, told: str) -> None:
    (world.folder / "environments" / missing).unlink()
    refused(world, told)


def test_the_folder_is_missing(world: World) -> None:
    shutil.rmtree(world.folder / "environments")
    refused(world, "environments")


@pytest.mark.parametrize("verb", ["drift", "outputs", "validate"])
def test_a_folder_that_cannot_be_looked_at(world: World, verb: str) -> None:
    environment = () if verb == "validate" else ("--env", "dev")
    answer = world.tapctl(verb, *environment, "--config", "a" * 300)
    assert (answer.code, answer.changes) == (3, ())
    assert "cannot be read: File name too long" in answer.err


def test_a_folder_in_a_file_s_place(world: World) -> None:
    path = world.folder / "environments" / "dev.toml"
    path.unlink()
    path.mkdir()
    refused(world, "dev.toml")


@pytest.mark.parametrize("env", ["devv", "", "../dev", "Dev", "common"])
def test_an_unknown_environment_is_told_with_those_there_are(world: World, env: str) -> None:
    refused(world, env, env=env)


@pytest.mark.parametrize("verb", CHECKING)
def test_what_was_meant_by_an_unknown_environment_is_told(world: World, verb: str) -> None:
    refused(world, "devv", "dev", "prod", "staging", verb=verb, env="devv")


@pytest.mark.parametrize(
    "suffix", ["", "Pr-1", "1pr", "pr_1", "pr/1", "../x", "-pr", "x" * 60, "prod", "staging", "\udcff"]
)
@pytest.mark.parametrize("verb", ["plan", "destroy"])
def test_a_suffix_that_is_no_name_or_another_environment_s(world: World, suffix: str, verb: str) -> None:
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    answer = world.tapctl(verb, "--env", "dev", "--suffix", suffix, *more)
    assert (answer.code, answer.asked) == (3, ()), answer.err
    assert "suffix" in answer.err
    assert "hint" in answer.err
    assert not (world.folder / "manifests").exists()
