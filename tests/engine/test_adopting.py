"""Resources of somebody else are taken over where they are named: with what changes shown, and never by replacing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapctl.engine.converge import Job, converge
from tapctl.engine.events import Result
from tapctl.engine.model import Observed
from tapctl.engine.plan import Action, Change
from tapctl.engine.planner import make_plan
from tapctl.engine.resources import Stack
from tapctl.errors import Refused
from tests.engine.driving import quiet
from tests.engine.kinds import KINDS, LARGE, SMALL, Data, Leaf, Plain, ThingOutputs, ThingSpec, resource
from tests.engine.world import CLAIMANT, OURS, THEIRS, World

TAGGED = ThingSpec(size="large", tags=OURS.tags)


class Facet(Plain):
    """Lives on a plain thing, whose owner is its own."""

    type = "facet"
    parent_type = "plain"


def planned(kind: Plain, want: ThingSpec, *, adopted: tuple[str, ...], **sight: Any) -> Change:
    stack = Stack()
    stack.add(kind, "a", want)
    seen = Observed(sight.pop("spec", SMALL), ThingOutputs(arn="x"), owner=THEIRS, **sight)
    return make_plan(stack, {}, {f"{kind.type}/a": seen}, CLAIMANT, KINDS, adopted=adopted).changes[0]


def test_what_is_not_ours_is_refused_and_the_hint_says_how_to_take_it_over() -> None:
    blocked = planned(Plain(), LARGE, adopted=()).blocked
    assert isinstance(blocked, Refused)
    assert "--adopt plain/a" in str(blocked.hint)


def test_what_is_named_is_changed_in_place_and_the_plan_says_whose_it_was() -> None:
    change = planned(Plain(), TAGGED, adopted=("plain/a",))
    assert (change.action, change.blocked, change.adopts) == (Action.UPDATE, None, True)
    assert change.note == "taken over; its tags say: ManagedBy=terraform, EnvironmentSuffix=shop"
    assert [one.path for one in change.fields] == [
        "size",
        "tags.Environment",
        "tags.EnvironmentSuffix",
        "tags.ManagedBy",
    ]


def test_a_facet_is_taken_over_with_what_it_lives_on() -> None:
    assert planned(Facet(), LARGE, adopted=("plain/a",)).adopts
    assert planned(Facet(), LARGE, adopted=("plain/b",)).blocked is not None


@pytest.mark.parametrize(("kind", "why"), [(Leaf(), "it is somebody else's"), (Data(), "it holds data")])
def test_an_adopted_resource_is_never_replaced(kind: Plain, why: str) -> None:
    for sight in ({"spec": ThingSpec(zone="b")}, {"failure": "broken"}):
        change = planned(kind, SMALL, adopted=(f"{kind.type}/a",), **sight)
        assert change.action is not Action.REPLACE
    blocked = planned(kind, SMALL, adopted=(f"{kind.type}/a",), spec=ThingSpec(zone="b")).blocked
    assert blocked is not None
    assert why in blocked.cause


def test_an_adopted_resource_is_changed_and_recorded() -> None:
    world = World()
    world.put(Plain(), "a", SMALL, owner=THEIRS)
    one = resource(Plain(), TAGGED)
    change = Change(one.address, one.type, one.id, Action.UPDATE, adopts=True)

    assert converge(Job(one, change, None), world.context(), quiet).result is Result.UPDATED
    assert world.things["plain/a"].spec == TAGGED
    assert world.journal.entries["plain/a"].outputs is not None


def test_what_was_not_named_stays_somebody_elses() -> None:
    world = World()
    world.put(Plain(), "a", SMALL, owner=THEIRS)
    one = resource(Plain(), TAGGED)
    change = Change(one.address, one.type, one.id, Action.UPDATE)

    with pytest.raises(Refused, match="is not ours"):
        converge(Job(one, replace(change, adopts=False), None), world.context(), quiet)
    assert world.calls == []
