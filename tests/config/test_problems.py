from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tapctl.config import check_folder, environments, load, load_all
from tapctl.config.problems import MAX_PROBLEMS
from tapctl.errors import ConfigError, Problem
from tests.support.config_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def test_every_problem_of_every_file_is_reported_at_once(folder: Folder) -> None:
    folder.put("common", "database.log_statement", "all").put("common", "database.backup_window", "04:30-05:30")
    folder.put("common", "database.maintenance_window", "sun:05:00-sun:06:00")
    folder.put("dev", "processor.memory_mb", "1024").put("dev", "colour", "red")
    folder.put("prod", "database.instance_count", 1).drop("prod", "alarms")
    found = {(Path(each.file).name, each.key) for each in folder.problems()}
    assert found == {
        ("common.toml", "database.log_statement"),
        ("common.toml", "database.maintenance_window"),
        ("dev.toml", "processor.memory_mb"),
        ("dev.toml", "colour"),
        ("prod.toml", "database.instance_count"),
        ("prod.toml", "alarms"),
    }


def test_the_error_says_how_many_and_what_to_run(folder: Folder) -> None:
    folder.put("dev", "region", "here").put("prod", "region", "there")
    with pytest.raises(ConfigError, match="2 errors") as caught:
        folder.load()
    assert caught.value.code == "config-invalid"
    assert caught.value.hint == f"correct what is named, then run tapctl validate --config {folder.path}"
    dev = folder.path / "dev.toml"
    assert f'{dev}: region = "here": must be an AWS region, such as us-east-1' in str(caught.value.evidence)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"region = \n", "line 1, column 10"),
        (b'a = 1\na = 2\nregion = "x"', "is not TOML: the key a has a value already (at line 2, column 6)"),
        (b'a = 1\n[t]\n"b c".d = 1\n"b c".d = "x"\n', 'is not TOML: the key "b c".d has a value already (at '),
        (b'a = 1\na = "x"', "is not TOML: the key a has a value already (at end of document)"),
        (b"a = 1\na = [\n2,\n]", "is not TOML: Cannot overwrite a value (at end of document)"),
        (b"[a.b]\n[a.b]", "is not TOML: Cannot declare a.b twice (at line 2, column 5)"),
        (b"[a]\n[a]", "is not TOML: Cannot declare a twice (at line 2, column 3)"),
        (b"a = 1\n[a]\nb = 1", "is not TOML: the key a has a value already (at line 2, column 3)"),
        (b"a = " + b"[" * 100_000, "is nested more than 20 tables and arrays deep"),
        (b"a = 1\nb = " + b"9" * 5000, "has a number of too many digits at line 2"),
        (b"a = 1" + b"_0" * 5000, "has a number of too many digits at line 1"),
        ('region = "é"'.encode("latin-1"), "is not UTF-8 text (byte 11)"),
        ('region = "x"'.encode("utf-16"), "is not UTF-8 text"),
        ('region = "x"'.encode("utf-8-sig"), "byte order mark"),
    ],
)
@pytest.mark.parametrize("file", ["common", "dev"])
def test_a_file_that_is_no_toml(folder: Folder, file: str, content: bytes, says: str) -> None:
    (folder.path / f"{file}.toml").write_bytes(content)
    name, key, _, rule = folder.problem()
    assert (name, key) == (f"{file}.toml", "")
    assert says in rule


@pytest.mark.parametrize("number", ["0x" + "f" * 4000, "-1" + "0" * 400, "0o" + "7" * 400, "0b" + "1" * 1025])
def test_a_number_that_has_no_short_text_is_told_by_its_key(folder: Folder, number: str) -> None:
    with (folder.path / "dev.toml").open("a") as file:
        file.write(f"[[a.b]]\n[[a.b]]\nc = [1, {number}]\n")
    assert folder.problem() == ("dev.toml", "a.b.1.c.1", "", "is a number of too many digits")


def test_an_empty_file_lacks_everything(folder: Folder) -> None:
    (folder.path / "dev.toml").write_bytes(b"")
    problems = folder.problems()
    assert {each.key for each in problems} == {
        "account_id", "region", "networking", "protected", "database", "processor", "alarms",
    }  # fmt: skip
    assert {each.value for each in problems} == {""}
    rules = {each.key: each.rule for each in problems}
    assert rules["account_id"] == "is missing; must be an AWS account id: a string of 12 digits"
    assert rules["database"] == "is missing; must be a table with the keys instance_class, instance_count"


