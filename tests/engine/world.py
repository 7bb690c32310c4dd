"""A tiny cloud in memory, a clock whose waits pass at once, and a journal: what the engine is tested on.

The cloud is obedient and immediate; what makes it hard to live with is composed from `tests.engine.traits`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tapctl.engine.model import Observed, Outputs, Owner, Pending, Reconciler, Retained, Spec, address
from tapctl.engine.ownership import Claimant
from tapctl.engine.polling import EngineContext
from tapctl.engine.record import Entry
from tapctl.errors import AlreadyExists
from tests.support.engine_clock import VirtualClock

OURS = Owner.ours("dev", "dev")
THEIRS = Owner("terraform", "shop")
CLAIMANT = Claimant(OURS, lambda _, __: True)
"""Ours, where every name is one of ours."""


@dataclass
class Thing:
    """A resource as the cloud has it."""

    spec: Any
    outputs: Outputs | None
    owner: Owner | None
    made_at: float = 0
    changed_at: float = 0
    before: Any = None
    """The spec before its last change."""
    going_since: float | None = None
    kept: Retained | None = None
    failed: str | None = None
    pending: Mapping[str, Pending] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    residents: frozenset[str] = frozenset()


Seen = Observed[Any, Any]


@dataclass(frozen=True)
class Call:
    """A changing call, with its number (from 1) among those of its kind on this thing."""

    verb: str
    address: str
    number: int


class Trait:
    """A way in which a cloud is hard to live with. Each hook may raise what AWS would."""

    def before(self, call: Call, world: World) -> None:
        """The call comes in; nothing has been done yet."""

    def ignores(self, call: Call) -> bool:
        """Say whether the call is answered and nothing is done."""
        return False

    def after(self, call: Call, world: World) -> None:
        """Step in after a call was done; the answer is on its way."""

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        """Choose what a look shows in place of ``seen``."""
        return seen


class World:
    """The cloud, the journal and the clock of one test. It is the engine's ``aws`` as well."""

    def __init__(self, *traits: Trait) -> None:
        self.clock = VirtualClock()
        self.traits = list(traits)
        self.things: dict[str, Thing] = {}
        self.made: Counter[str] = Counter()
        self.holds: dict[str, float] = {}
        """Until when something of a removed thing lingers."""
        self.asked: Counter[tuple[str, str]] = Counter()
        self.looks: Counter[str] = Counter()
        self.rounds: list[Mapping[str, tuple[str, ...]]] = []
        self.log: list[str] = []
        """The history, in order: accepted calls, and records that became durable."""
        self.journal = FakeJournal(self)
        self.moment: Callable[[], None] = lambda: None
        """Called before and after every changing call and every write of the record."""
        self.lock = threading.RLock()

    def context(self) -> EngineContext:
        """Make the context that the loops of one run work with."""
        return EngineContext(self, CLAIMANT, self.journal, self.clock)

    # -- as AWS ------------------------------------------------------------------------------------------------------

    def memoized(self, ids: Mapping[str, tuple[str, ...]]) -> World:
        self.rounds.append(ids)
        return self

    def afresh(self) -> World:
        return self

    def observe(self, rec: Reconciler[Any, Any], id: str) -> Seen | None:
        here = address(rec.type, id)
        with self.lock:
            self.looks[here] += 1
            thing = self.things.get(here)
            seen = None if thing is None else _shown(thing)
            for trait in self.traits:
                seen = trait.sight(here, thing, seen, self)
            return seen

    def create(self, rec: Reconciler[Any, Any], id: str, thing: Thing) -> None:
        here = address(rec.type, id)

        def effect() -> None:
            there = self.things.get(here)
            if there is not None and there.kept is not None:
                there.going_since = there.kept = None
                return
            if there is not None and rec.create_is_repeatable:
                raise AlreadyExists(f"{here} exists already")
            self.made[here] += 1
            self.things[here] = replace(thing, made_at=self.clock.now(), changed_at=self.clock.now())

        self._change("create", here, effect)

    def update(self, rec: Reconciler[Any, Any], id: str, changes: Mapping[str, Any]) -> None:
        here = address(rec.type, id)

        def effect() -> None:
            thing = self.things[here]
            thing.before, thing.changed_at = thing.spec, self.clock.now()
            thing.spec, thing.failed = thing.spec.model_copy(update=dict(changes)), None

        self._change("update", here, effect)

    def delete(self, rec: Reconciler[Any, Any], id: str, kept: Retained | None = None) -> None:
        """Gone at once; with ``kept`` it is going until that date."""
        here = address(rec.type, id)

        def effect() -> None:
            if kept is None:
                del self.things[here]
            else:
                self.things[here].going_since, self.things[here].kept = self.clock.now(), kept

        self._change("delete", here, effect)

    def _change(self, verb: str, here: str, effect: Callable[[], None]) -> None:
        with self.lock:
            self.moment()
            self.asked[verb, here] += 1
            call = Call(verb, here, self.asked[verb, here])
            for trait in self.traits:
                trait.before(call, self)
            if not any(trait.ignores(call) for trait in self.traits):
                effect()
            self.log.append(f"{verb} {here}")
            for trait in self.traits:
                trait.after(call, self)
            self.moment()

    # -- for tests ---------------------------------------------------------------------------------------------------

    def put(self, rec: Reconciler[Any, Any], id: str, spec: Spec, **more: Any) -> Thing:
        """Put such a thing there, beforehand."""
        here = address(rec.type, id)
        owner = more.pop("owner", OURS)
        self.things[here] = Thing(spec, more.pop("outputs", _identity(rec, here)), owner, **more)
        self.made[here] += 1
        return self.things[here]

    @property
    def calls(self) -> list[str]:
        """The changing calls that were accepted."""
        return [one for one in self.log if not one.startswith("record")]


def _identity(rec: Reconciler[Any, Any], here: str) -> Outputs:
    return rec.outputs(**{name: f"{name}:{here}" for name in rec.outputs.model_fields})


def _shown(thing: Thing) -> Seen:
    going = thing.going_since is not None
    return Observed(
        spec=thing.spec,
        outputs=thing.outputs,
        settled=not going and thing.failed is None,
        deleting=going,
        failure=thing.failed,
        status="deleting" if going else "failed" if thing.failed else "available",
        owner=thing.owner,
        pending=thing.pending,
        unreadable=thing.unread,
        retained=thing.kept,
        members=thing.residents,
    )


class FakeJournal:
    """The durable record, and the order in which it became so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entries: dict[str, Entry] = {}

    def put(self, *entries: Entry) -> None:
        for entry in entries:
            if self.entries.get(entry.address) != entry:
                self.world.moment()
                self.entries[entry.address] = entry
                self.world.log.append(f"record {entry.address} {entry.phase.value}")
                self.world.moment()

    def drop(self, *addresses: str) -> None:
        for here in addresses:
            if here in self.entries:
                self.world.moment()
                del self.entries[here]
                self.world.log.append(f"record {here} gone")
                self.world.moment()
