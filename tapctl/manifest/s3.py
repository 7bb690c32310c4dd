"""Manifests in an S3 bucket: every write is conditional on what was read, and a lock is an object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapctl.clock import BoottimeClock, Clock
from tapctl.errors import AwsError, AwsNoAnswer, ManifestError, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, Bucket, is_conflict, outcome_unknown
from tapctl.manifest.force_unlock import ForceUnlock
from tapctl.manifest.history import HISTORY, history_folder, version_name
from tapctl.manifest.lock import Lease, LockHolder, LockInfo
from tapctl.manifest.manifest import Manifest, dump, parse
from tapctl.manifest.s3_lock import LeaseTiming, LockAcquirer, observe_lock
from tapctl.manifest.store import SUFFIX, TRACE, Stored, conflict_error, missing_error, write_failed_error
from tapctl.notices import Notify, silent

_VERSIONS_KEPT = 64
"""Files of a history that are kept in memory; the newest ones are asked for first, and again."""


class S3Store:
    """The store at ``s3://<bucket>/<prefix>/<suffix>.json``.

    Raises as `Store` says; where a read has no answer, `AwsNoAnswer`; where it is denied, `Refused`.
    """

    def __init__(
        self,
        bucket: Bucket,
        timing: LeaseTiming | None = None,
        clock: Clock | None = None,
        *,
        proved: bool = False,
    ) -> None:
        """``clock``: one that counts the time a machine sleeps. ``proved``: that the store honours conditions."""
        self._proved = proved
        self._bucket = bucket
        self._timing = timing or LeaseTiming()
        self._clock = clock or BoottimeClock()
        self._last: dict[str, Stored] = {}
        self._etags: dict[str, str] = {}
        """Of the records as they were read last, also of those that are damaged."""
        self._read_before: dict[str, bytes] = {}
        """Files of the history by key."""

    def location(self, suffix: str) -> str:
        """The URL of this suffix's manifest."""
        return self._bucket.url(f"{suffix}.json")

    def read(self, suffix: str) -> Stored | None:
        """Read the manifest of this suffix; None if there is none."""
        current = self._bucket.get(f"{suffix}.json")
        if current is None:
            self._last.pop(suffix, None)
            self._etags.pop(suffix, None)
            return None
        self._etags[suffix] = current.etag
        stored = self._last[suffix] = Stored(parse(current.content, self.location(suffix)), current.etag)
        return stored

    def suffixes(self) -> list[str]:
        """List every suffix that has a manifest here, sorted."""
        names = [name.removesuffix(".json") for name in self._bucket.list_names() if name.endswith(".json")]
        return [name for name in names if SUFFIX.fullmatch(name)]

    def traces(self) -> list[str]:
        """List every suffix of which anything is kept here, sorted."""
        beside = [match[1] for name in self._bucket.list_names() if (match := TRACE.fullmatch(name))]
        kept = {*beside, *self._bucket.list_folders(f"{HISTORY}/")}
        return sorted(name for name in kept if SUFFIX.fullmatch(name))

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Write the manifest if the stored version is still ``expected``; returns the new version."""
        where = self.location(manifest.suffix)
        content = dump(manifest).encode()
        if expected is not None:
            self._archive(manifest.suffix, expected)
        for _ in range(ATTEMPTS):
            try:
                version = self._bucket.put(f"{manifest.suffix}.json", content, expected)
            except AwsError as error:
                failure = error
            else:
                self._last[manifest.suffix] = Stored(manifest, version)
                self._etags[manifest.suffix] = version
                return version
            if not outcome_unknown(failure):
                break
            current = self._read_after(failure, manifest.suffix)
            if current is not None and current.manifest == manifest:
                return current.version  # our own write, whose answer was lost
            if isinstance(failure, AwsNoAnswer):
                break
            if not is_conflict(failure) or (current.version if current else None) != expected:
                raise conflict_error(where, current.manifest if current else None) from failure
        raise write_failed_error(where, failure) from failure

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Write ``<suffix>.<name>.json`` beside the manifest."""
        key = f"{suffix}.{name}.json"
        try:
            current = self._bucket.get(key)
            if current is None or current.content != content:
                self._bucket.put(key, content, current.etag if current else None)
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """Read ``<suffix>.<name>.json``; None if there is none."""
        key = f"{suffix}.{name}.json"
        try:
            current = self._bucket.get(key)
        except TapctlError as error:
            raise write_failed_error(self._bucket.url(key), error) from error
        return current.content if current else None

    def _read_after(self, failure: AwsError, suffix: str) -> Stored | None:
        """Read the manifest after a write with an unknown outcome."""
        try:
            return self.read(suffix)
        except TapctlError as error:
            raise write_failed_error(self.location(suffix), f"{failure}\n{error}") from error

    def _archive(self, suffix: str, expected: str) -> None:
        """Copy the version that is about to be replaced: so each one in the history was current once."""
        before = self._last.get(suffix)
        try:
            if before is None or before.version != expected:
                before = self.read(suffix)
            if before is not None and before.version == expected:
                key = history_folder(suffix) + version_name(before.manifest)
                self._bucket.put_if_absent(key, dump(before.manifest).encode())
            # Otherwise somebody else has replaced and archived it: the condition of our write refuses it.
        except AwsError as error:
            raise write_failed_error(self._bucket.url(history_folder(suffix)), error) from error

    @contextmanager
    def lock(self, suffix: str, holder: LockHolder, wait_s: float = 0, notify: Notify = silent) -> Iterator[Lease]:
        """Hold the one right to change this suffix, until it is released or its lease is not renewed."""
        lock = LockInfo(id=uuid.uuid4().hex, holder=holder, lease_s=self._timing.lease_s)
        acquirer = LockAcquirer(
            self._bucket, _lock_key(suffix), lock, timing=self._timing, clock=self._clock, notify=notify
        )
        try:
            lease = acquirer.acquire(wait_s)
        except TapctlError:
            raise
        except BaseException:  # interrupted: perhaps right when S3 took it
            with suppress(TapctlError, TimeoutError):
                acquirer.abandon()
            raise
        try:
            if not self._proved:
                self._bucket.prove_conditions(_lock_key(suffix), lock.encode())
                self._proved = True
            lease.start_renewing()
            yield lease
        finally:
            try:
                lease.release()
            except TapctlError as error:
                notify(f"the lock could not be given back, it is free in {lock.lease_s:g} s: {error}")

    def lock_info(self, suffix: str) -> LockInfo | None:
        """Read who holds the lock: its object, which is of nobody once its lease is over.

        Raises:
            ManifestError: the object is no lock that can be read; it is held as long as it is there.
        """
        stored = self._bucket.get(_lock_key(suffix))
        if stored is None:
            return None
        now = self._clock.now()
        foreign = observe_lock(stored, now)
        if foreign.lock is None:
            raise ManifestError(f"nobody's name can be read in {self._bucket.url(_lock_key(suffix))}")
        return foreign.lock if foreign.remaining_s(now) > 0 else None

    def unlock(self, suffix: str, id: str, by: LockHolder, notify: Notify = silent) -> bool:
        """Take the lock with this id away from its holder, see `ForceUnlock.unlock`; False: nobody holds one."""
        force_unlock = ForceUnlock(
            self._bucket, _lock_key(suffix), history_folder(suffix), timing=self._timing, clock=self._clock
        )
        return force_unlock.unlock(id, by, notify)

    def restore_command(self, copy: Path, suffix: str) -> str:
        """The command that puts ``copy`` in the manifest's place, if that is still the one that was read last."""
        last = self._etags.get(suffix)
        condition = ["--if-match", last] if last else ["--if-none-match", "*"]
        encryption = self._bucket.encryption
        asked = {
            "--server-side-encryption": encryption.method,
            "--ssekms-key-id": encryption.key,
            "--expected-bucket-owner": self._bucket.owner,
        }
        options = [text for option, value in asked.items() if value for text in (option, value)]
        return self._bucket.command("put-object", f"{suffix}.json", "--body", str(copy), *condition, *options)

    def list_history(self, suffix: str, since: str = "") -> dict[str, int]:
        """List the names in this suffix's history that come after ``since``, sorted, each with its bytes."""
        return self._bucket.list_sizes(history_folder(suffix), since)

    def read_history(self, suffix: str, name: str) -> bytes:
        """Read one file of the history, once: each is written once, under a name of its own."""
        key = history_folder(suffix) + name
        if key in self._read_before:
            return self._read_before[key]
        stored = self._bucket.get(key)
        if stored is None:
            raise missing_error(self._bucket.url(key))
        if len(self._read_before) < _VERSIONS_KEPT:
            self._read_before[key] = stored.content
        return stored.content


def _lock_key(suffix: str) -> str:
    return f"{suffix}.lock"
