"""``tapctl drift``: the record against AWS now. It never reads what is wanted, so it finds what somebody touched."""

from __future__ import annotations

from tapctl.advice import advise
from tapctl.command import Options
from tapctl.engine.drift import Report, State, compare_with_record
from tapctl.engine.observe import look
from tapctl.errors import ManifestError
from tapctl.manifest.entry import Phase
from tapctl.reconcilers import registry
from tapctl.records import looks_of
from tapctl.render.screen import Header, Screen
from tapctl.run import Run, open_run
from tapctl.verbs.every import each, worst
from tapctl.verbs.planning import verdict
from tapctl.which import is_there, known


def drift(run: Run) -> int:
    """Compare one environment with its record."""
    manifest, version = run.recorded()
    if version is None:
        raise ManifestError(
            f"there is no record of {run.suffix}",
            evidence=f"nothing at {run.location}",
            hint=f"{run.command('apply')} writes it anew from AWS, with what it finds",
        )
    present = [entry for entry in manifest.entries.values() if entry.phase is not Phase.KEPT]
    if not present:
        return verdict(run, "DESTROYED", 0, {}, "nothing of it is deployed")
    seen = look(run.aws, looks_of(manifest.entries, registry()))
    report = compare_with_record(manifest.entries, seen)
    run.screen.drift(report, advise(report, run))
    return verdict(run, *judged(report))


def judged(report: Report) -> tuple[str, int, dict[str, int], str]:
    """The verdict on a report: status, exit status, counts and the rest of the line."""
    counts = {
        "drifted": report.drifted,
        "pending": report.count(State.PENDING),
        "unknown": report.count(State.UNKNOWN),
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


def drift_all(options: Options, screen: Screen) -> int:
    """Compare every environment that the state knows; the exit status is the worst of theirs.

    Raises:
        ManifestError: the folder of the records is not there. Whoever checks on a schedule has misspelt it, or has not
            got the records: that is not "nothing has drifted".
    """
    screen.header(Header(options.verb, many=True))
    found = known(options, screen)
    if not found:
        return _nothing(options, screen)
    codes = each(options, screen, found, lambda part, _: drift(open_run(part, screen)), verdicts=True)
    code = worst(codes.values())
    clean = sum(one == 0 for one in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded"
    screen.verdict(options.verdict("OK" if code == 0 else "", code, counts, summary))
    return code


def _nothing(options: Options, screen: Screen) -> int:
    if not is_there(options):
        raise ManifestError(
            f"there is no folder of records: {options.state}",
            hint="name it with --state or TAPCTL_STATE; the first apply makes it",
        )
    screen.warn(f"nothing was compared: {options.state} holds no record of anything that is deployed")
    screen.verdict(options.verdict("NOTHING", 0, {"environments": 0, "clean": 0}, "the state knows no environment"))
    return 0
