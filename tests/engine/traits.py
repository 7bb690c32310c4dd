"""Traits that make a cloud hard to live with, a class each; a `World` is given any of them together.

``on`` is the address it is about; empty: every one. Calls and looks are counted from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from tapctl.engine.model import Owner
from tapctl.errors import AwsNoAnswer, AwsRefused, NotYet, Patience
from tests.engine.world import Call, Seen, Thing, Trait, World


def lost(operation: str = "Look", code: str = "InternalFailure") -> AwsNoAnswer:
    return AwsNoAnswer("fake", operation, code, "no usable answer")


def refused(code: str = "ValidationError") -> AwsRefused:
    return AwsRefused("fake", "Call", code, "no")


@dataclass
class Slow(Trait):
    """Creating and changing take these seconds; for ``lag`` a change does not even show as begun."""

    creating: float = 0
    changing: float = 0
    lag: float = 0

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if thing is None or seen is None or seen.deleting:
            return seen
        now = world.clock.now()
        if now < thing.made_at + self.creating:
            return replace(seen, settled=False, status="creating")
        if thing.before is None:
            return seen
        if now < thing.changed_at + self.lag:
            return replace(seen, spec=thing.before)
        working = now < thing.changed_at + self.lag + self.changing
        return replace(seen, settled=False, status="modifying") if working else seen


@dataclass
class SlowDelete(Trait):
    """A removed thing stays, going, for these seconds; for ``lag`` that does not even show."""

    seconds: float
    lag: float = 0
    was: dict[str, Thing] = field(default_factory=dict)

    def before(self, call: Call, world: World) -> None:
        if call.verb == "delete":
            self.was[call.address] = world.things[call.address]

    def after(self, call: Call, world: World) -> None:
        if call.verb == "delete":
            world.things[call.address] = replace(self.was[call.address], going_since=world.clock.now())

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if seen is None or thing is None or thing.going_since is None:
            return seen
        if world.clock.now() < thing.going_since + self.lag:
            return replace(seen, deleting=False, settled=True, status="available")
        if world.clock.now() < thing.going_since + self.seconds:
            return seen
        del world.things[here]
        return None


@dataclass
class Shy(Trait):
    """A new thing does not show for these seconds."""

    seconds: float

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        return None if thing is None or world.clock.now() < thing.made_at + self.seconds else seen


@dataclass
class ShyTags(Trait):
    """Shows the owner's tags of what was made only after these seconds."""

    seconds: float

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if thing is None or seen is None or world.clock.now() >= thing.made_at + self.seconds:
            return seen
        return replace(seen, owner=None)


@dataclass
class LateOutputs(Trait):
    """Tells identity only after these seconds."""

    seconds: float

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if thing is None or seen is None or world.clock.now() >= thing.made_at + self.seconds:
            return seen
        return replace(seen, outputs=None)


@dataclass
class HalfVisible(Trait):
    """A change of this field shows only after these seconds."""

    field: str
    seconds: float

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if thing is None or seen is None or thing.before is None:
            return seen
        if world.clock.now() >= thing.changed_at + self.seconds:
            return seen
        return replace(seen, spec=seen.spec.model_copy(update={self.field: getattr(thing.before, self.field)}))


@dataclass
class Looks(Trait):
    """Numbered looks that show what ``change`` makes of what is there; or that nobody answers."""

    at: Collection[int]
    change: Callable[[Seen | None], Seen | None]
    on: str = ""

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        return self.change(seen) if self.on in ("", here) and world.looks[here] in self.at else seen


def shows(**changes: Any) -> Callable[[Seen | None], Seen | None]:
    """Show what is there, but for these fields of its spec."""

    def change(seen: Seen | None) -> Seen | None:
        return None if seen is None else replace(seen, spec=seen.spec.model_copy(update=changes))

    return change


def nothing(_: Seen | None) -> Seen | None:
    return None


def no_answer(_: Seen | None) -> Seen | None:
    raise lost()


