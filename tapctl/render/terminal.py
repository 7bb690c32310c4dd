"""The terminal: times, harmless text, colours, streams that may go away, cells and tables, a question."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, TextIO

from tapctl.errors import TapctlError

# -- times -------------------------------------------------------------------------------------------------------------

_MINUTE: Final = 60
_HOUR: Final = 3600


def running_time(seconds: float) -> str:
    """A time that still runs: ``0:08``, ``2:11``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes = whole // _HOUR, whole % _HOUR // _MINUTE
    return f"{hours}:{minutes:02}:{whole % _MINUTE:02}" if hours else f"{minutes}:{whole % _MINUTE:02}"


def duration(seconds: float) -> str:
    """A time that is over: ``0.6 s``, ``42.0 s``, ``11 m 02 s``, ``1 h 02 m``."""
    tenths = max(0, round(seconds * 10))
    if tenths < _MINUTE * 10:
        return f"{tenths / 10:.1f} s"
    whole = max(_MINUTE, round(seconds))
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} m"


# -- harmless text -----------------------------------------------------------------------------------------------------

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories that control, hide or reorder: escape sequences, new lines, bidi overrides, surrogates."""
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BREAK: Final = re.compile(r"\s*\n\s*")
# What a CI system obeys: "##vso[…]" (Azure Pipelines), "##teamcity[…]" and "##[…]" (Azure, GitHub) anywhere in a line,
# "::name …::" (GitHub) at its start, also after spaces: broken up after any space, since a text may be wrapped there.
# https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
_ANYWHERE = r"#(?=#\w*\[)"
_NAMED_COMMAND = r":(?=:[A-Za-z][\w-]*(?:\s|::|$))"
_CI_COMMAND: Final = re.compile(rf"{_ANYWHERE}|(?<!\S){_NAMED_COMMAND}")
_CI_COMMAND_IN_JSON: Final = re.compile(rf'{_ANYWHERE}|(?:(?<=["\s])|(?<=\\[nrt])){_NAMED_COMMAND}')


def sanitize(text: str) -> str:
    """The text as one line of visible characters, which no CI system obeys.

    Other characters are spelled as JSON spells them; a command to a CI system is broken up by a space.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_spelled(char) if unicodedata.category(char) in _HIDDEN else char for char in text)
    return _CI_COMMAND.sub(r"\g<0> ", text) if "##" in text or "::" in text else text


def sanitize_json(text: str) -> str:
    """JSON whose strings are the same to a program that reads them, and that no CI system obeys."""
    return _CI_COMMAND_IN_JSON.sub(lambda match: _unicode_escape(match[0]), text)


def one_line(text: str) -> str:
    """A message as one clean line: AWS breaks some of its own."""
    return sanitize(_BREAK.sub(" ", text.strip()))


def sanitize_lines(text: str) -> list[str]:
    """The lines of a text, each clean, without spaces at its end."""
    return [sanitize(line).rstrip() for line in text.rstrip("\n").split("\n")]


def _spelled(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    return _unicode_escape(char)


def _unicode_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


# -- colours -----------------------------------------------------------------------------------------------------------

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "good": "32",
    "change": "33",
    "bad": "31",
    "open": "36",
}
SYMBOLS: Final = {
    "+": "good",
    "~": "change",
    "-": "bad",
    "-/+": "bad",
    "!": "change",
    "?": "open",
    "…": "open",
    "x": "bad",
    "✓": "good",
    "✗": "bad",
}
"""The style of each symbol."""


class Palette:
    """A painter that wraps text in a style's escape sequence, or leaves the text alone."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, style: str, text: str) -> str:
        """The text in this style; the empty style and the empty text change nothing."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.on and style and text else text

    def symbol(self, symbol: str) -> str:
        """The symbol in its own colour."""
        return self(SYMBOLS.get(symbol, ""), symbol)


PLAIN: Final = Palette(on=False)


# -- streams -----------------------------------------------------------------------------------------------------------


