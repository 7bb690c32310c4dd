"""Writing the files that people keep in their repository."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapctl.clock import BoottimeClock, Clock
from tapctl.errors import LockHeld, Refused
from tapctl.notices import Notify, silent
from tapctl.safety.files import ForeignFile, replace_file, try_lock

_PATIENCE_S = 10.0
"""Far more than a tapctl takes to write the files of a folder."""
_POLL_S = 0.25


def read_text(path: Path) -> str:
    """The file's text with the ends of its lines as they are, so that whoever writes it again changes none.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no UTF-8.
    """
    return path.read_bytes().decode()


def with_line_ends(text: str, before: str) -> str:
    """The text, whose new lines end as all did in the one before (CRLF), or as they are."""
    bare = re.compile(r"(?<!\r)\n")
    return text if bare.search(before) or "\n" not in before else bare.sub("\r\n", text)


@contextmanager
def alone(folder: Path, notify: Notify = silent, clock: Clock | None = None) -> Iterator[None]:
    """Let no other tapctl change files of this folder meanwhile: what was read is what is written over.

    Where the file system has no locks nobody is kept out. ``clock``: what a wait goes by.

    Raises:
        Refused: the folder is not there and cannot be made.
        LockHeld: somebody keeps it locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {error.strerror}") from None
    try:
        with suppress(OSError):
            _lock(folder, descriptor, notify, clock or BoottimeClock())
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, descriptor: int, notify: Notify, clock: Clock) -> None:
    """Lock the folder; whoever may read it can do that, for as long as they like.

    Raises:
        LockHeld: the time is over.
        OSError: the file system has no locks.
    """
    started, told = clock.now(), False
    while not try_lock(descriptor):
        if clock.now() - started >= _PATIENCE_S:
            raise LockHeld(
                f"somebody keeps the folder {folder} locked",
                evidence=f"no flock was to be had for {_PATIENCE_S:.0f} s, and a tapctl writes there in a moment",
                hint=f"see who has it open, then run the same command again: {shlex.join(['lsof', str(folder)])}",
            )
        if not told:
            told = True
            notify(f"waiting for whoever has locked the folder {folder}, for up to {_PATIENCE_S:.0f} s")
        clock.wait(_POLL_S, threading.Event())


def write_file(path: Path, text: str) -> None:
    """Write a text file whole, or not at all; its folder is made where it is not there.

    Raises:
        Refused: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        hint = error.cure if isinstance(error, ForeignFile) else None
        raise Refused(f"{path} cannot be written: {error.strerror}", hint=hint) from None
