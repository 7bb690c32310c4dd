"""A whole life, from nothing to nothing, where any call may be throttled, fail or be lost, done or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stories.leftovers import left
from tests.support.faults import Fault, FaultInjector
from tests.support.world import World

SHARES = {
    Fault.THROTTLED: 0.04,
    Fault.SERVER_ERROR: 0.02,
    Fault.UNAVAILABLE: 0.02,
    Fault.REQUEST_LOST: 0.02,
    Fault.TIMEOUT: 0.01,
    Fault.REPLY_LOST: 0.02,
    Fault.TIMEOUT_AFTER_EFFECT: 0.01,
    Fault.SERVER_ERROR_AFTER_EFFECT: 0.02,
}
"""Of all calls: about one in six goes wrong, one in twenty after it was done."""


@pytest.fixture(params=range(6))
def rough(living: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """Give AWS a bad day."""
    sandbox = living.door.sandbox
    before, sandbox.around = sandbox.around, FaultInjector(SHARES, seed=request.param, timeout_s=0.3)
    yield living
    sandbox.around = before


def stop_faults(world: World) -> None:
    """Let all further calls go well."""
    world.door.sandbox.around = FaultInjector()


@pytest.mark.soak
def test_a_bad_day_is_no_event(rough: World) -> None:
    bad = rough.door.sandbox.around
    stop_faults(rough)
    before = left(rough)
    rough.door.sandbox.around = bad
    made = rough.applied("dev")
    assert f"{len(rough.stack())} created" in made.verdict, made.out
    rough.edit("common.toml", "log_min_duration_statement_ms = 1000", "log_min_duration_statement_ms = 2000")
    rough.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "cards"')
    rough.edit("dev.toml", "memory_mb = 1024", "memory_mb = 2048")
    rough.applied("dev")
    assert rough.tapctl("drift", "--env", "dev").code == 0

    stop_faults(rough)
    again = rough.applied("dev")
    assert again.changes == ()
    assert len(rough.client("kms").list_keys()["Keys"]) == 1

    rough.door.sandbox.around = bad
    gone = rough.tapctl("destroy", "--env", "dev", "--yes")
    assert gone.code == 0, gone.out + gone.err
    stop_faults(rough)
    assert left(rough) == before | {"key:PendingDeletion"}
