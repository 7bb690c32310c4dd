"""The terminal: times, harmless text, streams that go away, cells and tables."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.errors import TapctlError
from tapctl.render.terminal import (
    OutputStream,
    Palette,
    Stopwatch,
    ask,
    cells,
    crop,
    duration,
    one_line,
    pad,
    running_time,
    sanitize,
    sanitize_lines,
    table_lines,
    widest,
)


@pytest.mark.parametrize(
    ("seconds", "running", "over"),
    [
        (-1, "0:00", "0.0 s"),
        (0, "0:00", "0.0 s"),
        (0.64, "0:00", "0.6 s"),
        (8, "0:08", "8.0 s"),
        (59.94, "0:59", "59.9 s"),
        (59.96, "0:59", "1 m 00 s"),
        (60, "1:00", "1 m 00 s"),
        (131, "2:11", "2 m 11 s"),
        (662.4, "11:02", "11 m 02 s"),
        (3599.4, "59:59", "59 m 59 s"),
        (3600, "1:00:00", "1 h 00 m"),
        (3723, "1:02:03", "1 h 02 m"),
    ],
)
def test_a_running_time_reads_as_a_clock_and_a_time_that_is_over_in_units(
    seconds: float, running: str, over: str
) -> None:
    assert (running_time(seconds), duration(seconds)) == (running, over)


HOSTILE = st.text(st.characters() | st.sampled_from("\x1b\x9b\n\r\x07\u202e\u2028\ud800"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("größe · 日本 → ✓", "größe · 日本 → ✓"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("a\nAPPLY prod: CONVERGED", "a\\nAPPLY prod: CONVERGED"),
        ("a\tb\rc", "a\\tb\\rc"),
        ("\x9b31m", "\\u009b31m"),
        ("txt.\u202egpj", "txt.\\u202egpj"),
        ("half\ud800", "half\\ud800"),
        ("tag\U000e0041", "tag\\udb40\\udc41"),
    ],
)
def test_an_invisible_character_is_spelled(text: str, shown: str) -> None:
    assert sanitize(text) == shown


@pytest.mark.parametrize(
    ("typed", "expected", "told"),
    [
        ("yes\n", "yes", ""),
        (" yes \n", "yes", ""),
        ("y\n", "yes", "y is taken for no: to go on, type yes in full\n"),
        ("\n", "yes", "no answer is taken for no: to go on, type yes in full\n"),
        ("No\n", "yes", ""),
        ("n\n", "yes", ""),
        ("prd\n", "prod", "prd is taken for no: to go on, type prod in full\n"),
        ("", "yes", "\nno answer is taken for no: to go on, type yes in full\n"),
        ("\x1b[2J\n", "yes", "\\u001b[2J is taken for no: to go on, type yes in full\n"),
    ],
)
def test_an_answer_that_is_not_the_one_asked_for_is_told_so(typed: str, expected: str, told: str) -> None:
    written = io.StringIO()
    assert ask(io.StringIO(typed), OutputStream(written, "stderr"), "Go on?", expected) is (typed.strip() == expected)
    assert written.getvalue() == f"Go on? {told}"


@given(HOSTILE)
def test_clean_text_neither_steers_nor_breaks_nor_hides(text: str) -> None:
    shown = sanitize(text)
    assert {unicodedata.category(one)[0] for one in shown} <= set("LMNPSZ")
    assert shown.splitlines() in ([], [shown])
    assert shown.encode().decode() == shown


@given(st.dictionaries(HOSTILE, HOSTILE))
def test_a_cleaned_json_document_is_still_the_same_document(value: dict[str, str]) -> None:
    assert json.loads(sanitize(json.dumps(value, ensure_ascii=False))) == value


def test_a_message_of_several_lines_is_one_sentence() -> None:
    assert one_line("  User is not\n   authorized\r\n\nto \x1b[1mpass\n") == "User is not authorized to \\u001b[1mpass"


def test_lines_stay_lines_without_spaces_at_their_ends() -> None:
    assert sanitize_lines("a  \n  b\x1b\n\nc\n") == ["a", "  b\\u001b", "", "c"]


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


def test_a_reader_that_goes_away_stops_nothing_and_leaves_no_traceback() -> None:
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
        assert isinstance(out.error, BrokenPipeError)
        out.raise_if_incomplete()
        # What Python itself writes when it ends goes nowhere, and fails no more.
        stream.write("b")


def test_a_full_disk_is_raised_once_at_the_end() -> None:
    out = OutputStream(Failing(), "stdout")
    out.lines("a")
    out.lines("b")
    with pytest.raises(TapctlError) as caught:
        out.raise_if_incomplete()
    assert caught.value.cause == "the report could not be written to stdout"
    assert caught.value.evidence == "[Errno 28] No space left on device"
    out.raise_if_incomplete()


def test_a_report_written_in_full_raises_nothing(tmp_path: Path) -> None:
    with (tmp_path / "report").open("w") as stream:
        out = OutputStream(stream, "stdout")
        out.lines("a")
        out.raise_if_incomplete()
        os.fsync(stream.fileno())
    assert (tmp_path / "report").read_text() == "a\n"


@pytest.mark.parametrize(("text", "count"), [("", 0), ("abc", 3), ("größe", 5), ("日本", 4), ("e\u0301", 1)])
def test_cells_are_counted_as_a_terminal_does(text: str, count: int) -> None:
    assert cells(text) == count


def test_padding_fills_up_to_the_cells() -> None:
    assert pad("日本", 6) == "日本  "
    assert pad("long", 2) == "long"


@given(st.text("ab日e\u0301…"), st.integers(0, 12))
def test_cropped_text_fits_and_is_whole_where_it_can_be(text: str, width: int) -> None:
    cropped = crop(text, width)
    assert cells(cropped) <= width
    assert cropped == text if cells(text) <= width else cropped[-1:] in ("…", "")


def test_the_widest_counts_up_to_a_limit() -> None:
    assert widest([]) == 0
    assert widest(["a", "日本"]) == 4
    assert widest(["a" * 80], limit=50) == 50


def test_a_table_lines_up_and_ends_no_line_in_spaces() -> None:
    rows = [["prod", "42", "dana"], ["pr-42\x1b", "7", ""]]
    assert table_lines(["suffix", "resources", "by"], rows) == [
        "suffix       resources  by",
        "prod         42         dana",
        "pr-42\\u001b  7",
    ]


def test_a_table_of_nothing_is_its_heading() -> None:
    assert table_lines(["suffix", "by"], []) == ["suffix  by"]


def test_colour_changes_no_width() -> None:
    assert table_lines(["a", "b"], [["xx", "y"]], Palette(on=True)) == ["\x1b[1ma   b\x1b[0m", "xx  y"]


def test_a_stopwatch_sums_what_was_spent_within_it() -> None:
    times = iter([1.0, 3.5, 10.0, 11.0])
    watch = Stopwatch(lambda: next(times))
    with watch:
        pass
    with pytest.raises(KeyError), watch:
        raise KeyError
    assert watch.seconds == 3.5
