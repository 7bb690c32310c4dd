"""Command lines that are wrong, and hints: each hint can be run as it is, with every flag that was given."""

from __future__ import annotations

import json
import sys

import pytest

from tapctl.cli import main
from tests.stories.contract import holds
from tests.support.world import World

WRONG = [
    (["nonsense"], "", "No such command"),
    (["plan", "--nonsense"], "plan", "No such option"),
    (["plan", "--env"], "plan", "'--env' requires an argument"),
    (["graph", "--format", "png"], "graph", "'png' is not one of"),
    (["validate", "dev"], "validate", "unexpected extra argument"),
    (["manifest", "nonsense"], "manifest", "No such command"),
    (["manifest", "show", "--serial", "x"], "manifest show", "'x' is not a valid integer"),
    (["sandbox", "status", "--env", "dev"], "sandbox status", "No such option"),
    (["--nonsense", "plan"], "plan", "No such option"),
]


@pytest.mark.parametrize(("line", "verb", "cause"), WRONG)
def test_a_wrong_command_line_for_people(shared: World, line: list[str], verb: str, cause: str) -> None:
    answer = shared.tapctl(*line)
    assert (answer.code, answer.asked) == (64, ())
    assert answer.err.startswith("error usage\n")
    assert cause in answer.err
    assert f"hint   see what there is: {' '.join(['tapctl', *verb.split(), '--help'])}\n" in answer.err
    stands_alone = verb in ("", "graph", "manifest show")
    said = f"{verb.split(maxsplit=1)[0].upper()} all: FAILED\n" if not stands_alone else ""
    assert answer.out == said


@pytest.mark.parametrize(("line", "verb", "cause"), WRONG)
def test_a_wrong_command_line_for_programs(shared: World, line: list[str], verb: str, cause: str) -> None:
    for arguments in (["--json", *line], [*line[:1], "--json", *line[1:]]):
        answer = shared.tapctl(*arguments)
        assert answer.code == 64
        first, error, last = holds(answer, verb)
        assert (first["type"], error["code"], last["status"], answer.err) == ("version", "usage", "FAILED", "")
        assert cause in error["message"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("plan dev", "tapctl plan --env dev"),
        ("--json plan dev --suffix pr-1 --verbose", "tapctl plan --env dev --json --suffix pr-1 --verbose"),
        ("manifest show dev", "tapctl manifest show --env dev"),
        ("outputs endpoint dev", "tapctl outputs --env dev endpoint"),
        # None that fails, or means something else.
        ("apply --plan d1.plan --yes --confirm dev", ""),
        ("plan dev --nonsense", ""),
        ("plan dev --suffix", ""),
        ("plan --suffix dev foo", ""),
        ("plan --suffix dev dev", ""),
        ("plan dev staging", ""),
        ("plan dev foo", ""),
        ("plan --env staging dev", ""),
        ("graph dev --format png", ""),
        ("manifest shwo dev", ""),
        ("sandbox status dev", ""),
    ],
)
def test_an_environment_without_its_flag_is_told_with_it_where_that_can_be_run(
    shared: World, line: str, meant: str
) -> None:
    answer = shared.tapctl(*line.split())
    assert answer.code == 64
    if meant and "--json" in line:
        assert answer.of_type("error")[0]["why"] == f"did you mean: {meant}"
    elif meant:
        assert f"did you mean: {meant}\n" in answer.err
    else:
        assert "did you mean: " not in answer.err


def test_control_characters_on_the_command_line_are_not_printed(shared: World) -> None:
    answer = shared.tapctl("plan", "--\x1b[31mred\nPLAN prod: OK")
    assert "\x1b" not in answer.err
    assert not [line for line in answer.err.splitlines() if line.startswith("PLAN")]


@pytest.mark.parametrize("line", ["manifest --json show", "--json manifest show", "sandbox --json status"])
def test_shared_flags_may_stand_between_the_words_of_a_command(shared: World, line: str) -> None:
    answer = shared.tapctl(*line.split())
    assert answer.records[0]["verb"] == " ".join(word for word in line.split() if word != "--json")


