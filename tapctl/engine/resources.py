"""The resources of a run: wanted ones and ones to delete, and the order between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from tapctl.engine import refs
from tapctl.engine.model import Impact, Outputs, Reconciler, Spec, address
from tapctl.engine.record import Entry

S = TypeVar("S", bound=Spec)
O = TypeVar("O", bound=Outputs)  # noqa: E741 -- O as in outputs, beside S as in spec; nobody takes it for a zero


@dataclass(frozen=True)
class Resource(Generic[S, O]):
    """A wanted resource."""

    reconciler: Reconciler[S, O]
    id: str
    spec: S
    """May hold tokens: promises of other resources' outputs."""
    after: frozenset[str]
    """Addresses of the resources that have to be settled first."""
    out: O
    """Promises of this resource's own outputs, to be used in the specs of others."""

    @property
    def type(self) -> str:
        """The type's name."""
        return self.reconciler.type

    @property
    def address(self) -> str:
        """``type/id``."""
        return address(self.type, self.id)

    @cached_property
    def values_from(self) -> frozenset[str]:
        """The addresses whose outputs the spec holds."""
        return refs.needs(self.spec)

    @property
    def needs(self) -> frozenset[str]:
        """The addresses the resource waits for, for a value or to be settled."""
        return self.values_from | self.after


AnyResource = Resource[Any, Any]


class Stack:
    """The wanted resources, in an order in which each comes after what it needs."""

    def __init__(self) -> None:
        self._resources: dict[str, AnyResource] = {}

    def add(
        self, reconciler: Reconciler[S, O], id: str, spec: S, *, after: Iterable[AnyResource] = ()
    ) -> Resource[S, O]:
        """Add a wanted resource. ``after``: resources that have to be settled first; values wait by themselves.

        Raises:
            ValueError: a bug of the stack: the same address twice, or a token of a resource not added before. So a
                cycle cannot be written down.
        """
        new_address = address(reconciler.type, id)
        out = refs.promise(cast("type[O]", reconciler.outputs), new_address)
        resource = Resource(reconciler, id, spec, frozenset(other.address for other in after), out)
        if new_address in self._resources:
            raise ValueError(f"{new_address} is in the stack already")
        missing = sorted(resource.needs - set(self._resources))
        if missing:
            raise ValueError(f"{new_address} needs what is not in the stack before it: {', '.join(missing)}")
        self._resources[new_address] = resource
        return resource

    def add_recorded(self, reconciler: Reconciler[S, O], entry: Entry, spec: S) -> None:
        """Add a resource as it is recorded; what it needs is there already, in the stack or not."""
        out = refs.promise(cast("type[O]", reconciler.outputs), entry.address)
        self._resources[entry.address] = Resource(reconciler, entry.id, spec, frozenset(entry.needs), out)

    def __iter__(self) -> Iterator[AnyResource]:
        return iter(self._resources.values())

    def __len__(self) -> int:
        return len(self._resources)

    def __contains__(self, resource_address: object) -> bool:
        return resource_address in self._resources

    def __getitem__(self, resource_address: str) -> AnyResource:
        return self._resources[resource_address]


@dataclass(frozen=True)
class Deletion:
    """A resource to delete."""

    address: str
    reconciler: Reconciler[Any, Any]
    id: str
    last: Spec | None
    """The recorded spec, where there is a record that this tapctl can read."""
    entry: Entry | None
    subresources: tuple[str, ...] = ()
    """Addresses of recorded subresources that AWS deletes with this resource: forgotten when it is gone."""
    permitted: Impact | None = None
    """The greatest impact of the deletion that the plan has shown; None: it goes whatever that costs."""
    defined_needs: frozenset[str] = frozenset()
    """Addresses that the resource needs by its definition: whoever may write the record may take them out of it."""

    @property
    def needs(self) -> frozenset[str]:
        """The addresses the resource needs, by its record and its definition; none without a record."""
        return self.defined_needs.union(self.entry.needs) if self.entry else frozenset()

    @property
    def hands_over(self) -> bool:
        """True if another resource serves in its place once it goes, as the plan has shown."""
        return self.permitted is Impact.FAILOVER

    def frees_early(self, other: Deletion) -> bool:
        """True if ``other`` may be deleted before this one has ended: while it is going, or its leftovers remain."""
        if self.reconciler.outputs_known_early:
            return other.reconciler.outputs_known_early
        return other.reconciler.type not in self.reconciler.leftovers_need


@dataclass(frozen=True)
class Node:
    """A resource in the graph of an execution, and the addresses it waits for."""

    address: str
    after_outputs: frozenset[str] = field(default_factory=frozenset)
    """Addresses whose outputs must be known (creation), or which must be going or gone (deletion)."""
    after_settled: frozenset[str] = field(default_factory=frozenset)
    """Addresses which must have finished."""


def creation_graph(resources: Iterable[AnyResource]) -> list[Node]:
    """Order the creation of these resources; a need outside of them is there already.

    The outputs of a resource are known before it has finished only where its type says `outputs_known_early`.
    """
    chosen = {resource.address: resource for resource in resources}
    nodes = []
    for node_address, resource in chosen.items():
        values = resource.values_from & chosen.keys()
        known = frozenset(need for need in values if chosen[need].reconciler.outputs_known_early)
        settled = (values - known) | (resource.after & chosen.keys())
        nodes.append(Node(node_address, known, settled))
    return nodes


def deletion_graph(deletions: Iterable[Deletion], teardown: Mapping[str, int]) -> list[Node]:
    """Order these deletions: related resources go in ``teardown``'s order (type name to rank).

    The records say which resources are related; of two related ones the type with the lower rank goes first, and
    within a type the one that needs the other, unless that makes a cycle. A resource without a record waits for every
    lower rank. Within a type, what serves others goes last: else one would take over that goes, too.

    A resource whose outputs are known early, and which is going, frees one of the same kind: an Aurora cluster may be
    deleted once its members are all being deleted. Everything else frees what waits for it once it is gone; leftovers
    after that (a function's network interfaces, for up to 45 minutes) hold up only the types that they still need (the
    function's role).
    """
    everything = list(deletions)
    needs = {deletion.address: deletion.needs for deletion in everything}
    nodes = []
    for later in everything:
        first = [other for other in everything if other is not later and _goes_first(other, later, teardown, needs)]
        known = frozenset(other.address for other in first if other.frees_early(later))
        nodes.append(Node(later.address, known, frozenset(other.address for other in first) - known))
    return nodes


def _goes_first(
    first: Deletion, later: Deletion, teardown: Mapping[str, int], needs: Mapping[str, frozenset[str]]
) -> bool:
    rank, later_rank = teardown[first.reconciler.type], teardown[later.reconciler.type]
    if rank == later_rank:
        if first.reconciler.type == later.reconciler.type and first.hands_over != later.hands_over:
            return later.hands_over
        return later.address in first.needs and not _depends_on(later.address, first.address, needs)
    if first.entry is None or later.entry is None:
        return rank < later_rank
    related = later.address in first.needs or first.address in later.needs
    return related and rank < later_rank


def _depends_on(dependant: str, dependency: str, needs: Mapping[str, frozenset[str]]) -> bool:
    """True if the dependant needs the dependency, directly or by way of others."""
    reached, todo = {dependant}, [dependant]
    while todo:
        new = needs.get(todo.pop(), frozenset()) - reached
        reached |= new
        todo += new
    return dependency in reached
