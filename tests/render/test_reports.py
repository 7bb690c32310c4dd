"""The reports for people: plan and drift."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.aws.policy import allow
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason, Report, Who
from tapctl.engine.model import Impact
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange, LeftField, Plan
from tapctl.errors import Refused
from tapctl.render.reports import drift_lines, plan_lines, preflight_lines, wanted_lines
from tapctl.render.screen import Advice, Check, Wanted
from tapctl.render.terminal import Palette
from tests.render.examples import ADVICE, REPORT, change, pending, plan

RULE = FieldChange("rules", "10.9.0.0/16 tcp/5432", None, outside=True)
CLASS = FieldChange("instance_class", "db.r6g.large", "db.r6g.xlarge", Impact.FAILOVER)


def test_a_plan_reads_as_the_contract_shows_it() -> None:
    shown = plan_lines(
        plan(
            change("kms-key/alias/db-key-prod", Action.CREATE, FieldChange("rotation", None, True)),
            change("security-group/lambda-sg-prod", Action.CREATE),
            change("db-instance/db-cluster-prod-0", Action.UPDATE, CLASS),
            change("security-group/db-sg-prod", Action.UPDATE, RULE),
            change("sns-topic/alarms-prod", Action.NOTHING),
        )
    )
    assert shown == [
        "  + kms-key         alias/db-key-prod",
        "  + security-group  lambda-sg-prod",
        "  ~ db-instance     db-cluster-prod-0  failover",
        "      instance_class  db.r6g.large → db.r6g.xlarge     failover",
        "  ! security-group  db-sg-prod  changed outside tapctl; apply will undo it",
        "      rules           10.9.0.0/16 tcp/5432 → (remove)  none",
    ]


def test_another_one_in_the_place_of_a_resource_is_shown_though_nothing_is_to_be_done() -> None:
    role = replace(change("iam-role/r", Action.NOTHING), replaced=("role_id",))
    assert plan_lines(plan(role)) == ["  ! iam-role  r  replaced outside tapctl (role_id); apply takes what is there"]


def test_a_replacement_a_removal_and_a_wait_have_their_symbols() -> None:
    waiting = replace(change("db-cluster/c", Action.SETTLE), note="it is modifying")
    shown = plan_lines(
        plan(
            change("lambda-function/p", Action.REPLACE, FieldChange("package", "Image", "Zip", Impact.REPLACE)),
            waiting,
            change("log-group/l", Action.DELETE),
            replace(change("db-instance/w", Action.DELETE), impact=Impact.FAILOVER),
        )
    )
    assert shown == [
        "  -/+ lambda-function  p",
        "      package  Image → Zip  replace",
        "  …   db-cluster       c  it is modifying",
        "  -   log-group        l",
        "  -   db-instance      w  failover",
    ]


def test_an_added_item_and_a_value_known_later_are_told() -> None:
    added = FieldChange("tags.Owner", None, "payments")
    later = FieldChange("role_arn", "arn:aws:iam::1:role/r", AFTER_APPLY)
    assert plan_lines(plan(change("lambda-function/p", Action.UPDATE, added, later))) == [
        "  ~ lambda-function  p",
        "      tags.Owner  (none) → payments                            none",
        "      role_arn    arn:aws:iam::1:role/r → (known after apply)  none",
    ]


def test_a_value_wider_than_its_column_does_not_widen_the_column() -> None:
    wide = FieldChange("description", "a" * 40, "b" * 40)
    small = FieldChange("n", 1, 2)
    shown = plan_lines(plan(change("kms-key/k", Action.UPDATE, wide, small)))
    assert shown[1:] == [
        f"      description  {'a' * 40} → {'b' * 40}  none",
        f"      n            1 → 2{' ' * 47}none",
    ]


def test_unread_pending_and_foreign_parts_are_shown_though_nothing_is_to_do() -> None:
    unread = Change("kms-key/k", "kms-key", "k", Action.NOTHING, unreadable={"policy": "kms:GetKeyPolicy"})
    stranger = Change("db-cluster/c", "db-cluster", "c", Action.NOTHING, foreign_members=("db-instance/extra",))
    deferred = pending("db-instance/i", "parameters", "shared_preload_libraries")
    assert plan_lines(plan(unread, stranger, deferred)) == [
        "  ? kms-key      k",
        "      policy      kms:GetKeyPolicy denied   unread",
        "  ! db-cluster   c",
        "      members     db-instance/extra         not ours; it is never removed",
        "  … db-instance  i",
        "      parameters  shared_preload_libraries  pending until reboot",
    ]


def test_who_else_was_let_in_is_shown_and_left() -> None:
    left = LeftField("grants", "1234 to arn:x", allow_ends=False), LeftField("boundary", "arn:y", allow_ends=True)
    assert plan_lines(plan(Change("kms-key/k", "kms-key", "k", Action.NOTHING, left=left))) == [
        "  ! kms-key  k",
        "      grants    1234 to arn:x  nobody asked for it; left as it is: drift names the command that ends it",
        "      boundary  arn:y          it stays, unless --allow names its resource",
    ]


def test_what_was_not_compared_is_listed_by_type() -> None:
    listed = ("iam-role: last use", "sns-topic: subscriptions", "sns-topic: data protection policy")
    assert drift_lines(Report((), 1, 0, 1, never_compared=listed), {}) == [
        "  checked 1 of 1 field on 1 resource",
        "  not compared, on purpose (3)",
        "    iam-role   last use",
        "    sns-topic  subscriptions; data protection policy",
    ]


def test_a_blocked_change_says_why_once() -> None:
    why = Refused(
        "iam-role/r exists and is not ours;\nit was left untouched", evidence="no owner tags", hint="rename it"
    )
    unreadable = replace(
        change("sns-topic/t", Action.NOTHING, blocked=Refused("unreadable")), unreadable={"*": "sns:Get"}
    )
    assert plan_lines(plan(change("iam-role/r", Action.NOTHING, RULE, blocked=why), unreadable)) == [
        "  x iam-role   r",
        "      iam-role/r exists and is not ours; it was left untouched",
        "      rules  10.9.0.0/16 tcp/5432 → (remove)  none",
        "  x sns-topic  t",
        "      unreadable",
    ]


def test_two_notes_on_one_resource_are_both_shown() -> None:
    both = replace(change("sns-topic/t", Action.UPDATE, RULE), note="AWS gave it up: quota")
    assert plan_lines(plan(both))[0] == (
        "  ! sns-topic  t  changed outside tapctl; apply will undo it; AWS gave it up: quota"
    )


def test_verbose_shows_what_is_created_and_every_value_whole() -> None:
    made = change("kms-key/k", Action.CREATE, FieldChange("rotation", None, True), FieldChange("d", None, "x" * 99))
    changed = change("sns-topic/t", Action.UPDATE, FieldChange("policy", "x" * 99, "y" * 99))
    assert plan_lines(plan(made, changed), verbose=True) == [
        "  + kms-key    k",
        "      rotation  true",
        f"      d         {'x' * 99}",
        "  ~ sns-topic  t",
        f"      policy    {'x' * 99} → {'y' * 99}  none",
    ]


@pytest.mark.parametrize(("removing", "line"), [(False, "  nothing to do"), (True, "  nothing to remove")])
def test_a_plan_of_nothing_says_so(removing: bool, line: str) -> None:
    assert plan_lines(plan(change("kms-key/k", Action.NOTHING)), removing=removing) == [line]


def test_colour_is_on_the_symbol_alone_and_never_instead_of_it() -> None:
    shown = plan_lines(
        plan(change("kms-key/k", Action.CREATE), change("log-group/l", Action.DELETE)), paint=Palette(on=True)
    )
    assert shown == ["  \x1b[32m+\x1b[0m kms-key    k", "  \x1b[31m-\x1b[0m log-group  l"]


@given(st.text(), st.text(), st.text(), st.sampled_from(list(Action)), st.booleans())
def test_no_value_of_a_plan_steers_the_terminal_or_forges_a_line(
    id_: str, value: str, note: str, action: Action, verbose: bool
) -> None:
    hostile = Change(
        f"kms-key/{id_}",
        "kms-key",
        id_,
        action,
        (FieldChange(f"tags.{id_}", value, None),),
        note=note,
        unreadable={"policy": value},
        foreign_members=(value,),
        blocked=Refused(value) if verbose else None,
    )
    shown = plan_lines(plan(hostile, pending("a/b", id_, value, note)), verbose=verbose)
    for line in shown:
        assert line.splitlines() == [line]
        assert line == line.rstrip()
        assert "\x1b" not in line
        assert "\x9b" not in line


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


def test_missing_unexpected_and_interrupted_resources_are_findings() -> None:
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
        "  … t                                                      PENDING an apply did not finish; run it again",
    ]


def test_what_an_unfinished_apply_asked_for_is_shown_beside_what_was_confirmed() -> None:
    found = report(
        Finding(*FUNCTION, "timeout_s", Reason.UNCONFIRMED, 15, 15, asked=30),
        # Asked for again: beside what is there.
        Finding(*FUNCTION, "memory_mb", Reason.UNCONFIRMED, 512, 128, asked=512),
        Finding(*FUNCTION, "phase", Reason.UNCONFIRMED),
        # A removal of ours had left another value.
        Finding(*FUNCTION, "handler", Reason.UNCONFIRMED, None, "", asked="a.b"),
        Finding(*FUNCTION, "policy.statements", Reason.UNDER_WAY, None, allow("A", ["s3:GetObject"], ["*"])),
    )
    assert [line.split(maxsplit=2)[2].split("  PENDING")[0].strip() for line in drift_lines(found, {})[:5]] == [
        "timeout_s          15 → 30",
        "memory_mb          128 → 512",
        "phase",
        'handler            "" → a.b',
        "policy.statements  + sid=A effect=Allow actions=[s3:GetObject] resources=[*]",
    ]


def test_resources_of_two_types_with_the_same_id_are_shown_by_address() -> None:
    found = report(
        Finding(*GROUP, "rules", Reason.CHANGED, 1, 2),
        Finding("security-group/db-sg-prod", "security-group", "description", Reason.CHANGED, "a", "b"),
    )
    assert [line.split()[1] for line in drift_lines(found, {})[:2]] == [
        "security-group-rules/db-sg-prod",
        "security-group/db-sg-prod",
    ]


def test_a_whole_resource_whose_id_another_one_bears_is_shown_by_address() -> None:
    """The record holds the cluster, and lacks the rotation of its secret."""
    found = replace(
        report(
            Finding("secret-rotation/db", "secret-rotation", "*", Reason.UNRECORDED),
            Finding(*GROUP, "rules", Reason.CHANGED, 1, 2),
            Finding("sns-topic/t", "sns-topic", "*", Reason.UNRECORDED),
        ),
        shared_ids=frozenset({"db", "db-sg-prod"}),
    )
    assert [line.split()[1] for line in drift_lines(found, {})[:3]] == ["secret-rotation/db", "db-sg-prod", "t"]


def test_advice_stands_under_its_finding() -> None:
    assert drift_lines(REPORT, {("lambda-function/processor", "timeout_s"): ADVICE}) == [
        "  ! processor    timeout_s  15 → 30                  DRIFT",
        "      keep it: common.toml: processor.timeout_s",
        "      undo it:",
        "        tapctl apply --env prod",
        "  ? db-key-prod  policy     kms:GetKeyPolicy denied  UNKNOWN",
        "  checked 213 of 214 fields on 23 resources",
    ]


def test_an_unreadable_field_has_advice_on_how_to_read_it() -> None:
    advice = {("kms-key/db-key-prod", "policy"): Advice(read="tapctl drift --env prod", read_note="allow it, then")}
    assert drift_lines(REPORT, advice)[2:4] == ["      read it: allow it, then", "        tapctl drift --env prod"]


def test_the_same_advice_on_one_resource_is_given_once() -> None:
    undo = Advice(undo="tapctl apply --env prod")
    fields = ("a", "b", "c")
    found = report(
        *(Finding(*FUNCTION, name, Reason.CHANGED, 1, 2) for name in fields),
        Finding(*GROUP, "rules", Reason.CHANGED, 1, 2),
    )
    advice = {(FUNCTION[0], "a"): ADVICE, (FUNCTION[0], "b"): undo, (FUNCTION[0], "c"): undo, (GROUP[0], "rules"): undo}
    shown = [line.strip().split("  ")[0] for line in drift_lines(found, advice)[:-2]]
    keep, back = "keep it: common.toml: processor.timeout_s", ["undo it:", "tapctl apply --env prod"]
    first = "! payment-processor-prod"
    assert shown == [first, keep, *back, first, first, *back, "! db-sg-prod", *back]


def test_fields_are_counted_where_a_resource_has_several() -> None:
    found = report(*(Finding(*FUNCTION, name, Reason.CHANGED, 1, 2) for name in "ab"))
    assert drift_lines(found, {})[-2] == "  2 fields drifted on 1 resource"


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


@given(st.text(), st.text(), st.text(), st.sampled_from(list(Reason)))
def test_no_finding_steers_the_terminal_or_forges_a_line(id_: str, value: str, detail: str, reason: Reason) -> None:
    found = report(Finding(f"kms-key/{id_}", "kms-key", f"tags.{id_}", reason, None, value, detail, detail))
    for line in drift_lines(found, {(f"kms-key/{id_}", f"tags.{id_}"): Advice(value, detail, value)}):
        assert line.splitlines() == [line]
        assert line == line.rstrip()
        assert "\x1b" not in line
        assert "\x9b" not in line


# -- what changed in what ----------------------------------------------------------------------------------------------

ONE = allow("Keys", ["kms:Decrypt", "kms:Encrypt"], ["*"])
OTHER = allow("Keys", ["kms:Decrypt"], ["*"])
ADDED = allow("Everybody", ["kms:*"], to={"AWS": "*"})


def test_a_plan_tells_a_changed_policy_statement_by_statement() -> None:
    fields = (
        FieldChange("policy.statements", ONE, None, Impact.NONE),
        FieldChange("policy.statements", None, ADDED),
        FieldChange("policy.statements", None, OTHER, Impact.RESTART),
    )
    lines = plan_lines(plan(change("kms-key/k", Action.UPDATE, *fields)))
    assert [line.strip() for line in lines[1:]] == [
        "policy.statements  Keys: actions - kms:Encrypt                         restart",
        "policy.statements  (none) → sid=Everybody effect=Allow principals=[kind=AWS name=*] actions=[kms:*]  none",
    ]


def test_a_drift_tells_a_changed_policy_statement_by_statement() -> None:
    place = ("kms-key/k", "kms-key", "policy.statements", Reason.CHANGED)
    lines = drift_lines(report(Finding(*place, live=OTHER), Finding(*place, live=ADDED), Finding(*place, ONE)), {})
    assert lines[0].split() == ["!", "k", "policy.statements", "Keys:", "actions", "-", "kms:Encrypt", "DRIFT"]
    assert "+ sid=Everybody effect=Allow" in lines[1]
    assert len(lines) == 3


def test_statements_without_a_name_or_twice_of_one_name_are_told_each() -> None:
    place = ("kms-key/k", "kms-key", "policy.statements", Reason.CHANGED)
    nameless = [Finding(*place, allow("", ["a"])), Finding(*place, live=allow("", ["b"]))]
    twice = [Finding(*place, ONE), Finding(*place, OTHER)]
    assert len(drift_lines(report(*nameless), {})) == len(drift_lines(report(*twice), {})) == 3


def test_images_are_told_by_their_tags() -> None:
    old, new = (f"sha256:{letter * 64}" for letter in "ab")
    names = {old: "1.0.0", new: "1.0.1"}
    shown = "1.0.0 → 1.0.1 (sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb)"
    fields = (FieldChange("image_uri", f"r@{old}", f"r@{new}"),)
    assert shown in plan_lines(replace(plan(change("kms-key/k", Action.UPDATE, *fields)), names=names))[1]
    found = Finding("lambda-function/f", "lambda-function", "image_uri", Reason.CHANGED, f"r@{old}", f"r@{new}")
    assert shown in drift_lines(replace(report(found), names=names), {})[0]


def test_what_an_apply_would_do_beside_fits_and_never_loses_type_and_impact() -> None:
    changes = tuple(
        Change(
            f"db-instance/db-cluster-prod-{number}",
            "db-instance",
            f"db-cluster-prod-{number}",
            Action.UPDATE,
            (FieldChange("instance_class", "a", "b", Impact.FAILOVER), FieldChange("maintenance_window", "a", "b")),
            Impact.FAILOVER,
        )
        for number in range(12)
    )
    wanted = Wanted(Plan(changes, {}, (), ()), "0 to create · 12 to change · 0 to remove", "tapctl plan --env prod")
    assert wanted_lines(wanted)[:2] == [
        "  the files want more than the record, and an apply does that: 0 to create · 12 to change · 0 to remove",
        "    ~ db-instance  db-cluster-prod-0  failover  instance_class, maintenance_window",
    ]
    narrow = wanted_lines(wanted, width=60)
    assert max(map(len, narrow)) <= 60
    assert sum("db-instance  db-cluster-prod-" in line and "failover" in line for line in narrow) == 10
    assert narrow[-2:] == ["    and 2 more", "    see it: tapctl plan --env prod"]
    removed = Change("sns-topic/a", "sns-topic", "a", Action.DELETE)
    assert wanted_lines(Wanted(Plan((removed,), {}, (), ()), "1", "c"))[1] == "    - sns-topic  a  none"


def test_checks_in_order_share_a_line_and_each_other_has_its_own() -> None:
    checks = [Check("image", ok=True, detail=""), Check("image", ok=True, detail=""), Check("name", ok=True, detail="")]
    assert preflight_lines(checks) == ["  checked: image, name"]
    others = [Check("quotas", ok=False, detail="full"), Check("permissions", ok=None, detail="denied")]
    assert preflight_lines(others) == ["  x quotas: full", "  ? permissions: denied"]
    assert preflight_lines([]) == []


def test_who_made_a_change_stands_under_its_finding_and_is_broken_up_where_it_is_wide() -> None:
    who = Who("user/alice", "2031-05-06T07:30:00Z", "console", "UpdateRole", "e-1", "r-1", "a run of tapctl")
    found = Finding("iam-role/r", "iam-role", "trust", Reason.CHANGED, "a", "b", who=who, cause="person")
    line = "who: person · user/alice at 2031-05-06T07:30:00Z by console: UpdateRole (e-1) · run r-1: a run of tapctl"
    report = Report((found,), 1, 0, 1)
    assert f"      {line}" in drift_lines(report, {})
    narrow = drift_lines(report, {}, width=60)
    assert [one.strip() for one in narrow[1:3]] == [
        "who: person · user/alice at 2031-05-06T07:30:00Z by",
        "console: UpdateRole (e-1) · run r-1: a run of",
    ]
    untold = replace(found, who=Who(note="not delivered yet"), cause="")
    assert "      who: not delivered yet" in drift_lines(Report((untold,), 1, 0, 1), {})
