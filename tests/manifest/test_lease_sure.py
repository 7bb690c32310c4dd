"""What a holder knows without asking, and that giving back keeps nobody waiting."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tapctl.errors import LockHeld, NotYet, Patience
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.local import LocalStore
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.s3_lock import LeaseTiming
from tests.manifest.examples import DANA, SAM
from tests.manifest.fake_clock import FakeClock
from tests.manifest.s3_script import S3Script, Step, interrupt_after, lose, lose_answer, meanwhile
from tests.manifest.team import Team

SHORT = LeaseTiming(release_s=0.2)


def test_a_holder_is_sure_for_fifty_seconds_and_asks_nobody(team: Team, script: S3Script, clock: FakeClock) -> None:
    with team.run(team.aws).lock("dev", DANA) as lease:
        script.asked.clear()
        clock.time += 49.9
        lease.assert_valid()
        clock.time += 0.1
        with pytest.raises(NotYet, match=r"dev\.lock could not be renewed for 50 s") as unsure:
            lease.assert_valid()
        assert script.asked == []
    assert unsure.value.patience is Patience.PROPAGATION


def test_a_holder_that_knows_it_was_taken_over_says_so(team: Team, script: S3Script, clock: FakeClock) -> None:
    with team.run(team.aws).lock("dev", DANA) as lease:
        clock.time += 7200
        with team.run().lock("dev", SAM, wait_s=60):
            with pytest.raises(LockHeld):
                lease.ensure_held()
            script.asked.clear()
            with pytest.raises(LockHeld, match="was taken away"):
                lease.assert_valid()
        assert script.asked == []


def test_a_local_one_is_sure_by_its_file(tmp_path: Path) -> None:
    with LocalStore(tmp_path).lock("dev", DANA) as lease:
        lease.assert_valid()
        (tmp_path / "dev.lock").unlink()
        with pytest.raises(LockHeld, match="was taken away"):
            lease.assert_valid()


class Hang:
    """A request that nobody answers until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def step(self) -> Step:
        return meanwhile(lambda: self.over.wait(20), lose)


def test_a_bucket_that_hangs_keeps_nobody_from_leaving(team: Team, script: S3Script) -> None:
    told: list[str] = []
    hang = Hang()
    store = S3Store(Bucket(team.aws, "records", "team/"), SHORT)
    script.then("DeleteObject", hang.step())
    with store.lock("dev", DANA, notify=told.append):
        began = time.monotonic()
    took = time.monotonic() - began
    hang.over.set()
    assert took < 2
    (said,) = told
    assert said.startswith("the lock could not be given back, it is free in 60 s: ")
    assert said.endswith("S3 has not answered for 0.2 s")


def test_nor_one_who_is_interrupted_while_it_is_taken(team: Team, script: S3Script) -> None:
    hang = Hang()
    store = S3Store(Bucket(team.aws, "records", "team/"), SHORT)
    script.then("PutObject", interrupt_after)
    script.then("GetObject", hang.step())
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), store.lock("dev", DANA):
        pytest.fail("the interrupt was lost")
    took = time.monotonic() - began
    hang.over.set()
    assert took < 2


def test_an_answer_that_is_lost_is_looked_after(team: Team, script: S3Script) -> None:
    script.then("DeleteObject", lose, lose_answer)
    script.then("GetObject", lose)
    with team.run(team.aws).lock("dev", DANA):
        script.asked.clear()
    assert team.locks() == 0
    assert script.asked[:2] == ["DeleteObject", "DeleteObject"]
