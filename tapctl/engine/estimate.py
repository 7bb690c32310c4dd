"""Estimates of how long an execution takes: from the times that earlier ones took, else from AWS's usual ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from statistics import median
from typing import Final

from tapctl.engine.model import Impact, Timing
from tapctl.engine.plan import Action, Change
from tapctl.engine.resources import Node

KEPT: Final = 20
"""Durations kept of each type and operation."""
_KNOWN_S: Final = 5.0
"""Seconds after which AWS has usually accepted a call, and outputs that are known early are."""
_FEW: Final = 9
"""Durations from which on the next one lies between the shortest and the longest four times of five.

Of n, it does in (n - 1) of (n + 1) cases, where everything that a command waits for is slow or quick together.
"""
# The usual times of AWS's documentation are orders of magnitude; a few measured ones spread less.
_DOCUMENTED_SPREAD: Final = 2.0
_SPREAD: Final = 1.5


COMMAND: Final = "command"
"""The type of what a command does beside the work on resources: it reads, plans, records, and looks again."""
_COMMAND: Final = Timing(create_s=15, delete_s=15)


class Operation(StrEnum):
    """The kinds of work on a resource that take different times."""

    CREATE = "create"
    UPDATE = "update"
    RESTART = "restart"
    """A change that restarts it, or makes it fail over."""
    UPGRADE = "upgrade"
    REPLACE = "replace"
    DELETE = "delete"


def operation_of(change: Change) -> Operation:
    """Tell the kind of work that a planned change is."""
    simple = {Action.REPLACE: Operation.REPLACE, Action.DELETE: Operation.DELETE}
    if change.action is not Action.UPDATE:
        return simple.get(change.action, Operation.CREATE)
    if change.impact is Impact.UPGRADE:
        return Operation.UPGRADE
    return Operation.RESTART if change.impact >= Impact.RESTART else Operation.UPDATE


def documented_s(timing: Timing, operation: Operation) -> float:
    """Seconds that the operation usually takes in AWS."""
    restart = timing.restart_s or timing.update_s
    return {
        Operation.CREATE: timing.create_s,
        Operation.UPDATE: timing.update_s,
        Operation.RESTART: restart,
        Operation.UPGRADE: timing.upgrade_s or restart,
        Operation.REPLACE: timing.delete_s + timing.create_s,
        Operation.DELETE: timing.delete_s,
    }[operation]


@dataclass(frozen=True)
class Usual:
    """The usual time of one operation, and the range in which it is expected. Seconds."""

    usual_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True)
class Durations:
    """The durations that were measured, the newest last: by type and operation, in seconds."""

    measured: Mapping[str, Mapping[Operation, tuple[float, ...]]] = field(default_factory=dict)

    def usual(self, type_: str, operation: Operation, timing: Timing) -> Usual:
        """The usual time of an operation on this type: the median of those measured, else AWS's own."""
        measured = self.measured.get(type_, {}).get(operation, ())
        if not measured:
            usual_s = documented_s(timing, operation)
            return Usual(usual_s, usual_s / _DOCUMENTED_SPREAD, usual_s * _DOCUMENTED_SPREAD)
        spread = _SPREAD if len(measured) < _FEW else 1.0
        return Usual(median(measured), min(measured) / spread, max(measured) * spread)

    def adding(self, measured: Iterable[tuple[str, Operation, float]]) -> Durations:
        """These durations and further ones; the oldest go."""
        every = {type_: dict(operations) for type_, operations in self.measured.items()}
        for type_, operation, seconds in measured:
            kept = every.setdefault(type_, {})
            kept[operation] = (*kept.get(operation, ()), round(seconds, 1))[-KEPT:]
        return Durations(every)


@dataclass(frozen=True)
class Estimate:
    """The expected time of an execution, and the resources that decide it. Seconds."""

    usual_s: float = 0
    low_s: float = 0
    high_s: float = 0
    critical_path: tuple[str, ...] = ()
    """The addresses of the longest chain, in order."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """The usual time of the work on each resource, by address."""

    def then(self, later: Estimate) -> Estimate:
        """The estimate of this execution and another one after it."""
        path = (*self.critical_path, *later.critical_path)
        usual_s, low_s, high_s = self.usual_s + later.usual_s, self.low_s + later.low_s, self.high_s + later.high_s
        return Estimate(usual_s, low_s, high_s, path, {**self.resources, **later.resources})


def estimate_command(durations: Durations, operation: Operation) -> Estimate:
    """Estimate what a command does beside the work on resources. ``operation``: CREATE of an apply, else DELETE."""
    usual = durations.usual(COMMAND, operation, _COMMAND)
    return Estimate(usual.usual_s, usual.low_s, usual.high_s)


def estimate(nodes: Sequence[Node], usual: Mapping[str, Usual]) -> Estimate:
    """Estimate the execution of this graph, in which everything that may run at once does."""
    resources = {node.address: usual[node.address].usual_s for node in nodes}
    best_s, path = _longest(nodes, resources)
    low_s, _ = _longest(nodes, {address: each.low_s for address, each in usual.items()})
    high_s, _ = _longest(nodes, {address: each.high_s for address, each in usual.items()})
    return Estimate(best_s, low_s, high_s, path, resources)


def longest_s(nodes: Sequence[Node], seconds: Mapping[str, float]) -> float:
    """The seconds of the longest chain of this graph, by the seconds of each address."""
    return _longest(nodes, seconds)[0]


def seconds_to_end(nodes: Sequence[Node], usual_s: Mapping[str, float]) -> dict[str, float]:
    """Estimate for each address of the graph the seconds from its begin to the end of what waits for it."""
    # The same graph the other way round: of each resource those that wait for it.
    early: dict[str, set[str]] = {node.address: set() for node in nodes}
    late: dict[str, set[str]] = {node.address: set() for node in nodes}
    for node in nodes:
        for need in node.after_outputs - node.after_settled:
            early[need].add(node.address)
        for need in node.after_settled:
            late[need].add(node.address)
    left: dict[str, float] = {}
    for address in TopologicalSorter({each: early[each] | late[each] for each in early}).static_order():
        own = usual_s[address]
        settled = max((left[each] for each in late[address]), default=0.0)
        known = max((left[each] for each in early[address]), default=0.0)
        left[address] = max(own + settled, min(own, _KNOWN_S) + known)
    return left


def _longest(nodes: Sequence[Node], seconds: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """The longest chain: its seconds, and its addresses in order."""
    settled: dict[str, tuple[float, tuple[str, ...]]] = {}
    known: dict[str, tuple[float, tuple[str, ...]]] = {}
    by_address = {node.address: node for node in nodes}
    graph = {node.address: node.after_outputs | node.after_settled for node in nodes}
    for address in TopologicalSorter(graph).static_order():
        node = by_address[address]
        before = [known[need] for need in node.after_outputs] + [settled[need] for need in node.after_settled]
        begins_s, path = max(before, default=(0.0, ()))
        settled[address] = begins_s + seconds[address], (*path, address)
        known[address] = begins_s + min(seconds[address], _KNOWN_S), (*path, address)
    return max(settled.values(), default=(0.0, ()))
