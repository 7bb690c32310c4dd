"""Whole commands in this process, against the emulated AWS with networking and images of all environments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.door import Door
from tests.support.world import World, new_world


@pytest.fixture(scope="module")
def shared(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As ``world``, for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield new_world(door, tmp_path_factory.mktemp("world"), patch)


@pytest.fixture
def dev(world: World) -> World:
    """``world`` with dev applied."""
    world.deploy()
    return world
