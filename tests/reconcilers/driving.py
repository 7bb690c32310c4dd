"""A reconciler driven as the engine drives it, without its waiting: look, compare, one step, look again."""

from __future__ import annotations

from typing import Any

from tapctl.aws.client import Aws
from tapctl.engine.diff import compare
from tapctl.engine.model import Observed, Owner, Reconciler, Retained, Spec

OURS = Owner.ours("test", "dev")
TAGS = {"ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
_STEPS = 40


def bring(rec: Reconciler[Any, Any], aws: Aws, id: str, want: Spec) -> Observed[Any, Any]:
    """Bring it there; every step is one changing call, and asks for nothing that was as wanted."""
    for _ in range(_STEPS):
        seen = rec.observe(aws, id, want)
        before = changes(aws)
        if seen is None or seen.deleting:
            rec.create(aws, id, want, OURS)
        else:
            differs = compare(want, seen.spec, unread={*seen.unreadable, *rec.leaves(allowed=True)})
            if not differs:
                return seen
            asked = rec.update(aws, id, seen.spec, want)
            assert asked <= set(differs)
        assert changes(aws) == before + 1
    raise AssertionError(f"still different: {differs}")


def delete_until_gone(rec: Reconciler[Any, Any], aws: Aws, id: str, last: Spec | None = None) -> Retained | None:
    """Remove it, one changing call a step; why it was kept, where it was."""
    for _ in range(_STEPS):
        seen = rec.observe(aws, id, last)
        if seen is None:
            return None
        if seen.retained is not None:
            return seen.retained
        before = changes(aws)
        kept = rec.delete(aws, id, seen, last)
        if kept is not None:
            assert changes(aws) == before
            return kept
        assert changes(aws) == before + 1
    raise AssertionError("still there")


def changes(aws: Aws) -> int:
    """Changing calls so far."""
    return aws.call_log.changes.total()


def calls(aws: Aws) -> int:
    """All calls so far."""
    return aws.call_log.calls.total()


def look(rec: Reconciler[Any, Any], aws: Aws, id: str, expected: Spec | None = None) -> Observed[Any, Any]:
    """Observe a resource that exists."""
    seen = rec.observe(aws, id, expected)
    assert seen is not None
    return seen
