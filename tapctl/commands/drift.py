"""``tapctl drift``: the record against AWS now: drift is what somebody touched, and not what the files newly want.

What the files want is read only where the record is of them as they are: to see what somebody has written into it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tapctl.commands.fleet import environments_to_look_at, for_each_environment
from tapctl.engine.drift import FindingState, Report
from tapctl.engine.record import Phase
from tapctl.errors import ExitCode, ManifestError, NotRecorded, Status
from tapctl.evidence.against_files import is_of_the_files
from tapctl.evidence.comparison import is_kept_alone
from tapctl.evidence.doubtful_record import NO_DOUBT, warn_of_doubtful_record
from tapctl.evidence.pending_changes import pending_changes
from tapctl.evidence.tag_bearers import Unasked
from tapctl.findings.advice import advise
from tapctl.findings.authors import with_causes, with_who
from tapctl.findings.earlier_run import Known, known_findings, only_new
from tapctl.findings.examination import DESTROYED, Examined, check_elsewhere, examine
from tapctl.findings.waivers import WaiverTally, warn_of_idle_waivers
from tapctl.manifest.manifest import Manifest
from tapctl.planning.subscribers import tell_of_subscribers
from tapctl.reconcilers.sns_subscription import SnsSubscription
from tapctl.render.screen import Comparison, Screen, Target
from tapctl.render.values import counted
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import Files


def drift(invocation: Invocation, screen: Screen, *, who: bool = False, new_since: str | None = None) -> int:
    """Compare the environment that is named with its record, or every one that the state knows.

    ``who``: ask CloudTrail who made each change. ``new_since``: a recorded run, whose findings are known and neither
    shown nor counted.
    """
    known = None if new_since is None else known_findings(new_since, screen)
    if invocation.target_is_explicit:
        return _drift_one(open_session(invocation, screen, Files.MAY_BE_WRONG), known, who=who)
    return _drift_all(invocation, screen, known, who=who)


def _drift_one(
    session: Session,
    known: Known | None = None,
    *,
    who: bool,
    tally: WaiverTally | None = None,
    since: Manifest | None = None,
    looked_for: Unasked | None = None,
) -> int:
    """Compare one environment.

    ``tally`` and ``looked_for`` are of a look at all of them; the latter tells where nobody could ask for this one.
    """
    try:
        found = examine(session, since=since)
    except NotRecorded as error:
        return _finish_unrecorded(session, error, looked_for)
    unasked = check_elsewhere(session, found, looked_for)
    if found is None:
        return _finish_destroyed(session, tally, unasked)
    manifest, entries, observed, report = found.manifest, found.entries, found.observed, found.report
    if tally is None:
        warn_of_idle_waivers(session, report.findings)
    else:
        tally.count(session, report.findings)
    _warn_of_unfinished(session, found)
    if known is not None:
        report = only_new(report, session.suffix, known)
    report = with_causes(report)
    if who and report.findings:
        session.screen.note(f"asking CloudTrail who changed {session.suffix}")
        report = with_who(session, manifest, report, datetime.now(UTC))
    is_as_recorded = report.is_complete and not report.drifted
    older = NO_DOUBT if is_as_recorded else warn_of_doubtful_record(session, manifest, observed, found.fingerprint)
    # Who may write the record may have written that it is of other files: what these want of it is told then, too.
    asked = (
        not older
        and not is_kept_alone(entries, found.beside)
        and (report.drifted or not is_of_the_files(session, manifest))
    )
    beside, waived = {**found.beside, **observed}, {(one.address, one.field) for one in report.findings if one.waiver}
    wanted = pending_changes(session, manifest, beside, waived=waived) if asked else None
    advice = advise(
        report,
        session,
        entries,
        observed=observed,
        more=wanted is not None,
        older=bool(older),
        goes_on=found.goes_on,
        by_destroy=found.by_destroy,
    )
    session.screen.stack({address: entry.needs for address, entry in entries.items() if entry.phase is not Phase.KEPT})
    session.screen.drift(report, advice, wanted)
    if any(entry.type == SnsSubscription.type for entry in entries.values()):
        # Else nobody's subscriptions are compared, as the report says; status lists them.
        tell_of_subscribers(session, entries, nobody=False)
    not_compared = (*report.not_compared, *unasked.where)
    session.invocation.usage.comparison = Comparison(report.compared, not_compared, wanted, older.evidence)
    status, code, counts, summary = drift_verdict(report)
    if unasked:
        status, code = None, ExitCode.worst([code, unasked.code])
        counts |= {"not_compared": len(not_compared), **unasked.counts}
    summary = f"{found.remark}{summary}{unasked.words}"
    if known is not None and (old := len(found.report.findings) - len(report.findings)):
        counts["known"] = old
        summary = f"{summary if report.findings else 'nothing new'} · {old} known already"
    return session.finish(status, code, counts, summary)


def _warn_of_unfinished(session: Session, found: Examined) -> None:
    """Name the command that goes on with what was cut off."""
    if found.is_at_work:
        return
    if found.by_destroy:
        makes = f"{session.command('apply')} makes again what it has removed"
        session.screen.warn(f"a destroy was cut off: {session.command('destroy')} goes on with it; {makes}")
    if found.report.unfinished:
        session.screen.warn(f"an apply did not finish, and may have more to do: {found.goes_on} goes on")


def _finish_unrecorded(session: Session, error: NotRecorded, looked_for: Unasked | None) -> int:
    """End a drift of an environment without a record.

    With counts, for a pipeline: it has to tell an environment that was never made from one that lost its record.
    """
    session.screen.error(error, "nothing was changed")
    unasked = Unasked()
    if not error.there:
        try:
            unasked = check_elsewhere(session, None, looked_for)
        except ManifestError as elsewhere:
            session.screen.error(elsewhere, "nothing was changed")
    summary = f"{error.summary}{unasked.words}"
    return session.finish(Status.FAILED, error.exit_code, {"there": error.there, **unasked.counts}, summary)


def _finish_destroyed(session: Session, tally: WaiverTally | None, unasked: Unasked) -> int:
    """End a drift of an environment of which, by its record, nothing is deployed."""
    if tally is not None:
        tally.count_destroyed(session)
    if unasked:
        session.invocation.usage.comparison = Comparison(0, unasked.where)
    return session.finish(Status.DESTROYED, unasked.code, unasked.counts, f"{DESTROYED}{unasked.words}")


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
        compared, on = counted(report.compared, "field"), counted(report.resources, "resource")
        summary = f"{compared} on {on} {'is' if report.compared == 1 else 'are'} as recorded"
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
        unasked = fleet.unasked.about(record.suffix)
        return _drift_one(session, known, who=who, tally=tally, since=record, looked_for=unasked)

    codes = for_each_environment(invocation, screen, fleet.members, act, verdicts=True)
    tally.warn(screen, looks=len(codes))
    code = ExitCode.worst([*codes.values(), fleet.code])
    clean = sum(each == ExitCode.OK for each in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded{fleet.remark}"
    return invocation.finish(screen, Status.OK if code == ExitCode.OK else None, code, counts, summary)
