from __future__ import annotations

import pytest

from tapctl.render.reports import account, header_lines, verdict_line
from tapctl.render.screen import Target, Verdict
from tapctl.render.terminal import Palette, duration, running_time

FULL = Target(
    "plan",
    env="prod",
    suffix="prod",
    account="421077550192",
    region="us-east-1",
    identity="sso:dana",
    config_hash="9f3c1a7e5d",
    networking="cloudformation:networking-prod · vpc-0ab1 · 3 subnets in 3 zones",
)


@pytest.mark.parametrize(
    ("seconds", "running", "over"),
    [
        (-1, "0:00", "0.0 s"),
        (0, "0:00", "0.0 s"),
        (0.64, "0:00", "0.6 s"),
        (8, "0:08", "8.0 s"),
        (59.94, "0:59", "59.9 s"),
        (59.96, "0:59", "1 m 00 s"),
        (60, "1:00", "1 m 00 s"),
        (131, "2:11", "2 m 11 s"),
        (662.4, "11:02", "11 m 02 s"),
        (3599.4, "59:59", "59 m 59 s"),
        (3600, "1:00:00", "1 h 00 m"),
        (3723, "1:02:03", "1 h 02 m"),
    ],
)
def test_times_read_as_clocks_while_they_run_and_as_units_when_over(seconds: float, running: str, over: str) -> None:
    assert (running_time(seconds), duration(seconds)) == (running, over)


def test_the_header_names_the_whole_target() -> None:
    assert header_lines(FULL) == [
        "prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c1a7e",
        "networking cloudformation:networking-prod · vpc-0ab1 · 3 subnets in 3 zones",
    ]


def test_the_header_says_what_is_known() -> None:
    assert header_lines(Target("plan", env="dev", suffix="pr-42", region="eu-west-1")) == [
        "dev · suffix pr-42 · eu-west-1"
    ]
    assert header_lines(Target("validate")) == []


def test_the_header_is_bold_where_it_names_the_environment() -> None:
    assert header_lines(Target("plan", env="dev"), Palette(on=True)) == ["\x1b[1mdev\x1b[0m"]


def test_what_is_no_account_number_stays_as_it_is() -> None:
    assert account("123") == "123"


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (
            Verdict("plan", "dev", "", 0, {"create": 4}, "4 to create · 0 to change · 0 to remove", elapsed_s=3),
            "PLAN dev: 4 to create · 0 to change · 0 to remove",
        ),
        (
            Verdict("apply", "prod", "CONVERGED", 0, {}, "23 created · 96 API calls", elapsed_s=662),
            "APPLY prod: CONVERGED in 11 m 02 s · 23 created · 96 API calls",
        ),
        (Verdict("drift", "prod", "OK", 0, {}, "", elapsed_s=3), "DRIFT prod: OK"),
        (Verdict("drift", "prod", "", 2, {"drifted": 2, "not_tried": 1}), "DRIFT prod: 2 drifted · 1 not tried"),
        (Verdict("validate", "", "OK", 0), "VALIDATE: OK"),
        (Verdict("status", "all", "", 0), "STATUS all:"),
        (Verdict("manifest show", "dev", "FAILED", 3), "MANIFEST dev: FAILED"),
        (Verdict("plan", "dev", "", 0, {"create": 4}, suffix="pr-42"), "PLAN pr-42: 4 create"),
        (Verdict("plan", "a\x1b[31mred\nAPPLY x: OK", "FAILED", 3), "PLAN a\\u001b[31mred APPLY x: OK: FAILED"),
        (Verdict("drift", "all", "FAILED", 1, {}, "no\nAPPLY prod: OK"), "DRIFT all: FAILED · no APPLY prod: OK"),
    ],
)
def test_the_verdict_is_one_line_that_starts_with_its_verb(verdict: Verdict, line: str) -> None:
    assert verdict_line(verdict) == line


@pytest.mark.parametrize(("code", "colour"), [(0, "32"), (2, "33"), (4, "31")])
def test_the_verdict_is_coloured_by_its_exit_status(code: int, colour: str) -> None:
    line = verdict_line(Verdict("parity", "all", "DONE", code), Palette(on=True))
    assert line == f"\x1b[1mPARITY all:\x1b[0m \x1b[{colour}mDONE\x1b[0m"
