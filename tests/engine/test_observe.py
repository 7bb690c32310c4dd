from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tapctl.engine.model import Observed
from tapctl.engine.observe import WORKERS, Absent, ObserveRequest, Unreadable, observe_all, unread_note
from tapctl.errors import AwsError
from tests.engine.kinds import SMALL, Leaf, Plain, ThingOutputs, ThingSpec
from tests.engine.traits import Looks, lost, refused
from tests.engine.world import Seen, World


class Meeting(Plain):
    """Looks that end only once so many of them have begun."""

    def __init__(self, many: int) -> None:
        self.together = threading.Barrier(many, timeout=5)

    def observe(self, aws: World, id: str, expected: ThingSpec | None) -> Observed[ThingSpec, ThingOutputs] | None:
        self.together.wait()
        return super().observe(aws, id, expected)


def test_many_are_looked_at_side_by_side() -> None:
    meeting = Meeting(WORKERS)
    seen = observe_all(World(), [ObserveRequest(meeting, str(number), None) for number in range(WORKERS)])
    assert len(seen) == WORKERS


def test_never_more_than_the_workers_at_a_time() -> None:
    now, most, lock = [0], [0], threading.Lock()

    class Counting(Plain):
        def observe(self, aws: World, id: str, expected: ThingSpec | None) -> Observed[ThingSpec, ThingOutputs] | None:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            threading.Event().wait(0.001)
            with lock:
                now[0] -= 1
            return None

    observe_all(World(), [ObserveRequest(Counting(), str(number), None) for number in range(5 * WORKERS)])
    assert most[0] <= WORKERS


def test_all_observations_share_one_memoized_view() -> None:
    world = World()
    world.put(Plain(), "a", SMALL)

    seen = observe_all(
        world,
        [ObserveRequest(Plain(), "a", SMALL), ObserveRequest(Plain(), "b", None), ObserveRequest(Leaf(), "a", None)],
    )

    assert world.rounds == [{"plain": ("a", "b"), "leaf": ("a",)}]
    assert isinstance(seen["plain/a"], Observed)
    assert seen["plain/b"] == seen["leaf/a"] == Absent()


def test_without_requests_nothing_is_read() -> None:
    assert observe_all(World(), []) == {}


def no(error: BaseException) -> Callable[[Seen | None], Seen | None]:
    def raising(_: Seen | None) -> Seen | None:
        raise error

    return raising


def test_a_missing_permission_is_unreadable_and_never_absent() -> None:
    denied = refused("AccessDenied")
    world = World(Looks([1], no(denied), on="plain/a"))

    seen = observe_all(world, [ObserveRequest(Plain(), "a", None), ObserveRequest(Plain(), "b", None)])

    assert seen == {"plain/a": Unreadable("fake:Call", denied), "plain/b": Absent()}


@pytest.mark.parametrize("error", [refused("ValidationError"), lost()])
def test_any_other_refusal_and_a_lost_answer_end_the_look(error: AwsError) -> None:
    with pytest.raises(AwsError) as caught:
        observe_all(World(Looks([1], no(error), on="plain/b")), [ObserveRequest(Plain(), name, None) for name in "abc"])
    assert caught.value is error


def test_in_a_look_that_changes_nothing_a_refusal_ends_no_look_at_the_others() -> None:
    error, world = refused("InvalidState"), World(Looks([1], no(refused("InvalidState")), on="plain/b"))
    seen = observe_all(world, [ObserveRequest(Plain(), name, None) for name in "abc"], exposures=True)
    assert (seen["plain/a"], seen["plain/c"]) == (Absent(), Absent())
    told = seen["plain/b"]
    assert isinstance(told, Unreadable)
    assert (told.action, told.refusal) == ("fake:Call", "refused: InvalidState: no")
    assert unread_note(told.action, told.refusal) == "fake:Call refused: InvalidState: no"
    alone = [ObserveRequest(Plain(), "a", None)]
    for code in ("InvalidState", "ExpiredToken"):
        error = refused(code)
        with pytest.raises(AwsError) as caught:
            observe_all(World(Looks([1], no(error))), alone, exposures=True)
        assert caught.value is error


@pytest.mark.parametrize("bug", [ZeroDivisionError(), SystemExit()])
def test_a_bug_in_a_look_ends_it_and_never_hangs(bug: BaseException) -> None:
    with pytest.raises(type(bug)):
        observe_all(World(Looks([1], no(bug))), [ObserveRequest(Plain(), "a", None)])


class Untold(Plain):
    """Of whose exposures AWS tells nothing."""

    def observe_exposures(
        self, aws: Any, id: str, seen: Observed[ThingSpec, ThingOutputs], expected: ThingSpec | None
    ) -> Observed[ThingSpec, ThingOutputs]:
        return replace(seen, unreadable={"size": "fake:List"}, refusals={"size": "refused: NotFound: no"})


def test_where_exposures_are_refused_another_look_tells_if_the_resource_is_there() -> None:
    def gone(_: Seen | None) -> Seen | None:
        return None

    def going(seen: Seen | None) -> Seen | None:
        assert seen is not None
        return replace(seen, deleting=True)

    world = World(Looks([2], gone, on="plain/gone"), Looks([2], going, on="plain/going"))
    for name in ("gone", "going", "there"):
        world.put(Plain(), name, SMALL)
    seen = observe_all(
        world, [ObserveRequest(Untold(), name, None) for name in ("gone", "going", "there")], exposures=True
    )

    assert seen["plain/gone"] == Absent()
    left, there = seen["plain/going"], seen["plain/there"]
    assert isinstance(left, Observed)
    assert isinstance(there, Observed)
    assert (left.deleting, left.refusals, there.deleting) == (True, {}, False)
    assert there.refusals == {"size": "refused: NotFound: no"}


def test_exposures_are_read_where_they_are_asked_for_and_of_what_stays() -> None:
    class Shown(Plain):
        def observe_exposures(
            self, aws: Any, id: str, seen: Observed[ThingSpec, ThingOutputs], expected: ThingSpec | None
        ) -> Observed[ThingSpec, ThingOutputs]:
            return replace(seen, status="with exposures")

    class Going(Shown):
        def observe(self, aws: Any, id: str, expected: ThingSpec | None) -> Observed[ThingSpec, ThingOutputs] | None:
            return (
                Observed(SMALL, ThingOutputs(arn="x"))
                if id == "stays"
                else Observed(SMALL, ThingOutputs(arn="x"), deleting=True)
            )

    def statuses(*, exposures: bool) -> dict[str, str]:
        requests = [ObserveRequest(Going(), name, None) for name in ("stays", "goes")]
        seen = observe_all(World(), requests, exposures=exposures)
        return {place: each.status for place, each in seen.items() if isinstance(each, Observed)}

    assert statuses(exposures=True) == {"plain/stays": "with exposures", "plain/goes": "active"}
    assert statuses(exposures=False) == {"plain/stays": "active", "plain/goes": "active"}
