"""The screen for programs: JSON Lines, a contract (``ui`` is its version) to which things are only added."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final, TextIO

from tapctl import __version__
from tapctl.engine import refs
from tapctl.engine.drift import Finding, Report, finding_id
from tapctl.engine.estimate import Estimate
from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Result, Skipped
from tapctl.engine.plan import Action, Change, LeftField, Plan
from tapctl.errors import AwsError, ConfigError, ExitCode, Status, TapctlError
from tapctl.render.frame import error_lines
from tapctl.render.harmless import harmless_change, harmless_finding
from tapctl.render.reports import field_text, finding_text, is_shown
from tapctl.render.screen import Advice, Check, Span, Target, Verdict, Wanted
from tapctl.render.severity import severity_of
from tapctl.render.terminal import OutputStream, Stopwatch, ask, one_line, sanitize_json

UI: Final = "1.0"

HEARTBEAT_S: Final = 30.0
"""Seconds after which a progress line is written although the state is the same."""
_ALL: Final = "all"
"""The environment of a verdict on all of them."""
_DEFAULT_STATUS: Final[Mapping[int, Status]] = {
    ExitCode.DIFFERENT: Status.DIFFERENT,
    ExitCode.INCOMPLETE: Status.INCOMPLETE,
    ExitCode.OK: Status.OK,
}
"""The word of a verdict that has none of its own, by its exit status; else FAILED."""

Record = dict[str, Any]


# -- the records -------------------------------------------------------------------------------------------------------


def version_record(verb: str, target: Target) -> Record:
    """The first line: versions and target."""
    return {
        "type": "version",
        "ui": UI,
        "tapctl": __version__,
        "verb": verb,
        "env": target.env,
        "suffix": target.suffix,
        "account": target.account,
        "region": target.region,
        "config_hash": target.config_hash,
        "identity": target.identity,
    }


def change_record(change: Change, names: Mapping[str, str] = MappingProxyType({})) -> Record:
    """The record of one planned change. ``have`` or ``want`` null: the field is not there, or not wanted.

    ``names``: what people call a value that is a digest.
    """
    change = harmless_change(change)
    blocked = change.blocked
    return {
        "type": "planned_change",
        "address": change.address,
        "resource_type": change.type,
        "action": change.action.name.lower(),
        "fields": [
            {
                "path": field.path,
                "have": refs.to_json(field.have),
                "want": refs.to_json(field.want),
                "impact": field.impact.word,
                "outside": field.outside,
                "until": field.until,
                "text": field_text(field, names),
            }
            for field in change.fields
        ],
        "impact": change.impact.word,
        "outside": change.outside,
        "pending": {
            path: {"until": pending.until, "detail": pending.detail} for path, pending in sorted(change.pending.items())
        },
        "unread": dict(change.unreadable),
        "unexpected": list(change.foreign_members),
        "exposures": [
            {"path": part.path, "have": refs.to_json(part.have)}
            for part in change.left
            if not (part.allow_ends or part.waived)
        ],
        "waived": [_waived_record(part) for part in change.left if part.waived],
        "spared": {part.path: refs.to_json(part.have) for part in change.left if part.allow_ends},
        "note": change.note,
        "blocked": {"code": blocked.code, "message": blocked.cause, "hint": blocked.hint} if blocked else None,
    }


def _waived_record(part: LeftField) -> Record:
    newly = {} if part.newly is None else {"newly_wanted": refs.to_json(part.newly)}
    return {"path": part.path, "have": refs.to_json(part.have), **newly}


def progress_record(event: Progress) -> Record:
    """The record of what a resource waits for. Times are seconds."""
    return {
        "type": "progress",
        "address": event.address,
        "status": event.status,
        "elapsed_s": _seconds(event.elapsed_s),
        "awaiting": event.awaiting,
        "usual_s": _seconds(event.usual_s),
    }


def resource_record(address: str, result: Result, elapsed_s: float = 0, note: str = "") -> Record:
    """The record of how one resource ended. Times are seconds."""
    return {
        "type": "resource",
        "address": address,
        "id": address.partition("/")[2],
        "result": result.value,
        "elapsed_s": _seconds(elapsed_s),
        "note": note,
    }


def ended_record(event: Finished | Failed | Detached | Skipped, elapsed_s: float = 0) -> Record:
    """The record of how one resource ended, by its last event. One left while AWS goes on counts as failed."""
    if isinstance(event, Finished):
        return resource_record(event.address, event.result, event.elapsed_s, event.remark)
    if isinstance(event, Failed):
        return resource_record(event.address, Result.FAILED, event.elapsed_s, event.error.cause) | {
            "code": event.error.code
        }
    if isinstance(event, Detached):
        note = f"left while AWS goes on with it: {event.status}" if event.status else "left while AWS goes on with it"
        return resource_record(event.address, Result.FAILED, elapsed_s, note)
    causes = ", ".join(event.causes)
    return resource_record(
        event.address, Result.SKIPPED, 0, f"waiting for what failed: {causes}" if causes else "asked to stop"
    )


def finding_record(
    finding: Finding, advice: Advice | None, suffix: str = "", names: Mapping[str, str] = MappingProxyType({})
) -> Record:
    """The record of one finding, and of what to do about it.

    ``id`` stays the same as long as this field, or member of a set, differs; ``fingerprint`` while the values do, too.
    """
    place = advice.place if advice else None
    # Found again, and weighed, by what they are; shown without what looks like a secret.
    values = {"recorded": refs.to_json(finding.recorded), "live": refs.to_json(finding.live)}
    id_ = finding_id(suffix, finding)
    finding = harmless_finding(finding)
    recorded, live, waiver = refs.to_json(finding.recorded), refs.to_json(finding.live), finding.waiver
    record: Record = {
        "type": "finding",
        "id": id_,
        "fingerprint": _digest([suffix, finding.address, finding.field, finding.state.value, recorded, live]),
        "address": finding.address,
        "resource_type": finding.type,
        "field": finding.field,
        "state": finding.state.value,
        "recorded": recorded,
        "live": live,
        "asked": refs.to_json(finding.asked),
        "text": finding_text(finding, names),
        "note": finding.note,
        "cause": finding.cause or None,
        "who": asdict(finding.who) if finding.who else None,
        "edit": advice.edit if advice else "",
        "undo": advice.undo if advice else "",
        "read": advice.read if advice else "",
        "now": advice.now if advice else "",
        "accept": advice.accept if advice else "",
        "waive": advice.waive if advice else "",
        "waiver": {"owner": waiver.owner, "reason": waiver.reason, "until": waiver.until} if waiver else None,
        "undo_note": advice.undo_note if advice else "",
        "read_note": advice.read_note if advice else "",
        "config": {"file": place.file, "line": place.line, "key": place.key} if place else None,
    }
    return record | {"severity": severity_of(record | values)}


def span_record(span: Span) -> Record:
    """The record of a call or a wait. Times are seconds since the command began."""
    start_s, end_s = _seconds(span.start_s), _seconds(span.end_s)
    where = {"address": span.address, "phase": span.phase}
    return {"type": "span", **where, "start_s": start_s, "end_s": end_s, "calls": span.calls}


def error_record(error: TapctlError, state: str = "") -> Record:
    """The record of an error. ``retry_safe``: the same command, run again as it is, goes on or may well succeed."""
    record: Record = {
        "type": "error",
        "code": error.code,
        "message": error.cause,
        "why": error.evidence,
        "hint": error.hint,
        "aws": None,
        "retry_safe": error.retry_safe,
        "state": state,
    }
    if isinstance(error, AwsError):
        record["aws"] = {
            "service": error.service,
            "operation": error.operation,
            "code": error.aws_code,
            "request_id": error.request_id,
        }
    if isinstance(error, ConfigError):
        record["problems"] = [
            {
                "file": problem.file,
                "key": problem.key,
                "value": problem.value,
                "rule": problem.rule,
                "line": problem.line,
            }
            for problem in error.problems
        ]
    return record


def verdict_record(verdict: Verdict) -> Record:
    """The last line."""
    target, comparison = verdict.target, verdict.comparison
    record: Record = {
        "type": "verdict",
        "verb": verdict.verb,
        "env": target.env if target.suffix else _ALL,
        "suffix": target.suffix,
        "status": verdict.status or _DEFAULT_STATUS.get(verdict.exit, Status.FAILED),
        "exit": verdict.exit,
        "counts": dict(verdict.counts),
        "elapsed_s": _seconds(verdict.elapsed_s),
        "api_calls": verdict.api_calls,
        "changing_calls": verdict.changing_calls,
        "manifest": verdict.manifest,
        "summary": verdict.summary,
    }
    if comparison is not None:
        record |= {"compared": comparison.compared, "not_compared": list(comparison.not_compared)}
    if comparison is not None and comparison.older:
        record["record_older_than"] = comparison.older
    if comparison is not None and comparison.wanted is not None:
        plan = comparison.wanted.plan
        record["wanted"] = {
            "changes": {change.address: change.action.name.lower() for change in plan.work},
            "impacts": plan.impacts,
        }
    if verdict.plan_hash:
        record["plan_hash"] = verdict.plan_hash
    if verdict.impacts is not None:
        record["impacts"] = dict(verdict.impacts)
    return record


def _seconds(value: float) -> float:
    return round(value, 3)


def _digest(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


# -- the screen --------------------------------------------------------------------------------------------------------


class JsonScreen:
    """A screen that writes JSON Lines; notes, questions and warnings go to stderr, as text."""

    def __init__(
        self, stdin: TextIO, out: OutputStream, err: OutputStream, *, verb: str = "", quiet: bool = False
    ) -> None:
        self.verb, self.quiet = verb, quiet
        self.stdin, self.out, self.err = stdin, out, err
        self.asking = Stopwatch()
        self._target = Target()
        self._introduced = False
        self._early: list[Record] = []
        """The warnings given before the target was known: the first line tells it."""
        self._unchanged: list[str] = []
        """The addresses that the plan leaves as they are: their lines are due at the end of an execution."""
        self._last_progress: dict[str, Progress] = {}
        """The last progress written, by address."""
        self._elapsed_s: dict[str, float] = {}

    @property
    def asked_s(self) -> float:
        """Seconds in which the command waited for somebody to answer."""
        return self.asking.seconds

    def target(self, target: Target) -> None:
        """Keep the target; the first line is written before the first other one, or once the target is complete."""
        self._target = target
        if target.identity or target == Target():
            self._introduce()

    def note(self, text: str) -> None:
        """Write one sentence on stderr, unless quiet: somebody may be looking, and a log shows that work goes on."""
        if not self.quiet:
            self.err.lines(one_line(text))

    def warn(self, text: str) -> None:
        """Write one sentence on stderr, and the same as a line."""
        self.err.lines(f"warning: {one_line(text)}")
        record = {"type": "warning", "message": one_line(text)}
        if self._introduced:
            self._write(record | self._whose())
        else:
            self._early.append(record)

    def plan(
        self,
        plan: Plan,
        *,
        removing: bool = False,  # noqa: ARG002 -- each action says it
        by: str = "apply",  # noqa: ARG002 -- the version line says it
    ) -> None:
        """Write one line a change; unchanged resources are counted in the verdict, and listed after an execution."""
        for change in plan.changes:
            if is_shown(change):
                self._write(change_record(change, plan.names))
        self._unchanged = [change.address for change in plan.to(Action.NOTHING) if change.blocked is None]

    def stack(self, needs: Mapping[str, Collection[str]]) -> None:
        """Write one line."""
        resources = [{"address": address, "needs": sorted(each)} for address, each in needs.items()]
        self._write({"type": "stack", "resources": resources})

    def spans(self, spans: Sequence[Span]) -> None:
        """Write one line a span."""
        for span in spans:
            self._write(span_record(span) | self._whose())

    def preflight(self, checks: Sequence[Check]) -> None:
        """Write one line a check."""
        for check in checks:
            optional = {"action": check.action, "resource": check.resource}
            record: dict[str, object] = {"type": "preflight", "check": check.check, "ok": check.ok}
            given = {name: value for name, value in optional.items() if value}
            self._write({**record, "detail": check.detail, **given})

    def estimate(self, estimate: Estimate) -> None:
        """Write one line. Times are seconds."""
        times = {"usual_s": estimate.usual_s, "low_s": estimate.low_s, "high_s": estimate.high_s}
        rounded = {name: _seconds(value) for name, value in times.items()}
        resources = {address: _seconds(usual_s) for address, usual_s in estimate.resources.items()}
        path = {"critical_path": list(estimate.critical_path), "resources": resources}
        self._write({"type": "estimate", **rounded, **path} | self._whose())

    def plan_hash(self, hash: str, path: str, expires: str) -> None:
        """Write one line."""
        self._write({"type": "plan", "hash": hash, "path": path, "expires": expires} | self._whose())

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]] = MappingProxyType({}),
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Write nothing: each event names its resource."""

    def event(self, event: Event) -> None:
        """Write a progress line at a change of state and every half minute, a resource line at the end."""
        if isinstance(event, Progress):
            self._elapsed_s[event.address] = event.elapsed_s
            last = self._last_progress.get(event.address)
            if last is None or last.status != event.status or event.elapsed_s - last.elapsed_s >= HEARTBEAT_S:
                self._last_progress[event.address] = event
                self._write(progress_record(event))
        elif isinstance(event, Finished | Failed | Detached | Skipped):
            self._write(ended_record(event, self._elapsed_s.get(event.address, 0)))

    def end(self) -> None:
        """Write nothing: each resource has its line already."""

    def drift(
        self,
        report: Report,
        advice: Mapping[tuple[str, str], Advice],
        wanted: Wanted | None = None,  # noqa: ARG002 -- the protocol's; the verdict has it
    ) -> None:
        """Write one line a finding."""
        for finding in report.findings:
            told = advice.get((finding.address, finding.field))
            self._write(finding_record(finding, told, self._target.suffix, report.names) | self._whose())

    def table(
        self,
        columns: Sequence[str],  # noqa: ARG002 -- the protocol's; those are for people
        rows: Sequence[Sequence[str]],  # noqa: ARG002 -- as above
        records: Sequence[Mapping[str, object]],
    ) -> None:
        """Write one line a record."""
        for record in records:
            self._write({"type": "row", **record})

    def output(self, name: str, value: str) -> None:
        """Write one line."""
        self._write({"type": "output", "name": name, "value": value})

    def document(self, text: str, record: Mapping[str, object]) -> None:  # noqa: ARG002 -- the text is for people
        """Write one line."""
        self._write({"type": "document", **record})

    def ask(self, question: str, expected: str) -> bool:
        """Ask on stderr."""
        with self.asking:
            return ask(self.stdin, self.err, question, expected)

    def error(self, error: TapctlError, state: str = "") -> None:
        """Write one line; on stderr, as text, where stdout is lost."""
        self._write(error_record(error, state) | self._whose())
        if self.out.error is not None:
            self.err.lines(*error_lines(error, state))

    def verdict(self, verdict: Verdict) -> None:
        """Write the last line; before it, after an execution, one for each resource that needed nothing.

        Raises:
            TapctlError: something on stdout could not be written.
        """
        if verdict.timed:
            for address in self._unchanged:
                self._write(resource_record(address, Result.UNCHANGED))
            self._unchanged = []
        self._write(verdict_record(verdict))
        self.out.raise_if_incomplete()

    def _whose(self) -> dict[str, str]:
        """The environment that a line is about, of many."""
        return {"env": self._target.env, "suffix": self._target.suffix}

    def _introduce(self) -> None:
        if not self._introduced:
            self._introduced = True
            self._write(version_record(self.verb, self._target))
            for record in self._early:
                self._write(record | self._whose())

    def _write(self, record: Mapping[str, object]) -> None:
        """Write one line of plain ASCII: no value can break a line, hide in one, or speak to a CI system."""
        self._introduce()
        self.out.lines(sanitize_json(json.dumps(record, default=str, separators=(",", ":"))))
