"""Security groups of others that a resource of ours is in: whoever owns one decides what it lets through.

A group's id stays the same while its rules change, so that whoever has agreed to the group has not seen them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Final

from tapctl.aws.rights import LISTS, Need, Right
from tapctl.reconcilers.prefix_lists import PREFIX_LISTS, is_prefix_list, world_in
from tapctl.reconcilers.security_group_rules import Rule, rules_of
from tapctl.safety.open_networks import opens_world

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

    ``is_way``: true of a rule by which the resource can be reached, or reaches others. The rules of our own group are
    compared where that one is.

    Raises:
        AwsRefused: EC2 does not show a group, or what a list holds: that of another account, which shares it.
    """
    foreign = sorted({*live} - {*expected})
    if not foreign:
        return frozenset()
    pages = aws.pages(aws.ec2.get_paginator("describe_security_groups"), GroupIds=foreign)
    groups = [group for page in pages for group in page["SecurityGroups"]]
    return frozenset(
        f"{group['GroupId']} {rule}"
        for group in groups
        for one in filter(is_way, rules_of(group))
        for rule in _open(aws, one)
    )


def _open(aws: Aws, rule: Rule) -> Iterator[str]:
    if opens_world(rule.peer):
        yield str(rule)
    elif is_prefix_list(rule.peer):
        yield from (f"{rule} holds {network}" for network in world_in(aws, rule.peer))
