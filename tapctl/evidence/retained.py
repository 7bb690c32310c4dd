"""Resources that a removal has kept: the key, until KMS deletes it, and the snapshots, each as it was left.

They hold the data of an environment of which nothing else is deployed. And what an apply could only keep: a
subscription that nobody had confirmed.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from tapctl.aws.answers import why_unread
from tapctl.clock import today
from tapctl.engine import refs
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason, Report, detect_drift, unread_finding
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Absent, Observation, Observations, Unreadable, observe_all
from tapctl.engine.planner import stays_kept
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsNoAnswer, AwsRefused
from tapctl.evidence.certificate import decrypted_by_record, last_certificate
from tapctl.evidence.forged import forged_whatever_the_files
from tapctl.evidence.recorded_files import any_files
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import observations_for, reconciler_of
from tapctl.reconcilers.db_cluster_snapshots import (
    KMS_KEY_ARN,
    RESOURCE_ID,
    RESTORABLE_BY,
    SNAPSHOT,
    LastingSnapshot,
    cluster_in_name,
    data_in,
    is_of_another_cluster,
    lasting_snapshots,
    restorers_of,
)
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.render.screen import Advice
from tapctl.session.session import Session
from tapctl.stack.never_wanted import let_in

_CERTIFICATE: Final = "a look at its certificate"
_DESCRIBES: Final = "rds:DescribeDBClusterSnapshots"
_NOT_TOLD: Final = "answered, but it does not tell which cluster the snapshot is of"
_UNTIL: Final = "kept_until"
"""The name of a finding's field: until when the resource is kept."""
_GONE: Final = "it is gone"
_COPIED: Final = "a copy, made since"
_NOTES: Final[Mapping[str, str]] = {
    _GONE: "nothing brings it back; this certifies what is left:",
    _COPIED: "where it is meant, this certifies it, too; else delete it:",
}
"""The live state of something kept to the words before the destroy that certifies what is left."""
_UNSHARE: Final = (
    "aws rds modify-db-cluster-snapshot-attribute --db-cluster-snapshot-identifier {snapshot} --attribute-name restore "
    "--values-to-remove"
)
_DRIFTED: Final = frozenset({FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED})


def compare_retained(session: Session, manifest: Manifest) -> tuple[Report, Observations]:
    """Compare what a destroy has kept with AWS; a finding for each difference, and AWS's answers on the key."""
    keys = {place: entry.as_made() for place, entry in manifest.entries.items() if entry.type == KmsKey.type}
    observed = observe_all(session.aws, observations_for(keys), exposures=True)
    # A key that was to go has lost its alias: that it is alive is enough.
    alive = {place: entry for place, entry in keys.items() if _is_alive(observed[place]) and not _day(entry.kept_until)}
    report = detect_drift(alive, observed)
    changed = [replace(one, reason=Reason.KEPT) if one.state in _DRIFTED else one for one in report.findings]
    told = {(one.address, one.field.partition(".")[0]) for one in changed}
    entries = [entry for place, entry in manifest.entries.items() if place in keys]
    snapshots = _Snapshots.look(session, manifest, observed)
    findings = [
        *changed,
        *(one for one in _let_to(session, alive, observed) if (one.address, one.field.partition(".")[0]) not in told),
        *(one for entry in entries for one in _end(entry, observed, snapshots.needs(observed[entry.address]))),
    ]
    report = replace(report, findings=(), fields=report.fields + len(keys), resources=len(keys))
    return _with(report, [*findings, *snapshots.findings()]), observed


def with_retained_snapshots(session: Session, manifest: Manifest, report: Report, observed: Observations) -> Report:
    """The report with the findings on the snapshots that a destroy has kept, where the key has others.

    ``observed``: all that AWS has under our names.
    """
    return _with(report, [*_Snapshots.look(session, manifest, observed).findings()])


def with_kept_no_longer(
    report: Report, entries: Mapping[str, Entry], observed: Observations, wanted: Collection[str]
) -> Report:
    """The report with the findings on what a removal could only keep, which nobody wants, and which can go by now.

    ``wanted``: the addresses of what the files want again.
    """
    kept = (entries[place] for place in sorted(entries.keys() - wanted) if entries[place].phase is Phase.KEPT)
    findings = [one for entry in kept for one in _ended(entry, observed.get(entry.address))]
    seen = sum(one.state is not FindingState.UNKNOWN for one in findings)
    return _with(replace(report, fields=report.fields + seen, resources=report.resources + seen), findings)


