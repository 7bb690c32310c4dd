"""Drift: the recorded against the observed state. A pure function that never reads the wanted configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from tapctl.engine import refs
from tapctl.engine.diff import Removed, details, same, unexplained
from tapctl.engine.model import Observed, Spec
from tapctl.engine.observe import Absent, Observation, Observations, Unreadable, not_offered_note
from tapctl.engine.record import Entry, Phase, is_deleted_with_parent, recorded_value
from tapctl.engine.waiver import Waiver

WHOLE_RESOURCE: Final = "*"
"""The field of a finding that is about the whole resource."""

OUTPUTS: Final = "outputs"
"""The field of a finding that is about what identifies the resource."""
PHASE: Final = "phase"
"""The field of a finding that is about the recorded phase of a resource, whose own fields are as recorded."""
_ID_DIGITS: Final = 10
"""Hex digits of a finding's id: enough for a million findings to have one each, and short enough to be typed."""


class FindingState(StrEnum):
    """The state a finding reports. A field without a finding is as recorded."""

    DRIFT = "DRIFT"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    MISSING = "MISSING"
    UNEXPECTED = "UNEXPECTED"
    WAIVED = "WAIVED"
    """Somebody answers for the difference: it is shown, and no drift."""


class Reason(StrEnum):
    """The reason of a finding."""

    CHANGED = "changed"
    REPLACED = "replaced outside"
    GAVE_UP = "gave up"
    """AWS gave the resource up; the detail is its reason."""
    OUT_OF_ORDER = "out of order"
    """Somebody has put the resource out of order: stopped it, or removed what it uses."""
    ABSENT = "absent"
    DELETING = "deleting"
    """The detail is AWS's own word."""
    DENIED = "denied"
    REFUSED = "refused"
    """AWS does not tell it, for another reason than a missing permission, which is the detail."""
    NOT_TOLD = "not told"
    """AWS did not tell all of what identifies the resource."""
    NOT_RECORDED = "not recorded"
    UNRECORDED = "unrecorded"
    """The resource bears our name and our tags, the files want it, and the record does not hold it as made."""
    FOREIGN = "foreign"
    """The resource bears our name, the files want it, and neither the record nor its tags call it ours."""
    NEVER_MADE = "never made"
    """The files that were applied last want the resource, and it is neither recorded nor there."""
    DESTROY_UNFINISHED = "destroy unfinished"
    """By its certificate the run that wrote the record was a destroy that has left something; the resource is gone."""
    REMOVED = "removed"
    """As `NEVER_MADE`, and an earlier version of the record removes the resource: a destroy was at it."""
    DESTROY_LEFT = "destroy left"
    """As `DESTROY_UNFINISHED`, and the resource is there, with our name and our tags."""
    UNKNOWN_FORM = "unknown form"
    DEFERRED = "deferred"
    """The value is accepted and not in force; the detail is the event it waits for (`REBOOT`, a window)."""
    UNCONFIRMED = "unconfirmed"
    """An apply asked for another value and did not finish; what is compared is the value that was confirmed last."""
    APPLY_INTERRUPTED = "apply interrupted"
    REVERT_INTERRUPTED = "revert interrupted"
    DELETE_INTERRUPTED = "delete interrupted"
    UNDER_WAY = "under way"
    """A run was changing the resource during the look."""
    NOT_OURS = "not ours"
    OPENED = "opened"
    """A waived resource has become an open door to the world since; the detail is the waiver."""
    NEVER_WANTED = "never wanted"
    """The product can never want the live value, whatever is recorded; the detail is why."""
    FORGED = "forged"
    """The record tells of a value, or a resource, otherwise than the files that it was made of want it. Where AWS has
    what is recorded, the finding's ``recorded`` is what they want in its place."""
    OF_BEFORE = "of before"
    """The record does not hold the resource, and an earlier version of it tells of another value."""
    ANOTHER_RECORD = "another record"
    """The record is another one than the last run has left, by the fingerprint of that which AWS holds."""
    WRONG_PHASE = "wrong phase"
    """The recorded phase does not fit the resource."""
    KEPT = "kept"
    """A destroy has kept the resource, and somebody has changed it since."""
    KEPT_NO_LONGER = "kept no longer"
    """A removal could only keep the resource, and by now one can end it; the detail is AWS's own word."""


