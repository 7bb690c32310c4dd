"""The steps of one resource until it is gone: the calls, their order, and the end where AWS is slow or refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from tapctl.engine.delete import delete
from tapctl.engine.events import Finished, Progress, Released, Result
from tapctl.engine.model import Impact, Leftovers, Owner, Retained
from tapctl.engine.polling import Cancelled
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Deletion
from tapctl.errors import AwsNoAnswer, AwsRefused, LockHeld, NotConverged, Patience, Refused
from tests.engine.driving import Told, delete_until_gone, entry, quiet, there
from tests.engine.kinds import SMALL, Adopted, Early, Key, Needed, Peeled, Plain, ThingOutputs, ThingSpec
from tests.engine.traits import (
    Deaf,
    Looks,
    Lossy,
    Refusing,
    SlowDelete,
    Until,
    at_work,
    no_answer,
    refused,
)
from tests.engine.world import OURS, THEIRS, Call, Seen, Thing, Trait, World

A_DAY = range(1, 100_000)
MADE = entry(Plain(), needs=("key/k",), spec={"size": "small"}, outputs={"arn": "arn:plain/a"})


def test_a_removal_is_recorded_before_the_call_and_forgotten_when_it_is_done() -> None:
    world = there(Plain())
    world.journal.put(MADE)

    assert delete_until_gone(world, Plain(), entry=MADE) == Finished("plain/a", Result.DELETED, 0)
    assert world.log[1:] == ["record plain/a leaving", "delete plain/a", "record plain/a gone"]


class TagsFirst(SlowDelete):
    """While it does not show yet that it is going, its tags are gone already."""

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        found = super().sight(here, thing, seen, world)
        return replace(found, owner=None) if found and thing and thing.going_since is not None else found


def test_what_loses_its_tags_first_is_ours_without_a_record_too() -> None:
    world = there(Plain(), TagsFirst(20, lag=10))
    assert delete_until_gone(world, Plain()).result is Result.DELETED
    assert "plain/a" not in world.things


class Dearer(Trait):
    """Its removal has a cost by now."""

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        found = super().sight(here, thing, seen, world)
        return replace(found, removal_impact=Impact.FAILOVER) if found else None


@pytest.mark.parametrize("permitted", [Impact.NONE, Impact.RESTART])
def test_a_removal_that_costs_more_than_the_plan_has_shown_is_not_begun(permitted: Impact) -> None:
    world = there(Plain(), Dearer())
    world.journal.put(MADE)
    one = Deletion("plain/a", Plain(), "a", None, MADE, permitted=permitted)
    with pytest.raises(NotConverged, match="has changed since it was planned: its removal would now be with failover"):
        delete(one, world.context(), quiet)
    assert world.journal.entries["plain/a"] == MADE
    assert "delete plain/a" not in world.log


@pytest.mark.parametrize("permitted", [None, Impact.FAILOVER, Impact.DATA_LOSS])
def test_a_removal_whose_cost_was_shown_is_made(permitted: Impact | None) -> None:
    world = there(Plain(), Dearer())
    one = Deletion("plain/a", Plain(), "a", None, MADE, permitted=permitted)
    assert delete(one, world.context(), quiet).result is Result.DELETED


@pytest.mark.parametrize(
    ("recorded", "phase", "left"),
    [
        ({"arn": "arn:plain/other"}, Phase.MADE, True),
        ({"arn": "arn:plain/other"}, Phase.LEAVING, True),
        ({"arn": "arn:plain/other"}, Phase.MAKING, False),  # begun anew, and not read back
        ({"arn": "arn:plain/a"}, Phase.MADE, False),
        (None, Phase.MADE, False),
    ],
)
@pytest.mark.parametrize(
    ("holds_data", "word"),
    [(True, "the one that is there holds other data"), (False, "is another one than the recorded one")],
)
def test_another_one_than_the_recorded_is_not_removed(
    monkeypatch: pytest.MonkeyPatch,
    recorded: dict[str, str] | None,
    phase: Phase,
    word: str,
    *,
    left: bool,
    holds_data: bool,
) -> None:
    monkeypatch.setattr(Plain, "identity", "arn")
    monkeypatch.setattr(Plain, "holds_data", holds_data)
    world = there(Plain())
    made = entry(Plain(), phase, spec={"size": "small"}, outputs=recorded)
    if not left:
        assert delete_until_gone(world, Plain(), entry=made).result is Result.DELETED
        return
    with pytest.raises(Refused, match=word) as refused:
        delete_until_gone(world, Plain(), entry=made)
    assert str(refused.value.evidence).startswith("recorded → there: arn arn:plain/other → arn:plain/a")
    assert "delete plain/a" not in world.log


class Namesake(Trait):
    """Behind the one that goes another of the same name shows, in another place."""

    def after(self, call: Call, world: World) -> None:
        if call.verb == "delete" and call.number == 1:
            world.things[call.address] = Thing(SMALL, ThingOutputs(arn="arn:plain/elsewhere"), OURS)


def test_another_of_the_same_name_is_left_when_ours_is_gone() -> None:
    world = there(Plain(), Namesake())
    world.journal.put(MADE)
    assert delete_until_gone(world, Plain(), entry=MADE).result is Result.DELETED
    assert (world.log.count("delete plain/a"), [*world.things]) == (1, ["plain/a"])
    assert "plain/a" not in world.journal.entries


def test_the_record_keeps_its_spec_during_a_removal() -> None:
    world = there(Plain(), Refusing("delete", refused()))

    with pytest.raises(AwsRefused):
        delete_until_gone(world, Plain(), entry=MADE)
    assert world.journal.entries["plain/a"] == MADE.model_copy(update={"phase": Phase.LEAVING})


def test_what_was_never_recorded_is_recorded_as_it_was_seen() -> None:
    world = there(Plain(), Refusing("delete", refused()))

    with pytest.raises(AwsRefused):
        delete_until_gone(world, Plain())
    left = world.journal.entries["plain/a"]
    assert (left.phase, left.spec["size"], left.outputs) == (Phase.LEAVING, "small", {"arn": "arn:plain/a"})


def test_identity_that_aws_has_not_told_is_recorded_as_unknown() -> None:
    world = there(Plain(), Refusing("delete", refused()))
    world.things["plain/a"].outputs = None

    with pytest.raises(AwsRefused):
        delete_until_gone(world, Plain())
    assert world.journal.entries["plain/a"].outputs is None


def test_what_is_gone_already_is_forgotten_with_the_facets_that_died_with_it() -> None:
    world = World()
    world.journal.put(MADE, entry(Key()))
    one = Deletion("plain/a", Plain(), "a", None, MADE, subresources=("key/a",))

    finished = delete(one, world.context(), quiet)
    assert (finished.result, finished.note) == (Result.DELETED, "was gone already")
    assert world.journal.entries == {}
    assert world.calls == []


def test_what_is_going_is_waited_for_and_not_deleted_again() -> None:
    world = there(Plain(), SlowDelete(900))
    told: Told = []

    delete_until_gone(world, Plain(), emit=told.append)

    assert world.calls == ["delete plain/a"]
    assert 900 <= world.clock.now() <= 950
    assert {one.awaiting for one in told if isinstance(one, Progress)} == {"AWS is at work: deleting"}


def test_an_early_thing_that_is_going_frees_what_need_not_wait_until_it_is_gone() -> None:
    world = there(Early(), SlowDelete(900))
    told: Told = []

    delete_until_gone(world, Early(), emit=told.append)

    assert [one for one in told if isinstance(one, Released)] == [Released("early/a")]
    assert told.index(Released("early/a")) < len(told) / 2


def test_any_other_thing_frees_what_waits_for_it_once_it_is_gone_and_not_before() -> None:
    world = there(Plain(), SlowDelete(900))
    world.holds["plain/a"] = 1500
    freed: list[float] = []

    delete_until_gone(
        world, Plain(), emit=lambda event: freed.append(world.clock.now()) if isinstance(event, Released) else None
    )

    (at,) = freed
    assert 900 <= at < 1000
    assert world.clock.now() >= 1500, "what lingers is still waited for"


def test_a_removal_that_does_not_show_yet_is_not_asked_for_again() -> None:
    world = there(Plain(), SlowDelete(300, lag=60))

    delete_until_gone(world, Plain())

    assert world.calls == ["delete plain/a"]


def test_each_step_of_a_removal_waits_for_the_last_one_to_show() -> None:
    world = there(Peeled(), spec=ThingSpec(items=frozenset("pq")))

    delete_until_gone(world, Peeled())

    assert world.calls == ["update peeled/a", "update peeled/a", "delete peeled/a"]


def test_a_removal_that_aws_accepts_and_ignores_ends_after_the_propagation_time() -> None:
    world = there(Plain(), Deaf("delete"))

    with pytest.raises(NotConverged, match="AWS accepted its removal and did not act on it"):
        delete_until_gone(world, Plain())
    assert world.calls == ["delete plain/a"]
    assert 120 < world.clock.now() < 130


def test_a_removal_that_aws_works_on_has_all_the_time_it_may_take() -> None:
    world = there(Plain(), SlowDelete(1000), Until(900, at_work()))

    delete_until_gone(world, Plain())

    assert world.calls == ["delete plain/a"]


def test_what_never_goes_ends_with_awss_last_word() -> None:
    world = there(Plain(), SlowDelete(100_000))

    with pytest.raises(NotConverged, match="did not get there in time") as caught:
        delete_until_gone(world, Plain())
    assert "AWS's last word: deleting" in str(caught.value.evidence)
    assert 1800 < world.clock.now() < 1816


def test_a_removal_ends_only_when_no_leftovers_remain() -> None:
    world = there(Plain())
    world.holds["plain/a"] = 1500
    told: Told = []

    delete_until_gone(world, Plain(), emit=told.append)

    assert 1500 <= world.clock.now() < 1600
    assert {(one.status, one.awaiting, one.at_work) for one in told if isinstance(one, Progress)} == {
        ("gone", "AWS still holds its network interfaces", True)
    }


def test_leftovers_that_stay_too_long_are_named() -> None:
    world = there(Plain())
    world.holds["plain/a"] = 100_000

    with pytest.raises(NotConverged) as caught:
        delete_until_gone(world, Plain())

    assert "AWS still holds its network interfaces" in str(caught.value.evidence)


def test_leftovers_of_a_recorded_resource_that_is_gone_already_are_waited_for() -> None:
    world = World()
    world.holds["plain/a"] = 60

    delete_until_gone(world, Plain(), last=SMALL)

    assert world.clock.now() >= 60


@pytest.mark.parametrize("owner", [THEIRS, Owner("tapctl", "staging"), None], ids=["theirs", "another suffix", "none"])
def test_what_is_not_ours_is_left_and_the_node_fails(owner: Owner | None) -> None:
    world = there(Plain())
    world.things["plain/a"].owner = owner

    with pytest.raises(Refused, match="is not ours"):
        delete_until_gone(world, Plain())
    assert world.log == []


def test_what_lost_its_tags_or_was_made_by_aws_is_ours() -> None:
    world = there(Plain())
    world.put(Adopted(), "a", SMALL, owner=None)
    world.things["plain/a"].owner = None

    delete_until_gone(world, Plain(), entry=MADE)
    delete_until_gone(world, Adopted())

    assert world.things == {}


def test_what_is_protected_is_refused_untouched() -> None:
    world = there(Plain(), spec=ThingSpec(mode="protected"))

    with pytest.raises(Refused, match="must not be removed: it is protected"):
        delete_until_gone(world, Plain())
    assert world.log == []


def test_what_waits_for_its_date_is_kept_and_says_until_when_and_why() -> None:
    world = there(Key())

    ending = delete_until_gone(world, Key())

    assert ending == Finished("key/a", Result.KEPT, 0, Retained("2031-05-06", "a key waits before it is deleted"))
    kept = world.journal.entries["key/a"]
    assert (kept.phase, kept.kept_until, kept.kept_why) == (
        Phase.KEPT,
        "2031-05-06",
        "a key waits before it is deleted",
    )
    assert delete_until_gone(world, Key(), entry=kept).result is Result.KEPT
    assert world.calls == ["delete key/a"]


@pytest.mark.parametrize(
    "recorded",
    [None, entry(Plain(), Phase.MAKING, spec={"size": "small"}, outputs=None)],
    ids=["not", "without outputs"],
)
def test_things_left_behind_on_purpose_are_told_once_no_leftovers_remain(recorded: Entry | None) -> None:
    """By the identity of what was removed, though a run that was cut off recorded none."""

    class Archived(Plain):
        def retained_after_delete(
            self, aws: World, id: str, last: ThingSpec, identity: Mapping[str, str]
        ) -> Iterable[tuple[str, Retained]]:
            assert identity == {"arn": "arn:plain/a"}
            assert self.remaining_after_delete(aws, id, last) is None
            return [("snapshot/s", Retained("you delete it", "it holds the data"))]

    world = there(Archived())
    world.holds["plain/a"] = 60

    ended = delete_until_gone(world, Archived(), entry=recorded)

    assert ended.result is Result.DELETED
    assert ended.left_behind == (("snapshot/s", Retained("you delete it", "it holds the data")),)
    assert ended.elapsed_s >= 60


class Stranding(Plain):
    """AWS leaves things behind, which somebody else has to remove: one a call."""

    left: ClassVar[list[str]] = []
    busy: ClassVar[list[str]] = []
    leftovers_need = frozenset({"role"})

    def remaining_after_delete(self, aws: World, id: str, last: ThingSpec | None) -> Leftovers | None:
        held = [*self.left, *self.busy]
        return Leftovers(f"{', '.join(held)} is left", frozenset(self.left)) if held else None

    def remove_leftover(self, aws: World, leftover: str) -> None:
        aws.log.append(f"remove {leftover} at {aws.clock.now()}")
        self.left.remove(leftover)


def removed_at(world: World) -> dict[str, float]:
    """When each leftover was removed."""
    lines = (line.split() for line in world.log if line.startswith("remove "))
    return {name: float(at) for _, name, _, at in lines}


def test_all_that_aws_has_left_for_good_is_removed_together_once_it_is_sure() -> None:
    world = there(Stranding())
    Stranding.left = ["one", "two", "three"]
    assert delete_until_gone(world, Stranding()).result is Result.DELETED
    removed = removed_at(world)
    assert len(removed) == 3
    assert 120 < min(removed.values()) <= max(removed.values()) < 135


def test_what_aws_does_meanwhile_with_others_begins_no_wait_anew() -> None:
    world = there(Stranding())
    Stranding.left, Stranding.busy = ["one"], ["two", "three"]

    def strand() -> None:
        Stranding.left.append(Stranding.busy.pop())

    world.clock.at(60, Stranding.busy.clear)
    world.clock.at(30, strand)
    assert delete_until_gone(world, Stranding()).result is Result.DELETED
    removed = removed_at(world)
    assert 120 < removed["one"] < 135
    assert 150 < removed["three"] < 165


def test_what_nobody_has_a_record_of_is_waited_for_and_never_removed() -> None:
    world = World()
    Stranding.left = ["one"]
    world.clock.at(200, Stranding.left.clear)
    assert delete_until_gone(world, Stranding(), last=None).result is Result.DELETED
    assert world.calls == []
    assert 200 < world.clock.now() < 230


def test_what_must_stay_is_kept_without_a_call_and_holds_up_nothing() -> None:
    world = there(Needed())
    told: Told = []

    assert delete_until_gone(world, Needed(), emit=told.append).retained == Retained(
        "its snapshots are deleted", "they need it"
    )
    assert world.calls == []
    assert told == [Released("needed/a")]


def test_the_lease_is_asked_before_the_call() -> None:
    world = there(Plain())
    context = world.context()

    def lost() -> None:
        raise LockHeld("sam has taken it over")

    context.lease = lost
    with pytest.raises(LockHeld):
        delete_until_gone(world, Plain(), context=context)
    assert world.calls == []


def test_a_stop_ends_a_removal() -> None:
    world = there(Plain(), SlowDelete(900))
    context = world.context()
    world.clock.at(50, context.stop.set)

    with pytest.raises(Cancelled):
        delete_until_gone(world, Plain(), context=context)
    assert world.journal.entries["plain/a"].phase is Phase.LEAVING


# -- patience --------------------------------------------------------------------------------------------------------


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


def test_reads_without_an_answer_are_repeated_for_the_propagation_time() -> None:
    world = there(Plain(), Looks(range(1, 20), no_answer))
    delete_until_gone(world, Plain())
    assert world.calls == ["delete plain/a"]

    world = there(Plain(), Looks(A_DAY, no_answer))
    with pytest.raises(AwsNoAnswer):
        delete_until_gone(world, Plain())
    assert 120 < world.clock.now() < 130


def test_reads_of_leftovers_without_an_answer_are_repeated_for_the_propagation_time() -> None:
    class Unanswered(Plain):
        def remaining_after_delete(self, aws: World, id: str, last: ThingSpec | None) -> Leftovers | None:
            return Leftovers(str(no_answer(None)))

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
