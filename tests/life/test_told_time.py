"""The time that a plan tells, against what applies then take, in an AWS whose times vary from one to the next."""

from __future__ import annotations

import random
import shutil
import time

import pytest

from tapctl.sandbox.emulator.simulation import Simulation
from tests.support.saved import Saved
from tests.support.world import World

LEARNT, REPLAYS = 3, 5
SCALE = 1 / 100


@pytest.mark.soak
def test_four_of_five_applies_take_a_time_within_the_range_that_was_told(living: World) -> None:
    chance = random.Random(10)  # noqa: S311 -- no secret
    furnished, told_and_took = Saved.now(), []
    for _ in range(LEARNT + REPLAYS):
        living.door.sandbox.reset()
        furnished.back()
        living.door.sandbox.simulation = Simulation(time.monotonic, SCALE * chance.uniform(0.7, 1.4))
        answer = living.applied("dev", "--json")
        ((estimate,), verdict) = answer.of_type("estimate"), answer.records[-1]
        told_and_took.append((estimate["low_s"], verdict["elapsed_s"], estimate["high_s"]))
        # The record goes; how long everything took stays.
        living.path().unlink()
        shutil.rmtree(living.path().parent / "history")
    replays = told_and_took[LEARNT:]
    assert sum(low_s <= took_s <= high_s for low_s, took_s, high_s in replays) >= 4, told_and_took
