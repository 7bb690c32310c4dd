"""``tapctl drift``: the record against AWS now: drift is what somebody touched, and not what the files newly want.

What the files want is read only where the record is of them as they are: to see what somebody has written into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from tapctl.commands.advice import advise
from tapctl.commands.against_files import (
    are_rules_being_made,
    held_against_the_files,
    is_of_the_files,
    never_wanted_findings,
)
from tapctl.commands.concurrent_run import Stored, look_between_readings, with_run
from tapctl.commands.fleet import end_of_destroyed, environments_to_look_at, for_each_environment
from tapctl.commands.kept import compare_kept
from tapctl.commands.kept_versions import KeptVersions
from tapctl.commands.known import Known, known_findings, only_new
from tapctl.commands.lost_cluster import is_cluster_lost, with_lost_cluster
from tapctl.commands.new_secret import with_new_secret
from tapctl.commands.older import Age, warn_of_old_record
from tapctl.commands.recorded_outputs import recorded_outputs
from tapctl.commands.restore import continuing
from tapctl.commands.subscribers import tell_of_subscribers
from tapctl.commands.unfinished_destroy import is_gone_from_aws, removed_by_destroy, unfinished_destroy, with_destroy
from tapctl.commands.unfinished_replacement import with_replacement
from tapctl.commands.unfinished_upgrade import with_upgrade
from tapctl.commands.waivers import WaiverTally, waivers_for, warn_of_idle_waivers
from tapctl.commands.wanted import wanted_beside
from tapctl.commands.who import with_causes, with_who
from tapctl.engine.drift import (
    PHASE,
    WHOLE_RESOURCE,
    Finding,
    FindingState,
    Reason,
    Report,
    detect_drift,
    unread_finding,
)
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observation, Observations, ObserveRequest, Unreadable, observe_all
from tapctl.engine.record import Entry, Phase
from tapctl.engine.waiver import Waiver
from tapctl.errors import ConfigError, ExitCode, NotRecorded, Status, TapctlError
from tapctl.manifest.history import last_version
from tapctl.manifest.manifest import Manifest, is_of_tomorrow
from tapctl.reconcilers import kept_without_reason, never_compared, observations_for, registry
from tapctl.reconcilers.iam_role import IamRole
from tapctl.reconcilers.sns_subscription import SnsSubscription
from tapctl.render.screen import Comparison, Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import Files
from tapctl.stack.definition import planned_addresses, planned_stack
from tapctl.stack.image import FIELD as IMAGE_FIELD
from tapctl.stack.image import tags_of
from tapctl.stack.recorded_files import any_files

_NAMED: Final = 5
"""Resources that are named where more are meant."""
_DESTROYED: Final = "nothing of it is deployed"


def drift(invocation: Invocation, screen: Screen, *, who: bool = False, new_since: str | None = None) -> int:
    """Compare the environment that is named with its record, or every one that the state knows.

    ``who``: ask CloudTrail who made each change. ``new_since``: a recorded run, whose findings are known and neither
    shown nor counted.
    """
    known = None if new_since is None else known_findings(new_since, screen)
    if invocation.target_is_explicit:
        return _drift_one(open_session(invocation, screen, Files.MAY_BE_WRONG), known, who=who)
    return _drift_all(invocation, screen, known, who=who)


@dataclass(frozen=True)
class Examined:
    """The record of one environment, AWS as it is now, and the difference."""

    manifest: Manifest
    version: str
    entries: Mapping[str, Entry]
    """As in `Compared`, like the next two."""
    observed: Observations
    beside: Observations
    report: Report
    by_destroy: bool
    """As in `Compared`, like the next one."""
    is_at_work: bool

    @property
    def remark(self) -> str:
        """The words before the verdict's counts where the record tells of nothing that is deployed; else empty."""
        deployed = any(entry.phase is not Phase.KEPT for entry in self.entries.values())
        return "" if deployed else f"by its record {_DESTROYED} · "


