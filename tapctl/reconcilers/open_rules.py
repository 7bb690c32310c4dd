"""Rules of security groups that let the world through together: of two halves of it the whole.

Rules meet where direction and protocol are the same and they share a port: who holds each, and which group it is in, is
nothing to whoever comes through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network

from tapctl.reconcilers.prefix_lists import is_prefix_list
from tapctl.reconcilers.security_group_rule import ANY_PROTOCOL, Rule
from tapctl.safety.open_networks import open_networks, share_of_world

_ANY_PORT = -1


@dataclass(frozen=True)
class Part:
    """A rule, with where it stands (a group, a waiver's place) and the blocks of addresses that it lets through."""

    holder: str
    rule: Rule
    blocks: tuple[str, ...]

    @cached_property
    def networks(self) -> frozenset[IPv4Network | IPv6Network]:
        """The blocks as networks."""
        return frozenset(ip_network(block, strict=False) for block in self.blocks)

    @cached_property
    def opened(self) -> frozenset[str]:
        """The networks as open as the internet that it lets through alone."""
        return frozenset(open_networks(self.blocks))

    @cached_property
    def share(self) -> float:
        """As `share_of_world`, of all its blocks."""
        return sum(map(share_of_world, self.blocks))


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
    if not _may_open(told):
        return
    points = {(one.rule.direction, one.rule.protocol, one.rule.from_port): one.rule for one in told}
    for _, at in sorted(points.items()):
        meeting = [one for one in told if _meets(one.rule, at)]
        if not _may_open(meeting):
            continue
        for network in open_networks(block for one in meeting for block in one.blocks):
            if any(network in one.opened for one in meeting):
                continue
            makers = [*_makers(meeting, ip_network(network))]
            ports = [(one.rule.from_port, one.rule.to_port) for one in makers if _has_ports(one.rule, at)]
            # All others are told at a port of their own.
            if max((first for first, _ in ports), default=None) == at.from_port:
                end = min(last for _, last in ports)
                yield at.model_copy(update={"peer": network, "to_port": end, "description": ""}), makers


def _may_open(parts: Iterable[Part]) -> bool:
    """False if these are too few addresses, wherever they are: most groups', asked without a look at each port."""
    return sum(one.share for one in parts) > 1


def _meets(rule: Rule, at: Rule) -> bool:
    """True if the rule lets through what comes to the first port of the other one."""
    if rule.direction != at.direction or rule.protocol not in (at.protocol, ANY_PROTOCOL):
        return False
    if not _has_ports(rule, at) or rule.from_port == at.from_port:
        return True
    return rule.from_port <= at.from_port <= rule.to_port


def _has_ports(rule: Rule, at: Rule) -> bool:
    return rule.protocol == at.protocol and (rule.from_port != _ANY_PORT or at.from_port == _ANY_PORT)


def _makers(meeting: Sequence[Part], network: IPv4Network | IPv6Network) -> Iterator[Part]:
    """The parts without which less of the network would be open: not those inside a larger one."""
    every = {block for one in meeting for block in one.networks if _is_in(block, network)}
    largest = {
        block
        for block in every
        if not any(block.supernet(new_prefix=length) in every for length in range(network.prefixlen, block.prefixlen))
    }
    return (one for one in meeting if not largest.isdisjoint(one.networks))


def _is_in(block: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(block, IPv4Network):
        return isinstance(other, IPv4Network) and block.subnet_of(other)
    return isinstance(other, IPv6Network) and block.subnet_of(other)
