from __future__ import annotations

import threading

import pytest

from tapctl.threads import in_background


def test_calls_run_side_by_side_and_return_their_results() -> None:
    together = threading.Barrier(3, timeout=300)

    def call() -> int:
        return together.wait() and 1

    futures = [in_background(call) for _ in range(2)]
    together.wait()
    assert all(one.result(5) in (0, 1) for one in futures)


def test_what_a_call_raises_is_raised_where_its_result_is_asked_for() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        in_background(fail).result(5)


def test_nobody_waits_for_a_call_that_hangs() -> None:
    released = threading.Event()
    before = set(threading.enumerate())
    ended = in_background(released.wait)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    assert not ended.done()
    released.set()
    assert ended.result(5)
