"""Networks as open as the internet: a block of addresses that is all of it, or blocks that are so together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import chain
from typing import Final

HTTPS: Final = 443
"""The one port by which the function may reach the whole internet."""
_WORLD: Final = {4: 7, 6: 15}
"""IP version to the longest prefix that stands for the world: a half of it is no less open."""


def opens_world(peer: str) -> bool:
    """True if the peer is the whole internet, or so large a part of it that it makes no difference."""
    try:
        network = ip_network(peer)
    except ValueError:  # a group, a prefix list, or no peer at all
        return False
    return network.prefixlen <= _WORLD[network.version]


def open_networks(blocks: Iterable[str]) -> Iterator[str]:
    """List the networks that these blocks make together and that open the world: of two halves the whole.

    Raises:
        ValueError: one is no block of addresses.
    """
    networks = [ip_network(block, strict=False) for block in blocks]
    of_4 = collapse_addresses(one for one in networks if isinstance(one, IPv4Network))
    of_6 = collapse_addresses(one for one in networks if isinstance(one, IPv6Network))
    yield from filter(opens_world, map(str, chain(of_4, of_6)))


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
