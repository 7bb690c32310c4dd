"""``tapctl drift``: the record against AWS now. It never reads what is wanted, so it finds what somebody touched."""

from __future__ import annotations

from collections.abc import Callable

from tapctl.advice import advise
from tapctl.engine.drift import Report, State, compare_with_record
from tapctl.engine.observe import look
from tapctl.errors import ManifestError, TapctlError
from tapctl.failing import advise as hint
from tapctl.failing import exit_of
from tapctl.manifest.entry import Phase
from tapctl.reconcilers import registry
from tapctl.records import looks_of
from tapctl.render.screen import Screen, Verdict
from tapctl.run import Options, Run, bare_store, deployed, open_run
from tapctl.verbs.planning import verdict

_WORST_FIRST = (9, 3, 5, 6, 1, 4, 2, 7, 0)


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


def drift_all(options: Options, screen: Screen, open_one: Callable[[Options, Screen], Run] = open_run) -> int:
    """Compare every environment that the state knows; the exit status is the worst of theirs."""
    from dataclasses import replace

    known = deployed(bare_store(options))
    codes: dict[str, int] = {}
    for suffix, manifest in sorted(known.items()):
        try:
            codes[suffix] = drift(open_one(replace(options, env=manifest.environment, suffix=suffix), screen))
        except TapctlError as error:
            hint(error)
            screen.error(error)
            codes[suffix] = exit_of(error)
            screen.verdict(Verdict(options.verb, suffix, "FAILED", codes[suffix], summary=error.cause))
    worst = min(codes.values(), key=_WORST_FIRST.index, default=0)
    clean = sum(code == 0 for code in codes.values())
    counts = {"environments": len(codes), "clean": clean}
    summary = f"{clean} of {len(codes)} environments are as recorded" if codes else "the state knows no environment"
    screen.verdict(Verdict(options.verb, "all", "OK" if worst == 0 else "", worst, counts, summary))
    return worst
