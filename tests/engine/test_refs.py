from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tapctl.engine import refs
from tapctl.engine.model import Outputs
from tests.engine.kinds import ThingOutputs, ThingSpec

HERE = "plain/alias/db-key-dev"
ARN = refs.promise(ThingOutputs, HERE).arn


class Statement(BaseModel):
    model_config = ConfigDict(frozen=True)

    who: str
    what: frozenset[str] = frozenset()
    when: tuple[str, ...] = ()

    @field_validator("who")
    @classmethod
    def _known(cls, who: str) -> str:
        if who == "nobody":
            raise ValueError("nobody may")
        return who


class Holder(BaseModel):
    model_config = ConfigDict(frozen=True)

    statements: frozenset[Statement]
    tags: Mapping[str, str]
    count: int | None = None


def holder(text: str) -> Holder:
    """The text in every place a string may be in."""
    return Holder(statements=frozenset({Statement(who=text, what=frozenset({text}), when=(text,))}), tags={text: text})


def test_a_promise_is_a_string_that_names_what_it_waits_for() -> None:
    assert f"⟦{HERE}#arn⟧" == ARN
    assert refs.needs(ARN) == {HERE}


def test_every_output_is_promised() -> None:
    class Two(Outputs):
        arn: str
        key_id: str

    assert refs.promise(Two, "k/a") == Two(arn="⟦k/a#arn⟧", key_id="⟦k/a#key_id⟧")


def test_promises_are_found_wherever_they_stand_and_inside_any_string() -> None:
    other = refs.promise(ThingOutputs, "leaf/b").arn
    assert refs.needs(holder(f"arn:{ARN}/*,{other}")) == {HERE, "leaf/b"}
    assert refs.needs(holder("no promise ⟦ at all ⟧")) == frozenset()
    for plain in (3, 0.5, True, None, object()):
        assert refs.needs(plain) == frozenset()


def test_known_tokens_are_resolved_and_the_others_stay() -> None:
    other = refs.promise(ThingOutputs, "leaf/b").arn
    assert refs.resolve(f"<{ARN}|{other}>", {HERE: {"arn": "A"}}) == f"<A|{other}>"
    assert refs.resolve(ARN, {HERE: {"id": "A"}}) == ARN
    assert refs.resolve(holder(f"x{ARN}"), {HERE: {"arn": "A"}}) == holder("xA")


def test_a_resolved_value_is_validated() -> None:
    with pytest.raises(ValidationError, match="nobody may"):
        refs.resolve(Statement(who=ARN), {HERE: {"arn": "nobody"}})


def test_an_output_is_never_taken_for_a_promise() -> None:
    assert refs.resolve(ARN, {HERE: {"arn": ARN}}) == ARN


texts = st.text(max_size=5)
statements = st.builds(Statement, who=texts.filter(lambda text: text != "nobody"), what=st.frozensets(texts))
holders = st.builds(Holder, statements=st.frozensets(statements), tags=st.dictionaries(texts, texts))
specs = st.builds(ThingSpec, size=texts, limit=st.none() | st.integers(), items=st.frozensets(texts))


@given(holders | specs)
def test_nothing_changes_where_nothing_is_promised(value: Any) -> None:
    assert refs.substitute(value, lambda text: text) == value
    assert refs.resolve(value, {HERE: {"arn": "A"}}) == value


@given(holders | specs, st.randoms())
def test_the_same_value_is_always_the_same_json_and_another_value_another(value: Any, random: Any) -> None:
    def shuffled(one: Any) -> Any:
        """The same value, made in another order."""
        if isinstance(one, BaseModel):
            return type(one)(**{name: shuffled(getattr(one, name)) for name in type(one).model_fields})
        if isinstance(one, Mapping):
            pairs = list(one.items())
            random.shuffle(pairs)
            return dict(pairs)
        if isinstance(one, frozenset):
            members = list(one)
            random.shuffle(members)
            return frozenset(members)
        return one

    text = json.dumps(refs.to_json(value))
    assert json.dumps(refs.to_json(shuffled(value))) == text
    if isinstance(value, ThingSpec):
        assert json.dumps(refs.to_json(value.model_copy(update={"size": value.size + "x"}))) != text
        assert ThingSpec.model_validate(json.loads(text)) == value


def test_plain_json_has_lists_for_tuples_and_sorted_lists_for_sets() -> None:
    made = refs.to_json(holder("b").statements | {Statement(who="a")})
    assert made == [{"who": "b", "what": ["b"], "when": ["b"]}, {"who": "a", "what": [], "when": []}]


def test_a_number_that_json_cannot_hold_is_told_as_a_word() -> None:
    numbers = (float("nan"), float("inf"), float("-inf"), 1.5)
    assert json.dumps(refs.to_json(numbers), allow_nan=False) == '["nan", "inf", "-inf", 1.5]'