_MEANINGS: Final[Mapping[Reason, tuple[FindingState, str]]] = {
    Reason.CHANGED: (FindingState.DRIFT, ""),
    Reason.REPLACED: (FindingState.DRIFT, "replaced outside"),
    Reason.GAVE_UP: (FindingState.DRIFT, "AWS gave it up: {detail}"),
    Reason.OUT_OF_ORDER: (FindingState.DRIFT, "somebody has put it out of order: {detail}"),
    Reason.ABSENT: (FindingState.MISSING, "it is not there"),
    Reason.DELETING: (FindingState.MISSING, "it is {detail}"),
    Reason.DENIED: (FindingState.UNKNOWN, "{action} denied"),
    Reason.REFUSED: (FindingState.UNKNOWN, "{action} {detail}"),
    Reason.NOT_TOLD: (FindingState.UNKNOWN, "AWS does not tell what identifies it"),
    Reason.NOT_RECORDED: (
        FindingState.UNKNOWN,
        "not recorded by the tapctl that wrote the manifest; apply records it",
    ),
    Reason.UNRECORDED: (FindingState.UNKNOWN, "it is there, and the record does not hold it; apply records it"),
    Reason.FOREIGN: (
        FindingState.UNKNOWN,
        "it is there under our name, and neither the record nor its tags call it ours ({detail})",
    ),
    Reason.NEVER_MADE: (FindingState.PENDING, "neither recorded nor there, and the files want it; apply makes it"),
    Reason.REMOVED: (
        FindingState.PENDING,
        "neither recorded nor there, and an earlier version of the record removes it: a destroy was cut off",
    ),
    Reason.DESTROY_UNFINISHED: (
        FindingState.PENDING,
        "neither recorded nor there; by its certificate a destroy did not finish: run it again",
    ),
    Reason.DESTROY_LEFT: (
        FindingState.UNKNOWN,
        "it is there, and the record does not hold it; by its certificate a destroy did not finish: run it again",
    ),
    Reason.UNKNOWN_FORM: (FindingState.UNKNOWN, "recorded in a form this tapctl does not know; apply records it"),
    Reason.DEFERRED: (FindingState.PENDING, "until {detail}"),
    Reason.UNCONFIRMED: (FindingState.PENDING, "an apply did not finish"),
    Reason.APPLY_INTERRUPTED: (FindingState.PENDING, "an apply did not finish; run it again"),
    Reason.REVERT_INTERRUPTED: (FindingState.PENDING, "a revert did not finish; run it again"),
    Reason.DELETE_INTERRUPTED: (FindingState.PENDING, "its removal was interrupted; run the same command again"),
    Reason.UNDER_WAY: (FindingState.PENDING, "a run was changing it during this look; look again when that has ended"),
    Reason.NOT_OURS: (FindingState.UNEXPECTED, "not ours; it is never removed"),
    Reason.OPENED: (FindingState.DRIFT, "open to the world, which its waiver does not cover ({detail})"),
    Reason.NEVER_WANTED: (FindingState.DRIFT, "never wanted, whatever is recorded"),
    Reason.FORGED: (
        FindingState.DRIFT,
        "recorded otherwise than the files that were applied want it: somebody, or another tapctl, has written that",
    ),
    Reason.OF_BEFORE: (FindingState.DRIFT, "by an earlier version of the record, which this one does not hold"),
    Reason.KEPT: (FindingState.DRIFT, "a destroy has kept it otherwise: somebody has changed it since"),
    Reason.KEPT_NO_LONGER: (FindingState.UNEXPECTED, "an apply could not remove it then, and by now it is {detail}"),
    Reason.ANOTHER_RECORD: (
        FindingState.UNKNOWN,
        "the record is not the one that the last run has left: somebody has written it",
    ),
    Reason.WRONG_PHASE: (FindingState.DRIFT, "no removal leaves it so: somebody has written into the record"),
}
"""Reason to the state it means and the note that is printed."""
_WAIVABLE: Final = frozenset({Reason.CHANGED, Reason.NOT_OURS})
UNFINISHED: Final = frozenset(
    {
        Reason.UNCONFIRMED,
        Reason.APPLY_INTERRUPTED,
        Reason.REVERT_INTERRUPTED,
        Reason.DELETE_INTERRUPTED,
        Reason.NEVER_MADE,
        Reason.REMOVED,
        Reason.DESTROY_UNFINISHED,
        Reason.UNDER_WAY,
    }
)
"""Reasons that say that a run of ours did not finish, or is at it: no value that AWS itself will put in force."""