@dataclass
class Deaf(Trait):
    """Answers these calls and does nothing; every one where none is named."""

    verb: str
    numbers: Collection[int] = ()

    def ignores(self, call: Call) -> bool:
        return call.verb == self.verb and (not self.numbers or call.number in self.numbers)


@dataclass
class Flapping(Trait):
    """A field that somebody puts back, ``delay`` seconds after each of our changes."""

    field: str
    value: object
    delay: float

    def after(self, call: Call, world: World) -> None:
        def back() -> None:
            thing = world.things[call.address]
            thing.spec = thing.spec.model_copy(update={self.field: self.value})

        if call.verb == "update":
            world.clock.at(world.clock.now() + self.delay, back)


@dataclass
class Lossy(Trait):
    """The answer to these calls is lost: after they took effect, or before."""

    verb: str
    numbers: Collection[int]
    took_effect: bool
    code: str = "InternalFailure"

    def before(self, call: Call, world: World) -> None:
        if not self.took_effect:
            self.lose(call)

    def after(self, call: Call, world: World) -> None:
        if self.took_effect:
            self.lose(call)

    def lose(self, call: Call) -> None:
        if call.verb == self.verb and call.number in self.numbers:
            raise lost(call.verb, self.code)


@dataclass
class Refusing(Trait):
    """Refuses these calls until that moment: not yet (of that kind), or with AWS's own error."""

    verb: str
    why: Patience | Exception
    until: float = float("inf")
    said: AwsRefused | None = None
    """AWS's own words, where "not yet" was made of them."""

    def before(self, call: Call, world: World) -> None:
        if call.verb == self.verb and world.clock.now() < self.until:
            if not isinstance(self.why, Patience):
                raise self.why
            raise NotYet(f"{call.verb} is refused for now", self.why) from self.said


@dataclass
class Failing(Trait):
    """AWS gives up on what was made or changed, after these seconds."""

    reason: str
    after_s: float
    verbs: Collection[str] = ("create",)

    def after(self, call: Call, world: World) -> None:
        def fail() -> None:
            world.things[call.address].failed = self.reason

        if call.verb in self.verbs:
            world.clock.at(world.clock.now() + self.after_s, fail)


@dataclass
class Stranger(Trait):
    """Just before our create comes in, somebody else makes a thing of that name; it shows after ``shy`` seconds."""

    thing: Thing
    shy: float = 0

    def before(self, call: Call, world: World) -> None:
        if call.verb == "create" and call.address not in world.things:
            world.things[call.address] = replace(self.thing, made_at=world.clock.now())

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        return None if thing is None or world.clock.now() < thing.made_at + self.shy else seen


def owned_by(owner: Owner | None) -> Callable[[Seen | None], Seen | None]:
    """Show what is there, with these owner tags."""
    return lambda seen: None if seen is None else replace(seen, owner=owner)


def unread(**fields: str) -> Callable[[Seen | None], Seen | None]:
    """Show what is there, but that these fields are denied by these actions."""
    return lambda seen: None if seen is None else replace(seen, unreadable=fields)


@dataclass
class Until(Trait):
    """Before that moment, looks show what ``change`` makes of what is there."""

    moment: float
    change: Callable[[Seen | None], Seen | None]

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        return self.change(seen) if world.clock.now() < self.moment else seen


@dataclass
class OnceAfter(Trait):
    """A single look, from that moment on, that shows what ``change`` makes of what is there."""

    moment: float
    change: Callable[[Seen | None], Seen | None]
    shown: bool = False

    def sight(self, here: str, thing: Thing | None, seen: Seen | None, world: World) -> Seen | None:
        if self.shown or world.clock.now() < self.moment:
            return seen
        self.shown = True
        return self.change(seen)


def at_work(failed: str | None = None) -> Callable[[Seen | None], Seen | None]:
    """Show what is there, but AWS is at work on it, or gave it up."""

    def change(seen: Seen | None) -> Seen | None:
        return seen and replace(seen, deleting=False, settled=False, failure=failed, status="modifying")

    return change
