"""Manifests in a folder: each one rewritten whole, and a lock of the operating system that dies with its holder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shlex
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapctl.clock import BoottimeClock, Clock
from tapctl.errors import ManifestError, StoreFailed
from tapctl.manifest.history import HISTORY, history_folder, is_version, version_name
from tapctl.manifest.lock import Lease, LockHolder, LockInfo, LockWait, lock_held_error, lock_lost_error
from tapctl.manifest.manifest import MAX_BYTES, Manifest, dump, parse
from tapctl.manifest.store import SUFFIX, TRACE, Stored, conflict_error, missing_error, write_failed_error
from tapctl.notices import Notify, silent
from tapctl.safety.files import ForeignFile, check_guarded, check_place, open_folder, open_fresh, read_file

MAX_LOCAL_VERSIONS = 500
"""Replaced versions kept of each suffix: some 25 MB; the oldest go. In S3 all are kept."""
POLL_S = 0.25
_WAIT_IN_LINE = "wait in line: run the same command with --lock-timeout 10m"

# A link in place of one of our files would let somebody choose what we overwrite; a pipe would let us hang.
_SAFE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FILE = frozenset({errno.ELOOP, errno.EISDIR})
"""The words of the system where a link or a folder is opened as a file of ours."""
_PRIVATE = 0o600
_DRAFT = ".draft"


class LocalStore:
    """The store at ``<folder>/<suffix>.json``; the folder is made with the first write. Raises as `Store` says."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        """``clock``: what a wait for the lock goes by."""
        self._folder = folder
        self._clock = clock or BoottimeClock()

    def location(self, suffix: str) -> str:
        """The path of this suffix's manifest."""
        return str(self._path(suffix))

    def read(self, suffix: str) -> Stored | None:
        """Read the manifest of this suffix; None if there is none."""
        path = self._path(suffix)
        content = _read(path)
        return None if content is None else Stored(parse(content, str(path)), _version(content))

    def suffixes(self) -> list[str]:
        """List every suffix that has a manifest here, sorted."""
        try:
            check_place(self._folder)
            names = [path.stem for path in self._folder.iterdir() if path.suffix == ".json"]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ManifestError(
                f"the folder {self._folder} cannot be read", evidence=str(error), hint=_cure(error) or "check --state"
            ) from None
        return sorted(name for name in names if SUFFIX.fullmatch(name))

    def traces(self) -> list[str]:
        """List every suffix of which anything is kept here, sorted."""
        try:
            check_place(self._folder)
            beside = [match[1] for path in self._folder.iterdir() if (match := TRACE.fullmatch(path.name))]
            with suppress(FileNotFoundError), self._opened(HISTORY) as folder, os.scandir(folder) as found:
                beside += [each.name for each in found if each.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable_error("the history cannot be read", error) from None
        return sorted({name for name in beside if SUFFIX.fullmatch(name)})

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Write the manifest, durably, if the stored version is still ``expected``; returns the new version."""
        path = self._path(manifest.suffix)
        content = dump(manifest).encode()
        try:
            _make_folder(self._folder)
            if path.is_symlink():
                raise write_failed_error(str(path), "it is a symbolic link")
            draft = _draft_of(path)
            with _locked(draft) as descriptor:
                current = _read(path)
                if current != content:
                    if (None if current is None else _version(current)) != expected:
                        raise conflict_error(str(path), None if current is None else parse(current, str(path)))
                    if current is not None:
                        self._archive(manifest.suffix, parse(current, str(path)))
                    _overwrite(descriptor, content)
                    draft.replace(path)
                _sync_folder(self._folder)
        except OSError as error:
            raise write_failed_error(str(path), error, _cure(error)) from error
        return _version(content)

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Write ``<suffix>.<name>.json`` beside the manifest, durably."""
        path = self._folder / f"{suffix}.{name}.json"
        try:
            _make_folder(self._folder)
            _replace(path, content, _draft_of(path))
        except OSError as error:
            raise write_failed_error(str(path), error, _cure(error)) from error

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """Read ``<suffix>.<name>.json``; None if there is none."""
        path = self._folder / f"{suffix}.{name}.json"
        try:
            return _read(path)
        except ManifestError as error:
            raise write_failed_error(str(path), error.evidence, error.hint) from error

    @contextmanager
    def lock(self, suffix: str, holder: LockHolder, wait_s: float = 0, notify: Notify = silent) -> Iterator[Lease]:
        """Hold the one right to change this suffix, for as long as this process lives.

        The lock's file stays where anything else of the suffix is kept: what never was leaves no trace.
        """
        path = self._path(suffix).with_suffix(".lock")
        try:
            _make_folder(self._folder)
            self.list_history(suffix)  # one that cannot be used is refused before anything is done
            descriptor = self._acquire(path, wait_s, notify)
        except OSError as error:
            raise _lock_failed_error(path, error) from error
        try:
            lock = LockInfo(id=uuid.uuid4().hex, holder=holder)
            try:
                _overwrite(descriptor, lock.encode())
            except OSError as error:
                raise _lock_failed_error(path, error) from error
            yield _LocalLease(lock, path, descriptor)
        finally:
            with suppress(OSError):  # the content names the holder; the lock itself goes with the next line
                os.ftruncate(descriptor, 0)
                # Still locked: whoever waits for this very file sees that it is gone, and makes another.
                if _is_at(descriptor, path) and not self._is_kept(suffix):
                    path.unlink()
            os.close(descriptor)

    def restore_command(self, copy: Path, suffix: str) -> str:
        """The command that puts ``copy`` in the manifest's place, unless that has changed or a run is at work."""
        path = self._path(suffix)
        current = _read(path)
        # sh has the two as $0 and $1. In its noclobber mode (set -C) no file is written over.
        script = 'set -C; cat "$0" > "$1"'
        if current is not None:
            checksum = "sha256sum" if shutil.which("sha256sum") else "shasum -a 256"
            script = f'echo "{_version(current)}  $1" | {checksum} -c && cp "$0" "$1"'
        lock = ["flock", "-n", str(path.with_suffix(".lock"))] if shutil.which("flock") else []
        return shlex.join([*lock, "sh", "-c", script, str(copy), str(path)])

    def lock_info(self, suffix: str) -> LockInfo | None:
        """Read who holds the lock: whom its content names; where that is nobody who lives, the lock itself is asked."""
        path = self._path(suffix).with_suffix(".lock")
        lock = _named(path)
        if lock is None and _is_locked(path):
            lock = _named(path)  # a name comes after the lock
            if lock is None:
                raise lock_held_error(str(path), None, _WAIT_IN_LINE)
        return lock

    def list_history(self, suffix: str, since: str = "") -> dict[str, int]:
        """List the names in this suffix's history that come after ``since``, sorted, each with its bytes."""
        try:
            with self._opened(HISTORY, suffix) as folder:
                return dict(sorted(_listed(folder, since)))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unusable_error(f"the history of {suffix} cannot be read", error) from None

    def read_history(self, suffix: str, name: str) -> bytes:
        """Read one file of the history."""
        path = self._folder / history_folder(suffix) / name
        try:
            with self._opened(HISTORY, suffix) as folder:
                content = _read(path, folder)
        except FileNotFoundError:
            content = None
        except OSError as error:
            raise _unusable_error(f"the history of {suffix} cannot be read", error) from None
        if content is None:
            raise missing_error(str(path))
        return content

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{suffix}.json"

    def _is_kept(self, suffix: str) -> bool:
        """True if anything of the suffix but its lock is here: a record, what stands beside it, or a history."""
        beside = any(path.suffix != ".lock" for path in self._folder.glob(f"{suffix}.*"))
        return beside or os.path.lexists(self._folder / history_folder(suffix))

    def _archive(self, suffix: str, replaced: Manifest) -> None:
        """Copy the version that is about to be replaced: so each one in the history was current once."""
        path = self._folder / history_folder(suffix) / version_name(replaced)
        with self._opened(HISTORY, suffix, makes=True) as folder:
            descriptor = open_fresh(path.with_name(_DRAFT), folder=folder)
            try:
                _overwrite(descriptor, dump(replaced).encode())
                os.replace(_DRAFT, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(_DRAFT, dir_fd=folder)
                raise
            finally:
                os.close(descriptor)
            os.fsync(folder)
            with os.scandir(folder) as found:  # of what else somebody keeps here nothing is ours to remove
                kept = [each.name for each in found if is_version(each.name) and each.is_file(follow_symlinks=False)]
            for name in sorted(kept)[:-MAX_LOCAL_VERSIONS]:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)

    @contextmanager
    def _opened(self, *names: str, makes: bool = False) -> Iterator[int]:
        """Hold open the folder that these names lead to from ours. ``makes``: it is made, and the user's alone.

        Raises:
            OSError: it is not there, or somebody else may have put it there.
        """
        check_place(self._folder)
        path, opened = self._folder, [os.open(self._folder, _FOLDER_FLAGS)]
        try:
            for name in names:
                path /= name
                if makes:
                    _make_private(name, opened[-1])
                opened.append(open_folder(path, opened[-1]))
            if makes:  # after all were looked at: until now others may have written to one of earlier days
                for folder in opened[1:]:
                    _hide(folder)
            yield opened[-1]
        finally:
            for folder in opened:
                os.close(folder)

    def _acquire(self, path: Path, wait_s: float, notify: Notify) -> int:
        """Open and lock the lock's file; there is no order among those who wait."""
        wait = LockWait(wait_s, self._clock, notify)
        is_second = False
        while True:
            is_last = wait.is_over
            try:
                return _open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock = _named(path)
            if not is_last:
                wait.pause(lock, POLL_S)
            elif lock is None and not is_second:  # a look has it for a moment, or its holder is about to name itself
                is_second = True
                self._clock.wait(POLL_S, threading.Event())
            else:
                raise lock_held_error(str(path), lock, _WAIT_IN_LINE)


class _LocalLease:
    """A lock on an open file: ours until we close it, unless somebody puts another file in its place."""

    def __init__(self, lock: LockInfo, path: Path, descriptor: int) -> None:
        self._lock = lock
        self._path = path
        self._descriptor = descriptor

    @property
    def id(self) -> str:
        """The lock's id, which no other acquisition has."""
        return self._lock.id

    def set_phase(self, phase: str) -> None:
        """Show this as our present work to whoever waits."""
        with suppress(OSError):  # the lock is the file, not its content
            _overwrite(self._descriptor, self._lock.model_copy(update={"phase": phase}).encode())

    def ensure_held(self) -> None:
        """Make sure that the file we have locked is the one that others would lock."""
        if not _is_at(self._descriptor, self._path):
            raise lock_lost_error(str(self._path), LockInfo.parse(_read(self._path) or b""))

    def assert_valid(self) -> None:
        """Make sure of the same: a look at the file is no call."""
        self.ensure_held()


def _named(path: Path) -> LockInfo | None:
    """The lock that this file tells of; None where it names nobody, or a process that has ended for certain."""
    lock = LockInfo.parse(_read(path) or b"")
    return None if lock is None or lock.holder.is_gone else lock


def _is_locked(path: Path) -> bool:
    """True if somebody has locked this file: else it is locked for a moment, as others who look may do meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFE_FLAGS)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable_error(path, error) from None
    return False


def _make_folder(folder: Path) -> None:
    """Make the folder, and those above that are missing, for the user alone."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(path.parent)
    folder.mkdir(exist_ok=True)  # raises where it is no folder


def _hide(folder: int) -> None:
    """Make an open folder of ours the user's alone."""
    status = os.fstat(folder)
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        os.fchmod(folder, 0o700)


def _make_private(name: str, above: int) -> None:
    """Make the folder of this name in the open one, durably, unless something has the name."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=above)
        os.fsync(above)


def _lock_failed_error(path: Path, error: OSError) -> ManifestError | StoreFailed:
    if error.errno in _NO_FILE:
        # It does not pass by itself, whatever is made writable.
        return _unusable_error(f"the lock {path} cannot be used", error)
    return StoreFailed(
        f"the lock {path} could not be taken",
        evidence=str(error),
        hint=_cure(error) or "make that place writable, then run the same command again",
    )


def _listed(folder: int, since: str) -> Iterator[tuple[str, int]]:
    """The names in an open folder that come after ``since``, each with the bytes of the file, or of a link itself."""
    with os.scandir(folder) as found:
        for each in found:
            if each.name > since:
                with suppress(FileNotFoundError):  # gone by now
                    yield each.name, each.stat(follow_symlinks=False).st_size


def _read(path: Path, folder: int | None = None) -> bytes | None:
    """Read a plain file of ours; None if there is none. ``folder``: its folder, where that is held open."""
    try:
        return read_file(path, MAX_BYTES, guarded=True, folder=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable_error(path, error) from None


def _unreadable_error(path: Path, error: OSError) -> ManifestError:
    return _unusable_error(f"the file {path} cannot be read", error)


def _unusable_error(cause: str, error: OSError) -> ManifestError:
    hint = _cure(error) or "make it a readable, plain file of your own; look who has put it there"
    return ManifestError(cause, evidence=str(error), hint=hint)


def _cure(error: OSError) -> str | None:
    """The hint where others may write to the folder; None where that is not what is wrong."""
    return f"{error.cure}, or use a bucket: --state s3://BUCKET/PREFIX" if isinstance(error, ForeignFile) else None


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_at(descriptor: int, path: Path) -> bool:
    """True if the open file is the one at ``path``."""
    try:
        at_path = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), at_path)


def _open_locked(path: Path, operation: int) -> int:
    """Open and lock the file at ``path``; a file that was renamed or removed while we waited is let go."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _SAFE_FLAGS, _PRIVATE)
        try:
            _check_own(path, descriptor)
            fcntl.flock(descriptor, operation)
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _check_own(path: Path, descriptor: int) -> None:
    """Make sure that what is written into this file reaches no other one.

    Raises:
        ManifestError: it is not a plain file of ours, under one name.
    """
    try:
        check_place(path.parent)
        check_guarded(path, descriptor, writes=True)
    except OSError as error:
        raise _unusable_error(f"the file {path} cannot be used", error) from None


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def _locked(draft: Path) -> Iterator[int]:
    """Lock a draft that is to be filled and renamed, so that of two writers one sees what the other has written.

    Its name is fixed: the draft that a killed writer has left is used again by the next one.
    """
    descriptor = _open_locked(draft, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        if _is_at(descriptor, draft):
            draft.unlink()
        os.close(descriptor)


def _replace(path: Path, content: bytes, draft: Path) -> None:
    """Write the file at ``path`` whole, durably."""
    with _locked(draft) as descriptor:
        _overwrite(descriptor, content)
        draft.replace(path)
    _sync_folder(path.parent)


def _overwrite(descriptor: int, content: bytes) -> None:
    """Make this the whole content of the open file, whatever an earlier process left in it."""
    os.fchmod(descriptor, _PRIVATE)
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new name is only once its folder is."""
    descriptor = os.open(folder, _FOLDER_FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
