from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.engine.model import Impact
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange
from tapctl.errors import Refused
from tapctl.render.reports import plan_lines
from tapctl.render.terminal import Palette
from tests.render.examples import change, pending, plan

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
        "  ~ db-instance     db-cluster-prod-0",
        "      instance_class  db.r6g.large → db.r6g.xlarge     failover",
        "  ! security-group  db-sg-prod  changed outside tapctl; apply will undo it",
        "      rules           10.9.0.0/16 tcp/5432 → (remove)  none",
    ]


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


def test_a_value_that_is_wider_than_its_column_pushes_nobody_else_away() -> None:
    wide = FieldChange("description", "a" * 40, "b" * 40)
    small = FieldChange("n", 1, 2)
    shown = plan_lines(plan(change("kms-key/k", Action.UPDATE, wide, small)))
    assert shown[1:] == [
        f"      description  {'a' * 40} → {'b' * 40}  none",
        f"      n            1 → 2{' ' * 47}none",
    ]


def test_what_could_not_be_read_is_pending_or_is_not_ours_is_told_though_nothing_is_to_do() -> None:
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


def test_what_is_blocked_says_why_and_is_said_once() -> None:
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


def test_both_reasons_at_the_right_are_told() -> None:
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


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.sampled_from(list(Action)), st.booleans())
def test_no_value_from_aws_steers_the_terminal_or_forges_a_line(
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
