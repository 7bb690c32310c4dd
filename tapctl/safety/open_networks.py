"""Networks as open as the internet: a block of addresses that is all of it, or blocks that are so together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final, NamedTuple, TypeVar

HTTPS: Final = 443
"""The one port by which the function may reach the whole internet."""
_WORLD: Final = {4: 7, 6: 15}
"""IP version to the longest prefix that stands for the world: a half of it is no less open."""
_WORLD_SIZE: Final = {4: 2 ** (32 - _WORLD[4]), 6: 2 ** (128 - _WORLD[6])}
"""IP version to the addresses of a block that stands for the world. Half as many public ones are told of no block."""
_Network = TypeVar("_Network", IPv4Network, IPv6Network)


class Span(NamedTuple):
    """The addresses of a block as numbers, both ends included; ``is_public``: others than ours may have them."""

    version: int
    first: int
    last: int
    is_public: bool

    @classmethod
    def of(cls, block: str) -> Span:
        """The span of this block.

        Raises:
            ValueError: it is no block of addresses.
        """
        network = _network(block)
        ends = int(network.network_address), int(network.broadcast_address)
        return cls(network.version, *ends, is_public=_is_public(network))

    def is_in(self, other: Span) -> bool:
        """True if the other one has all of its addresses."""
        return self.version == other.version and other.first <= self.first and self.last <= other.last


def opens_world(peer: str) -> bool:
    """True if the peer is the whole internet, or so large a part of it that it makes no difference."""
    try:
        network = ip_network(peer)
    except ValueError:  # a group, a prefix list, or no peer at all
        return False
    return network.prefixlen <= _WORLD[network.version]


def open_networks(blocks: Iterable[str]) -> Iterator[str]:
    """List the networks that these blocks make together and that open the world: of two halves the whole.

    Blocks with gaps between them do so, too, by the number of their public addresses: of these it is the network that
    has them all.

    Raises:
        ValueError: one is no block of addresses.
    """
    networks = {_network(block) for block in dict.fromkeys(blocks)}
    yield from _open([*collapse_addresses(one for one in networks if isinstance(one, IPv4Network))])
    yield from _open([*collapse_addresses(one for one in networks if isinstance(one, IPv6Network))])


def _open(collapsed: Sequence[_Network]) -> Iterator[str]:
    """List what these networks of one version open, of which no two are side by side."""
    opened = [each for each in collapsed if each.prefixlen <= _WORLD[each.version]]
    yield from map(str, opened)
    public = [each for each in collapsed if _is_public(each)]
    if opened or not public:
        return
    first, last = public[0], public[-1]
    # One that is not told alone has no more addresses than this.
    if sum(each.num_addresses for each in public) > _WORLD_SIZE[first.version] // 2:
        apart = int(first.network_address) ^ int(last.broadcast_address)
        yield str(first.supernet(new_prefix=first.max_prefixlen - apart.bit_length()))


@lru_cache(maxsize=4096)
def _network(block: str) -> IPv4Network | IPv6Network:
    return ip_network(block, strict=False)


@lru_cache(maxsize=4096)
def _is_public(network: IPv4Network | IPv6Network) -> bool:
    return network.is_global


def may_open(spans: Iterable[Span]) -> bool:
    """False if these spans, sorted, open nothing together: `open_networks` tells the same, and much later."""
    public = {4: 0, 6: 0}
    version, first, last, any_public = 4, 0, -1, False
    for span in spans:
        if span[0] == version and span[1] <= last + 1:
            last = max(last, span[2])
            any_public = any_public or span[3]
        else:
            public[version] += (last - first + 1) * any_public
            version, first, last, any_public = span
        if last - first >= _WORLD_SIZE[version] - 1:
            return True
    public[version] += (last - first + 1) * any_public
    return any(count > _WORLD_SIZE[each] // 2 for each, count in public.items())


def opened_with(peer: str, others: Iterable[str]) -> str:
    """The network as open as the internet that this peer makes up with these others; empty if there is none."""
    blocks = [each for each in others if _is_block(each)]
    worlds = [*open_networks(blocks)] if _is_block(peer) else []
    return next((world for world in worlds if _is_in(peer, world)), "")


def _is_in(block: str, world: str) -> bool:
    inner, outer = ip_network(block, strict=False), ip_network(world)
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    return inner.supernet(new_prefix=outer.prefixlen) == outer


def _is_block(peer: str) -> bool:
    try:
        ip_network(peer, strict=False)
    except ValueError:  # a group, a prefix list, or no peer at all
        return False
    return True
