"""Managed prefix lists: blocks of addresses under an id, which a rule names and whoever owns the list changes.

A list changes without its rules: what it holds by then was in no plan (VPC user guide, "Managed prefix lists").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tapctl.aws.answers import unusable
from tapctl.safety.open_networks import open_networks

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

PREFIX_LISTS: Final = "arn:{partition}:ec2:{region}:*:prefix-list/*"
"""A list may be AWS's own, or one that another account shares."""
NO_SUCH_LIST: Final = "InvalidPrefixListID.NotFound"
_MARK: Final = "pl-"


def is_prefix_list(peer: str) -> bool:
    """True if the peer of a rule is a prefix list."""
    return peer.startswith(_MARK)


def world_in(aws: Aws, prefix_list: str) -> list[str]:
    """List the networks by which this list is as open as the internet, alone or together; none for any other list.

    Raises:
        AwsRefused: EC2 does not tell: the list is gone, or shared with us no more.
        AwsNoAnswer: an entry is no block of addresses.
    """
    pages = aws.pages(aws.ec2.get_paginator("get_managed_prefix_list_entries"), PrefixListId=prefix_list)
    try:
        return [*open_networks(entry["Cidr"] for page in pages for entry in page["Entries"])]
    except ValueError:
        raise unusable("ec2:GetManagedPrefixListEntries", "an entry is no block of addresses") from None