def test_common_toml_is_missing(folder: Folder) -> None:
    (folder.path / "common.toml").unlink()
    assert folder.problem() == ("common.toml", "", "", "is missing")


def test_an_environment_s_image_has_no_problem_of_its_own_without_common_toml(folder: Folder) -> None:
    folder.put("dev", "processor.image", {"tag": "2"})
    (folder.path / "common.toml").unlink()
    assert folder.problem() == ("common.toml", "", "", "is missing")


def test_a_folder_or_a_pipe_in_place_of_a_file_is_not_opened(folder: Folder) -> None:
    (folder.path / "qa.toml").mkdir()
    os.mkfifo(folder.path / "pipe.toml")
    found = {(Path(each.file).name, each.rule) for each in folder.problems()}
    assert found == {
        ("qa.toml", "cannot be read: it is a folder, no plain file"),
        ("pipe.toml", "cannot be read: it is a pipe, no plain file"),
    }


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that opens and cannot be read, even by root")
def test_a_file_that_cannot_be_read(folder: Folder) -> None:
    (folder.path / "dev.toml").unlink()
    (folder.path / "dev.toml").symlink_to("/proc/self/mem")
    name, _, _, rule = folder.problem()
    assert name == "dev.toml"
    assert rule.startswith("cannot be read: ")


def test_other_files_in_the_folder_are_no_environments(folder: Folder) -> None:
    for name in (".dev.toml.swp", ".hidden.toml", "README.md", "dev.toml~", "dev.toml.bak"):
        (folder.path / name).write_text("=", encoding="utf-8")
    assert environments(folder.path) == ("dev", "prod", "staging")
    assert set(folder.load()) == {"dev", "prod", "staging"}


def test_a_file_whose_ending_is_not_in_lower_case_is_not_passed_over(folder: Folder) -> None:
    (folder.path / "qa.TOML").write_bytes((folder.path / "dev.toml").read_bytes())
    rule = "is not read: the name of an environment's file ends in .toml, in lower case"
    assert folder.problem() == ("qa.TOML", "", "", rule)
    assert load(folder.path, "dev").environment == "dev", "it is none of dev's business"
    with pytest.raises(ConfigError) as caught:
        load(folder.path, "qa")
    assert [each.rule for each in caught.value.problems if each.file.endswith("qa.TOML")] == [rule]


def test_a_folder_of_other_toml_files_is_no_folder_of_environments(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "dev")
    assert [str(each) for each in caught.value.problems] == [
        f"{tmp_path}: has no common.toml: it is no folder of environment files"
    ]
    assert "--config" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="errors") as caught:
        load_all(tmp_path)
    assert str(caught.value.problems[0]) == f"{tmp_path / 'common.toml'}: is missing"
    assert str(caught.value.hint) == "name the folder of the environment files with --config"


def test_an_empty_folder_name_is_not_the_current_folder() -> None:
    with pytest.raises(ConfigError) as caught:
        check_folder("")
    assert [str(each) for each in caught.value.problems] == ['--config = "": names no folder']
    check_folder(".")