class OutputStream:
    """A stream that gets whole lines, each at once. A write that fails is dropped, and its error remembered."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.error: OSError | None = None
        self._raised = False

    def lines(self, *lines: str) -> None:
        """Write these lines."""
        self.text("".join(f"{line}\n" for line in lines))

    def text(self, text: str) -> None:
        """Write this text as it is."""
        if self.error is not None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except UnicodeEncodeError as error:
            self.text(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except OSError as error:
            self._give_up(error)

    def raise_if_incomplete(self) -> None:
        """Make sure that everything was written, or that its reader did not want all of it (``head``).

        Raises:
            TapctlError: something is missing; raised once.
        """
        if self.error is not None and not isinstance(self.error, BrokenPipeError) and not self._raised:
            self._raised = True
            raise TapctlError(
                f"the report could not be written to {self.name}",
                evidence=str(self.error),
                hint="make room there, then run the same command again; what was done is recorded",
            )

    def _give_up(self, error: OSError) -> None:
        self.error = error
        try:
            descriptor = self.stream.fileno()
        except OSError:
            return
        # What is still in the buffer would fail once more when Python ends, with an exit code of its own.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


# -- cells and tables --------------------------------------------------------------------------------------------------

NARROWEST: Final = 40
"""The fewest columns that are reckoned with; reports are made for 60 and more."""
_USUAL_COLUMNS: Final = 80
_COLUMN_DIGITS: Final = 4
_BREAKABLE: Final = "/:.,-_=@"
"""Marks behind which a long word may be broken."""


def cells(text: str) -> int:
    """The number of a terminal's cells that this text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def pad(text: str, width: int) -> str:
    """The text, filled with spaces up to ``width`` cells."""
    return text + " " * max(0, width - cells(text))


def crop(text: str, width: int) -> str:
    """The text in at most ``width`` cells; a text that was cut ends in ``…``."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = sum(used < width for used in accumulate(map(_cells, text)))
    return f"{text[:kept]}…"


def widest(texts: Iterable[str], *, limit: int | None = None) -> int:
    """The cells of the widest of these, but at most ``limit``: one long value must not push all others away."""
    width = max(map(cells, texts), default=0)
    return width if limit is None else min(width, limit)


def terminal_width(stream: TextIO, env: Mapping[str, str]) -> int | None:
    """The columns of the terminal that this stream is; None if the stream is none: what is piped is never wrapped."""
    if not stream.isatty():
        return None
    columns = env.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and 0 < len(columns) <= _COLUMN_DIGITS:
        return max(int(columns), NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS, NARROWEST)
    except OSError:
        return _USUAL_COLUMNS


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` cells, broken at spaces, else behind punctuation, else anywhere.

    The text is clean, and so is each line: where a break would let a line speak to a CI system, it does not.
    """
    lines: list[str] = []
    rest = text
    while cells(rest) > width:
        room = max(1, sum(used <= width for used in accumulate(map(_cells, rest))))
        # A space right behind the last one that fits is a break, too.
        space = rest.rfind(" ", 1, room + 1)
        mark = max(rest.rfind(mark, 0, room) for mark in _BREAKABLE) + 1
        at = space if space > 0 else mark or room
        lines.append(rest[:at].rstrip())
        rest = sanitize(rest[at:].lstrip())
    return [*lines, rest] if rest or not lines else lines


def table_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], paint: Palette = PLAIN, *, width: int | None = None
) -> list[str]:
    """The lines of a table under its heading; each row as a list of its cells where ``width`` is too narrow for it."""
    cleaned = [[sanitize(cell) for cell in row] for row in (columns, *rows)]
    widths = [widest(column) for column in zip(*cleaned, strict=True)]
    heading, *body = ["  ".join(map(pad, row, widths)).rstrip() for row in cleaned]
    if width is None or max(map(cells, (heading, *body))) <= width:
        return [paint("bold", heading), *body]
    return [line for row in cleaned[1:] for line in _listed(cleaned[0], row, width, paint)]


def _listed(columns: Sequence[str], row: Sequence[str], width: int, paint: Palette) -> list[str]:
    """The lines of one row: its first cell, and under it each other one behind the name of its column."""
    name_width = min(widest(columns[1:]), width // 2)
    lines = [paint("bold", line) for line in wrap(row[0], width)]
    for column, cell in zip(columns[1:], row[1:], strict=True):
        name, *more = wrap(cell, width - name_width - 4)
        lines.append(f"  {pad(crop(column, name_width), name_width)}  {name}".rstrip())
        lines += [f"  {' ' * name_width}  {line}" for line in more]
    return lines


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


# -- a question --------------------------------------------------------------------------------------------------------


class Stopwatch:
    """The seconds that were spent within it, all together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self.clock()

    def __exit__(self, *_: object) -> None:
        self.seconds += self.clock() - self._began


_NO: Final = ("n", "no")


def ask(stdin: TextIO, err: OutputStream, question: str, expected: str) -> bool:
    """Ask on stderr; True when the line that comes back is ``expected``. All else is a no, and is told so."""
    err.text(f"{one_line(question)} ")
    try:
        answer = stdin.readline()
    except BaseException:
        # Ctrl-C: the terminal has written ^C behind the question.
        err.lines("")
        raise
    if not answer.endswith("\n"):
        # The next line starts on a line of its own.
        err.lines("")
    given = answer.strip()
    if given != expected and given.lower() not in _NO:
        err.lines(f"{one_line(given) or 'no answer'} is taken for no: to go on, type {one_line(expected)} in full")
    return given == expected
