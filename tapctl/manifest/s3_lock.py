"""The right to change an environment, as an object in S3 that its holder keeps renewing.

Why never two go on, whatever the clocks of the machines say:

- Every write of the lock object is conditional: it is made with If-None-Match, and renewed, taken over and removed with
  If-Match on the ETag last seen. Each write is another text, so each has another ETag. S3 does them one after another.
- Nobody goes on before the store has refused all three where the condition was not met
  (`Bucket.prove_conditions`): wherever a lock is really held, its conditions hold, for whoever takes it away too
  (`tapctl.manifest.force_unlock`). A store that knows no conditional removal gets a write in its place.
- The holder remembers when it *sent* its last write that S3 took (`S3Lease`). Call that moment F, and the moment at
  which S3 wrote it W; F is before W.
- Another may take over only when the object has been the same for a whole lease (`ForeignLock`): either since
  it saw it so itself, or since S3's LastModified, as S3's own Date in the same answer tells. Both begin after W, so a
  takeover happens after W + 60 s; if the holder has renewed meanwhile, it has another ETag and the takeover is refused.
- The holder makes no changing call later than F + 50 s without a renewal that S3 took: it is asked for before each step
  (`S3Lease.ensure_held`), and its age again right before each sending, the SDK's repetitions among them
  (`S3Lease.assert_valid`). 50 s after F is before 60 s after W, on any two clocks whose *rates* differ by less than a
  sixth. The holder's clock counts the time its machine sleeps (`tapctl.clock.BoottimeClock`), so a laptop that wakes
  knows that its time is over.

No time of day is compared with another machine's: S3's LastModified is compared with S3's Date alone, and is believed
to within 10 s. What remains: a call made before F + 50 s that is still under way when the other begins (at most the
one call in flight of each thread), and a virtual machine that was frozen whole, whose clocks all stood still: it finds
out with its next renewal, within 20 s. Both meet the second fence: the manifest is written with If-Match, so
whoever was overtaken can record no new intent, and a call is only made after its intent was recorded.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tapctl.clock import Clock
from tapctl.errors import AwsError, AwsNoAnswer, LockHeld, NotYet, Patience, StoreFailed, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, Bucket, StoredObject, is_unsupported, outcome_unknown
from tapctl.manifest.lock import LockInfo, LockWait, lock_held_error, lock_lost_error
from tapctl.manifest.manifest import TIME_FORMAT
from tapctl.notices import Notify
from tapctl.threads import with_timeout

_RELEASE_PAUSE_S = 0.25
"""Between two attempts to release the lock, where the first had no answer."""
_WRITES_PER_RENEWAL = 2
"""The second one where a read shows that the first has not taken effect."""


@dataclass(frozen=True)
class LeaseTiming:
    """The duration of a lease, and of the pause between renewals; in seconds."""

    lease_s: float = 60
    renew_s: float = 20
    release_s: float = 3
    """The limit of a release: a run that was stopped is to end, and a lock that stays is free after its lease."""

    @property
    def fresh_s(self) -> float:
        """The age up to which a renewal needs no check: nobody can have taken over, and the next one is not overdue."""
        return self.lease_s * 2 / 3

    @property
    def valid_s(self) -> float:
        """The age up to which a renewal is still good where a new one has no answer."""
        return self.lease_s * 5 / 6

    @property
    def poll_s(self) -> float:
        """The pause between two reads of somebody who waits."""
        return self.lease_s / 30

    @property
    def retry_s(self) -> float:
        """The pause between two renewals without an answer."""
        return self.renew_s / 4


# -- acquire, take over ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ForeignLock:
    """A lock object of somebody else, as it was last read."""

    etag: str
    lock: LockInfo | None
    """None where tapctl cannot read it: it has no lease, and is never taken over."""
    since: float
    """Since when the object is known to be the same, on our own clock."""

    def remaining_s(self, now: float) -> float:
        """Seconds until anybody may take the lock over, if it stays the same; infinite where it has no lease."""
        if self.lock is None or self.lock.lease_s is None:
            return math.inf
        if self.lock.is_released:
            return 0.0
        return max(self.lock.lease_s - (now - self.since), 0.0)


def observe_lock(stored: StoredObject, now: float, before: ForeignLock | None = None) -> ForeignLock:
    """Read a lock object, seen at ``now``: the same since S3 says so, or since it was seen ``before``."""
    since = now - stored.age_s
    if before is not None and before.etag == stored.etag:
        since = min(since, before.since)
    return ForeignLock(stored.etag, LockInfo.parse(stored.content), since)


class LockAcquirer:
    """Acquires a lock: at once, after a wait, or by taking over one whose lease is over.

    There is no order among those who wait: whoever looks first when the lock is free has it.
    """

    def __init__(
        self, bucket: Bucket, key: str, lock: LockInfo, *, timing: LeaseTiming, clock: Clock, notify: Notify
    ) -> None:
        """``lock``: what is to be written at ``key``."""
        self._bucket, self._key, self._lock = bucket, key, lock
        self._content = lock.encode()
        self._timing, self._clock, self._notify = timing, clock, notify
        self._foreign: ForeignLock | None = None
        self._first_sent = math.inf
        self._no_answer: AwsNoAnswer | None = None

    def acquire(self, wait_s: float) -> S3Lease:
        """Acquire the lock, waiting for it up to ``wait_s`` seconds.

        Raises:
            LockHeld: it is somebody else's.
            TapctlError: it cannot be acquired; after `AwsNoAnswer` it may be ours, and is free after its lease.
        """
        wait = LockWait(wait_s, self._clock, self._notify)
        while True:
            is_last = wait.is_over
            lease = None
            try:
                lease = self._try()
            except AwsNoAnswer:
                if is_last:
                    raise
            if lease is not None:
                return lease
            if is_last:
                raise self._refusal()
            wait.pause(
                self._foreign.lock if self._foreign else None,
                min(self._timing.poll_s, self._remaining_s() or math.inf),
            )

    def abandon(self) -> None:
        """Remove the lock that an interrupted `acquire` may have written, as far as there is time.

        Raises:
            TapctlError, TimeoutError: it may be there; it is free when its lease has ended.
        """
        bucket = self._bucket.without_retries()

        def remove() -> None:
            stored = bucket.get(self._key)
            if stored is not None and stored.content == self._content:
                bucket.remove(self._key, stored.etag)

        with_timeout(self._timing.release_s, remove)

    def _try(self) -> S3Lease | None:
        """Acquire the lock if it is free; None: it is somebody's, or others were always quicker."""
        for _ in range(ATTEMPTS):
            lease = self._write() if self._remaining_s() == 0 else None
            lease = lease or self._read()
            if lease is not None or self._remaining_s() > 0:
                return lease
        return None

    def _remaining_s(self) -> float:
        return self._foreign.remaining_s(self._clock.now()) if self._foreign else 0.0

    def _write(self) -> S3Lease | None:
        """Write our lock; None: only a read tells which one is there."""
        sent = self._clock.now()
        self._first_sent = min(self._first_sent, sent)
        try:
            etag = self._bucket.put(self._key, self._content, self._foreign.etag if self._foreign else None)
        except AwsError as error:
            if not outcome_unknown(error):
                raise self._bucket.to_tapctl_error(error) from error
            self._no_answer = error if isinstance(error, AwsNoAnswer) else None
            return None
        if self._foreign is not None and self._foreign.lock is not None and not self._foreign.lock.is_released:
            expired = self._foreign.lock
            self._notify(f"took over the lock of {expired}: it was not renewed for {expired.lease_s:g} s")
        return self._lease(etag, sent)

    def _read(self) -> S3Lease | None:
        """Read the lock that is there; it may be our own, whose answer was lost."""
        stored = self._bucket.get(self._key)
        if stored is not None and stored.content == self._content:
            # Nobody knows which of our writes took effect: the first is the safe guess.
            return self._lease(stored.etag, self._first_sent)
        self._foreign = observe_lock(stored, self._clock.now(), self._foreign) if stored else None
        return None

    def _lease(self, etag: str, sent: float) -> S3Lease:
        return S3Lease(
            self._bucket, self._key, self._lock, etag=etag, sent=sent, timing=self._timing, clock=self._clock
        )

    def _refusal(self) -> TapctlError:
        where = self._bucket.url(self._key)
        if self._foreign is not None:
            return lock_held_until_error(where, self._foreign, self._clock.now())
        return self._no_answer or lock_held_error(where, None, "others were always quicker: run the same command again")


