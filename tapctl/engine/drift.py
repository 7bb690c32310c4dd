"""Did someone touch it? The record against what is seen: a pure function that never reads the wanted configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from tapctl.engine.diff import details, same
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Absent, Observations, Unreadable
from tapctl.engine.record import Entry, Phase

WHOLE_RESOURCE = "*"
"""The field of a finding that is about the whole resource."""


DELETE_INTERRUPTED: Final = "its removal was interrupted; run the same command again"
_INTERRUPTED: Final = {
    Phase.MAKING: "apply was interrupted; run it again",
    Phase.LEAVING: DELETE_INTERRUPTED,
}


class FindingState(StrEnum):
    """What a finding says. What has no finding is as it was."""

    DRIFT = "DRIFT"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    MISSING = "MISSING"
    UNEXPECTED = "UNEXPECTED"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as recorded, or cannot be told."""

    address: str
    type: str
    field: str
    state: FindingState
    recorded: Any = None
    live: Any = None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, and how much was compared."""

    findings: tuple[Finding, ...]
    fields: int
    unchecked: int
    """How many of them were not compared."""
    resources: int

    def count(self, *states: FindingState) -> int:
        """How many resources have a finding in one of these states."""
        return len({one.address for one in self.findings if one.state in states})

    @property
    def drifted(self) -> int:
        """Resources that are not as recorded: changed, missing, or with something unexpected in them."""
        return self.count(FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)


def detect_drift(entries: Mapping[str, Entry], seen: Observations) -> Report:
    """Compare each recorded thing, field by field, with what was seen."""
    findings: list[Finding] = []
    fields = unchecked = 0
    looked_at = [(here, entry) for here, entry in sorted(entries.items()) if entry.phase is not Phase.KEPT]
    for here, entry in looked_at:
        found = list(_findings(entry, seen[here], entries))
        findings += found
        fields += len(entry.spec)
        missed = {one.field for one in found if one.state is FindingState.UNKNOWN and one.field in entry.spec}
        # Of what is missing, or half made or half gone, no field was compared.
        whole = any(one.field == WHOLE_RESOURCE for one in found)
        unchecked += len(entry.spec) if whole else len(missed)
    return Report(tuple(findings), fields, unchecked, len(looked_at))


def _findings(
    entry: Entry, sight: Observed[Any, Any] | Absent | Unreadable, entries: Mapping[str, Entry]
) -> Iterator[Finding]:
    here, type_ = entry.address, entry.type
    if isinstance(sight, Unreadable):
        yield Finding(here, type_, WHOLE_RESOURCE, FindingState.UNKNOWN, note=f"{sight.action} denied")
        return
    if entry.phase in _INTERRUPTED:
        yield Finding(here, type_, WHOLE_RESOURCE, FindingState.PENDING, note=_INTERRUPTED[entry.phase])
        yield from _unexpected(entry, sight, entries)
        return
    if isinstance(sight, Absent) and _goes_with_another(entry, entries):
        yield Finding(here, type_, WHOLE_RESOURCE, FindingState.PENDING, note=DELETE_INTERRUPTED)
        return
    if isinstance(sight, Absent) or sight.deleting:
        status = "it is not there" if isinstance(sight, Absent) else f"it is {sight.status}"
        yield Finding(here, type_, WHOLE_RESOURCE, FindingState.MISSING, note=status)
        return
    live_outputs = sight.outputs.model_dump() if sight.outputs is not None else {}
    for name, recorded in sorted((entry.outputs or {}).items()):
        if live_outputs and live_outputs.get(name) != recorded:
            yield Finding(here, type_, name, FindingState.DRIFT, recorded, live_outputs.get(name), "replaced outside")
    if sight.failure is not None:
        yield Finding(
            here, type_, "status", FindingState.DRIFT, "available", sight.status, f"AWS gave it up: {sight.failure}"
        )
    for name in type(sight.spec).model_fields:
        yield from _field(entry, name, sight)
    yield from _unexpected(entry, sight, entries)


def _goes_with_another(entry: Entry, entries: Mapping[str, Entry]) -> bool:
    """Whether it lives on a thing whose removal was interrupted."""
    parents = (entries[here] for here in entry.needs if here in entries)
    return any(one.id == entry.id and one.phase is Phase.LEAVING for one in parents)


def _unexpected(entry: Entry, sight: Observed[Any, Any] | Absent, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    residents = sight.members if isinstance(sight, Observed) else frozenset()
    for there in sorted(residents - entries.keys()):
        note = "not ours; it is never removed"
        yield Finding(entry.address, entry.type, "members", FindingState.UNEXPECTED, None, there, note)


def _field(entry: Entry, name: str, sight: Observed[Any, Any]) -> Iterator[Finding]:
    here, type_, spec = entry.address, entry.type, type(sight.spec)
    if name in sight.unreadable:
        yield Finding(here, type_, name, FindingState.UNKNOWN, note=f"{sight.unreadable[name]} denied")
        return
    if name in sight.pending:
        waiting = sight.pending[name]
        yield Finding(here, type_, name, FindingState.PENDING, live=waiting.detail, note=f"until {waiting.until}")
    if name not in entry.spec:
        yield Finding(
            here,
            type_,
            name,
            FindingState.UNKNOWN,
            note="not recorded by the tapctl that wrote the manifest; apply records it",
        )
        return
    try:
        recorded = _adapter(spec, name).validate_python(entry.spec[name])
    except ValidationError:
        yield Finding(
            here,
            type_,
            name,
            FindingState.UNKNOWN,
            note="recorded in a form this tapctl does not know; apply records it",
        )
        return
    live = getattr(sight.spec, name)
    if same(spec, name, recorded, live):
        return
    for each in details(name, live, recorded):
        yield Finding(here, type_, each.path, FindingState.DRIFT, each.want, each.have)


def _adapter(spec: type[Spec], name: str) -> TypeAdapter[Any]:
    annotation: Any = spec.model_fields[name].annotation
    return TypeAdapter(annotation)
