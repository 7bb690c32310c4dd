"""A record that cannot be used stops what is about it, and hides no other; dev and pr-42 are recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.support.world import World


@pytest.fixture(scope="module")
def two(shared: World) -> World:
    shared.deploy()
    # A record of another copy: what it says is there is not, which is drift and no error.
    text = shared.path().read_text().replace("-dev", "-pr-42")
    shared.path("pr-42").write_text(text.replace('"suffix": "dev"', '"suffix": "pr-42"'))
    return shared


@pytest.fixture
def broken(two: World) -> Iterator[World]:
    """pr-42's record is an empty file."""
    before = two.path("pr-42").read_bytes()
    two.path("pr-42").write_bytes(b"")
    yield two
    two.path("pr-42").write_bytes(before)


@pytest.mark.parametrize(
    "command",
    [
        "outputs --suffix dev",
        "outputs --env dev",
        "status --env dev",
        "status --suffix dev",
        "drift --env dev",
        "parity dev prod",
        "graph --suffix dev",
        "manifest show --suffix dev",
        "manifest history --suffix dev",
        "plan --suffix dev",
    ],
)
def test_a_broken_record_of_another_environment_is_not_read(broken: World, command: str) -> None:
    answer = broken.tapctl(*command.split())
    assert answer.code == 0, answer.err
    assert "pr-42" not in answer.out + answer.err


def test_drift_of_all_has_a_verdict_each_and_ends_as_the_worst(broken: World) -> None:
    answer = broken.tapctl("drift")
    assert answer.code == 3
    verdicts = [line for line in answer.out.splitlines() if line.startswith("DRIFT ")]
    assert verdicts[0].startswith("DRIFT dev: OK")
    assert verdicts[1].startswith("DRIFT pr-42: FAILED · the manifest")
    assert verdicts[2] == "DRIFT all: 1 of 2 environments are as recorded · not looked at, no record: prod, staging"
    assert "pr-42.json is empty" in answer.err


def test_drift_of_all_tells_programs_whose_error_it_is(broken: World) -> None:
    answer = broken.tapctl("drift", "--json")
    (error,) = answer.of_type("error")
    assert (error["suffix"], error["code"]) == ("pr-42", "manifest-invalid")
    assert [(one["suffix"], one["exit"]) for one in answer.of_type("verdict")] == [("dev", 0), ("pr-42", 3), ("", 3)]


def test_status_of_all_shows_the_others_and_ends_as_the_worst(broken: World) -> None:
    answer = broken.tapctl("status", "--json")
    assert answer.code == 3
    assert [one["suffix"] for one in answer.of_type("status")] == ["dev"]
    assert [one["suffix"] for one in answer.of_type("error")] == ["pr-42"]
    assert answer.records[-1]["counts"] == {"deployed": 1, "unhealthy": 0, "unusable": 1}
    assert "1 deployed · 1 healthy · 1 whose record cannot be used" in answer.records[-1]["summary"]


def test_parity_of_all_names_what_it_does_not_compare_and_passes_no_broken_record(two: World) -> None:
    whole = two.tapctl("parity")
    assert whole.code == 0
    assert whole.verdict.endswith(" · not compared, for no file names it: pr-42")
    record = two.path("pr-42").read_bytes()
    two.path("pr-42").write_bytes(b"")
    for more in ([], ["--live"]):
        broken = two.tapctl("parity", *more)
        assert broken.code == 3, more
        assert "pr-42.json is empty" in broken.err
        assert "alarms.error_threshold" in broken.out, "the others are compared all the same"
        assert " OK" not in broken.verdict
    two.path("pr-42").write_text(json.dumps({**json.loads(record), "entries": {}}))
    assert "pr-42" not in two.tapctl("parity").verdict, "nothing of it is deployed"
    two.path("pr-42").write_bytes(record)


@pytest.mark.parametrize("verb", ["plan", "outputs", "graph"])
def test_a_broken_record_counts_among_the_known_ones(broken: World, verb: str) -> None:
    answer = broken.tapctl(verb)
    assert answer.code == 64
    assert "the state knows: dev, pr-42" in answer.err
    assert f"name one: tapctl {verb} --env dev" in answer.err