def lock_held_until_error(where: str, foreign: ForeignLock, now: float) -> LockHeld:
    """The error for a lock that somebody else holds: who, until when at most, and what to do."""
    remaining_s = foreign.remaining_s(now)
    if foreign.lock is None or remaining_s == math.inf:
        return lock_held_error(
            where, foreign.lock, f"look with: aws s3 cp {where} -; if nobody is at work: aws s3 rm {where}"
        )
    # A time of day for people alone, who have this machine's clock before their eyes.
    until = (datetime.now(UTC) + timedelta(seconds=remaining_s)).strftime(TIME_FORMAT)
    error = lock_held_error(where, foreign.lock, "wait in line: run the same command with --lock-timeout 10m")
    error.evidence = f"{error.evidence}\nlock {foreign.lock.id}; if its run has died, it is free at {until}"
    return error


# -- renew, release --------------------------------------------------------------------------------------------------


class S3Lease:
    """A lock object that we have written. Its methods may be called from any thread."""

    def __init__(
        self, bucket: Bucket, key: str, lock: LockInfo, *, etag: str, sent: float, timing: LeaseTiming, clock: Clock
    ) -> None:
        """``sent``: when the write that S3 took was sent, on ``clock``, which counts sleep."""
        self._bucket = bucket.without_retries()
        self._key, self._lock, self._etag = key, lock, etag
        self._timing, self._clock = timing, clock
        self._renewed_at = sent
        self._renewals, self._phase = lock.renewals, lock.phase
        self._attempts = 0
        self._last_error = ""
        self._lost_to: tuple[LockInfo | None] | None = None
        """The lock that is there in place of ours, or None in it where there is none; None as long as ours is."""
        self._renewing = threading.Lock()
        self._ended = threading.Event()

    @property
    def id(self) -> str:
        """The lock's id, which no other acquisition has."""
        return self._lock.id

    def set_phase(self, phase: str) -> None:
        """Show this as our present work; others see it after the next renewal."""
        self._phase = phase

    def start_renewing(self) -> None:
        """Renew the lock from now on, in the background, until it is released or lost."""
        threading.Thread(target=self._keep_renewing, name=f"lease of {self._key}", daemon=True).start()

    def ensure_held(self) -> None:
        """Make sure that the lock is still ours: no call where the last renewal is fresh, else a renewal."""
        if self._age_s() >= self._timing.fresh_s:
            attempts = self._attempts
            with self._renewing:
                # Where another thread has just tried, its result is ours too: threads do not renew one after another.
                if self._attempts == attempts:
                    self._renew()
        self.assert_valid()

    def assert_valid(self) -> None:
        """Make sure that the lock is still ours by the age of its last renewal: no call is made."""
        where = self._bucket.url(self._key)
        if self._lost_to is not None:
            raise lock_lost_error(where, *self._lost_to)
        age_s = self._age_s()
        if age_s >= self._timing.valid_s:
            why = f": {self._last_error}" if self._last_error else ""
            raise NotYet(f"the lock {where} could not be renewed for {age_s:.0f} s{why}", Patience.PROPAGATION)

    def _age_s(self) -> float:
        return self._clock.now() - self._renewed_at

    def _keep_renewing(self) -> None:
        pause_s = self._timing.renew_s
        while True:
            self._clock.wait(pause_s, self._ended)
            with self._renewing:
                if self._ended.is_set():
                    return
                self._renew()
            pause_s = self._timing.retry_s if self._last_error else self._timing.renew_s

    def _renew(self) -> None:
        """Write the lock anew, so that everybody sees that we live. The caller holds ``_renewing``."""
        for _ in range(_WRITES_PER_RENEWAL):
            if self._lost_to is not None or self._write():
                break
        self._attempts += 1

    def _write(self) -> bool:
        """Write the lock once; False: it is ours, this write has not taken effect, and it makes sense to try again."""
        self._renewals += 1
        content = self._lock.model_copy(update={"renewals": self._renewals, "phase": self._phase}).encode()
        sent = self._clock.now()
        effective: bool | None = True
        try:
            self._etag = self._bucket.put(self._key, content, self._etag)
        except TapctlError as error:
            self._last_error = str(error)
            effective = self._took_effect(content) if isinstance(error, AwsError) and outcome_unknown(error) else None
        if effective:
            self._renewed_at, self._last_error = sent, ""
        return effective is not False

    def _took_effect(self, content: bytes) -> bool | None:
        """True if this is the stored content; None: nobody can tell, or the lock is not ours any more."""
        try:
            stored = self._bucket.get(self._key)
        except TapctlError as error:
            self._last_error = str(error)
            return None
        lock = LockInfo.parse(stored.content) if stored else None
        if stored is None or lock is None or lock.id != self.id:
            self._lost_to = (lock,)
            return None
        # Ours: this renewal, or an earlier one that came late. That one says nothing of now.
        self._etag = stored.etag
        return stored.content == content

    def release(self) -> None:
        """Remove the lock object, if it is still ours, and renew it no more; no call where it is known to be lost.

        Raises:
            TapctlError: it may still be there; it is free when its lease has ended.
        """
        self._ended.set()
        if self._lost_to is not None:
            return
        try:
            with_timeout(self._timing.release_s, self._remove)
        except TimeoutError:
            raise StoreFailed(f"S3 has not answered for {self._timing.release_s:g} s") from None

    def _remove(self) -> None:
        etag = self._etag
        failure: TapctlError = StoreFailed(f"S3 does not remove the lock {self._bucket.url(self._key)}")
        for _ in range(ATTEMPTS):
            try:
                if self._free(etag):
                    return
                stored = self._bucket.get(self._key)
            except AwsNoAnswer as error:
                failure = error
                time.sleep(_RELEASE_PAUSE_S)
                continue
            lock = LockInfo.parse(stored.content) if stored else None
            if stored is None or lock is None or lock.id != self.id:
                return
            etag = stored.etag  # a renewal whose answer was lost, or that was under way
        raise failure

    def _free(self, etag: str) -> bool:
        """Remove the lock if it is still this one, or mark it as released where the store has no such removal."""
        try:
            return self._bucket.remove(self._key, etag)
        except AwsError as error:
            if not is_unsupported(error):
                raise
        try:
            self._bucket.put(self._key, self._lock.released().encode(), etag)
        except AwsError as error:
            if not outcome_unknown(error):
                raise
            return False
        return True
