"""Managed prefix lists: blocks of addresses under an id, which a rule names and whoever owns the list changes.

A list changes without its rules: what it holds by then was in no plan (VPC user guide, "Managed prefix lists").
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from tapctl.aws.answers import unusable

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

PREFIX_LISTS: Final = "arn:{partition}:ec2:{region}:*:prefix-list/*"
"""A list may be AWS's own, or one that another account shares."""
NO_SUCH_LIST: Final = "InvalidPrefixListID.NotFound"
_MARK: Final = "pl-"


def is_prefix_list(peer: str) -> bool:
    """True if the peer of a rule is a prefix list."""
    return peer.startswith(_MARK)


def blocks_in(aws: Aws, prefix_list: str) -> list[str]:
    """List the blocks of addresses that this list holds, in their canonical form.

    Raises:
        AwsRefused: EC2 does not tell: the list is gone, or shared with us no more.
        AwsNoAnswer: an entry is no block of addresses.
    """
    pages = aws.pages(aws.ec2.get_paginator("get_managed_prefix_list_entries"), PrefixListId=prefix_list)
    try:
        return [str(ip_network(entry["Cidr"], strict=False)) for page in pages for entry in page["Entries"]]
    except ValueError:
        raise unusable("ec2:GetManagedPrefixListEntries", "an entry is no block of addresses") from None
