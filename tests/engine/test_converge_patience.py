"""AWS takes its time, refuses for a while, or gives up: how long each wait is, and how it ends."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Progress
from tapctl.engine.model import Impact
from tapctl.engine.plan import Action
from tapctl.errors import AwsRefused, NotConverged, Patience
from tests.engine.driving import Told, bring, large
from tests.engine.kinds import LARGE, SMALL, Data, OneByOne, Plain, ThingSpec, resource
from tests.engine.traits import (
    Failing,
    HalfVisible,
    Lossy,
    Refusing,
    Shy,
    Slow,
    refused,
)
from tests.engine.world import World

A_DAY = range(1, 100_000)


@pytest.mark.parametrize(
    ("patience", "longest"), [(Patience.PROPAGATION, 120), (Patience.BUSY, 300), (Patience.LONG, 1800)]
)
def test_a_step_that_is_refused_for_good_ends_after_its_patience_with_the_reason(
    patience: Patience, longest: float
) -> None:
    world = World(Refusing("update", patience))

    with pytest.raises(NotConverged, match="did not get there in time") as caught:
        bring(world, large(world), Action.UPDATE)
    assert "update is refused for now" in str(caught.value.evidence)
    assert longest < world.clock.now() < longest + 16
    assert world.calls == []


@pytest.mark.parametrize(("patience", "longest"), [(Patience.PROPAGATION, 120), (Patience.BUSY, 300)])
def test_what_was_taken_for_not_yet_and_never_passes_is_the_no_that_aws_said(
    patience: Patience, longest: float
) -> None:
    """A wrong policy is told as one, and not as a time-out."""
    said = AwsRefused("lambda", "CreateFunction", "InvalidParameterValueException", "the role may not", request_id="r1")
    world = World(Refusing("update", patience, said=said))

    with pytest.raises(AwsRefused) as caught:
        bring(world, large(world), Action.UPDATE)
    assert "InvalidParameterValueException on lambda:CreateFunction: the role may not (request r1)" in str(caught.value)
    assert "longer than that passes by itself: update is refused for now" in str(caught.value.evidence)
    assert longest < world.clock.now() < longest + 16


def test_a_state_that_lasts_as_long_as_it_may_is_a_time_out_whatever_aws_said() -> None:
    world = World(Refusing("update", Patience.LONG, said=refused()))

    with pytest.raises(NotConverged, match="did not get there in time"):
        bring(world, large(world), Action.UPDATE)


def test_throttling_is_waited_out_for_as_long_as_a_busy_state() -> None:
    world = World(Lossy("update", A_DAY, took_effect=False, code="Throttling"))

    with pytest.raises(NotConverged, match="did not get there in time") as caught:
        bring(world, large(world), Action.UPDATE)
    assert "AWS is throttling" in str(caught.value.evidence)
    assert 300 < world.clock.now() < 316


def test_a_step_that_is_refused_for_a_while_is_asked_for_again() -> None:
    world = World(Refusing("update", Patience.BUSY, until=200))

    bring(world, large(world), Action.UPDATE)

    assert world.calls == ["update plain/a"]
    assert world.clock.now() <= 216


def test_an_accepted_step_begins_the_patience_of_the_next_anew() -> None:
    class Moody(Refusing):
        """Busy for 200 s before each of its changes."""

        def after(self, call: object, world: World) -> None:
            self.until = world.clock.now() + 200

    world = World(Moody("update", Patience.BUSY, until=200))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pqr"))), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 3


def test_patience_of_one_kind_is_not_used_up_by_another() -> None:
    world = World(Refusing("update", Patience.LONG, until=1000), Refusing("update", Patience.PROPAGATION, until=1060))

    bring(world, large(world), Action.UPDATE)

    assert world.calls == ["update plain/a"]


def test_patience_is_not_used_up_while_nothing_is_asked_for() -> None:
    world = World(Slow(creating=1000), Lossy("create", [1], took_effect=True), Lossy("update", [1], took_effect=False))
    world.clock.at(500, lambda: setattr(world.things["plain/a"], "spec", LARGE))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a", "update plain/a"]


def test_a_real_refusal_ends_the_node_at_once_with_awss_own_words() -> None:
    world = World(Refusing("update", refused()))

    with pytest.raises(AwsRefused, match="ValidationError"):
        bring(world, large(world), Action.UPDATE)
    assert world.clock.now() == 0


def test_aws_has_as_long_as_the_type_may_take_and_no_longer() -> None:
    world = World(Slow(creating=100_000))

    with pytest.raises(NotConverged, match="did not get there in time") as caught:
        bring(world, resource(Plain()))
    assert "AWS's last word: creating" in str(caught.value.evidence)
    assert 1800 < world.clock.now() < 1816


def test_each_accepted_step_has_all_the_time_that_aws_may_take() -> None:
    world = World(Slow(creating=1700, changing=1700))
    world.clock.at(1600, lambda: setattr(world.things["plain/a"], "spec", LARGE))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a", "update plain/a"]
    assert world.clock.now() > 1600 + 1700


def test_waits_tell_what_is_awaited_and_awss_own_word() -> None:
    told: Told = []
    world = World(Slow(creating=30), Shy(5))

    bring(world, resource(Plain()), emit=told.append)

    waits = [(one.status, one.awaiting) for one in told if isinstance(one, Progress)]
    assert waits[0] == ("absent", "waiting for AWS to show it")
    assert waits[-1] == ("creating", "AWS is at work: creating")


def test_looks_are_never_more_than_five_per_cent_late_and_never_more_than_15_s_apart() -> None:
    world = World(Slow(creating=1500))

    bring(world, resource(Plain()))

    now = 0.0
    for wait in world.clock.waits:
        assert 0.9 * min(max(0.25, 0.05 * now), 15) - 1e-9 <= wait <= min(max(0.25, 0.05 * now), 15) + 1e-9
        now += wait
    assert len(set(world.clock.waits)) > 10, "all at once: no jitter"


def test_a_refused_step_is_asked_for_again_after_a_second_and_later_after_a_tenth_of_the_time() -> None:
    world = World(Refusing("update", Patience.LONG, until=600))

    bring(world, large(world), Action.UPDATE)

    now = 0.0
    for wait in world.clock.waits:
        assert 0.9 * min(max(1, 0.1 * now), 15) - 1e-9 <= wait <= min(max(1, 0.1 * now), 15) + 1e-9
        now += wait


def test_a_failure_after_our_create_ends_the_node_at_once_with_awss_reason() -> None:
    world = World(Slow(creating=600), Failing("incompatible-network", 30))

    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        bring(world, resource(Data()))
    assert "incompatible-network" in str(caught.value.evidence)
    assert 30 <= world.clock.now() < 35


def test_a_failure_after_our_change_ends_the_node_at_once_with_awss_reason() -> None:
    world = World(Failing("incompatible-parameters", 30, verbs=["update"]), HalfVisible("size", 60))

    with pytest.raises(NotConverged, match="failed in AWS"):
        bring(world, large(world), Action.UPDATE, Impact.NONE)
    assert 30 <= world.clock.now() < 35
