"""Takes a lock in S3 away from its holder, when somebody is sure that it should go."""

from __future__ import annotations

import threading
import uuid

from tapctl.clock import Clock
from tapctl.errors import AwsError, Refused, StoreFailed, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, Bucket, outcome_unknown
from tapctl.manifest.history import Unlock
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import now
from tapctl.manifest.s3_lock import ForeignLock, LeaseTiming, S3Lease, observe_lock
from tapctl.manifest.store import write_failed_error
from tapctl.notices import Notify


class ForceUnlock:
    """Takes the lock at ``key`` away.

    The object is not just removed: its holder may be alive and look only at its next renewal, while the next run
    begins. So the lock is taken over, held until the holder's lease is over or its process has ended, and released.
    """

    def __init__(self, bucket: Bucket, key: str, folder: str, *, timing: LeaseTiming, clock: Clock) -> None:
        """``folder``: where the unlocking is recorded, with a slash at its end."""
        self._bucket, self._key, self._folder = bucket, key, folder
        self._timing, self._clock = timing, clock

    def unlock(self, id: str, by: LockHolder, notify: Notify) -> bool:
        """Take the lock away, if it has this id; False: nobody holds one (any more).

        Raises:
            Refused: it has another id. Nothing was changed.
            StoreFailed: the unlocking could not be recorded; where it is not recorded it is not done.
            TapctlError: it could not be done.
        """
        held = self._find(id)
        if held is None:
            return False
        lock, foreign = held
        begun = Unlock(at=now(), by=by, lock=lock, done=False)
        self._record(begun)
        ours = LockInfo(id=uuid.uuid4().hex, holder=by, phase=f"takes the lock {id} away", lease_s=self._timing.lease_s)
        for _ in range(ATTEMPTS):
            lease = self._take_over(ours, foreign.etag)
            if lease is not None:
                break
            held = self._find(id)  # renewed right then
            if held is None:
                return False
            lock, foreign = held
        else:
            raise StoreFailed(f"the lock {self._where} could not be taken away", hint="run the same command again")
        # A process that has ended sends nothing any more: there is nothing to wait for.
        lease_s = 0.0 if lock.holder.is_gone else self._timing.lease_s
        remaining_s = min(foreign.remaining_s(self._clock.now()), lease_s)
        if remaining_s > 0:
            notify(f"taken away from {lock}; it is free in {remaining_s:.0f} s, when that run cannot go on any more")
        # Not renewed meanwhile: if we are interrupted it is free after this time too.
        self._clock.wait(remaining_s, threading.Event())
        lease.release()
        self._record(begun.model_copy(update={"at": now(), "done": True}))
        return True

    @property
    def _where(self) -> str:
        return self._bucket.url(self._key)

    def _find(self, id: str) -> tuple[LockInfo, ForeignLock] | None:
        """Read the lock with this id, and since when it is the same; None if there is no lock."""
        stored = self._bucket.get(self._key)
        if stored is None:
            return None
        lock = LockInfo.parse(stored.content)
        if lock is not None and lock.is_released:
            return None
        if lock is None or lock.id != id:
            raise Refused(
                f"the lock {self._where} does not have the id {id}",
                evidence=f"{lock}, lock {lock.id}" if lock else "tapctl has not written it",
                hint="look who holds it; only the lock that you have looked at is taken away"
                if lock
                else f"if nobody is at work: aws s3 rm {self._where}",
            )
        return lock, observe_lock(stored, self._clock.now())

    def _take_over(self, ours: LockInfo, expected: str) -> S3Lease | None:
        """Write our lock over the one with this ETag; None: that one has changed, or is still there."""
        sent = self._clock.now()
        try:
            etag = self._bucket.put(self._key, ours.encode(), expected)
        except AwsError as error:
            if not outcome_unknown(error):
                raise self._bucket.to_tapctl_error(error) from error
            stored = self._bucket.get(self._key)
            if stored is None or stored.content != ours.encode():
                return None
            etag = stored.etag
        return S3Lease(self._bucket, self._key, ours, etag=etag, sent=sent, timing=self._timing, clock=self._clock)

    def _record(self, unlock: Unlock) -> None:
        key = self._folder + unlock.name
        try:
            self._bucket.put_if_absent(key, unlock.encode())
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error