@pytest.mark.parametrize("call", [environments, load_all, lambda path: load(path, "dev")])
def test_the_folder_is_missing_or_a_file(tmp_path: Path, call: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        call(tmp_path / "nowhere")
    assert "No such file or directory" in caught.value.problems[0].rule
    assert "--config" in str(caught.value.hint)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        call(tmp_path / "file")
    assert "Not a directory" in caught.value.problems[0].rule


def test_a_folder_without_an_environment(folder: Folder) -> None:
    for name in environments(folder.path):
        (folder.path / f"{name}.toml").unlink()
    with pytest.raises(ConfigError) as caught:
        load_all(folder.path)
    assert "no environment's file" in caught.value.problems[0].rule


@pytest.mark.parametrize("name", ["Dev", "qa_1", "qa-", "q" * 47])
def test_an_environments_name_must_be_a_suffix(folder: Folder, name: str) -> None:
    folder.tables[name] = folder.tables["dev"]
    file, key, _, rule = folder.put(name, "protected", False).problem()
    assert (file, key) == (f"{name}.toml", "")
    assert rule.startswith(f"the environment's name, {name}, must ")


@pytest.mark.parametrize(
    ("file", "key", "value", "told"),
    [
        ("dev", "processor.memory_mb", "1024", '"1024": must be a whole number of MB from 128 to 10240'),
        ("dev", "processor.memory_mb", True, "true: must be a whole number"),
        ("dev", "processor.memory_mb", 1024.0, "1024.0: must be a whole number"),
        ("dev", "processor.memory_mb", [1024], "[1024]: must be a whole number"),
        ("dev", "processor.memory_mb", {}, "{}: must be a whole number"),
        ("dev", "account_id", 123456789012, "123456789012: must be an AWS account id: a string of 12 digits"),
        ("dev", "protected", "false", '"false": must be true or false'),
        ("dev", "database", "small", '"small": must be a table with the keys instance_class, instance_count'),
        ("common", "service", date(2026, 1, 2), '"2026-01-02": must be a name'),
        ("common", "processor.timeout_s", "30", '"30": must be a whole number of seconds from 1 to 900'),
        ("common", "tags.Team", 7, "7: must be a string of at most 256 letters, digits, spaces (none first or last)"),
        ("common", "tags", "x", '"x": must be at most 44 tags, each value a string'),
    ],
)
def test_types_are_strict(folder: Folder, file: str, key: str, value: Any, told: str) -> None:
    words = {str: "a string", bool: "a boolean", float: "a float", int: "an integer", list: "an array", dict: "a table"}
    name, where, shown, rule = folder.put(file, key, value).problem()
    assert (name, where) == (f"{file}.toml", key)
    assert f"{shown}: {rule}".startswith(told)
    assert rule.endswith(f"; this is {words.get(type(value), 'a date or time')}")


@pytest.mark.parametrize("key", ["password", "database.master_password", "api_key", "credentials.user"])
def test_a_value_that_may_be_a_secret_is_not_repeated(folder: Folder, key: str) -> None:
    folder.put("dev", key, "hunter2")
    (problem,) = folder.problems()
    assert problem.key == key
    assert "hunter2" not in str(problem)


def test_a_value_is_shown_short_and_without_control_characters(folder: Folder) -> None:
    _, _, shown, _ = folder.put("dev", "region", "\x1b[31m\x9b\u202e\n" + "x" * 200).problem()
    assert len(shown) == 80
    assert shown.startswith('"\\u001b[31m\\u009b\\u202e\\nxxx')
    assert shown.endswith("…")


# -- unknown keys -----------------------------------------------------------------------------------------------------


def test_a_misspelt_table_is_one_problem_whatever_its_keys(folder: Folder) -> None:
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
def test_an_unknown_key_comes_with_a_similar_one(folder: Folder, file: str, key: str, meant: str) -> None:
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


def test_an_unknown_key_like_no_other_comes_with_the_allowed_keys(folder: Folder) -> None:
    assert folder.put("dev", "alarms.xyzzy", 1).problem() == (
        "dev.toml",
        "alarms.xyzzy",
        "1",
        "is no key of this file; allowed here: alarms.error_threshold, alarms.latency_threshold_ms, alarms.subscribers",
    )


def test_every_key_of_an_unknown_table_is_a_problem(folder: Folder) -> None:
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


# -- what somebody wrote to make us work -----------------------------------------------------------------------------

_SPACES = " " * 60_000
_ODD = "a'\" " * 15_000


@pytest.mark.parametrize(
    "content",
    [
        f'x = "{_SPACES}"\nx = 1',
        f"{_SPACES}x{_SPACES}\n",
        f'"{"x" * 60_000}" = 1\n"{"x" * 60_000}".a = 2\n',
        f'a = 1\na.{"b" * 60_000} = "{_SPACES}"\n',
        f"a = 1\n[a{_SPACES}]\n",
        f"a = 1\n{_ODD}\n",
        "".join(f"[t{number}]\n" for number in range(20_000)),
        "".join(f"x{number} = 1\n" for number in range(20_000)),
        "[odd]\n" + "".join(f"x{number} = 1\n" for number in range(20_000)),
        ".".join(["a"] * 20_000) + " = 1\n",
        ".".join(["a"] * 200) + " = 1\n",
        "a = " + "[" * 300 + "]" * 300,
        "a = " + "{b = " * 300 + "1" + "}" * 300,
        "processor.command = " + "'" + _SPACES + "'",
        "x" * 300_000,
    ],
    ids=lambda content: f"{content[:12]!r}-{len(content)}",
)
def test_a_file_that_is_made_to_be_slow_is_refused_in_no_time_and_in_few_lines(folder: Folder, content: str) -> None:
    (folder.path / "dev.toml").write_text(content)
    began = time.process_time()
    with pytest.raises(ConfigError) as refused:
        load(folder.path, "dev")
    assert time.process_time() - began < 5
    assert refused.value.exit_code == 3
    evidence = str(refused.value.evidence)
    assert "dev.toml" in evidence
    assert evidence.count("\n") < 120
    assert len(evidence) < 200_000


def test_problems_beyond_the_cap_are_counted(folder: Folder) -> None:
    with (folder.path / "dev.toml").open("a") as file:
        file.write("\n[odd]\n" + "".join(f"x{number} = 1\n" for number in range(300)))
    problems = folder.problems()
    assert len(problems) == MAX_PROBLEMS + 1
    assert [str(each) for each in problems if each.key == "…"] == [f"{folder.path}/dev.toml: …: and 250 more"]


def test_an_error_shows_a_hundred_problems_and_counts_the_rest() -> None:
    error = ConfigError([Problem("dev.toml", f"key{number:03}", "", "is odd") for number in range(130)])
    lines = str(error.evidence).split("\n")
    assert (len(lines), lines[-1], len(error.problems)) == (101, "and 30 more", 130)


def test_a_file_larger_than_any_of_ours_or_a_link_to_nowhere_is_named(folder: Folder) -> None:
    with (folder.path / "dev.toml").open("wb") as file:
        file.truncate(50 * 2**30)
    (folder.path / "prod.toml").unlink()
    (folder.path / "prod.toml").symlink_to("nowhere")
    (folder.path / "zero.toml").symlink_to("/dev/zero")
    rules = {Path(each.file).name: each.rule for each in folder.problems()}
    assert rules["dev.toml"] == "cannot be read: it is larger than 262,144 bytes"
    assert rules["prod.toml"] == "is a link that leads nowhere"
    assert rules["zero.toml"] == "cannot be read: it is a device, no plain file"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATABASE_URL", "postgres://dana:hunter22@db/x"),
        ("db_pwd", "hunter22"),
        ("db_pass", "hunter22"),
        ("connection_string", "hunter22"),
        ("anything", "postgres://dana:hunter22@db/x"),
        ("anything", "Server=db;Password=hunter22"),
        ("anything", "AKIAHUNTER22HUNTER22"),
    ],
)
def test_a_value_that_may_be_a_secret_is_not_shown(folder: Folder, key: str, value: str) -> None:
    folder.put("dev", key, value)
    (problem,) = folder.problems()
    assert "hunter22" not in str(problem).lower()


