"""Taking a lock in S3 away from its holder, when somebody is sure that it should go."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

from tapctl.clock import Clock
from tapctl.errors import AwsError, Refused, StoreFailed, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, Bucket, outcome_unknown
from tapctl.manifest.history import Unlock
from tapctl.manifest.lock import LockHolder, LockInfo, Notify
from tapctl.manifest.manifest import now
from tapctl.manifest.s3_lock import ForeignLock, LeaseTiming, S3Lease, observe_lock
from tapctl.manifest.store import write_failed_error


@dataclass(frozen=True)
class _Seen:
    """The lock that is to be taken away, and since when it is as it is."""

    lock: LockInfo
    watch: ForeignLock


class ForceUnlock:
    """One lock that is to be taken away.

    It is not just removed: its holder may be alive and look only at its next renewal, while the next one begins. So we
    take it over, hold it until the holder's lease is over, and give it back.
    """

    def __init__(self, bucket: Bucket, key: str, folder: str, *, terms: LeaseTiming, clock: Clock) -> None:
        """``folder``: where it is recorded, with a slash at its end."""
        self._bucket, self._key, self._folder = bucket, key, folder
        self._terms, self._clock = terms, clock

    def unlock(self, id: str, by: LockHolder, tell: Notify) -> bool:
        """Take it away, if it is the lock with this id; False: nobody holds one (any more).

        Raises:
            Refused: it is another one. Nothing was changed.
            StoreFailed: it could not be recorded; where it is not recorded it is not done.
            TapctlError: it could not be done.
        """
        seen = self._seen(id)
        if seen is None:
            return False
        asked = Unlock(at=now(), by=by, lock=seen.lock, done=False)
        self._record(asked)
        mine = LockInfo(id=uuid.uuid4().hex, holder=by, phase=f"takes the lock {id} away", lease_s=self._terms.lease_s)
        lease = None
        for _ in range(ATTEMPTS):
            lease = self._taken(mine, seen.watch.etag)
            if lease is not None:
                break
            seen = self._seen(id)  # it was renewed right then
            if seen is None:
                return False
        if lease is None:
            raise StoreFailed(f"the lock {self._where} could not be taken away", hint="run the same command again")
        left = min(seen.watch.left_s(self._clock.now()), self._terms.lease_s)
        if left > 0:
            tell(f"taken away from {seen.lock}; it is free in {left:.0f} s, when that run cannot go on any more")
        # Not renewed meanwhile: if we are interrupted it is free after this time too.
        self._clock.wait(left, threading.Event())
        lease.release()
        self._record(asked.model_copy(update={"at": now(), "done": True}))
        return True

    @property
    def _where(self) -> str:
        return self._bucket.url(self._key)

    def _seen(self, id: str) -> _Seen | None:
        found = self._bucket.get(self._key)
        if found is None:
            return None
        lock = LockInfo.parse(found.content)
        if lock is None or lock.id != id:
            raise Refused(
                f"the lock {self._where} does not have the id {id}",
                evidence=f"{lock}, lock {lock.id}" if lock else "tapctl has not written it",
                hint="look who holds it; only the lock that you have looked at is taken away"
                if lock
                else f"if nobody is at work: aws s3 rm {self._where}",
            )
        return _Seen(lock, observe_lock(found, self._clock.now()))

    def _taken(self, mine: LockInfo, expected: str) -> S3Lease | None:
        """Write ours over it; None: only a look tells what is there."""
        sent = self._clock.now()
        try:
            etag = self._bucket.put(self._key, mine.encode(), expected)
        except AwsError as error:
            if not outcome_unknown(error):
                raise self._bucket.to_tapctl_error(error) from error
            found = self._bucket.get(self._key)
            if found is None or found.content != mine.encode():
                return None
            etag = found.etag
        return S3Lease(self._bucket, self._key, mine, etag=etag, sent=sent, terms=self._terms, clock=self._clock)

    def _record(self, unlock: Unlock) -> None:
        key = self._folder + unlock.name
        try:
            self._bucket.put_if_absent(key, unlock.model_dump_json(indent=2).encode())
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error
