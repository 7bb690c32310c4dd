"""AWS's answers get lost: a look is no look then, and a call may have taken effect."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Result
from tapctl.engine.plan import Action
from tapctl.engine.record import Phase
from tapctl.errors import AwsNoAnswer, NotConverged
from tests.engine.driving import bring, entry, large
from tests.engine.kinds import SMALL, Key, Plain, resource
from tests.engine.traits import (
    Looks,
    Lossy,
    Shy,
    ShyTags,
    Slow,
    lost,
    no_answer,
)
from tests.engine.world import World

A_DAY = range(1, 100_000)


def test_a_look_without_an_answer_is_no_look() -> None:
    world = World(Looks(range(2, 20), no_answer))

    assert bring(world, resource(Plain())).result is Result.CREATED
    assert world.calls == ["create plain/a"]


def test_looks_without_an_answer_end_after_the_propagation_time() -> None:
    world = World(Looks(A_DAY, no_answer))

    with pytest.raises(AwsNoAnswer):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130


def test_answers_lost_now_and_then_never_end_a_node_that_waits_for_minutes() -> None:
    world = World(Slow(creating=1500), Looks(range(2, 10_000, 2), no_answer))

    bring(world, resource(Plain()))

    assert world.clock.now() >= 1500


@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize("kind", [Plain(), Key()], ids=["repeatable", "not repeatable"])
def test_a_create_whose_answer_is_lost_makes_one_thing(kind: Plain, took_effect: bool) -> None:
    world = World(Lossy("create", [1], took_effect=took_effect), Shy(60))

    bring(world, resource(kind))

    assert world.made[f"{kind.type}/a"] == 1


def test_what_cannot_be_repeated_is_looked_for_before_a_second_create() -> None:
    world = World(Lossy("create", [1], took_effect=False))

    bring(world, resource(Key()))

    assert world.calls == ["create key/a"]
    assert 120 < world.clock.now() < 130


def test_what_cannot_be_repeated_and_was_throttled_is_asked_for_again_at_once() -> None:
    """AWS turned it away: there is nothing to look for."""
    world = World(Lossy("create", [1, 2], took_effect=False, code="ThrottlingException"))

    bring(world, resource(Key()))

    assert world.calls == ["create key/a"]
    assert world.clock.now() < 5


def test_what_cannot_be_repeated_is_looked_for_where_an_earlier_run_was_making_it() -> None:
    world = World(Shy(60))
    world.put(Key(), "a", SMALL)

    bring(world, resource(Key()), entry=entry(Key(), Phase.MAKING))

    assert world.calls == []


def test_where_an_earlier_run_made_nothing_after_all_it_is_made_after_the_propagation_time() -> None:
    world = World()

    bring(world, resource(Key()), entry=entry(Key(), Phase.MAKING))

    assert world.calls == ["create key/a"]
    assert 120 < world.clock.now() < 130


@pytest.mark.parametrize("took_effect", [True, False])
def test_an_update_whose_answer_is_lost_is_asked_for_again_only_where_it_does_not_show(took_effect: bool) -> None:
    world = World(Lossy("update", [1], took_effect=took_effect))

    bring(world, large(world), Action.UPDATE)

    assert world.calls == ["update plain/a"]


def test_answers_that_are_always_lost_end_after_the_propagation_time() -> None:
    world = World(Lossy("update", A_DAY, took_effect=False))

    with pytest.raises(NotConverged) as caught:
        bring(world, large(world), Action.UPDATE)
    assert str(lost("update")) in str(caught.value.evidence)
    assert 120 < world.clock.now() < 136


def test_what_we_made_and_whose_tags_show_later_is_ours() -> None:
    world = World(ShyTags(60), Slow(creating=10))

    assert bring(world, resource(Plain())).result is Result.CREATED


def test_what_we_may_have_made_is_not_called_a_strangers_before_its_tags_had_time_to_show() -> None:
    world = World(ShyTags(60), Lossy("create", [1], took_effect=True))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]
