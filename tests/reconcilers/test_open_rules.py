"""Rules that open the world together are found, whoever holds them and however their ports overlap."""

from __future__ import annotations

import pytest

from tapctl.reconcilers.open_rules import open_together, part_of
from tapctl.reconcilers.security_group_rule import Rule

LISTS = {"pl-1": ["9.0.0.0/8", "10.20.0.0/16"], "pl-2": ["8.0.0.0/7"], "pl-3": ["::/16"]}


def rule(text: str) -> Rule:
    found = Rule.of_text(text)
    assert found is not None
    assert str(found) == text
    return found


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (["8.0.0.0/8 tcp/5432", "9.0.0.0/8 tcp/5432"], ["8.0.0.0/7 tcp/5432 of 8.0.0.0/8 9.0.0.0/8"]),
        (["8.0.0.0/8 tcp/5432", "9.0.0.0/8 tcp/5433"], []),
        (["8.0.0.0/8 tcp/5432", "9.0.0.0/8 udp/5432"], []),
        (["8.0.0.0/8 tcp/5432", "10.0.0.0/8 tcp/5432", "sg-1 tcp/5432", "::/16 tcp/5432"], []),
        (["8.0.0.0/8 tcp/5000-5500", "9.0.0.0/8 tcp/5400-6000"], ["8.0.0.0/7 tcp/5400-5500 of 8.0.0.0/8 9.0.0.0/8"]),
        (["8.0.0.0/8 all traffic", "9.0.0.0/8 tcp/22"], ["8.0.0.0/7 tcp/22 of 8.0.0.0/8 9.0.0.0/8"]),
        (["8.0.0.0/8 tcp/-1", "9.0.0.0/8 tcp/22"], ["8.0.0.0/7 tcp/22 of 8.0.0.0/8 9.0.0.0/8"]),
        (
            ["8.0.0.0/8 all traffic", "9.0.0.0/8 all traffic", "10.0.0.0/8 tcp/22"],
            ["8.0.0.0/7 all traffic of 8.0.0.0/8 9.0.0.0/8"],
        ),
        (
            ["8.0.0.0/8 tcp/1-9", "9.0.0.0/8 tcp/1-9", "10.0.0.0/8 tcp/5"],
            ["8.0.0.0/7 tcp/1-9 of 8.0.0.0/8 9.0.0.0/8"],
        ),
        # What one opens alone is told of that one, and what is inside a larger block adds nothing.
        (["0.0.0.0/0 tcp/443", "10.0.0.0/8 tcp/443", "pl-1 tcp/443"], []),
        (
            ["8.0.0.0/8 tcp/22", "9.0.0.0/8 tcp/22", "8.1.0.0/16 tcp/22"],
            ["8.0.0.0/7 tcp/22 of 8.0.0.0/8 9.0.0.0/8"],
        ),
        (["8000::/17 tcp/22", "8000:8000::/17 tcp/22"], []),
        (["8000::/16 tcp/22", "8001::/16 tcp/22"], ["8000::/15 tcp/22 of 8000::/16 8001::/16"]),
        (["8.0.0.0/8 tcp/22", "pl-1 tcp/22", "8000::/16 tcp/22"], ["8.0.0.0/7 tcp/22 of 8.0.0.0/8 pl-1"]),
        (["10.0.0.0/8 tcp/22", "pl-2 tcp/22", "pl-9 tcp/22"], []),
    ],
)
def test_rules_that_open_the_world_together(rules: list[str], told: list[str]) -> None:
    parts = [part_of(text.partition(" ")[0], rule(f"ingress {text}"), LISTS) for text in rules]
    outward = [part_of("out", rule(f"egress {text}"), LISTS) for text in rules[:1]]
    found = [
        f"{str(world).removeprefix('ingress ')} of {' '.join(one.holder for one in makers)}"
        for world, makers in open_together([*parts, *outward])
    ]
    assert found == told


@pytest.mark.parametrize("text", ["", "ingress", "ingress  tcp/1", "out 10.0.0.0/8 tcp/1", "ingress 10.0.0.0/8 tcp/x"])
def test_a_text_that_is_no_rule_is_none(text: str) -> None:
    assert Rule.of_text(text) is None
