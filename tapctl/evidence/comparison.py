"""The comparison of a record with AWS, which believes neither its phases nor that it is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tapctl.engine.drift import PHASE, WHOLE_RESOURCE, Finding, Reason, Report, detect_drift, unread_finding
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observation, Observations, ObserveRequest, Unreadable, observe_all
from tapctl.engine.record import Entry, Phase
from tapctl.engine.waiver import Waiver
from tapctl.errors import ConfigError, NotRecorded
from tapctl.evidence.against_files import (
    are_rules_being_made,
    held_against_the_files,
    is_of_the_files,
    never_wanted_findings,
)
from tapctl.evidence.certificate import end_of_destroyed
from tapctl.evidence.concurrent_run import Stored, look_between_readings, with_run
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.lost_cluster import is_cluster_lost, with_lost_cluster
from tapctl.evidence.new_secret import with_new_secret
from tapctl.evidence.record_fingerprint import fingerprint_left, other_record
from tapctl.evidence.recorded_files import any_files
from tapctl.evidence.recorded_outputs import recorded_outputs
from tapctl.evidence.retained import compare_retained, with_retained_snapshots
from tapctl.evidence.unfinished_apply import continuing
from tapctl.evidence.unfinished_destroy import is_gone_from_aws, removed_by_destroy, unfinished_destroy, with_destroy
from tapctl.evidence.unfinished_removal import with_removal
from tapctl.evidence.unfinished_replacement import with_replacement
from tapctl.evidence.unfinished_upgrade import with_upgrade
from tapctl.manifest.history import last_version
from tapctl.manifest.manifest import Manifest, is_of_tomorrow
from tapctl.reconcilers import kept_without_reason, observations_for, registry
from tapctl.reconcilers.iam_role import IamRole
from tapctl.session.session import Session
from tapctl.stack.definition import planned_addresses, planned_stack

_NAMED: Final = 5
"""Resources that are named where more are meant."""


@dataclass(frozen=True)
class Compared:
    """The comparison of a record with AWS: entries, observations, and the differences."""

    entries: Mapping[str, Entry]
    """The entries that were compared; one whose recorded phase does not fit is among them as made."""
    observed: Observations
    beside: Observations
    """The resources that are there under our names and not recorded, or may not be looked at, by address."""
    report: Report
    goes_on: str
    """The command that goes on with an apply which did not finish."""
    by_destroy: bool = False
    """True if what was cut off is a destroy."""
    is_at_work: bool = False
    """True if a run was under way after the look: it goes on with what it has begun, and nothing was cut off."""
    written: frozenset[str] = frozenset()
    """The addresses whose entries a run has written during the look."""


def compare_between_readings(
    session: Session, stored: Stored, waivers: Sequence[Waiver], since: Manifest | None = None
) -> tuple[Stored, Compared | None, str]:
    """Compare the record with AWS while others may be at work; returns it as it was compared, and who is at it still.

    ``since``: as in `look_between_readings`.

    Raises:
        NotRecorded: there is no record, or none any more.
    """

    def look(stored: Stored) -> Compared | None:
        return compare_stored(session, stored, waivers)

    stored, compared, meanwhile = look_between_readings(session, stored, look, _differs, since)
    if compared is not None and meanwhile.written:
        made, record, seen = meanwhile.made, meanwhile.record, compared.observed
        left = _left_by_run(session, made, record, seen) if made and record is not None else ()
        findings = tuple(with_run(compared.report.findings, meanwhile, left))
        report = replace(compared.report, findings=findings)
        still = {
            one.address for one in findings if one.reason is not Reason.UNDER_WAY and one.address in meanwhile.made
        }
        compared = replace(compared, report=report, written=meanwhile.written - still)
    if compared is not None and meanwhile.run:
        compared = replace(compared, is_at_work=True, by_destroy=False)
    return stored, compared, meanwhile.run


def _left_by_run(
    session: Session, made: Mapping[str, Entry], record: Manifest, observed: Observations
) -> Sequence[Finding]:
    """The findings on what was made before a look and after it, by the record that tells of that and by its files."""
    report, made_for = detect_drift(made, observed), recorded_outputs(session, record, observed)
    return held_against_the_files(session, record, report, made, observed, made_for=made_for).findings


def compare_stored(session: Session, stored: Stored, waivers: Sequence[Waiver]) -> Compared | None:
    """Compare the record with AWS, with what is exposed; None as in `compare_recorded`.

    Raises:
        NotRecorded: there is no record.
    """
    manifest, version = stored
    if version is None:
        raise not_recorded_error(session)
    return compare_recorded(session, manifest, waivers, exposures=True)


def _differs(compared: Compared | None) -> bool:
    return compared is not None and not (compared.report.is_complete and not compared.report.drifted)


def compare_recorded(
    session: Session,
    manifest: Manifest,
    waivers: Sequence[Waiver] = (),
    *,
    exposures: bool = False,
) -> Compared | None:
    """Compare a record with AWS, believing neither its phases nor that it is whole.

    None where nothing is deployed, and what a destroy has kept is as it was left.
    """
    misplaced = kept_without_reason(manifest.entries)
    entries = {**manifest.entries, **misplaced}
    deployed = any(entry.phase is not Phase.KEPT for entry in entries.values())
    others = _not_recorded(session, entries)
    beside = {address: seen for address, seen in others.items() if _is_unrecorded(address, seen, deployed=deployed)}
    if not beside and not deployed:
        return _compare_retained(session, manifest)
    if is_of_tomorrow(manifest):
        why = "a clock is wrong, or somebody has written into it"
        session.screen.warn(f"the record says that it was written at {manifest.written_at}, yet to come: {why}")
    # The record may lack the role, which uses the key by the grants that Lambda makes.
    ours = {IamRole.type: (session.names.role,)}
    observed = observe_all(session.aws, observations_for(entries), exposures=exposures, ours=ours)
    kept = EarlierVersions(session.store, manifest, session.screen.warn)
    entries |= kept.corrected(entries, observed, fingerprint_left(session.names, observed))
    report = detect_drift(entries, observed, waivers)
    explained = with_replacement(with_upgrade(report.findings, session.names, entries), entries)
    explained = with_removal(explained, session, manifest, entries)
    report = replace(report, findings=tuple(explained))
    made_for = recorded_outputs(session, manifest, {**beside, **observed})
    report = held_against_the_files(session, manifest, report, entries, observed, made_for=made_for)
    gone = [address for address, seen in others.items() if is_gone_from_aws(seen)]
    # By a record of nothing that is deployed, and of no unfinished apply, nothing lacks: it was destroyed.
    wanted = _wanted_by_its_files(session, manifest, gone) if deployed or manifest.unfinished else []
    lacking = [address for address in wanted if _is_lacking(manifest, kept.was_removed(address))]
    unrecorded = [_unrecorded_finding(session, address, seen, entries) for address, seen in beside.items()]
    # A stranger's resource that came after a destroy holds what its owner wants.
    theirs = {one.address for one in unrecorded if one.reason is Reason.FOREIGN and not deployed}
    judged = {address: seen for address, seen in beside.items() if address not in theirs}
    never_made = [_lacking_finding(address, kept.was_removed(address)) for address in lacking]
    cluster_is_lost = is_cluster_lost(session, manifest, {**others, **observed}, kept)
    removed = frozenset() if cluster_is_lost else removed_by_destroy(session.loaded, manifest, observed, wanted, kept)
    destroyed = unfinished_destroy(session, manifest) if unrecorded or never_made else None
    there = {one.address for one in unrecorded if one.reason is Reason.UNRECORDED}
    there |= {address for address, seen in observed.items() if not is_gone_from_aws(seen)}
    findings = [
        *phase_findings(misplaced),
        *_of_before(session, kept.held_before(judged)),
        *with_destroy([*unrecorded, *never_made], destroyed, gone=gone, there=there, removed=removed),
        *never_wanted_findings(session.names, report, {**observed, **judged}, entries, outputs=made_for),
    ]
    findings = [*report.findings, *findings]
    if cluster_is_lost:
        findings = [*with_lost_cluster(findings, session.names)]
    if not manifest.is_whole:
        findings = [*with_new_secret(findings, session.names, entries, observed)]
    others_word = [*other_record(session.names, manifest, observed)]
    findings += others_word
    unseen = (*beside, *lacking)
    fields = sum(len(registry()[_type_of(address)].spec.model_fields) for address in unseen)
    report = replace(
        report,
        findings=tuple(findings),
        fields=report.fields + fields + len(others_word),
        unchecked=report.unchecked + fields + len(others_word),
        resources=report.resources + len(unseen),
        missed=(*report.missed, *unseen),
        unfinished=manifest.unfinished,
        shared_ids=_shared_ids({*entries, *others}),
    )
    if not deployed:
        report = with_retained_snapshots(session, manifest, report, {**others, **observed})
    return Compared(entries, observed, beside, report, continuing(session, manifest), by_destroy=bool(removed))


def _shared_ids(addresses: Iterable[str]) -> frozenset[str]:
    counted = Counter(address.partition("/")[2] for address in addresses)
    return frozenset(id_ for id_, count in counted.items() if count > 1)


def _is_lacking(manifest: Manifest, was_removed: bool | None) -> bool:
    """True if the record ought to hold what its files want and AWS has not; ``was_removed``: by earlier versions.

    Where a run has left something half done, that tells of what this run has not come to, or has removed.
    """
    return manifest.is_settled or was_removed is False or (was_removed is None and not manifest.unfinished)


def _lacking_finding(address: str, was_removed: bool | None) -> Finding:
    reason = Reason.ABSENT if was_removed is False else Reason.NEVER_MADE
    return Finding(address, _type_of(address), WHOLE_RESOURCE, reason)


def _wanted_by_its_files(session: Session, manifest: Manifest, addresses: Sequence[str]) -> Sequence[str]:
    """List those of these addresses that the files which the record is of want: of other files those that all want."""
    if is_of_the_files(session, manifest):
        return addresses
    by_all = planned_addresses(any_files(manifest.environment, session.names, manifest.entries), session.suffix)
    return [address for address in addresses if address in by_all]


def _compare_retained(session: Session, manifest: Manifest) -> Compared | None:
    """Compare what a destroy has kept, where nothing else is deployed; None where it is as it was left."""
    report, observed = compare_retained(session, manifest)
    return Compared(manifest.entries, observed, {}, report, goes_on="") if report.findings else None


def not_recorded_error(session: Session) -> NotRecorded:
    """The error for a missing record: who may write records may remove one, so AWS is asked what it has."""
    seen = _not_recorded(session, {})
    there = [address for address, one in seen.items() if not is_gone_from_aws(one) and not _is_retained(one)]
    evidence = [f"nothing at {session.location}"]
    if there:
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        evidence.append(f"AWS has, or does not show, what bears its names: {', '.join(there[:_NAMED])}{more}")
    else:
        evidence.append("AWS has nothing under its names")
    left_by_destroy = all(registry()[_type_of(address)].retainable for address in there)
    newest = last_version(session.store, session.suffix)
    back = end_of_destroyed(session.invocation, session.store, newest) if left_by_destroy else ""
    # Nothing but an earlier version tells which of the things under its names were made by us.
    first = "put the newest version of its history back, which tells what was made; or " if newest else ""
    return NotRecorded(
        f"there is no record of {session.suffix}",
        there=len(there),
        evidence="\n".join(evidence),
        hint=back or f"{first}{session.command('apply')} writes it anew from AWS, with what it finds",
    )


def _type_of(address: str) -> str:
    return address.partition("/")[0]


def _unrecorded_finding(session: Session, address: str, seen: Observation, entries: Mapping[str, Entry]) -> Finding:
    type_, _, id_ = address.partition("/")
    place, denied = (address, type_, WHOLE_RESOURCE), _denied(seen)
    if denied or not isinstance(seen, Observed):
        return unread_finding(*place, denied, seen.refusal if isinstance(seen, Unreadable) else "")
    ownership = session.claimant.judge(registry()[type_], id_, seen, recorded=None)
    if not ownership.ours:
        return Finding(*place, Reason.FOREIGN, detail=ownership.owner_tags)
    return Finding(*place, Reason.APPLY_INTERRUPTED if are_rules_being_made(address, entries) else Reason.UNRECORDED)


def _of_before(session: Session, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings on what is there and not recorded, against the ``entries`` that earlier versions have of that."""
    # What is read of a resource depends on what it is held against.
    observed = observe_all(session.aws, observations_for(entries))
    found = detect_drift(entries, observed).findings
    changed = (one for one in found if one.reason in (Reason.CHANGED, Reason.REPLACED))
    yield from (replace(one, reason=Reason.OF_BEFORE) for one in changed)


