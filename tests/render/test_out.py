from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapctl.errors import TapctlError
from tapctl.render.terminal import OutputStream

_REPORTS = """
import sys
from tapctl.render.terminal import OutputStream
out = OutputStream(sys.stdout, "stdout")
for n in range(20000):
    out.lines(f"line {n}")
out.raise_if_incomplete()
print("done", file=sys.stderr)
"""


class Failing(io.StringIO):
    """A stream without a descriptor whose disk is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_each_line_is_written_at_once() -> None:
    stream = io.BytesIO()
    out = OutputStream(io.TextIOWrapper(stream, encoding="utf-8", write_through=False), "stdout")
    out.lines("a →", "b")
    assert stream.getvalue().decode() == "a →\nb\n"


def test_a_stream_of_few_letters_gets_the_others_spelled() -> None:
    stream = io.BytesIO()
    letters = io.TextIOWrapper(stream, encoding="ascii")
    OutputStream(letters, "stdout").lines("15 → 30 ✓")
    assert stream.getvalue() == b"15 \\u2192 30 \\u2713\n"


def test_a_reader_that_has_seen_enough_ends_nothing_and_leaves_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _REPORTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reporting:
        assert reporting.stdout is not None
        assert reporting.stderr is not None
        assert reporting.stdout.readline() == "line 0\n"
        reporting.stdout.close()
        assert reporting.stderr.read() == "done\n"
    assert reporting.returncode == 0


def test_a_pipe_that_nobody_reads_is_written_to_no_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        out = OutputStream(stream, "stdout")
        out.lines("a")
        assert isinstance(out.lost, BrokenPipeError)
        out.raise_if_incomplete()
        # What Python itself writes when it ends goes nowhere, and fails no more.
        stream.write("b")


def test_a_full_disk_is_told_once_and_at_the_end() -> None:
    out = OutputStream(Failing(), "stdout")
    out.lines("a")
    out.lines("b")
    with pytest.raises(TapctlError) as caught:
        out.raise_if_incomplete()
    assert caught.value.cause == "the report could not be written to stdout"
    assert caught.value.evidence == "[Errno 28] No space left on device"
    out.raise_if_incomplete()


def test_what_was_written_in_full_is_fine(tmp_path: Path) -> None:
    with (tmp_path / "report").open("w") as stream:
        out = OutputStream(stream, "stdout")
        out.lines("a")
        out.raise_if_incomplete()
        os.fsync(stream.fileno())
    assert (tmp_path / "report").read_text() == "a\n"
