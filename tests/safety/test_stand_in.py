from __future__ import annotations

from tapctl.safety.stand_in import HIDDEN, is_stand_in, stand_in


def test_a_stand_in_equals_no_value_that_is_expected() -> None:
    assert stand_in([]) == stand_in(["payments", None]) == HIDDEN
    for expected in ([HIDDEN], [HIDDEN, f"({HIDDEN})"]):
        assert stand_in(expected) not in expected
        assert is_stand_in(stand_in(expected))


def test_a_text_that_only_speaks_of_a_stand_in_is_a_value() -> None:
    assert [is_stand_in(one) for one in (HIDDEN, "hidden", f"{HIDDEN} in a text", "", None, 1)] == [True, *[False] * 5]
