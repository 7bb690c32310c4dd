"""Manifests in a folder: each one rewritten whole, and a lock of the operating system that dies with its holder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapctl.clock import BoottimeClock, Clock
from tapctl.errors import ManifestError, StoreFailed
from tapctl.manifest.history import folder_of, name_of
from tapctl.manifest.lock import Lease, LockHolder, LockInfo, LockWait, Notify, lock_held_error, lock_lost_error, silent
from tapctl.manifest.manifest import Manifest, dump, parse
from tapctl.manifest.store import SUFFIX, Stored, conflict_error, missing_error, write_failed_error

MAX_LOCAL_VERSIONS = 500
"""Replaced versions kept of each suffix: some 15 MB; the oldest go. In S3 all are kept."""
POLL_S = 0.25

# A link in place of one of our files would let somebody choose what we overwrite; a pipe would let us hang.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PRIVATE = 0o600


class LocalStore:
    """``<folder>/<suffix>.json``; the folder is made with the first write. Raises as `Store` says."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or BoottimeClock()

    def location(self, suffix: str) -> str:
        """Where this suffix's manifest is."""
        return str(self._path(suffix))

    def read(self, suffix: str) -> Stored | None:
        """The manifest of this suffix; None when there is none."""
        path = self._path(suffix)
        content = _content(path)
        return None if content is None else Stored(parse(content, str(path)), _version(content))

    def suffixes(self) -> list[str]:
        """Every suffix that has a manifest here, sorted."""
        try:
            found = [path.stem for path in self._folder.iterdir() if path.suffix == ".json"]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ManifestError(
                f"the folder {self._folder} cannot be read", evidence=str(error), hint="check --state"
            ) from None
        return sorted(name for name in found if SUFFIX.fullmatch(name))

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Put it there, durably, if what is there is still ``expected``; returns its version."""
        path = self._path(manifest.suffix)
        content = dump(manifest).encode()
        try:
            _make_folder(self._folder)
            if path.is_symlink():
                raise write_failed_error(str(path), "it is a symbolic link")
            path_of_draft = path.with_name(f".{path.name}.tmp")
            with _held(path_of_draft) as draft:
                have = _content(path)
                if have != content:
                    if (None if have is None else _version(have)) != expected:
                        raise conflict_error(str(path), None if have is None else parse(have, str(path)))
                    if have is not None:
                        self._archive(manifest.suffix, parse(have, str(path)))
                    _fill(draft, content)
                    path_of_draft.replace(path)
                _sync_folder(self._folder)
        except OSError as error:
            raise write_failed_error(str(path), error) from error
        return _version(content)

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Put this beside the manifest, durably."""
        path = self._folder / f"{suffix}.{name}.json"
        try:
            _make_folder(self._folder)
            path_of_draft = path.with_name(f".{path.name}.tmp")
            with _held(path_of_draft) as draft:
                _fill(draft, content)
                path_of_draft.replace(path)
            _sync_folder(self._folder)
        except OSError as error:
            raise write_failed_error(str(path), error) from error

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """What was put beside the manifest."""
        path = self._folder / f"{suffix}.{name}.json"
        try:
            return path.read_bytes() if path.exists() else None
        except OSError as error:
            raise write_failed_error(str(path), error) from error

    @contextmanager
    def lock(self, suffix: str, holder: LockHolder, wait_s: float = 0, tell: Notify = silent) -> Iterator[Lease]:
        """The one right to change this suffix, for as long as this process lives. The lock's file stays."""
        path = self._path(suffix).with_suffix(".lock")
        try:
            _make_folder(self._folder)
            held = self._acquire(path, wait_s, tell)
        except OSError as error:
            raise _unlockable(path, error) from error
        try:
            lock = LockInfo(id=uuid.uuid4().hex, holder=holder)
            try:
                _fill(held, lock.encode())
            except OSError as error:
                raise _unlockable(path, error) from error
            yield _LocalLease(lock, path, held)
        finally:
            with suppress(OSError):  # it tells who holds the lock; the lock itself goes with the next line
                os.ftruncate(held, 0)
            os.close(held)

    def list_history(self, suffix: str) -> list[str]:
        """Names of what is kept of this suffix, sorted."""
        try:
            return sorted(path.name for path in (self._folder / folder_of(suffix)).iterdir())
        except FileNotFoundError:
            return []

    def read_history(self, suffix: str, name: str) -> bytes:
        """What is kept under this name."""
        path = self._folder / folder_of(suffix) / name
        content = _content(path)
        if content is None:
            raise missing_error(str(path))
        return content

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{suffix}.json"

    def _archive(self, suffix: str, replaced: Manifest) -> None:
        """Keep what is about to be replaced: so what is kept was the record once, whatever happens next."""
        folder = self._folder / folder_of(suffix)
        _make_folder(folder)
        path_of_draft = folder / ".draft"
        with _held(path_of_draft) as draft:
            _fill(draft, dump(replaced).encode())
            path_of_draft.replace(folder / name_of(replaced))
        for name in self.list_history(suffix)[:-MAX_LOCAL_VERSIONS]:
            (folder / name).unlink(missing_ok=True)
        _sync_folder(folder)

    def _acquire(self, path: Path, wait_s: float, tell: Notify) -> int:
        """The lock's file, locked; there is no order among those who wait."""
        waiting = LockWait(wait_s, self._clock, tell)
        while True:
            late = waiting.over
            try:
                return _hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock = LockInfo.parse(_content(path) or b"")
            if late:
                raise lock_held_error(str(path), lock, "wait in line: run the same command with --lock-timeout 10m")
            waiting.pause(lock, POLL_S)


