"""The record of a resource: the entry of a manifest, as the engine reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
)

from tapctl.engine.model import Spec, address


class Phase(StrEnum):
    """The progress of a recorded resource. Only ``made`` says that the resource was as its spec says."""

    MAKING = "making"
    """Recorded before the first changing call; the spec is the one being made."""
    MADE = "made"
    LEAVING = "leaving"
    """Recorded before the first step of a removal."""
    KEPT = "kept"
    """Left on purpose by a removal."""


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the value as JSON gives it back: a tuple stored would come back a list, and look like a change."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except ValueError:
        raise ValueError("holds a number that is not finite") from None
    return copy


def _ordered(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(value)))


PlainJson = Annotated[dict[str, Any], AfterValidator(plain)]


class Entry(BaseModel):
    """The record of a resource that we made, are making, or are removing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(min_length=1)
    id: str = Field(min_length=1)
    needs: Annotated[tuple[str, ...], AfterValidator(_ordered)] = ()
    """Addresses of the resources it depends on, sorted: those are removed after it."""
    phase: Phase
    spec: PlainJson
    outputs: dict[str, str] | None = None
    """None until AWS has told all of them."""
    confirmed: PlainJson | None = None
    """The last spec that the resource was read back with, while another one is asked for (`Phase.MAKING`); None if that
    very resource was never as a spec said. Stored only where there is one. Where an apply was bringing the resource
    back it is without the fields that a removal of ours may have changed since."""
    carried: dict[str, str] = Field(default_factory=dict)
    """Fields that an apply leaves of a resource which it may be replacing, and gives the one that comes in its place
    (`Reconciler.carried_over`, `Phase.MAKING`): once the old one is gone, nothing else tells them. Stored only where
    there are some."""
    kept_until: str = ""
    kept_why: str = ""

    @property
    def address(self) -> str:
        """``type/id``: the entry's key."""
        return address(self.type, self.id)

    @property
    def state(self) -> dict[str, Any]:
        """The resource itself as the entry tells it, as JSON: another order of removal changes nothing there."""
        return self.model_dump(mode="json", include={"phase", "spec", "outputs"})

    @property
    def confirmed_spec(self) -> dict[str, Any] | None:
        """The last spec that the resource was read back with, whatever is being asked for; None if there is none."""
        return self.confirmed if self.phase is Phase.MAKING or self.confirmed is not None else self.spec

    @property
    def unconfirmed(self) -> frozenset[str]:
        """The fields that are asked for and of which no value is confirmed."""
        return frozenset(self.spec.keys() - (self.confirmed_spec or {}).keys())

    @property
    def is_read_back(self) -> bool:
        """True if the resource was read back whole, as `confirmed_spec` tells."""
        return self.confirmed_spec is not None and not self.unconfirmed

    def as_made(self) -> Entry:
        """The same entry as one that is made, with the spec that it is compared with and no other one."""
        return self.model_copy(
            update={
                "phase": Phase.MADE,
                "spec": {**self.spec, **(self.confirmed_spec or {})},
                "confirmed": None,
                "carried": {},
            }
        )

    @property
    def claim(self) -> dict[str, str]:
        """The outputs by which the resource is recorded; empty where AWS has told none: it was begun, and is held."""
        return self.outputs or {}

    @model_serializer(mode="wrap")
    def _without_unused(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        stored: dict[str, Any] = serialize(self)
        if self.confirmed is None:
            stored.pop("confirmed", None)
        if not self.carried:
            stored.pop("carried", None)
        return stored


def is_deleted_with_parent(entry: Entry, entries: Mapping[str, Entry]) -> bool:
    """True if the resource lives on another one whose removal, by a run of ours, was interrupted."""
    parents = (entries[address] for address in entry.needs if address in entries)
    return any(
        (parent.id == entry.id or entry.id.startswith(f"{parent.id}/")) and parent.phase is Phase.LEAVING
        for parent in parents
    )


def recorded_value(spec: type[Spec], name: str, recorded: Mapping[str, Any]) -> Any:
    """Read one field of a recorded spec as the value that a spec of this type holds.

    Raises:
        KeyError: the field is not recorded.
        ValidationError: it is recorded in a form that this tapctl does not know.
    """
    annotation: Any = spec.model_fields[name].annotation
    return _reader(annotation).validate_python(recorded[name])


# Few types serve all fields of all specs, and to build what reads one takes far longer than the reading.
@cache
def _reader(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)
