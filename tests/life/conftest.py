"""Whole commands against an emulated AWS in which everything takes its time, three hundred times as fast."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tapctl.sandbox.emulator.simulation import Simulation
from tests.support.world import World

SCALE = 1 / 300


@pytest.fixture
def living(world: World) -> Iterator[World]:
    """``world``, in which things take their time."""
    sandbox = world.door.sandbox
    before = sandbox.simulation
    sandbox.simulation = Simulation(time.monotonic, SCALE)
    yield world
    sandbox.simulation = before
