"""Resources that a destroy has kept: the key, until KMS deletes it, and the final snapshots, each as it was left.

They hold the data of an environment of which nothing else is deployed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from tapctl.clock import today
from tapctl.commands.certificate import last_certificate
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState, Reason, Report, detect_drift, unread_finding
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Absent, Observation, Observations, observe_all
from tapctl.engine.record import Entry
from tapctl.errors import AwsRefused
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import observations_for
from tapctl.reconcilers.db_cluster import SNAPSHOT, snapshots_kept
from tapctl.reconcilers.kms_key import KmsKey
from tapctl.session.session import Session

_UNTIL: Final = "kept_until"
"""The name of a finding's field: until when the resource is kept."""
_RESTORES: Final = "restorable_by"
"""The same: who else may restore the snapshot."""
_UNSHARE: Final = (
    "aws rds modify-db-cluster-snapshot-attribute --db-cluster-snapshot-identifier {snapshot} --attribute-name restore "
    "--values-to-remove"
)
_DRIFTED: Final = frozenset({FindingState.DRIFT, FindingState.MISSING, FindingState.UNEXPECTED})


def compare_kept(session: Session, manifest: Manifest) -> tuple[Report, Observations]:
    """Compare what a destroy has kept with AWS; a finding for each difference, and AWS's answers on the key."""
    keys = {place: entry.as_made() for place, entry in manifest.entries.items() if entry.type == KmsKey.type}
    observed = observe_all(session.aws, observations_for(keys), exposures=True)
    # A key that was to go has lost its alias: that it is alive is enough.
    alive = {place: entry for place, entry in keys.items() if _is_alive(observed[place]) and not _day(entry.kept_until)}
    report = detect_drift(alive, observed)
    findings = [
        *(replace(one, reason=Reason.KEPT) if one.state in _DRIFTED else one for one in report.findings),
        *(one for place, entry in manifest.entries.items() if place in keys for one in _end(entry, observed)),
        *_snapshots(session, manifest),
    ]
    unread = [one for one in findings if one.field == WHOLE_RESOURCE and one.state is FindingState.UNKNOWN]
    more = len(keys) + len(unread)
    report = replace(
        report,
        findings=tuple(findings),
        fields=report.fields + more,
        unchecked=report.unchecked + len(unread),
        resources=len(keys) + len(unread),
        missed=(*report.missed, *(one.address for one in unread)),
    )
    return report, observed


def _is_alive(seen: Observation) -> bool:
    return isinstance(seen, Observed) and not seen.deleting


def _end(entry: Entry, observed: Observations) -> Iterator[Finding]:
    """The finding on a key that goes on another day than it was left to, or not at all."""
    seen, day = observed[entry.address], _day(entry.kept_until)
    if isinstance(seen, Absent):
        if day is None or day > today():
            yield Finding(entry.address, entry.type, _UNTIL, Reason.KEPT, entry.kept_until, "it is gone")
    elif isinstance(seen, Observed):
        until = seen.retained.until if seen.deleting and seen.retained else ""
        if until != (entry.kept_until if day else ""):
            yield Finding(entry.address, entry.type, _UNTIL, Reason.KEPT, entry.kept_until, until or "no end")
    else:
        yield unread_finding(entry.address, entry.type, WHOLE_RESOURCE, seen.action, seen.refusal)


def _day(until: str) -> date | None:
    """The day of KMS's deletion; None where the key is kept for something else."""
    try:
        return date.fromisoformat(until)
    except ValueError:
        return None


def _snapshots(session: Session, manifest: Manifest) -> Iterator[Finding]:
    """The findings on final snapshots that are gone, or that others may restore."""
    certificate = last_certificate(session.store, manifest)
    kept = (each.partition("/") for each in (certificate.kept if certificate else ()))
    known = {id_ for type_, _, id_ in kept if type_ == SNAPSHOT}
    try:
        there = snapshots_kept(session.aws, session.names.cluster, session.owner, known)
    except AwsRefused as error:
        place = address(SNAPSHOT, session.names.cluster)
        yield unread_finding(place, SNAPSHOT, WHOLE_RESOURCE, error.iam_action, error.refusal)
        return
    for name in sorted(known - there.keys()):
        yield Finding(address(SNAPSHOT, name), SNAPSHOT, _UNTIL, Reason.KEPT, "you delete it", "it is gone")
    for name, accounts in sorted(there.items()):
        for account in sorted(accounts):
            yield Finding(address(SNAPSHOT, name), SNAPSHOT, _RESTORES, Reason.KEPT, live=account)


def way_back(one: Finding, session: Session) -> str:
    """The command that ends this change of something kept; empty where none of AWS's or ours does."""
    if one.field == _RESTORES:
        snapshot, account = shlex.quote(one.address.partition("/")[2]), shlex.quote(str(one.live))
        return session.aws.target.command(f"{_UNSHARE.format(snapshot=snapshot)} {account}")
    # A destroy schedules the key's deletion again, and certifies what is there.
    return session.command("destroy") if one.field == _UNTIL else ""
