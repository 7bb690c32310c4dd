"""Rules: small functions around one AWS operation, which turn moto's answer into AWS's; and services made of them.

A rule gets the decoded request and a function that passes it on. The rule may change ``request.params`` first, answer
by itself, raise `ServiceError`, change the reply, or correct moto's state. Delays and refusals of a busy resource are
rules like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tapctl.sandbox.emulator.simulation import Simulation

Reply = dict[str, Any]
Next = Callable[[], Reply]
"""Passes a request on: to the next rule, or to moto after the last one."""


class ServiceError(Exception):
    """A refusal by AWS: the code as it stands on the wire, and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Request:
    """A request, decoded by the service model.

    ``send`` asks moto (never the rules) and raises its `ServiceError`.
    """

    service: str
    operation: str
    params: dict[str, Any]
    region: str
    account: str
    send: Callable[[str, str, Mapping[str, Any]], Reply]
    simulation: Simulation
    host: str = ""
    """The host and port that the request was sent to."""

    @property
    def partition(self) -> str:
        """The partition that the region is in: ``aws``, ``aws-cn``, ``aws-us-gov``."""
        from moto.utilities.utils import get_partition

        return get_partition(self.region)

    def call(self, operation: str, **params: Any) -> Reply:
        """Perform another operation of the same service, in moto itself."""
        return self.send(self.service, operation, params)

    def backend(self, service: str, region: str | None = None) -> Any:
        """Return moto's state of a service (by moto's name for it); a global service's region is its partition."""
        from moto.backends import get_backend

        by_name: Any = get_backend  # moto types each name apart
        backends = by_name(service)
        return backends[self.account][region or self.region]

    def arn(self, service: str, resource: str) -> str:
        """Build an ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


Rule = Callable[[Request, Next], Reply]


@dataclass
class Rules:
    """Rules of one service, named ``service.function_name``; the first one registered is outermost."""

    service: str
    by_operation: dict[str, list[tuple[str, Rule]]] = field(default_factory=dict)

    def __call__(self, *operations: str) -> Callable[[Rule], Rule]:
        """Register a rule for these operations."""

        def register(rule: Rule) -> Rule:
            name = f"{self.service}.{rule.__name__}"
            for operation in operations:
                self.by_operation.setdefault(operation, []).append((name, rule))
            return rule

        return register


@dataclass(frozen=True)
class Tags:
    """The tags of a service: its operations that return them, those that take them, the code of a refused key."""

    returned_by: tuple[str, ...]
    taken_by: tuple[str, ...] = ()
    refusal: str = ""
    reserved: tuple[str, ...] = ("aws:",)
    """Prefixes of the keys that only AWS itself sets."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """An AWS service: its own rules, and the facts that the rules for all services (stale reads, tags) work by."""

    name: str
    timing: tuple[Rules, ...] = ()
    """Rules of what takes time. They are outside of all contracts, in this order, the first outermost."""
    contract: tuple[Rules, ...] = ()
    """Rules of what AWS accepts, stores and returns, however long that takes."""
    throttling: str = "Throttling"
    """The error code for too many requests (the service's API reference, "Common errors")."""
    is_global: bool = False
    """True if the service has one state for the partition, none for each region."""
    stale_reads: tuple[str, ...] = ()
    """Reads that may miss one of the service's last `changes`; none where its own rules say when a change shows."""
    changes: tuple[str, ...] = ()
    tags: Tags | None = None
    indexed: tuple[str, ...] = ()
    """Operations after which the Resource Groups Tagging API is behind: they change tags, or remove their resource."""


class RuleBook:
    """All rules, by operation."""

    def __init__(self, rules: Iterable[Rules]) -> None:
        self._by_operation: dict[tuple[str, str], list[Rule]] = {}
        for group in rules:
            for operation, named in group.by_operation.items():
                self._by_operation.setdefault((group.service, operation), []).extend(rule for _, rule in named)

    def concerns(self, service: str, operation: str) -> bool:
        """Tell whether any rule is about this operation."""
        return (service, operation) in self._by_operation

    def answer(self, request: Request) -> Reply:
        """Pass a request through all its rules and then to moto.

        Raises:
            ServiceError: AWS refuses.
        """
        rules = self._by_operation.get((request.service, request.operation), [])

        def pass_on(at: int) -> Reply:
            if at == len(rules):
                return request.send(request.service, request.operation, request.params)
            return rules[at](request, lambda: pass_on(at + 1))

        return pass_on(0)
