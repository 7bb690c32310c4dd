from __future__ import annotations

import math
from types import SimpleNamespace

from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Simulation
from tests.support.clocks import VirtualClock


def test_at_scale_one_an_aws_second_is_one_of_the_clocks() -> None:
    clock, thing = VirtualClock(100.0), SimpleNamespace()
    simulation = Simulation(clock.now, 1.0)
    simulation.mark(thing, "made")
    assert simulation.since(thing, "made") == 0
    assert not simulation.elapsed(thing, "made", 3)
    clock.advance(3)
    assert simulation.elapsed(thing, "made", 3)
    assert not simulation.elapsed(thing, "made", 3.5)


def test_at_a_smaller_scale_it_is_shorter() -> None:
    clock, thing = VirtualClock(100.0), SimpleNamespace()
    simulation = Simulation(clock.now, 1 / 300)
    simulation.mark(thing, "made")
    clock.advance(1)
    assert math.isclose(simulation.since(thing, "made"), 300)


def test_at_scale_nought_everything_is_long_past() -> None:
    thing = SimpleNamespace()
    simulation = Simulation()
    simulation.mark(thing, "made")
    assert simulation.elapsed(thing, "made", 30 * 24 * 3600)


def test_what_was_made_in_no_time_is_old_when_time_begins() -> None:
    thing = SimpleNamespace()
    simulation = Simulation(VirtualClock(100.0).now, 0.0)
    simulation.mark(thing, "made")
    simulation.scale = 1.0
    assert simulation.elapsed(thing, "made", 30 * 24 * 3600)


def test_what_never_happened_is_long_past() -> None:
    assert Simulation(VirtualClock(100.0).now, 1.0).since(SimpleNamespace(), "made") == math.inf


def test_scripted_outcomes_happen_once_each() -> None:
    simulation = Simulation()
    simulation.script("rds.cluster", "failed", "incompatible-network")
    assert [simulation.next_outcome("rds.cluster") for _ in range(3)] == ["failed", "incompatible-network", ""]
    assert simulation.next_outcome("rds.instance") == ""


def test_a_new_account_has_no_scripts() -> None:
    sandbox = Sandbox()
    sandbox.simulation.script("rds.cluster", "failed")
    sandbox.reset()
    assert sandbox.simulation.next_outcome("rds.cluster") == ""
