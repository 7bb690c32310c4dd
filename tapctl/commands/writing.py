"""Writing the files that people keep in their repository."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapctl.errors import Refused
from tapctl.safety.files import replace_file


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
def alone(folder: Path) -> Iterator[None]:
    """Let no other tapctl change files of this folder meanwhile: what was read is what is written over.

    Where the file system has no locks nobody is kept out.

    Raises:
        Refused: the folder is not there and cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {error.strerror}") from None
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_file(path: Path, text: str) -> None:
    """Write a text file whole, or not at all; its folder is made where it is not there.

    Raises:
        Refused: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
