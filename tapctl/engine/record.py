"""TODO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tapctl.engine.model import address


class Phase(StrEnum):
    """How far a thing is. Only ``made`` says that it is as its spec says; every other one is looked at."""

    MAKING = "making"
    MADE = "made"
    LEAVING = "leaving"
    KEPT = "kept"


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of its own, as JSON gives it back: a tuple stored would come back a list, and look like a change."""
    plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return plain


def _ordered(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(value)))


PlainJson = Annotated[dict[str, Any], AfterValidator(plain)]


class Entry(BaseModel):
    """One thing we made, or are making, or are removing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(min_length=1)
    id: str = Field(min_length=1)
    needs: Annotated[tuple[str, ...], AfterValidator(_ordered)] = ()
    """Addresses of what it stands on, sorted: it is removed before them."""
    phase: Phase
    spec: PlainJson
    outputs: dict[str, str] | None = None
    """None until AWS has told all of them."""
    kept_until: str = ""
    kept_why: str = ""

    @property
    def address(self) -> str:
        """``type/id``: what keys it."""
        return address(self.type, self.id)
