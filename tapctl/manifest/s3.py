"""Manifests in an S3 bucket: every write is conditional on what was read, and a lock is an object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tapctl.clock import BoottimeClock, Clock
from tapctl.errors import AwsError, AwsNoAnswer, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, CONFLICT, Bucket, outcome_unknown
from tapctl.manifest.force_unlock import ForceUnlock
from tapctl.manifest.history import folder_of, name_of
from tapctl.manifest.lock import Lease, LockHolder, LockInfo, Notify, silent
from tapctl.manifest.manifest import Manifest, dump, parse
from tapctl.manifest.s3_lock import LeaseTiming, LockAcquirer
from tapctl.manifest.store import SUFFIX, Stored, conflict_error, missing_error, write_failed_error


class S3Store:
    """``s3://<bucket>/<prefix>/<suffix>.json``.

    Raises as `Store` says; where a read has no answer, `AwsLost`; where it is denied, `Refused`.
    """

    def __init__(self, bucket: Bucket, terms: LeaseTiming | None = None, clock: Clock | None = None) -> None:
        """``clock``: one that counts the time a machine sleeps."""
        self._bucket = bucket
        self._terms = terms or LeaseTiming()
        self._clock = clock or BoottimeClock()
        self._last: dict[str, Stored] = {}

    def location(self, suffix: str) -> str:
        """Where this suffix's manifest is."""
        return self._bucket.url(f"{suffix}.json")

    def read(self, suffix: str) -> Stored | None:
        """The manifest of this suffix; None when there is none."""
        found = self._bucket.get(f"{suffix}.json")
        if found is None:
            return None
        stored = self._last[suffix] = Stored(parse(found.content, self.location(suffix)), found.etag)
        return stored

    def suffixes(self) -> list[str]:
        """Every suffix that has a manifest here, sorted."""
        names = [key.removesuffix(".json") for key in self._bucket.listed() if key.endswith(".json")]
        return [name for name in names if SUFFIX.fullmatch(name)]

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Put it there if what is there is still ``expected``; returns its version."""
        where = self.location(manifest.suffix)
        content = dump(manifest).encode()
        if expected is not None:
            self._archive(manifest.suffix, expected)
        for _ in range(ATTEMPTS):
            try:
                version = self._bucket.put(f"{manifest.suffix}.json", content, expected)
            except AwsError as error:
                answer = error
            else:
                self._last[manifest.suffix] = Stored(manifest, version)
                return version
            if not outcome_unknown(answer):
                break
            found = self._look_again(manifest.suffix, answer)
            if found is not None and found.manifest == manifest:
                return found.version  # our own write, whose answer was lost
            if isinstance(answer, AwsNoAnswer):
                break
            if answer.aws_code != CONFLICT or (found.version if found else None) != expected:
                raise conflict_error(where, found.manifest if found else None) from answer
        raise write_failed_error(where, answer) from answer

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Put this beside the manifest."""
        key = f"{suffix}.{name}.json"
        try:
            there = self._bucket.get(key)
            if there is None or there.content != content:
                self._bucket.put(key, content, there.etag if there else None)
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """What was put beside the manifest."""
        key = f"{suffix}.{name}.json"
        try:
            there = self._bucket.get(key)
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error
        return there.content if there else None

    def _look_again(self, suffix: str, answer: AwsError) -> Stored | None:
        try:
            return self.read(suffix)
        except TapctlError as error:
            raise write_failed_error(self.location(suffix), f"{answer}\n{error}") from error

    def _archive(self, suffix: str, expected: str) -> None:
        """Keep what is about to be replaced: so what is kept was the record once, whatever happens next."""
        before = self._last.get(suffix)
        try:
            if before is None or before.version != expected:
                before = self.read(suffix)
            if before is not None and before.version == expected:
                self._bucket.put_if_absent(folder_of(suffix) + name_of(before.manifest), dump(before.manifest).encode())
            # Otherwise it was replaced by somebody else, who has kept it: the condition of our write refuses it.
        except AwsError as error:
            raise write_failed_error(self._bucket.url(folder_of(suffix)), error) from error

    @contextmanager
    def lock(self, suffix: str, holder: LockHolder, wait_s: float = 0, tell: Notify = silent) -> Iterator[Lease]:
        """The one right to change this suffix, until it is given back or its lease is not renewed."""
        lock = LockInfo(id=uuid.uuid4().hex, holder=holder, lease_s=self._terms.lease_s)
        line = LockAcquirer(self._bucket, _lock_of(suffix), lock, terms=self._terms, clock=self._clock, tell=tell)
        try:
            lease = line.acquire(wait_s)
        except TapctlError:
            raise
        except BaseException:  # interrupted: perhaps right when S3 took it
            with suppress(TapctlError, TimeoutError):
                line.leave()
            raise
        try:
            lease.start_renewing()
            yield lease
        finally:
            try:
                lease.release()
            except TapctlError as error:
                tell(f"the lock could not be given back, it is free in {lock.lease_s:g} s: {error}")

    def unlock(self, suffix: str, id: str, by: LockHolder, tell: Notify = silent) -> bool:
        """Take the lock with this id away from its holder; see `tapctl.manifest.unlock`. False: nobody holds one."""
        unlocking = ForceUnlock(self._bucket, _lock_of(suffix), folder_of(suffix), terms=self._terms, clock=self._clock)
        return unlocking.unlock(id, by, tell)

    def list_history(self, suffix: str) -> list[str]:
        """Names of what is kept of this suffix, sorted."""
        return self._bucket.listed(folder_of(suffix))

    def read_history(self, suffix: str, name: str) -> bytes:
        """What is kept under this name."""
        key = folder_of(suffix) + name
        found = self._bucket.get(key)
        if found is None:
            raise missing_error(self._bucket.url(key))
        return found.content


def _lock_of(suffix: str) -> str:
    return f"{suffix}.lock"
