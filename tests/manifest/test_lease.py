from __future__ import annotations

import contextlib
import linecache
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tapctl.errors import LockHeld, NotYet, Patience
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.lock import Lease
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.s3_lock import LeaseTiming, S3Lease
from tests.manifest.examples import DANA, SAM, entry, manifest
from tests.manifest.s3_script import S3Script, drop_answer, drop_request, meanwhile, pass_through, refuse
from tests.manifest.team import KEY, Team
from tests.support.wall_clock import FakeWallClock


@pytest.fixture
def lease(team: Team, script: S3Script) -> Iterator[Lease]:
    """Dana's, just taken, on the connection with the script."""
    with team.run(team.aws).lock("dev", DANA) as held:
        script.operations.clear()
        yield held


def test_a_young_lease_is_checked_without_a_call(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    clock.seconds += 39.9
    lease.ensure_held()
    assert script.operations == []


def test_an_old_lease_is_renewed_when_checked(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    clock.seconds += 40
    lease.ensure_held()
    assert script.operations == ["PutObject"]
    assert "If-Match" in script.headers[-1]
    clock.seconds += 39.9
    lease.ensure_held()
    assert script.operations == ["PutObject"]


def test_every_renewal_has_another_etag(lease: Lease, team: Team, clock: FakeWallClock) -> None:
    def etag() -> str:
        return team.aws.s3.head_object(Bucket="records", Key=KEY)["ETag"]

    etags = {etag()}
    for _ in range(3):
        clock.seconds += 40
        lease.ensure_held()
        etags.add(etag())
    assert len(etags) == 4
    lock = team.lock()
    assert lock is not None
    assert (lock.id, lock.holder, lock.lease_s) == (lease.id, DANA, 60)


def test_the_phase_is_shown_to_others(lease: Lease, team: Team, clock: FakeWallClock) -> None:
    lease.set_phase("removing what is superseded")
    clock.seconds += 40
    lease.ensure_held()
    with pytest.raises(LockHeld) as refused, team.run().lock("dev", SAM):
        pytest.fail("two hold the lock")
    assert f"{DANA}, removing what is superseded" in str(refused.value.evidence)


def test_a_holder_that_slept_and_was_taken_over_stops_and_is_told_by_whom(
    lease: Lease, team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    clock.seconds += 7200
    with team.run().lock("dev", SAM, wait_s=60):
        with pytest.raises(LockHeld, match="was taken away") as refused:
            lease.ensure_held()
        assert refused.value.evidence == str(SAM)
        assert refused.value.exit_code == 5
        script.operations.clear()
        with pytest.raises(LockHeld):
            lease.ensure_held()
        assert script.operations == []


def test_a_holder_that_slept_and_was_not_taken_over_goes_on(lease: Lease, clock: FakeWallClock) -> None:
    clock.seconds += 7200
    lease.ensure_held()


def test_a_holder_whose_lock_was_removed_stops(lease: Lease, team: Team, clock: FakeWallClock) -> None:
    team.aws.s3.delete_object(Bucket="records", Key=KEY)
    clock.seconds += 40
    with pytest.raises(LockHeld) as refused:
        lease.ensure_held()
    assert refused.value.evidence == "it is not there any more"


def test_a_holder_whose_lock_was_overwritten_stops_and_leaves_it(team: Team, clock: FakeWallClock) -> None:
    with team.run().lock("dev", DANA) as lease:
        team.aws.s3.put_object(Bucket="records", Key=KEY, Body=b"mine now")
        clock.seconds += 40
        with pytest.raises(LockHeld):
            lease.ensure_held()
    assert team.locks() == 1


def test_a_holder_that_knows_of_its_loss_removes_nothing(team: Team, script: S3Script, clock: FakeWallClock) -> None:
    with contextlib.ExitStack() as theirs:
        with team.run(team.aws).lock("dev", DANA) as lease:
            clock.seconds += 7200
            sam = theirs.enter_context(team.run().lock("dev", SAM, wait_s=60))
            with pytest.raises(LockHeld):
                lease.ensure_held()
            script.operations.clear()
        assert script.operations == []
        sam.ensure_held()


def test_the_late_write_of_one_who_was_taken_over_is_refused(team: Team, clock: FakeWallClock) -> None:
    slow, quick = team.run(), team.run()
    version = slow.write(manifest(), None)
    with slow.lock("dev", DANA):
        clock.seconds += 7200
        with quick.lock("dev", SAM, wait_s=60):
            quick.write(manifest(entry(), serial=4, run="sam's"), version)
            with pytest.raises(LockHeld, match="somebody else has written"):
                slow.write(manifest(serial=4, run="dana's"), version)
    stored = quick.read("dev")
    assert stored is not None
    assert stored.manifest.run == "sam's"


def test_network_trouble_ends_nothing_while_nobody_can_have_taken_over(
    lease: Lease, script: S3Script, clock: FakeWallClock
) -> None:
    script.then("PutObject", drop_request, drop_request)
    script.then("GetObject", drop_request, drop_request)
    for _ in range(2):
        clock.seconds += 24.9
        lease.ensure_held()
    assert script.operations == ["PutObject", "GetObject"]


def test_past_its_validity_a_lease_is_not_yet_known_to_be_held(
    lease: Lease, script: S3Script, clock: FakeWallClock
) -> None:
    clock.seconds += 50
    script.then("PutObject", drop_request)
    script.then("GetObject", drop_request)
    with pytest.raises(NotYet, match=r"dev\.lock could not be renewed for 50 s: .*ConnectionClosed") as unsure:
        lease.ensure_held()
    assert unsure.value.patience is Patience.PROPAGATION
    lease.ensure_held()
    script.operations.clear()
    lease.ensure_held()
    assert script.operations == []


@pytest.mark.parametrize(("status", "code"), [(400, "ExpiredToken"), (403, "AccessDenied"), (404, "NoSuchBucket")])
def test_a_refused_renewal_takes_nothing_away_before_the_lease_is_over(
    lease: Lease, script: S3Script, clock: FakeWallClock, status: int, code: str
) -> None:
    script.then("PutObject", refuse(status, code), refuse(status, code))
    clock.seconds += 49.9
    lease.ensure_held()
    clock.seconds += 0.1
    with pytest.raises(NotYet, match=code):
        lease.ensure_held()


def test_a_renewal_whose_answer_is_lost_counts(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    script.then("PutObject", drop_answer)
    for operations in (["PutObject", "GetObject"], ["PutObject"]):
        clock.seconds += 50
        lease.ensure_held()
        assert script.operations == operations
        script.operations.clear()


def test_an_earlier_renewal_that_took_effect_late_does_not_count_as_this_one(
    lease: Lease, script: S3Script, clock: FakeWallClock
) -> None:
    script.then("PutObject", drop_answer)
    script.then("GetObject", drop_request)
    clock.seconds += 40
    lease.ensure_held()
    script.operations.clear()
    clock.seconds += 10
    lease.ensure_held()
    assert script.operations == ["PutObject", "GetObject", "PutObject"]
    clock.seconds += 39.9
    script.operations.clear()
    lease.ensure_held()
    assert script.operations == []


def test_a_conflicting_renewal_is_sent_again(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    script.then("PutObject", refuse(409, "ConditionalRequestConflict"))
    clock.seconds += 50
    lease.ensure_held()
    script.then("PutObject", *[refuse(409, "ConditionalRequestConflict")] * 2)
    clock.seconds += 50
    with pytest.raises(NotYet, match="ConditionalRequestConflict"):
        lease.ensure_held()


def test_a_slow_renewal_counts_from_when_it_was_sent(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    def slowly() -> None:
        clock.seconds += 45

    clock.seconds += 40
    script.then("PutObject", meanwhile(slowly))
    lease.ensure_held()
    script.operations.clear()
    lease.ensure_held()
    assert script.operations == ["PutObject"]


def test_a_renewal_without_an_answer_does_not_hinder_the_release(
    team: Team, script: S3Script, clock: FakeWallClock
) -> None:
    with team.run(team.aws).lock("dev", DANA) as lease:
        script.then("PutObject", drop_answer)
        script.then("GetObject", drop_request)
        clock.seconds += 40
        lease.ensure_held()
    assert team.locks() == 0


def waits_for_renewal(thread: threading.Thread) -> bool:
    """True if the thread waits for another one's renewal."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None or frame.f_code is not S3Lease.ensure_held.__code__:
        return False
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == "with self._renewing:"


def test_one_thread_renews_for_all_that_wait(lease: Lease, script: S3Script, clock: FakeWallClock) -> None:
    threads = [threading.Thread(target=lease.ensure_held) for _ in range(6)]
    began, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        assert go_on.wait(10)

    clock.seconds += 45
    script.then("PutObject", meanwhile(hang, drop_request))
    script.then("GetObject", drop_request)
    threads[0].start()
    assert began.wait(10)
    for thread in threads[1:]:
        thread.start()
    while not all(waits_for_renewal(thread) for thread in threads[1:]):
        time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join()
    assert script.operations == ["PutObject", "GetObject"]


def test_a_lease_is_renewed_in_the_background_even_after_errors(team: Team, script: S3Script) -> None:
    timing = LeaseTiming(lease_s=60, renew_s=0.02)
    renewed = threading.Event()
    script.then("PutObject", pass_through, drop_request, meanwhile(renewed.set))
    script.then("GetObject", drop_request)
    with S3Store(Bucket(team.aws, "records", "team/"), timing, proved=True).lock("dev", DANA):
        assert renewed.wait(60)
    assert script.operations[:4] == ["PutObject", "PutObject", "GetObject", "PutObject"]
    assert team.locks() == 0
    while any(thread.name == f"lease of {KEY.removeprefix('team/')}" for thread in threading.enumerate()):
        time.sleep(0.001)
    assert team.locks() == 0


def test_a_lease_is_valid_for_fifty_seconds_without_a_call(team: Team, script: S3Script, clock: FakeWallClock) -> None:
    with team.run(team.aws).lock("dev", DANA) as lease:
        script.operations.clear()
        clock.seconds += 49.9
        lease.assert_valid()
        clock.seconds += 0.1
        with pytest.raises(NotYet, match=r"dev\.lock could not be renewed for 50 s") as unsure:
            lease.assert_valid()
        assert script.operations == []
    assert unsure.value.patience is Patience.PROPAGATION


def test_a_lease_known_to_be_lost_is_invalid_without_a_call(team: Team, script: S3Script, clock: FakeWallClock) -> None:
    with team.run(team.aws).lock("dev", DANA) as lease:
        clock.seconds += 7200
        with team.run().lock("dev", SAM, wait_s=60):
            with pytest.raises(LockHeld):
                lease.ensure_held()
            script.operations.clear()
            with pytest.raises(LockHeld, match="was taken away"):
                lease.assert_valid()
        assert script.operations == []


def test_a_renewal_without_an_answer_is_tried_again_sooner() -> None:
    timing = LeaseTiming(lease_s=60, renew_s=20)
    assert timing.retry_s == 5
