"""``tapctl drift``: the record against AWS now. It never reads what is wanted, so it finds what somebody touched."""

from __future__ import annotations

from tapctl.commands.advice import advise
from tapctl.commands.fleet import for_each_environment, worst_exit_code
from tapctl.commands.plan import verdict
from tapctl.engine.drift import FindingState, Report, detect_drift
from tapctl.engine.observe import observe_all
from tapctl.engine.record import Phase
from tapctl.errors import ManifestError
from tapctl.reconcilers import observations_for
from tapctl.render.screen import Screen, Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session
from tapctl.session.target import deployed_environments, state_exists


def drift(session: Session) -> int:
    """Compare one environment with its record."""
    manifest, version = session.load_manifest()
    if version is None:
        raise ManifestError(
            f"there is no record of {session.suffix}",
            evidence=f"nothing at {session.location}",
            hint=f"{session.command('apply')} writes it anew from AWS, with what it finds",
        )
    present = [entry for entry in manifest.entries.values() if entry.phase is not Phase.KEPT]
    if not present:
        return verdict(session, "DESTROYED", 0, {}, "nothing of it is deployed")
    seen = observe_all(session.aws, observations_for(manifest.entries))
    report = detect_drift(manifest.entries, seen)
    session.screen.drift(report, advise(report, session))
    return verdict(session, *drift_verdict(report))


def drift_verdict(report: Report) -> tuple[str, int, dict[str, int], str]:
    """The verdict on a report: status, exit status, counts and the rest of the line."""
    counts = {
        "drifted": report.drifted,
        "pending": report.count(FindingState.PENDING),
        "unknown": report.count(FindingState.UNKNOWN),
        "fields": report.fields,
        "resources": report.resources,
    }
    if report.findings:
        said = f"{counts['drifted']} drifted · {counts['pending']} pending · {counts['unknown']} unknown"
    else:
        said = f"{report.fields} fields on {report.resources} resources are as recorded"
    if report.drifted:
        return "", 2, counts, said
    if counts["unknown"]:
        return "", 7, counts, said
    return "" if report.findings else "OK", 0, counts, said


def drift_all(invocation: Invocation, screen: Screen) -> int:
    """Compare every environment that the state knows; the exit status is the worst of theirs.

    Raises:
        ManifestError: the folder of the records is not there. Whoever checks on a schedule has misspelt it, or has not
            got the records: that is not "nothing has drifted".
    """
    screen.target(Target(invocation.verb, many=True))
    found = deployed_environments(invocation, screen)
    if not found:
        return _nothing(invocation, screen)
    codes = for_each_environment(
        invocation, screen, found, lambda part, _: drift(open_session(part, screen)), verdicts=True
    )
    code = worst_exit_code(codes.values())
    clean = sum(one == 0 for one in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded"
    screen.verdict(invocation.verdict("OK" if code == 0 else "", code, counts, summary))
    return code


def _nothing(invocation: Invocation, screen: Screen) -> int:
    if not state_exists(invocation):
        raise ManifestError(
            f"there is no folder of records: {invocation.state}",
            hint="name it with --state or TAPCTL_STATE; the first apply makes it",
        )
    screen.warn(f"nothing was compared: {invocation.state} holds no record of anything that is deployed")
    screen.verdict(invocation.verdict("NOTHING", 0, {"environments": 0, "clean": 0}, "the state knows no environment"))
    return 0
