from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.errors import AwsRefused, ConfigError, Problem, TapctlError
from tapctl.render.reports import error_lines
from tapctl.render.terminal import Palette
from tests.render.examples import CROSS


def test_an_error_has_code_cause_evidence_state_and_hint() -> None:
    error = TapctlError("creating lambda-function p", evidence="AccessDenied (request 4f1c)", hint="allow iam:PassRole")
    assert error_lines(error, "4 made, 1 failed; the manifest is up to date") == [
        "error error",
        f"  {CROSS} creating lambda-function p",
        "  ╰─ AccessDenied (request 4f1c)",
        "  state  4 made, 1 failed; the manifest is up to date",
        "  hint   allow iam:PassRole",
    ]


def test_what_there_is_not_takes_no_line() -> None:
    error = AwsRefused("kms", "CreateKey", "LimitExceeded", "too many\n   keys", request_id="1")
    assert error_lines(error) == [
        "error aws-refused",
        f"  {CROSS} LimitExceeded on kms:CreateKey: too many keys (request 1)",
    ]


def test_many_problems_are_a_tree() -> None:
    problems = [Problem("dev.toml", f"database.k{n}", "", "unknown key") for n in (1, 2)]
    assert error_lines(ConfigError([*problems, Problem("x.toml", "", "", "is not there")])) == [
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


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_no_message_from_aws_steers_the_terminal(cause: str, evidence: str, hint: str) -> None:
    for line in error_lines(TapctlError(cause, evidence=evidence, hint=hint), hint):
        assert line.splitlines() == [line]
        assert "\x1b" not in line
        assert "\x9b" not in line
