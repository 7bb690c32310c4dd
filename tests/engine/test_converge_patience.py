"""AWS takes its time, shows changes late, or refuses for a while: the length of each wait, and its end."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Progress, Result
from tapctl.engine.model import Impact, Retained
from tapctl.engine.plan import Action
from tapctl.engine.record import Phase
from tapctl.errors import AwsRefused, NotConverged, Patience
from tests.engine.driving import Told, bring, large
from tests.engine.kinds import LARGE, SMALL, Data, Key, OneByOne, Plain, Preparing, ThingSpec, resource
from tests.engine.traits import (
    Deaf,
    Failing,
    Flapping,
    HalfVisible,
    Looks,
    Lossy,
    OnceAfter,
    Refusing,
    Shy,
    Slow,
    SlowDelete,
    Stranger,
    Until,
    nothing,
    refused,
    shows,
)
from tests.engine.world import OURS, Thing, World

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


@pytest.mark.parametrize(
    ("said", "words"), [(None, ""), (AwsRefused("iam", "X", "Y", "no such role"), "AWS: no such role; ")]
)
def test_what_spreads_for_longer_than_is_usual_shows_awss_sentence_and_the_end(
    said: AwsRefused | None, words: str
) -> None:
    told: Told = []
    world = World(Refusing("update", Patience.PROPAGATION, said=said))

    with pytest.raises((AwsRefused, NotConverged)):
        bring(world, large(world), Action.UPDATE, emit=told.append)
    waits = [one.awaiting for one in told if isinstance(one, Progress)]
    assert waits[0] == "update is refused for now"
    assert waits[-1] == f"update is refused for now (longer than usual; {words}given up after 120 s)"


@pytest.mark.parametrize(("patience", "longest"), [(Patience.PROPAGATION, 120), (Patience.BUSY, 300)])
def test_a_not_yet_that_never_passes_ends_with_awss_own_refusal(patience: Patience, longest: float) -> None:
    """A wrong policy is told as one, and not as a time-out."""
    said = AwsRefused("lambda", "CreateFunction", "InvalidParameterValueException", "the role may not", request_id="r1")
    world = World(Refusing("update", patience, said=said))

    with pytest.raises(AwsRefused) as caught:
        bring(world, large(world), Action.UPDATE)
    assert "InvalidParameterValueException on lambda:CreateFunction: the role may not (request r1)" in str(caught.value)
    assert "longer than that passes by itself: update is refused for now" in str(caught.value.evidence)
    assert longest < world.clock.now() < longest + 16


def test_a_long_wait_ends_as_a_time_out_whatever_aws_said() -> None:
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


# -- changes that show late, by halves, or not at all ----------------------------------------------------------------


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


def test_a_resource_missing_from_every_other_read_has_not_vanished() -> None:
    world = World(Slow(creating=500), Looks(range(3, 400, 2), nothing))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]


def test_a_name_that_is_taken_is_looked_at_again_and_may_be_our_own_lost_answer() -> None:
    mine = Thing(SMALL, Plain.outputs(arn="x"), OURS)
    world = World(Stranger(mine, shy=60))

    assert bring(world, resource(Plain())).result is Result.CREATED
    assert world.calls == []


def test_a_name_held_by_what_cannot_be_seen_ends_with_that_sentence() -> None:
    world = World(Stranger(Thing(SMALL, Plain.outputs(arn="x"), None), shy=10_000))

    with pytest.raises(NotConverged, match="its name may be held by something these credentials cannot see"):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130
    assert world.calls == []


def test_a_taken_name_is_created_once_its_holder_is_gone() -> None:
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

    with pytest.raises(NotConverged, match="AWS did not take size") as raised:
        bring(world, large(world), Action.UPDATE)
    assert world.calls == ["update plain/a"]
    assert 120 < world.clock.now() < 130
    assert str(raised.value.evidence).splitlines()[1:] == ['size: asked for "large", there is "small"']


def test_what_was_ignored_is_told_item_by_item_and_no_longer_than_can_be_read() -> None:
    world = World(Deaf("update"))
    world.put(Plain(), "a", ThingSpec(tags={"a": "x" * 300}))

    with pytest.raises(NotConverged, match="AWS did not take tags") as raised:
        bring(world, resource(Plain(), ThingSpec(tags={"b": "1"})), Action.UPDATE)
    assert str(raised.value.evidence).splitlines()[1:] == [
        f'tags.a: asked for nothing, there is "{"x" * 199}…',
        'tags.b: asked for "1", there is nothing',
    ]


def test_a_field_taken_one_item_a_call_is_not_asked_for_without_end_where_aws_ignores_it() -> None:
    world = World(Deaf("update"))
    world.put(OneByOne(), "a", SMALL)

    with pytest.raises(NotConverged) as caught:
        bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pq"))), Action.UPDATE)
    assert "a part of items was asked for and does not show" in str(caught.value.evidence)
    assert 120 < world.clock.now() < 136
    assert world.calls == ["update one-by-one/a"], "the same part is not asked for twice"


def test_a_part_that_shows_and_vanishes_is_not_asked_for_twice() -> None:
    world = World(OnceAfter(0.3, shows(items=frozenset())))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pqr"))), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 3


def test_a_call_that_only_prepares_the_next_one_may_be_made_again() -> None:
    """A failover, after which the same instance takes another change."""
    world = World(Deaf("update", [1, 2]))
    world.put(Preparing(), "a", SMALL)

    bring(world, resource(Preparing(), LARGE), Action.UPDATE)

    assert world.calls == ["update preparing/a"] * 3
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


def test_a_new_resource_that_somebody_removes_at_once_has_vanished() -> None:
    world = World(Slow(creating=600), SlowDelete(200))
    world.clock.at(50, lambda: setattr(world.things["plain/a"], "going_since", 50.0))

    with pytest.raises(NotConverged, match="was there and has vanished"):
        bring(world, resource(Plain()))
    assert world.calls == ["create plain/a"]
    assert world.clock.now() >= 250 + 120