def examine(session: Session, *, locked: bool = False, since: Manifest | None = None) -> Examined | None:
    """Compare the environment with its record; None where nothing of it is deployed.

    ``locked``: the lock is ours, so that no other run is under way. ``since``: as in `look_between_readings`.

    Raises:
        NotRecorded: there is no record.
        ConfigError: the waivers break a rule.
    """
    stored, waivers = session.load_manifest(), waivers_for(session)
    if locked:
        compared = _compare_stored(session, stored, waivers)
    else:
        session.warn_of_run(session.run_under_way())
        stored, compared, run = compare_between_readings(session, stored, waivers, since)
        session.warn_of_run(run)
    if compared is None:
        return None
    manifest, version = stored
    assert version is not None, "what was compared is recorded"
    report = compared.report
    images = [uri for one in report.findings if one.field == IMAGE_FIELD for uri in (one.recorded, one.live)]
    never = never_compared(entry.type for entry in compared.entries.values())
    if isinstance(session.loaded, ConfigError):
        never += ("what the files want beside what all files do: they cannot be used",)
    report = replace(report, never_compared=never, names=tags_of(session.aws, images))
    return Examined(
        manifest,
        version,
        compared.entries,
        compared.observed,
        compared.beside,
        report,
        compared.by_destroy,
        compared.is_at_work,
    )


def compare_between_readings(
    session: Session, stored: Stored, waivers: Sequence[Waiver], since: Manifest | None = None
) -> tuple[Stored, Compared | None, str]:
    """Compare the record with AWS while others may be at work; returns it as it was compared, and who is at it still.

    ``since``: as in `look_between_readings`.

    Raises:
        NotRecorded: there is no record, or none any more.
    """

    def look(stored: Stored) -> Compared | None:
        return _compare_stored(session, stored, waivers)

    stored, compared, meanwhile = look_between_readings(session, stored, look, _differs, since)
    if compared is not None and meanwhile.written:
        findings = tuple(with_run(compared.report.findings, meanwhile, compared.observed))
        report = replace(compared.report, findings=findings)
        still = {
            one.address for one in findings if one.reason is not Reason.UNDER_WAY and one.address in meanwhile.made
        }
        compared = replace(compared, report=report, written=meanwhile.written - still)
    if compared is not None and meanwhile.run:
        compared = replace(compared, is_at_work=True, by_destroy=False)
    return stored, compared, meanwhile.run


def _compare_stored(session: Session, stored: Stored, waivers: Sequence[Waiver]) -> Compared | None:
    manifest, version = stored
    if version is None:
        raise not_recorded_error(session)
    return compare_recorded(session, manifest, waivers, exposures=True)


def _differs(compared: Compared | None) -> bool:
    return compared is not None and not (compared.report.is_complete and not compared.report.drifted)


def not_recorded_error(session: Session) -> NotRecorded:
    """The error for a missing record: who may write records may remove one, so AWS is asked what it has."""
    seen = _not_recorded(session, {}, deployed=False)
    there = [address for address, one in seen.items() if not is_gone_from_aws(one) and not _is_retained(one)]
    evidence = [f"nothing at {session.location}"]
    if there:
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        evidence.append(f"AWS has, or does not show, what bears its names: {', '.join(there[:_NAMED])}{more}")
    elif seen:
        evidence.append("AWS has nothing under its names")
    left_by_destroy = seen and all(registry()[_type_of(address)].retainable for address in there)
    back = end_of_destroyed(session.invocation, session.store, _newest_version(session)) if left_by_destroy else ""
    return NotRecorded(
        f"there is no record of {session.suffix}",
        counts={"there": len(there)} if seen else {},
        evidence="\n".join(evidence),
        hint=back or f"{session.command('apply')} writes it anew from AWS, with what it finds",
    )


def _newest_version(session: Session) -> Manifest | None:
    """The newest version of the record that is kept; None where there is none that can be used."""
    newest = None
    with suppress(TapctlError):
        newest = last_version(session.store, session.suffix)
    return newest


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
    others = _not_recorded(session, entries, deployed=deployed)
    beside = {address: seen for address, seen in others.items() if _is_unrecorded(address, seen, deployed=deployed)}
    if not beside and not deployed:
        return _compare_kept(session, manifest)
    if is_of_tomorrow(manifest):
        why = "a clock is wrong, or somebody has written into it"
        session.screen.warn(f"the record says that it was written at {manifest.written_at}, yet to come: {why}")
    # The record may lack the role, which uses the key by the grants that Lambda makes.
    ours = {IamRole.type: (session.names.role,)}
    observed = observe_all(session.aws, observations_for(entries), exposures=exposures, ours=ours)
    kept = KeptVersions(session.store, manifest)
    entries |= kept.begun_anew(entries, observed)
    report = detect_drift(entries, observed, waivers)
    explained = with_replacement(with_upgrade(report.findings, session.names, entries), entries)
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
        *with_destroy([*unrecorded, *never_made], destroyed, gone=gone, there=there, removed=removed),
        *never_wanted_findings(session.names, report, {**observed, **judged}, entries, outputs=made_for),
    ]
    findings = [*report.findings, *findings]
    if cluster_is_lost:
        findings = [*with_lost_cluster(findings, session.names)]
    if not manifest.is_whole:
        findings = [*with_new_secret(findings, session.names, entries, observed)]
    unseen = (*beside, *lacking)
    fields = sum(len(registry()[_type_of(address)].spec.model_fields) for address in unseen)
    report = replace(
        report,
        findings=tuple(findings),
        fields=report.fields + fields,
        unchecked=report.unchecked + fields,
        resources=report.resources + len(unseen),
        missed=(*report.missed, *unseen),
        unfinished=manifest.unfinished,
    )
    return Compared(entries, observed, beside, report, continuing(session, manifest), by_destroy=bool(removed))


