"""Rules of security groups that let the world through together: of two halves of it the whole.

Rules meet where direction and protocol are the same and they share a port: who holds each, and which group it is in, is
nothing to whoever comes through.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network

from tapctl.reconcilers.prefix_lists import is_prefix_list
from tapctl.reconcilers.security_group_rule import ANY_PROTOCOL, Rule
from tapctl.safety.open_networks import Span, may_open, open_networks

_ANY_PORT = -1


@dataclass(frozen=True)
class Part:
    """A rule, with where it stands (a group, a waiver's place) and the blocks of addresses that it lets through."""

    holder: str
    rule: Rule
    blocks: tuple[str, ...]

    @cached_property
    def spans(self) -> frozenset[Span]:
        """The blocks as spans."""
        return frozenset(map(Span.of, self.blocks))

    @cached_property
    def opened(self) -> frozenset[str]:
        """The networks as open as the internet that it lets through alone."""
        return frozenset(open_networks(self.blocks))


def part_of(holder: str, rule: Rule, lists: Mapping[str, Collection[str]] | None = None) -> Part:
    """The part that this rule is. ``lists``: what the prefix lists hold; one that is not among them lets nobody in."""
    if is_prefix_list(rule.peer):
        return Part(holder, rule, tuple((lists or {}).get(rule.peer, ())))
    try:
        return Part(holder, rule, (str(ip_network(rule.peer, strict=False)),))
    except ValueError:  # a group
        return Part(holder, rule, ())


def open_together(parts: Iterable[Part]) -> Iterator[tuple[Rule, Sequence[Part]]]:
    """List what of the world several rules open, where none does alone: as one rule would, and which they are."""
    told = [one for one in parts if one.blocks]
    if not may_open(sorted(span for one in told for span in one.spans)):
        return
    points = {(one.rule.direction, one.rule.protocol, one.rule.from_port): one.rule for one in told}
    passages: dict[tuple[str, str], _Passage] = {}
    for (direction, protocol, port), at in sorted(points.items()):
        if (direction, protocol) not in passages:
            passages[direction, protocol] = _Passage(told, direction, protocol)
        passage = passages[direction, protocol]
        if not passage.may_open(port):
            continue
        meeting = passage.meeting(port)
        for network in open_networks(block for one in meeting for block in one.blocks):
            if any(network in one.opened for one in meeting):
                continue
            makers = [*_makers(meeting, Span.of(network))]
            ports = [(one.rule.from_port, one.rule.to_port) for one in makers if _has_ports(one.rule, at)]
            # All others are told at a port of their own.
            if max((first for first, _ in ports), default=None) == at.from_port:
                end = min(last for _, last in ports)
                yield at.model_copy(update={"peer": network, "to_port": end, "description": ""}), makers


class _Passage:
    """The rules of one direction and protocol, and those of any protocol, in order once for all ports."""

    def __init__(self, parts: Iterable[Part], direction: str, protocol: str) -> None:
        self._parts = [
            (*_ports(one.rule, protocol), one)
            for one in parts
            if one.rule.direction == direction and one.rule.protocol in (protocol, ANY_PROTOCOL)
        ]
        self._spans = sorted((span, first, last) for first, last, one in self._parts for span in one.spans)

    def may_open(self, port: int) -> bool:
        """False if what comes to this port is of too few addresses, wherever they are."""
        return may_open(span for span, first, last in self._spans if first <= port <= last)

    def meeting(self, port: int) -> list[Part]:
        """The rules that let through what comes to this port."""
        return [one for first, last, one in self._parts if first <= port <= last]


def _ports(rule: Rule, protocol: str) -> tuple[int, float]:
    """The ports of this protocol that the rule lets through, both ends included; of ICMP its type, at least."""
    if rule.protocol != protocol or rule.from_port == _ANY_PORT:
        return _ANY_PORT, math.inf
    return rule.from_port, max(rule.from_port, rule.to_port)


def _has_ports(rule: Rule, at: Rule) -> bool:
    return rule.protocol == at.protocol and (rule.from_port != _ANY_PORT or at.from_port == _ANY_PORT)


def _makers(meeting: Sequence[Part], world: Span) -> Iterator[Part]:
    """The parts without which less of the network would be open: not those inside a larger one."""
    inside = {span for one in meeting for span in one.spans if span.is_in(world)}
    largest: set[Span] = set()
    end = -1
    for span in sorted(inside, key=lambda span: (span.first, -span.last)):
        if span.last > end:
            largest.add(span)
            end = span.last
    return (one for one in meeting if not largest.isdisjoint(one.spans))
