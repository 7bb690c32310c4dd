"""The steps of one resource until it is as wanted: the calls, their number, and the record at each moment."""

from __future__ import annotations

import pytest

from tapctl.engine.events import Progress, Released, Result
from tapctl.engine.model import Impact, Pending, Retained
from tapctl.engine.plan import Action
from tapctl.engine.polling import Cancelled
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import Stack
from tapctl.errors import AwsRefused, LockHeld, NotConverged, StoreFailed
from tests.engine.driving import Told, bring, entry
from tests.engine.kinds import LARGE, SMALL, Early, EarlyLeaf, Key, Leaf, OneByOne, Plain, ThingSpec, resource
from tests.engine.traits import HalfVisible, LateOutputs, Looks, Refusing, Slow, refused, shows, unread
from tests.engine.world import World


def test_what_is_absent_is_made_by_one_call_with_its_intent_recorded_before_and_its_end_after() -> None:
    world = World()

    ending = bring(world, resource(Plain()))

    assert ending.result is Result.CREATED
    assert world.log == ["record plain/a making", "create plain/a", "record plain/a made"]
    assert world.journal.entries["plain/a"].outputs == {"arn": "arn:plain/a/1"}


def test_of_what_was_made_and_is_gone_the_record_says_so_before_another_is_made() -> None:
    """An entry that calls itself unfinished where one was made tells of nothing that a run has done."""
    world = World()
    made = entry(Plain(), spec=SMALL.model_dump(mode="json"), outputs={"arn": "x"})
    world.journal.entries[made.address] = made

    assert bring(world, resource(Plain()), Action.CREATE, entry=made).result is Result.CREATED
    assert world.log == ["record plain/a gone", "record plain/a making", "create plain/a", "record plain/a made"]


def test_what_is_as_wanted_is_not_touched() -> None:
    world = World()
    world.put(Plain(), "a", SMALL)

    assert bring(world, resource(Plain()), Action.SETTLE).result is Result.UNCHANGED
    assert world.calls == []
    assert world.journal.entries["plain/a"].phase is Phase.MADE


def test_what_differs_is_changed_in_place_and_read_back() -> None:
    world = World()
    world.put(Plain(), "a", SMALL)

    assert bring(world, resource(Plain(), LARGE), Action.UPDATE).result is Result.UPDATED
    assert world.log == ["record plain/a making", "update plain/a", "record plain/a made"]
    assert world.things["plain/a"].spec == LARGE


def test_what_was_confirmed_last_stays_in_the_record_while_another_spec_is_asked_for() -> None:
    world = World(Refusing("update", refused()))
    world.put(Plain(), "a", SMALL)
    made = entry(Plain(), spec=SMALL.model_dump(mode="json"), outputs={"arn": "x"})

    for before in (made, made.model_copy(update={"phase": Phase.MAKING, "spec": {}, "confirmed": made.spec})):
        with pytest.raises(AwsRefused):
            bring(world, resource(Plain(), LARGE), Action.UPDATE, entry=before)
        half = world.journal.entries["plain/a"]
        assert (half.phase, half.confirmed) == (Phase.MAKING, made.spec)
        assert half.spec == LARGE.model_dump(mode="json")


def test_of_what_is_made_anew_nothing_is_confirmed() -> None:
    world = World(Refusing("create", refused()))
    world.put(Leaf(), "a", SMALL)
    made = entry(Leaf(), spec=SMALL.model_dump(mode="json"), outputs={"arn": "x"})
    records: list[Entry] = []
    world.moment = lambda: records.extend(world.journal.entries.values())

    with pytest.raises(AwsRefused):
        bring(world, resource(Leaf(), ThingSpec(zone="b")), Action.REPLACE, entry=made)

    assert (records[0].confirmed, records[0].outputs) == (made.spec, made.outputs)
    anew = world.journal.entries["leaf/a"]
    assert (anew.confirmed, anew.outputs) == (None, None), "nor is it the one that was there"
    assert world.log == ["record leaf/a making", "delete leaf/a", "record leaf/a making"]


def test_every_step_is_one_changing_call_and_the_intent_is_recorded_once() -> None:
    world = World()
    world.put(OneByOne(), "a", SMALL)
    want = ThingSpec(size="large", limit=3, items=frozenset("pqr"))

    bring(world, resource(OneByOne(), want), Action.UPDATE)

    assert world.log == ["record one-by-one/a making", *["update one-by-one/a"] * 5, "record one-by-one/a made"]
    assert world.things["one-by-one/a"].spec == want


def test_a_change_that_shows_by_halves_is_asked_for_once() -> None:
    world = World(HalfVisible("limit", 60))
    world.put(Plain(), "a", SMALL)

    bring(world, resource(Plain(), ThingSpec(size="large", limit=3)), Action.UPDATE)

    assert world.calls == ["update plain/a"]
    assert world.clock.now() >= 60


