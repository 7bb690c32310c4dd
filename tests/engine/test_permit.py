"""An apply may do less than its plan, never more: nothing that costs more than what was confirmed."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Result
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action
from tapctl.errors import NotConverged
from tests.engine.driving import bring
from tests.engine.kinds import LARGE, SMALL, Leaf, Plain, ThingSpec, resource
from tests.engine.traits import Looks, shows
from tests.engine.world import World


@pytest.mark.parametrize(
    ("action", "impact", "there", "want"),
    [
        (Action.SETTLE, Impact.NONE, SMALL, LARGE),
        (Action.UPDATE, Impact.NONE, SMALL, ThingSpec(mode="wild")),
        (Action.UPDATE, Impact.RESTART, SMALL, ThingSpec(version="16.9")),
        (Action.UPDATE, Impact.FAILOVER, None, SMALL),
        (Action.CREATE, Impact.NONE, ThingSpec(zone="b"), SMALL),
    ],
)
def test_an_apply_does_nothing_that_costs_more_than_its_plan(
    action: Action, impact: Impact, there: ThingSpec | None, want: ThingSpec
) -> None:
    world = World()
    if there is not None:
        world.put(Leaf(), "a", there)

    with pytest.raises(NotConverged, match="has changed since it was planned") as caught:
        bring(world, resource(Leaf(), want), action, impact)
    assert "nothing was done with it" in str(caught.value.hint)
    assert world.log == []


def test_what_was_done_before_the_plan_was_overtaken_is_not_denied() -> None:
    world = World(Looks([2], shows(size="large", mode="wild")))
    world.put(Plain(), "a", SMALL)

    with pytest.raises(NotConverged, match="has changed since it was planned") as caught:
        bring(world, resource(Plain(), LARGE), Action.UPDATE)
    assert "nothing was done" not in str(caught.value.hint)
    assert world.calls == ["update plain/a"]


@pytest.mark.parametrize(
    ("action", "there", "want", "result"),
    [
        (Action.REPLACE, None, SMALL, Result.CREATED),
        (Action.REPLACE, SMALL, ThingSpec(version="16.9"), Result.UPDATED),
        (Action.CREATE, SMALL, ThingSpec(version="16.9"), Result.CREATED),
        (Action.CREATE, SMALL, SMALL, Result.UNCHANGED),
        (Action.UPDATE, SMALL, SMALL, Result.UNCHANGED),
    ],
)
def test_an_apply_may_do_less_than_its_plan(
    action: Action, there: ThingSpec | None, want: ThingSpec, result: Result
) -> None:
    world = World()
    if there is not None:
        world.put(Leaf(), "a", there)

    assert bring(world, resource(Leaf(), want), action).result is result
