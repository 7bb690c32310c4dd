from __future__ import annotations

import pytest

from tapctl.safety.open_networks import open_networks, opened_with, opens_world


@pytest.mark.parametrize(
    ("peer", "opens"),
    [
        ("0.0.0.0/0", True),
        ("0.0.0.0/1", True),
        ("64.0.0.0/7", True),
        ("64.0.0.0/8", False),
        ("::/0", True),
        ("2000::/15", True),
        ("2000::/16", False),
        ("pl-0123456789abcdef0", False),
    ],
)
def test_a_block_that_is_most_of_the_internet_is_no_less_open(peer: str, opens: bool) -> None:
    assert opens_world(peer) is opens


@pytest.mark.parametrize(
    ("blocks", "opened"),
    [
        ((), []),
        (("10.0.0.0/8", "52.216.0.0/15"), []),
        (("0.0.0.0/1", "128.0.0.0/1"), ["0.0.0.0/0"]),
        (("64.0.0.0/8", "65.0.0.0/8"), ["64.0.0.0/7"]),
        (("64.0.0.0/8", "66.0.0.0/9"), ["64.0.0.0/6"]),
        (("64.0.0.0/9", "66.0.0.0/9"), []),
        (("8.0.0.0/8", "9.0.0.0/9", "9.192.0.0/10"), ["8.0.0.0/7"]),
        (("64.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"), []),
        (("2000::/17", "2002::/32"), []),
        (("2400::/16", "2600::/32"), ["2400::/6"]),
        (("10.20.0.0/16", "0.0.0.0/0", "::/0"), ["0.0.0.0/0", "::/0"]),
        (("10.20.0.9/0",), ["0.0.0.0/0"]),
    ],
)
def test_blocks_that_are_the_internet_together_are_told_as_one(blocks: tuple[str, ...], opened: list[str]) -> None:
    assert [*open_networks(blocks)] == opened


def test_what_is_no_block_of_addresses_is_no_network() -> None:
    with pytest.raises(ValueError, match="junk"):
        [*open_networks(["10.0.0.0/8", "junk"])]


@pytest.mark.parametrize(
    ("peer", "others", "world"),
    [
        ("8.0.0.0/8", ["8.0.0.0/8", "9.0.0.0/8", "pl-1"], "8.0.0.0/7"),
        ("10.0.0.0/8", ["8.0.0.0/8", "9.0.0.0/8"], ""),
        ("0.0.0.0/2", ["0.0.0.0/2", "128.0.0.0/1"], "0.0.0.0/2"),
        ("0.0.0.0/0", ["8.0.0.0/8", "9.0.0.0/8"], ""),
        ("pl-1", ["8.0.0.0/8", "9.0.0.0/8"], ""),
        ("::/16", ["8.0.0.0/8", "9.0.0.0/8", "::/16"], ""),
    ],
)
def test_a_block_is_held_together_with_others(peer: str, others: list[str], world: str) -> None:
    assert opened_with(peer, others) == world
