"""Whole commands that meet trouble, against the emulated AWS with networking and images of all environments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.door import Door
from tests.support.world import World, new_world


@pytest.fixture(scope="module")
def _deployed(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        world = new_world(door, tmp_path_factory.mktemp("world"), patch)
        world.deploy()
        yield world


@pytest.fixture
def dev(_deployed: World) -> Iterator[World]:
    """dev is applied, for all tests of a module: none may leave it changed."""
    _deployed.door.reset()
    yield _deployed
    _deployed.door.reset()
