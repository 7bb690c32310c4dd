from __future__ import annotations

import sys
import threading
import time

import pytest

from tapctl.clock import BoottimeClock


def test_the_boottime_clock_goes_forward_and_is_not_the_time_of_day() -> None:
    clock = BoottimeClock()
    before = clock.now()
    assert clock.now() >= before
    assert abs(clock.now() - time.time()) > 86_400


def test_a_stop_ends_a_wait_at_once() -> None:
    stop = threading.Event()
    stop.set()
    clock = BoottimeClock()
    before = clock.now()
    clock.wait(3600, stop)
    assert clock.now() - before < 3600


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it has another name")
def test_the_boottime_clock_counts_the_time_a_machine_was_suspended() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= BoottimeClock().now() <= time.clock_gettime(time.CLOCK_BOOTTIME)
