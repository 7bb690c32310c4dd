"""The frame of a report for people: header, verdict, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.errors import CONFIG, AwsRefused, ConfigError, Problem, Status, TapctlError
from tapctl.render.frame import account, error_lines, header_lines, verdict_line
from tapctl.render.screen import Target, Verdict
from tapctl.render.terminal import Palette
from tests.render.examples import ALL, CROSS, DEV, PROD

FULL = Target(
    env="prod",
    suffix="prod",
    account="421077550192",
    region="us-east-1",
    identity="sso:dana",
    config_hash="9f3c1a7e5d",
    networking="cloudformation:networking-prod · vpc-0ab1 · 3 subnets in 3 zones",
)


def test_the_header_names_the_whole_target() -> None:
    assert header_lines(FULL) == [
        "prod · 4210-7755-0192 · us-east-1 · sso:dana · config 9f3c1a7e",
        "networking cloudformation:networking-prod · vpc-0ab1 · 3 subnets in 3 zones",
    ]


def test_the_header_says_what_is_known() -> None:
    assert header_lines(Target(env="dev", suffix="pr-42", region="eu-west-1")) == ["dev · suffix pr-42 · eu-west-1"]
    assert header_lines(Target()) == []


def test_the_header_is_bold_where_it_names_the_environment() -> None:
    assert header_lines(Target(env="dev"), Palette(on=True)) == ["\x1b[1mdev\x1b[0m"]


def test_a_text_that_is_no_account_number_stays_as_it_is() -> None:
    assert account("123") == "123"


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (
            Verdict("plan", DEV, None, 0, {"create": 4}, "4 to create · 0 to change · 0 to remove", elapsed_s=3),
            "PLAN dev: 4 to create · 0 to change · 0 to remove",
        ),
        (
            Verdict("apply", PROD, Status.CONVERGED, 0, {}, "23 created · 96 API calls", elapsed_s=662, timed=True),
            "APPLY prod: CONVERGED in 11 m 02 s · 23 created · 96 API calls",
        ),
        (Verdict("drift", PROD, Status.OK, 0, {}, "", elapsed_s=3), "DRIFT prod: OK"),
        (Verdict("drift", PROD, None, 2, {"drifted": 2, "not_tried": 1}), "DRIFT prod: 2 drifted · 1 not tried"),
        (Verdict("validate", ALL, Status.OK, 0), "VALIDATE all: OK"),
        (Verdict("status", ALL, None, 0), "STATUS all:"),
        (Verdict("manifest show", DEV, Status.FAILED, 3), "MANIFEST dev: FAILED"),
        (Verdict("plan", Target("dev", "pr-42"), None, 0, {"create": 4}), "PLAN pr-42: 4 create"),
        (
            Verdict("plan", Target("", "a\x1b[31mred\nAPPLY x: OK"), Status.FAILED, 3),
            "PLAN a\\u001b[31mred APPLY x: OK: FAILED",
        ),
        (
            Verdict("drift", ALL, Status.FAILED, 1, {}, "no\nAPPLY prod: OK"),
            "DRIFT all: FAILED · no APPLY prod: OK",
        ),
    ],
)
def test_the_verdict_is_one_line_that_starts_with_its_verb(verdict: Verdict, line: str) -> None:
    assert verdict_line(verdict) == line


@pytest.mark.parametrize(("code", "colour"), [(0, "32"), (2, "33"), (4, "31")])
def test_the_verdict_is_coloured_by_its_exit_status(code: int, colour: str) -> None:
    line = verdict_line(Verdict("parity", ALL, Status.NOTHING, code), Palette(on=True))
    assert line == f"\x1b[1mPARITY all:\x1b[0m \x1b[{colour}mNOTHING\x1b[0m"


def test_an_error_has_code_cause_evidence_state_and_hint() -> None:
    error = TapctlError("creating lambda-function p", evidence="AccessDenied (request 4f1c)", hint="allow iam:PassRole")
    assert error_lines(error, "4 made, 1 failed; the manifest is up to date") == [
        "error error",
        f"  {CROSS} creating lambda-function p",
        "  ╰─ AccessDenied (request 4f1c)",
        "  state  4 made, 1 failed; the manifest is up to date",
        "  hint   allow iam:PassRole",
    ]


def test_an_error_without_evidence_state_or_hint_has_no_line_for_them() -> None:
    error = AwsRefused("kms", "CreateKey", "LimitExceeded", "too many\n   keys", request_id="1")
    assert error_lines(error) == [
        "error aws-refused",
        f"  {CROSS} LimitExceeded on kms:CreateKey: too many keys (request 1)",
    ]


def test_many_problems_are_a_tree() -> None:
    problems = [Problem("dev.toml", f"database.k{n}", "", "unknown key") for n in (1, 2)]
    named = [*problems, Problem("x.toml", "", "", "is not there")]
    assert error_lines(ConfigError(named, folder=CONFIG)) == [
        "error config-invalid",
        f"  {CROSS} the configuration has 3 errors",
        "  ├─ dev.toml: database.k1: unknown key",
        "  ├─ dev.toml: database.k2: unknown key",
        "  ╰─ x.toml: is not there",
        "  hint   correct what is named, then run tapctl validate",
    ]


def test_empty_lines_of_evidence_are_left_out() -> None:
    assert error_lines(TapctlError("c", evidence="\na\n\n  b\n"))[2:] == ["  ├─ a", "  ╰─   b"]


def test_colour_changes_no_word() -> None:
    shown = error_lines(TapctlError("c", hint="h"), "s", Palette(on=True))
    assert shown == [
        "\x1b[31merror\x1b[0m error",
        f"  \x1b[31m{CROSS}\x1b[0m c",
        "  \x1b[2mstate\x1b[0m  s",
        "  \x1b[2mhint\x1b[0m   h",
    ]


@given(st.text(), st.text(), st.text())
def test_no_message_from_aws_steers_the_terminal(cause: str, evidence: str, hint: str) -> None:
    for line in error_lines(TapctlError(cause, evidence=evidence, hint=hint), hint):
        assert line.splitlines() == [line]
        assert "\x1b" not in line
        assert "\x9b" not in line
