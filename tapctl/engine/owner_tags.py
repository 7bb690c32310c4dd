"""The keys of the tags that name a resource's owner, and the name of ours."""

from __future__ import annotations

from typing import Final

OWNER_TAG: Final = "ManagedBy"
SUFFIX_TAG: Final = "EnvironmentSuffix"
ENVIRONMENT_TAG: Final = "Environment"
REGION_TAG: Final = "tapctl:region"
"""Of what has one name in all regions (a role): the region that it is of."""
MANAGED_BY: Final = "tapctl"
