from __future__ import annotations

from functools import partial

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsNoAnswer, LockHeld, Refused, StoreFailed
from tapctl.manifest.history import Unlock, unlocks
from tapctl.manifest.lock import LockInfo
from tests.manifest.examples import DANA, SAM
from tests.manifest.s3_script import (
    SDK_ATTEMPTS,
    S3Script,
    Step,
    drop_answer,
    drop_request,
    meanwhile,
    pass_through,
    refuse,
    s3_times,
    with_headers,
)
from tests.manifest.team import KEY, Team
from tests.support.wall_clock import FakeWallClock

ID = "the-id"


@pytest.fixture
def stuck(team: Team) -> LockInfo:
    """Dana's lock, not renewed since just now."""
    lock = LockInfo(id=ID, holder=DANA, lease_s=60)
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=lock.encode())
    return lock


def recorded(team: Team) -> list[Unlock]:
    return unlocks(team.run(), "dev")[0]


def test_the_lock_goes_and_who_took_it_away_is_recorded(team: Team, stuck: LockInfo) -> None:
    assert team.run().unlock("dev", ID, SAM)
    assert team.locks() == 0
    operations, done = recorded(team)
    assert (operations.done, operations.by, operations.lock) == (False, SAM, stuck)
    assert (done.done, done.by, done.lock) == (True, SAM, stuck)
    with team.run().lock("dev", SAM):
        pass


def test_another_lock_is_left_and_nothing_is_recorded(team: Team, stuck: LockInfo) -> None:
    with pytest.raises(Refused, match="does not have the id guessed") as refused:
        team.run().unlock("dev", "guessed", SAM)
    assert refused.value.exit_code == 6
    assert refused.value.evidence == f"{DANA}, lock {ID}"
    assert team.lock() == stuck
    assert recorded(team) == []


def test_a_lock_without_an_id_is_left_and_how_to_remove_it_is_said(team: Team) -> None:
    team.aws.s3.put_object(Bucket="records", Key=KEY, Body=b"somebody")
    with pytest.raises(Refused) as refused:
        team.run().unlock("dev", "", SAM)
    assert "aws s3 rm s3://records/team/dev.lock" in str(refused.value.hint)
    assert team.locks() == 1


def test_without_a_lock_there_is_nothing_to_unlock(team: Team) -> None:
    assert not team.run().unlock("dev", ID, SAM)
    assert recorded(team) == []


def test_nobody_acquires_the_lock_while_its_holder_may_go_on(team: Team, clock: FakeWallClock) -> None:
    messages: list[str] = []
    with team.run().lock("dev", DANA) as lease:

        def just_before_it_is_free() -> None:
            clock.seconds -= 1
            with pytest.raises(LockHeld) as refused, team.run().lock("dev", DANA):
                pytest.fail("two hold the lock")
            assert f"{SAM}, takes the lock {lease.id} away" in str(refused.value.evidence)
            with pytest.raises(LockHeld) as stopped:
                lease.ensure_held()
            assert stopped.value.exit_code == 5

        clock.each_wait = just_before_it_is_free
        assert team.run().unlock("dev", lease.id, SAM, messages.append)
        assert team.locks() == 0
    assert clock.seconds == 1_059
    assert messages == [f"taken away from {DANA}; it is free in 60 s, when that run cannot go on any more"]


def test_an_expired_lock_is_free_at_once(team: Team, stuck: LockInfo, script: S3Script, clock: FakeWallClock) -> None:
    messages: list[str] = []
    script.then("GetObject", with_headers(**s3_times(61)))
    assert team.run(team.aws).unlock("dev", ID, SAM, messages.append)
    assert (team.locks(), messages, clock.seconds) == (0, [], 1_000)


def test_a_lock_renewed_meanwhile_is_taken_away_all_the_same(
    team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    def renew() -> None:
        clock.seconds += 40
        lease.ensure_held()

    with team.run().lock("dev", DANA) as lease:
        script.then("PutObject", pass_through, meanwhile(renew))
        assert team.run(team.aws).unlock("dev", lease.id, SAM)
        assert team.locks() == 0


def test_a_lock_released_meanwhile_was_not_taken_away(team: Team, stuck: LockInfo, script: S3Script) -> None:
    script.then("PutObject", pass_through, meanwhile(lambda: team.run().unlock("dev", ID, DANA)))
    assert not team.run(team.aws).unlock("dev", ID, SAM)
    assert [(unlock.by.who, unlock.done) for unlock in recorded(team) if unlock.done] == [("dana", True)]


def test_a_lock_that_changed_hands_meanwhile_is_left(team: Team, stuck: LockInfo, script: S3Script) -> None:
    other = LockInfo(id="other", holder=SAM, lease_s=60)
    somebody = Aws(team.aws.target).s3
    take = partial(somebody.put_object, Bucket="records", Key=KEY, Body=other.encode())
    script.then("PutObject", pass_through, meanwhile(take))
    with pytest.raises(Refused):
        team.run(team.aws).unlock("dev", ID, SAM)
    assert team.lock() == other


def test_a_takeover_without_an_answer_is_verified(team: Team, stuck: LockInfo, script: S3Script) -> None:
    script.then("PutObject", drop_answer, pass_through, drop_answer)
    assert team.run(team.aws).unlock("dev", ID, SAM)
    assert team.locks() == 0
    assert [unlock.done for unlock in recorded(team)] == [False, True]


def test_an_unlocking_that_cannot_be_recorded_is_not_done(team: Team, stuck: LockInfo, script: S3Script) -> None:
    script.then("PutObject", refuse(403, "AccessDenied"))
    with pytest.raises(StoreFailed, match="history/dev/unlock-") as refused:
        team.run(team.aws).unlock("dev", ID, SAM)
    assert "AccessDenied" in str(refused.value.evidence)
    assert team.lock() == stuck


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([refuse(403, "AccessDenied")], Refused),
        ([refuse(409, "ConditionalRequestConflict")] * 4, StoreFailed),
        ([drop_request] * 4 * SDK_ATTEMPTS, StoreFailed),
    ],
)
def test_a_failed_unlocking_is_recorded_as_asked_only(
    team: Team, stuck: LockInfo, script: S3Script, steps: list[Step], error: type[Exception]
) -> None:
    script.then("PutObject", pass_through, *steps)
    with pytest.raises(error):
        team.run(team.aws).unlock("dev", ID, SAM)
    assert team.lock() == stuck
    assert [unlock.done for unlock in recorded(team)] == [False]


def test_a_read_without_an_answer_changes_nothing(team: Team, stuck: LockInfo, script: S3Script) -> None:
    script.then("GetObject", *[drop_request] * SDK_ATTEMPTS)
    with pytest.raises(AwsNoAnswer):
        team.run(team.aws).unlock("dev", ID, SAM)
    assert team.lock() == stuck
