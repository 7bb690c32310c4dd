"""The types of thing that the fake cloud knows: one plain reconciler, and what is special about some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tapctl.engine.model import (
    ALLOW,
    AT_LEAST_MINOR,
    UNSEEN,
    Impact,
    Leftovers,
    Observed,
    Outputs,
    Owner,
    Reconciler,
    Retained,
    Spec,
    Timing,
)
from tapctl.engine.resources import AnyResource, Stack
from tapctl.errors import NotYet, Patience
from tests.engine.world import Seen, Thing, World


class ThingSpec(Spec):
    size: str = "small"
    mode: Annotated[str, Field(max_length=20)] = "calm"
    zone: str = "a"
    version: Annotated[str, AT_LEAST_MINOR] = "16.8"
    link: str = ""
    limit: int | None = None
    tags: dict[str, str] = {}  # noqa: RUF012 -- pydantic copies it
    items: frozenset[str] = frozenset()


class ThingOutputs(Outputs):
    arn: str


class Plain(Reconciler[ThingSpec, ThingOutputs]):
    """Every field changes in place, all of them by one call, but for `zone`."""

    type = "plain"
    spec = ThingSpec
    outputs = ThingOutputs
    impacts: ClassVar[Mapping[str, Impact]] = {
        "zone": Impact.REPLACE,
        "mode": Impact.RESTART,
        "version": Impact.FAILOVER,
    }
    timing = Timing(create_s=5, delete_s=5, longest_s=1800)

    def observe(self, aws: World, id: str, expected: ThingSpec | None) -> Observed[ThingSpec, ThingOutputs] | None:
        seen: Seen | None = aws.observe(self, id)
        if seen is None or expected is None:
            return seen
        stand_ins = {name: getattr(expected, name) for name in seen.unreadable}
        return replace(seen, spec=seen.spec.model_copy(update=stand_ins))

    def create(self, aws: World, id: str, want: ThingSpec, owner: Owner) -> None:
        arn = f"arn:{self.type}/{id}/{aws.made[f'{self.type}/{id}'] + 1}"
        aws.create(self, id, Thing(want, ThingOutputs(arn=arn), owner))

    def update(self, aws: World, id: str, have: ThingSpec, want: ThingSpec) -> frozenset[str]:
        changes = {name: getattr(want, name) for name in ThingSpec.model_fields if _differ(name, have, want)}
        assert changes, "an update that asks for nothing"
        aws.update(self, id, changes)
        return frozenset(changes)

    def delete(
        self, aws: World, id: str, seen: Observed[ThingSpec, ThingOutputs], last: ThingSpec | None
    ) -> Retained | None:
        aws.delete(self, id)
        return None

    def list_owned(self, aws: World, owner: Owner) -> Iterable[str]:
        return [here.partition("/")[2] for here, thing in aws.things.items() if thing.owner == owner]

    def deletion_blocker(self, seen: Observed[ThingSpec, ThingOutputs]) -> str | None:
        return "it is protected" if seen.spec.mode == "protected" else None

    def remaining_after_delete(self, aws: World, id: str, last: ThingSpec | None) -> Leftovers | None:
        held = aws.clock.now() < aws.holds.get(f"{self.type}/{id}", 0)
        return Leftovers("AWS still holds its network interfaces") if held else None


def _differ(name: str, have: ThingSpec, want: ThingSpec) -> bool:
    return bool(getattr(have, name) != getattr(want, name))


class OneByOne(Plain):
    """A type whose update changes one field a call; `items` one item a call, told as asked with the last."""

    type = "one-by-one"

    def update(self, aws: World, id: str, have: ThingSpec, want: ThingSpec) -> frozenset[str]:
        name = next(one for one in ThingSpec.model_fields if _differ(one, have, want))
        if name != "items":
            aws.update(self, id, {name: getattr(want, name)})
            return frozenset({name})
        missing = sorted(want.items - have.items)
        items = have.items | {missing[0]} if missing else have.items - {min(have.items - want.items)}
        if aws.things[f"{self.type}/{id}"].spec.items == items:
            raise NotYet("it is so, and AWS does not show it yet", Patience.PROPAGATION)
        aws.update(self, id, {"items": items})
        return frozenset({"items"} if items == want.items else ())


class Preparing(Plain):
    """Changed only after a call that shows nowhere, made twice where the first comes to nothing."""

    type = "preparing"

    def update(self, aws: World, id: str, have: ThingSpec, want: ThingSpec) -> frozenset[str]:
        before = len([call for call in aws.calls if call == f"update {self.type}/{id}"])
        aws.update(self, id, {} if before < 2 else {"size": want.size})
        return UNSEEN if before < 2 else frozenset({"size"})


class Peeled(Plain):
    """Removed in steps: first its items, one a call."""

    type = "peeled"

    def delete(
        self, aws: World, id: str, seen: Observed[ThingSpec, ThingOutputs], last: ThingSpec | None
    ) -> Retained | None:
        if not seen.spec.items:
            return super().delete(aws, id, seen, last)
        aws.update(self, id, {"items": seen.spec.items - {min(seen.spec.items)}})
        return None


class Open(Plain):
    """Others may be let in by its `items`."""

    type = "open"
    left_alone: ClassVar[Mapping[str, str]] = {"items": "close {value}"}


class Leaf(Plain):
    type = "leaf"
    replaceable = True


class Bounded(Leaf):
    """Made anew where its zone changes; somebody else's `link` on it stays."""

    type = "bounded"
    left_alone: ClassVar[Mapping[str, str]] = {"link": ALLOW, "items": "close {value}"}
    carried_over = frozenset({"link"})


