"""A change of somebody else's after the plan was made: put back with what was planned, and told by its path."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.engine.converge import Job, converge
from tapctl.engine.events import Result
from tapctl.engine.plan import AFTER_APPLY
from tapctl.engine.resources import Stack
from tests.engine.driving import plan, quiet, there
from tests.engine.kinds import Key, OneByOne, Plain, ThingSpec
from tests.engine.traits import Looks, shows
from tests.engine.world import World

WANT = ThingSpec(size="large", tags={"team": "pay"}, items=frozenset("pq"))


def planned_job(world: World, kind: Plain, want: ThingSpec = WANT) -> Job:
    """The update of what is there, as it was planned now."""
    stack = Stack()
    one = stack.add(kind, "a", want)
    return Job(one, plan(world, stack).changes[0], None)


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        ({}, ""),
        ({"link": "b"}, "link"),
        ({"link": "b", "limit": 3}, "limit, link"),
        ({"size": "middle"}, "size"),
        ({"items": frozenset("pz")}, "items"),
        ({"tags": {"team": "pay", "owner": "eve"}}, "tags"),
    ],
)
def test_what_is_put_back_beside_the_plan_is_named(meanwhile: dict[str, Any], told: str) -> None:
    world = there(Plain(), spec=ThingSpec(tags={"team": "pay"}, items=frozenset("p")))
    job = planned_job(world, Plain())
    world.put(Plain(), "a", world.things["plain/a"].spec.model_copy(update=meanwhile))

    done = converge(job, world.context(), quiet)

    assert (done.result, world.things["plain/a"].spec) == (Result.UPDATED, WANT)
    assert done.remark == (f"changed since it was planned, and put back too: {told}" if told else "")


def test_what_our_own_calls_move_of_what_was_planned_is_nobody_elses() -> None:
    world = there(OneByOne())
    done = converge(planned_job(world, OneByOne()), world.context(), quiet)
    assert (len(world.calls), done.remark) == (4, "")


def test_what_somebody_changes_between_two_calls_is_named() -> None:
    world = there(OneByOne())
    job = planned_job(world, OneByOne())
    world.traits.append(Looks([world.looks["one-by-one/a"] + 3], shows(link="b")))
    done = converge(job, world.context(), quiet)
    assert done.remark == "changed since it was planned, and put back too: link"


def test_a_value_that_only_the_apply_can_know_was_planned() -> None:
    world, stack = there(Plain(), spec=ThingSpec(link="arn:old")), Stack()
    key = stack.add(Key(), "k", ThingSpec())
    one = stack.add(Plain(), "a", ThingSpec(link=key.out.arn))
    job = Job(one, plan(world, stack).changes[1], None)
    assert job.change.fields[0].want == AFTER_APPLY
    converge(Job(key, plan(world, stack).changes[0], None), context := world.context(), quiet)
    assert converge(job, context, quiet).remark == ""