def test_the_arn_of_a_secret_is_shown_and_no_secret(folder: Folder) -> None:
    arn = "arn:aws:secretsmanager:us-east-2:123456789012:secret:partner-AbCdEf"
    folder.put("common", "tags.rotation", arn).put("dev", "partner_secret", arn)
    (problem,) = folder.problems()
    assert (problem.key, problem.value) == ("partner_secret", f'"{arn}"')


@pytest.mark.parametrize(
    "value", ["AsiaPacificSouth", "asiapacificregion", "ASIA2024ROLLOUTPLAN", "ASIAPACIFICSOUTHEASTREGION"]
)
def test_a_place_in_asia_is_no_access_key(folder: Folder, value: str) -> None:
    assert folder.put("common", "tags.Market", value).problems() == []


def test_a_tag_holds_no_secret(folder: Folder) -> None:
    folder.put("common", "tags.CostCenter", "password=hunter22hunter22").put("common", "tags.PasswordOwner", "platform")
    folder.put("common", "tags.ApiToken", "hunter22").put("common", "tags.TokenTeam", "payments")
    second, first = folder.problems()
    assert (first.key, first.value) == ("tags.CostCenter", "(not shown)")
    assert first.rule == "looks like a secret, which anybody reads who may look at a resource"
    assert (second.key, second.value) == ("tags.ApiToken", "(not shown)")
    assert second.rule.startswith("looks like a secret by its name, which anybody reads")
