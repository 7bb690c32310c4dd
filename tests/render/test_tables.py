from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.render.terminal import Palette, cells, crop, pad, table_lines, widest


@pytest.mark.parametrize(("text", "count"), [("", 0), ("abc", 3), ("größe", 5), ("日本", 4), ("e\u0301", 1)])
def test_cells_are_counted_as_a_terminal_does(text: str, count: int) -> None:
    assert cells(text) == count


def test_padding_fills_up_to_the_cells() -> None:
    assert pad("日本", 6) == "日本  "
    assert pad("long", 2) == "long"


@settings(deadline=None)
@given(st.text("ab日e\u0301…"), st.integers(0, 12))
def test_cropped_text_fits_and_is_whole_where_it_can_be(text: str, width: int) -> None:
    cropped = crop(text, width)
    assert cells(cropped) <= width
    assert cropped == text if cells(text) <= width else cropped[-1:] in ("…", "")


def test_the_widest_counts_up_to_a_limit() -> None:
    assert widest([]) == 0
    assert widest(["a", "日本"]) == 4
    assert widest(["a" * 80], most=50) == 50


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
