"""``drift --who``: who made the change behind each finding, when and how.

An event is named only where it is of this resource and field, and younger than the record: what was older, the apply
that wrote the record has seen. What nobody can tell is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from tapctl.aws.client import Aws
from tapctl.aws.trail import PAGE, PAGES, Attribute, TrailEvent, TrailReader, home_region
from tapctl.engine.drift import UNFINISHED, Finding, FindingState, Reason, Report, Who
from tapctl.engine.model import address as address_of
from tapctl.engine.record import Entry, Phase
from tapctl.engine.trail import Trail
from tapctl.errors import AwsError, AwsRefused
from tapctl.manifest.manifest import SKEW, Manifest
from tapctl.reconcilers import reconciler_of, registry
from tapctl.reconcilers.db_cluster_snapshots import SNAPSHOT, SNAPSHOT_TRAIL
from tapctl.session.session import Session

DELIVERY: Final = timedelta(minutes=15)
"""The longest that CloudTrail usually takes to show an event."""
HISTORY: Final = timedelta(days=90)
_OF_THE_RECORD: Final = (Reason.NOT_RECORDED, Reason.UNKNOWN_FORM, Reason.WRONG_PHASE)
"""Reasons that say nothing of AWS: the record, which tapctl was given, is of another tapctl, or was written into."""
_MADE_BY_SOMEBODY: Final = (FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED)

_NAMES_OF: Final = {"tags": "tag", "parameters": "parameters", "inline": "policyname"}
"""Field of named members to the beginning, in lower case, of the parameters that name them in a request."""


def with_causes(report: Report) -> Report:
    """The same report, where each finding tells its cause as far as the record knows it."""
    return replace(report, findings=tuple(replace(one, cause=_recorded_cause(one)) for one in report.findings))


def _recorded_cause(finding: Finding) -> str:
    if finding.reason is Reason.GAVE_UP:
        return "aws"
    if finding.reason in _OF_THE_RECORD:
        return "input"
    return "unfinished" if finding.reason in UNFINISHED else ""


def with_who(session: Session, manifest: Manifest, report: Report, now: datetime) -> Report:
    """The same report, where each finding on what somebody changed tells who did, from CloudTrail.

    What CloudTrail refuses is said once, and stops nothing.
    """
    search = _Search(session, manifest, now)
    return replace(report, findings=tuple(search.explain(finding) for finding in report.findings))


class _Search:
    """The search for the events behind the findings of one environment."""

    def __init__(self, session: Session, manifest: Manifest, now: datetime) -> None:
        self._session, self._manifest, self._now = session, manifest, now
        self._readers: dict[str, TrailReader] = {}
        self._refused: dict[str, str] = {}
        """Region to why CloudTrail tells nothing there."""

    def explain(self, finding: Finding) -> Finding:
        """Find who made the change, and the cause that follows."""
        entry = self._manifest.entries.get(finding.address) or _snapshot(finding)
        if entry is None or finding.state not in _MADE_BY_SOMEBODY or finding.reason in _OF_THE_RECORD:
            return finding
        trail = _trail(entry)
        if not any(True for _ in trail.events(finding.field)):
            return replace(finding, who=Who(note="CloudTrail writes no event of such a change"))
        aws = self._session.aws
        region = home_region(aws.partition, aws.region) if trail.is_global else aws.region
        if region not in self._refused:
            try:
                event, left = self._newest(finding, entry, self._reader(region))
            except AwsError as error:
                self._refused[region] = _reason(error)
                self._session.screen.warn(f"who changed it could not be asked in {region}: {self._refused[region]}")
            else:
                cause = finding.cause or self._cause(event, entry)
                return replace(finding, who=self._who(finding, event, entry, left), cause=cause)
        return replace(finding, who=Who(note=self._refused[region]))

    def _reader(self, region: str) -> TrailReader:
        if region not in self._readers:
            self._readers[region] = TrailReader(_client_in(self._session, region))
        return self._readers[region]

    def _newest(self, finding: Finding, entry: Entry, reader: TrailReader) -> tuple[TrailEvent | None, tuple[str, ...]]:
        """The newest event that may have made the change: found by the resource, else by the events' own names.

        With it, the times before which events were left unread: there are too many.
        """
        trail = _trail(entry)
        ids, wanted = list(_ids(entry, self._manifest.entries)), list(trail.events(finding.field))
        if finding.field in trail.of_items:
            item = finding.recorded if finding.live is None else finding.live  # what is gone is in the record alone
            ids = [str(item).partition(" ")[0]]
        by_resource: list[tuple[Attribute, str]] = [("ResourceName", id_) for id_ in ids] if trail.named else []
        by_event: list[tuple[Attribute, str]] = [
            ("EventName", name) for name in dict.fromkeys(name for name, _ in wanted)
        ]
        left: list[str] = []
        for queries in (by_resource, by_event):
            found = [
                event
                for attribute, value in queries
                for event in takewhile(self._is_young, reader.events(attribute, value))
                if _fits(event, wanted, ids)
                and (event.is_named(trail.whole) or _is_of_member(event, finding.field))
                and not self._is_recorded(event, entry)
            ]
            left += [at for query in queries if (at := reader.left_before(*query)) is not None]
            if found:
                newest = max(found, key=lambda event: event.at)
                return newest, tuple(at for at in left if not at or at > newest.at)
        return None, tuple(left)

    def _is_young(self, event: TrailEvent) -> bool:
        return event.at >= self._manifest.written_at

    def _is_recorded(self, event: TrailEvent, entry: Entry) -> bool:
        """True if the run that wrote the record made the change, and has read it back: it is recorded.

        A user agent alone is no proof: it is the caller's own text, and the run's id stands in the record.
        """
        if entry.phase is not Phase.MADE or event.run != self._manifest.run or not self._is_the_writer_s(event):
            return False
        written, at = _time(self._manifest.written_at), _time(event.at)
        return written is None or at is None or at <= written + SKEW

    def _is_the_writer_s(self, event: TrailEvent) -> bool:
        """True if who made the call is who wrote the record."""
        return _name(event.principal) == _name(self._manifest.written_by)

    def _who(self, finding: Finding, event: TrailEvent | None, entry: Entry, left: Collection[str]) -> Who:
        if event is None:
            by_itself = reconciler_of(entry).gone_by_itself(entry.claim) if finding.reason is Reason.ABSENT else ""
            return Who(note="; or ".join(filter(None, (by_itself, self._unknown(left)))))
        notes = [self._run_note(event, entry)] if event.run else []
        if left:
            notes.append(f"there may be a later one: {_unread(left)}")
        return Who(event.principal, event.at, event.via, event.name, event.id, event.run, "; ".join(notes))

    def _run_note(self, event: TrailEvent, entry: Entry) -> str:
        if event.run != self._manifest.run:
            return "by its user agent a run of tapctl that is not the record's last"
        if self._is_unfinished(event, entry):
            return "the run that wrote the record"
        return (
            f"its user agent, the caller's own word, names the run of {self._manifest.written_by} that wrote the record"
        )

    def _is_unfinished(self, event: TrailEvent, entry: Entry) -> bool:
        """True if the run that wrote the record made the change, and has not read it back."""
        unread = entry.phase is not Phase.MADE
        return unread and event.run == self._manifest.run and self._is_the_writer_s(event)

    def _cause(self, event: TrailEvent | None, entry: Entry) -> str:
        if event is None:
            return ""
        if self._is_unfinished(event, entry):
            return "unfinished"
        if event.via == "service":
            return "aws"
        return "person" if event.by_person else "automation"

    def _unknown(self, left: Collection[str]) -> str:
        """Why there is no event: what has happened since the record was written is at most as old as the record."""
        late = "not delivered yet: CloudTrail takes up to 15 minutes"
        written = _time(self._manifest.written_at)
        age = HISTORY * 2 if written is None else self._now - written
        if age < -SKEW:
            return f"the record's own time is yet to come ({self._manifest.written_at}): nothing can be younger"
        if left:
            return f"{_unread(left)}; or {late}"
        if age <= DELIVERY:
            return late
        return f"{late}; or older than {'90 days' if age > HISTORY else 'the record'}"


def _snapshot(finding: Finding) -> Entry | None:
    """An entry for a snapshot, which the record names beside its key alone; None where the finding is on none."""
    if finding.type != SNAPSHOT:
        return None
    return Entry(type=SNAPSHOT, id=finding.address.partition("/")[2], phase=Phase.KEPT, spec={})


def _trail(entry: Entry) -> Trail:
    return SNAPSHOT_TRAIL if entry.type == SNAPSHOT else reconciler_of(entry).trail


def _unread(left: Collection[str]) -> str:
    """The events that were not read, in words: anybody can make so many, since refused calls are events too."""
    since = max(left)
    back = f", back to {since}" if since else ""
    return f"no more than the newest {PAGES * PAGE:,} events were read of each name{back}"


def _fits(event: TrailEvent, wanted: Collection[tuple[str, str]], ids: Collection[str]) -> bool:
    """True if the event concerns one of the ids, and is wanted by its name and the parameters of its request."""
    named = (parameter for name, parameter in wanted if event.is_named((name,)))
    return event.concerns(ids) and any(_is_asked(event.request, parameter) for parameter in named)


def _is_asked(request: Mapping[str, Any], parameter: str) -> bool:
    """True if the request has this parameter; of one whose value counts, if it does not have another value."""
    name, _, value = parameter.partition("=")
    return not name or (request.get(name, value) == value if value else name in request)


def _is_of_member(event: TrailEvent, field: str) -> bool:
    """True if the event may have changed this very tag, parameter or policy: CloudTrail may leave out which it was."""
    root, _, member = field.partition(".")
    named = _NAMES_OF.get(root, "")
    words = {
        word
        for name, value in event.request.items()
        if named and name.lower().startswith(named)
        for word in _words(value)
    }
    return not member or not words or any(f"{_small(member)}.".startswith(f"{_small(word)}.") for word in words)


def _small(name: str) -> str:
    """The name with a small first letter, as CloudTrail may write the keys of a map, too."""
    return f"{name[:1].lower()}{name[1:]}"


def _words(value: Any) -> Iterator[str]:
    """Every text in the value, keys too, however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and one:
            yield one


