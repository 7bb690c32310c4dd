"""The run as SARIF 2.1.0: a result for each finding, error and forbidden difference, at the line that decides it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from tapctl.errors import is_file
from tapctl.render.severity import kind_of
from tapctl.render.terminal import one_line, sanitize_json
from tapctl.reports.events import Finding
from tapctl.reports.run import Run
from tapctl.reports.values import field_name, finding_text

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {"high": "error", "medium": "warning", "low": "note"}
_SCORES: Final = {"high": "8.0", "medium": "5.0", "low": "2.0"}
"""GitHub's ``security-severity``: over 7.0 is high, over 4.0 medium."""
_PARITY: Final = "parity"
_STATUS: Final = "status"


@dataclass(frozen=True)
class _Rule:
    id: str
    title: str
    text: str
    severity: str
    help: str


_STATES: Final = {
    "MISSING": "Missing",
    "UNEXPECTED": "Unexpected",
    "UNKNOWN": "Could not be compared",
    "PENDING": "Not in force yet",
}
_HELP: Final = "`tapctl drift` shows the finding, and under it the commands that keep the live value or undo it."


def render(run: Run) -> str:
    """The run as one SARIF log of one run."""
    results = [*_findings(run), *_errors(run), *_differences(run), *_states(run)]
    rules = {rule.id: rule for rule, _ in results}
    order = sorted(rules)
    verdict = run.verdict
    tool = {
        "driver": {
            "name": "tapctl",
            "semanticVersion": run.version.tapctl,
            "rules": [_rule(rules[id_]) for id_ in order],
        }
    }
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": tool,
                # One analysis an environment: else the results of one would close those of another.
                "automationDetails": {"id": f"tapctl/{run.version.verb}/{run.target}/"},
                "columnKind": "utf16CodeUnits",
                "invocations": [
                    {
                        # Whether the tool ended, not whether all is well.
                        "executionSuccessful": verdict is not None and not run.errors,
                        **({"exitCode": verdict.exit} if verdict else {"exitSignalName": "cut off"}),
                        "toolExecutionNotifications": [
                            {"level": "note" if verdict else "warning", "message": {"text": one_line(run.headline)}},
                            *({"level": "warning", "message": {"text": one_line(text)}} for text in run.warnings),
                            *(
                                {"level": "note", "message": {"text": one_line(f"not compared: {each}")}}
                                for each in run.not_compared
                            ),
                        ],
                    }
                ],
                "results": [{**result, "ruleIndex": order.index(rule.id)} for rule, result in results],
            }
        ],
    }
    return sanitize_json(json.dumps(log, indent=1))


def _rule(rule: _Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.replace("/", "-").split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.text},
        "help": {"text": rule.help.replace("`", ""), "markdown": rule.help},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["security", "configuration"], "security-severity": _SCORES[rule.severity]},
    }


def _findings(run: Run) -> Iterator[tuple[_Rule, dict[str, Any]]]:
    for finding in run.findings:
        rule = _rule_of(finding)
        text = f"{finding.address} {field_name(finding)}: {finding_text(finding)}"
        place = finding.config
        result = _result(rule.id, finding.severity, text, place.file if place else "", place.line if place else 0)
        result["partialFingerprints"] = {"tapctlFinding/v1": finding.id, "primaryLocationLineHash": finding.id}
        result["properties"] = {"state": finding.state, "fingerprint": finding.fingerprint}
        result["locations"][0]["logicalLocations"] = [
            {"fullyQualifiedName": one_line(f"{finding.address}.{finding.field}"), "kind": "resource"}
        ]
        if waiver := finding.waiver:
            why = f"{waiver.reason} ({waiver.owner}, until {waiver.until})"
            result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": one_line(why)}]
        yield rule, result


def _rule_of(finding: Finding) -> _Rule:
    """The rule of a finding: of its kind, and of its state where that is no difference of two values."""
    kind = kind_of(finding.resource_type, finding.field, finding.recorded, finding.live)
    state = _STATES.get(finding.state, "")
    severity = finding.severity if finding.state == "PENDING" else kind.severity
    id_ = f"{finding.state.lower()}/{kind.name}" if state else kind.name
    return _Rule(
        id_, f"{state}: {kind.title}" if state else kind.title, kind.meaning, severity, f"{kind.meaning} {_HELP}"
    )


def _errors(run: Run) -> Iterator[tuple[_Rule, dict[str, Any]]]:
    for error in run.errors:
        rule = _Rule(
            f"error/{error.code}",
            f"tapctl ended with {error.code}",
            "The command could not do what it was asked to.",
            "high",
            "Read the cause and run the command that the message names.",
        )
        told = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        if not error.problems:
            yield rule, _fingerprinted(_result(rule.id, "high", told, "", 0), error.code, "")
        for problem in error.problems:
            file, key = (problem.file, problem.key) if is_file(problem.file) else ("", problem.file or problem.key)
            text = f"{key} {problem.rule}".strip()
            result = _result(rule.id, "high", text, file, problem.line)
            yield rule, _fingerprinted(result, error.code, f"{problem.file} {text}")


def _differences(run: Run) -> Iterator[tuple[_Rule, dict[str, Any]]]:
    rule = _Rule(
        _PARITY,
        "The environments differ",
        "The environments differ in more than the keys of their own files, and in what these decide.",
        "medium",
        "See all of it with `tapctl parity`.",
    )
    for difference in run.differences:
        if difference.verdict not in ("allowed", "changed", "waived"):
            text = f"{difference.where} {difference.what}: {difference.verdict}"
            yield rule, _fingerprinted(_result(rule.id, "medium", text, "", 0), difference.where, difference.what)


def _states(run: Run) -> Iterator[tuple[_Rule, dict[str, Any]]]:
    rule = _Rule(
        _STATUS,
        "An environment is not well",
        "Something of a deployed environment is not well, or could not be seen.",
        "medium",
        "See all of it with `tapctl status`.",
    )
    for state in run.states:
        name = state.suffix or state.environment
        for problem in state.problems:
            yield rule, _fingerprinted(_result(rule.id, "medium", f"{name}: {problem}", "", 0), name, problem)


def _result(rule: str, severity: str, text: str, file: str, line: int) -> dict[str, Any]:
    location: dict[str, Any] = {}
    # https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support: a location
    # has to be there, and a line, if it is, starts at 1.
    path = PurePath(file or "environments")
    uri = quote(path.as_posix())
    location["physicalLocation"] = {
        "artifactLocation": {"uri": f"file://{uri}"} if path.is_absolute() else {"uri": uri, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(1, line)},
    }
    return {
        "ruleId": rule,
        "level": _LEVELS[severity],
        "message": {"text": one_line(text)},
        "locations": [location],
    }


def _fingerprinted(result: dict[str, Any], origin: str, what: str) -> dict[str, Any]:
    told = json.dumps([result["ruleId"], what, origin])
    digest = hashlib.sha256(told.encode()).hexdigest()
    result["partialFingerprints"] = {"tapctlProblem/v1": digest, "primaryLocationLineHash": digest[:16]}
    return result
