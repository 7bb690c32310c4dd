"""Files where others may have placed some: plain ones alone are read, up to a limit, and files are written whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # as in Linux
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class ForeignFile(PermissionError):
    """The error about what another user may have put into a folder that others may write to."""

    def __init__(self, path: Path, problem: str, mode: int) -> None:
        """``mode``: the folder's."""
        folder = path.parent.absolute()
        where = f"in a folder that others may write to ({folder}, mode {stat.S_IMODE(mode):04o})"
        super().__init__(errno.EPERM, f"{problem}, {where}", str(path))
        writers = "".join(who for who, right in (("g", stat.S_IWGRP), ("o", stat.S_IWOTH)) if mode & right)
        closing = shlex.join(["chmod", f"{writers}-w", str(folder)])
        # One with the sticky bit is meant for everybody: /tmp.
        self.cure = (
            "look who has put it there, and keep yours in a folder that only you may write to"
            if mode & stat.S_ISVTX
            else f"look who has put it there; where that is right, let nobody else write to its folder: {closing}"
        )
        """The sentence that a hint tells: what to look at, and the command that helps."""


def is_absent(path: Path, *, follow: bool = True) -> bool:
    """True if nothing has this name. What may not be looked at, or cannot be, is not absent: who reads it is told why.

    ``follow``: where it is a link, if nothing is where that leads.
    """
    try:
        path.stat(follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def read_file(path: Path, max_bytes: int, *, guarded: bool = False, folder: int | None = None) -> bytes:
    """Read a plain file of at most ``max_bytes`` bytes. ``guarded``: one that must be ours, see `check_guarded`.

    ``folder``: the folder of the file, where that is held open.

    Raises:
        OSError: it cannot be read, is something else, or is larger; ``strerror`` says what.
    """
    at = path if folder is None else path.name
    _check_plain(path, os.stat(at, dir_fd=folder, follow_symlinks=not guarded))
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (os.O_NOFOLLOW if guarded else 0)
    with open(at, "rb", opener=lambda name, _: os.open(name, flags, dir_fd=folder)) as file:
        # What was looked at may be another file by now.
        _check_plain(path, os.fstat(file.fileno()))
        if guarded:
            if folder is None:
                check_place(path.parent)
            check_guarded(path, file.fileno(), folder=folder)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {max_bytes:,} bytes", str(path))
    return content


def read_handed_file(path: Path, max_bytes: int) -> bytes:
    """Read a file that decides what is done, guarded as `read_file` does it; a link of a private folder is followed.

    Raises:
        OSError: as `read_file`.
    """
    for _ in range(_MOST_LINKS):
        if _shared_mode(path.parent) or not path.is_symlink():
            break
        check_place(path.parent)
        path = path.parent / path.readlink()
    return read_file(path, max_bytes, guarded=True)


def open_fresh(path: Path, mode: int = 0o600, *, folder: int | None = None) -> int:
    """Open a new file in place of whatever has this name: a link there leads nowhere. Returns its descriptor.

    ``folder``: the folder of the file, where that is held open.

    Raises:
        OSError: the name is a folder's, or its folder cannot be written.
    """
    at = path if folder is None else path.name
    with suppress(FileNotFoundError):
        os.unlink(at, dir_fd=folder)
    return os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)


def open_folder(path: Path, above: int) -> int:
    """Open a folder that is nobody else's doing, as `check_guarded` has it for files. Returns its descriptor.

    ``above``: the folder that it is in, held open: what is done by the descriptors is done in these folders, whatever
    takes their names meanwhile. Where others may write to that one, it is no link, and ours (or root's).

    Raises:
        OSError: it may be somebody else's, or is no folder; ``strerror`` says why.
    """
    shared = _shared_mode(above)
    if shared and stat.S_ISLNK(os.stat(path.name, dir_fd=above, follow_symlinks=False).st_mode):
        raise ForeignFile(path, "it is a symbolic link", shared)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if shared else 0)
    descriptor = os.open(path.name, flags, dir_fd=above)
    try:
        if shared:
            _check_owner(path, os.fstat(descriptor), shared)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def replace_file(path: Path, text: str) -> None:
    """Write a text file whole, or not at all; one that is there keeps its permissions, and a link its target.

    Raises:
        OSError: it cannot be written, or is another user's link; ``strerror`` says why.
    """
    if path.is_symlink():
        check_place(path, follow=False)
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


def check_guarded(path: Path, descriptor: int, *, writes: bool = False, folder: int | None = None) -> None:
    """Make sure that an open file is nobody else's doing. ``writes``: it is going to be written in its place.

    In a folder that only its owner may write to, whoever the files belong to may have put them there. Elsewhere a file
    must be ours (or root's), under this one name. What is written in its place must have one name everywhere.

    Raises:
        OSError: it may be somebody else's; ``strerror`` says why.
    """
    status = os.fstat(descriptor)
    _check_plain(path, status)
    shared = _shared_mode(path.parent if folder is None else folder)
    if shared:
        _check_owner(path, status, shared)
    if status.st_nlink > 1 and (shared or writes):
        problem = "it has another name too (a hard link)"
        raise ForeignFile(path, problem, shared) if shared else OSError(errno.EPERM, problem, str(path))


def check_place(path: Path, *, follow: bool = True) -> None:
    """Make sure that no other user has put what has this name, or a folder above it, where others may write.

    Each name on the way has to be ours (or root's) in such a folder, those of a link's target too. Where we are was
    chosen by whoever has started us: the way of a relative path begins there. ``follow``: the way goes on where the
    last name is a link's.

    Raises:
        OSError: it may be somebody else's, or is not there; ``strerror`` says why.
    """
    above, names, links = Path(path.anchor), [*path.relative_to(path.anchor).parts], 0
    while names:
        at = above / names.pop(0)
        status = at.lstat()
        if at.name != os.pardir and (shared := _shared_mode(above)):
            _check_owner(at, status, shared)
        if not stat.S_ISLNK(status.st_mode) or not (names or follow):
            above = at
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = at.readlink()
        above = Path(target.anchor) if target.is_absolute() else above
        names = [*target.relative_to(target.anchor).parts, *names]


def _shared_mode(folder: Path | int) -> int:
    """The mode of a folder that others may write to; 0 for any other."""
    status = os.fstat(folder) if isinstance(folder, int) else folder.stat()
    return status.st_mode if status.st_mode & _OTHERS_MAY_WRITE else 0


def _check_owner(path: Path, status: os.stat_result, shared: int) -> None:
    """Make sure that it is ours (or root's); ``shared``: the mode of its folder."""
    if status.st_uid not in (os.geteuid(), 0):
        raise ForeignFile(path, f"it belongs to another user (uid {status.st_uid})", shared)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder for this process alone; False if another one has it locked.

    Raises:
        OSError: its file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_plain(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, no plain file", str(path))
