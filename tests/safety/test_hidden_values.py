from __future__ import annotations

from tapctl.safety.hidden_values import HIDDEN, hidden_text, is_stand_in, untold_text


def test_a_stand_in_equals_no_value_that_is_expected() -> None:
    assert hidden_text([]) == hidden_text(["payments", None]) == HIDDEN
    for expected in ([HIDDEN], [HIDDEN, f"({HIDDEN})"]):
        assert hidden_text(expected) not in expected
        assert is_stand_in(hidden_text(expected))


def test_a_text_that_only_speaks_of_a_stand_in_is_a_value() -> None:
    assert is_stand_in(untold_text("AccessDeniedException: kms denied"))
    assert [is_stand_in(one) for one in (HIDDEN, "hidden", f"{HIDDEN} in a text", "", None, 1)] == [
        True,
        *[False] * 5,
    ]