def _ended(entry: Entry, seen: Observation | None) -> Iterator[Finding]:
    """The finding on what is kept no longer, or may be so; what is gone as AWS promised is nobody's loss."""
    known = reconciler_of(entry)
    field = known.kept_while_pending
    if isinstance(seen, Unreadable):
        yield unread_finding(entry.address, entry.type, WHOLE_RESOURCE, seen.action, seen.refusal)
    elif isinstance(seen, Observed) and not stays_kept(known, entry, seen):
        live = getattr(seen.spec, field)
        yield Finding(entry.address, entry.type, field, Reason.KEPT_NO_LONGER, live=live, detail=seen.status)


def _with(report: Report, findings: Sequence[Finding]) -> Report:
    """The report with these findings; a resource that could not be read is one that was not compared."""
    unread = [one for one in findings if one.field == WHOLE_RESOURCE and one.state is FindingState.UNKNOWN]
    return replace(
        report,
        findings=(*report.findings, *findings),
        fields=report.fields + len(unread),
        unchecked=report.unchecked + len(unread),
        resources=report.resources + len(unread),
        missed=(*report.missed, *(one.address for one in unread)),
    )


def _is_alive(seen: Observation) -> bool:
    return isinstance(seen, Observed) and not seen.deleting


def _let_to(session: Session, keys: Mapping[str, Entry], observed: Observations) -> Iterator[Finding]:
    """The findings on who uses a key, or may, though no files want it: whatever the record tells."""
    config = any_files(session.target.env, session.names, keys)
    for place, entry in keys.items():
        seen = observed[place]
        assert isinstance(seen, Observed), "it is alive"
        live = seen.spec
        has = {place: entry.model_copy(update={"spec": refs.to_json(live)})}
        for _, part in forged_whatever_the_files(config, session.names, has, None, [{}]):
            yield Finding(place, entry.type, part.path, Reason.KEPT, part.want, part.have)
        for field, item in let_in(session.names, entry.type, entry.id, live):
            yield Finding(place, entry.type, field, Reason.KEPT, live=item)


def _end(entry: Entry, observed: Observations, needs_it: str) -> Iterator[Finding]:
    """The finding on a key that goes on another day than it was left to, or not at all.

    ``needs_it``: the name of a snapshot that it decrypts, and then there is no such day; empty if there is none.
    """
    seen, day = observed[entry.address], None if needs_it else _day(entry.kept_until)
    if isinstance(seen, Absent):
        if day is None or day > today():
            yield Finding(entry.address, entry.type, _UNTIL, Reason.KEPT, entry.kept_until, _GONE)
    elif isinstance(seen, Observed):
        until = seen.retained.until if seen.deleting and seen.retained else ""
        if until != (entry.kept_until if day else ""):
            recorded = f"{needs_it} is deleted" if needs_it and _day(entry.kept_until) else entry.kept_until
            yield Finding(entry.address, entry.type, _UNTIL, Reason.KEPT, recorded, until or "no end")
    else:
        yield unread_finding(entry.address, entry.type, WHOLE_RESOURCE, seen.action, seen.refusal)