def test_while_one_field_does_not_show_yet_the_next_step_asks_only_for_the_others() -> None:
    world = World(HalfVisible("size", 60))
    world.put(OneByOne(), "a", SMALL)

    bring(world, resource(OneByOne(), ThingSpec(size="large", limit=3)), Action.UPDATE)

    assert world.calls == ["update one-by-one/a"] * 2


def test_converging_ends_only_when_the_resource_is_settled() -> None:
    world = World(Slow(creating=900))

    bring(world, resource(Plain()))

    assert world.calls == ["create plain/a"]
    assert 900 <= world.clock.now() <= 900 * 1.05 + 0.25


def test_converging_ends_only_when_the_outputs_are_known() -> None:
    world = World(LateOutputs(30))

    bring(world, resource(Plain()))

    assert world.clock.now() >= 30
    assert world.journal.entries["plain/a"].outputs == {"arn": "arn:plain/a/1"}


def test_a_requested_value_is_waited_for_while_it_is_pending() -> None:
    world = World()
    thing = world.put(Plain(), "a", SMALL, pending={"size": Pending("modifying")})
    world.clock.at(100, lambda: setattr(thing, "pending", {}))

    bring(world, resource(Plain(), LARGE), Action.UPDATE)

    assert world.clock.now() >= 100


@pytest.mark.parametrize(
    "pending", [{"size": Pending("reboot")}, {"mode": Pending("sun:05:00-sun:06:00")}], ids=["a reboot", "not asked"]
)
def test_neither_a_reboot_nor_an_unrequested_pending_value_is_waited_for(pending: dict[str, Pending]) -> None:
    world = World()
    world.put(Plain(), "a", SMALL, pending=pending)

    bring(world, resource(Plain(), LARGE), Action.UPDATE)

    assert world.clock.now() == 0


def test_an_early_thing_is_known_once_its_identity_is_while_it_is_still_being_made() -> None:
    world = World(Slow(creating=600), LateOutputs(20))
    context = world.context()
    known: list[tuple[float, object]] = []

    def emit(event: Released | Progress) -> None:
        if isinstance(event, Released):
            known.append((world.clock.now(), context.outputs["early/a"]))

    bring(world, resource(Early()), context=context, emit=emit)

    ((moment, outputs),) = known
    assert outputs == {"arn": "arn:early/a/1"}
    assert 20 <= moment < 30
    assert world.clock.now() >= 600


def test_what_is_not_early_tells_its_identity_only_at_its_end() -> None:
    world = World(Slow(creating=60))
    told: Told = []
    context = world.context()

    bring(world, resource(Plain()), context=context, emit=told.append)

    assert not [one for one in told if isinstance(one, Released)]
    assert context.outputs == {"plain/a": {"arn": "arn:plain/a/1"}}


def test_the_identity_of_an_early_thing_that_is_about_to_be_replaced_is_not_told() -> None:
    world = World()
    world.put(EarlyLeaf(), "a", ThingSpec(zone="b"))
    context = world.context()
    known: list[str] = []

    def emit(event: Released | Progress) -> None:
        known.extend(one["arn"] for one in context.outputs.values())

    bring(world, resource(EarlyLeaf()), Action.REPLACE, Impact.REPLACE, context=context, emit=emit)

    assert set(known) == {"arn:early-leaf/a/2"}
    assert world.calls == ["delete early-leaf/a", "create early-leaf/a"]


def test_tokens_are_resolved_before_anything_reaches_aws() -> None:
    world, stack = World(), Stack()
    first = stack.add(Plain(), "first", SMALL)
    second = stack.add(Plain(), "second", ThingSpec(link=f"<{first.out.arn}>"))
    context = world.context()
    context.outputs["plain/first"] = {"arn": "arn:1"}

    bring(world, second, context=context)

    assert world.things["plain/second"].spec == ThingSpec(link="<arn:1>")
    assert world.journal.entries["plain/second"].needs == ("plain/first",)


def test_an_unresolved_token_never_reaches_aws() -> None:
    world, stack = World(), Stack()
    first = stack.add(Plain(), "first", SMALL)

    with pytest.raises(AssertionError, match="plain/first"):
        bring(world, stack.add(Plain(), "second", ThingSpec(link=first.out.arn)))
    assert world.log == []


def test_a_field_that_cannot_be_read_is_neither_changed_nor_recorded_as_read() -> None:
    world = World()
    world.put(Plain(), "a", ThingSpec(limit=7), unread={"limit": "fake:GetLimit"})
    before = entry(Plain(), spec={"size": "small", "limit": 9}, outputs={"arn": "x"})

    ending = bring(world, resource(Plain(), LARGE), Action.UPDATE, entry=before)

    assert ending.unreadable == ("fake:GetLimit",)
    assert world.things["plain/a"].spec == ThingSpec(size="large", limit=7)
    assert world.journal.entries["plain/a"].spec["limit"] == 9


def test_a_field_that_cannot_be_read_back_after_we_made_it_is_recorded_as_made() -> None:
    world = World(Looks(range(1, 9), unread(limit="fake:GetLimit")))

    ending = bring(world, resource(Plain(), ThingSpec(limit=3)))

    assert ending.unreadable == ("fake:GetLimit",)
    assert world.journal.entries["plain/a"].spec["limit"] == 3


