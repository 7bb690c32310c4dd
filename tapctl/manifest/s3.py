"""Manifests in an S3 bucket: every write is conditional on what was read, and a lock is an object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tapctl.errors import AwsError, AwsLost, StoreFailed, TapctlError
from tapctl.manifest.bucket import ATTEMPTS, CONFLICT, Bucket, must_look
from tapctl.manifest.entry import Manifest, dump, parse
from tapctl.manifest.store import SUFFIX, Holder, Lease, Lock, Stored, lost, overtaken, taken, unwritten


class S3Store:
    """``s3://<bucket>/<prefix>/<suffix>.json``.

    Raises as `Store` says; where a read has no answer, `AwsLost`; where it is denied, `Refused`.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def location(self, suffix: str) -> str:
        """Where this suffix's manifest is."""
        return self._bucket.url(f"{suffix}.json")

    def read(self, suffix: str) -> Stored | None:
        """The manifest of this suffix; None when there is none."""
        found = self._bucket.get(f"{suffix}.json")
        return None if found is None else Stored(parse(found.content, self.location(suffix)), found.etag)

    def suffixes(self) -> list[str]:
        """Every suffix that has a manifest here, sorted."""
        names = [key.removesuffix(".json") for key in self._bucket.listed() if key.endswith(".json")]
        return sorted(name for name in names if SUFFIX.fullmatch(name))

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Put it there if what is there is still ``expected``; returns its version."""
        where = self.location(manifest.suffix)
        content = dump(manifest).encode()
        for _ in range(ATTEMPTS):
            try:
                return self._bucket.put(f"{manifest.suffix}.json", content, expected)
            except AwsError as error:
                answer = error
            if not must_look(answer):
                break
            found = self._look_again(manifest.suffix, answer)
            if found is not None and found.manifest == manifest:
                return found.version  # our own write, whose answer was lost
            if isinstance(answer, AwsLost):
                break
            if answer.aws_code != CONFLICT or (found.version if found else None) != expected:
                raise overtaken(where, found.manifest if found else None) from answer
        raise unwritten(where, answer) from answer

    def _look_again(self, suffix: str, answer: AwsError) -> Stored | None:
        try:
            return self.read(suffix)
        except TapctlError as error:
            raise unwritten(self.location(suffix), f"{answer}\n{error}") from error

    @contextmanager
    def lock(self, suffix: str, holder: Holder) -> Iterator[Lease]:
        """The one right to change this suffix, until it is given back."""
        lease = self._acquire(f"{suffix}.lock", Lock(id=uuid.uuid4().hex, holder=holder))
        try:
            yield lease
        except BaseException as error:
            try:
                lease.release()
            except TapctlError as left:
                error.add_note(f"{left}; {left.hint}")
            raise
        lease.release()

    def _acquire(self, key: str, lock: Lock) -> _S3Lease:
        bucket, where = self._bucket, self._bucket.url(key)
        content = lock.model_dump_json().encode()
        for _ in range(ATTEMPTS):
            try:
                return _S3Lease(bucket, key, lock.id, bucket.put(key, content, None))
            except AwsError as error:
                answer = error
            if not must_look(answer):
                break
            found = bucket.get(key)
            if found is not None and found.content == content:
                return _S3Lease(bucket, key, lock.id, found.etag)  # our own, whose answer was lost
            if found is not None:
                hint = f"wait until it has ended, look with: aws s3 cp {where} -"
                raise taken(where, Lock.told(found.content), hint) from answer
        raise bucket.unusable(answer) from answer


class _S3Lease:
    """A lock object that we have made."""

    def __init__(self, bucket: Bucket, key: str, id: str, etag: str) -> None:
        self.id = id
        self._bucket = bucket
        self._key = key
        self._etag = etag

    def check(self) -> None:
        """Look whether the object is still ours. A look without an answer is no look: a lock does not go by itself."""
        try:
            found = self._bucket.get(self._key)
        except AwsLost:
            return
        if found is None or found.etag != self._etag:
            raise lost(self._bucket.url(self._key), Lock.told(found.content) if found else None)

    def release(self) -> None:
        """Remove the object, if it is still the one that we have made.

        Raises:
            StoreFailed: it may be there for good.
        """
        try:
            self._bucket.remove(self._key, self._etag)
        except AwsError as error:
            where = self._bucket.url(self._key)
            raise StoreFailed(
                f"the lock {where} could not be removed, and keeps others out",
                evidence=str(error),
                hint=f"remove it: aws s3 rm {where}",
            ) from error
