"""Waits: from one state of a resource to the next, until it ends."""

from __future__ import annotations

from tapctl.engine.events import Finished, Progress, Released, Result, Started
from tapctl.execution.waits import Waits
from tapctl.render.screen import Span


def test_a_wait_is_over_when_the_state_changes_or_the_resource_ends() -> None:
    times = iter((1.0, 2.0, 5.0, 6.0, 7.0))
    waits = Waits(0.5, lambda: next(times))
    assert waits.after(Started("a/b")) == []
    assert waits.after(Progress("a/b", "creating", 1)) == []
    assert waits.after(Progress("a/b", "creating", 2)) == []
    assert waits.after(Released("a/b")) == []
    assert waits.after(Progress("a/b", "creating", 3, awaiting="the role")) == [Span("a/b", "creating", 0.5, 4.5, 0)]
    assert waits.after(Finished("a/b", Result.CREATED, 4)) == [Span("a/b", "the role", 4.5, 5.5, 0)]
    assert waits.after(Finished("c/d", Result.CREATED, 4)) == []
