"""The first line and the last one: about the same command and target, and true, however the command ends."""

from __future__ import annotations

import pytest

from tapctl.manifest import open_store
from tests.manifest.examples import SAM
from tests.stories.contract import holds
from tests.support.world import Answer, World


def ends(answer: Answer, verb: str) -> tuple[dict[str, object], dict[str, object]]:
    records = holds(answer, verb)
    return records[0], records[-1]


@pytest.mark.parametrize("env", ["a\x1b[31mred", "x\ny", "dev\u202e"])
@pytest.mark.parametrize("verb", ["plan", "validate", "status", "outputs"])
@pytest.mark.parametrize("option", ["--env", "--suffix"])
def test_control_characters_in_a_name_are_not_printed(shared: World, verb: str, env: str, option: str) -> None:
    answer = shared.tapctl(verb, option, env)
    assert answer.code == 3
    told = answer.out + answer.err
    assert all(line.isprintable() for line in told.split("\n"))
    assert len([line for line in told.splitlines() if line.endswith(": FAILED")]) == 1


class TestOfDev:
    def test_a_refused_apply_tells_what_it_cost(self, dev: World) -> None:
        dev.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
        answer = dev.tapctl("apply", "--json")
        first, last = ends(answer, "apply")
        assert (answer.code, first["env"], first["suffix"]) == (64, "dev", "dev")
        assert last["api_calls"] == len(answer.asked) > 0
        assert (last["env"], last["suffix"], last["changing_calls"]) == ("dev", "dev", 0)
        assert float(str(last["elapsed_s"])) > 0
        assert str(last["manifest"]).endswith("manifests/dev.json")

    def test_the_only_known_environment_is_named_however_the_command_ends(self, dev: World) -> None:
        dev.edit("dev.toml", "123456789012", "999999999999")
        assert dev.tapctl("plan").verdict == "PLAN dev: FAILED"
        first, last = ends(dev.tapctl("plan", "--json"), "plan")
        assert (first["env"], first["account"], last["env"], last["api_calls"]) == ("dev", "999999999999", "dev", 1)

    @pytest.mark.parametrize("verb", ["drift", "status"])
    def test_a_command_about_all_counts_the_calls_of_all(self, dev: World, verb: str) -> None:
        answer = dev.tapctl(verb, "--json")
        assert answer.records[-1]["env"] == "all"
        assert answer.records[-1]["api_calls"] == len(answer.asked) > 0
        assert answer.records[-1]["elapsed_s"] > 0

    def test_an_older_version_has_a_first_and_a_last_line_too(self, dev: World) -> None:
        serial = str(dev.manifest()["serial"])
        first, last = ends(dev.tapctl("manifest", "show", "--serial", serial, "--json"), "manifest show")
        assert (first["env"], last["env"], last["status"]) == ("dev", "dev", "OK")
        assert str(last["manifest"]).endswith("manifests/dev.json")


@pytest.mark.parametrize("verb", ["validate", "graph"])
def test_what_the_files_say_is_in_the_first_line(shared: World, verb: str) -> None:
    first, last = ends(shared.tapctl(verb, "--env", "prod", "--json"), verb)
    assert (first["env"], first["account"], first["region"]) == ("prod", "123456789012", "us-east-1")
    assert len(str(first["config_hash"])) == 64
    assert (last["env"], last["suffix"]) == ("prod", "prod")


@pytest.mark.soak
def test_environment_and_suffix_are_two_things(shared: World) -> None:
    answer = shared.tapctl("plan", "--env", "dev", "--suffix", "pr-42", "--json")
    for line in ends(answer, "plan"):
        assert (line["env"], line["suffix"]) == ("dev", "pr-42")
    failed = shared.tapctl("drift", "--env", "dev", "--suffix", "pr-42", "--json")
    assert [(one["env"], one["suffix"]) for one in failed.records if one["type"] != "span"] == [("dev", "pr-42")] * 3
    verdict = shared.tapctl("drift", "--env", "dev", "--suffix", "pr-42").verdict
    assert verdict == "DRIFT pr-42: FAILED · no record, and nothing in AWS under its names"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("manifest show", "MANIFEST"),
        ("manifest history", "MANIFEST"),
        ("manifest unlock --id x", "MANIFEST"),
        ("sandbox start --config nowhere", "SANDBOX"),
    ],
)
def test_a_command_of_two_words_is_called_so(shared: World, command: str, word: str) -> None:
    verb = " ".join(command.split()[:2])
    ends(shared.tapctl(*command.split(), "--json"), verb)
    answer = shared.tapctl(*command.split())
    last = (answer.out or answer.err).splitlines()[-1]
    assert last == f"{word} all: FAILED"


def test_a_lock_timeout_that_is_none_is_an_error_of_its_command(shared: World) -> None:
    first, last = ends(shared.tapctl("apply", "--env", "dev", "--lock-timeout", "x", "--json"), "apply")
    assert (first["env"], last["env"], last["exit"]) == ("dev", "dev", 64)


@pytest.mark.parametrize("named", [["prod"], ["--env", "prod"], []])
def test_parity_is_about_all_whoever_is_named(shared: World, monkeypatch: pytest.MonkeyPatch, named: list[str]) -> None:
    if not named:
        monkeypatch.setenv("TAPCTL_ENV", "prod")
    answer = shared.tapctl("parity", *named, "--json")
    first, last = ends(answer, "parity")
    assert (first["env"], last["env"]) == ("", "all")
    # One alone is compared with the others: never with itself, which would always be fine.
    assert set(answer.of_type("difference")[0]["values"]) == {"dev", "prod", "staging"}
    assert "compared 2 environments" in shared.tapctl("parity", "dev", "--env", "staging").verdict


def test_waiting_for_the_lock_is_noted_beside_the_lines(dev: World) -> None:
    with open_store(str(dev.folder / "manifests"), None).lock("dev", SAM):
        answer = dev.tapctl("apply", "--env", "dev", "--lock-timeout", "1s", "--json")
        quiet = dev.tapctl("apply", "--env", "dev", "--lock-timeout", "1s", "--json", "--quiet")
    assert answer.code == 5
    assert "waiting for the lock, 0 s of 1 s: sam on runner" in answer.err
    assert [one["type"] for one in answer.records if one["type"] != "span"] == ["version", "error", "verdict"]
    assert quiet.err == ""
