"""Connections that an instance takes: what the alarm on them is a share of."""

from __future__ import annotations

import pytest

from tapctl.config.instance_classes import INSTANCE_CLASSES
from tapctl.stack.alarms import max_connections

_GIB = 1024**3
# Aurora user guide, "Hardware specifications for DB instance classes for Aurora".
MEMORY_GIB = {
    "db.t3.medium": 4,
    "db.t4g.large": 8,
    "db.r5.large": 16,
    "db.r5.24xlarge": 768,
    "db.r6g.xlarge": 32,
    "db.r6id.24xlarge": 768,
    "db.r8gd.large": 16,
    "db.x2g.large": 32,
    "db.x2g.xlarge": 64,
    "db.r9g.large": 16,
    "db.m9g.2xlarge": 32,
}


@pytest.mark.parametrize(("instance_class", "memory"), MEMORY_GIB.items())
def test_max_connections_is_a_little_less_than_the_formula_gives_for_all_of_the_memory(
    instance_class: str, memory: int
) -> None:
    """LEAST({DBInstanceClassMemory/9531392},5000), of which Aurora keeps a part of the memory for itself."""
    most = min(memory * _GIB // 9531392, 5000)
    assert 0.85 * most < max_connections(instance_class) <= most


@pytest.mark.parametrize("instance_class", INSTANCE_CLASSES)
def test_every_class_has_its_number(instance_class: str) -> None:
    assert 400 <= max_connections(instance_class) <= 5000
