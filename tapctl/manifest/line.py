"""Getting a lock in S3: at once, after waiting for its holder, or in place of one that has not renewed it.

Why a takeover is safe is said in `tapctl.manifest.lease`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tapctl.beside import with_timeout
from tapctl.engine.clock import Clock
from tapctl.errors import AwsError, AwsNoAnswer, LockHeld, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, Bucket, StoredObject, outcome_unknown
from tapctl.manifest.entry import MOMENT
from tapctl.manifest.lease import LeaseTiming, S3Lease
from tapctl.manifest.store import LockInfo, Notify, lock_held_error
from tapctl.manifest.waiting import LockWait


@dataclass(frozen=True)
class ForeignLock:
    """A lock object that is not ours, as it was last seen."""

    etag: str
    lock: LockInfo | None
    since: float
    """Since when it is known to be the same, on our own clock."""

    def left_s(self, now: float) -> float:
        """Seconds until it is anybody's, if it stays the same; infinite where it has no lease."""
        if self.lock is None or self.lock.lease_s is None:
            return math.inf
        return max(self.lock.lease_s - (now - self.since), 0.0)


class LockAcquirer:
    """One who wants a lock. There is no order among those who wait: whoever looks first when it is free has it."""

    def __init__(
        self, bucket: Bucket, key: str, lock: LockInfo, *, terms: LeaseTiming, clock: Clock, tell: Notify
    ) -> None:
        self._bucket, self._key, self._lock = bucket, key, lock
        self._content = lock.encode()
        self._terms, self._clock, self._tell = terms, clock, tell
        self._watch: ForeignLock | None = None
        self._first_sent = math.inf
        self._lost: AwsNoAnswer | None = None

    def acquire(self, wait_s: float) -> S3Lease:
        """Take it, or wait for it for this many seconds.

        Raises:
            LockHeld: it is somebody else's.
            TapctlError: it cannot be taken; after `AwsLost` it may be ours, and is free after its lease.
        """
        waiting = LockWait(wait_s, self._clock, self._tell)
        while True:
            late = waiting.over
            lease = None
            try:
                lease = self._try()
            except AwsNoAnswer:
                if late:
                    raise
            if lease is not None:
                return lease
            if late:
                raise self._refused()
            waiting.pause(
                self._watch.lock if self._watch else None, min(self._terms.poll_s, self._left_s() or math.inf)
            )

    def leave(self) -> None:
        """Give back what we may have taken without knowing it, as far as there is time: we were interrupted.

        Raises:
            TapctlError, TimeoutError: it may be there; it is free when its lease has ended.
        """
        once = self._bucket.without_retries()

        def remove() -> None:
            found = once.get(self._key)
            if found is not None and found.content == self._content:
                once.remove(self._key, found.etag)

        with_timeout(self._terms.release_s, remove)

    def _try(self) -> S3Lease | None:
        """Take it if it is free; None: it is somebody's, or others were always quicker."""
        for _ in range(ATTEMPTS):
            lease = self._taken() if self._left_s() == 0 else None
            lease = lease or self._looked()
            if lease is not None or self._left_s() > 0:
                return lease
        return None

    def _left_s(self) -> float:
        return self._watch.left_s(self._clock.now()) if self._watch else 0.0

    def _taken(self) -> S3Lease | None:
        """Write it; None: only a look tells what is there."""
        sent = self._clock.now()
        self._first_sent = min(self._first_sent, sent)
        try:
            etag = self._bucket.put(self._key, self._content, self._watch.etag if self._watch else None)
        except AwsError as error:
            if not outcome_unknown(error):
                raise self._bucket.to_tapctl_error(error) from error
            self._lost = error if isinstance(error, AwsNoAnswer) else None
            return None
        if self._watch is not None and self._watch.lock is not None:
            self._tell(
                f"took over the lock of {self._watch.lock}: it was not renewed for {self._watch.lock.lease_s:g} s"
            )
        return self._lease(etag, sent)

    def _looked(self) -> S3Lease | None:
        """See what is there; it may be our own, whose answer was lost."""
        found = self._bucket.get(self._key)
        if found is not None and found.content == self._content:
            # Which of our writes it was nobody knows: the first is the safe guess.
            return self._lease(found.etag, self._first_sent)
        self._watch = observe_lock(found, self._clock.now(), self._watch) if found else None
        return None

    def _lease(self, etag: str, sent: float) -> S3Lease:
        return S3Lease(self._bucket, self._key, self._lock, etag=etag, sent=sent, terms=self._terms, clock=self._clock)

    def _refused(self) -> TapctlError:
        where = self._bucket.url(self._key)
        if self._watch is not None:
            return lock_held_until_error(where, self._watch, self._clock.now())
        return self._lost or lock_held_error(where, None, "others were always quicker: run the same command again")


def observe_lock(found: StoredObject, now: float, before: ForeignLock | None = None) -> ForeignLock:
    """What was found, seen at ``now``; how long it has been so is known from S3, or from having seen it ``before``."""
    since = now - found.age_s
    if before is not None and before.etag == found.etag:
        since = min(since, before.since)
    return ForeignLock(found.etag, LockInfo.parse(found.content), since)


def lock_held_until_error(where: str, watch: ForeignLock, now: float) -> LockHeld:
    """Somebody else has it: who, until when at most, and what to do."""
    left = watch.left_s(now)
    if watch.lock is None or left == math.inf:
        return lock_held_error(
            where, watch.lock, f"look with: aws s3 cp {where} -; if nobody is at work: aws s3 rm {where}"
        )
    # For people alone, who have this machine's time before their eyes.
    until = (datetime.now(UTC) + timedelta(seconds=left)).strftime(MOMENT)
    error = lock_held_error(where, watch.lock, "wait in line: run the same command with --lock-timeout 10m")
    error.evidence = f"{error.evidence}\nlock {watch.lock.id}; if its run has died, it is free at {until}"
    return error
