"""From nothing to nothing by way of changes, where any call may be throttled, fail or be lost, done or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tapctl.sandbox.hiccups import Hiccup, Hiccups
from tests.stories.leftovers import left
from tests.support.world import World

SHARES = {
    Hiccup.THROTTLED: 0.04,
    Hiccup.FAILED: 0.02,
    Hiccup.UNAVAILABLE: 0.02,
    Hiccup.UNHEARD: 0.02,
    Hiccup.HELD: 0.01,
    Hiccup.UNANSWERED: 0.02,
    Hiccup.HELD_AFTER: 0.01,
    Hiccup.FAILED_AFTER: 0.02,
}
"""Of all calls: about one in six goes wrong, one in twenty after it was done."""


@pytest.fixture(params=range(3))
def rough(living: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """That AWS, on a bad day."""
    sandbox = living.door.sandbox
    peace, sandbox.hiccups = sandbox.hiccups, Hiccups(SHARES, seed=request.param, held_s=0.3)
    yield living
    sandbox.hiccups = peace


def at_peace(world: World) -> None:
    """What follows goes well."""
    world.door.sandbox.hiccups = Hiccups()


@pytest.mark.soak
def test_a_bad_day_is_no_event(rough: World) -> None:
    bad = rough.door.sandbox.hiccups
    at_peace(rough)
    before = left(rough)
    rough.door.sandbox.hiccups = bad
    made = rough.applied("dev")
    assert "21 created" in made.verdict
    rough.edit("common.toml", "log_min_duration_statement_ms = 1000", "log_min_duration_statement_ms = 2000")
    rough.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "cards"')
    rough.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    rough.applied("dev")
    assert rough.tapctl("drift", "--env", "dev").code == 0

    at_peace(rough)
    again = rough.applied("dev")
    assert again.changes == ()
    assert len(rough.client("kms").list_keys()["Keys"]) == 1

    rough.door.sandbox.hiccups = bad
    gone = rough.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.out + gone.err
    at_peace(rough)
    assert left(rough) == before | {"key:PendingDeletion"}
