from __future__ import annotations

import io
import threading

import pytest

from tapctl.engine.events import Detached, Failed, Finished, Progress, Released, Result, Skipped, Started
from tapctl.engine.model import Retained
from tapctl.errors import AwsRefused
from tapctl.render.progress import LinesView, ProgressTracker, QuietProgress
from tapctl.render.terminal import OutputStream

KEY, CLUSTER, INSTANCE = "kms-key/alias/key", "db-cluster/db", "db-instance/db-0"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A view of lines, its clock, and what it wrote since it was last asked."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.clock = Clock()
        self.view = LinesView(OutputStream(self.stream, "stderr"), clock=self.clock)
        self.view.begin([KEY, CLUSTER, INSTANCE], {})

    def new(self) -> list[str]:
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return text.splitlines()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_resource_gets_a_line_when_it_ends(watched: Watched) -> None:
    watched.view.event(Started(KEY))
    watched.view.event(Released(KEY))
    assert watched.new() == []
    watched.view.event(Finished(KEY, Result.CREATED, 0.62))
    assert watched.new() == ["  ✓ kms-key      alias/key  created     0.6 s"]


def test_a_wait_gets_a_line_for_each_change_of_state_and_no_more(watched: Watched) -> None:
    watched.view.event(Started(CLUSTER))
    watched.clock.now += 11
    watched.view.event(Progress(CLUSTER, "creating", 11, usual_s=185))
    watched.view.event(Progress(CLUSTER, "creating", 12, usual_s=185))
    assert watched.new() == ["  … db-cluster   db         creating    0:11    usual 3:05"]
    watched.view.event(Progress(CLUSTER, "creating", 12, "the key to spread", 185))
    assert watched.new() == ["  … db-cluster   db         creating    0:11    usual 3:05   the key to spread"]


def test_a_silent_half_minute_names_what_is_still_awaited(watched: Watched) -> None:
    watched.view.event(Started(CLUSTER))
    watched.view.event(Progress(CLUSTER, "creating", 0, usual_s=185))
    watched.clock.now += 29
    watched.view.event(Progress(CLUSTER, "creating", 29, usual_s=185))
    watched.view.beat()
    assert len(watched.new()) == 1
    watched.clock.now += 1
    watched.view.beat()
    assert watched.new() == [
        "  still waiting, 0/3   elapsed 0:30   about 2:35 more:",
        "  … db-cluster   db         creating    0:30    usual 3:05",
    ]
    watched.view.beat()
    assert watched.new() == []


def test_a_hanging_call_gets_a_sign_of_life() -> None:
    """The view finds out a hanging call by itself, and in time: no event comes."""
    stream, heard = io.StringIO(), threading.Event()

    class Heard(OutputStream):
        def lines(self, *lines: str) -> None:
            super().lines(*lines)
            heard.set()

    view = LinesView(Heard(stream, "stderr"), heartbeat_s=0.05)
    view.begin([CLUSTER], {})
    view.event(Started(CLUSTER))
    assert heard.wait(10)
    view.end()
    assert stream.getvalue().startswith("  still waiting, 0/1   elapsed 0:00:\n")


def test_nothing_is_awaited_where_nothing_runs(watched: Watched) -> None:
    watched.clock.now += 60
    watched.view.beat()
    watched.view.event(Skipped(CLUSTER, ()))
    watched.view.beat()
    watched.view.end()
    assert watched.new() == ["  1 not tried; we were asked to stop"]
    watched.view.beat()
    assert watched.new() == []


def test_a_failure_and_what_was_left_are_told(watched: Watched) -> None:
    watched.view.event(Started(KEY))
    watched.view.event(Failed(KEY, AwsRefused("kms", "CreateKey", "LimitExceeded", "too\nmany"), 1.0))
    watched.view.event(Progress(CLUSTER, "creating", 5))
    watched.view.event(Detached(CLUSTER, "creating"))
    assert watched.new() == [
        "  ✗ kms-key      alias/key  failed      1.0 s   LimitExceeded on kms:CreateKey: too many",
        "  … db-cluster   db         creating    0:05",
        "  … db-cluster   db         creating            left; AWS goes on with what it has accepted",
    ]


def test_what_was_kept_says_until_when(watched: Watched) -> None:
    watched.view.event(Finished(KEY, Result.KEPT, 1, Retained("2027-01-08", "AWS deletes no key at once")))
    watched.view.event(Finished(INSTANCE, Result.SKIPPED, 0))
    assert watched.new() == [
        "  ✓ kms-key      alias/key  kept        1.0 s   until 2027-01-08: AWS deletes no key at once",
        "  … db-instance  db-0       skipped     0.0 s",
    ]


def test_what_was_not_tried_is_counted_with_its_causes(watched: Watched) -> None:
    watched.view.event(Skipped(CLUSTER, (KEY,)))
    watched.view.event(Skipped(INSTANCE, (KEY,)))
    watched.view.end()
    assert watched.new() == ["  2 not tried; waiting for what failed: kms-key/alias/key"]
    watched.view.end()
    assert watched.new() == []


def test_what_was_not_tried_because_of_a_signal_says_so(watched: Watched) -> None:
    watched.view.event(Skipped(CLUSTER, ()))
    watched.view.end()
    assert watched.new() == ["  1 not tried; we were asked to stop"]


def test_what_is_left_counts_what_waits_for_what_runs() -> None:
    tracker = ProgressTracker([KEY, CLUSTER, INSTANCE], {}, 0, {KEY: 670, CLUSTER: 660, INSTANCE: 480})
    assert tracker.remaining(0) == ""
    tracker.apply(Started(CLUSTER), 0)
    assert tracker.remaining(0) == "about 11:00 more"
    tracker.apply(Progress(CLUSTER, "creating", 0, usual_s=180), 0)
    assert tracker.remaining(60) == "about 10:00 more"
    assert tracker.remaining(300) == "about 8:00 more"  # later than usual: the rest is left in any case


def test_a_second_execution_starts_anew(watched: Watched) -> None:
    watched.view.event(Skipped(CLUSTER, ()))
    watched.view.end()
    watched.view.begin([KEY], {})
    watched.view.event(Finished(KEY, Result.DELETED, 1))
    watched.view.end()
    assert watched.new()[1:] == ["  ✓ kms-key  alias/key  deleted     1.0 s"]


def test_quiet_progress_writes_only_lines_of_their_own() -> None:
    stream = io.StringIO()
    view = QuietProgress(OutputStream(stream, "stderr"))
    view.begin([KEY], {})
    view.event(Started(KEY))
    view.say("warning: careful")
    view.end()
    assert stream.getvalue() == "warning: careful\n"
