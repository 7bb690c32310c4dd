"""AWS shows things late, by halves, or not at all: what the engine believes, and for how long."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Result
from tapctl.engine.model import Retained
from tapctl.engine.plan import Action
from tapctl.engine.record import Phase
from tapctl.errors import NotConverged
from tests.engine.driving import bring, large
from tests.engine.kinds import LARGE, SMALL, Key, OneByOne, Plain, ThingSpec, resource
from tests.engine.traits import (
    Deaf,
    Flapping,
    HalfVisible,
    Looks,
    OnceAfter,
    Shy,
    Slow,
    SlowDelete,
    Stranger,
    Until,
    nothing,
    shows,
)
from tests.engine.world import OURS, Thing, World

A_DAY = range(1, 100_000)


def test_what_was_made_and_does_not_show_yet_is_not_made_again() -> None:
    world = World(Shy(100))

    assert bring(world, resource(Plain())).result is Result.CREATED
    assert world.calls == ["create plain/a"]


def test_what_was_made_and_never_shows_ends_after_the_propagation_time() -> None:
    world = World(Shy(10_000))

    with pytest.raises(NotConverged, match="was made and does not show"):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130
    assert world.calls == ["create plain/a"]
    assert world.journal.entries["plain/a"].phase is Phase.MAKING


def test_absence_after_it_was_seen_is_lag() -> None:
    world = World(Looks([3, 4, 5], nothing), Slow(creating=5))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]


def test_what_was_seen_and_stays_away_has_vanished() -> None:
    world = World(Slow(creating=600))
    world.clock.at(50, world.things.clear)

    with pytest.raises(NotConverged, match="was there and has vanished"):
        bring(world, resource(Plain()))
    assert 170 < world.clock.now() < 190
    assert world.calls == ["create plain/a"]


def test_what_keeps_coming_and_going_has_not_vanished() -> None:
    world = World(Slow(creating=500), Looks(range(3, 400, 2), nothing))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]


def test_a_name_that_is_taken_is_looked_at_again_and_may_be_our_own_lost_answer() -> None:
    mine = Thing(SMALL, Plain.outputs(arn="x"), OURS)
    world = World(Stranger(mine, shy=60))

    assert bring(world, resource(Plain())).result is Result.UNCHANGED
    assert world.calls == []


def test_a_name_held_by_what_cannot_be_seen_ends_with_that_sentence() -> None:
    world = World(Stranger(Thing(SMALL, Plain.outputs(arn="x"), None), shy=10_000))

    with pytest.raises(NotConverged, match="its name may be held by something these credentials cannot see"):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130
    assert world.calls == []


def test_a_name_that_is_taken_by_what_is_just_going_is_made_once_it_is_gone() -> None:
    world = World(SlowDelete(300), Looks([1], nothing))
    world.put(Plain(), "a", SMALL, going_since=0.0)

    assert bring(world, resource(Plain())).result is Result.CREATED
    assert world.calls == ["create plain/a"]
    assert world.clock.now() >= 300


def test_what_is_going_is_waited_for_and_made_anew() -> None:
    world = World(SlowDelete(300))
    world.put(Plain(), "a", ThingSpec(zone="b"), going_since=0.0)

    assert bring(world, resource(Plain())).result is Result.CREATED
    assert world.things["plain/a"].spec == SMALL


def test_what_is_pending_deletion_is_brought_back_by_its_create() -> None:
    world = World()
    world.put(Key(), "a", SMALL, going_since=0.0, kept=Retained("2031-05-06", "pending deletion"))

    bring(world, resource(Key(), LARGE))

    assert world.calls == ["create key/a", "update key/a"]
    assert world.made["key/a"] == 1


def test_what_stays_pending_deletion_ends_after_the_propagation_time() -> None:
    world = World(Deaf("create"))
    world.put(Key(), "a", SMALL, going_since=0.0, kept=Retained("2031-05-06", "pending deletion"))

    with pytest.raises(NotConverged, match="AWS did not bring it back"):
        bring(world, resource(Key()))
    assert world.calls == ["create key/a"]
    assert 120 < world.clock.now() < 130


def test_a_settled_thing_that_ignores_what_was_asked_gets_the_propagation_time() -> None:
    world = World(Deaf("update"))

    with pytest.raises(NotConverged, match="AWS did not take size"):
        bring(world, large(world), Action.UPDATE)
    assert world.calls == ["update plain/a"]
    assert 120 < world.clock.now() < 130


def test_a_field_taken_one_item_a_call_is_not_asked_for_without_end_where_aws_ignores_it() -> None:
    world = World(Deaf("update"))
    world.put(OneByOne(), "a", SMALL)

    with pytest.raises(NotConverged) as caught:
        bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pq"))), Action.UPDATE)
    assert "a part of items was asked for and does not show" in str(caught.value.evidence)
    assert 120 < world.clock.now() < 136
    assert len(world.calls) < 50


def test_a_part_that_never_shows_is_asked_for_again_as_it_may_be_nothing_that_shows() -> None:
    """A failover, after which the same instance takes another change."""
    world = World(Deaf("update", [1]))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pq"))), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 3
    assert world.clock.now() >= 0.9


def test_a_field_taken_one_item_a_call_waits_for_each_to_show() -> None:
    world = World(HalfVisible("items", 30))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pqr"))), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 3


def test_the_propagation_time_counts_from_when_aws_has_settled_again() -> None:
    world = World(Slow(changing=1000), Until(1060, shows(size="small")))

    bring(world, large(world), Action.UPDATE)

    assert world.calls == ["update plain/a"]


def test_one_stale_look_after_it_was_in_force_ends_nothing() -> None:
    world = World(Slow(changing=1000), OnceAfter(1000, shows(size="small")))

    bring(world, large(world), Action.UPDATE)

    assert world.calls == ["update plain/a"]


def test_somebody_who_keeps_changing_it_back_ends_the_node_and_is_told() -> None:
    world = World(Flapping("size", "small", delay=10), HalfVisible("limit", 100_000))
    world.put(Plain(), "a", SMALL)

    with pytest.raises(NotConverged, match="somebody else keeps changing size"):
        bring(world, resource(Plain(), ThingSpec(size="large", limit=3)), Action.UPDATE)
    assert world.calls == ["update plain/a"]
    assert world.clock.now() < 150


def test_identity_that_aws_never_tells_ends_after_the_propagation_time() -> None:
    world = World()
    thing = world.put(Plain(), "a", SMALL)
    thing.outputs = None

    with pytest.raises(NotConverged, match="AWS does not tell its identity"):
        bring(world, resource(Plain()), Action.SETTLE)


def test_what_we_made_and_somebody_removes_at_once_has_vanished() -> None:
    world = World(Slow(creating=600), SlowDelete(200))
    world.clock.at(50, lambda: setattr(world.things["plain/a"], "going_since", 50.0))

    with pytest.raises(NotConverged, match="was there and has vanished"):
        bring(world, resource(Plain()))
    assert world.calls == ["create plain/a"]
    assert world.clock.now() >= 250 + 120