@dataclass(frozen=True)
class Who:
    """The change that made a finding, as AWS's audit log tells it; or, in `note`, why nobody can tell."""

    principal: str = ""
    at: str = ""
    """The time in UTC: ``2026-11-28T21:40:04Z``."""
    via: str = ""
    """``console``, ``cli``, ``sdk`` or ``service``."""
    event: str = ""
    event_id: str = ""
    run: str = ""
    """The run of ours that made the change; empty: it was none."""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """A field, or a whole resource, that is not as recorded or could not be compared."""

    address: str
    type: str
    field: str
    """The field's path (``tags.Owner``), or `WHOLE_RESOURCE`."""
    reason: Reason
    recorded: Any = None
    live: Any = None
    detail: str = ""
    """AWS's word or reason, the awaited event, or the tags of a stranger, where the reason has one."""
    action: str = ""
    """The IAM action that was denied: ``kms:GetKeyPolicy``."""
    asked: Any = None
    """The value that an unfinished apply asked for."""
    waiver: Waiver | None = None
    """The waiver that covers the difference."""
    who: Who | None = None
    """The author of the change; None where nobody asked."""
    cause: str = ""
    """``person``, ``automation``, ``aws`` (it gave the resource up, or a service of it made the change),
    ``unfinished`` (a run of ours), or ``input`` (the record that tapctl was given); empty where it is not known."""
    item: bool = False
    """True if the value is an item of a set, of which several may differ in one place."""

    @property
    def state(self) -> FindingState:
        """The state that the reason means, unless the difference is waived."""
        return _MEANINGS[self.reason][0] if self.waiver is None else FindingState.WAIVED

    @property
    def may_be_waived(self) -> bool:
        """True if a waiver can cover it: what waits, or could not be read, none does."""
        return self.reason in _WAIVABLE

    @property
    def to_waive(self) -> Any:
        """The live value by which a waiver names the difference; of an item that is not there, that item as removed."""
        return Removed(self.recorded) if self.item and self.live is None else self.live

    @property
    def note(self) -> str:
        """The sentence that reports print."""
        if self.waiver is not None:
            return f"by {self.waiver}"
        return _MEANINGS[self.reason][1].format(detail=self.detail, action=self.action)


@dataclass(frozen=True)
class Report:
    """All findings, and how much was compared."""

    findings: tuple[Finding, ...]
    fields: int
    unchecked: int
    """The number of those fields that were not compared."""
    resources: int
    missed: tuple[str, ...] = ()
    """``type/id.field`` of each field that was not compared; ``type/id`` where no field of a resource was."""
    never_compared: tuple[str, ...] = ()
    """``type: a few words`` of each fact that AWS tells of these resources and no field compares, and of each field
    that this region has no operation to read."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The tag that people know a digest by, by digest."""
    unfinished: bool = False
    """True if an apply did not get to its end: the record is not all that it was to make."""
    shared_ids: frozenset[str] = frozenset()
    """The ids that several resources bear, recorded or wanted: a cluster and the rotation of its secret."""

    @property
    def not_compared(self) -> tuple[str, ...]:
        """All that the report does not speak of: what was missed, and what is never compared."""
        return self.missed + self.never_compared

    @property
    def untold(self) -> tuple[str, ...]:
        """The part of what was missed that no finding is about."""
        about = {one.address for one in self.findings}
        within = tuple(f"{address}." for address in about)
        return tuple(one for one in self.missed if one not in about and not one.startswith(within))

    @property
    def compared(self) -> int:
        """The number of fields that were compared."""
        return self.fields - self.unchecked

    @property
    def is_complete(self) -> bool:
        """True if every field was compared, and with what is in force by our own doing: no run was left unfinished."""
        return not self.unchecked and not self.unfinished and not self.has_unfinished

    @property
    def has_unfinished(self) -> bool:
        """True if a finding tells that a run of ours did not finish."""
        return any(finding.reason in UNFINISHED for finding in self.findings)

    def count(self, *states: FindingState) -> int:
        """Count the resources that have a finding in one of these states."""
        return len({finding.address for finding in self.findings if finding.state in states})

    @property
    def drifted(self) -> int:
        """The number of resources that are not as recorded: changed, missing, or with something unexpected in them."""
        return self.count(FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)


def finding_id(suffix: str, finding: Finding) -> str:
    """Name a finding in a few characters, the same in every run: a hash of the suffix, the address and the field.

    Of a set, of which several members may differ, the member too.
    """
    recorded, live = refs.to_json(finding.recorded), refs.to_json(finding.live)
    member = [] if recorded is not None and live is not None else [recorded, live]
    named = [suffix, finding.address, finding.field, *member]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:_ID_DIGITS]


