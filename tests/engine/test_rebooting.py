"""Values that wait for a reboot get one where that is asked for: as the last step, once, and only if planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tapctl.engine.converge import Job, converge
from tapctl.engine.events import Finished, Result
from tapctl.engine.model import REBOOT, Impact, Observed, Pending
from tapctl.engine.plan import Action, Change, FieldChange
from tapctl.engine.planner import make_plan
from tapctl.engine.resources import Stack
from tapctl.errors import NotConverged, NotYet, Patience
from tests.engine.driving import bring, quiet, there
from tests.engine.kinds import KINDS, LARGE, SMALL, Plain, ThingOutputs, ThingSpec, resource
from tests.engine.world import CLAIMANT, OURS, Seen, Thing, Trait, World

WAITING = {"mode": Pending(REBOOT, "group: pending-reboot")}
LATER = {"mode": Pending("sun:05:00-sun:06:00")}


class Machine(Plain):
    """Can be rebooted."""

    applies_deferred = True

    def reboot(self, aws: World, id: str, want: ThingSpec) -> None:
        aws.update(self, id, {})


@dataclass
class Reboots(Trait):
    """Waiting values are in force so many seconds after a reboot, in which it is at work; ``deaf``: never."""

    seconds: float = 30
    deaf: bool = False
    shows_at: float = 0

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if thing is None or seen is None:
            return seen
        now, begun = world.clock.now(), thing.changed_at if world.asked["update", here] else None
        if begun is None or self.deaf or now < begun + 1:
            return replace(seen, pending=WAITING) if now >= self.shows_at else seen
        return replace(seen, settled=now >= begun + self.seconds)


def plan(pending: dict[str, Pending], *, reboot: bool, deferred: bool = False) -> Change:
    """The change of a machine that stands on a plain thing, on which something may be deferred until a reboot."""
    stack = Stack()
    stack.add(Plain(), "group", LARGE)
    machine = stack.add(Machine(), "m", SMALL, after=[stack["plain/group"]])
    out = ThingOutputs(arn="x")
    group = Observed(SMALL, out, owner=OURS, deferred_until={"size": REBOOT} if deferred else {})
    sights: dict[str, Any] = {"plain/group": group, machine.address: Observed(SMALL, out, owner=OURS, pending=pending)}
    return make_plan(stack, {}, sights, CLAIMANT, KINDS, reboot=reboot).changes[1]


def run(world: World, change: Action = Action.UPDATE, *, impact: Impact = Impact.RESTART) -> Finished:
    one = resource(Machine(), SMALL)
    return converge(
        Job(one, Change(one.address, one.type, one.id, change, impact=impact, reboots=True), None),
        world.context(),
        quiet,
    )


def test_without_the_option_a_pending_value_stays_pending() -> None:
    change = plan(WAITING, reboot=False)
    assert (change.action, change.pending, change.reboots) == (Action.NOTHING, WAITING, False)
    world = there(Machine(), Reboots())
    assert bring(world, resource(Machine(), SMALL), Action.SETTLE).result is Result.UNCHANGED
    assert world.calls == []


def test_a_plan_says_what_is_rebooted_and_that_it_is_a_restart() -> None:
    change = plan(WAITING, reboot=True)
    assert (change.action, change.impact, change.reboots) == (Action.UPDATE, Impact.RESTART, True)
    assert change.fields == (FieldChange("mode", "pending: group: pending-reboot", "in force", Impact.RESTART),)
    assert change.pending == {}


def test_a_value_that_waits_for_a_window_causes_no_reboot() -> None:
    change = plan(LATER, reboot=True)
    assert (change.action, change.pending) == (Action.NOTHING, LATER)


def test_a_change_that_waits_for_a_reboot_says_so_and_takes_what_needs_it_along() -> None:
    assert plan({}, reboot=True).action is Action.NOTHING
    change = plan({}, reboot=True, deferred=True)
    assert (change.action, change.impact, change.note) == (Action.UPDATE, Impact.RESTART, "it is rebooted")
    assert plan({}, reboot=False, deferred=True).action is Action.NOTHING
    assert FieldChange("size", "small", "large", until=REBOOT).cost == "deferred until reboot"


def test_a_due_reboot_happens_once_and_is_waited_for() -> None:
    world = there(Machine(), Reboots())
    assert run(world).result is Result.UPDATED
    assert world.calls == ["update plain/a"]
    assert 30 <= world.clock.now() < 35


def test_the_pending_value_may_show_late() -> None:
    world = there(Machine(), Reboots(shows_at=60))
    assert run(world).result is Result.UPDATED
    assert world.calls == ["update plain/a"]


def test_without_a_pending_value_there_is_no_reboot() -> None:
    world = there(Machine(), Reboots(shows_at=10_000))
    assert run(world).result is Result.UNCHANGED
    assert world.calls == []
    assert 120 <= world.clock.now() < 140


def test_a_reboot_that_does_not_show_is_not_repeated() -> None:
    world = there(Machine(), Reboots(deaf=True))
    with pytest.raises(NotConverged, match="did not get there in time") as caught:
        run(world)
    assert "the reboot does not show yet" in str(caught.value.evidence)
    assert world.calls == ["update plain/a"]


def test_a_reboot_that_is_not_possible_yet_is_waited_for() -> None:
    class Last(Machine):
        def reboot(self, aws: World, id: str, want: ThingSpec) -> None:
            if aws.clock.now() < 1000:
                raise NotYet("the readers first", Patience.LONG)
            super().reboot(aws, id, want)

    world = there(Last(), Reboots())
    one = resource(Last(), SMALL)
    change = Change(one.address, one.type, one.id, Action.UPDATE, impact=Impact.RESTART, reboots=True)
    converge(Job(one, change, None), world.context(), quiet)
    assert world.calls == ["update plain/a"]
    assert world.clock.now() > 1000


def test_updates_come_before_the_reboot() -> None:
    world = there(Machine(), Reboots())
    one = resource(Machine(), ThingSpec(size="large"))
    change = Change(one.address, one.type, one.id, Action.UPDATE, impact=Impact.RESTART, reboots=True)
    ended = converge(Job(one, change, None), world.context(), quiet)
    assert ended.result is Result.UPDATED
    assert world.calls == ["update plain/a"] * 2
    assert world.things["plain/a"].before == ThingSpec(size="large"), "the second one, the reboot, found it changed"


def test_a_type_without_reboots_raises() -> None:
    with pytest.raises(NotImplementedError):
        Plain().reboot(World(), "a", SMALL)
