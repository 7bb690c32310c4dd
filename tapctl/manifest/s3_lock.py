"""The right to change an environment, as an object in S3 that its holder keeps renewing.

Why never two go on, whatever the clocks of the machines say:

- Every write of the lock object is conditional: it is made with If-None-Match, and renewed, taken over and removed with
  If-Match on the ETag last seen. Each write is another text, so each has another ETag. S3 does them one after another.
- The holder remembers when it *sent* its last write that S3 took (`S3Lease`). Call that moment F, and the moment at
  which S3 wrote it W; F is before W.
- Another may take over only when the object has been the same for a whole lease (`tapctl.manifest.line`): either since
  it saw it so itself, or since S3's LastModified, as S3's own Date in the same answer tells. Both begin after W, so a
  takeover happens after W + 60 s; if the holder has renewed meanwhile, it has another ETag and the takeover is refused.
- The holder makes no changing call later than F + 50 s without a renewal that S3 took: it is asked for before each step
  (`S3Lease.check`), and its age again right before each sending, the SDK's repetitions among them (`S3Lease.assert_valid`).
  50 s after F is before 60 s after W, on any two clocks whose *rates* differ by less than a sixth. The holder's clock
  counts the time its machine sleeps (`tapctl.manifest.awake`), so a laptop that wakes knows that its time is over.

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
from tapctl.manifest.bucket import ATTEMPTS, Bucket, StoredObject, outcome_unknown
from tapctl.manifest.lock import LockInfo, LockWait, Notify, lock_held_error, lock_lost_error
from tapctl.manifest.manifest import MOMENT
from tapctl.threads import with_timeout

_PAUSE_S = 0.25
"""Before the lock is given back once more, where that had no answer."""
_ROUNDS = 2
"""Writes in one renewal: a second one where a look tells that the first has not taken effect."""


@dataclass(frozen=True)
class LeaseTiming:
    """How long a lease lasts, and how often it is renewed; in seconds."""

    lease_s: float = 60
    renew_s: float = 20
    release_s: float = 3
    """Giving it back takes no longer: a run that was stopped is to end, and what is not given back is free in time."""

    @property
    def fresh_s(self) -> float:
        """A renewal younger than this needs no look: nobody can have taken over, and the next one is not overdue."""
        return self.lease_s * 2 / 3

    @property
    def valid_s(self) -> float:
        """A renewal younger than this is still good where a new one has no answer."""
        return self.lease_s * 5 / 6

    @property
    def poll_s(self) -> float:
        """Between two looks of somebody who waits."""
        return self.lease_s / 30

    @property
    def retry_s(self) -> float:
        """Between two renewals without an answer."""
        return self.renew_s / 4


class S3Lease:
    """A lock object that we have written. Its methods may be called from any thread."""

    def __init__(
        self, bucket: Bucket, key: str, lock: LockInfo, *, etag: str, sent: float, terms: LeaseTiming, clock: Clock
    ) -> None:
        """``sent``: when the write that S3 took was sent, on ``clock``; a clock that counts sleep."""
        self._bucket, self._once = bucket, bucket.without_retries()
        self._key, self._lock, self._etag = key, lock, etag
        self._terms, self._clock = terms, clock
        self._renewed = sent
        self._beat, self._phase = lock.beat, lock.phase
        self._tried = 0
        self._unanswered = ""
        self._taken: tuple[LockInfo | None] | None = None
        self._turn = threading.Lock()
        self._ended = threading.Event()

    @property
    def id(self) -> str:
        """What tells this lease from every other one."""
        return self._lock.id

    def set_phase(self, phase: str) -> None:
        """Say what is being done from now on; others see it after the next renewal."""
        self._phase = phase

    def start_renewing(self) -> None:
        """Renew it from now on, in the background, until it is released or lost."""
        threading.Thread(target=self._renew_on, name=f"lease of {self._key}", daemon=True).start()

    def ensure_held(self) -> None:
        """Make sure that it is still ours: no call where the last renewal is young enough, else a renewal."""
        if self._age() >= self._terms.fresh_s:
            tried = self._tried
            with self._turn:
                # Where somebody has just tried, that answer is ours too: many threads do not wait one after another.
                if self._tried == tried:
                    self._renew()
        self.assert_valid()

    def assert_valid(self) -> None:
        """Make sure by its age alone: no call is made."""
        where = self._bucket.url(self._key)
        if self._taken is not None:
            raise lock_lost_error(where, *self._taken)
        age = self._age()
        if age >= self._terms.valid_s:
            why = f": {self._unanswered}" if self._unanswered else ""
            raise NotYet(f"the lock {where} could not be renewed for {age:.0f} s{why}", Patience.PROPAGATION)

    def release(self) -> None:
        """Remove the object, if it is still ours, and renew it no more.

        Raises:
            TapctlError: it may still be there; it is free when its lease has ended.
        """
        self._ended.set()
        try:
            with_timeout(self._terms.release_s, self._remove)
        except TimeoutError:
            raise StoreFailed(f"S3 has not answered for {self._terms.release_s:g} s") from None

    def _remove(self) -> None:
        etag = self._etag
        failed: TapctlError = StoreFailed(f"S3 does not remove the lock {self._bucket.url(self._key)}")
        for _ in range(ATTEMPTS):
            try:
                if self._once.remove(self._key, etag):
                    return
                found = self._once.get(self._key)
            except AwsNoAnswer as error:
                failed = error
                time.sleep(_PAUSE_S)
                continue
            told = LockInfo.parse(found.content) if found else None
            if found is None or told is None or told.id != self.id:
                return
            etag = found.etag  # a renewal whose answer was lost, or was on its way
        raise failed

    def _age(self) -> float:
        return self._clock.now() - self._renewed

    def _renew_on(self) -> None:
        pause = self._terms.renew_s
        while True:
            self._clock.wait(pause, self._ended)
            with self._turn:
                if self._ended.is_set():
                    return
                self._renew()
            pause = self._terms.retry_s if self._unanswered else self._terms.renew_s

    def _renew(self) -> None:
        """Write it anew, so that everybody sees that we live. Whoever calls this has the turn."""
        for _ in range(_ROUNDS):
            if self._taken is not None or self._written():
                break
        self._tried += 1

    def _written(self) -> bool:
        """Write it once; False: it is ours, this write has not taken effect, and it makes sense to write again."""
        self._beat += 1
        content = self._lock.model_copy(update={"beat": self._beat, "phase": self._phase}).encode()
        sent = self._clock.now()
        landed: bool | None = True
        try:
            self._etag = self._once.put(self._key, content, self._etag)
        except TapctlError as error:
            self._unanswered = str(error)
            landed = self._landed(content) if isinstance(error, AwsError) and outcome_unknown(error) else None
        if landed:
            self._renewed, self._unanswered = sent, ""
        return landed is not False

    def _landed(self, content: bytes) -> bool | None:
        """Whether this is what is there now; None: nobody can tell, or it is not ours any more."""
        try:
            found = self._once.get(self._key)
        except TapctlError as error:
            self._unanswered = str(error)
            return None
        told = LockInfo.parse(found.content) if found else None
        if found is None or told is None or told.id != self.id:
            self._taken = (told,)
            return None
        # Ours: this renewal, or an earlier one that came late. That one tells nothing of now.
        self._etag = found.etag
        return found.content == content


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
