"""The recording of a run beside the screen that shows it, and the reports that are left at its end."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, cast

from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Screen
from tapctl.render.terminal import OutputStream
from tapctl.reports import format_of, render
from tapctl.reports.run import Run, run_of

_FOR_PEOPLE: Final = frozenset({"asked_s", "ask", "note"})
"""The members of a screen that no line of JSON comes of."""
_AS_IT_GOES: Final = "jsonl"


class _Recorder:
    """A screen that shows everything on another one, and hands it to one that writes JSON Lines.

    Members are forwarded by name, so that whatever a screen can be told is recorded too.
    """

    def __init__(self, shown: Screen, kept: Screen) -> None:
        self._shown, self._kept = shown, kept

    def __getattr__(self, name: str) -> Any:
        shown = getattr(self._shown, name)
        return shown if name in _FOR_PEOPLE else partial(_both, getattr(self._kept, name), shown)


def _both(kept: Callable[..., Any], shown: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
    kept(*args, **given)
    return shown(*args, **given)


class _Tape(OutputStream):
    """The lines of a run in memory, and in the files that get each at once: a run may be killed."""

    def __init__(self) -> None:
        super().__init__(io.StringIO(), "run")
        self.copies: list[OutputStream] = []

    def text(self, text: str) -> None:
        """Write this text everywhere."""
        super().text(text)
        for copy in self.copies:
            copy.text(text)


@dataclass
class Recording:
    """The lines of a run, as ``--json`` prints them, and the files in which its reports are left."""

    reports: Sequence[str] = ()
    tape: _Tape = field(default_factory=_Tape)

    def beside(self, shown: Screen, verb: str) -> Screen:
        """The screen that is recorded; nothing about ``shown`` changes."""
        for path in self.reports:
            if format_of(path) == _AS_IT_GOES:
                with self._told(path, shown.warn):
                    self.tape.copies.append(OutputStream(_opened(path), path))
        unheard = OutputStream(io.StringIO(), "run")
        kept = JsonScreen(io.StringIO(), self.tape, unheard, verb=verb, quiet=True)
        return cast("Screen", _Recorder(shown, kept))

    @property
    def run(self) -> Run | None:
        """The run so far; None where nothing was written."""
        assert isinstance(self.tape.stream, io.StringIO)
        records: list[Mapping[str, Any]] = [json.loads(line) for line in self.tape.stream.getvalue().splitlines()]
        return run_of(records) if records else None

    def leave(self, warn: Callable[[str], None]) -> None:
        """Write the reports; one that cannot be written is told, and the others are written still."""
        for copy in self.tape.copies:
            copy.stream.close()
            if copy.error is not None:
                warn(f"the report {copy.name} could not be written: {copy.error.strerror}")
        run = self.run if self.reports else None
        for path, format_ in ((path, format_of(path)) for path in self.reports):
            # An ending of no format was refused, as the run tells.
            if run is not None and format_ is not None and format_ != _AS_IT_GOES:
                with self._told(path, warn), _opened(path) as file:
                    file.write(render(run, format_))

    @contextmanager
    def _told(self, path: str, warn: Callable[[str], None]) -> Iterator[None]:
        """Tell why a report cannot be written, and go on."""
        try:
            yield
        except OSError as error:
            warn(f"the report {path} could not be written: {error.strerror}")


def _opened(path: str) -> TextIO:
    """The file of a report, whose folder is made. A pipe that nobody reads is an error: it would wait for ever.

    Neither is a link followed: in a folder of many, somebody else may have laid it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            error.strerror = "it is a symbolic link, which is not followed"
        raise
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "w", encoding="utf-8")