class _LocalLease:
    """A lock on an open file: it is ours until we close it, unless somebody puts another file in its place."""

    def __init__(self, lock: LockInfo, path: Path, held: int) -> None:
        self._lock = lock
        self._path = path
        self._held = held

    @property
    def id(self) -> str:
        """What tells this lease from every other one."""
        return self._lock.id

    def set_phase(self, phase: str) -> None:
        """Say what is being done from now on, to whoever waits."""
        with suppress(OSError):  # the lock is the file, not what is in it
            _fill(self._held, self._lock.model_copy(update={"phase": phase}).encode())

    def ensure_held(self) -> None:
        """Make sure that the file we have locked is the one that others would lock."""
        if not _is_at(self._held, self._path):
            raise lock_lost_error(str(self._path), LockInfo.parse(_content(self._path) or b""))

    def assert_valid(self) -> None:
        """As `check`: the file is here."""
        self.ensure_held()


def _make_folder(wanted: Path) -> None:
    missing = [folder for folder in (wanted, *wanted.parents) if not folder.exists()]
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in missing:
        _sync_folder(folder.parent)


def _unlockable(path: Path, error: OSError) -> StoreFailed:
    return StoreFailed(
        f"the lock {path} could not be taken",
        evidence=str(error),
        hint="make that place writable, then run the same command again",
    )


def _content(path: Path) -> bytes | None:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _CAREFULLY)) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ManifestError(
            f"the manifest {path} cannot be read", evidence=str(error), hint="make it a readable, plain file"
        ) from None


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_at(open_file: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(open_file), there)


def _hold(path: Path, how: int) -> int:
    """This file, open and locked. Whoever waited may have locked one that was renamed or removed meanwhile."""
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT | _CAREFULLY, _PRIVATE)
        try:
            fcntl.flock(held, how)
        except OSError:
            os.close(held)
            raise
        if _is_at(held, path):
            return held
        os.close(held)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """A draft to be filled and renamed; held, so that of two writers one sees what the other has written.

    Its name is fixed: what a killed writer has left is used again by the next one.
    """
    held = _hold(path, fcntl.LOCK_EX)
    try:
        yield held
    finally:
        if _is_at(held, path):
            path.unlink()
        os.close(held)


def _fill(opened: int, content: bytes) -> None:
    """Make this all that the file holds, whatever an earlier process left in it."""
    os.fchmod(opened, _PRIVATE)
    os.ftruncate(opened, 0)
    os.lseek(opened, 0, os.SEEK_SET)
    with os.fdopen(opened, "wb", closefd=False) as file:
        file.write(content)
        file.flush()
        os.fsync(opened)


def _sync_folder(folder: Path) -> None:
    """A name in a folder is durable only once the folder is."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