@pytest.mark.parametrize("line", [[], ["manifest"]])
def test_no_command_prints_the_help(shared: World, line: list[str]) -> None:
    answer = shared.tapctl(*line)
    assert answer.code == 64
    assert f"Usage: {' '.join(['tapctl', *line])}" in answer.err


def test_the_entry_point_takes_what_the_shell_gives(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["tapctl", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("tapctl, version ")


@pytest.mark.parametrize("flags", [("--no-color", "--verbose"), ("--json",)])
def test_flags_before_the_command_are_repeated(dev: World, flags: tuple[str, ...]) -> None:
    answer = dev.tapctl(*flags, "destroy", "--env", "dev")
    assert answer.code == 64
    command = f"tapctl {' '.join(flags)} destroy --env dev --yes"
    assert command in answer.out + answer.err


def test_a_wrong_confirmation_is_corrected_wherever_it_stands(dev: World) -> None:
    (dev.folder / "elsewhere").symlink_to("environments")
    answer = dev.tapctl("destroy", "--confirm", "prod", "--env", "dev", "--config", "elsewhere")
    assert answer.code == 64
    assert "to destroy it: tapctl destroy --env dev --config elsewhere --confirm dev\n" in answer.err


def test_the_lock_names_the_whole_command(dev: World) -> None:
    seen: list[str] = []
    dev.door.after["iam:GetRole"] = lambda: seen.append((dev.folder / "manifests" / "dev.lock").read_text())
    dev.tapctl("--quiet", "apply", "--env", "dev")
    assert json.loads(seen[0])["holder"]["command"] == "tapctl --quiet apply --env dev"


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("db-clster/db-cluster-dev", "db-cluster/db-cluster-dev"),
        ("db-cluster/db-cluster-prod", "db-cluster/db-cluster-dev"),  # another environment's
    ],
)
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_allow_must_name_something_that_the_stack_can_have(
    dev: World, json: tuple[str, ...], address: str, near: str
) -> None:
    answer = dev.tapctl("apply", "--env", "dev", "--allow", address, *json)
    assert (answer.code, answer.asked) == (64, ("sts:GetCallerIdentity",))
    said = answer.out + answer.err
    assert f"--allow {address} names nothing that dev can have" in said
    assert f"did you mean {near}?" in said


def test_allow_may_name_what_is_gone_already_or_needs_no_permit(dev: World) -> None:
    """The same command, run again after it was cut off."""
    gone, key = "db-instance/db-cluster-dev-1", "kms-key/alias/db-key-dev"
    allowed = [word for address in (gone, key) for word in ("--allow", address)]
    answer = dev.tapctl("plan", "--env", "dev", *allowed)
    assert answer.code == 0
    assert [line for line in answer.err.splitlines() if line.startswith("warning: --allow")] == [
        f"warning: --allow {gone}: there is no such thing, or it is gone already; did you mean {gone[:-1]}0?",
        f"warning: --allow {key}: nothing that is planned of it needs that",
    ]


@pytest.mark.parametrize("live", [(), ("--live",)])
@pytest.mark.parametrize("flag", [("--region", "eu-west-1"), ("--suffix", "pr-42")])
def test_parity_ignores_no_flag_that_is_for_one_environment(
    shared: World, flag: tuple[str, str], live: tuple[str, ...]
) -> None:
    answer = shared.tapctl("parity", *flag, *live)
    assert (answer.code, answer.asked) == (64, ())
    assert f"{flag[0]} is for one environment; parity compares each under its own name" in answer.err


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("plan dev", "tapctl plan --env dev"),
        ("manifest history prod --json", "tapctl manifest history --env prod --json"),
        ("plan nowhere", "tapctl plan --help"),
        ("plan dev prod", "tapctl plan --help"),
        ("plan dev --env dev", "tapctl plan --help"),
        ("dev", "tapctl --help"),
    ],
)
def test_an_environment_without_its_flag_is_told_the_flag(shared: World, command: str, hint: str) -> None:
    answer = shared.tapctl(*command.split())
    assert answer.code == 64
    assert hint in answer.out + answer.err


def test_the_list_of_commands_cuts_no_sentence(shared: World) -> None:
    for group in ([], ["manifest"], ["sandbox"]):
        answer = shared.tapctl(*group, "--help")
        assert answer.code == 0
        assert "..." not in answer.out.partition("Commands:")[2]
