"""A stream that may go away: a report nobody reads any more must never end an apply half way."""

from __future__ import annotations

import os
from typing import TextIO

from tapctl.errors import TapctlError


class OutputStream:
    """Writes whole lines, each at once. What cannot be written is dropped, and remembered."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.lost: OSError | None = None
        self._told = False

    def lines(self, *lines: str) -> None:
        """Write these lines."""
        self.text("".join(f"{line}\n" for line in lines))

    def text(self, text: str) -> None:
        """Write this text as it is."""
        if self.lost is not None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except UnicodeEncodeError as error:
            self.text(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except OSError as error:
            self._lose(error)

    def raise_if_incomplete(self) -> None:
        """Make sure that everything was written, or that its reader did not want all of it (``head``). Tells it once.

        Raises:
            TapctlError: something of it is missing.
        """
        if self.lost is not None and not isinstance(self.lost, BrokenPipeError) and not self._told:
            self._told = True
            raise TapctlError(
                f"the report could not be written to {self.name}",
                evidence=str(self.lost),
                hint="make room there, then run the same command again; what was done is recorded",
            )

    def _lose(self, error: OSError) -> None:
        self.lost = error
        try:
            descriptor = self.stream.fileno()
        except OSError:
            return
        # What is still in the buffer would fail once more when Python ends, with an exit code of its own.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
