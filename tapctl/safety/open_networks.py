"""Networks as open as the internet: a block of addresses that is all of it, or blocks that are so together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final, TypeVar

HTTPS: Final = 443
"""The one port by which the function may reach the whole internet."""
_WORLD: Final = {4: 7, 6: 15}
"""IP version to the longest prefix that stands for the world: a half of it is no less open."""
_Network = TypeVar("_Network", IPv4Network, IPv6Network)


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
    networks = [ip_network(block, strict=False) for block in blocks]
    yield from _open([*collapse_addresses(one for one in networks if isinstance(one, IPv4Network))])
    yield from _open([*collapse_addresses(one for one in networks if isinstance(one, IPv6Network))])


def _open(collapsed: Sequence[_Network]) -> Iterator[str]:
    """List what these networks of one version open, of which no two are side by side."""
    opened = [each for each in map(str, collapsed) if opens_world(each)]
    yield from opened
    public = [each for each in collapsed if each.is_global]
    if opened or not public:
        return
    # One that is not told alone has no more addresses than this.
    largest = 2 ** (public[0].max_prefixlen - _WORLD[public[0].version] - 1)
    if sum(each.num_addresses for each in public) > largest:
        around = public[0]
        while not all(_is_in(str(each), str(around)) for each in public):
            around = around.supernet()
        yield str(around)


def share_of_world(block: str) -> float:
    """The share that a block has of what opens the world together: blocks whose shares make at most 1 do not.

    Raises:
        ValueError: it is no block of addresses.
    """
    network = ip_network(block, strict=False)
    return float(2.0 ** (_WORLD[network.version] + 1 - network.prefixlen))


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
