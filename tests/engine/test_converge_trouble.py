"""Strangers, failures, lost answers and changes that cannot be made in place: where the engine stops, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tapctl.engine.events import Result
from tapctl.engine.model import Impact, Owner
from tapctl.engine.plan import Action
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import AwsNoAnswer, AwsRefused, NotConverged, Refused
from tests.engine.driving import apply, bring, delete_until_gone, entry, large, plan, there
from tests.engine.kinds import (
    LARGE,
    SMALL,
    Adopted,
    Bounded,
    Data,
    Key,
    Leaf,
    OneByOne,
    Plain,
    ThingOutputs,
    ThingSpec,
    Treasure,
    resource,
)
from tests.engine.traits import (
    Deaf,
    Failing,
    HalfVisible,
    Looks,
    Lossy,
    Refusing,
    Shy,
    ShyTags,
    Slow,
    Stranger,
    Until,
    lost,
    no_answer,
    owned_by,
    refused,
)
from tests.engine.world import OURS, THEIRS, Seen, Thing, Trait, World

A_DAY = range(1, 100_000)
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


def test_tags_that_never_show_after_a_lost_create_mean_a_stranger() -> None:
    world = World(ShyTags(10_000), Lossy("create", [1], took_effect=True))

    with pytest.raises(Refused, match="is not ours"):
        bring(world, resource(Plain()))
    assert 120 < world.clock.now() < 130


def test_what_is_replaced_does_not_wait_for_what_lingers_of_it() -> None:
    """A replacement is made anew under the same name: an outage of 45 minutes would serve nobody."""
    world = World()
    world.put(Leaf(), "a", ThingSpec(zone="b"))
    world.holds["leaf/a"] = 1000

    bring(world, resource(Leaf()), Action.REPLACE, Impact.REPLACE)

    assert world.calls == ["delete leaf/a", "create leaf/a"]
    assert world.clock.now() < 1


# -- given up by AWS -------------------------------------------------------------------------------------------------


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


def test_a_failed_resource_that_is_not_replaceable_is_updated() -> None:
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


# -- what cannot change in place -------------------------------------------------------------------------------------


def test_what_cannot_change_in_place_is_removed_and_made_anew() -> None:
    world = World(Slow(creating=30))
    world.put(Leaf(), "a", ELSEWHERE)
    before = entry(Leaf(), outputs={"arn": "x"})
    world.journal.put(before)

    assert bring(world, resource(Leaf()), Action.REPLACE, Impact.REPLACE, before).result is Result.REPLACED
    assert world.calls == ["delete leaf/a", "create leaf/a"]
    assert world.journal.entries["leaf/a"].outputs == {"arn": "arn:leaf/a/2"}


@pytest.mark.parametrize("allowed", [False, True], ids=["left alone", "allowed"])
@pytest.mark.parametrize("refusing", ["delete", "create"])
@pytest.mark.parametrize("failed", [False, True], ids=["another zone", "failed"])
def test_what_is_left_alone_outlives_a_replacement_that_is_cut_off(
    refusing: str, *, failed: bool, allowed: bool
) -> None:
    """Once the old one is gone, only the record tells what it had: the one in its place gets it, as without the cut."""
    world = World(Refusing(refusing, refused()))
    world.put(Bounded(), "a", ThingSpec(zone="a" if failed else "b", link="theirs", items=frozenset({"stranger"})))
    world.things["bounded/a"].failed = "it broke" if failed else None
    stack = Stack()
    stack.add(Bounded(), "a", SMALL)

    with pytest.raises(AwsRefused):
        apply(world, stack)
    assert world.journal.entries["bounded/a"].carried == {"link": "theirs"}

    world.traits.clear()
    (change,) = plan(world, stack, allowed=["bounded/a"] if allowed else []).changes
    if refusing == "create":
        assert change.action is Action.CREATE
        assert [(part.path, part.have, part.allow_ends) for part in change.left] == (
            [] if allowed else [("link", "theirs", True)]
        )
        assert {part.path: part.want for part in change.fields}["link"] == ("" if allowed else "theirs")
    apply(world, stack, allowed=["bounded/a"] if allowed else [])
    assert world.things["bounded/a"].spec.link == ("" if allowed else "theirs")
    assert world.journal.entries["bounded/a"].carried == {}
    assert plan(world, stack).is_empty


def test_a_wish_of_the_files_goes_before_what_was_left_alone() -> None:
    world = World()
    world.journal.put(entry(Bounded(), Phase.MAKING, carried={"link": "theirs", "mode": "odd", "nothing": "x"}))
    stack = Stack()
    stack.add(Bounded(), "a", ThingSpec(link="ours"))

    apply(world, stack)

    assert world.things["bounded/a"].spec == ThingSpec(link="ours")


def test_a_removal_hands_nothing_on() -> None:
    world = there(Bounded(), Refusing("delete", refused()))
    half = entry(Bounded(), Phase.MAKING, carried={"link": "theirs"})

    with pytest.raises(AwsRefused):
        delete_until_gone(world, Bounded(), entry=half)

    assert world.journal.entries["bounded/a"].carried == {}


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


# -- lost answers ----------------------------------------------------------------------------------------------------


def test_a_read_without_an_answer_is_repeated() -> None:
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

    assert bring(world, resource(kind)).result is Result.CREATED
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


def test_an_interrupted_create_without_effect_is_repeated_after_the_propagation_time() -> None:
    world = World()

    bring(world, resource(Key()), entry=entry(Key(), Phase.MAKING))

    assert world.calls == ["create key/a"]
    assert 120 < world.clock.now() < 130


@pytest.mark.parametrize("took_effect", [True, False])
def test_an_update_whose_answer_is_lost_is_asked_for_again_only_where_it_does_not_show(took_effect: bool) -> None:
    world = World(Lossy("update", [1], took_effect=took_effect))

    assert bring(world, large(world), Action.UPDATE).result is Result.UPDATED
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


def test_missing_tags_are_waited_for_after_a_lost_create() -> None:
    world = World(ShyTags(60), Lossy("create", [1], took_effect=True))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]


# -- updates that AWS gave up on -------------------------------------------------------------------------------------


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
    """Converge, and read the reason of the failure."""
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


@dataclass
class LateRights(Trait):
    """What is made or changed before this moment fails, in a way that may pass."""

    until_s: float
    made_fails: bool = False

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if seen is None or thing is None or thing.changed_at >= self.until_s:
            return seen
        if self.made_fails:
            return replace(seen, failure=NEW, failure_may_pass=True)
        return replace(stuck(seen, NEW) or seen, failure_may_pass=True) if thing.before else seen


def test_an_update_that_failed_for_a_right_is_asked_again_until_the_right_has_spread() -> None:
    world = World(LateRights(50))
    world.put(Plain(), "a", SMALL)
    assert bring(world, resource(Plain(), LARGE), Action.UPDATE).result is Result.UPDATED
    assert 2 <= len(world.calls) <= 4

    world = World(LateRights(A_DAY.stop))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {NEW}"
    assert 120 < world.clock.now() < 150


def test_what_was_made_and_failed_for_a_right_is_made_once_more() -> None:
    world = World(LateRights(0.1, made_fails=True))
    assert bring(world, resource(Plain(), LARGE)).result is Result.CREATED
    assert world.calls == ["create plain/a", "delete plain/a", "create plain/a"]

    world = World(LateRights(A_DAY.stop, made_fails=True))
    with pytest.raises(NotConverged, match="failed in AWS"):
        bring(world, resource(Plain(), LARGE))
    assert world.calls == ["create plain/a", "delete plain/a", "create plain/a"]


def test_the_same_failure_after_a_time_without_one_is_a_new_one() -> None:
    world = World(Until(0.1, stuck), GivesUp(OLD, after_s=5))
    world.put(Plain(), "a", SMALL)
    assert reason(world, LARGE) == f"AWS says: {OLD}"
    assert world.clock.now() < 7


def test_another_failure_after_our_update_ends_the_work() -> None:
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


def test_a_failed_update_with_nothing_to_request_ends_with_awss_reason() -> None:
    world = World(Slow(creating=10_000), Until(10_000, lambda seen: seen and replace(seen, update_failure=OLD)))
    world.put(Plain(), "a", SMALL)
    assert reason(world, SMALL) == f"AWS says: {OLD}"
    assert world.log == []


# -- AWS's last event ------------------------------------------------------------------------------------------------


EVENT = "Unable to upgrade DB cluster: an extension is too old"


class Telling(Plain):
    def last_event(self, aws: Any, id: str) -> str:
        return EVENT


class Mute(Plain):
    def last_event(self, aws: Any, id: str) -> str:
        raise lost()


def evidence(rec: Plain, world: World) -> str:
    with pytest.raises(NotConverged) as caught:
        bring(world, resource(rec, LARGE), Action.UPDATE)
    return str(caught.value.evidence)


def test_a_change_that_aws_gives_up_without_a_word_ends_with_its_last_event() -> None:
    told = evidence(Telling(), there(Telling(), Deaf("update")))
    assert told.splitlines()[-1] == f"AWS's last event: {EVENT}"


def test_a_removal_ends_with_awss_last_event_too() -> None:
    with pytest.raises(NotConverged) as caught:
        delete_until_gone(there(Telling(), Deaf("delete")), Telling())
    assert EVENT in str(caught.value.evidence)


@pytest.mark.parametrize("rec", [Plain(), Mute()], ids=["there is none", "it cannot be asked"])
def test_without_a_last_event_the_evidence_stays_as_it_was(rec: Plain) -> None:
    told = evidence(rec, there(rec, Deaf("update")))
    assert "AWS's last event" not in told
    assert "asked for, and for 120 s not there" in told


def test_an_event_that_is_quoted_already_is_not_repeated() -> None:
    class Failed(Telling):
        def observe(self, aws: World, id: str, expected: Any) -> Any:
            aws.things[f"{self.type}/{id}"].failed = EVENT
            return super().observe(aws, id, expected)

    rec = Failed()
    told = evidence(rec, there(rec))
    assert told.count(EVENT) == 1