def test_an_unreadable_field_of_a_restored_resource_is_not_recorded_as_made() -> None:
    world = World(Looks(range(1, 9), unread(limit="fake:GetLimit")))
    world.put(Key(), "a", SMALL, going_since=0.0, kept=Retained("2031-05-06", "pending deletion"))

    assert bring(world, resource(Key(), ThingSpec(limit=3))).unreadable == ("fake:GetLimit",)
    assert "limit" not in world.journal.entries["key/a"].spec


def test_what_is_brought_back_was_not_created() -> None:
    world = World()
    world.put(Key(), "a", SMALL, going_since=0.0, kept=Retained("2031-05-06", "pending deletion"))
    assert bring(world, resource(Key(), SMALL)).result is Result.UPDATED


@pytest.mark.parametrize(
    ("phase", "is_going", "confirmed"),
    [
        (Phase.KEPT, True, {"size": "small"}),
        (Phase.LEAVING, False, {"size": "small"}),
        # Kept as it is, for what needs it.
        (Phase.KEPT, False, {"size": "small", "mode": "calm"}),
        (Phase.MADE, True, {"size": "small", "mode": "calm"}),
    ],
)
def test_what_a_removal_of_ours_may_have_unset_is_confirmed_no_more(
    phase: Phase, is_going: bool, confirmed: dict[str, str]
) -> None:
    world = World(Refusing("create" if is_going else "update", refused()))
    going = {"going_since": 0.0, "kept": Retained("2031-05-06", "pending deletion")} if is_going else {}
    world.put(Key(), "a", SMALL, **going)
    left = entry(Key(), phase, spec={"size": "small", "mode": "calm"}, outputs={"arn": "arn:key/a/1"})
    with pytest.raises(AwsRefused):
        bring(world, resource(Key(), LARGE), entry=left)
    assert world.journal.entries["key/a"].confirmed == confirmed


def test_a_record_that_cannot_be_written_fails_the_node_before_its_call() -> None:
    world = World()
    world.moment = _full_disk

    with pytest.raises(StoreFailed):
        bring(world, resource(Plain()))
    assert world.log == []


def _full_disk() -> None:
    raise StoreFailed("the disk is full")


def test_the_lease_is_asked_before_every_step_and_a_lost_one_makes_no_call() -> None:
    world = World()
    world.put(OneByOne(), "a", SMALL)
    context = world.context()
    asked: list[int] = []

    def lease() -> None:
        asked.append(len(world.calls))
        if len(asked) == 3:
            raise LockHeld("sam has taken it over")

    context.lease = lease
    with pytest.raises(LockHeld):
        bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pqr"))), Action.UPDATE, context=context)
    assert asked == [0, 1, 2]
    assert len(world.calls) == 2


def test_a_stop_ends_the_loop_without_a_further_call() -> None:
    world = World(Slow(creating=600))
    context = world.context()
    world.clock.at(50, context.stop.set)

    with pytest.raises(Cancelled):
        bring(world, resource(Plain()), context=context)
    assert world.log == ["record plain/a making", "create plain/a"]
    assert world.clock.now() < 60


def test_a_stop_while_the_intent_is_recorded_prevents_the_call() -> None:
    world = World()
    context = world.context()
    context.lease = context.stop.set

    with pytest.raises(Cancelled):
        bring(world, resource(Plain()), context=context)
    assert world.calls == []


def test_an_intent_without_a_call_is_taken_back_when_the_run_is_stopped() -> None:
    """The next run makes what cannot be repeated at once: nothing may have been accepted."""
    world = World()
    context = world.context()
    context.lease = context.stop.set
    with pytest.raises(Cancelled):
        bring(world, resource(Key()), context=context)
    assert world.log == ["record key/a making", "record key/a gone"]
    began = world.clock.now()
    bring(world, resource(Key()))
    assert world.clock.now() - began < 60


def test_an_intent_stays_on_record_when_the_run_is_stopped_after_a_call() -> None:
    world = World()
    world.put(OneByOne(), "a", SMALL)
    context = world.context()
    context.lease = lambda: context.stop.set() if world.calls else None
    with pytest.raises(Cancelled):
        bring(world, resource(OneByOne(), ThingSpec(items=frozenset("pq"))), Action.UPDATE, context=context)
    assert len(world.calls) == 1
    assert [entry.phase for entry in world.journal.entries.values()] == [Phase.MAKING]


def test_a_changes_intent_without_a_call_leaves_the_record_as_it_was() -> None:
    world = World()
    bring(world, resource(Plain(), SMALL))
    before = dict(world.journal.entries)
    context = world.context()
    context.lease = context.stop.set
    with pytest.raises(Cancelled):
        bring(world, resource(Plain(), LARGE), Action.UPDATE, entry=before["plain/a"], context=context)
    assert world.journal.entries == before


# -- within the plan -------------------------------------------------------------------------------------------------


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


def test_the_hint_after_a_call_does_not_say_that_nothing_was_done() -> None:
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
