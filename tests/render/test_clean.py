from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapctl.render.terminal import one_line, sanitize, sanitize_lines

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
def test_what_is_not_seen_is_spelled(text: str, shown: str) -> None:
    assert sanitize(text) == shown


@settings(deadline=None)
@given(HOSTILE)
def test_clean_text_neither_steers_nor_breaks_nor_hides(text: str) -> None:
    shown = sanitize(text)
    assert {unicodedata.category(one)[0] for one in shown} <= set("LMNPSZ")
    assert shown.splitlines() in ([], [shown])
    assert shown.encode().decode() == shown


@settings(deadline=None)
@given(st.dictionaries(HOSTILE, HOSTILE))
def test_a_cleaned_json_document_is_still_the_same_document(value: dict[str, str]) -> None:
    assert json.loads(sanitize(json.dumps(value, ensure_ascii=False))) == value


def test_a_message_of_several_lines_is_one_sentence() -> None:
    assert one_line("  User is not\n   authorized\r\n\nto \x1b[1mpass\n") == "User is not authorized to \\u001b[1mpass"


def test_lines_stay_lines_without_spaces_at_their_ends() -> None:
    assert sanitize_lines("a  \n  b\x1b\n\nc\n") == ["a", "  b\\u001b", "", "c"]
