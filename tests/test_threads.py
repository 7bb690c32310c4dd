from __future__ import annotations

import threading
from functools import partial

import pytest

from tapctl.threads import as_they_end, in_background, side_by_side


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


def test_as_many_calls_run_side_by_side_as_may_and_each_is_told_when_it_has_ended() -> None:
    first_two = threading.Barrier(2, timeout=300)
    running = threading.Semaphore(2)

    def call(number: int) -> int:
        assert running.acquire(blocking=False)
        if number < 2:
            first_two.wait()
        running.release()
        return number

    ended = dict(filter(None, as_they_end({str(n): partial(call, n) for n in range(7)}, 2)))
    assert sorted(future.result() for future in ended.values()) == list(range(7))


def test_a_silence_is_told() -> None:
    released = threading.Event()
    calls = as_they_end({"slow": released.wait}, 1, beat_s=0.01)
    assert next(calls) is None
    released.set()
    (ended,) = filter(None, calls)
    assert ended[0] == "slow"


def test_calls_made_at_once_answer_in_order_and_bear_the_name_of_the_thread_that_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = threading.Barrier(3, timeout=300)

    def call(number: int) -> tuple[int, str]:
        together.wait()
        return number, threading.current_thread().name

    monkeypatch.setattr(threading.current_thread(), "name", "kms-key/alias/db-key-dev")
    assert side_by_side(partial(call, number) for number in range(3)) == [
        (number, "kms-key/alias/db-key-dev") for number in range(3)
    ]
