"""Waivers: what one covers, in drift, plan and convergence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from tapctl.engine.converge import Job, converge
from tapctl.engine.diff import Removed, leave_parts
from tapctl.engine.drift import FindingState, Reason, detect_drift, finding_id
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action, Change
from tapctl.engine.planner import make_plan
from tapctl.engine.resources import Stack
from tapctl.engine.waiver import Waiver, live_text, matches, spare_nothing, spares_of
from tapctl.errors import NotConverged
from tests.engine.driving import bring, quiet
from tests.engine.kinds import KINDS, Plain, ThingSpec, resource
from tests.engine.test_planner import recorded, seen
from tests.engine.world import CLAIMANT, World


def waiver(field: str, live: str | None = None, address: str = "plain/a") -> Waiver:
    return Waiver(address, field, "dana", "the platform's own", "2026-12-31", live)


@pytest.mark.parametrize(
    ("pattern", "text", "covered"),
    [
        ("tags.aws-backup:*", "tags.aws-backup:plan", True),
        ("tags.aws-backup:*", "tags.aws", False),
        ("*", "", True),
        ("a**b***c", "a-b-c", True),
        ("a.c", "abc", False),
        ("a.c", "a.c", True),
        ("ab*ba", "aba", False),
        ("*b*a*", "ab", False),
        ("a*", "a\nb", True),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, text: str, covered: bool) -> None:
    assert matches(pattern, text) is covered


def test_many_stars_take_no_time() -> None:
    assert not matches("*a" * 20 + "*b*", "a" * 400)


class Named(BaseModel):
    size: int

    def __str__(self) -> str:
        return f"{self.size} large"


class Bare(BaseModel):
    size: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (None, "null"),
        (Named(size=1), "1 large"),
        (Bare(size=1), '{"size": 1}'),
        (Removed("x"), "- x"),
        (Removed(Named(size=1)), "- 1 large"),
    ],
)
def test_a_live_value_is_written_so_that_a_file_can_name_it(value: Any, text: str) -> None:
    assert live_text(value) == text


def test_a_waiver_of_one_value_covers_no_other_and_never_whose_a_resource_is() -> None:
    one = waiver("tags.*", "gold")
    assert one.covers("plain/a", "tags.plan", "gold")
    assert not one.covers("plain/a", "tags.plan", "silver")
    assert not waiver("*").covers("plain/a", "tags.ManagedBy", "terraform")
    assert not waiver("*", address="plain/b").covers("plain/a", "size", "large")
    assert str(one) == "dana, until 2026-12-31: the platform's own"
    assert not spare_nothing("plain/a", "size", 1)


WANT = ThingSpec(tags={"a": "1", "b": "2"}, items=frozenset("pq"))
HAVE = ThingSpec(size="large", tags={"a": "9", "c": "3"}, items=frozenset("qr"))


@pytest.mark.parametrize(
    ("spared", "left"),
    [
        ((), {}),
        (("size",), {"size": "large"}),
        (("tags.a",), {"tags": {"a": "9", "b": "2"}}),
        (("tags.b",), {"tags": {"a": "1"}}),
        (("tags.c",), {"tags": {"a": "1", "b": "2", "c": "3"}}),
        (("items",), {"items": frozenset("qr")}),
    ],
)
def test_what_is_spared_is_wanted_as_it_is_live(spared: tuple[str, ...], left: Mapping[str, Any]) -> None:
    assert leave_parts(WANT, HAVE, lambda path, _: path in spared) == WANT.model_copy(update=left)


def test_of_a_set_one_item_may_be_spared_and_another_not() -> None:
    assert leave_parts(WANT, HAVE, lambda _, live: live == "r").model_dump()["items"] == frozenset("pqr")


def test_of_several_items_that_a_set_lacks_each_is_spared_by_itself() -> None:
    want, have = ThingSpec(items=frozenset("pqr")), ThingSpec(items=frozenset("p"))
    left = leave_parts(want, have, lambda _, live: live == Removed("q"))
    assert left == ThingSpec(items=frozenset("pr"))


@pytest.mark.parametrize(
    ("live", "waived"),
    [("- q", {"q"}), ("- r", {"r"}), ("null", set()), ("q", set()), (None, {"q", "r"})],
)
def test_a_waiver_of_an_item_that_was_taken_away_covers_no_other_that_is(live: str | None, waived: set[str]) -> None:
    made, there = recorded(ThingSpec(items=frozenset("pqr"))), seen(ThingSpec(items=frozenset("p")))
    report = detect_drift({"plain/a": made}, {"plain/a": there}, (waiver("items", live),))
    states = {one.recorded: one.state for one in report.findings}
    assert {item for item, state in states.items() if state is FindingState.WAIVED} == waived
    assert {item for item, state in states.items() if state is FindingState.DRIFT} == {"q", "r"} - waived
    stack = Stack()
    stack.add(Plain(), "a", ThingSpec(items=frozenset("pqr")))
    spares = spares_of([waiver("items", live)])
    (change,) = make_plan(stack, {"plain/a": made}, {"plain/a": there}, CLAIMANT, KINDS, spares=spares).changes
    assert {field.want for field in change.fields} == {"q", "r"} - waived


def test_a_value_that_is_none_or_a_tag_that_is_gone_is_one_value() -> None:
    made, there = recorded(ThingSpec(tags={"a": "1"})), seen(ThingSpec(tags={}))
    report = detect_drift({"plain/a": made}, {"plain/a": there}, (waiver("tags.a", "null"),))
    assert [one.state for one in report.findings] == [FindingState.WAIVED]


def test_what_is_known_only_later_is_not_spared() -> None:
    want = ThingSpec(link="⟦plain/b#arn⟧")
    assert leave_parts(want, ThingSpec(link="x"), lambda *_: True) == want


def test_a_waived_difference_is_told_and_is_no_drift() -> None:
    made, live = recorded(ThingSpec()), seen(ThingSpec(size="large", mode="wild"))
    report = detect_drift({"plain/a": made}, {"plain/a": live}, (waiver("size"),))
    assert [(one.field, one.state) for one in report.findings] == [
        ("size", FindingState.WAIVED),
        ("mode", FindingState.DRIFT),
    ]
    assert report.findings[0].note == "by dana, until 2026-12-31: the platform's own"
    assert (report.drifted, report.count(FindingState.WAIVED)) == (1, 1)
    (alone,) = detect_drift({"plain/a": made}, {"plain/a": seen(ThingSpec(size="large"))}, (waiver("*"),)).findings
    assert (alone.reason, alone.state) == (Reason.CHANGED, FindingState.WAIVED)
    assert finding_id("dev", alone) == finding_id("dev", report.findings[0]) != finding_id("prod", alone)


def test_a_plan_leaves_what_is_waived_and_says_so() -> None:
    one = resource(Plain(), ThingSpec())
    from tapctl.engine.resources import Stack

    stack = Stack()
    stack.add(Plain(), "a", one.spec)
    live = seen(ThingSpec(size="large", zone="b", mode="wild"))
    spares = spares_of([waiver("size"), waiver("zone")])
    (change,) = make_plan(stack, {"plain/a": recorded()}, {"plain/a": live}, CLAIMANT, KINDS, spares=spares).changes
    assert (change.action, [field.path for field in change.fields]) == (Action.UPDATE, ["mode"])
    assert [(part.path, part.have, part.waived) for part in change.left] == [
        ("size", "large", True),
        ("zone", "b", True),
    ]


@pytest.mark.parametrize(
    ("before", "newly"),
    [(ThingSpec(), {}), (ThingSpec(size="tiny"), {"size": "small"}), (None, {})],
)
def test_a_plan_says_what_a_waiver_keeps_back_of_the_files_own_changes(
    before: ThingSpec | None, newly: dict[str, str]
) -> None:
    stack, entries = Stack(), {} if before is None else {"plain/a": recorded(before)}
    stack.add(Plain(), "a", ThingSpec(items=frozenset("p")))
    live = seen(ThingSpec(size="large", items=frozenset("pq")))
    spares = spares_of([waiver("size"), waiver("items")])
    (change,) = make_plan(stack, entries, {"plain/a": live}, CLAIMANT, KINDS, spares=spares).changes
    assert {part.path for part in change.left} == {"size", "items"}
    assert {part.path: part.newly for part in change.left if part.newly is not None} == newly


def test_a_convergence_leaves_what_is_waived_and_records_what_is_wanted() -> None:
    world = World()
    world.put(Plain(), "a", ThingSpec(size="large", mode="wild"))
    one = resource(Plain(), ThingSpec())
    change = Change(
        one.address, one.type, one.id, Action.UPDATE, impact=Impact.RESTART, spares=spares_of([waiver("size")])
    )
    converge(Job(one, change, None), world.context(), quiet)
    assert world.things["plain/a"].spec == ThingSpec(size="large")
    assert world.journal.entries["plain/a"].spec["size"] == "small"
    bring(world, one, Action.UPDATE)
    assert world.things["plain/a"].spec == ThingSpec()


def test_what_is_left_and_keeps_aws_from_telling_the_identity_stops_no_other_change() -> None:
    """The record's identity stays. Where it is not left, AWS has to tell it again."""

    class Shy(Plain):
        outputs_need = frozenset({"size"})

    world, recorded_identity = World(), {"arn": "arn:a"}
    world.put(Shy(), "a", ThingSpec(size="large", mode="wild"), outputs=None)
    one, made = resource(Shy(), ThingSpec()), recorded().model_copy(update={"outputs": recorded_identity})
    stack = Stack()
    stack.add(Shy(), "a", one.spec)
    spares = spares_of([waiver("size")])
    for live, action in (
        (ThingSpec(size="large", mode="wild"), Action.UPDATE),
        (ThingSpec(size="large"), Action.NOTHING),
    ):
        there = replace(seen(live), outputs=None)
        plan = make_plan(stack, {"plain/a": made}, {"plain/a": there}, CLAIMANT, KINDS, spares=spares)
        assert (plan.changes[0].action, plan.outputs) == (action, {"plain/a": recorded_identity})
    (change,) = make_plan(stack, {"plain/a": made}, {"plain/a": there}, CLAIMANT, KINDS).changes
    assert [field.path for field in change.fields] == ["size"]
    change = Change(one.address, one.type, one.id, Action.UPDATE, impact=Impact.RESTART, spares=spares)
    converge(Job(one, change, made), world.context(), quiet)
    assert (world.things["plain/a"].spec.mode, world.clock.now()) == ("calm", 0)
    assert world.journal.entries["plain/a"].outputs == recorded_identity
    with pytest.raises(NotConverged, match="AWS does not tell its identity"):
        bring(world, one, Action.UPDATE, Impact.RESTART, made)
