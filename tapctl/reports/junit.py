"""The run as JUnit XML: a case each resource, a suite the run.

The form is that of Jenkins and GitLab: https://github.com/jenkinsci/xunit-plugin (junit-10.xsd).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from tapctl.render.terminal import one_line
from tapctl.reports.run import Run
from tapctl.reports.values import field_name, finding_text, place_text, verdict_of

_CHANGES = 2
_DIFFERENT = ("DRIFT", "MISSING", "UNEXPECTED")


@dataclass
class _Case:
    """A case; a failure is what was looked for, an error is what went wrong, what is skipped was not looked at."""

    classname: str
    name: str
    time_s: float = 0
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The element, line by line."""
        names = f"classname={_quoted(self.classname)} name={_quoted(self.name)}"
        yield f"  <testcase {names} time={_quoted(_time(self.time_s))}>"
        if self.told:
            yield "    <properties>"
            yield from (f'      <property name="note" value={_quoted(text)}/>' for text in self.told)
            yield "    </properties>"
        for tag, texts in (("error", self.errors), ("failure", self.failures)):
            for text in texts:
                yield f"    <{tag} message={_quoted(text)}/>"
        if self.skipped and not self.errors and not self.failures:
            yield f"    <skipped message={_quoted('; '.join(self.skipped))}/>"
        yield "  </testcase>"


def render(run: Run) -> str:
    """The run as one suite, which begins with a case for the command itself."""
    command = _command(run)
    cases = [command, *_resources(run), *_differences(run), *_states(run)]
    code = _red(run)
    if code and not any(case.failures or case.errors or case.skipped for case in cases):
        command.failures.append(f"it ended with exit status {code}")
    counts = {
        "tests": len(cases),
        "failures": sum(bool(case.failures) and not case.errors for case in cases),
        "errors": sum(bool(case.errors) for case in cases),
        "skipped": sum(bool(case.skipped) and not case.errors and not case.failures for case in cases),
    }
    name = f"tapctl {run.version.verb} {run.target}"
    elapsed = run.verdict.elapsed_s if run.verdict else 0
    attributes = " ".join(f"{key}={_quoted(str(value))}" for key, value in counts.items())
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<testsuites>",
            f" <testsuite name={_quoted(name)} {attributes} time={_quoted(_time(elapsed))}>",
            *(line for case in cases for line in case.lines()),
            *(f"  <system-err>{escape(one_line(text))}</system-err>" for text in ["; ".join(run.warnings)] if text),
            " </testsuite>",
            "</testsuites>",
        ]
    )


def _red(run: Run) -> int:
    """The exit status that tells that not all is well; 0 where all is, and for changes that a plan had to tell."""
    code = run.verdict.exit if run.verdict else 0
    return 0 if run.version.verb == "plan" and code == _CHANGES else code


def _command(run: Run) -> _Case:
    case = _Case("tapctl", run.headline)
    case.errors += [] if run.verdict else ["the run was cut off"]
    case.told += [f"not compared: {each}" for each in run.not_compared]
    for error in run.errors:
        case.errors.append(
            " · ".join(filter(None, (f"{error.code}: {error.message}", error.why, error.state, error.hint)))
        )
        case.told += [f"{each.file}:{each.line} {each.key} {each.rule}" for each in error.problems]
    return case


def _resources(run: Run) -> Iterator[_Case]:
    for address in run.needs:
        type_, _, id_ = address.partition("/")
        case = _Case(type_, id_ or type_)
        if result := run.results.get(address):
            case.time_s = result.elapsed_s
            if result.result == "failed":
                case.failures.append(f"failed: {result.note}")
            elif result.result == "skipped":
                case.skipped.append(f"not tried: {result.note}")
        change = run.changes.get(address)
        if change and change.blocked:
            case.failures.append(f"blocked: {change.blocked.message}")
        elif change and not result:
            case.told.append(f"planned: {change.action}")
        for finding in run.findings_of.get(address, ()):
            place = place_text(finding)
            text = f"{finding.state} {finding.severity} {field_name(finding)}: {finding_text(finding)}"
            text += f" [{place}]" if place else ""
            kind = case.failures if finding.state in _DIFFERENT else case.told
            # What a run of ours did not finish was not compared with what it asked for.
            unseen = finding.state == "UNKNOWN" or (finding.state == "PENDING" and finding.cause == "unfinished")
            (case.skipped if unseen else kind).append(text)
        yield case


def _differences(run: Run) -> Iterator[_Case]:
    for difference in run.differences:
        case = _Case(difference.where, difference.what)
        if difference.verdict not in ("allowed", "changed"):
            values = ", ".join(f"{name} = {value}" for name, value in difference.values.items())
            kinds = {"waived": case.told, "UNKNOWN": case.skipped}
            kinds.get(difference.verdict, case.failures).append(f"{verdict_of(difference)}: {values}")
        yield case


def _states(run: Run) -> Iterator[_Case]:
    for state in run.states:
        case = _Case("environment", state.suffix or state.environment, skipped=list(state.unseen))
        case.failures = [problem for problem in state.problems if problem not in state.unseen]
        yield case


def _quoted(text: str) -> str:
    """An attribute's value. Control characters, which XML has no way to write, are spelled out."""
    return quoteattr(one_line(text))


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