def _is_lacking(manifest: Manifest, was_removed: bool | None) -> bool:
    """True if the record ought to hold what its files want and AWS has not; ``was_removed``: as `KeptVersions` tells.

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


def _compare_kept(session: Session, manifest: Manifest) -> Compared | None:
    """Compare what a destroy has kept, where nothing else is deployed; None where it is as it was left."""
    report, observed = compare_kept(session, manifest)
    return Compared(manifest.entries, observed, {}, report, goes_on="") if report.findings else None


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


def _denied(seen: Observation) -> str:
    """The denied action without which nobody can tell whose the resource is; empty if that can be told."""
    if isinstance(seen, Unreadable):
        return seen.action
    return seen.unreadable.get("tags", "") if isinstance(seen, Observed) else ""


def _not_recorded(session: Session, entries: Mapping[str, Entry], *, deployed: bool) -> Observations:
    """Look at the resources that the files want, and that the record does not hold as deployed.

    Where these cannot be used, and anything is ``deployed``: that all files want.

    Who may write the record may take entries out of it, or call them kept: that is no reason not to look where others
    are deployed. Nothing is asked where the record is whole.
    """
    config = session.loaded
    if isinstance(config, ConfigError):
        if not deployed:
            return {}
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


def _drift_one(
    session: Session,
    known: Known | None = None,
    *,
    who: bool,
    tally: WaiverTally | None = None,
    since: Manifest | None = None,
) -> int:
    try:
        found = examine(session, since=since)
    except NotRecorded as error:
        # With counts, for a pipeline: it has to tell an environment that was never made from one that lost its record.
        session.screen.error(error, "nothing was changed")
        return session.finish(Status.FAILED, error.exit_code, error.counts, error.summary)
    if found is None:
        return _finish_destroyed(session, tally)
    manifest, entries, observed, report = found.manifest, found.entries, found.observed, found.report
    goes_on = continuing(session, manifest)
    if tally is None:
        warn_of_idle_waivers(session, report.findings)
    else:
        tally.count(session, report.findings)
    _warn_of_unfinished(session, found, goes_on)
    if known is not None:
        report = only_new(report, session.suffix, known)
    report = with_causes(report)
    if who and report.findings:
        session.screen.note(f"asking CloudTrail who changed {session.suffix}")
        report = with_who(session, manifest, report, datetime.now(UTC))
    older = warn_of_old_record(session, manifest, observed) if report.drifted else Age()
    # Who may write the record may have written that it is of other files: what these want of it is told then, too.
    asked = (
        not older
        and not is_kept_alone(entries, found.beside)
        and (report.drifted or not is_of_the_files(session, manifest))
    )
    beside, waived = {**found.beside, **observed}, {(one.address, one.field) for one in report.findings if one.waiver}
    wanted = wanted_beside(session, manifest, beside, waived=waived) if asked else None
    advice = advise(
        report,
        session,
        entries,
        observed=observed,
        more=wanted is not None,
        older=bool(older),
        goes_on=goes_on,
        by_destroy=found.by_destroy,
    )
    session.screen.stack({address: entry.needs for address, entry in entries.items() if entry.phase is not Phase.KEPT})
    session.screen.drift(report, advice, wanted)
    if any(entry.type == SnsSubscription.type for entry in entries.values()):
        # Else nobody's subscriptions are compared, as the report says; status lists them.
        tell_of_subscribers(session, entries, nobody=False)
    session.invocation.usage.comparison = Comparison(report.compared, report.not_compared, wanted, older.evidence)
    status, code, counts, summary = drift_verdict(report)
    summary = f"{found.remark}{summary}"
    if known is not None and (old := len(found.report.findings) - len(report.findings)):
        counts["known"] = old
        summary = f"{summary if report.findings else 'nothing new'} · {old} known already"
    return session.finish(status, code, counts, summary)


def _warn_of_unfinished(session: Session, found: Examined, goes_on: str) -> None:
    """Name the command that goes on with what was cut off; ``goes_on``: with an apply."""
    if found.is_at_work:
        return
    if found.by_destroy:
        makes = f"{session.command('apply')} makes again what it has removed"
        session.screen.warn(f"a destroy was cut off: {session.command('destroy')} goes on with it; {makes}")
    if found.report.unfinished:
        session.screen.warn(f"an apply did not finish, and may have more to do: {goes_on} goes on")


def _finish_destroyed(session: Session, tally: WaiverTally | None) -> int:
    """End a drift of an environment of which, by its record, nothing is deployed."""
    if isinstance(session.loaded, ConfigError):
        # Who may write a record may empty it; without the files nobody knows what to look for in AWS.
        summary = f"by its record {_DESTROYED}; AWS was not asked, since no usable file says what for"
        return session.finish(Status.DESTROYED, ExitCode.INCOMPLETE, summary=summary)
    if tally is not None:
        tally.count_destroyed(session)
    return session.finish(Status.DESTROYED, summary=_DESTROYED)


def finish_nothing(session: Session, found: Examined | None) -> int:
    """End a command that acts on what drifted, where nothing has; what was not compared may have."""
    if found is None or found.report.is_complete:
        return session.finish(Status.NOTHING, summary="nothing has drifted")
    summary = f"nothing has drifted of what was compared: {found.report.compared} of {found.report.fields} fields"
    return session.finish(Status.NOTHING, ExitCode.INCOMPLETE, summary=summary)


def is_kept_alone(entries: Mapping[str, Entry], beside: Observations) -> bool:
    """True if nothing is there but what a destroy has kept: nobody has asked for more.

    ``beside``: as in `Compared`.
    """
    return not beside and all(entry.phase is Phase.KEPT for entry in entries.values())


def phase_findings(misplaced: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings on entries whose recorded phase does not fit."""
    for address, entry in sorted(misplaced.items()):
        yield Finding(address, entry.type, PHASE, Reason.WRONG_PHASE, recorded=Phase.KEPT.value)


