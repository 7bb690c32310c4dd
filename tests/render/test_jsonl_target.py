"""Which target lines are about: the first one, the last one, and those of one among many."""

from __future__ import annotations

import pytest

from tapctl import __version__
from tapctl.errors import TapctlError
from tapctl.render.screen import Target, Verdict
from tests.render.examples import HEADER, REPORT
from tests.render.jsonl import Shown


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_the_first_line_names_version_and_target_once_we_know_who_we_are(shown: Shown) -> None:
    shown.screen.target(Target("plan", env="prod", region="us-east-1"))
    assert shown.all == []
    shown.screen.target(HEADER)
    shown.screen.target(HEADER)
    assert shown.stdout.getvalue() == (
        f'{{"type":"version","ui":"1.0","tapctl":"{__version__}","verb":"plan","env":"prod","suffix":"prod",'
        '"account":"421077550192","region":"us-east-1","config_hash":"9f3c","identity":"sso:dana"}\n'
    )


def test_it_is_written_before_any_other_line_whatever_is_known(shown: Shown) -> None:
    shown.screen.target(Target("plan", env="prod"))
    shown.screen.error(TapctlError("no"))
    assert [(one["type"], one["env"]) for one in shown.all] == [("version", "prod"), ("error", "prod")]


def test_a_command_about_many_environments_says_so_at_once(shown: Shown) -> None:
    shown.screen.target(Target("status", many=True))
    shown.screen.target(HEADER)
    assert [(one["verb"], one["env"]) for one in shown.all] == [("status", "")]


def test_a_command_about_one_waits_until_it_is_known_which(shown: Shown) -> None:
    shown.screen.target(Target("plan"))
    assert shown.all == []
    shown.screen.target(Target("plan", env="dev", suffix="pr-42", account="123456789012"))
    shown.screen.verdict(Verdict("plan", "dev", "FAILED", 1, suffix="pr-42"))
    version, verdict = shown.all
    assert (version["env"], version["suffix"], version["account"]) == ("dev", "pr-42", "123456789012")
    assert (verdict["env"], verdict["suffix"]) == ("dev", "pr-42")


def test_of_many_environments_each_finding_and_error_says_whose_it_is(shown: Shown) -> None:
    shown.screen.target(Target("drift", many=True))
    for suffix in ("dev", "pr-42"):
        shown.screen.target(Target("drift", env="dev", suffix=suffix))
        shown.screen.drift(REPORT, {})
        shown.screen.error(TapctlError("no"))
    told = [(one["env"], one["suffix"]) for one in shown.lines]
    assert told == [("dev", "dev")] * (len(told) // 2) + [("dev", "pr-42")] * (len(told) // 2)
