"""The target of a command: environment, suffix, region, account, state; and the flags that all commands share."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tapctl import __version__
from tapctl.aws import prompts
from tests.support.world import World

EVERY = (
    "validate",
    "plan",
    "apply",
    "drift",
    "destroy",
    "outputs",
    "graph",
    "status",
    "manifest show",
    "manifest show --serial 1",
    "manifest history",
    "manifest unlock --id x",
)
ONE = ("plan", "apply", "destroy", "outputs", "graph")


@pytest.mark.parametrize("verb", [*ONE, "manifest show"])
def test_without_a_name_and_without_a_record_it_stops(shared: World, verb: str) -> None:
    answer = shared.tapctl(*verb.split())
    assert (answer.code, answer.asked) == (64, ())
    assert "the state knows none" in answer.err
    assert f"name one: tapctl {verb} --env {'ENV' if verb in ('apply', 'destroy') else 'dev'}\n" in answer.err


class TestNone:
    """A missing record is never taken for "all is well"."""

    @pytest.mark.parametrize("verb", ["status", "drift"])
    def test_is_an_error_in_a_folder_that_is_there(self, shared: World, verb: str) -> None:
        (shared.folder / "empty").mkdir(exist_ok=True)
        answer = shared.tapctl(verb, "--state", "empty")
        assert (answer.code, answer.asked) == (3, ())
        assert answer.verdict == f"{verb.upper()} all: FAILED"
        assert "there is no record in empty" in answer.err
        assert "looked for empty/<suffix>.json" in answer.err

    def test_was_misspelt(self, shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TAPCTL_STATE", "typo")
        answer = shared.tapctl("drift")
        assert (answer.code, answer.asked) == (3, ())
        assert answer.verdict == "DRIFT all: FAILED"
        assert "there is no folder of records: typo" in answer.err


class TestOne:
    @pytest.mark.parametrize(
        ("verb", "said"),
        [("plan", "PLAN dev: "), ("apply", "APPLY dev: CONVERGED"), ("drift", "DRIFT all: OK")],
    )
    def test_is_taken_without_being_named(self, dev: World, verb: str, said: str) -> None:
        answer = dev.tapctl(verb)
        assert (answer.code, answer.changes) == (0, ())
        assert answer.verdict.startswith(said)

    def test_serves_scripts(self, dev: World) -> None:
        assert dev.tapctl("outputs", "function_name").out == "payment-processor-dev\n"
        assert dev.tapctl("graph").code == 0

    def test_region_of_another_warns_and_is_refused_where_the_record_is_of_this(self, dev: World) -> None:
        answer = dev.tapctl("plan", "--env", "dev", "--region", "eu-west-1")
        assert "warning: eu-west-1 is not the region of dev (us-east-2)" in answer.err
        assert answer.code == 9
        assert answer.asked == ("sts:GetCallerIdentity",)

    def test_another_account_is_one_call(self, dev: World) -> None:
        dev.edit("dev.toml", "123456789012", "999999999999")
        answers = [dev.tapctl(verb, "--env", "dev") for verb in ("plan", "apply", "drift", "destroy")]
        dev.edit("dev.toml", "999999999999", "123456789012")
        for answer in answers:
            assert (answer.code, answer.asked) == (9, ("sts:GetCallerIdentity",))
            assert "123456789012" in answer.err
            assert "999999999999" in answer.err

    def test_environment_variables(self, dev: World, monkeypatch: pytest.MonkeyPatch) -> None:
        shutil.copytree(dev.folder / "environments", dev.folder / "elsewhere")
        shutil.copytree(dev.folder / "manifests", dev.folder / "records")
        monkeypatch.setenv("TAPCTL_ENV", "dev")
        monkeypatch.setenv("TAPCTL_CONFIG", "elsewhere")
        monkeypatch.setenv("TAPCTL_STATE", "records")
        answer = dev.tapctl("drift", "--json")
        assert answer.code == 0
        assert answer.records[-1]["manifest"].endswith("records/dev.json")
        shutil.rmtree(dev.folder / "records")
        lost = dev.tapctl("drift")
        assert lost.code == 3
        assert "tapctl apply --env dev --config elsewhere --state records" in lost.err

    def test_the_flag_wins(self, dev: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TAPCTL_ENV", "prod")
        assert dev.tapctl("outputs", "function_name", "--env", "dev").out == "payment-processor-dev\n"


@pytest.fixture(scope="module")
def two(shared: World) -> World:
    shared.deploy()
    shared.applied("dev", "--suffix", "pr-42")
    return shared


class TestTwo:
    @pytest.mark.parametrize("verb", [*ONE, "manifest show"])
    def test_without_a_name_they_are_named(self, two: World, verb: str) -> None:
        answer = two.tapctl(*verb.split())
        assert (answer.code, answer.asked) == (64, ())
        assert "the state knows: dev, pr-42" in answer.err

    @pytest.mark.parametrize(
        ("typed", "named"),
        [
            ("destroy --suffix pr-9 --yes", "--env ENV"),
            ("plan --destroy --suffix=pr-9", "--env ENV"),
            ("revert --suffix pr-9 lambda-function/payment-processor-pr-9.timeout_s --yes", "--env ENV"),
            ("status --suffix pr-9", "--env ENV"),
            ("revert --suffix staging --yes", "--env staging"),
            ("apply --allow db-cluster/db-cluster-dev --yes", "--suffix SUFFIX"),
            ("destroy --yes", "--suffix SUFFIX"),
            ("manifest unlock --id x", "--suffix SUFFIX"),
        ],
    )
    def test_a_hint_keeps_what_was_typed_and_leads_to_nothing_that_nobody_has_named(
        self, two: World, typed: str, named: str
    ) -> None:
        answer = two.tapctl(*typed.split())
        assert (answer.code, answer.asked) == (64, ())
        hint = f"tapctl {typed} {named}"
        assert f": {hint}\n" in answer.err
        again = two.tapctl(*hint.split()[1:])
        assert (again.code, again.changes) == (3, ())

    def test_a_hint_names_the_places_that_variables_have_named(
        self, two: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config, state = two.folder / "environments", two.folder / "manifests"
        monkeypatch.setenv("TAPCTL_CONFIG", str(config))
        answer = two.tapctl("destroy", "--state", str(state), "--suffix", "pr-9")
        hint = f"tapctl destroy --state {state} --suffix pr-9 --env ENV --config {config}"
        assert "which environment is pr-9 of? the state knows: dev, pr-42\n" in answer.err
        assert f"name it: {hint}\n" in answer.err

    def test_a_hint_keeps_addresses_behind_the_end_of_the_options(self, two: World) -> None:
        answer = two.tapctl("revert", "--suffix", "pr-9", "--", "x/y.z")
        assert "name it: tapctl revert --suffix pr-9 --env ENV -- x/y.z\n" in answer.err

    def test_a_known_suffix_is_enough(self, two: World) -> None:
        answer = two.tapctl("plan", "--suffix", "pr-42", "--detailed-exitcode")
        assert answer.code == 0
        assert answer.verdict.startswith("PLAN pr-42: 0 to create")

    @pytest.mark.soak
    def test_drift_of_all_is_one_verdict_each_and_one_for_all(self, two: World) -> None:
        clean = two.tapctl("drift")
        verdicts = [line for line in clean.out.splitlines() if line.startswith("DRIFT ")]
        assert [line.split(":")[0] for line in verdicts] == ["DRIFT dev", "DRIFT pr-42", "DRIFT all"]
        assert (clean.code, verdicts[-1]) == (
            0,
            "DRIFT all: OK · 2 of 2 environments are as recorded · not looked at, no record: prod, staging",
        )

        two.client("lambda").update_function_configuration(FunctionName="payment-processor-pr-42", Timeout=7)
        found = two.tapctl("drift")
        verdicts = [line for line in found.out.splitlines() if line.startswith("DRIFT ")]
        assert found.code == 2
        assert verdicts[1:] == [
            "DRIFT pr-42: 1 drifted · 0 pending · 0 unknown",
            "DRIFT all: 1 of 2 environments are as recorded · not looked at, no record: prod, staging",
        ]
        assert "undo it:\n        tapctl revert --env dev --suffix pr-42 lambda-function/" in found.out
        two.applied("dev", "--suffix", "pr-42")

    def test_the_worst_counts(self, two: World) -> None:
        record = two.path("pr-42")
        before = record.read_bytes()
        record.write_bytes(before.replace(b'"account": "123456789012"', b'"account": "999999999999"'))
        answer = two.tapctl("drift")
        record.write_bytes(before)
        assert answer.code == 9
        assert "DRIFT dev: OK" in answer.out


@pytest.mark.parametrize(
    ("suffix", "rule"),
    [
        ("prod", "name of another environment"),
        ("Dev", "lower-case"),
        ("dev-", "hyphen"),
        ("4x", "lower-case"),
        ("x" * 60, "at most"),
        ("../x", "lower-case"),
        ("", "lower-case"),
    ],
)
def test_a_bad_suffix_stops_before_any_call(shared: World, suffix: str, rule: str) -> None:
    answer = shared.tapctl("apply", "--env", "dev", "--suffix", suffix)
    assert (answer.code, answer.asked) == (3, ())
    assert rule in answer.err


@pytest.mark.parametrize("region", ["", "a b/c", "nonsense", "us-est-1", "US-EAST-1"])
@pytest.mark.parametrize("verb", ["plan --sandbox", "drift", "outputs", "manifest history", "validate", "status"])
def test_a_region_that_is_none_stops_before_any_call(shared: World, verb: str, region: str) -> None:
    answer = shared.tapctl(*verb.split(), "--env", "dev", "--region", region)
    assert (answer.code, answer.asked) == (3, ())
    assert f'--region = "{region}": must be an AWS region, such as us-east-1' in answer.err


@pytest.mark.parametrize("verb", EVERY)
def test_an_empty_folder_of_the_files_is_none(shared: World, verb: str) -> None:
    answer = shared.tapctl(*verb.split(), "--env", "dev", "--config", "")
    assert (answer.code, answer.asked) == (3, ())
    assert '--config = "": names no folder' in answer.err


@pytest.mark.parametrize("verb", EVERY)
def test_a_bad_suffix_stops_every_command_whatever_environment_is_named(shared: World, verb: str) -> None:
    for named in (["--env", "dev"], []):
        answer = shared.tapctl(*verb.split(), *named, "--suffix", "../x")
        assert (answer.code, answer.asked) == (3, ())
        assert "lower-case" in answer.err


@pytest.mark.parametrize("named", [["--env", "dev", "--suffix", "../x"], ["--env", "../x"], ["--suffix", "../x"]])
@pytest.mark.parametrize("verb", ["manifest history", "manifest show", "manifest show --serial 1", "outputs", "status"])
def test_nothing_is_read_outside_the_state(shared: World, verb: str, named: list[str]) -> None:
    (shared.folder / "manifests").mkdir(exist_ok=True)
    (shared.folder / "x.json").write_text("{}")
    answer = shared.tapctl(*verb.split(), *named)
    assert (answer.code, answer.asked) == (3, ())
    assert "x.json" not in answer.out + answer.err


@pytest.mark.parametrize("verb", EVERY)
def test_an_unknown_environment_names_those_there_are(shared: World, verb: str) -> None:
    answer = shared.tapctl(*verb.split(), "--env", "prd")
    assert (answer.code, answer.asked) == (3, ())
    assert "dev, prod, staging" in answer.err


@pytest.mark.parametrize("where", [["--json", "validate"], ["validate", "--json"]])
def test_shared_flags_stand_before_or_after_the_command(shared: World, where: list[str]) -> None:
    answer = shared.tapctl(*where)
    assert answer.code == 0
    assert answer.records[0]["type"] == "version"


@pytest.mark.parametrize("where", [["--version"], ["validate", "--version"]])
def test_version(shared: World, where: list[str]) -> None:
    assert shared.tapctl(*where).out == f"tapctl, version {__version__}\n"


def test_quiet_shows_no_progress(dev: World) -> None:
    answer = dev.tapctl("apply", "--env", "dev", "--quiet")
    assert answer.code == 0
    assert all(line.startswith("warning: ") for line in answer.err.splitlines()), answer.err


@pytest.mark.parametrize("command", ["plan --env dev", "plan --all --json"])
def test_a_helper_that_is_waited_for_is_told_on_stderr(
    shared: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    keys = {each: os.environ[f"AWS_{each}"] for each in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
    answer = {"Version": 1, "AccessKeyId": keys["ACCESS_KEY_ID"], "SecretAccessKey": keys["SECRET_ACCESS_KEY"]}
    (tmp_path / "answer").write_text(json.dumps(answer))
    (tmp_path / "config").write_text(f"[profile slow]\ncredential_process = sh -c 'sleep 1; cat {tmp_path}/answer'\n")
    for each in keys:
        monkeypatch.delenv(f"AWS_{each}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "slow")
    monkeypatch.setattr(prompts, "QUIET_S", 0.1)
    done = shared.tapctl(*command.split())
    assert done.code == 0, done.err
    assert "waiting for the credential_process of the AWS profile, at most 60 s" in done.err
    assert "credential_process" not in done.out


def test_verbose_shows_all_fields(shared: World) -> None:
    answer = shared.tapctl("plan", "--env", "prod", "--verbose")
    assert "reserved_concurrency" in answer.out
    assert "reserved_concurrency" not in shared.tapctl("plan", "--env", "prod").out
