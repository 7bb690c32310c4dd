"""What a rule is: a small function around one operation, which makes moto's answer the real AWS's.

A rule gets the decoded call and what comes after it. It may change ``call.params`` before it goes on, answer by
itself, raise `Fault`, change the reply, or correct what moto keeps. Times, refusals while busy, and answers that are
lost are rules like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapctl.sandbox.emulator.simulation import Life

Reply = dict[str, Any]
Proceed = Callable[[], Reply]


class Fault(Exception):  # not an error of ours: AWS's refusal, as it goes over the wire
    """AWS refuses: the code as it stands on the wire, and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Call:
    """One request, decoded by the service model. ``send`` asks moto (never the rules) and raises its `Fault`.

    ``life`` is the time that passes in this AWS.
    """

    service: str
    operation: str
    params: dict[str, Any]
    region: str
    account: str
    send: Callable[[str, str, Mapping[str, Any]], Reply]
    life: Life

    @property
    def partition(self) -> str:
        """The partition that the region is in: ``aws``, ``aws-cn``, ``aws-us-gov``."""
        from moto.utilities.utils import get_partition

        return get_partition(self.region)

    def ask(self, operation: str, **params: Any) -> Reply:
        """Another operation of the same service, straight from moto."""
        return self.send(self.service, operation, params)

    def moto(self, service: str, region: str | None = None) -> Any:
        """What moto keeps for a service (by moto's name for it); ``region`` is ``aws`` for a global one."""
        from moto.backends import get_backend

        backends: Any = get_backend(service)  # type: ignore[call-overload]  # moto types each name apart
        return backends[self.account][region or self.region]

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


Rule = Callable[[Call, Proceed], Reply]


def kept(thing: Any) -> dict[str, Any]:
    """What the rules keep about one of moto's objects: it goes when the object goes."""
    notes: dict[str, Any] = vars(thing).setdefault("kept_by_rules", {})
    return notes


@dataclass
class Rules:
    """The rules of one service. A rule's name is ``service.function_name``; the first one registered is outermost."""

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


class RuleBook:
    """All rules but those disabled by name."""

    def __init__(self, rules: Iterable[Rules], disabled: Collection[str] = ()) -> None:
        self._by_call: dict[tuple[str, str], list[Rule]] = {}
        names: set[str] = set()
        for one in rules:
            for operation, named in one.by_operation.items():
                names.update(name for name, _ in named)
                kept_on = [rule for name, rule in named if name not in disabled]
                if kept_on:
                    self._by_call.setdefault((one.service, operation), []).extend(kept_on)
        unknown = set(disabled) - names
        if unknown:
            raise ValueError(f"there is no rule named {', '.join(sorted(unknown))}")

    def concerns(self, service: str, operation: str) -> bool:
        """Whether any rule is about this operation."""
        return (service, operation) in self._by_call

    def answer(self, call: Call) -> Reply:
        """The reply to this call, through all its rules and then moto.

        Raises:
            Fault: AWS refuses.
        """
        rules = self._by_call.get((call.service, call.operation), [])

        def after(at: int) -> Reply:
            if at == len(rules):
                return call.send(call.service, call.operation, call.params)
            return rules[at](call, lambda: after(at + 1))

        return after(0)
