from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from tapctl.clock import WallClock
from tapctl.engine.model import Timing
from tapctl.engine.polling import Cancelled, Poller, patience_limit, pause_before_observe, pause_before_step
from tapctl.errors import AwsNoAnswer, NotConverged, NotYet, Patience
from tests.engine.driving import quiet
from tests.engine.test_planner import seen
from tests.engine.traits import lost
from tests.engine.world import World

MANY = range(50)


def test_the_wall_clock_goes_forward_and_waits() -> None:
    clock, before = WallClock(), time.monotonic()
    clock.wait(0.002, threading.Event())
    assert before + 0.002 <= clock.now() <= time.monotonic()


def test_a_stop_ends_a_wait_at_once() -> None:
    stop, before = threading.Event(), time.monotonic()
    stop.set()
    WallClock().wait(60, stop)
    assert time.monotonic() < before + 5


@pytest.mark.parametrize(("waited", "longest"), [(0, 0.25), (5, 0.25), (100, 5), (300, 15), (7000, 15)])
def test_the_pause_before_a_look_is_five_per_cent_with_bounds_and_jitter(waited: float, longest: float) -> None:
    pauses = {pause_before_observe(waited) for _ in MANY}
    assert 0.9 * longest <= min(pauses) < max(pauses) <= longest


@pytest.mark.parametrize(("hurried", "longest"), [(False, 2), (True, 0.25)])
def test_the_first_look_is_later_where_the_account_is_throttled_and_time_is_aws_own(
    hurried: bool, longest: float
) -> None:
    world = World()
    context = replace(world.context(), hurried=hurried)
    Poller("plain/a", context, quiet, Timing(first_look_s=2), 5).pause("")
    assert 0.9 * longest <= world.clock.now() <= longest


@pytest.mark.parametrize(("waited", "longest"), [(0, 1), (10, 1), (100, 10), (150, 15), (7000, 15)])
def test_the_pause_before_a_refused_step_is_a_tenth_with_bounds_and_jitter(waited: float, longest: float) -> None:
    pauses = {pause_before_step(waited) for _ in MANY}
    assert 0.9 * longest <= min(pauses) < max(pauses) <= longest


def test_each_kind_of_not_yet_is_believed_so_long() -> None:
    assert (
        patience_limit(Patience.PROPAGATION, 7200),
        patience_limit(Patience.BUSY, 7200),
        patience_limit(Patience.LONG, 7200),
    ) == (
        120,
        300,
        7200,
    )


def wait(world: World, longest: float = 600) -> Poller:
    return Poller("plain/a", world.context(), quiet, Timing(longest_s=longest), 5)


def test_the_state_that_was_seen_last_is_told_with_the_error() -> None:
    world = World()
    told: list[Any] = []
    poller = Poller("plain/a", world.context(), told.append, Timing(), 5)
    looks = iter([seen(settled=False, status="Pending"), seen(status="Active")])

    def act(seen: Any) -> None:
        if seen.settled:
            raise NotConverged("no")
        poller.pause("")

    with pytest.raises(NotConverged):
        poller.drive(lambda: next(looks), act, absent="absent")
    assert [(one.status, one.at_work) for one in told] == [("Pending", True), ("Active", False)]


def test_a_wait_begins_when_it_is_made_and_tells_how_long_it_has_gone_on() -> None:
    world = World()
    world.clock.wait(100, threading.Event())
    one = wait(world)
    one.pause("")
    assert one.elapsed == pytest.approx(one.now - 100)
    assert 0 < one.elapsed <= 0.25


def test_the_time_that_aws_may_take_counts_from_the_last_step() -> None:
    world = World()
    one = wait(world)
    world.clock.wait(500, threading.Event())
    one.call_made()
    world.clock.wait(599, threading.Event())
    one.check()
    world.clock.wait(2, threading.Event())
    with pytest.raises(NotConverged, match="plain/a did not get there in time") as caught:
        one.check()
    assert caught.value.evidence == "AWS has not finished; this was so for 601 s; AWS's last word: none"
    assert caught.value.hint == "run the same command again: it continues from here"


def test_a_stop_is_noticed_before_the_time_is_over() -> None:
    world = World()
    one = wait(world, longest=0)
    one.pause("")
    one.context.stop.set()
    with pytest.raises(Cancelled):
        one.check()


def test_an_answered_read_resets_the_timer_of_lost_ones() -> None:
    world = World()
    one = wait(world)
    for _ in range(3):
        one.read_failed(lost())
        world.clock.wait(119, threading.Event())
        one.observed(None, "absent")
    one.read_failed(lost())
    world.clock.wait(121, threading.Event())
    with pytest.raises(AwsNoAnswer):
        one.read_failed(lost())


def test_a_refusal_after_a_reset_has_its_full_patience() -> None:
    world = World()
    one = wait(world)
    for again in (one.reset_refusal, one.call_made):
        one.not_yet(NotYet("busy", Patience.PROPAGATION))
        world.clock.wait(121, threading.Event())
        again()
        one.not_yet(NotYet("busy", Patience.PROPAGATION))