def detect_drift(entries: Mapping[str, Entry], observations: Observations, waivers: Sequence[Waiver] = ()) -> Report:
    """Compare each recorded resource, field by field, with its observation. KEPT entries are not compared.

    A resource that an apply left half made is compared with the spec that was confirmed last. So is one whose removal
    was cut off: what that has taken away before is among the findings.
    """
    findings: list[Finding] = []
    missed: list[str] = []
    lacking: dict[str, None] = {}
    fields = unchecked = 0
    compared = [(address, entry) for address, entry in sorted(entries.items()) if entry.phase is not Phase.KEPT]
    for address, entry in compared:
        own = [_waived(one, waivers) for one in _findings(entry, observations[address], entries)]
        findings += own
        names = _names(entry, observations[address])
        lacking |= dict.fromkeys(_lacking(entry, observations[address]))
        fields += len(names) + any(finding.field == OUTPUTS for finding in own)
        # Of a resource that is missing, half made or half gone no field was compared.
        if any(finding.field == WHOLE_RESOURCE for finding in own):
            unchecked += len(names)
            missed.append(address)
        else:
            unknown = sorted(finding.field for finding in own if finding.state is FindingState.UNKNOWN)
            unchecked += len(unknown)
            missed += [f"{address}.{name}" for name in unknown]
    return Report(tuple(findings), fields, unchecked, len(compared), tuple(missed), tuple(lacking))


def _waived(finding: Finding, waivers: Sequence[Waiver]) -> Finding:
    if not finding.may_be_waived:
        return finding
    covering = (one for one in waivers if one.covers(finding.address, finding.field, finding.to_waive))
    return replace(finding, waiver=next(covering, None))


def _names(entry: Entry, observation: Observation) -> frozenset[str]:
    """The fields to compare: the recorded ones, and those that this tapctl knows besides."""
    if not isinstance(observation, Observed):
        return frozenset(_recorded(entry))
    return frozenset((*_recorded(entry), *type(observation.spec).model_fields)) - observation.not_offered.keys()


def _lacking(entry: Entry, observation: Observation) -> Iterator[str]:
    """The fields that are not compared because the region does not have the operation that reads them."""
    for name, action in observation.not_offered.items() if isinstance(observation, Observed) else ():
        yield f"{entry.type}: {name} ({not_offered_note(action)})"


def _recorded(entry: Entry) -> Mapping[str, Any]:
    """The recorded spec to compare with; of a resource that was never confirmed the one that was asked for."""
    confirmed = entry.confirmed_spec
    return entry.spec if confirmed is None else confirmed


