"""Many resources at once: what starts when, how each ends, and what a stop does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Released, Result, Skipped, Started
from tapctl.engine.execute import execute
from tapctl.engine.model import Retained
from tapctl.engine.polling import Cancelled, Emit
from tapctl.engine.resources import Node
from tapctl.errors import NotConverged, Refused, TapctlError

Act = Callable[[Emit], Finished]
DONE = Finished("", Result.CREATED, 0)
"""An end of whatever resource."""


def step(address: str, *, known: Iterable[str] = (), settled: Iterable[str] = ()) -> Node:
    return Node(address, frozenset(known), frozenset(settled))


def run(
    steps: Iterable[Node],
    acts: Mapping[str, Act] | None = None,
    stop: threading.Event | None = None,
    *,
    leave_within_s: float = 5,
) -> list[Event]:
    def work(address: str, emit: Emit) -> Finished:
        return replace(acts[address](emit) if acts and address in acts else DONE, address=address)

    return list(execute(steps, work, stop or threading.Event(), leave_within_s=leave_within_s))


def fails(error: BaseException) -> Act:
    def act(_: Emit) -> Finished:
        raise error

    return act


def ends(events: Iterable[Event]) -> dict[str, Event]:
    """Map each address to the end of it; every one ends once."""
    found = [one for one in events if isinstance(one, Finished | Failed | Detached | Skipped)]
    assert len({one.address for one in found}) == len(found), "something has ended twice"
    return {one.address: one for one in found}


def started(events: Iterable[Event]) -> list[str]:
    return [one.address for one in events if isinstance(one, Started)]


def test_without_nodes_there_are_no_events() -> None:
    assert run([]) == []


def test_the_end_of_a_resource_is_told_in_full() -> None:
    until = Retained("May", "it waits")
    (begun, end) = run([step("a")], {"a": lambda _: Finished("a", Result.KEPT, 2, until, unreadable=("iam:GetRole",))})
    assert begun == Started("a")
    assert isinstance(end, Finished)
    assert (end.result, end.remark, end.unreadable) == (Result.KEPT, "until May: it waits", ("iam:GetRole",))


def test_independent_things_are_worked_on_side_by_side() -> None:
    together = threading.Barrier(20, timeout=5)

    def act(_: Emit) -> Finished:
        together.wait()
        return DONE

    names = [str(number) for number in range(20)]
    assert all(isinstance(end, Finished) for end in ends(run(map(step, names), dict.fromkeys(names, act))).values())


def test_there_is_no_barrier_between_what_is_not_related() -> None:
    """The second of a chain starts while an unrelated thing of the first hour is still at work."""
    second = threading.Event()

    def slow(_: Emit) -> Finished:
        assert second.wait(5)
        return DONE

    def quick(_: Emit) -> Finished:
        second.set()
        return DONE

    events = run([step("slow"), step("first"), step("second", settled=["first"])], {"slow": slow, "second": quick})
    assert isinstance(ends(events)["slow"], Finished)


def test_a_node_starts_when_the_outputs_it_needs_are_known_or_the_resource_is_settled() -> None:
    user_done, log = threading.Event(), []

    def cluster(emit: Emit) -> Finished:
        emit(Released("cluster"))
        assert user_done.wait(5)
        log.append("cluster")
        return DONE

    def user(_: Emit) -> Finished:
        log.append("user")
        user_done.set()
        return DONE

    def member(_: Emit) -> Finished:
        log.append("member")
        return DONE

    steps = [step("member", settled=["cluster"]), step("user", known=["cluster"]), step("cluster")]
    run(steps, {"cluster": cluster, "user": user, "member": member})
    assert log == ["user", "cluster", "member"]


def test_a_resource_that_is_released_twice_counts_once() -> None:
    def act(emit: Emit) -> Finished:
        emit(Released("a"))
        emit(Released("a"))
        return DONE

    events = run([step("a"), step("b", known=["a"])], {"a": act})
    assert started(events) == ["a", "b"]


def test_what_needs_a_failed_thing_never_starts_and_names_only_the_root_cause() -> None:
    refused = Refused("not ours")
    steps = [step("a"), step("b", settled=["a"]), step("c", known=["b"]), step("d")]

    events = run(steps, {"a": fails(refused)})

    end = ends(events)
    assert sorted(started(events)) == ["a", "d"]
    assert isinstance(end["a"], Failed)
    assert end["a"].error is refused
    assert end["b"] == Skipped("b", ("a",))
    assert end["c"] == Skipped("c", ("a",))
    assert isinstance(end["d"], Finished)


def test_an_early_thing_that_fails_after_it_was_known_skips_only_what_waits_for_it_settled() -> None:
    released = threading.Event()

    def cluster(emit: Emit) -> Finished:
        emit(Released("cluster"))
        assert released.wait(5)
        raise NotConverged("incompatible-network")

    def user(_: Emit) -> Finished:
        released.set()
        return DONE

    steps = [step("cluster"), step("user", known=["cluster"]), step("after", settled=["user"])]
    events = run([*steps, step("member", settled=["cluster"])], {"cluster": cluster, "user": user})

    end = ends(events)
    assert isinstance(end["user"], Finished)
    assert isinstance(end["after"], Finished)
    assert end["member"] == Skipped("member", ("cluster",))


class NotOurs(Exception):
    pass


@pytest.mark.parametrize("error", [NotOurs("password=hunter2"), SystemExit("password=hunter2")])
def test_a_bug_ends_only_its_own_node_and_its_message_is_never_shown(error: BaseException) -> None:
    events = run([step("a"), step("b"), step("c", settled=["a"])], {"a": fails(error)})

    end = ends(events)
    failed = end["a"]
    assert isinstance(failed, Failed)
    shown = f"{failed.error} {failed.error.evidence} {failed.error.hint}"
    assert type(failed.error) is TapctlError
    assert type(error).__name__ in shown
    assert "test_execute.py" in shown
    assert "hunter2" not in shown
    assert isinstance(end["b"], Finished)
    assert end["c"] == Skipped("c", ("a",))


def test_the_last_status_is_told_with_a_failure() -> None:
    def act(emit: Emit) -> Finished:
        emit(Progress("a", "creating", 1))
        raise NotConverged("no")

    failed = ends(run([step("a")], {"a": act}))["a"]
    assert isinstance(failed, Failed)
    assert failed.status == "creating"
    assert failed.elapsed_s >= 0


def test_after_a_stop_nothing_starts_and_running_work_is_detached() -> None:
    stop = threading.Event()

    def act(emit: Emit) -> Finished:
        emit(Progress("a", "creating", 1))
        stop.set()
        raise Cancelled

    events = run([step("a"), step("b", settled=["a"])], {"a": act}, stop)
    assert ends(events) == {"a": Detached("a", "creating"), "b": Skipped("b", ())}


def test_what_finishes_after_a_stop_has_finished_and_releases_nothing() -> None:
    stop = threading.Event()

    def act(_: Emit) -> Finished:
        stop.set()
        return DONE

    events = run([step("a"), step("b", settled=["a"])], {"a": act}, stop)
    assert isinstance(ends(events)["a"], Finished)
    assert ends(events)["b"] == Skipped("b", ())


def test_asked_to_stop_before_it_began_nothing_starts() -> None:
    stop = threading.Event()
    stop.set()
    assert run([step("a")], stop=stop) == [Skipped("a", ())]


def test_work_that_does_not_leave_is_detached_within_the_bound() -> None:
    stop, never = threading.Event(), threading.Event()

    def hangs(emit: Emit) -> Finished:
        emit(Progress("a", "calling", 1))
        stop.set()
        assert never.wait(5), "the execution waited for it"
        return DONE

    events = run([step("a"), step("b", known=["a"])], {"a": hangs}, stop, leave_within_s=0.01)
    never.set()
    assert ends(events) == {"a": Detached("a", "calling"), "b": Skipped("b", ())}


# -- any graph -------------------------------------------------------------------------------------------------------

FATES = ("finishes", "known first", "fails", "fails after known", "bug", "stops")


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[Node, str]]:
    made: list[tuple[Node, str]] = []
    for number in range(draw(st.integers(1, 9))):
        before = [one.address for one, _ in made]
        some = st.frozensets(st.sampled_from(before), max_size=3) if before else st.just(frozenset())
        made.append((Node(str(number), draw(some), draw(some)), draw(st.sampled_from(FATES))))
    return made


def live(fates: Mapping[str, str], stop: threading.Event) -> Callable[[str, Emit], Finished]:
    """Work that ends each as its fate says."""

    def work(here: str, emit: Emit) -> Finished:
        fate = fates[here]
        if "known" in fate:
            emit(Released(here))
        if fate.startswith("fails"):
            raise NotConverged(fate)
        if fate == "bug":
            raise ZeroDivisionError
        if fate == "stops":
            stop.set()
            raise Cancelled
        return replace(DONE, address=here)

    return work


@settings(max_examples=60)
@given(graphs())
def test_in_any_graph_order_is_kept_and_everything_ends_once(graph: list[tuple[Node, str]]) -> None:
    stop = threading.Event()
    steps = {one.address: one for one, _ in graph}
    told: list[Event] = []
    stopped = False
    for event in execute(steps.values(), live({one.address: fate for one, fate in graph}, stop), stop):
        if isinstance(event, Started):
            finished = {one.address for one in told if isinstance(one, Finished)}
            assert steps[event.address].after_settled <= finished
            assert steps[event.address].after_outputs <= finished | {
                one.address for one in told if isinstance(one, Released)
            }
            assert not stopped, "something has started after the stop"
        told.append(event)
        stopped = stop.is_set()

    end = ends(told)
    assert end.keys() == steps.keys()
    assert set(started(told)) == {here for here, one in end.items() if not isinstance(one, Skipped)}
    for one in end.values():
        if isinstance(one, Skipped):
            assert one.causes or stop.is_set()
            assert all(isinstance(end[cause], Failed) for cause in one.causes)
