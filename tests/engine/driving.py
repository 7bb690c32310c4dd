"""The engine's loops on the fake cloud: one resource, or a whole apply and destroy, one after another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tapctl.engine.converge import Job, converge
from tapctl.engine.delete import delete
from tapctl.engine.events import Finished, Progress, Released
from tapctl.engine.model import Impact, Reconciler
from tapctl.engine.observe import ObserveRequest, observe_all
from tapctl.engine.plan import Action, Change, Plan
from tapctl.engine.planner import make_plan
from tapctl.engine.polling import Emit, EngineContext
from tapctl.engine.record import Entry, Phase
from tapctl.engine.resources import AnyResource, Deletion, Stack, deletion_graph
from tests.engine.kinds import KINDS, LARGE, RANKS, SMALL, Plain, ThingSpec, resource
from tests.engine.world import CLAIMANT, Trait, World

Told = list[Released | Progress]


def quiet(_: Released | Progress) -> None:
    """Drop the event: nobody listens."""


def bring(
    world: World,
    one: AnyResource,
    action: Action = Action.CREATE,
    impact: Impact = Impact.NONE,
    entry: Entry | None = None,
    *,
    emit: Emit = quiet,
    context: EngineContext | None = None,
) -> Finished:
    """Converge one resource, permitted to do this."""
    job = Job(one, Change(one.address, one.type, one.id, action, impact=impact), entry)
    return converge(job, context or world.context(), emit)


def delete_until_gone(
    world: World,
    rec: Reconciler[Any, Any],
    id: str = "a",
    last: ThingSpec | None = None,
    entry: Entry | None = None,
    *,
    emit: Emit = quiet,
    context: EngineContext | None = None,
) -> Finished:
    """Remove one thing."""
    one = Deletion(f"{rec.type}/{id}", rec, id, last, entry)
    return delete(one, context or world.context(), emit)


def entry(rec: Reconciler[Any, Any], phase: Phase = Phase.MADE, id: str = "a", **more: Any) -> Entry:
    """The record of one thing."""
    return Entry(type=rec.type, id=id, phase=phase, spec=more.pop("spec", {}), **more)


def plan(world: World, stack: Stack, *, allowed: Collection[str] = ()) -> Plan:
    """Look at everything wanted and recorded, and compare."""
    entries = world.journal.entries
    looks = [ObserveRequest(one.reconciler, one.id, one.spec) for one in stack]
    looks += [ObserveRequest(KINDS[one.type], one.id, None) for here, one in entries.items() if here not in stack]
    return make_plan(stack, entries, observe_all(world, looks), CLAIMANT, KINDS, allowed=allowed)


def apply(world: World, stack: Stack, *, allowed: Collection[str] = ()) -> Plan:
    """Apply as the command does, but one resource after another."""
    found = plan(world, stack, allowed=allowed)
    for one in found.blocked:
        assert one.blocked is not None
        raise one.blocked
    context = world.context()
    before: Mapping[str, Entry] = dict(world.journal.entries)
    world.journal.put(*found.confirmed)
    world.journal.drop(*found.forgotten)
    context.outputs.update({here: dict(outputs) for here, outputs in found.outputs.items()})
    for one in found.work:
        if one.action is not Action.DELETE:
            converge(Job(stack[one.address], one, before.get(one.address)), context, quiet)
    going = [before[one.address] for one in found.to(Action.DELETE)]
    deletions = {
        record.address: Deletion(record.address, KINDS[record.type], record.id, None, record) for record in going
    }
    steps = deletion_graph(deletions.values(), RANKS)
    done: set[str] = set()
    while len(done) < len(steps):
        step = next(one for one in steps if one.address not in done and one.after_settled <= done)
        delete(deletions[step.address], context, quiet)
        done.add(step.address)
    return found


def large(world: World) -> AnyResource:
    """A small thing is there, a large one is wanted."""
    world.put(Plain(), "a", SMALL)
    return resource(Plain(), LARGE)


def there(kind: Plain, *traits: Trait, spec: ThingSpec = SMALL) -> World:
    """A world in which there is such a thing."""
    world = World(*traits)
    world.put(kind, "a", spec)
    return world
