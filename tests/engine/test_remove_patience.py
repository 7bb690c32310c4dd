"""A removal that AWS refuses for a while, does not answer, or gives up."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Result
from tapctl.errors import AwsNoAnswer, NotConverged, Patience
from tests.engine.driving import delete_until_gone, entry, there
from tests.engine.kinds import SMALL, Plain, ThingSpec
from tests.engine.traits import (
    Deaf,
    Looks,
    Lossy,
    Refusing,
    at_work,
    no_answer,
)
from tests.engine.world import World

A_DAY = range(1, 100_000)
MADE = entry(Plain(), needs=("key/k",), spec={"size": "small"}, outputs={"arn": "arn:plain/a"})


@pytest.mark.parametrize(
    ("patience", "longest"), [(Patience.PROPAGATION, 120), (Patience.BUSY, 300), (Patience.LONG, 1800)]
)
def test_a_removal_refused_for_good_ends_after_its_patience_with_the_reason(patience: Patience, longest: float) -> None:
    world = there(Plain(), Refusing("delete", patience))

    with pytest.raises(NotConverged) as caught:
        delete_until_gone(world, Plain())
    assert "delete is refused for now" in str(caught.value.evidence)
    assert longest < world.clock.now() < longest + 16


def test_a_removal_refused_for_a_while_is_asked_for_again() -> None:
    world = there(Plain(), Refusing("delete", Patience.BUSY, until=200))

    delete_until_gone(world, Plain())

    assert world.calls == ["delete plain/a"]


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_removal_whose_answer_is_lost_is_asked_for_again_only_where_it_is_still_there(took_effect: bool) -> None:
    world = there(Plain(), Lossy("delete", [1], took_effect=took_effect))

    assert delete_until_gone(world, Plain()).result is Result.DELETED
    assert world.calls == ["delete plain/a"]


def test_removals_whose_answers_are_always_lost_end_after_the_propagation_time_and_ask_seldom() -> None:
    world = there(Plain(), Lossy("delete", A_DAY, took_effect=False))

    with pytest.raises(NotConverged) as caught:
        delete_until_gone(world, Plain())
    assert "no answer from AWS" in str(caught.value.evidence)
    assert 120 < world.clock.now() < 136
    assert world.asked["delete", "plain/a"] < 50


def test_a_look_without_an_answer_is_no_look_and_not_for_ever() -> None:
    world = there(Plain(), Looks(range(1, 20), no_answer))
    delete_until_gone(world, Plain())
    assert world.calls == ["delete plain/a"]

    world = there(Plain(), Looks(A_DAY, no_answer))
    with pytest.raises(AwsNoAnswer):
        delete_until_gone(world, Plain())
    assert 120 < world.clock.now() < 130


def test_a_look_for_what_lingers_without_an_answer_is_no_look_and_not_for_ever() -> None:
    class Unanswered(Plain):
        def remaining_after_delete(self, aws: World, id: str, last: ThingSpec) -> str | None:
            return str(no_answer(None))

    world = World()
    with pytest.raises(AwsNoAnswer):
        delete_until_gone(world, Unanswered(), last=SMALL)
    assert 120 < world.clock.now() < 130


def test_what_aws_gave_up_on_is_removed() -> None:
    world = there(Plain())
    world.things["plain/a"].failed = "incompatible-network"

    assert delete_until_gone(world, Plain()).result is Result.DELETED


def test_a_removal_that_aws_gives_up_on_ends_at_once_with_its_reason() -> None:
    world = there(Plain(), Deaf("delete"))
    world.traits.append(Looks(range(3, 9), at_work(failed="no rights")))

    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        delete_until_gone(world, Plain())
    assert "no rights" in str(caught.value.evidence)
    assert world.calls == ["delete plain/a"]
