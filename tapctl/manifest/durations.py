"""The durations of what was made, changed and removed, kept in a small file beside the record.

They only tell how long something may take: a file that cannot be used is as good as none.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.engine.estimate import KEPT, Durations, Operation
from tapctl.errors import StoreFailed
from tapctl.manifest.manifest import AwsKind
from tapctl.manifest.store import Store

NAME = "durations"
_LONGEST_S = 7 * 24 * 3600

_Seconds = Annotated[float, Field(ge=0, le=_LONGEST_S)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    aws: AwsKind
    """The kind of AWS: the times of the embedded one tell nothing about the real one's."""
    seconds: dict[str, dict[Operation, Annotated[tuple[_Seconds, ...], Field(max_length=KEPT)]]]
    """The durations by type and operation, the newest last."""


def read_durations(store: Store, suffix: str, aws: AwsKind) -> Durations:
    """Read the durations of this kind of AWS; none where there are none that can be used."""
    try:
        content = store.get_sidecar(suffix, NAME)
    except StoreFailed:
        return Durations()
    if content is None:
        return Durations()
    try:
        file = _File.model_validate_json(content)
    except ValidationError:
        return Durations()
    return Durations(file.seconds if file.aws is aws else {})


def write_durations(store: Store, suffix: str, aws: AwsKind, durations: Durations) -> None:
    """Write the durations in place of those that were there.

    Raises:
        StoreFailed: they could not be written.
    """
    content = {"format": 1, "aws": aws.value, "seconds": durations.measured}
    text = json.dumps(content, indent=2, sort_keys=True)
    store.put_sidecar(suffix, NAME, f"{text}\n".encode())
