"""What is wanted: resources, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from tapctl.engine import refs
from tapctl.engine.model import Outputs, Reconciler, Spec, address

S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- the letter the design uses


@dataclass(frozen=True)
class Resource(Generic[S, O]):
    """One wanted resource. ``out`` holds promises of what only AWS can tell."""

    reconciler: Reconciler[S, O]
    id: str
    spec: S
    after: frozenset[str]
    out: O

    @property
    def type(self) -> str:
        """The type's name."""
        return self.reconciler.type

    @property
    def address(self) -> str:
        """``type/id``."""
        return address(self.type, self.id)

    @property
    def values_from(self) -> frozenset[str]:
        """The addresses whose outputs its spec holds."""
        return refs.needs(self.spec)

    @property
    def needs(self) -> frozenset[str]:
        """Everything it waits for, for a value or to be settled."""
        return self.values_from | self.after


AnyResource = Resource[Any, Any]


class Stack:
    """The wanted resources in an order in which each comes after what it needs."""

    def __init__(self) -> None:
        self._resources: dict[str, AnyResource] = {}

    def add(
        self, reconciler: Reconciler[S, O], id: str, spec: S, *, after: Iterable[AnyResource] = ()
    ) -> Resource[S, O]:
        """Want this resource. ``after``: what has to be settled first; values wait by themselves.

        Raises:
            ValueError: a bug of the stack: the same address twice, or a token of something not added before, so that
                a cycle cannot be written down.
        """
        here = address(reconciler.type, id)
        out = refs.promise(cast("type[O]", reconciler.outputs), here)
        resource = Resource(reconciler, id, spec, frozenset(one.address for one in after), out)
        if here in self._resources:
            raise ValueError(f"{here} is in the stack already")
        missing = sorted(resource.needs - set(self._resources))
        if missing:
            raise ValueError(f"{here} needs what is not in the stack before it: {', '.join(missing)}")
        self._resources[here] = resource
        return resource

    def __iter__(self) -> Iterator[AnyResource]:
        return iter(self._resources.values())

    def __len__(self) -> int:
        return len(self._resources)

    def __contains__(self, here: object) -> bool:
        return here in self._resources

    def __getitem__(self, here: str) -> AnyResource:
        return self._resources[here]


@dataclass(frozen=True)
class Node:
    """One resource in the graph of an execution: what must be known, and what settled, before it starts."""

    address: str
    after_outputs: frozenset[str] = field(default_factory=frozenset)
    after_settled: frozenset[str] = field(default_factory=frozenset)


def creation_graph(resources: Iterable[AnyResource], early: Mapping[str, bool]) -> list[Node]:
    """The steps that make these resources; a need outside of them is there already.

    Only what is ``early`` is known before it is settled.
    """
    chosen = {one.address: one for one in resources}
    steps = []
    for here, one in chosen.items():
        values = one.values_from & chosen.keys()
        known = frozenset(need for need in values if early[chosen[need].type])
        settled = (values - known) | (one.after & chosen.keys())
        steps.append(Node(here, known, settled))
    return steps


@dataclass(frozen=True)
class Removal:
    """One thing to remove, and what the record says it needed; None where there is no record."""

    address: str
    type: str
    needs: frozenset[str] | None
    early: bool
    outlived_by: frozenset[str] = frozenset()
    """Types that stay until nothing of it lingers (`Reconciler.outlived_by`)."""

    def frees_early(self, later: Removal) -> bool:
        """Whether ``later`` may go before this one has ended: while it is going, or while something of it lingers."""
        return later.early if self.early else later.type not in self.outlived_by


def deletion_graph(removals: Iterable[Removal], teardown: Mapping[str, int]) -> list[Node]:
    """The steps that remove these things: what is related goes in ``teardown``'s order of types.

    The records say which things are related; of two related ones the type with the lower rank goes first, and within
    a type the one that needs the other, unless that makes a cycle. What has no record waits for every lower rank.

    An early thing that is going frees an early thing: an Aurora cluster may be deleted once its members are all being
    deleted. Everything else frees what waits for it once it is gone; what lingers of it after that (a function's
    network interfaces, for up to 45 minutes) holds up only the types that it still needs (the function's role).
    """
    things = list(removals)
    needs = {one.address: one.needs or frozenset() for one in things}
    steps = []
    for later in things:
        first = [one for one in things if one is not later and _goes_first(one, later, teardown, needs)]
        known = frozenset(one.address for one in first if one.frees_early(later))
        steps.append(Node(later.address, known, frozenset(one.address for one in first) - known))
    return steps


def _goes_first(one: Removal, later: Removal, teardown: Mapping[str, int], needs: Mapping[str, frozenset[str]]) -> bool:
    rank, later_rank = teardown[one.type], teardown[later.type]
    if rank == later_rank:
        return later.address in needs[one.address] and not _depends_on(later.address, one.address, needs)
    if one.needs is None or later.needs is None:
        return rank < later_rank
    related = later.address in one.needs or one.address in later.needs
    return related and rank < later_rank


def _depends_on(here: str, there: str, needs: Mapping[str, frozenset[str]]) -> bool:
    """Whether the first needs the second, directly or by way of others."""
    found, todo = {here}, [here]
    while todo:
        new = needs.get(todo.pop(), frozenset()) - found
        found |= new
        todo += new
    return there in found
