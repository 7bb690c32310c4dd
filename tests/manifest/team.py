"""A bucket that several runs share, each with a clock and a connection of its own."""

from __future__ import annotations

from dataclasses import dataclass

from tapctl.aws.client import Aws
from tapctl.manifest.bucket import Bucket
from tapctl.manifest.lock import LockInfo
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.s3_lock import LeaseTiming
from tests.support.wall_clock import FakeWallClock

KEY = "team/dev.lock"


@dataclass(frozen=True)
class Team:
    """The first run has the connection that a test writes the script for."""

    aws: Aws
    clock: FakeWallClock

    def run(self, aws: Aws | None = None, clock: FakeWallClock | None = None) -> S3Store:
        """A run; on the team's clock unless it has another."""
        return S3Store(
            Bucket(aws or Aws(self.aws.target), "records", "team/"), LeaseTiming(), clock or self.clock, proved=True
        )

    def lock(self) -> LockInfo | None:
        """Read the lock's object."""
        return LockInfo.parse(self.aws.s3.get_object(Bucket="records", Key=KEY)["Body"].read())

    def locks(self) -> int:
        """Count the lock objects."""
        return self.aws.s3.list_objects_v2(Bucket="records", Prefix=KEY)["KeyCount"]