class Hung(Leaf):
    """Others may hang something on it, its `items`, which goes with it, and hold it by its `link`."""

    type = "hung"
    left_alone: ClassVar[Mapping[str, str]] = {"items": "close {value}", "link": "unlink {id} {value}", "size": ALLOW}
    ends_with_it = frozenset({"items"})
    holds_it = frozenset({"link"})


class Data(Plain):
    type = "data"
    holds_data = True


class Treasure(Data):
    """Holds data, and is called replaceable by mistake of whoever wrote it."""

    type = "treasure"
    replaceable = True


class Early(Plain):
    type = "early"
    outputs_known_early = True


class EarlyLeaf(Plain):
    type = "early-leaf"
    outputs_known_early = True
    replaceable = True


class Key(Plain):
    """A second create makes a second one; removed, it is only pending deletion."""

    type = "key"
    holds_data = True
    create_is_repeatable = False
    unset_by_removal = frozenset({"mode"})

    def delete(
        self, aws: World, id: str, seen: Observed[ThingSpec, ThingOutputs], last: ThingSpec | None
    ) -> Retained | None:
        aws.delete(self, id, Retained("2031-05-06", "a key waits before it is deleted"))
        return None


class Needed(Plain):
    """Cannot be removed at all while something else needs it."""

    type = "needed"

    def delete(
        self, aws: World, id: str, seen: Observed[ThingSpec, ThingOutputs], last: ThingSpec | None
    ) -> Retained | None:
        return Retained("its snapshots are deleted", "they need it")


class Adopted(Plain):
    type = "adopted"
    created_by_aws = True


KINDS: Mapping[str, Reconciler[Any, Any]] = {
    one.type: one
    for one in (
        Plain(),
        OneByOne(),
        Peeled(),
        Leaf(),
        Bounded(),
        Data(),
        Early(),
        EarlyLeaf(),
        Key(),
        Needed(),
        Adopted(),
    )
}
RANKS: Mapping[str, int] = {name: rank for rank, name in enumerate(KINDS)}
SMALL = ThingSpec()
LARGE = ThingSpec(size="large")


def resource(rec: Reconciler[Any, Any], spec: ThingSpec = SMALL, id: str = "a") -> AnyResource:
    """Want a thing."""
    return Stack().add(rec, id, spec)
