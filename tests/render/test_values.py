from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from tapctl.aws.policy import Condition, Statement, allow, policy
from tapctl.render.values import LIMIT, as_json, format_change, format_item, format_pair, format_value, truncate


class Range(BaseModel):
    model_config = ConfigDict(frozen=True)

    cidr: str = ""
    port: int = 0
    peers: tuple[str, ...] = ()


class Rule(Range):
    def __str__(self) -> str:
        return f"{self.cidr} tcp/{self.port}\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(none)"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (0.5, "0.5"),
        ("db.r6g.large", "db.r6g.large"),
        ("", '""'),
        (" x ", '" x "'),
        ("\x1b[1m", "\\u001b[1m"),
        ({}, "{}"),
        (frozenset(), "[]"),
        ((), "[]"),
        ({"b": "2", "a\n": 1}, "a\\n=1, b=2"),
        (frozenset({"b", "a"}), "a, b"),
        (("b", "a"), "b, a"),
        (["b", {"k": ["x"]}, []], "b, {k=[x]}, []"),
        (Range(cidr="10.0.0.0/8", port=5432), "cidr=10.0.0.0/8 port=5432"),
        (Range(peers=("a", "b")), "port=0 peers=[a, b]"),
        (Rule(cidr="10.9.0.0/16", port=5432), "10.9.0.0/16 tcp/5432\\n"),
        (frozenset({Rule(cidr="b", port=2), Rule(cidr="a", port=1)}), "a tcp/1\\n, b tcp/2\\n"),
    ],
)
def test_a_value_is_one_readable_line(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_a_model_that_holds_nothing_is_empty() -> None:
    class Nothing(BaseModel):
        name: str = ""

    assert format_value(Nothing()) == "{}"


def test_a_policy_is_told_by_what_its_statements_hold() -> None:
    told = format_value(policy(allow("Keys", ["kms:Decrypt", "kms:Encrypt"], ["*"], to={"AWS": "123456789012"})))
    statement = "sid=Keys effect=Allow principals=[kind=AWS name=123456789012] actions=[kms:Decrypt, kms:Encrypt]"
    assert told.startswith(f"statements=[{statement} resources=[*]]")


def test_short_values_are_shown_whole() -> None:
    assert format_pair("db.r6g.large", "db.r6g.xlarge") == ("db.r6g.large", "db.r6g.xlarge")


@pytest.mark.parametrize(
    ("have", "want", "texts"),
    [("5", 5, ('"5"', "5")), ("true", True, ('"true"', "true")), ("(none)", None, ('"(none)"', "null"))],
)
def test_values_that_read_alike_are_shown_exactly(have: Any, want: Any, texts: tuple[str, str]) -> None:
    assert format_pair(have, want) == texts


def test_long_values_are_cut_where_they_differ_at_the_start() -> None:
    have, want = format_pair("a" + "x" * 100, "b" + "x" * 100)
    assert (have, want) == ("a" + "x" * 58 + "…", "b" + "x" * 58 + "…")


def test_long_values_are_shown_around_their_first_difference() -> None:
    same = "0123456789" * 8
    assert format_pair(f"{same}a-rest", f"{same}b") == (
        "…890123456789a-rest"[:1] + "890123456789a-rest",
        "…890123456789b",
    )


def test_one_long_value_that_goes_on_after_the_other_shows_what_is_added() -> None:
    same = "0123456789" * 8
    assert format_pair(same, f"{same}+") == ("…890123456789", "…890123456789+")


def test_verbose_cuts_nothing() -> None:
    assert format_pair("a" * 200, "b" * 200, limit=None) == ("a" * 200, "b" * 200)
    assert truncate("a" * 200, None) == "a" * 200


def test_as_json_is_one_clean_line() -> None:
    assert as_json({"b": frozenset({"y", "x"}), "a": "\x9b"}) == '{"a": "\\u009b", "b": ["x", "y"]}'


@given(st.text(), st.text())
def test_two_different_values_never_look_the_same_and_never_are_long(have: str, want: str) -> None:
    left, right = format_pair(have, want)
    assert max(len(left), len(right)) <= LIMIT
    assert have == want or left != right


@given(st.text("ab", min_size=50, max_size=200), st.text("ab", min_size=50, max_size=200))
def test_two_long_values_of_the_same_beginning_never_look_the_same(have: str, want: str) -> None:
    left, right = format_pair(f"{'a' * 40}{have}", f"{'a' * 40}{want}")
    assert max(len(left), len(right)) <= LIMIT
    assert have == want or left != right


# -- changes -----------------------------------------------------------------------------------------------------------

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REPOSITORY = "123456789012.dkr.ecr.us-east-2.amazonaws.com/processor"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({OLD: "1.0.0", NEW: "1.0.1"}, "1.0.0 → 1.0.1 (sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb)"),
        ({NEW: "1.0.1"}, "sha256:aaaaaaaaaaaa → 1.0.1 (sha256:bbbbbbbbbbbb)"),
        ({}, "sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"),
    ],
)
def test_an_image_is_told_by_its_tag_and_the_beginning_of_its_digest(names: dict[str, str], told: str) -> None:
    assert format_change(f"{REPOSITORY}@{OLD}", f"{REPOSITORY}@{NEW}", names=names) == told


