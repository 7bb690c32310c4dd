"""Files where others may have placed some: plain ones alone are read, up to a limit, and files are written whole."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def read_file(path: Path, max_bytes: int, *, guarded: bool = False) -> bytes:
    """Read a plain file of at most ``max_bytes`` bytes. ``guarded``: one that must be ours, see `check_guarded`.

    Raises:
        OSError: it cannot be read, is something else, or is larger; ``strerror`` says what.
    """
    _check_plain(path, path.lstat() if guarded else path.stat())
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (os.O_NOFOLLOW if guarded else 0)
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        # What was looked at may be another file by now.
        _check_plain(path, os.fstat(file.fileno()))
        if guarded:
            check_guarded(path, file.fileno())
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {max_bytes:,} bytes", str(path))
    return content


def read_handed_file(path: Path, max_bytes: int) -> bytes:
    """Read a file that orders something, guarded; a link is followed where nobody else may write to its folder.

    Raises:
        OSError: as `read_file`.
    """
    shared = path.parent.stat().st_mode & _OTHERS_MAY_WRITE
    return read_file(path if shared else path.resolve(), max_bytes, guarded=True)


def open_fresh(path: Path, mode: int = 0o600) -> int:
    """Open a new file in place of whatever has this name: a link there leads nowhere. Returns its descriptor.

    Raises:
        OSError: the name is a folder's, or its folder cannot be written.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)


def replace_file(path: Path, text: str) -> None:
    """Write a text file whole, or not at all; one that is there keeps its permissions, and a link its target.

    Raises:
        OSError: it cannot be written.
    """
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
        os.chmod(name, mode)  # noqa: PTH101 -- a name that mkstemp gave
        os.replace(name, target)  # noqa: PTH105 -- as above
    except OSError:
        os.unlink(name)  # noqa: PTH108 -- as above
        raise


def check_guarded(path: Path, descriptor: int, *, writes: bool = False) -> None:
    """Make sure that an open file is nobody else's doing. ``writes``: it is going to be written in its place.

    In a folder that only its owner may write to, whoever the files belong to may have put them there. Elsewhere a file
    must be ours (or root's), under this one name. What is written in its place must have one name everywhere.

    Raises:
        OSError: it may be somebody else's; ``strerror`` says why.
    """
    status, folder = os.fstat(descriptor), path.parent.stat()
    _check_plain(path, status)
    shared = bool(folder.st_mode & _OTHERS_MAY_WRITE)
    if shared and status.st_uid not in (os.geteuid(), 0):
        raise OSError(
            errno.EPERM,
            f"it belongs to another user (uid {status.st_uid}), in a folder that others may write to",
            str(path),
        )
    if status.st_nlink > 1 and (shared or writes):
        raise OSError(errno.EPERM, "it has another name too (a hard link)", str(path))


def check_guarded_folder(path: Path) -> None:
    """Make sure that a folder is nobody else's doing: in one that others may write to it is ours (or root's), no link.

    Raises:
        OSError: it may be somebody else's, or cannot be looked at; ``strerror`` says why.
    """
    status, above = path.lstat(), path.parent.stat()
    if not above.st_mode & _OTHERS_MAY_WRITE:
        return
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.EPERM, "it is a symbolic link, in a folder that others may write to", str(path))
    if status.st_uid not in (os.geteuid(), 0):
        raise OSError(
            errno.EPERM,
            f"it belongs to another user (uid {status.st_uid}), in a folder that others may write to",
            str(path),
        )


def _check_plain(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, no plain file", str(path))
