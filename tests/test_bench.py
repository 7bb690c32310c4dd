"""The yardsticks of the bench: the longest chain, and the plain way of the same steps."""

from __future__ import annotations

import sys
import threading

import pytest

from tapctl.engine.events import Finished, Result, Started
from tapctl.engine.polling import Emit
from tapctl.engine.resources import Node
from tests.bench.critical import APPLY, DESTROY, Stage, longest
from tests.bench.measuring import Report, beyond, ran
from tests.bench.serially import one_after_another


def test_the_critical_path_is_the_longest_chain() -> None:
    stages = {
        "a": Stage(5),
        "b": Stage(1),
        "c": Stage(3, ("a", "b")),
        "d": Stage(9, ("b",)),
    }
    assert longest(stages) == (10, ("b", "d"))
    assert longest(stages | {"e": Stage(2.5, ("c",))}) == (10.5, ("a", "c", "e"))


def test_a_database_decides_how_long_an_apply_takes_and_interfaces_how_long_a_destroy() -> None:
    assert longest(APPLY)[1][1:] == ("cluster", "instances, side by side", "rotation of the secret")
    assert longest(DESTROY)[1][-1] == "role, which outlives them"


def test_the_plain_way_begins_each_step_when_the_one_before_has_ended() -> None:
    steps = [Node("c", after_outputs=frozenset("b")), Node("a"), Node("b", after_settled=frozenset("a")), Node("d")]
    work_at_once: list[int] = []
    at_work = threading.Semaphore(1)

    def work(address: str, _: Emit) -> Finished:
        work_at_once.append(at_work.acquire(blocking=False))
        at_work.release()
        return Finished(address, Result.CREATED, 0)

    events = list(one_after_another(steps, work, threading.Event()))
    order = [one.address for one in events if isinstance(one, Started)]
    assert [one.address for one in events if isinstance(one, Finished)] == order
    assert all(work_at_once)
    assert [one for one in order if one != "d"] == ["a", "b", "c"]


def test_a_limit_that_is_broken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.begin("plan of dev")
    report.limit("calls", 47, 47, "")
    assert report.broken == []
    report.limit("calls", 48, 47, "")
    assert report.broken == ["plan of dev: calls"]
    assert "NOT calls" in capsys.readouterr().out


def test_a_command_is_weighed() -> None:
    big = ran((sys.executable, "-c", "x = bytearray(200 * 10**6); print('{}')"))
    assert big.records == [{}]
    assert 200 < big.peak_mb < 300
    took, last = beyond((sys.executable, "-c", "import time; time.sleep(0.3)"), (sys.executable, "-c", ""), 1)
    assert took < last.took_s >= 0.3, "the other command's time is taken off"
    assert last.peak_mb < 100


def test_a_command_that_fails_ends_the_bench() -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        ran((sys.executable, "-c", "raise SystemExit(3)"))
