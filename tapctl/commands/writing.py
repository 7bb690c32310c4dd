"""Writing the files that people keep in their repository."""

from __future__ import annotations

from pathlib import Path

from tapctl.errors import Refused
from tapctl.safety.files import replace_file


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
