"""The signals that end a command softly: SIGHUP as SIGTERM, where nobody has it ignored."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tapctl.execution.runner import ExecutionResult, _stopped_by_signals
from tapctl.execution.signals import ending_signals


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    """The handlers of the test run are the same after each test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_terminal_that_closes_stops_a_run_as_a_termination_does() -> None:
    stop, outcome = threading.Event(), ExecutionResult()
    with _stopped_by_signals(stop, outcome):
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL, "a second one ends at once"
    assert outcome.signal == signal.SIGHUP
    assert ending_signals() == [signal.SIGTERM, signal.SIGHUP]


def test_a_hangup_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with _stopped_by_signals(threading.Event(), ExecutionResult()):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert ending_signals() == [signal.SIGTERM]
