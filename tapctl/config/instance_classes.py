"""The instance classes that Aurora PostgreSQL has, by set, to catch slips offline; of newer ones a plan asks RDS.

Source: the Aurora user guide (2026), "Hardware specifications for DB instance classes for Aurora" for families, sizes
and memory, "Improving query performance for Aurora PostgreSQL with Aurora Optimized Reads" for r6gd, r6id and r8gd.
Which region has a class, RDS tells. Left out: ``db.serverless``, which needs a capacity range that the configuration
has not; r4 and t2, which belong to versions that can no longer be created.
"""

from __future__ import annotations

_LARGE = (
    *("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"),
    *("24xlarge", "32xlarge", "48xlarge"),
)
_TO_16 = _LARGE[:7]
_TO_48 = tuple(size for size in _LARGE if size != "32xlarge")

_FAMILIES = {
    "t3": ("medium", "large"),
    "t4g": ("medium", "large"),
    "r5": _LARGE[:8],
    "r6g": _TO_16,
    "r6gd": _TO_16[1:],
    "r6i": _LARGE[:9],
    "r6id": ("24xlarge", "32xlarge"),
    "r7g": _TO_16,
    "r7i": _TO_48,
    "r8g": _TO_48,
    "r8gd": _TO_48,
    "x2g": _TO_16,
}

INSTANCE_CLASSES = tuple(f"db.{family}.{size}" for family, sizes in _FAMILIES.items() for size in sizes)
