"""Killed before and after every changing call and every write of the record, and run again: it converges.

With what the record made durable, and nothing else, the next run makes no second one of what cannot be repeated, asks
nobody anything, and makes no changing call more than was still needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from tapctl.engine.record import Phase
from tapctl.engine.resources import Stack
from tests.engine.driving import apply, delete_until_gone, plan
from tests.engine.kinds import KINDS, Data, Early, Key, Leaf, OneByOne, Peeled, ThingSpec
from tests.engine.traits import LateOutputs, Lossy, Shy, Slow, SlowDelete
from tests.engine.world import Trait, World
from tests.support.strides import sampled


class Killed(BaseException):
    """The process is gone: nothing catches it."""


def of(size: str, zone: str = "a", items: str = "", tags: str = "", *, peeled: bool = True) -> Stack:
    """A key, a database on it, a function, and what is peeled off at its end."""
    stack = Stack()
    key = stack.add(Key(), "key", ThingSpec(tags={"v": tags}))
    data = stack.add(Data(), "data", ThingSpec(link=key.out.arn, size=size))
    early = stack.add(Early(), "early", ThingSpec(link=data.out.arn, items=frozenset("e")))
    stack.add(Leaf(), "leaf", ThingSpec(zone=zone, link=early.out.arn), after=[data])
    stack.add(OneByOne(), "rules", ThingSpec(items=frozenset(items), size=size), after=[early])
    if peeled:
        stack.add(Peeled(), "peeled", ThingSpec(items=frozenset("xy")), after=[early])
    return stack


def nothing(_: World) -> None:
    """An empty account."""


def made(world: World) -> None:
    """The first version is there."""
    apply(world, of("small", items="pq"))


@dataclass(frozen=True)
class Story:
    """The way from one world to a wanted one."""

    name: str
    before: Callable[[World], None]
    wanted: Stack
    allowed: Collection[str] = field(default=())


STORIES = [
    Story("create", nothing, of("small", items="pq")),
    Story("change", made, of("large", zone="b", items="qrs", tags="2", peeled=False)),
    Story("remove", made, Stack(), allowed=["key/key", "data/data"]),
]
SLOWLY: tuple[Callable[[], Trait], ...] = (
    lambda: Slow(creating=60, changing=30),
    lambda: SlowDelete(90),
    lambda: Shy(10),
    lambda: LateOutputs(15),
)
ORDINARY: tuple[Callable[[], Trait], ...] = ()


def begun(story: Story, traits: Collection[Callable[[], Trait]]) -> World:
    world = World(*(make() for make in traits))
    story.before(world)
    world.log.clear()
    return world


def finish(world: World, story: Story) -> None:
    apply(world, story.wanted, allowed=story.allowed)


def moments(story: Story, traits: Collection[Callable[[], Trait]]) -> tuple[int, World]:
    """Count the moments to be killed at; with the world when nobody is."""
    world, count = begun(story, traits), 0

    def moment() -> None:
        nonlocal count
        count += 1

    world.moment = moment
    finish(world, story)
    return count, world


def kill(world: World, at: int) -> None:
    """Kill the process at this moment (from 1): it does nothing more."""
    passed = 0

    def moment() -> None:
        nonlocal passed
        passed += 1
        if passed >= at:
            raise Killed

    world.moment = moment


def settled(world: World, story: Story) -> None:
    """Check that all is as wanted and recorded, nothing made twice, and a further run has nothing to do."""
    for one in story.wanted:
        there = world.things[one.address]
        assert there.going_since is None
        assert world.journal.entries[one.address].phase is Phase.MADE
    left = {here for here, thing in world.things.items() if thing.kept is None}
    assert left == {one.address for one in story.wanted}, "an orphan"
    assert world.made["key/key"] == 1, "a second one of what cannot be repeated"
    calls = list(world.calls)
    again = plan(world, story.wanted)
    assert again.is_empty
    assert again.confirmed == ()
    finish(world, story)
    assert world.calls == calls


@pytest.mark.parametrize(
    ("story", "traits"),
    [
        *(pytest.param(story, ORDINARY, id=story.name) for story in STORIES),
        *(pytest.param(story, SLOWLY, id=f"{story.name} slowly", marks=pytest.mark.soak) for story in STORIES),
    ],
)
def test_killed_at_any_moment_and_run_again_it_is_done(story: Story, traits: Collection[Callable[[], Trait]]) -> None:
    many, undisturbed = moments(story, traits)
    settled(undisturbed, story)
    needed = sorted(undisturbed.calls)
    assert many > 2 * len(needed)

    for at in range(1, many + 1):
        world = begun(story, traits)
        kill(world, at)
        with pytest.raises(Killed):
            finish(world, story)
        world.moment = lambda: None
        finish(world, story)
        assert sorted(world.calls) == needed, f"killed at {at}"
        settled(world, story)


@pytest.mark.soak
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_killed_at_any_two_moments_and_run_again_it_is_done(story: Story) -> None:
    many, undisturbed = moments(story, ORDINARY)
    for first in sampled(range(1, many + 1, 3), 4):
        for second in range(1, many - first, 5):
            world = begun(story, ORDINARY)
            for at in (first, second):
                kill(world, at)
                with pytest.raises(Killed):
                    finish(world, story)
            world.moment = lambda: None
            finish(world, story)
            assert sorted(world.calls) == sorted(undisturbed.calls)
            settled(world, story)


@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_where_the_first_answer_to_each_is_lost_it_is_done_all_the_same(
    story: Story, verb: str, took_effect: bool
) -> None:
    world = begun(story, [lambda: Shy(10)])
    world.traits.append(Lossy(verb, [1], took_effect=took_effect))
    finish(world, story)
    settled(world, story)


@pytest.mark.parametrize("phase", list(Phase))
def test_whatever_phase_a_removed_thing_was_recorded_in_its_removal_goes_on(phase: Phase) -> None:
    world = World()
    made(world)
    record = world.journal.entries["leaf/leaf"].model_copy(update={"phase": phase})
    delete_until_gone(world, KINDS["leaf"], "leaf", entry=record)
    assert "leaf/leaf" not in world.things
    assert "leaf/leaf" not in world.journal.entries
