"""Driving one reconciler by the real engine, against the embedded AWS, in virtual time."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tapctl.aws.client import Aws
from tapctl.engine.converge import Job, converge
from tapctl.engine.delete import delete
from tapctl.engine.diff import compare
from tapctl.engine.events import Finished
from tapctl.engine.model import Impact, Observed, Owner, Reconciler, Spec, address
from tapctl.engine.ownership import Claimant
from tapctl.engine.plan import Action, Change
from tapctl.engine.polling import EngineContext
from tapctl.engine.record import Entry
from tapctl.engine.resources import Deletion, Resource
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.emulator.simulation import Simulation
from tests.reconcilers import cases
from tests.support.engine_clock import VirtualClock
from tests.support.saved import made_once

OWNER = Owner.ours("test", "dev")
CASES: Mapping[str, ModuleType] = {
    found.name: importlib.import_module(f"{cases.__name__}.{found.name}")
    for found in pkgutil.iter_modules(cases.__path__)
    if not found.name.startswith("_")
}


@dataclass
class Diary:
    """A record that is durable at once."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def put(self, *entries: Entry) -> None:
        self.entries.update({entry.address: entry for entry in entries})

    def drop(self, *addresses: str) -> None:
        for one in addresses:
            self.entries.pop(one, None)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Bench:
    """A reconciler under test, with its record and its world."""

    aws: Aws
    case: ModuleType
    sandbox: Sandbox
    world: dict[str, str] = field(default_factory=dict)
    diary: Diary = field(default_factory=Diary)
    steps: int = 0
    """Changing steps begun so far."""
    die_at: int | None = None
    """The process dies right before this step."""
    clock: VirtualClock = field(default_factory=VirtualClock)
    scale: float = 0.0
    """The seconds of this clock in a second of AWS's, once the world is prepared."""
    most: int | None = None
    """The number of examples that are tried; None: all."""

    @property
    def reconciler(self) -> Reconciler[Any, Any]:
        found: Reconciler[Any, Any] = self.case.RECONCILER
        return found

    @property
    def id(self) -> str:
        return str(self.case.ID)

    @property
    def address(self) -> str:
        return address(self.reconciler.type, self.id)

    @property
    def entry(self) -> Entry | None:
        return self.diary.entries.get(self.address)

    def fresh(self) -> list[Spec]:
        """An AWS that nobody has used but for what the examples refer to, and the examples."""
        self.sandbox.reset()
        self.diary, self.steps, self.die_at = Diary(), 0, None
        # What is there before anything is tried is there at once, and was there for long.
        self.world = dict(made_once(self.sandbox, self.case.__name__, lambda: self.case.prepare(self.aws)))
        self.sandbox.simulation = Simulation(self.clock.now, self.scale)
        found: list[Spec] = self.case.examples(self.world)
        return found[: self.most]

    def make_foreign(self) -> None:
        """Make the resource as somebody else would have, an hour ago."""
        self.case.foreign(self.aws, self.world)
        self.clock.seconds += 3600

    def look(self, expected: Spec | None) -> Observed[Any, Any] | None:
        return self.reconciler.observe(self.aws, self.id, expected)

    def context(self) -> EngineContext:
        return EngineContext(self.aws, Claimant(OWNER, lambda _, __: True), self.diary, self.clock, lease=self._lease)

    def _lease(self) -> None:
        if self.steps == self.die_at:
            raise Killed
        self.steps += 1

    def converge(self, want: Spec, action: Action = Action.REPLACE) -> Finished:
        out = self.reconciler.outputs(**dict.fromkeys(self.reconciler.outputs.model_fields, ""))
        resource: Resource[Any, Any] = Resource(self.reconciler, self.id, want, frozenset(), out)
        change = Change(self.address, self.reconciler.type, self.id, action, impact=Impact.REPLACE)
        return converge(Job(resource, change, self.entry), self.context(), lambda _event: None)

    def remove(self, last: Spec | None) -> Finished:
        leaving = Deletion(self.address, self.reconciler, self.id, last, self.entry)
        return delete(leaving, self.context(), lambda _event: None)

    def changing_calls(self) -> int:
        return sum(self.aws.call_log.changes.values())

    def replaces(self, have: Spec, want: Spec) -> bool:
        """True if getting from one spec to the other takes a replacement."""
        impacts = self.reconciler.impacts
        return any(impacts.get(name) is Impact.REPLACE for name in compare(want, have))