@pytest.mark.parametrize("verb", ["plan", "outputs", "graph", "manifest history"])
def test_a_broken_record_stops_commands_about_it(broken: World, verb: str) -> None:
    for named in (["--suffix", "pr-42"], ["--env", "dev", "--suffix", "pr-42"]):
        if verb == "graph" and "--env" in named:
            continue  # drawn from the files alone
        answer = broken.tapctl(*verb.split(), *named)
        assert (answer.code, answer.changes) == (3, ())
        assert "pr-42.json is empty" in answer.err


def test_a_broken_record_that_is_the_only_one_is_the_target(broken: World) -> None:
    away = broken.path().read_bytes()
    broken.path().unlink()
    answer = broken.tapctl("plan")
    nothing_else = broken.tapctl("outputs", "--suffix", "pr-43")
    broken.path().write_bytes(away)
    assert answer.code == 3
    assert "pr-42.json is empty" in answer.err
    # Of which environment it is nobody knows.
    assert "name it: tapctl outputs --suffix pr-43 --env ENV\n" in nothing_else.err


def test_a_history_of_another_environment_names_no_destroy_of_that_one(two: World) -> None:
    versions = two.folder / "manifests" / "history" / "pr-8"
    versions.mkdir(parents=True)
    destroyed = json.loads(two.path("pr-42").read_bytes()) | {"suffix": "pr-8", "entries": {}, "serial": 3, "run": "r"}
    for environment, told in (("dev", True), ("staging", False)):
        (versions / "00000003-r.json").write_text(json.dumps(destroyed | {"environment": environment}))
        answer = two.tapctl("drift", "--env", "dev", "--suffix", "pr-8")
        assert answer.code == 3
        assert ("put its newest version back, then tapctl destroy --env dev --suffix pr-8" in answer.err) is told
        assert "--env staging" not in answer.err
    shutil.rmtree(versions)


def test_a_suffix_that_no_record_has_is_not_guessed(two: World) -> None:
    answer = two.tapctl("status", "--suffix", "pr-43")
    assert answer.code == 64
    assert "the state knows: dev, pr-42" in answer.err


@pytest.mark.parametrize(
    ("command", "code", "hint"),
    [
        ("manifest show --state {0}", 64, "tapctl manifest show --state {0} --env dev"),
        ("manifest history --state {0} --config {1}", 64, "tapctl manifest history --state {0} --config {1} --env dev"),
        ("manifest show --serial 99 --env dev", 3, "tapctl manifest history --env dev"),
        ("manifest show --serial 99 --env dev --region us-east-2", 3, "manifest history --env dev --region us-east-2"),
    ],
)
def test_a_hint_names_a_command_that_there_is(two: World, command: str, code: int, hint: str) -> None:
    names = (str(two.folder / "manifests"), str(two.folder / "environments"))
    answer = two.tapctl(*command.format(*names).split())
    assert answer.code == code
    assert f"{hint.format(*names)}\n" in answer.err


@pytest.mark.parametrize("verb", ["apply", "destroy"])
def test_a_version_that_would_use_the_serials_up_stops_a_run_before_it_changes_anything(dev: World, verb: str) -> None:
    dev.edit("dev.toml", "error_threshold = 10", "error_threshold = 11")
    own = dev.keep_version()
    own.with_name("90000000-x.json").write_text("{}")
    forged = own.with_name(f"90000000-{'f' * 32}.json")
    forged.write_text(json.dumps(dev.manifest() | {"serial": 90_000_000, "run": "f" * 32}))
    answer = dev.tapctl(verb, "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (3, ()), answer.err
    assert f"history/dev/{forged.name}" in answer.err
    assert "move it away, then run the same command again" in answer.err
    forged.unlink()
    assert dev.tapctl("apply", "--env", "dev", "--yes").code == 0
    assert dev.manifest()["serial"] < 1000
    assert dev.drift().code == 0
