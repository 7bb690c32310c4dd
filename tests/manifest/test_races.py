"""Real time, real threads and processes, with a lease of two seconds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import LockHeld
from tapctl.manifest.history import versions
from tapctl.manifest.s3_lock import LeaseTiming
from tests.manifest.contender import COUNTER, LATE, LEASE, read, rounds, store
from tests.manifest.examples import SAM, entry, manifest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def shared(aws: Aws) -> Aws:
    """A bucket with a counter and a manifest."""
    aws.s3.create_bucket(Bucket="records")
    aws.s3.put_object(Bucket="records", Key=COUNTER, Body=b"0")
    store(aws).write(manifest(serial=1), None)
    return aws


@contextmanager
def contender(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.manifest.contender", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def holder(timing: LeaseTiming = LEASE) -> Iterator[subprocess.Popen[str]]:
    with contender("hold", str(timing.lease_s), str(timing.renew_s)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def soon(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.01)


def at_once(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.soak
def test_no_two_of_many_threads_ever_hold_the_lock(shared: Aws) -> None:
    at_once(8, lambda: rounds(Aws(shared.target), 3))
    assert read(shared) == 24


@pytest.mark.soak
def test_one_of_many_takes_over_from_a_dead_holder(shared: Aws) -> None:
    with holder() as process:
        process.kill()
        process.wait()
    before = read(shared)
    at_once(8, lambda: rounds(Aws(shared.target), 1))
    assert read(shared) == before + 8


@pytest.mark.soak
def test_a_killed_holder_keeps_others_out_for_its_lease_and_no_longer(shared: Aws) -> None:
    with holder() as process:
        process.kill()
        process.wait()
        killed = time.monotonic()
    with pytest.raises(LockHeld), store(shared).lock("dev", SAM):
        pytest.fail("two hold the lock")
    with store(shared).lock("dev", SAM, wait_s=30) as lease:
        assert time.monotonic() - killed < LEASE.lease_s + 5
        lease.ensure_held()


@pytest.mark.soak
def test_a_holder_that_lives_is_never_taken_over(shared: Aws) -> None:
    with holder() as process:
        with pytest.raises(LockHeld), store(shared).lock("dev", SAM, wait_s=1.5 * LEASE.lease_s):
            pytest.fail("two hold the lock")
        assert process.poll() is None


def test_a_holder_that_was_stopped_and_continued_stops_and_writes_nothing(shared: Aws) -> None:
    with holder() as process:
        soon(lambda: read(shared) > 2)
        process.send_signal(signal.SIGSTOP)
        with store(shared).lock("dev", SAM, wait_s=30) as lease:
            before = read(shared)
            stored = store(shared).read("dev")
            assert stored is not None
            store(shared).write(manifest(entry(), serial=2, run="sam's"), stored.version)
            process.send_signal(signal.SIGCONT)
            assert process.wait(30) == 5
            # At most the one call that was in flight when it was stopped.
            assert read(shared) - before in (0, 1)
            lease.ensure_held()
    last = store(shared).read("dev")
    assert last is not None
    assert last.manifest.run == "sam's" != LATE


@pytest.mark.soak
def test_no_two_of_many_processes_ever_hold_the_lock(shared: Aws) -> None:
    count, each = 12, 10
    with ExitStack() as stack:
        processes = [stack.enter_context(contender("rounds", str(each))) for _ in range(count)]
        assert [process.wait(300) for process in processes] == [0] * count
    assert read(shared) == count * each


@pytest.mark.soak
def test_among_processes_that_are_stopped_and_killed_at_random_no_record_is_lost(shared: Aws) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)  # noqa: S311 -- says whom to disturb, guards nothing
    with ExitStack() as stack:
        names = [f"writer{at}" for at in range(5)]
        writers = [stack.enter_context(contender("record", name, "40")) for name in names]
        for _ in range(30):
            victim = chance.choice(writers)
            victim.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0, 2 * LEASE.lease_s))
            victim.send_signal(signal.SIGCONT)
            time.sleep(chance.uniform(0, 0.1))
        writers[0].kill()
        assert [writer.wait(600) for writer in writers[1:]] == [0] * 4, f"seed {seed}"
        reported = {line.strip() for writer in writers if writer.stdout for line in writer.stdout}
    stored = store(shared).read("dev")
    listed, older = versions(store(shared), "dev", 1000, stored.manifest if stored else None)
    recorded = {each.id for each in listed[-1].entries.values()}
    assert reported <= recorded, f"seed {seed}"
    assert len(reported) >= 160
    # Each write was on top of the one before, and every one of them is kept.
    assert ([version.serial for version in listed], older) == (list(range(1, len(recorded) + 2)), 0), f"seed {seed}"


@pytest.mark.soak
def test_with_the_real_times_a_killed_holder_keeps_others_out_for_a_minute(shared: Aws) -> None:
    real = LeaseTiming()
    with holder(real) as process:
        time.sleep(25)
        process.kill()
        process.wait()
        killed = time.monotonic()
    with store(shared, real).lock("dev", SAM, wait_s=90):
        assert 35 < time.monotonic() - killed < 62
