"""A command line that is none: said as every other error is, for people and for programs."""

from __future__ import annotations

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
def test_for_people(shared: World, line: list[str], verb: str, cause: str) -> None:
    answer = shared.tapctl(*line)
    assert (answer.code, answer.asked) == (64, ())
    assert answer.err.startswith("error usage\n")
    assert cause in answer.err
    assert f"hint   see what there is: {' '.join(['tapctl', *verb.split(), '--help'])}\n" in answer.err
    stands_alone = verb in ("", "graph", "manifest show")
    said = f"{verb.split(maxsplit=1)[0].upper()} all: FAILED\n" if not stands_alone else ""
    assert answer.out == said


@pytest.mark.parametrize(("line", "verb", "cause"), WRONG)
def test_for_programs(shared: World, line: list[str], verb: str, cause: str) -> None:
    for arguments in (["--json", *line], [*line[:1], "--json", *line[1:]]):
        answer = shared.tapctl(*arguments)
        assert answer.code == 64
        first, error, last = holds(answer, verb)
        assert (first["type"], error["code"], last["status"], answer.err) == ("version", "usage", "FAILED", "")
        assert cause in error["message"]


def test_what_is_typed_cannot_steer_the_terminal(shared: World) -> None:
    answer = shared.tapctl("plan", "--\x1b[31mred\nPLAN prod: OK")
    assert "\x1b" not in answer.err
    assert not [line for line in answer.err.splitlines() if line.startswith("PLAN")]


@pytest.mark.parametrize("line", ["manifest --json show", "--json manifest show", "sandbox --json status"])
def test_flags_of_all_stand_before_the_last_word_too(shared: World, line: str) -> None:
    answer = shared.tapctl(*line.split())
    assert answer.records[0]["verb"] == " ".join(word for word in line.split() if word != "--json")


@pytest.mark.parametrize("line", [[], ["manifest"]])
def test_nothing_is_a_question_for_help(shared: World, line: list[str]) -> None:
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
