from __future__ import annotations

import pytest

from tapctl.errors import AwsNoAnswer, LockHeld
from tapctl.manifest.lock import LockHolder, LockInfo
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import (
    SDK_ATTEMPTS,
    S3Script,
    drop_answer,
    drop_request,
    meanwhile,
    refuse,
    s3_times,
    with_headers,
)
from tests.manifest.team import KEY, Team
from tests.support.wall_clock import FakeWallClock


def die(team: Team, who: LockHolder = SAM) -> None:
    """Take the lock and be killed."""
    lock = LockInfo(id=f"{who.who}-1", holder=who, lease_s=60)
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=lock.encode())


def test_a_killed_holder_blocks_one_who_waits_for_its_lease_and_no_longer(team: Team, clock: FakeWallClock) -> None:
    die(team)
    messages: list[str] = []
    began = clock.seconds
    with team.run().lock("dev", DANA, wait_s=600, notify=messages.append) as lease:
        assert clock.seconds - began == pytest.approx(60)
        lease.ensure_held()
        lock = team.lock()
        assert lock is not None
        assert lock.holder == DANA
    assert messages[-1] == f"took over the lock of {SAM}: it was not renewed for 60 s"


def test_a_lock_that_s3_knows_to_be_old_is_taken_over_at_once(
    team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    die(team)
    script.then("GetObject", with_headers(**s3_times(61)))
    began = clock.seconds
    with team.run(team.aws).lock("dev", DANA) as lease:
        lease.ensure_held()
    assert clock.seconds == began


@pytest.mark.parametrize("skew_h", [-5, 0, 5])
def test_how_wrong_the_clock_of_s3_is_does_not_matter(
    team: Team, script: S3Script, clock: FakeWallClock, skew_h: float
) -> None:
    die(team)
    script.then("GetObject", *[with_headers(**s3_times(20, skew_h=skew_h))] * 100)
    began = clock.seconds
    with team.run(team.aws).lock("dev", DANA, wait_s=600):
        assert clock.seconds - began == pytest.approx(41)


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": None},
        {"Last_Modified": None},
        {"Date": "soon"},
        {"Date": "Tue, 06 May 2031 07:08:09 -0000"},
        s3_times(-7200),
    ],
)
def test_without_believable_times_of_s3_only_our_own_waiting_counts(
    team: Team, script: S3Script, clock: FakeWallClock, headers: dict[str, str | None]
) -> None:
    die(team)
    script.then("GetObject", *[with_headers(**headers)] * 100)
    began = clock.seconds
    with team.run(team.aws).lock("dev", DANA, wait_s=600):
        assert clock.seconds - began == pytest.approx(60)


def test_a_holder_that_renews_is_never_taken_over(team: Team, clock: FakeWallClock) -> None:
    with team.run().lock("dev", SAM) as lease:
        clock.each_wait = lease.ensure_held
        began = clock.seconds
        with pytest.raises(LockHeld), team.run().lock("dev", DANA, wait_s=130):
            pytest.fail("two hold the lock")
        assert clock.seconds - began == pytest.approx(130)


def test_a_holder_that_renews_right_before_it_is_taken_over_keeps_it(
    team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    with team.run().lock("dev", SAM) as lease:
        with pytest.raises(LockHeld), team.run(team.aws).lock("dev", DANA, wait_s=40):
            pytest.fail("two hold the lock")
        script.then("GetObject", with_headers(**s3_times(61)))
        script.then("PutObject", meanwhile(lambda: None), meanwhile(lease.ensure_held))
        with pytest.raises(LockHeld) as refused, team.run(team.aws).lock("dev", DANA):
            pytest.fail("two hold the lock")
        assert str(SAM) in str(refused.value.evidence)
        lease.ensure_held()


def test_a_released_lock_is_acquired_by_a_waiting_run(team: Team, clock: FakeWallClock) -> None:
    held = team.run().lock("dev", SAM)
    held.__enter__()
    clock.each_wait = lambda: held.__exit__(None, None, None) if clock.seconds > 1_010 else None
    with team.run().lock("dev", DANA, wait_s=600):
        assert clock.seconds - 1_000 == pytest.approx(12)


def test_a_lock_that_nobody_can_read_is_never_taken_over(team: Team, clock: FakeWallClock) -> None:
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=b"somebody")
    messages: list[str] = []
    with pytest.raises(LockHeld), team.run().lock("dev", DANA, wait_s=90, notify=messages.append):
        pytest.fail("two hold the lock")
    assert messages[0] == "waiting for the lock, 0 s of 90 s: somebody who has left no name"


def test_a_waiting_run_is_told_for_whom_on_a_change_and_every_half_minute(team: Team, clock: FakeWallClock) -> None:
    sam = team.run().lock("dev", SAM)
    lease = sam.__enter__()
    other = SAM.model_copy(update={"who": "kim"})
    messages: list[str] = []

    def later() -> None:
        if clock.seconds - 1_000 == pytest.approx(70):
            sam.__exit__(None, None, None)
            die(team, other)
        elif clock.seconds - 1_000 < 70:
            lease.ensure_held()

    clock.each_wait = later
    with pytest.raises(LockHeld), team.run().lock("dev", DANA, wait_s=80, notify=messages.append):
        pytest.fail("two hold the lock")
    assert messages == [
        *(f"waiting for the lock, {waited} s of 80 s: {SAM}" for waited in (0, 30, 60)),
        f"waiting for the lock, 70 s of 80 s: {other}",
    ]


def test_network_trouble_does_not_end_the_waiting(team: Team, script: S3Script, clock: FakeWallClock) -> None:
    die(team)
    script.then("GetObject", *[drop_request] * (3 * SDK_ATTEMPTS))
    with team.run(team.aws).lock("dev", DANA, wait_s=600):
        # The own 60 seconds begin with the first look that was answered.
        assert clock.seconds - 1_000 == pytest.approx(66)


def test_network_trouble_at_the_end_of_the_wait_is_an_error(team: Team, script: S3Script, clock: FakeWallClock) -> None:
    script.then("PutObject", *[drop_request] * 400)
    script.then("GetObject", *[drop_request] * 400)
    with pytest.raises(AwsNoAnswer), team.run(team.aws).lock("dev", DANA, wait_s=10):
        pytest.fail("nothing is locked")
    assert clock.seconds - 1_000 == pytest.approx(10)


def test_a_lock_that_came_late_may_be_old_and_is_renewed_before_it_is_used(
    team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    script.then("PutObject", drop_answer, *[drop_request] * (SDK_ATTEMPTS - 1))
    script.then("GetObject", *[drop_request] * (25 * SDK_ATTEMPTS))
    script.then("PutObject", *[refuse(412, "PreconditionFailed")] * 25)
    with team.run(team.aws).lock("dev", DANA, wait_s=600) as lease:
        assert clock.seconds - 1_000 > 40
        script.operations.clear()
        lease.ensure_held()
        assert script.operations == ["PutObject"]


def test_a_takeover_whose_answer_is_lost_is_ours(team: Team, script: S3Script) -> None:
    die(team)
    script.then("GetObject", with_headers(**s3_times(61)))
    script.then("PutObject", meanwhile(lambda: None), drop_answer)
    with team.run(team.aws).lock("dev", DANA) as lease:
        lease.ensure_held()
        lock = team.lock()
        assert lock is not None
        assert lock.holder == DANA
