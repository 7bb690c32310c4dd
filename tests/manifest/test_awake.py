from __future__ import annotations

import sys
import threading
import time

import pytest

from tapctl.clock import BoottimeClock


def test_it_goes_forward_and_is_not_the_time_of_day() -> None:
    clock = BoottimeClock()
    before = clock.now()
    clock.wait(0.01, threading.Event())
    assert 0.005 < clock.now() - before < 5
    assert abs(clock.now() - time.time()) > 86_400


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it has another name")
def test_it_counts_the_time_a_machine_was_suspended() -> None:
    assert abs(BoottimeClock().now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5