def test_an_image_from_another_repository_is_told_with_it() -> None:
    pair = f"a/x@{OLD}", f"b/x@{NEW}"
    assert format_change(*pair) == "a/x@sha256:aaaaaaaaaaaa → b/x@sha256:bbbbbbbbbbbb"
    assert format_change(*pair, names={OLD: "1", NEW: "2"}) == (
        "a/x:1 → b/x:2 (sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb)"
    )


def test_verbose_tells_an_image_whole() -> None:
    assert format_change(f"x@{OLD}", f"x@{NEW}", limit=None) == f"x@{OLD} → x@{NEW}"
    assert format_change(f"x@{OLD}", "x") == " → ".join(format_pair(f"x@{OLD}", "x"))


def test_two_statements_of_one_name_are_told_by_what_differs_in_them() -> None:
    one = allow("Keys", ["kms:Decrypt", "kms:Encrypt"], ["*"])
    other = allow("Keys", ["kms:Decrypt", "kms:*"], ["*"]).model_copy(update={"effect": "Deny"})
    assert format_change(one, other) == "Keys: effect Allow → Deny; actions - kms:Encrypt + kms:*"
    assert format_change(one, allow("Other", ["kms:Decrypt"])).startswith("sid=Keys ")


def test_of_a_condition_with_more_values_only_those_are_told() -> None:
    def keys(*conditions: Condition) -> Statement:
        return allow("Keys", ["kms:Decrypt"]).model_copy(update={"conditions": frozenset(conditions)})

    few = Condition(operator="ArnLike", key="aws:SourceArn", values=frozenset({"a", "b"}))
    more = few.model_copy(update={"values": frozenset({"b", "c", "d"})})
    told = "Keys: conditions operator=ArnLike key=aws:SourceArn values - a + c + d"
    assert format_change(keys(few), keys(more)) == told
    other = few.model_copy(update={"operator": "ArnEquals"})
    assert format_change(keys(few), keys(other)).startswith("Keys: conditions - operator=ArnLike ")
    assert format_change(keys(few), keys(few, more)).startswith("Keys: conditions + operator=ArnLike ")


def test_a_statement_that_is_added_is_shown_whole() -> None:
    statement = allow("Keys", [f"kms:Action{number}" for number in range(20)])
    assert format_item(statement) == format_value(statement)
    nameless = statement.model_copy(update={"sid": ""})
    assert format_item(nameless) == format_value(nameless)
    assert len(format_item("x" * 100)) == LIMIT
