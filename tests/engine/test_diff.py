from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from tapctl.engine.diff import compare, details, is_downgrade
from tests.engine.kinds import SMALL, ThingSpec
from tests.support.strides import examples


def told(have: Any, want: Any) -> list[tuple[str, Any, Any]]:
    return [(one.path, one.have, one.want) for one in details("f", have, want)]


def test_what_differs_is_named_field_by_field() -> None:
    other = ThingSpec(size="large", tags={"a": "b"})
    assert compare(SMALL, SMALL) == ()
    assert compare(SMALL, other) == ("size", "tags")


def test_a_field_that_could_not_be_read_is_no_difference() -> None:
    assert compare(SMALL, ThingSpec(size="large", mode="wild"), unread=["size"]) == ("mode",)


@pytest.mark.parametrize(
    ("want", "have", "same"),
    [
        ("16.8", "16.8", True),
        ("16.8", "16.13", True),
        ("16.13", "16.8", False),
        ("16", "16.8", True),
        ("16", "16", True),
        ("16.0", "16", False),
        ("16.8", "17.1", False),
        ("17.1", "16.8", False),
        ("16", "17.1", False),
        ("16.8", "16.8.1", True),
        ("16.8.2", "16.8.1", False),
        ("16.4-limitless", "16.4-limitless", True),
        ("16.4", "16.4-limitless", False),
        ("16.4-limitless", "16.9", False),
        ("16.8", "", False),
        ("16.8", "16.", False),
    ],
)
def test_a_higher_minor_of_the_same_major_is_no_difference(want: str, have: str, same: bool) -> None:
    assert (compare(ThingSpec(version=want), ThingSpec(version=have)) == ()) is same


@pytest.mark.parametrize(
    ("field", "want", "have", "down"),
    [
        ("version", "15.19", "16.13", True),
        ("version", "16.8", "16.13", False),
        ("version", "17.4", "16.13", False),
        ("version", "9.6", "16.13", True),
        ("version", "newest", "16.13", False),
        ("size", "1", "2", False),
    ],
)
def test_a_lower_major_is_a_downgrade(field: str, want: str, have: str, down: bool) -> None:
    assert is_downgrade(ThingSpec, field, want, have) is down


@given(st.integers(10, 20), st.integers(0, 30), st.integers(0, 30))
def test_minors_compare_as_numbers(major: int, want: int, have: int) -> None:
    differs = compare(ThingSpec(version=f"{major}.{want}"), ThingSpec(version=f"{major}.{have}"))
    assert (differs == ()) is (have >= want)


class Rule(BaseModel):
    model_config = ConfigDict(frozen=True)

    port: int
    peers: frozenset[str] = frozenset()


class OtherRule(Rule):
    pass


def test_a_difference_is_told_item_by_item() -> None:
    assert told("a", "a") == []
    assert told("a", "b") == [("f", "a", "b")]
    assert told({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [("f.a", 1, None), ("f.b", 2, 3), ("f.c", None, 4)]
    assert told(frozenset("ab"), frozenset("bc")) == [("f", None, "c"), ("f", "a", None)]
    assert told(Rule(port=1, peers=frozenset("a")), Rule(port=2)) == [("f.port", 1, 2), ("f.peers", "a", None)]
    assert told(("a",), ("b",)) == [("f", ("a",), ("b",))]
    assert told({"a": {"b": 1}}, {"a": {"b": 2}}) == [("f.a.b", 1, 2)]


def test_what_is_of_another_shape_is_told_whole() -> None:
    assert told(Rule(port=1), OtherRule(port=1)) == [("f", Rule(port=1), OtherRule(port=1))]
    assert told(None, Rule(port=1)) == [("f", None, Rule(port=1))]
    assert told({"a": 1}, frozenset()) == [("f", {"a": 1}, frozenset())]


def test_an_item_without_a_value_is_a_difference_too() -> None:
    assert told({"a": None}, {}) == [("f.a", None, None)]


values = st.recursive(
    st.none() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3) | st.frozensets(st.text(max_size=2)),
    max_leaves=5,
)


@examples(40, 300)
@given(values, values)
def test_something_is_told_exactly_where_something_differs(have: Any, want: Any) -> None:
    assert bool(list(details("f", have, want))) is (have != want)
