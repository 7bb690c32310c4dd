"""Deletions that a plan or a destroy carries out, with what goes with each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tapctl.engine.model import Impact
from tapctl.engine.resources import Deletion
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import (
    reconciler_of,
    recorded_spec,
    subresources_of,
)


def planned_deletions(
    addresses: list[str], manifest: Manifest, impacts: Mapping[str, Impact] = MappingProxyType({})
) -> dict[str, Deletion]:
    """The deletions of the recorded resources at these addresses; a resource deleted with another one has none.

    ``impacts``: what each may cost at most; without them it goes whatever that costs.
    """
    entries = manifest.entries
    included = {child for address in addresses for child in subresources_of(entries[address], entries)}
    deletions = {}
    for address in addresses:
        if address not in included:
            entry = entries[address]
            subresources = subresources_of(entry, entries)
            deletions[address] = Deletion(
                address, reconciler_of(entry), entry.id, recorded_spec(entry), entry, subresources, impacts.get(address)
            )
    return deletions
