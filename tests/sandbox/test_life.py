from __future__ import annotations

import math
from types import SimpleNamespace

from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Life


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_at_scale_one_an_aws_second_is_one_of_the_clocks() -> None:
    clock, thing = Clock(), SimpleNamespace()
    life = Life(clock, 1.0)
    life.begin(thing, "made")
    assert life.since(thing, "made") == 0
    assert not life.after(thing, "made", 3)
    clock.seconds += 3
    assert life.after(thing, "made", 3)
    assert not life.after(thing, "made", 3.5)


def test_at_a_smaller_scale_it_is_shorter() -> None:
    clock, thing = Clock(), SimpleNamespace()
    life = Life(clock, 1 / 300)
    life.begin(thing, "made")
    clock.seconds += 1
    assert math.isclose(life.since(thing, "made"), 300)


def test_at_scale_nought_everything_is_long_past() -> None:
    thing = SimpleNamespace()
    life = Life()
    life.begin(thing, "made")
    assert life.after(thing, "made", 30 * 24 * 3600)


def test_what_was_made_in_no_time_is_old_when_time_begins() -> None:
    thing = SimpleNamespace()
    life = Life(Clock(), 0.0)
    life.begin(thing, "made")
    life.scale = 1.0
    assert life.after(thing, "made", 30 * 24 * 3600)


def test_what_never_happened_is_long_past() -> None:
    assert Life(Clock(), 1.0).since(SimpleNamespace(), "made") == math.inf


def test_what_is_demanded_happens_once_each() -> None:
    life = Life()
    life.demand("rds.cluster", "failed", "incompatible-network")
    assert [life.demanded("rds.cluster") for _ in range(3)] == ["failed", "incompatible-network", ""]
    assert life.demanded("rds.instance") == ""


def test_a_new_account_has_no_demands() -> None:
    sandbox = Sandbox()
    sandbox.life.demand("rds.cluster", "failed")
    sandbox.reset()
    assert sandbox.life.demanded("rds.cluster") == ""
