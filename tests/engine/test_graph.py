from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.engine.resources import Node, Removal, Stack, creation_graph, deletion_graph
from tests.engine.kinds import SMALL, Early, Leaf, Plain, ThingSpec

TEARDOWN = {"function": 0, "instance": 1, "cluster": 2, "group": 3, "key": 4}


def test_a_stack_holds_its_resources_in_the_order_they_were_added() -> None:
    stack = Stack()
    first = stack.add(Plain(), "first", SMALL)
    second = stack.add(Leaf(), "second", ThingSpec(link=first.out.arn), after=[first])

    assert list(stack) == [first, second]
    assert len(stack) == 2
    assert "plain/first" in stack
    assert "plain/second" not in stack
    assert stack["leaf/second"] is second
    assert second.type == "leaf"
    assert second.values_from == second.needs == {"plain/first"}


def test_dependencies_are_found_in_the_spec_and_in_after() -> None:
    stack = Stack()
    value, settled = stack.add(Plain(), "v", SMALL), stack.add(Plain(), "s", SMALL)
    one = stack.add(Plain(), "one", ThingSpec(tags={"k": f"<{value.out.arn}>"}), after=[settled])

    assert one.values_from == {"plain/v"}
    assert one.needs == {"plain/v", "plain/s"}


def test_the_same_address_twice_is_refused() -> None:
    stack = Stack()
    stack.add(Plain(), "a", SMALL)
    stack.add(Leaf(), "a", SMALL)

    with pytest.raises(ValueError, match="plain/a is in the stack already"):
        stack.add(Plain(), "a", SMALL)


def test_what_is_unknown_or_comes_later_cannot_be_needed_so_a_cycle_cannot_be_written_down() -> None:
    later = Stack().add(Plain(), "later", SMALL)
    stack = Stack()

    with pytest.raises(ValueError, match="plain/a needs what is not in the stack before it: plain/later"):
        stack.add(Plain(), "a", ThingSpec(link=later.out.arn))
    with pytest.raises(ValueError, match="plain/later"):
        stack.add(Plain(), "a", SMALL, after=[later])
    with pytest.raises(ValueError, match="plain/a needs"):
        stack.add(Plain(), "a", ThingSpec(link="⟦plain/a#arn⟧"))
    assert len(stack) == 0


def test_a_value_is_waited_for_until_known_and_a_thing_until_settled() -> None:
    stack = Stack()
    early, plain = stack.add(Early(), "e", SMALL), stack.add(Plain(), "p", SMALL)
    user = stack.add(Plain(), "u", ThingSpec(link=early.out.arn + plain.out.arn))
    member = stack.add(Plain(), "m", ThingSpec(link=early.out.arn), after=[early])

    steps = {step.address: step for step in creation_graph(stack, {"early": True, "plain": False})}

    assert steps["early/e"] == Node("early/e")
    assert steps[user.address] == Node("plain/u", frozenset({"early/e"}), frozenset({"plain/p"}))
    assert steps[member.address] == Node("plain/m", frozenset({"early/e"}), frozenset({"early/e"}))


def test_what_is_not_worked_on_is_not_waited_for() -> None:
    stack = Stack()
    there = stack.add(Plain(), "there", SMALL)
    user = stack.add(Plain(), "u", ThingSpec(link=there.out.arn), after=[there])

    assert creation_graph([user], {"plain": False}) == [Node("plain/u")]


def gone(address: str, *needs: str, early: bool = False, outlived_by: str = "") -> Removal:
    type_ = address.split("/", maxsplit=1)[0]
    return Removal(address, type_, frozenset(needs), early, frozenset(filter(None, [outlived_by])))


def unrecorded(address: str, *, early: bool = False) -> Removal:
    return Removal(address, address.split("/", maxsplit=1)[0], None, early)


def waits(*removals: Removal) -> dict[str, frozenset[str]]:
    return {step.address: step.after_outputs | step.after_settled for step in deletion_graph(removals, TEARDOWN)}


def test_what_needs_another_goes_before_it() -> None:
    assert waits(gone("function/f", "key/k"), gone("key/k")) == {"function/f": frozenset(), "key/k": {"function/f"}}


def test_related_things_go_in_the_order_of_their_types_whichever_needs_the_other() -> None:
    assert waits(gone("group/g"), gone("key/k", "group/g")) == {"group/g": frozenset(), "key/k": {"group/g"}}


def test_what_is_not_related_does_not_wait() -> None:
    assert waits(gone("function/f"), gone("key/k")) == {"function/f": frozenset(), "key/k": frozenset()}


def test_within_a_type_what_needs_the_other_goes_first() -> None:
    assert waits(gone("group/a", "group/b"), gone("group/b")) == {"group/a": frozenset(), "group/b": {"group/a"}}


def test_what_has_no_record_waits_for_every_lower_rank_and_is_waited_for_by_every_higher() -> None:
    order = waits(gone("function/f"), unrecorded("group/g"), gone("key/k"), unrecorded("group/h"))
    assert order == {
        "function/f": frozenset(),
        "group/g": {"function/f"},
        "group/h": {"function/f"},
        "key/k": {"group/g", "group/h"},
    }


def test_an_early_thing_that_is_going_frees_an_early_thing_and_nothing_else() -> None:
    steps = deletion_graph(
        [
            gone("instance/i", "cluster/c", "group/g", early=True),
            gone("cluster/c", early=True),
            gone("group/g"),
        ],
        TEARDOWN,
    )
    assert steps[1] == Node("cluster/c", after_outputs=frozenset({"instance/i"}))
    assert steps[2] == Node("group/g", after_settled=frozenset({"instance/i"}))


def test_what_lingers_of_a_thing_holds_up_only_what_it_still_needs() -> None:
    steps = deletion_graph(
        [
            gone("function/f", "cluster/c", "group/g", "key/k", outlived_by="key"),
            gone("cluster/c", early=True),
            gone("group/g"),
            gone("key/k"),
        ],
        TEARDOWN,
    )
    assert steps[1:] == [
        Node("cluster/c", after_outputs=frozenset({"function/f"})),
        Node("group/g", after_outputs=frozenset({"function/f"})),
        Node("key/k", after_settled=frozenset({"function/f"})),
    ]


def test_where_records_of_one_type_make_a_cycle_they_decide_nothing() -> None:
    """Two versions of tapctl may have recorded the two halves of it."""
    assert waits(gone("group/a", "group/b"), gone("group/b", "group/a"), gone("key/k", "group/a")) == {
        "group/a": frozenset(),
        "group/b": frozenset(),
        "key/k": {"group/a"},
    }


def test_a_thing_that_says_it_needs_itself_waits_for_nothing() -> None:
    assert waits(gone("group/a", "group/a")) == {"group/a": frozenset()}


addresses = st.sampled_from([f"{type_}/{name}" for type_ in TEARDOWN for name in "ab"])
records = st.dictionaries(addresses, st.none() | st.frozensets(addresses, max_size=4), max_size=10)


@given(records)
def test_whatever_is_recorded_there_is_an_order(needs: dict[str, frozenset[str] | None]) -> None:
    removals = [Removal(here, here.split("/")[0], need, early=True) for here, need in needs.items()]
    graph = {step.address: step.after_outputs | step.after_settled for step in deletion_graph(removals, TEARDOWN)}
    order = list(TopologicalSorter(graph).static_order())
    assert sorted(order) == sorted(needs)
    assert all(TEARDOWN[first.split("/")[0]] <= TEARDOWN[here.split("/")[0]] for here in graph for first in graph[here])
