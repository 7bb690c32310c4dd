"""Whole commands in this process, against the embedded AWS with networking and images of all environments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tapctl.sandbox.emulator.app import Sandbox
from tests.stories.door import Door
from tests.stories.world import World, new_world
from tests.support.served import served


@pytest.fixture(scope="session")
def door(sandbox_app: Sandbox) -> Iterator[Door]:
    """A second address of this process's embedded AWS, at which somebody counts."""
    counting = Door(sandbox_app)
    with served(counting) as counting.url:
        yield counting


@pytest.fixture
def world(door: Door, tmp_path: Path) -> Iterator[World]:
    """A folder with the shipped environments before an embedded AWS that nobody has used."""
    with pytest.MonkeyPatch.context() as patch:
        yield new_world(door, tmp_path, patch)


@pytest.fixture(scope="module")
def shared(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As ``world``, for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield new_world(door, tmp_path_factory.mktemp("world"), patch)


@pytest.fixture
def dev(world: World) -> World:
    """``world`` with dev applied."""
    world.standing()
    return world
