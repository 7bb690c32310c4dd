"""A contender among several for the lock of ``dev`` in ``s3://records/team``. See `tests.manifest.test_races`.

- ``rounds N``: adds one to a counter under the lock, N times.
- ``hold LEASE_S RENEW_S``: adds to it until the lock is taken away, then tries to write the manifest it has read; exits
  as tapctl would.
- ``record NAME N``: records N things, one after another; each is printed once its write has ended well.
"""

from __future__ import annotations

import sys
import time

from tapctl.aws.client import Aws, Connection
from tapctl.errors import LockHeld, NotYet
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.lock import Lease
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.s3_lock import LeaseTiming
from tests.manifest.examples import DANA, entry, manifest

COUNTER = "counter"
LEASE = LeaseTiming(lease_s=2, renew_s=0.4)
LATE = "the write of one who was taken over"


def store(aws: Aws, timing: LeaseTiming = LEASE) -> S3Store:
    return S3Store(Bucket(aws, "records", "team/"), timing)


def read(aws: Aws) -> int:
    return int(aws.s3.get_object(Bucket="records", Key=COUNTER)["Body"].read())


def add_one(aws: Aws, lease: Lease) -> None:
    """A change that two at the same time would lose: without any condition."""
    lease.ensure_held()
    before = read(aws)
    lease.ensure_held()
    aws.s3.put_object(Bucket="records", Key=COUNTER, Body=str(before + 1).encode())


def rounds(aws: Aws, count: int, timing: LeaseTiming = LEASE) -> None:
    for _ in range(count):
        with store(aws, timing).lock("dev", DANA, wait_s=120) as lease:
            add_one(aws, lease)


def hold(aws: Aws, timing: LeaseTiming) -> None:
    records = store(aws, timing)
    stored = records.read("dev")
    assert stored is not None
    with records.lock("dev", DANA) as lease:
        say("held")
        try:
            while True:
                add_one(aws, lease)
                time.sleep(0.02)
        except LockHeld:
            try:
                records.write(manifest(serial=stored.manifest.serial + 1, run=LATE), stored.version)
            except LockHeld as refused:
                sys.exit(refused.exit_code)


def record(aws: Aws, name: str, count: int) -> None:
    records, at = store(aws), 0
    while at < count:
        try:
            with records.lock("dev", DANA, wait_s=120) as lease:
                stored = records.read("dev")
                assert stored is not None
                lease.ensure_held()
                entries = [*stored.manifest.entries.values(), entry(f"{name}-{at}")]
                records.write(manifest(*entries, serial=stored.manifest.serial + 1, run=f"{name}{at}"), stored.version)
        except (LockHeld, NotYet):
            continue
        say(f"{name}-{at}")
        at += 1


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    client = Aws(Connection(region="us-east-1"))
    if sys.argv[1] == "hold":
        hold(client, LeaseTiming(float(sys.argv[2]), float(sys.argv[3])))
    elif sys.argv[1] == "record":
        record(client, sys.argv[2], int(sys.argv[3]))
    else:
        rounds(client, int(sys.argv[2]))
