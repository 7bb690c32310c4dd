"""Environment files that are wrong: refused offline, all at once, naming the file, the key, the value and the rule."""

from __future__ import annotations

import shutil

import pytest

from tests.failures.scene import Scene

CHECKING = ("validate", "plan", "apply", "drift", "destroy")


def refused(scene: Scene, *told: str, verb: str = "plan", env: str = "dev") -> None:
    """Exit 3 without one call to AWS, and all of this said."""
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    answer = scene.tapctl(verb, "--env", env, *more)
    assert (answer.code, answer.asked) == (3, ()), answer.err
    assert "error config-invalid" in answer.err
    for text in (*told, "hint"):
        assert text in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("verb", CHECKING)
@pytest.mark.parametrize("file", ["common.toml", "dev.toml"])
def test_malformed_toml(scene: Scene, file: str, verb: str) -> None:
    path = scene.folder / "environments" / file
    path.write_text(f"{path.read_text()}\n[database\n")
    refused(scene, file, "line", verb=verb)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00"])
def test_a_file_that_is_empty_or_no_text(scene: Scene, content: bytes) -> None:
    (scene.folder / "environments" / "dev.toml").write_bytes(content)
    refused(scene, "dev.toml")


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
def test_a_value_or_key_that_must_not_be(scene: Scene, file: str, old: str, new: str, told: tuple[str, ...]) -> None:
    scene.edit(file, old, new)
    refused(scene, file, *told)


def test_all_errors_of_all_files_are_told_at_once(scene: Scene) -> None:
    scene.edit("common.toml", "timeout_s = 30", "timeout_s = 9000")
    scene.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1")
    scene.edit("prod.toml", "instance_count = 2", "instance_count = 1")
    answer = scene.tapctl("validate")
    assert answer.code == 3
    for told in ("common.toml: processor.timeout_s = 9000", "dev.toml: processor.memory_mb = 1", "prod.toml"):
        assert told in answer.err


def test_errors_are_told_to_programs_one_by_one(scene: Scene) -> None:
    scene.edit("dev.toml", "memory_mb = 1024", "memory_mb = 1")
    answer = scene.tapctl("plan", "--env", "dev", "--json")
    (error,) = answer.of_type("error")
    assert error["problems"][0]["file"].endswith("dev.toml")
    assert error["problems"][0]["key"] == "processor.memory_mb"
    assert answer.records[-1] | {"type": "verdict", "exit": 3} == answer.records[-1]


@pytest.mark.parametrize(("missing", "told"), [("common.toml", "common.toml"), ("dev.toml", "prod, staging")])
def test_a_file_is_missing(scene: Scene, missing: str, told: str) -> None:
    (scene.folder / "environments" / missing).unlink()
    refused(scene, told)


def test_the_folder_is_missing(scene: Scene) -> None:
    shutil.rmtree(scene.folder / "environments")
    refused(scene, "environments")


def test_a_folder_in_a_file_s_place(scene: Scene) -> None:
    path = scene.folder / "environments" / "dev.toml"
    path.unlink()
    path.mkdir()
    refused(scene, "dev.toml")


@pytest.mark.parametrize("env", ["devv", "", "../dev", "Dev", "common"])
def test_an_unknown_environment_is_told_with_those_there_are(scene: Scene, env: str) -> None:
    refused(scene, env, env=env)


@pytest.mark.parametrize("verb", CHECKING)
def test_what_was_meant_by_an_unknown_environment_is_told(scene: Scene, verb: str) -> None:
    refused(scene, "devv", "dev", "prod", "staging", verb=verb, env="devv")


@pytest.mark.parametrize(
    "suffix", ["", "Pr-1", "1pr", "pr_1", "pr/1", "../x", "-pr", "x" * 60, "prod", "staging", "\udcff"]
)
@pytest.mark.parametrize("verb", ["plan", "destroy"])
def test_a_suffix_that_is_no_name_or_another_environment_s(scene: Scene, suffix: str, verb: str) -> None:
    more = ("--yes",) if verb in ("apply", "destroy") else ()
    answer = scene.tapctl(verb, "--env", "dev", "--suffix", suffix, *more)
    assert (answer.code, answer.asked) == (3, ()), answer.err
    assert "suffix" in answer.err
    assert "hint" in answer.err
    assert not (scene.folder / "manifests").exists()