def drift_verdict(report: Report) -> tuple[Status | None, ExitCode, dict[str, int], str]:
    """The verdict on a report: status, exit status, counts and the rest of the line."""
    counts = {
        "drifted": report.drifted,
        "pending": report.count(FindingState.PENDING),
        "unknown": report.count(FindingState.UNKNOWN),
        "waived": report.count(FindingState.WAIVED),
        "fields": report.fields,
        "compared": report.compared,
        "resources": report.resources,
        "not_compared": len(report.not_compared),
    }
    if report.findings:
        summary = f"{counts['drifted']} drifted · {counts['pending']} pending · {counts['unknown']} unknown"
        summary += f" · {counts['waived']} waived" if counts["waived"] else ""
    else:
        summary = f"{report.compared} fields on {report.resources} resources are as recorded"
    if report.unfinished and not report.has_unfinished:
        summary += " · an apply did not finish"
    if report.drifted:
        return None, ExitCode.DIFFERENT, counts, summary
    if not report.is_complete:
        return None, ExitCode.INCOMPLETE, counts, summary
    return None if report.findings else Status.OK, ExitCode.OK, counts, summary


def _drift_all(invocation: Invocation, screen: Screen, known: Known | None = None, *, who: bool) -> int:
    """Compare every environment that the state knows; returns the worst of their exit statuses.

    Raises:
        ManifestError: the state has no record.
    """
    screen.target(Target())
    fleet = environments_to_look_at(invocation, screen)
    if not fleet.members:
        screen.warn(f"nothing was compared: {invocation.state} holds no record of anything that is deployed")
        counts = {"environments": 0, "clean": 0}
        summary = f"the state knows no environment{fleet.remark}"
        return invocation.finish(screen, Status.NOTHING, fleet.code, counts, summary)
    tally = WaiverTally()

    def act(part: Invocation, record: Manifest, own: Screen) -> int:
        session = open_session(part, own, Files.MAY_BE_WRONG)
        return _drift_one(session, known, who=who, tally=tally, since=record)

    codes = for_each_environment(invocation, screen, fleet.members, act, verdicts=True)
    tally.warn(screen, looks=len(codes))
    code = ExitCode.worst([*codes.values(), fleet.code])
    clean = sum(each == ExitCode.OK for each in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded{fleet.remark}"
    return invocation.finish(screen, Status.OK if code == ExitCode.OK else None, code, counts, summary)