def _ids(entry: Entry, entries: Mapping[str, Entry]) -> Iterator[str]:
    """The ids by which an event may name the resource, or the one that it lives on."""
    own, reconciler = [entry], registry().get(entry.type)
    if reconciler is not None and reconciler.parent_type:
        parent = entries.get(address_of(reconciler.parent_type, reconciler.parent_id(entry.id)))
        own += [parent] if parent else []
    told = {name: value for one in own for name, value in (one.outputs or {}).items()}
    others = (value for name, value in told.items() if value and not name.endswith("endpoint"))
    yield from dict.fromkeys((*(one.id for one in own), *others))


def _client_in(session: Session, region: str) -> Aws:
    """A client of the same account in another region; the session's own in its region."""
    aws, invocation = session.aws, session.invocation
    if region == aws.region:
        return aws
    connection = replace(aws.target, region=region)
    client = invocation.pool.client(connection, aws.account) if invocation.pool else Aws(connection)
    client.identity = aws.identity
    invocation.usage.clients.append(client)
    return client


def _reason(error: AwsError) -> str:
    if isinstance(error, AwsRefused) and error.is_denied:
        return f"{error.iam_action} denied"
    return f"CloudTrail gave no answer ({error.aws_code})"


def _time(text: str) -> datetime | None:
    """The moment that a text tells; None where it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _name(principal: str) -> tuple[str, str]:
    """The kind and the name of a principal, as CloudTrail and a record both write it, without session and path."""
    words = re.split("[/:]", principal.partition(" (")[0])
    return words[0], words[-1]
