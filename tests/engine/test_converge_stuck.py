"""AWS gave up on a change, and what was before serves on: a gap at first, the end after our own step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tapctl.engine.events import Result
from tapctl.engine.plan import Action
from tapctl.errors import NotConverged
from tests.engine.driving import bring
from tests.engine.kinds import LARGE, SMALL, OneByOne, Plain, ThingSpec, resource
from tests.engine.traits import Slow, Until
from tests.engine.world import Seen, Thing, Trait, World

OLD, NEW = "the subnet has no free address", "the key may not be used"


def stuck(seen: Seen | None, reason: str = OLD) -> Seen | None:
    return seen and replace(seen, spec=seen.spec.model_copy(update={"link": "undone"}), update_failure=reason)


@dataclass
class GivesUp(Trait):
    """AWS works on each change for so many seconds, then gives it up."""

    reason: str = OLD
    after_s: float = 0

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if seen is None or thing is None or thing.before is None:
            return seen
        if world.clock.now() < thing.changed_at + self.after_s:
            return replace(seen, settled=False)
        return stuck(seen, self.reason)


def reason(world: World, want: ThingSpec, rec: Plain | None = None) -> str:
    """How bringing it there ends."""
    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        bring(world, resource(rec or Plain(), want), Action.UPDATE)
    return str(caught.value.evidence)


def test_a_change_that_aws_gave_up_on_before_is_asked_for_again() -> None:
    world = World(Until(3, stuck))
    world.put(Plain(), "a", SMALL)
    assert bring(world, resource(Plain(), LARGE), Action.UPDATE).result is Result.UPDATED
    assert world.calls == ["update plain/a"]


def test_our_own_change_that_aws_gives_up_on_ends_the_node_at_once_with_its_reason() -> None:
    world = World(GivesUp(after_s=2))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {OLD}"
    assert world.calls == ["update plain/a"]
    assert world.clock.now() < 3


def test_the_same_failure_again_is_a_new_one_where_there_was_none_between() -> None:
    world = World(Until(0.1, stuck), GivesUp(OLD, after_s=5))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {OLD}"
    assert world.clock.now() < 7


def test_another_failure_is_a_new_one() -> None:
    world = World(Until(0.1, stuck), GivesUp(NEW))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {NEW}"
    assert world.clock.now() < 1


def test_the_old_failure_may_show_for_the_propagation_time_and_no_longer() -> None:
    world = World(Until(30, stuck))
    world.put(OneByOne(), "a", SMALL)
    bring(world, resource(OneByOne(), ThingSpec(size="large", limit=3)), Action.UPDATE)
    assert world.calls == ["update one-by-one/a"] * 3

    world = World(Until(10_000, stuck))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {OLD}"
    assert 120 < world.clock.now() < 130


def test_where_there_is_nothing_to_ask_for_it_ends_with_awss_reason() -> None:
    world = World(Slow(creating=10_000), Until(10_000, lambda seen: seen and replace(seen, update_failure=OLD)))
    world.put(Plain(), "a", SMALL)
    assert reason(world, SMALL) == f"AWS says: {OLD}"
    assert world.log == []
