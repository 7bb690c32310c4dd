"""The plan of an apply, as a pure function of what is wanted, recorded and seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from tapctl.engine.model import Impact, Pending, Retained
from tapctl.engine.observe import Absent, Observation
from tapctl.engine.plan import AFTER_APPLY, Action, Change, FieldChange, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import ConsentMissing, FieldUnreadable, Refused
from tests.engine.driving import entry
from tests.engine.kinds import KINDS, LARGE, SMALL, Data, Early, Hung, Key, Leaf, Open, Plain, ThingOutputs, ThingSpec
from tests.engine.world import CLAIMANT, OURS, THEIRS, Seen

KEPT = Retained("2031-05-06", "pending deletion")


def seen(spec: ThingSpec = SMALL, **more: Any) -> Seen:
    return Seen(spec, more.pop("outputs", ThingOutputs(arn="x")), owner=more.pop("owner", OURS), **more)


def planned(
    stack: Stack,
    sights: dict[str, Observation],
    *entries: Entry,
    allowed: Collection[str] = (),
    adopted: Collection[str] = (),
) -> Plan:
    recorded = {one.address: one for one in entries}
    return make_plan(stack, recorded, sights, CLAIMANT, KINDS, allowed=allowed, adopted=adopted)


def one(kind: Plain, want: ThingSpec, sight: Observation, *entries: Entry) -> Change:
    """The change of the one thing wanted."""
    stack = Stack()
    (change,) = planned(stack_of(stack, kind, want), {f"{kind.type}/a": sight}, *entries).changes
    return change


def stack_of(stack: Stack, kind: Plain, want: ThingSpec) -> Stack:
    stack.add(kind, "a", want)
    return stack


def recorded(spec: ThingSpec = SMALL, kind: Plain | None = None, phase: Phase = Phase.MADE) -> Entry:
    return entry(kind or Plain(), phase, spec=spec.model_dump(mode="json"), outputs={"arn": "x"})


def test_what_is_as_wanted_needs_nothing() -> None:
    change = one(Plain(), SMALL, seen())
    assert (change.action, change.fields, change.impact) == (Action.NOTHING, (), Impact.NONE)


def test_what_is_absent_is_created_with_every_field_it_owns() -> None:
    change = one(Plain(), SMALL, Absent())
    assert change.action is Action.CREATE
    assert [each.path for each in change.fields] == list(ThingSpec.model_fields)
    assert FieldChange("size", None, "small") in change.fields


def test_what_was_made_and_is_absent_was_removed_outside() -> None:
    change = one(Plain(), SMALL, Absent(), recorded())
    assert (change.action, change.outside, change.removed_outside) == (Action.CREATE, True, True)
    # What an interrupted run was making was never there.
    assert not one(Plain(), SMALL, Absent(), recorded(phase=Phase.MAKING)).outside


@pytest.mark.parametrize(
    ("phase", "parent", "outside"),
    [(Phase.LEAVING, "a", False), (Phase.MADE, "a", True), (Phase.LEAVING, "b", True)],
    ids=["parent going", "parent made", "another one going"],
)
def test_what_went_with_its_parent_in_a_removal_of_ours_that_was_cut_off_was_removed_by_nobody_else(
    phase: Phase, parent: str, *, outside: bool
) -> None:
    above = recorded(kind=Data(), phase=phase).model_copy(update={"id": parent})
    part = recorded().model_copy(update={"needs": (above.address,)})
    stack = Stack()
    stack.add(Data(), parent, SMALL)
    change = planned(stack_of(stack, Plain(), SMALL), {above.address: Absent(), part.address: Absent()}, above, part)
    assert change.changes[1].action is Action.CREATE
    assert change.changes[1].removed_outside is outside


@pytest.mark.parametrize(
    ("outputs", "phase", "replaced"),
    [
        (ThingOutputs(arn="y"), Phase.MADE, ("arn",)),
        (ThingOutputs(arn="x"), Phase.MADE, ()),
        (None, Phase.MADE, ()),
        (ThingOutputs(arn="y"), Phase.MAKING, ()),
    ],
)
def test_another_one_in_the_place_of_the_recorded_one_is_told(
    outputs: ThingOutputs | None, phase: Phase, replaced: tuple[str, ...]
) -> None:
    change = one(Plain(), SMALL, seen(outputs=outputs), recorded(phase=phase))
    assert (change.replaced, change.outside) == (replaced, bool(replaced))
    assert change.blocked is None
    assert one(Plain(), SMALL, seen(outputs=outputs, settled=False, deleting=True), recorded()).replaced == ()


def test_what_differs_is_changed_field_by_field_at_the_highest_impact() -> None:
    change = one(Plain(), ThingSpec(mode="wild", version="16.9", tags={"a": "b"}), seen())
    assert change.action is Action.UPDATE
    assert change.impact is Impact.FAILOVER
    assert change.fields == (
        FieldChange("mode", "calm", "wild", Impact.RESTART),
        FieldChange("version", "16.8", "16.9", Impact.FAILOVER),
        FieldChange("tags.a", None, "b"),
    )


def test_what_cannot_change_in_place_is_replaced() -> None:
    change = one(Leaf(), ThingSpec(zone="b"), seen())
    assert (change.action, change.impact) == (Action.REPLACE, Impact.REPLACE)


@pytest.mark.parametrize("more", [{"settled": False, "status": "modifying"}, {"outputs": None, "status": "creating"}])
def test_what_is_as_wanted_and_not_settled_is_waited_for(more: dict[str, Any]) -> None:
    change = one(Plain(), SMALL, seen(**more))
    assert change.action is Action.SETTLE
    assert change.note == f"it is {more['status']}"


def test_what_is_going_is_created_once_it_is_gone() -> None:
    change = one(Plain(), SMALL, seen(deleting=True, status="deleting"))
    assert change.action is Action.CREATE
    assert change.note == "it is deleting; its end is awaited"


def test_what_is_pending_deletion_is_brought_back() -> None:
    change = one(Plain(), SMALL, seen(deleting=True, retained=KEPT, status="PendingDeletion"))
    assert change.action is Action.CREATE
    assert change.note == "it is PendingDeletion; it is brought back"


def test_what_aws_gave_up_on_is_replaced_or_asked_again() -> None:
    assert one(Leaf(), SMALL, seen(failure="broken")).action is Action.REPLACE
    again = one(Plain(), LARGE, seen(failure="broken"))
    assert (again.action, again.note) == (Action.UPDATE, "AWS gave it up: broken")
    assert one(Plain(), SMALL, seen(failure="broken")).action is Action.UPDATE


def test_what_is_pending_and_what_could_not_be_read_is_told_with_the_change() -> None:
    change = one(Plain(), LARGE, seen(pending={"mode": Pending("reboot")}, unreadable={"limit": "fake:GetLimit"}))
    assert change.pending == {"mode": Pending("reboot")}
    assert change.unreadable == {"limit": "fake:GetLimit"}


def test_a_field_that_could_not_be_read_is_no_difference_to_act_on() -> None:
    sight = seen(ThingSpec(limit=7), unreadable={"limit": "fake:GetLimit"})
    for entries in ((), (recorded(ThingSpec(limit=3)),), (entry(Plain(), spec={"size": "small"}),)):
        change = one(Plain(), ThingSpec(limit=3), sight, *entries)
        assert (change.action, change.blocked) == (Action.NOTHING, None)


# -- changed outside -------------------------------------------------------------------------------------------------


def test_what_was_changed_outside_and_would_be_undone_is_marked() -> None:
    change = one(Plain(), ThingSpec(mode="wild"), seen(LARGE), recorded())
    by_field = {each.path: each.outside for each in change.fields}
    assert by_field == {"size": True, "mode": False}
    assert change.outside


def test_what_nobody_recorded_was_not_changed_outside() -> None:
    assert not one(Plain(), SMALL, seen(LARGE)).outside
    assert not one(Plain(), SMALL, seen(LARGE), entry(Plain(), spec={"mode": "calm"})).outside


def test_a_field_recorded_as_nothing_can_be_changed_outside_too() -> None:
    assert one(Plain(), SMALL, seen(ThingSpec(limit=5)), recorded()).outside


@pytest.mark.parametrize(
    ("phase", "live", "outside"),
    [
        (Phase.MAKING, ThingSpec(size="large"), False),
        (Phase.LEAVING, ThingSpec(size="large"), True),
        (Phase.LEAVING, ThingSpec(mode="other"), False),  # a removal may have set that
    ],
)
def test_what_an_interrupted_run_has_left_was_not_changed_outside(
    phase: Phase, live: ThingSpec, *, outside: bool
) -> None:
    assert one(Key(), SMALL, seen(live), recorded(kind=Key(), phase=phase)).outside is outside


def half_made(before: ThingSpec, asked: ThingSpec) -> Entry:
    made = recorded(asked, phase=Phase.MAKING)
    return made.model_copy(update={"confirmed": recorded(before).spec})


def test_what_was_changed_on_a_resource_whose_apply_failed_was_changed_outside() -> None:
    before = ThingSpec(tags={"a": "1"})
    failed = half_made(before, ThingSpec(limit=5000, mode="wild", tags={"a": "1", "b": "2"}))
    tampered = ThingSpec(mode="wild", size="large", tags={"a": "9", "b": "2"})
    change = one(Plain(), before, seen(tampered), failed)
    assert {each.path: each.outside for each in change.fields} == {
        "size": True,
        "mode": False,  # by the apply that failed
        "tags.a": True,
        "tags.b": False,
    }


def test_part_of_a_field_may_be_changed_outside_while_another_part_is_a_new_wish() -> None:
    change = one(
        Plain(),
        ThingSpec(tags={"a": "1", "b": "2"}),
        seen(ThingSpec(tags={"a": "9"})),
        recorded(ThingSpec(tags={"a": "1"})),
    )
    assert {each.path: each.outside for each in change.fields} == {"tags.a": True, "tags.b": False}


def test_a_minor_version_put_back_from_outside_is_marked_whichever_minor_is_wanted() -> None:
    change = one(Plain(), ThingSpec(version="16"), seen(ThingSpec(version="15.1")), recorded(ThingSpec(version="16.8")))
    assert [(each.path, each.outside) for each in change.fields] == [("version", True)]


@pytest.mark.parametrize(("confirmed", "blocked"), [(None, False), (7, True)])
def test_what_could_not_be_read_counts_as_it_was_confirmed_last(confirmed: int | None, *, blocked: bool) -> None:
    made = recorded(ThingSpec(limit=3), phase=Phase.MAKING)
    if confirmed is not None:
        made = half_made(ThingSpec(limit=confirmed), ThingSpec(limit=3))
    change = one(Plain(), ThingSpec(limit=3), seen(ThingSpec(limit=3), unreadable={"limit": "fake:GetLimit"}), made)
    assert (change.blocked is not None) == blocked


# -- promises --------------------------------------------------------------------------------------------------------


def two(kind: Plain, first: Observation, second: Observation, link: str = "<{}>") -> Plan:
    stack = Stack()
    role = stack.add(kind, "first", SMALL)
    stack.add(Plain(), "second", ThingSpec(link=link.format(role.out.arn)))
    return planned(stack, {f"{kind.type}/first": first, "plain/second": second})


def test_what_is_known_already_is_compared_as_a_value() -> None:
    plan = two(Plain(), seen(), seen(ThingSpec(link="<x>")))
    assert plan.is_empty
    assert plan.outputs == {"plain/first": {"arn": "x"}, "plain/second": {"arn": "x"}}


@pytest.mark.parametrize("first", [Absent(), seen(deleting=True), seen(outputs=None)])
def test_users_of_what_is_not_known_yet_may_change_in_place(first: Observation) -> None:
    change = two(Plain(), first, seen(ThingSpec(link="<x>"))).changes[1]
    assert change.action is Action.UPDATE
    assert change.fields == (FieldChange("link", "<x>", AFTER_APPLY),)


@pytest.mark.parametrize(
    ("before", "defaults", "outside"),
    [({}, {"tags.a"}, False), ({}, set(), True), ({"a": "mine"}, {"tags.a"}, True)],
    ids=["a new wish", "set by somebody", "reset by somebody"],
)
def test_a_new_wish_over_the_default_of_aws_is_no_change_of_anybodys(
    before: dict[str, str], defaults: set[str], *, outside: bool
) -> None:
    sight = seen(ThingSpec(tags={"a": "default"}), defaults=frozenset(defaults))
    change = one(Plain(), ThingSpec(tags={"a": "wanted"}), sight, recorded(ThingSpec(tags=before)))
    assert change.fields == (FieldChange("tags.a", "default", "wanted", outside=outside),)
    assert change.outside is outside


def test_a_removal_tells_what_it_costs_the_rest() -> None:
    plan = planned(Stack(), {"plain/a": seen(removal_impact=Impact.FAILOVER)}, recorded())
    assert [(one.action, one.impact) for one in plan.changes] == [(Action.DELETE, Impact.FAILOVER)]


@pytest.mark.parametrize(
    ("want", "taker", "impact"),
    [
        (ThingSpec(version="16.9"), "plain/b", Impact.FAILOVER),
        (ThingSpec(version="16.9"), "plain/c", Impact.NONE),
        (ThingSpec(mode="wild"), "plain/b", Impact.NONE),
        (SMALL, "plain/b", Impact.NONE),
    ],
)
def test_the_removal_of_what_has_taken_over_by_then_is_one_more_failover(
    want: ThingSpec, taker: str, impact: Impact
) -> None:
    sights: dict[str, Observation] = {"plain/a": seen(hands_over_to=taker), "plain/b": seen()}
    going = recorded().model_copy(update={"id": "b"})
    plan = planned(stack_of(Stack(), Plain(), want), sights, recorded(), going)
    assert plan.changes[1].impact is impact
    assert plan.impacts["failover"] == (want.version != "16.8") + (impact is Impact.FAILOVER)


@pytest.mark.parametrize(("before", "outside"), [("<x>", False), ("<y>", True)])
def test_what_will_be_known_later_was_changed_outside_where_the_record_says_so(before: str, outside: bool) -> None:
    stack = Stack()
    early = stack.add(Early(), "e", ThingSpec())
    stack.add(Plain(), "a", ThingSpec(link=early.out.arn))
    made = recorded(ThingSpec(link=before))
    (_, change) = planned(stack, {"early/e": Absent(), "plain/a": seen(ThingSpec(link="<x>"))}, made).changes
    assert [one.outside for one in change.fields if one.path == "link"] == [outside]


def test_users_of_what_is_replaced_may_change_in_place() -> None:
    plan = two(Leaf(), seen(ThingSpec(zone="b")), seen(ThingSpec(link="<x>")))
    assert [each.action for each in plan.changes] == [Action.REPLACE, Action.UPDATE]


def test_what_may_change_is_permitted_at_what_changing_it_in_place_costs() -> None:
    stack = Stack()
    role = stack.add(Plain(), "first", SMALL)
    stack.add(Plain(), "second", ThingSpec(mode=role.out.arn, zone=role.out.arn))

    change = planned(stack, {"plain/first": Absent(), "plain/second": seen()}).changes[1]

    assert change.action is Action.UPDATE
    assert change.impact is Impact.RESTART


def test_an_in_place_update_never_changes_outputs() -> None:
    stack = Stack()
    role = stack.add(Plain(), "first", LARGE)
    stack.add(Plain(), "second", ThingSpec(link=role.out.arn))

    plan = planned(stack, {"plain/first": seen(), "plain/second": seen(ThingSpec(link="x"))})

    assert [each.action for each in plan.changes] == [Action.UPDATE, Action.NOTHING]


def test_what_is_created_shows_what_is_known_only_after_the_apply() -> None:
    plan = two(Plain(), Absent(), Absent())
    assert FieldChange("link", None, AFTER_APPLY) in plan.changes[1].fields


# -- what the look already proved ------------------------------------------------------------------------------------


def test_what_needs_nothing_is_recorded_where_its_record_is_missing_or_differs() -> None:
    stack = stack_of(Stack(), Plain(), SMALL)
    sights: dict[str, Observation] = {"plain/a": seen()}
    made = recorded()

    assert planned(stack, sights).confirmed == (made,)
    assert planned(stack, sights, recorded(LARGE)).confirmed == (made,)
    assert planned(stack, sights, recorded(phase=Phase.MAKING)).confirmed == (made,)
    assert planned(stack, sights, made).confirmed == ()


def test_what_could_not_be_read_is_confirmed_as_it_was_recorded_or_not_at_all() -> None:
    stack = stack_of(Stack(), Plain(), ThingSpec(limit=3))
    sights: dict[str, Observation] = {"plain/a": seen(ThingSpec(limit=3), unreadable={"limit": "fake:GetLimit"})}

    def limits(*entries: Entry) -> list[Any]:
        return [made.spec.get("limit", "not recorded") for made in planned(stack, sights, *entries).confirmed]

    assert limits() == ["not recorded"]
    assert limits(entry(Plain(), spec={"limit": 3})) == [3]
    assert limits(recorded(ThingSpec(limit=3), phase=Phase.MAKING)) == ["not recorded"]


def test_what_needs_something_or_must_not_be_done_is_not_confirmed() -> None:
    for sight in (seen(LARGE), seen(settled=False), seen(owner=THEIRS), Absent()):
        assert planned(stack_of(Stack(), Plain(), SMALL), {"plain/a": sight}).confirmed == ()


def test_residents_that_are_not_ours_are_unexpected_and_left_alone() -> None:
    stack = stack_of(Stack(), Early(), SMALL)
    stack.add(Plain(), "member", SMALL)
    residents = frozenset({"plain/member", "plain/recorded", "plain/extra"})

    plan = planned(
        stack,
        {"early/a": seen(members=residents), "plain/member": seen(), "data/x": seen(), "plain/recorded": seen()},
        entry(Plain(), id="recorded"),
    )

    assert plan.changes[0].foreign_members == ("plain/extra",)
    assert {change.address for change in plan.work} == {"plain/recorded"}
    assert Data.type not in plan.outputs


def test_an_exposure_is_reported_and_left_alone() -> None:
    stack = stack_of(Stack(), Open(), SMALL)
    live = SMALL.model_copy(update={"items": frozenset({"stranger"})})

    plan = planned(stack, {"open/a": seen(live)})

    (change,) = plan.changes
    assert (change.action, change.fields) == (Action.NOTHING, ())
    assert [(part.path, part.have) for part in change.left] == [("items", "stranger")]
    assert [confirmed.spec["items"] for confirmed in plan.confirmed] == [[]]


MOVED = ThingSpec(zone="b", tags={"team": "ours"})
"""Wanted of a thing that is in another zone, and so is replaced."""


def replacing(sight: Seen, *, allowed: bool = False) -> Change:
    """The replacement of a thing whose tags are left as they are, by a waiver."""
    (change,) = make_plan(
        stack_of(Stack(), Hung(), MOVED),
        {},
        {"hung/a": sight},
        CLAIMANT,
        KINDS,
        allowed=["hung/a"] if allowed else [],
        spares=lambda _, path, __: path.startswith("tags."),
    ).changes
    assert change.action is Action.REPLACE
    return change


LOADED = ThingSpec(size="large", tags={"team": "theirs", "more": "x"}, items=frozenset({"stranger"}))


@pytest.mark.parametrize("failure", [None, "broken"])
def test_what_hangs_on_the_replaced_and_what_is_waived_goes_where_its_address_is_named(failure: str | None) -> None:
    change = replacing(seen(LOADED, failure=failure))
    gone = [
        FieldChange("tags.more", "x", None, Impact.REPLACE),
        FieldChange("tags.team", "theirs", "ours", Impact.REPLACE),
        FieldChange("items", "stranger", None, Impact.REPLACE),
    ]
    assert [*change.fields] == [FieldChange("zone", "a", "b", Impact.REPLACE), *gone]
    assert [part.path for part in change.left] == ["size"], "the new one gets it, too"
    assert change.note.endswith("goes with the old one, and is not made again: tags.more, tags.team, items")
    assert isinstance(change.blocked, ConsentMissing)
    assert change.blocked.hint == (
        "if that may go: --allow hung/a, which takes off what it leaves else, too: size; "
        "otherwise take back in the files what replaces it: zone"
    )

    permitted = replacing(seen(LOADED, failure=failure), allowed=True)
    assert (permitted.blocked, permitted.left) == (None, ())
    assert {field.path for field in permitted.fields} == {"zone", "size", "tags.more", "tags.team", "items"}


def test_the_consent_that_a_broken_one_wants_tells_of_no_change_to_take_back() -> None:
    (change,) = make_plan(
        stack_of(Stack(), Hung(), SMALL),
        {},
        {"hung/a": seen(SMALL.model_copy(update={"items": frozenset({"stranger"})}), failure="broken")},
        CLAIMANT,
        KINDS,
    ).changes
    assert change.blocked is not None
    assert change.blocked.hint == "if that may go: --allow hung/a"


@pytest.mark.parametrize("allowed", [False, True])
def test_what_others_hold_is_not_replaced(allowed: bool) -> None:
    blocked = replacing(seen(SMALL.model_copy(update={"link": "their's"})), allowed=allowed).blocked
    assert isinstance(blocked, Refused)
    assert "unlink a 'their'\"'\"'s'" in (blocked.hint or "")


@pytest.mark.parametrize("field", ["items", "link"])
def test_what_may_hang_on_the_replaced_has_to_be_read(field: str) -> None:
    blocked = replacing(seen(unreadable={field: "thing:List"}), allowed=True).blocked
    assert isinstance(blocked, FieldUnreadable)
    assert "allow thing:List" in (blocked.hint or "")


def test_what_aws_refuses_to_tell_for_another_reason_is_no_missing_permission() -> None:
    sight = seen(unreadable={"items": "thing:List"}, refusals={"items": "refused: InvalidRequest"})
    blocked = replacing(sight, allowed=True).blocked
    assert isinstance(blocked, FieldUnreadable)
    assert (blocked.evidence, blocked.hint) == (
        "thing:List refused: InvalidRequest",
        "run the same command again later",
    )


def test_a_plan_says_what_is_to_be_done() -> None:
    stack = stack_of(Stack(), Plain(), SMALL)
    stack.add(Leaf(), "a", LARGE)
    plan = planned(stack, {"plain/a": seen(settled=False), "leaf/a": seen()})

    assert [change.address for change in plan.work] == ["plain/a", "leaf/a"]
    assert [change.address for change in plan.to(Action.UPDATE)] == ["leaf/a"]
    assert not plan.is_empty
    assert planned(Stack(), {}).is_empty
