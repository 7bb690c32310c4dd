"""What is not ours, what AWS gave up on, what cannot change in place, and bugs: where the engine stops, and how."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Result
from tapctl.engine.model import Impact, Owner
from tapctl.engine.plan import Action
from tapctl.engine.record import Entry, Phase
from tapctl.errors import NotConverged, Refused
from tests.engine.driving import bring, entry
from tests.engine.kinds import (
    LARGE,
    SMALL,
    Adopted,
    Data,
    Leaf,
    OneByOne,
    Plain,
    ThingOutputs,
    ThingSpec,
    Treasure,
    resource,
)
from tests.engine.traits import Failing, HalfVisible, Looks, Lossy, ShyTags, Slow, Stranger, Until, owned_by
from tests.engine.world import OURS, THEIRS, Seen, Thing, World

ELSEWHERE = ThingSpec(zone="b")


@pytest.mark.parametrize("owner", [THEIRS, Owner("tapctl", "staging"), None], ids=["theirs", "another suffix", "none"])
def test_what_is_not_ours_is_refused_and_left_alone(owner: Owner | None) -> None:
    world = World()
    world.put(Plain(), "a", SMALL, owner=owner)

    with pytest.raises(Refused, match="is not ours"):
        bring(world, resource(Plain(), LARGE))
    assert world.log == []


def test_what_lost_its_tags_and_is_on_record_is_ours() -> None:
    world = World()
    world.put(Plain(), "a", SMALL, owner=None, outputs=ThingOutputs(arn="x"))

    bring(world, resource(Plain(), LARGE), Action.UPDATE, entry=entry(Plain(), outputs={"arn": "x"}))

    assert world.calls == ["update plain/a"]


def test_what_aws_makes_by_itself_under_our_name_is_ours() -> None:
    world = World()
    world.put(Adopted(), "a", SMALL, owner=None)

    bring(world, resource(Adopted(), LARGE), Action.UPDATE)

    assert world.calls == ["update adopted/a"]


@pytest.mark.parametrize("before", [None, entry(Plain(), Phase.MADE, outputs={"arn": "old"})])
@pytest.mark.parametrize("owner", [THEIRS, None], ids=["theirs", "nobody's"])
def test_a_stranger_who_took_the_name_first_is_refused_and_the_record_says_nothing_of_it(
    owner: Owner | None, before: Entry | None
) -> None:
    world = World(Stranger(Thing(SMALL, ThingOutputs(arn="x"), owner), shy=20))
    if before is not None:
        world.journal.put(before)

    with pytest.raises(Refused, match="is not ours"):
        bring(world, resource(Plain()), entry=before)
    assert world.calls == []
    assert list(world.journal.entries.values()) == ([] if before is None else [before])


def test_what_we_have_changed_and_somebody_then_claims_stays_on_record() -> None:
    world = World(Slow(changing=60), Looks(range(5, 9), owned_by(THEIRS)))
    world.put(Plain(), "a", SMALL)

    with pytest.raises(Refused, match="is not ours"):
        bring(world, resource(Plain(), LARGE), Action.UPDATE)
    assert world.journal.entries["plain/a"].phase is Phase.MAKING


def test_tags_that_never_show_after_a_lost_answer_are_a_strangers() -> None:
    world = World(ShyTags(10_000), Lossy("create", [1], took_effect=True))

    with pytest.raises(Refused, match="is not ours"):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130


def test_what_is_replaced_does_not_wait_for_what_lingers_of_it() -> None:
    """It is made anew under the same name: an outage of 45 minutes would serve nobody."""
    world = World()
    world.put(Leaf(), "a", ThingSpec(zone="b"))
    world.holds["leaf/a"] = 1000

    bring(world, resource(Leaf()), Action.REPLACE, Impact.REPLACE)

    assert world.calls == ["delete leaf/a", "create leaf/a"]
    assert world.clock.now() < 1


# -- given up by AWS ---------------------------------------------------------------------------------------------------


def test_a_leaf_that_aws_gave_up_on_is_replaced() -> None:
    world = World()
    world.put(Leaf(), "a", SMALL, failed="disk broken")

    assert bring(world, resource(Leaf()), Action.REPLACE).result is Result.REPLACED
    assert world.log == ["record leaf/a making", "delete leaf/a", "create leaf/a", "record leaf/a made"]


def test_data_that_aws_gave_up_on_is_neither_changed_nor_replaced() -> None:
    world = World()
    world.put(Data(), "a", SMALL, failed="inaccessible-encryption-credentials")

    with pytest.raises(Refused, match="holds data") as caught:
        bring(world, resource(Data(), LARGE), Action.REPLACE)
    assert "inaccessible-encryption-credentials" in str(caught.value.evidence)
    assert world.log == []


def test_anything_else_that_aws_gave_up_on_is_asked_again() -> None:
    world = World()
    world.put(Plain(), "a", SMALL, failed="image not found")

    assert bring(world, resource(Plain(), LARGE), Action.UPDATE).result is Result.UPDATED


def test_what_aws_gave_up_on_and_there_is_nothing_to_ask_for_ends_with_awss_reason() -> None:
    world = World()
    world.put(Plain(), "a", SMALL, failed="image not found")

    with pytest.raises(NotConverged, match="failed in AWS") as caught:
        bring(world, resource(Plain()), Action.UPDATE)
    assert "image not found" in str(caught.value.evidence)
    assert world.log == []


def _broken(seen: Seen | None) -> Seen | None:
    return seen and Seen(seen.spec, seen.outputs, settled=False, failure="image not found", owner=seen.owner)


def test_the_old_failure_may_show_for_a_while_after_it_was_asked_again() -> None:
    world = World(Until(30, _broken))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(size="large", limit=3)), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 2


def test_the_old_failure_that_stays_ends_the_node_after_the_propagation_time() -> None:
    world = World(Until(10_000, _broken))
    world.put(Plain(), "a", SMALL)

    with pytest.raises(NotConverged, match="failed in AWS"):
        bring(world, resource(Plain(), LARGE), Action.UPDATE)
    assert 120 < world.clock.now() < 130


def test_another_failure_after_it_was_asked_again_ends_the_node_at_once() -> None:
    world = World(Failing("out of addresses", 1, verbs=["update"]), HalfVisible("size", 60))
    world.put(Plain(), "a", SMALL, failed="image not found")

    with pytest.raises(NotConverged) as caught:
        bring(world, resource(Plain(), LARGE), Action.UPDATE)
    assert "out of addresses" in str(caught.value.evidence)
    assert world.clock.now() < 3


# -- what cannot change in place ---------------------------------------------------------------------------------------


def test_what_cannot_change_in_place_is_removed_and_made_anew() -> None:
    world = World(Slow(creating=30))
    world.put(Leaf(), "a", ELSEWHERE)
    before = entry(Leaf(), outputs={"arn": "x"})
    world.journal.put(before)

    assert bring(world, resource(Leaf()), Action.REPLACE, Impact.REPLACE, before).result is Result.REPLACED
    assert world.calls == ["delete leaf/a", "create leaf/a"]
    assert world.journal.entries["leaf/a"].outputs == {"arn": "arn:leaf/a/2"}


@pytest.mark.parametrize("kind", [Plain(), Data(), Treasure()], ids=["a fixed name", "data", "called replaceable"])
def test_what_cannot_change_in_place_and_is_not_replaceable_is_refused(kind: Plain) -> None:
    world = World()
    world.put(kind, "a", ELSEWHERE)

    with pytest.raises(Refused, match="zone cannot be changed in place, and it is never replaced"):
        bring(world, resource(kind), Action.REPLACE)
    assert world.log == []


@pytest.mark.parametrize("lossy", [False, True], ids=["answered", "answer lost"])
def test_a_fixed_field_of_what_we_just_made_that_does_not_show_yet_is_lag(lossy: bool) -> None:
    world = World(Until(60, lambda seen: seen and Seen(ELSEWHERE, seen.outputs, owner=seen.owner)))
    world.traits += [Lossy("create", [1], took_effect=True)] if lossy else []

    bring(world, resource(Leaf()), Action.REPLACE)

    assert world.calls == ["create leaf/a"]


def test_a_fixed_field_that_aws_does_not_take_is_told_and_never_replaced_again() -> None:
    world = World(Until(10_000, lambda seen: seen and Seen(ELSEWHERE, seen.outputs, owner=seen.owner)))
    world.put(Leaf(), "a", ELSEWHERE)

    with pytest.raises(NotConverged, match="AWS did not take zone"):
        bring(world, resource(Leaf()), Action.REPLACE)
    assert world.calls == ["delete leaf/a", "create leaf/a"]


def test_what_somebody_else_makes_again_is_replaced_once() -> None:
    world = World(Stranger(Thing(ELSEWHERE, ThingOutputs(arn="x"), OURS)))
    world.put(Leaf(), "a", ELSEWHERE)

    with pytest.raises(NotConverged, match="somebody else has made it again"):
        bring(world, resource(Leaf()), Action.REPLACE)
    assert world.calls == ["delete leaf/a"]
