"""The comparison of a record with AWS, which believes neither its phases nor that it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tapctl.engine.drift import PHASE, Finding, Reason, Report, detect_drift
from tapctl.engine.model import shared_ids
from tapctl.engine.observe import Observations, observe_all
from tapctl.engine.record import Entry, Phase
from tapctl.engine.refs import KnownOutputs
from tapctl.engine.waiver import Waiver
from tapctl.evidence.against_files import (
    held_against_the_files,
    never_wanted_findings,
)
from tapctl.evidence.concurrent_run import Stored, look_between_readings, with_run
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.lost_cluster import is_cluster_lost, with_lost_cluster
from tapctl.evidence.new_secret import with_new_secret
from tapctl.evidence.record_fingerprint import fingerprint_left, other_record
from tapctl.evidence.recorded_outputs import recorded_outputs
from tapctl.evidence.retained import compare_retained, with_kept_no_longer, with_retained_snapshots
from tapctl.evidence.unfinished_apply import continuing
from tapctl.evidence.unfinished_destroy import is_gone_from_aws, removed_by_destroy, unfinished_destroy, with_destroy
from tapctl.evidence.unfinished_removal import with_removal, without_default_group
from tapctl.evidence.unfinished_replacement import with_replacement
from tapctl.evidence.unfinished_revert import with_revert
from tapctl.evidence.unfinished_upgrade import with_upgrade
from tapctl.evidence.unrecorded import (
    findings_of_before,
    is_lacking,
    is_unrecorded,
    lacking_finding,
    made_after_destroy,
    not_recorded_error,
    observe_unrecorded,
    type_of,
    unrecorded_finding,
    wanted_by_its_files,
)
from tapctl.evidence.waived_members import with_public_members
from tapctl.manifest.manifest import Manifest, is_of_tomorrow
from tapctl.reconcilers import kept_without_reason, observations_for, registry
from tapctl.reconcilers.iam_role import IamRole
from tapctl.session.session import Session


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
    fingerprint: str = ""
    """As `fingerprint_left` tells it."""
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
    others = observe_unrecorded(session, entries)
    deployed = any(entry.phase is not Phase.KEPT for entry in entries.values())
    destroyed = None if deployed else unfinished_destroy(session, manifest)
    stuck = destroyed.left if destroyed is not None else ()
    beside = {one: seen for one, seen in others.items() if is_unrecorded(one, seen, deployed=deployed, left=stuck)}
    again = [] if deployed else made_after_destroy(others, beside)
    if again:
        session.screen.warn(
            f"AWS has made {', '.join(again)} by itself since {session.suffix} was destroyed: "
            f"{session.command('destroy')} removes it"
        )
    if not beside and not deployed:
        return _compare_retained(session, manifest)
    _warn_of_tomorrow(session, manifest)
    # The record may lack the role, which uses the key by the grants that Lambda makes.
    ours = {IamRole.type: (session.names.role,)}
    observed = observe_all(session.aws, observations_for(entries), exposures=exposures, ours=ours)
    kept = EarlierVersions(session.store, manifest, session.screen.warn)
    left = fingerprint_left(session.names, {**others, **observed})
    entries |= kept.corrected(entries, observed, left)
    look = _Look(session, manifest, kept, entries, observed, others, beside, deployed=deployed)
    report = look.compare_entries(waivers)
    beyond = look.compare_unrecorded(report)
    findings = [*report.findings, *phase_findings(misplaced), *beyond.findings]
    if look.is_cluster_lost:
        findings = [*with_lost_cluster(findings, session.names)]
    if not manifest.is_whole:
        findings = [*with_new_secret(findings, session.names, entries, observed)]
    others_word = [*other_record(session.names, manifest, left)]
    unseen = (*beside, *beyond.lacking)
    fields = sum(len(registry()[type_of(address)].spec.model_fields) for address in unseen) + len(others_word)
    report = replace(
        report,
        findings=(*findings, *others_word),
        fields=report.fields + fields,
        unchecked=report.unchecked + fields,
        resources=report.resources + len(unseen),
        missed=(*report.missed, *unseen),
        unfinished=manifest.unfinished,
        shared_ids=shared_ids({*entries, *others}),
    )
    report = with_public_members(session.aws, with_kept_no_longer(report, entries, observed, others))
    if not deployed:
        report = with_retained_snapshots(session, manifest, report, look.seen)
    goes_on = continuing(session, manifest)
    return Compared(entries, observed, beside, report, goes_on, left, by_destroy=bool(beyond.removed))


@dataclass(frozen=True)
class _Beyond:
    """The comparison of what the record does not hold."""

    findings: Sequence[Finding]
    lacking: Sequence[str]
    """The addresses of what the record ought to hold, and AWS has not."""
    removed: frozenset[str]
    """As `removed_by_destroy` tells them."""


@dataclass(frozen=True)
class _Look:
    """A look at AWS beside a record: what both hold of this stack."""

    session: Session
    manifest: Manifest
    kept: EarlierVersions
    entries: Mapping[str, Entry]
    """The record's, corrected where they tell otherwise than a run of ours would."""
    observed: Observations
    """AWS's, of the entries."""
    others: Observations
    """AWS's, of what the files want and the record does not hold as deployed."""
    beside: Observations
    """As in `Compared`."""
    deployed: bool

    @property
    def seen(self) -> Observations:
        """All that AWS has, or does not show, under our names."""
        return {**self.others, **self.observed}

    @cached_property
    def made_for(self) -> Sequence[KnownOutputs]:
        """The outputs that the resources were made for."""
        return recorded_outputs(self.session, self.manifest, {**self.beside, **self.observed})

    @cached_property
    def is_cluster_lost(self) -> bool:
        """True if the cluster is gone, and no run of ours has removed it."""
        return is_cluster_lost(self.session, self.manifest, self.seen, self.kept)

    def compare_entries(self, waivers: Sequence[Waiver]) -> Report:
        """Compare the entries with AWS, and with what their files want."""
        session, manifest, entries, observed = self.session, self.manifest, self.entries, self.observed
        report = detect_drift(entries, observed, waivers)
        explained = with_replacement(with_upgrade(report.findings, session.names, entries), entries)
        explained = with_removal(explained, session, manifest, entries)
        explained = with_revert(explained, manifest, entries, self.kept)
        report = replace(report, findings=tuple(explained))
        return held_against_the_files(session, manifest, report, entries, observed, made_for=self.made_for)

    def compare_unrecorded(self, report: Report) -> _Beyond:
        """Compare what the record lacks: what is there beside it, what is not, and what no stack of ours may have.

        ``report``: of the entries.
        """
        session, manifest, kept = self.session, self.manifest, self.kept
        gone = [address for address, seen in self.others.items() if is_gone_from_aws(seen)]
        # By a record of nothing that is deployed, and of no unfinished apply, nothing lacks: it was destroyed.
        is_due = self.deployed or manifest.unfinished
        wanted = wanted_by_its_files(session, manifest, gone) if is_due else []
        lacking = [address for address in wanted if is_lacking(manifest, kept.was_removed(address))]
        unrecorded = [unrecorded_finding(session, place, seen, self.entries) for place, seen in self.beside.items()]
        # A stranger's resource that came after a destroy holds what its owner wants.
        theirs = {one.address for one in unrecorded if one.reason is Reason.FOREIGN and not self.deployed}
        judged = {address: seen for address, seen in self.beside.items() if address not in theirs}
        never_made = [lacking_finding(address, kept.was_removed(address)) for address in lacking]
        removed: frozenset[str] = frozenset()
        if not self.is_cluster_lost:
            removed = removed_by_destroy(session.loaded, manifest, self.observed, wanted, kept)
        destroyed = unfinished_destroy(session, manifest) if unrecorded or never_made else None
        there = {one.address for one in unrecorded if one.reason is Reason.UNRECORDED}
        there |= {address for address, seen in self.observed.items() if not is_gone_from_aws(seen)}
        live = {**self.observed, **judged}
        never = never_wanted_findings(session.names, report, live, self.entries, outputs=self.made_for)
        findings = [
            *findings_of_before(session, kept.held_before(judged)),
            *with_destroy([*unrecorded, *never_made], destroyed, gone=gone, there=there, removed=removed),
            *without_default_group(never, session, manifest, self.entries),
        ]
        return _Beyond(findings, lacking, removed)


def _warn_of_tomorrow(session: Session, manifest: Manifest) -> None:
    if is_of_tomorrow(manifest):
        why = "a clock is wrong, or somebody has written into it"
        session.screen.warn(f"the record says that it was written at {manifest.written_at}, yet to come: {why}")


def _compare_retained(session: Session, manifest: Manifest) -> Compared | None:
    """Compare what a destroy has kept, where nothing else is deployed; None where it is as it was left."""
    report, observed = compare_retained(session, manifest)
    return Compared(manifest.entries, observed, {}, report, goes_on="") if report.findings else None


def is_kept_alone(entries: Mapping[str, Entry], beside: Observations) -> bool:
    """True if nothing is there but what a destroy has kept: nobody has asked for more.

    ``beside``: as in `Compared`.
    """
    return not beside and all(entry.phase is Phase.KEPT for entry in entries.values())


def phase_findings(misplaced: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings on entries whose recorded phase does not fit."""
    for address, entry in sorted(misplaced.items()):
        yield Finding(address, entry.type, PHASE, Reason.WRONG_PHASE, recorded=Phase.KEPT.value)
