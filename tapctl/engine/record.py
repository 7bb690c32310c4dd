"""The record of a resource: the entry of a manifest, as the engine reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tapctl.engine.model import address


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
    copy: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return copy


def _ordered(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(value)))


PlainJson = Annotated[dict[str, Any], AfterValidator(plain)]


class Entry(BaseModel):
    """One resource that we made, are making, or are removing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(min_length=1)
    id: str = Field(min_length=1)
    needs: Annotated[tuple[str, ...], AfterValidator(_ordered)] = ()
    """Addresses of the resources it depends on, sorted: those are removed after it."""
    phase: Phase
    spec: PlainJson
    outputs: dict[str, str] | None = None
    """None until AWS has told all of them."""
    kept_until: str = ""
    kept_why: str = ""

    @property
    def address(self) -> str:
        """``type/id``: the entry's key."""
        return address(self.type, self.id)
