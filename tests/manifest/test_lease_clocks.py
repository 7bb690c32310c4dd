"""Machines whose clocks have nothing to do with each other: never two that go on."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import LockHeld, NotYet
from tapctl.manifest.lock import Lease
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import S3Script, drop_request
from tests.manifest.team import Team
from tests.support.wall_clock import FakeWallClock

HOURS = 3600.0


def may_go_on(lease: Lease) -> bool:
    try:
        lease.ensure_held()
    except (LockHeld, NotYet):
        return False
    return True


@pytest.mark.parametrize("ahead", [-5 * HOURS, 0, 5 * HOURS])
def test_whose_clock_is_hours_ahead_does_not_matter(team: Team, clock: FakeWallClock, ahead: float) -> None:
    other = FakeWallClock()
    other.seconds = clock.seconds + ahead
    boastful = SAM.model_copy(update={"since": "2999-01-01T00:00:00Z"})

    def pass_for_both() -> None:
        clock.seconds += 2
        assert may_go_on(lease)

    with team.run().lock("dev", boastful) as lease:
        other.each_wait = pass_for_both
        with pytest.raises(LockHeld), team.run(clock=other).lock("dev", DANA, wait_s=130):
            pytest.fail("two hold the lock")
        other.each_wait = lambda: None
        began = other.seconds
        with team.run(clock=other).lock("dev", DANA, wait_s=130):
            assert 58 <= other.seconds - began <= 60
            clock.seconds += other.seconds - began
            assert not may_go_on(lease)


@pytest.mark.parametrize("rate", [0.85, 1, 1.15])
@pytest.mark.parametrize("reached", [True, False])
def test_a_holder_that_s3_cannot_hear_has_stopped_before_another_begins(
    team: Team, script: S3Script, clock: FakeWallClock, rate: float, *, reached: bool
) -> None:
    """``rate``: how fast its clock goes. ``reached``: it can ask S3 again once the other has it."""
    other, went_on = FakeWallClock(), list[float]()
    with team.run(team.aws).lock("dev", SAM) as lease:
        script.then("PutObject", *[drop_request] * 200)
        script.then("GetObject", *[drop_request] * 200)

        def pass_for_both() -> None:
            clock.seconds = 1_000 + (other.seconds - 1_000) * rate
            if may_go_on(lease):
                went_on.append(other.seconds)

        other.each_wait = pass_for_both
        with team.run(Aws(team.aws.target), other).lock("dev", DANA, wait_s=130):
            began = other.seconds
            if reached:
                script.clear_steps()
            assert not may_go_on(lease)
        assert went_on
        assert max(went_on) < began
        script.clear_steps()
