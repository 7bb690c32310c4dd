"""Security groups of others that a resource of ours is in: whoever owns one decides what it lets through.

A group's id stays the same while its rules change, so that whoever has agreed to the group has not seen them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from tapctl.aws.answers import unusable
from tapctl.aws.rights import LISTS, Need, Right
from tapctl.reconcilers.open_rules import Part, open_together, part_of
from tapctl.reconcilers.prefix_lists import PREFIX_LISTS, blocks_in, is_prefix_list
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import rules_of
from tapctl.safety.open_networks import open_networks

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

ASKS_GROUPS: Final = (
    Right(Need.EXPOSURES, ("ec2:DescribeSecurityGroups",), why=LISTS),
    Right(Need.EXPOSURES, ("ec2:GetManagedPrefixListEntries",), (PREFIX_LISTS,)),
)
"""The rights that it takes to read them."""


def open_groups(
    aws: Aws, live: Collection[str], expected: Collection[str], is_way: Callable[[Rule], bool]
) -> frozenset[str]:
    """List the rules of groups that are not expected and that open the world: ``<group id> <rule>``; no call without.

    Where several rules do that together, those of our own groups among them: as one rule would that stands for all.
    ``is_way``: true of a rule by which the resource can be reached, or reaches others. The rules of our own group are
    compared where that one is.

    Raises:
        AwsRefused: EC2 does not show a group, or what a list holds: that of another account, which shares it.
        AwsNoAnswer: a rule does not tell whom it is for, or a group is not in the answer.
    """
    foreign = {*live} - {*expected}
    if not foreign:
        return frozenset()
    pages = aws.pages(aws.ec2.get_paginator("describe_security_groups"), GroupIds=sorted(live))
    groups = [group for page in pages for group in page["SecurityGroups"]]
    for left_out in sorted({*live} - {group["GroupId"] for group in groups}):
        raise unusable("ec2:DescribeSecurityGroups", f"{left_out} is left out")
    rules = [(group["GroupId"], rule) for group in groups for rule in filter(is_way, rules_of(group))]
    if any(not rule.peer for holder, rule in rules if holder in foreign):
        raise unusable("ec2:DescribeSecurityGroups", "a rule does not tell whom it lets through")
    lists = {peer: blocks_in(aws, peer) for peer in sorted({rule.peer for _, rule in rules}) if is_prefix_list(peer)}
    parts = [part_of(holder, rule, lists) for holder, rule in rules]
    alone = (_opened(one) for one in parts if one.holder in foreign)
    together = (
        f"{holder} {world}, by several rules"
        for world, makers in open_together(parts)
        for holder in {one.holder for one in makers} & foreign
    )
    return frozenset([*chain.from_iterable(alone), *together])


def _opened(part: Part) -> Iterator[str]:
    """The networks as open as the internet that the rule lets through by itself."""
    for network in open_networks(part.blocks):
        holds = f" holds {network}" if is_prefix_list(part.rule.peer) else ""
        yield f"{part.holder} {part.rule}{holds}"