def _day(until: str) -> date | None:
    """The day of KMS's deletion; None where the key is kept for something else."""
    try:
        return date.fromisoformat(until)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Snapshots:
    """The snapshots that were kept, as certificate and record name them, and that are there."""

    known: Collection[str]
    decrypted: Collection[str]
    """Those of them that a key was kept for."""
    keys: Sequence[str]
    """The ARNs of the keys that were kept, as the record tells them, and as AWS does."""
    there: Mapping[str, LastingSnapshot]
    unread: Sequence[Finding]
    ours: Collection[str] = ()
    """Those that are of a cluster of our name, or bear our tags, where a certificate tells what was kept."""

    @classmethod
    def look(cls, session: Session, manifest: Manifest, observed: Observations) -> _Snapshots:
        """Read them: a call, and one for each. ``observed``: the keys, among others."""
        broken = list[str]()
        place = address(SNAPSHOT, session.names.cluster)
        certificate = last_certificate(session.store, manifest, broken.append)
        decrypted = decrypted_by_record(manifest) | (certificate.decrypted if certificate else frozenset())
        known = decrypted | (certificate.snapshots if certificate else frozenset())
        # Our alias may be another key's by now: the record tells which one was kept.
        recorded = [one.claim.get("arn", "") for one in manifest.entries.values() if one.type == KmsKey.type]
        live = [_arn(seen) for place, seen in observed.items() if place.partition("/")[0] == KmsKey.type]
        keys = [arn for arn in dict.fromkeys([*recorded, *live]) if arn]
        try:
            there = {
                name: one
                for name, one in lasting_snapshots(session.aws).items()
                if name in known
                or session.names.cluster == one.cluster
                or one.owner == session.owner
                or one.kms_key_arn in keys
            }
            there = {name: replace(one, restored_by=restorers_of(session.aws, name)) for name, one in there.items()}
        except AwsRefused as error:
            unread = unread_finding(place, SNAPSHOT, WHOLE_RESOURCE, error.iam_action, error.refusal)
            return cls((), (), (), {}, [unread])
        except AwsNoAnswer as error:
            unread = unread_finding(place, SNAPSHOT, WHOLE_RESOURCE, error.iam_action, why_unread(error))
            return cls((), (), (), {}, [unread])
        unusable = [unread_finding(place, SNAPSHOT, WHOLE_RESOURCE, _CERTIFICATE, why) for why in broken]
        named = {one for one in there if there[one].is_ours_by_its_words(session.names.cluster, session.owner)}
        return cls(known, decrypted, keys, there, unusable, named if certificate and certificate.complete else ())

    def needs(self, key: Observation) -> str:
        """The name of a snapshot that this key decrypts; empty if there is none."""
        arn = _arn(key)
        return next((name for name, one in sorted(self.there.items()) if one.kms_key_arn == arn), "")

    def findings(self) -> Iterator[Finding]:
        """The findings on snapshots that are gone, that others have taken the place of, or that others may restore."""
        yield from self.unread
        for name in sorted({*self.known} - self.there.keys()):
            yield Finding(address(SNAPSHOT, name), SNAPSHOT, _UNTIL, Reason.KEPT, "you delete it", _GONE)
        data = data_in(self.known, self.there)
        for name, one in sorted(self.there.items()):
            place = address(SNAPSHOT, name), SNAPSHOT
            is_copy = self.known and (one.kms_key_arn in self.keys or one.resource_id.lower() in data)
            is_copy = is_copy or name in self.ours
            if name not in self.known and not self.unread and is_copy:
                yield Finding(*place, _UNTIL, Reason.KEPT, live=_COPIED)
            if name in self.known and not one.resource_id:
                yield unread_finding(*place, WHOLE_RESOURCE, _DESCRIBES, _NOT_TOLD)
            elif name in self.known and is_of_another_cluster(name, one.resource_id):
                yield Finding(*place, RESOURCE_ID, Reason.KEPT, cluster_in_name(name), one.resource_id)
            elif name in self.decrypted and self.keys and one.kms_key_arn not in self.keys:
                yield Finding(*place, KMS_KEY_ARN, Reason.KEPT, self.keys[0], one.kms_key_arn)
            for account in sorted(one.restored_by):
                yield Finding(*place, RESTORABLE_BY, Reason.KEPT, live=account)


def _arn(key: Observation) -> str:
    return key.outputs.arn if isinstance(key, Observed) and key.outputs is not None else ""


def way_back(one: Finding, session: Session) -> Advice:
    """The command that ends this change of something kept, and a few words; none where none of AWS's or ours does."""
    if one.reason is Reason.KEPT_NO_LONGER:
        return Advice(undo=f"{session.command('apply')} --allow {shlex.quote(one.address)}")
    if one.field == RESTORABLE_BY:
        snapshot, account = shlex.quote(one.address.partition("/")[2]), shlex.quote(str(one.live))
        return Advice(undo=session.aws.target.command(f"{_UNSHARE.format(snapshot=snapshot)} {account}"))
    if one.field != _UNTIL:
        return Advice()
    # A destroy schedules the key's deletion again, and certifies what is there.
    return Advice(undo=session.command("destroy"), undo_note=_NOTES.get(str(one.live), ""))