def _findings(entry: Entry, observation: Observation, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    whole = entry.address, entry.type, WHOLE_RESOURCE
    if isinstance(observation, Unreadable):
        yield unread_finding(*whole, observation.action, observation.refusal)
    elif entry.phase is Phase.LEAVING or entry.confirmed_spec is None:
        leaving = entry.phase is Phase.LEAVING
        yield Finding(*whole, Reason.DELETE_INTERRUPTED if leaving else Reason.APPLY_INTERRUPTED)
        if leaving and isinstance(observation, Observed) and not observation.deleting:
            yield from _changed_meanwhile(entry, observation)
        yield from _unexpected_members(entry, observation, entries)
    elif isinstance(observation, Absent):
        with_parent = is_deleted_with_parent(entry, entries)
        yield Finding(*whole, Reason.DELETE_INTERRUPTED if with_parent else Reason.ABSENT)
    elif observation.deleting:
        # By a removal of ours, which an apply was taking back.
        by_us = observation.retained is not None and bool(entry.unconfirmed)
        yield Finding(*whole, Reason.APPLY_INTERRUPTED if by_us else Reason.DELETING, detail=observation.status)
    else:
        yield from _changed_outputs(entry, observation)
        if observation.failure is not None:
            failed = entry.address, entry.type, "status"
            reason = Reason.OUT_OF_ORDER if observation.failed_by_others else Reason.GAVE_UP
            yield Finding(*failed, reason, "available", observation.status, observation.failure)
        of_fields = [
            one for name in type(observation.spec).model_fields for one in _field_findings(entry, name, observation)
        ]
        yield from of_fields
        if entry.phase is Phase.MAKING and all(one.reason is not Reason.UNCONFIRMED for one in of_fields):
            # It was undoing what somebody had changed, and asked for nothing new.
            yield Finding(entry.address, entry.type, PHASE, Reason.UNCONFIRMED)
        for name in sorted(_recorded(entry).keys() - type(observation.spec).model_fields.keys()):
            yield Finding(entry.address, entry.type, name, Reason.UNKNOWN_FORM)
        yield from _unexpected_members(entry, observation, entries)


def _changed_meanwhile(entry: Entry, seen: Observed[Any, Any]) -> Iterator[Finding]:
    """The findings on a resource whose removal has been begun, and that is there still otherwise than recorded.

    The resource counts as compared no more for it: some of it our own removal may have taken away already.
    """
    yield from (one for one in _changed_outputs(entry, seen) if one.reason is Reason.REPLACED)
    for name in type(seen.spec).model_fields:
        yield from (one for one in _field_findings(entry, name, seen) if one.reason is Reason.CHANGED)


def unread_finding(address: str, type_: str, field: str, action: str, refusal: str) -> Finding:
    """The finding on what could not be read. ``refusal``: why, where no permission is missing."""
    reason = Reason.REFUSED if refusal else Reason.DENIED
    return Finding(address, type_, field, reason, action=action, detail=refusal)


def _changed_outputs(entry: Entry, seen: Observed[Any, Any]) -> Iterator[Finding]:
    live = seen.outputs.model_dump() if seen.outputs is not None else {}
    if entry.outputs and not live:
        yield Finding(entry.address, entry.type, OUTPUTS, Reason.NOT_TOLD)
    if entry.phase is Phase.MADE and live.keys() - (entry.outputs or {}).keys():
        yield Finding(entry.address, entry.type, OUTPUTS, Reason.NOT_RECORDED)
    recorded = entry.outputs or {}
    for name in seen.outputs.changed_from(recorded) if seen.outputs is not None else ():
        yield Finding(entry.address, entry.type, name, Reason.REPLACED, recorded[name], live.get(name))


def _unexpected_members(
    entry: Entry, observation: Observed[Any, Any] | Absent, entries: Mapping[str, Entry]
) -> Iterator[Finding]:
    members = observation.members if isinstance(observation, Observed) else frozenset()
    for member in sorted(members - entries.keys()):
        yield Finding(entry.address, entry.type, "members", Reason.NOT_OURS, live=member)


def _field_findings(entry: Entry, name: str, seen: Observed[Any, Any]) -> Iterator[Finding]:
    place, spec = (entry.address, entry.type, name), type(seen.spec)
    if name in seen.not_offered:
        return
    if name in seen.unreadable:
        yield unread_finding(*place, seen.unreadable[name], seen.refusals.get(name, ""))
        return
    if name in seen.pending:
        pending = seen.pending[name]
        yield Finding(*place, Reason.DEFERRED, live=pending.detail, detail=pending.until)
    is_unset = name in entry.unconfirmed
    try:
        recorded = recorded_value(spec, name, entry.spec if is_unset else _recorded(entry))
    except KeyError:
        yield Finding(*place, Reason.NOT_RECORDED)
        return
    except ValidationError:
        yield Finding(*place, Reason.UNKNOWN_FORM)
        return
    live = getattr(seen.spec, name)
    if is_unset:
        yield from _unset(entry, name, recorded, live)
    elif entry.phase is Phase.MAKING:
        yield from _unfinished(entry, name, spec, recorded, live)
    elif not same(spec, name, recorded, live):
        for part in details(name, live, recorded):
            yield Finding(entry.address, entry.type, part.path, Reason.CHANGED, part.want, part.have, item=part.item)


def _unset(entry: Entry, name: str, asked: Any, live: Any) -> Iterator[Finding]:
    """Compare a field of which a removal of ours has left no confirmed value: what it may have taken is pending."""
    for part in details(name, live, asked):
        if part.item and part.have is not None:
            yield Finding(entry.address, entry.type, part.path, Reason.CHANGED, part.want, part.have, item=True)
        else:
            yield Finding(entry.address, entry.type, part.path, Reason.UNCONFIRMED, None, part.have, asked=part.want)


def _unfinished(entry: Entry, name: str, spec: type[Spec], recorded: Any, live: Any) -> Iterator[Finding]:
    """Compare a field that an apply may have changed and never confirmed: what it asked for is pending, no drift."""
    try:
        asked = recorded_value(spec, name, entry.spec)
    except (KeyError, ValidationError):
        yield Finding(entry.address, entry.type, name, Reason.UNKNOWN_FORM)
        return
    for part in unexplained(spec, name, live, recorded, asked):
        yield Finding(entry.address, entry.type, part.path, Reason.CHANGED, part.want, part.have, item=part.item)
    others = {part.path: part.have for part in details(name, live, asked)}
    for part in details(name, recorded, asked):
        now = None if part.item else others.get(part.path, part.want)
        yield Finding(entry.address, entry.type, part.path, Reason.UNCONFIRMED, part.have, now, asked=part.want)
