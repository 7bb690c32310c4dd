from __future__ import annotations

from dataclasses import replace
from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.engine.model import Impact
from tapctl.engine.resources import Deletion, Node, Stack, creation_graph, deletion_graph
from tests.engine.driving import entry
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


def test_a_need_that_was_not_added_before_is_refused() -> None:
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

    steps = {step.address: step for step in creation_graph(stack)}

    assert steps["early/e"] == Node("early/e")
    assert steps[user.address] == Node("plain/u", frozenset({"early/e"}), frozenset({"plain/p"}))
    assert steps[member.address] == Node("plain/m", frozenset({"early/e"}), frozenset({"early/e"}))


def test_what_is_not_worked_on_is_not_waited_for() -> None:
    stack = Stack()
    there = stack.add(Plain(), "there", SMALL)
    user = stack.add(Plain(), "u", ThingSpec(link=there.out.arn), after=[there])

    assert creation_graph([user]) == [Node("plain/u")]


def kind(name: str, *, early: bool = False, leftovers_need: str = "") -> Plain:
    """A type of this name."""

    class Kind(Plain):
        type = name
        outputs_known_early = early

    Kind.leftovers_need = frozenset(filter(None, [leftovers_need]))
    return Kind()


def recorded(address: str, *needs: str, early: bool = False, leftovers_need: str = "") -> Deletion:
    name, _, id_ = address.partition("/")
    reconciler = kind(name, early=early, leftovers_need=leftovers_need)
    return Deletion(address, reconciler, id_, None, entry(reconciler, id=id_, needs=needs))


def unrecorded(address: str, *, early: bool = False) -> Deletion:
    name, _, id_ = address.partition("/")
    return Deletion(address, kind(name, early=early), id_, None, None)


def waits(*deletions: Deletion) -> dict[str, frozenset[str]]:
    return {node.address: node.after_outputs | node.after_settled for node in deletion_graph(deletions, TEARDOWN)}


def test_what_needs_another_goes_before_it() -> None:
    order = waits(recorded("function/f", "key/k"), recorded("key/k"))
    assert order == {"function/f": frozenset(), "key/k": {"function/f"}}


def test_related_things_go_in_the_order_of_their_types_whichever_needs_the_other() -> None:
    assert waits(recorded("group/g"), recorded("key/k", "group/g")) == {"group/g": frozenset(), "key/k": {"group/g"}}


def test_what_is_not_related_does_not_wait() -> None:
    assert waits(recorded("function/f"), recorded("key/k")) == {"function/f": frozenset(), "key/k": frozenset()}


def test_within_a_type_what_needs_the_other_goes_first() -> None:
    order = waits(recorded("group/a", "group/b"), recorded("group/b"))
    assert order == {"group/a": frozenset(), "group/b": {"group/a"}}


def test_within_a_type_what_serves_others_goes_last() -> None:
    serving = replace(recorded("group/b"), permitted=Impact.FAILOVER)
    order = waits(recorded("group/a"), serving, recorded("group/c"), recorded("key/k"))
    assert order == {"group/a": frozenset(), "group/b": {"group/a", "group/c"}, "group/c": frozenset()} | {
        "key/k": frozenset()
    }


def test_what_has_no_record_waits_for_every_lower_rank_and_is_waited_for_by_every_higher() -> None:
    order = waits(recorded("function/f"), unrecorded("group/g"), recorded("key/k"), unrecorded("group/h"))
    assert order == {
        "function/f": frozenset(),
        "group/g": {"function/f"},
        "group/h": {"function/f"},
        "key/k": {"group/g", "group/h"},
    }


def test_an_early_thing_that_is_going_frees_an_early_thing_and_nothing_else() -> None:
    steps = deletion_graph(
        [
            recorded("instance/i", "cluster/c", "group/g", early=True),
            recorded("cluster/c", early=True),
            recorded("group/g"),
        ],
        TEARDOWN,
    )
    assert steps[1] == Node("cluster/c", after_outputs=frozenset({"instance/i"}))
    assert steps[2] == Node("group/g", after_settled=frozenset({"instance/i"}))


def test_leftovers_hold_up_only_the_types_they_still_need() -> None:
    steps = deletion_graph(
        [
            recorded("function/f", "cluster/c", "group/g", "key/k", leftovers_need="key"),
            recorded("cluster/c", early=True),
            recorded("group/g"),
            recorded("key/k"),
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
    assert waits(recorded("group/a", "group/b"), recorded("group/b", "group/a"), recorded("key/k", "group/a")) == {
        "group/a": frozenset(),
        "group/b": frozenset(),
        "key/k": {"group/a"},
    }


def test_a_thing_that_says_it_needs_itself_waits_for_nothing() -> None:
    assert waits(recorded("group/a", "group/a")) == {"group/a": frozenset()}


addresses = st.sampled_from([f"{type_}/{name}" for type_ in TEARDOWN for name in "ab"])
records = st.dictionaries(addresses, st.none() | st.frozensets(addresses, max_size=4), max_size=10)


@given(records)
def test_whatever_is_recorded_there_is_an_order(needs: dict[str, frozenset[str] | None]) -> None:
    graph = waits(
        *(
            unrecorded(address, early=True) if need is None else recorded(address, *need, early=True)
            for address, need in needs.items()
        )
    )
    order = list(TopologicalSorter(graph).static_order())
    assert sorted(order) == sorted(needs)
    ranks = {address: TEARDOWN[address.split("/")[0]] for address in graph}
    assert all(ranks[first] <= ranks[address] for address, firsts in graph.items() for first in firsts)
