"""Estimates: what is usual, the longest chain, and what is left."""

from __future__ import annotations

import random

import pytest

from tapctl.engine.estimate import (
    COMMAND,
    KEPT,
    Durations,
    Estimate,
    Operation,
    Usual,
    documented_s,
    estimate,
    estimate_command,
    longest_s,
    operation_of,
    seconds_to_end,
)
from tapctl.engine.model import Impact, Timing
from tapctl.engine.plan import Action, Change
from tapctl.engine.resources import Node

TIMING = Timing(create_s=10, delete_s=2, update_s=3, restart_s=30, upgrade_s=60)


@pytest.mark.parametrize(
    ("action", "impact", "usual", "without"),
    [
        (Action.CREATE, Impact.NONE, 10, 10),
        (Action.SETTLE, Impact.NONE, 10, 10),
        (Action.DELETE, Impact.DATA_LOSS, 2, 2),
        (Action.REPLACE, Impact.REPLACE, 12, 12),
        (Action.UPDATE, Impact.NONE, 3, 3),
        (Action.UPDATE, Impact.FAILOVER, 30, 3),
        (Action.UPDATE, Impact.UPGRADE, 60, 3),
    ],
)
def test_what_is_usual_depends_on_what_is_done(action: Action, impact: Impact, usual: float, without: float) -> None:
    operation = operation_of(Change("a/b", "a", "b", action, impact=impact))
    assert documented_s(TIMING, operation) == usual
    assert documented_s(Timing(create_s=10, delete_s=2, update_s=3), operation) == without


def test_until_something_was_measured_aws_s_own_times_are_usual() -> None:
    nothing = Durations()
    assert nothing.usual("a", Operation.CREATE, TIMING) == Usual(10, 5, 20)
    one = nothing.adding([("a", Operation.CREATE, 9.04)])
    assert one.usual("a", Operation.CREATE, TIMING) == Usual(9, 6, 13.5)
    assert one.usual("a", Operation.DELETE, TIMING) == nothing.usual("b", Operation.DELETE, TIMING) == Usual(2, 1, 4)
    many = nothing.adding([("a", Operation.CREATE, seconds) for seconds in (9, 1, 5, 7, 6, 6, 6, 6, 6)])
    assert many.usual("a", Operation.CREATE, TIMING) == Usual(6, 1, 9)


def test_the_last_twenty_of_each_type_and_operation_are_kept() -> None:
    durations = Durations().adding(("a", Operation.CREATE, at) for at in range(KEPT + 5))
    assert durations.measured["a"][Operation.CREATE] == tuple(range(5, KEPT + 5))
    both = durations.adding([("a", Operation.DELETE, 1)])
    assert both.measured["a"].keys() == {Operation.CREATE, Operation.DELETE}
    assert durations.measured["a"].keys() == {Operation.CREATE}


# A cluster whose outputs are known early, its instance, and a function that needs only the outputs.
GRAPH = [
    Node("instance", after_settled=frozenset({"cluster"})),
    Node("function", after_outputs=frozenset({"cluster"})),
    Node("key"),
    Node("cluster", after_settled=frozenset({"key"})),
]
SECONDS = {"key": 10.0, "cluster": 180.0, "instance": 480.0, "function": 60.0}


def usual(**other: float) -> dict[str, Usual]:
    return {address: Usual(each, each / 2, each * 2) for address, each in (SECONDS | other).items()}


def test_the_longest_chain_decides() -> None:
    assert estimate(GRAPH, usual()) == Estimate(670, 335, 1340, ("key", "cluster", "instance"), SECONDS)
    slow = estimate(GRAPH, usual(function=3000))
    assert (slow.usual_s, slow.critical_path) == (3015, ("key", "cluster", "function"))
    assert longest_s(GRAPH, SECONDS) == 670
    assert estimate([], {}) == Estimate()
    assert estimate([], {}).then(slow) == slow


def test_one_execution_after_another_takes_both_times() -> None:
    both = Estimate(1, 2, 3, ("a",), {"a": 1}).then(Estimate(10, 20, 30, ("b",), {"b": 10}))
    assert both == Estimate(11, 22, 33, ("a", "b"), {"a": 1, "b": 10})


def test_a_command_takes_time_beside_its_resources() -> None:
    assert estimate_command(Durations(), Operation.CREATE) == Estimate(15, 7.5, 30)
    measured = Durations().adding([(COMMAND, Operation.DELETE, 6)])
    assert estimate_command(measured, Operation.DELETE) == Estimate(6, 4, 9)


def test_what_waits_for_a_resource_is_left_after_it() -> None:
    assert seconds_to_end(GRAPH, SECONDS) == {"key": 670, "cluster": 660, "instance": 480, "function": 60}
    assert seconds_to_end(GRAPH, SECONDS | {"function": 3000.0})["cluster"] == 3005


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("runs", [1, 3, 5, 8, 12, 20])
def test_four_of_five_runs_take_a_time_within_the_range_that_was_told(runs: int, together: bool) -> None:
    """``together``: all that a run waits for is slow, or quick, at once."""
    chance = random.Random(10)  # noqa: S311 -- no secret

    def took() -> dict[str, float]:
        all_of_it = chance.uniform(0.7, 1.4)
        each = {address: all_of_it if together else chance.uniform(0.7, 1.4) for address in SECONDS}
        return {address: seconds * each[address] for address, seconds in SECONDS.items()}

    within, learnt, replays = 0, 20, 20
    for _ in range(learnt):
        durations = Durations()
        for _ in range(runs):
            durations = durations.adding((address, Operation.CREATE, seconds) for address, seconds in took().items())
        told = estimate(GRAPH, {address: durations.usual(address, Operation.CREATE, TIMING) for address in SECONDS})
        for _ in range(replays):
            actual = estimate(GRAPH, {address: Usual(seconds, 0, 0) for address, seconds in took().items()}).usual_s
            within += told.low_s <= actual <= told.high_s
    assert within >= learnt * replays * 4 / 5
