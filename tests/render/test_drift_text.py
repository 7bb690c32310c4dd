from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason, Report
from tapctl.render.reports import drift_lines
from tapctl.render.screen import Advice
from tapctl.render.terminal import Palette
from tests.render.examples import ADVICE, REPORT

FUNCTION = ("lambda-function/payment-processor-prod", "lambda-function")
GROUP = ("security-group-rules/db-sg-prod", "security-group-rules")


def report(*findings: Finding, unknown: int = 0) -> Report:
    return Report(findings, 214, unknown, 23)


def test_a_report_reads_as_the_contract_shows_it() -> None:
    found = report(
        Finding(*GROUP, "rules", Reason.CHANGED, None, "10.9.0.0/16 tcp/5432"),
        Finding(*FUNCTION, "timeout_s", Reason.CHANGED, 15, 30),
        Finding("db-instance/db-0", "db-instance", "parameters", Reason.DEFERRED, None, "preload", "reboot"),
        Finding("kms-key/db-key-prod", "kms-key", "policy", Reason.DENIED, action="kms:GetKeyPolicy"),
        unknown=1,
    )
    assert drift_lines(found, {}) == [
        "  ! db-sg-prod              rules       + 10.9.0.0/16 tcp/5432   DRIFT",
        "  ! payment-processor-prod  timeout_s   15 → 30                  DRIFT",
        "  … db-0                    parameters  preload                  PENDING until reboot",
        "  ? db-key-prod             policy      kms:GetKeyPolicy denied  UNKNOWN",
        "  checked 213 of 214 fields on 23 resources",
    ]


def test_what_is_gone_or_came_or_was_interrupted_is_told() -> None:
    found = report(
        Finding(*GROUP, "rules", Reason.CHANGED, "10.0.0.0/8 tcp/443", None),
        Finding(*FUNCTION, "arn", Reason.REPLACED, "arn:1", "arn:2"),
        Finding("log-group/l", "log-group", WHOLE_RESOURCE, Reason.ABSENT),
        Finding("db-cluster/c", "db-cluster", "members", Reason.NOT_OURS, None, "db-instance/x"),
        Finding("sns-topic/t", "sns-topic", WHOLE_RESOURCE, Reason.APPLY_INTERRUPTED),
    )
    assert drift_lines(found, {})[:-1] == [
        "  ! db-sg-prod              rules    - 10.0.0.0/8 tcp/443  DRIFT",
        "  ! payment-processor-prod  arn      arn:1 → arn:2         DRIFT replaced outside",
        "  ! l                                it is not there       MISSING",
        "  ! c                       members  + db-instance/x       UNEXPECTED not ours; it is never removed",
        "  … t                                                      PENDING apply was interrupted; run it again",
    ]


def test_two_types_of_thing_of_one_id_are_told_apart() -> None:
    found = report(
        Finding(*GROUP, "rules", Reason.CHANGED, 1, 2),
        Finding("security-group/db-sg-prod", "security-group", "description", Reason.CHANGED, "a", "b"),
    )
    assert [line.split()[1] for line in drift_lines(found, {})[:2]] == [
        "security-group-rules/db-sg-prod",
        "security-group/db-sg-prod",
    ]


def test_advice_stands_under_its_finding() -> None:
    assert drift_lines(REPORT, {("lambda-function/processor", "timeout_s"): ADVICE}) == [
        "  ! processor    timeout_s  15 → 30                  DRIFT",
        "      keep it: common.toml: processor.timeout_s",
        "      undo it: tapctl apply --env prod",
        "  ? db-key-prod  policy     kms:GetKeyPolicy denied  UNKNOWN",
        "  checked 213 of 214 fields on 23 resources",
    ]


def test_what_could_not_be_read_says_how_it_can_be() -> None:
    advice = {("kms-key/db-key-prod", "policy"): Advice(read="allow kms:GetKeyPolicy, then: tapctl drift --env prod")}
    assert drift_lines(REPORT, advice)[2] == "      read it: allow kms:GetKeyPolicy, then: tapctl drift --env prod"


def test_the_same_advice_on_one_resource_is_given_once() -> None:
    undo = Advice(undo="tapctl apply --env prod")
    fields = ("a", "b", "c")
    found = report(
        *(Finding(*FUNCTION, name, Reason.CHANGED, 1, 2) for name in fields),
        Finding(*GROUP, "rules", Reason.CHANGED, 1, 2),
    )
    advice = {(FUNCTION[0], "a"): ADVICE, (FUNCTION[0], "b"): undo, (FUNCTION[0], "c"): undo, (GROUP[0], "rules"): undo}
    shown = [line.strip().split("  ")[0] for line in drift_lines(found, advice)[:-1]]
    keep, back = "keep it: common.toml: processor.timeout_s", "undo it: tapctl apply --env prod"
    first = "! payment-processor-prod"
    assert shown == [first, keep, back, first, first, back, "! db-sg-prod", back]


def test_one_field_on_one_resource_is_counted_in_the_singular() -> None:
    assert drift_lines(Report((), 1, 0, 1), {}) == ["  checked 1 of 1 field on 1 resource"]


def test_long_values_are_cut_unless_verbose() -> None:
    found = report(Finding(*FUNCTION, "description", Reason.CHANGED, None, "x" * 99))
    assert f"+ {'x' * 59}…  DRIFT" in drift_lines(found, {})[0]
    assert f"+ {'x' * 99}  DRIFT" in drift_lines(found, {}, verbose=True)[0]


def test_colour_is_on_symbol_and_state() -> None:
    shown = drift_lines(REPORT, {("lambda-function/processor", "timeout_s"): ADVICE}, paint=Palette(on=True))
    assert shown[0] == "  \x1b[33m!\x1b[0m processor    timeout_s  15 → 30                  \x1b[33mDRIFT\x1b[0m"
    assert shown[1] == "      \x1b[2mkeep it:\x1b[0m common.toml: processor.timeout_s"


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.sampled_from(list(Reason)))
def test_no_value_from_aws_steers_the_terminal_or_forges_a_line(
    id_: str, value: str, detail: str, reason: Reason
) -> None:
    found = report(Finding(f"kms-key/{id_}", "kms-key", f"tags.{id_}", reason, None, value, detail, detail))
    for line in drift_lines(found, {(f"kms-key/{id_}", f"tags.{id_}"): Advice(value, detail, value)}):
        assert line.splitlines() == [line]
        assert line == line.rstrip()
        assert "\x1b" not in line
        assert "\x9b" not in line
