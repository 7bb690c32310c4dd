"""``tapctl drift``: the record against AWS now. The wanted stack is not read: drift is what somebody touched."""

from __future__ import annotations

from tapctl.commands.advice import advise
from tapctl.commands.fleet import for_each_environment
from tapctl.engine.drift import FindingState, Report, detect_drift
from tapctl.engine.observe import observe_all
from tapctl.engine.record import Phase
from tapctl.errors import ExitCode, ManifestError, Status
from tapctl.reconcilers import observations_for
from tapctl.render.screen import Comparison, Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import deployed_environments


def drift(invocation: Invocation, screen: Screen) -> int:
    """Compare the environment that is named with its record, or every one that the state knows."""
    if invocation.target_is_explicit:
        return _drift_one(open_session(invocation, screen))
    return _drift_all(invocation, screen)


def _drift_one(session: Session) -> int:
    manifest, version = session.load_manifest()
    if version is None:
        raise ManifestError(
            f"there is no record of {session.suffix}",
            evidence=f"nothing at {session.location}",
            hint=f"{session.command('apply')} writes it anew from AWS, with what it finds",
        )
    if all(entry.phase is Phase.KEPT for entry in manifest.entries.values()):
        return session.finish(Status.DESTROYED, summary="nothing of it is deployed")
    session.warn_of_run_under_way()
    observed = observe_all(session.aws, observations_for(manifest.entries))
    report = detect_drift(manifest.entries, observed)
    session.screen.drift(report, advise(report, session))
    session.invocation.usage.comparison = Comparison(report.compared, report.not_compared)
    return session.finish(*drift_verdict(report))


def drift_verdict(report: Report) -> tuple[Status | None, ExitCode, dict[str, int], str]:
    """The verdict on a report: status, exit status, counts and the rest of the line."""
    counts = {
        "drifted": report.drifted,
        "pending": report.count(FindingState.PENDING),
        "unknown": report.count(FindingState.UNKNOWN),
        "fields": report.fields,
        "compared": report.compared,
        "resources": report.resources,
    }
    if report.findings:
        summary = f"{counts['drifted']} drifted · {counts['pending']} pending · {counts['unknown']} unknown"
    else:
        summary = f"{report.compared} fields on {report.resources} resources are as recorded"
    if report.drifted:
        return None, ExitCode.DIFFERENT, counts, summary
    if not report.is_complete:
        return None, ExitCode.INCOMPLETE, counts, summary
    return None if report.findings else Status.OK, ExitCode.OK, counts, summary


def _drift_all(invocation: Invocation, screen: Screen) -> int:
    """Compare every environment that the state knows; returns the worst of their exit statuses.

    Raises:
        ManifestError: the state has no record.
    """
    screen.target(Target())
    deployed = deployed_environments(invocation, screen, required=True)
    if not deployed:
        screen.warn(f"nothing was compared: {invocation.state} holds no record of anything that is deployed")
        counts = {"environments": 0, "clean": 0}
        return invocation.finish(screen, Status.NOTHING, counts=counts, summary="the state knows no environment")
    codes = for_each_environment(
        invocation, screen, deployed, lambda part, _: _drift_one(open_session(part, screen)), verdicts=True
    )
    code = ExitCode.worst(codes.values())
    clean = sum(each == ExitCode.OK for each in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded"
    return invocation.finish(screen, Status.OK if code == ExitCode.OK else None, code, counts, summary)