def _denied(seen: Observation) -> str:
    """The denied action without which nobody can tell whose the resource is; empty if that can be told."""
    if isinstance(seen, Unreadable):
        return seen.action
    return seen.unreadable.get("tags", "") if isinstance(seen, Observed) else ""


def _not_recorded(session: Session, entries: Mapping[str, Entry]) -> Observations:
    """Look at the resources that the files want, and that the record does not hold as deployed.

    Where these cannot be used: that all files want. Who may write the record may take entries out of it, or call them
    kept: that is no reason not to look where others are deployed. Nothing is asked where the record is whole.
    """
    config = session.loaded
    if isinstance(config, ConfigError):
        config = any_files(session.target.env, session.names, entries)
    recorded = {address for address, entry in entries.items() if entry.phase is not Phase.KEPT} or entries.keys()
    lacking = [one for one in planned_stack(config, session.suffix) if one.address not in recorded]
    return dict(
        sorted(observe_all(session.aws, [ObserveRequest(one.reconciler, one.id, None) for one in lacking]).items())
    )


def _is_unrecorded(address: str, seen: Observation, *, deployed: bool) -> bool:
    """True if the resource is there, whosever its tags call it, or may not be looked at.

    Where nothing is deployed, what AWS makes by itself and nobody has tagged is what a destroy may leave: a log group.
    """
    if _denied(seen):
        return True
    if not isinstance(seen, Observed) or seen.deleting or _is_retained(seen):
        return False
    return deployed or seen.owner is not None or not registry()[_type_of(address)].created_by_aws


def _is_retained(seen: Observation) -> bool:
    return isinstance(seen, Observed) and seen.retained is not None


def is_kept_alone(entries: Mapping[str, Entry], beside: Observations) -> bool:
    """True if nothing is there but what a destroy has kept: nobody has asked for more.

    ``beside``: as in `Compared`.
    """
    return not beside and all(entry.phase is Phase.KEPT for entry in entries.values())


def phase_findings(misplaced: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings on entries whose recorded phase does not fit."""
    for address, entry in sorted(misplaced.items()):
        yield Finding(address, entry.type, PHASE, Reason.WRONG_PHASE, recorded=Phase.KEPT.value)
