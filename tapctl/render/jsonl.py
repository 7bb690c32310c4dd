"""What a verb says as JSON values: a contract (``ui`` is its version), to which things are only added."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TextIO

from tapctl import __version__
from tapctl.engine import refs
from tapctl.engine.drift import Finding, Report
from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Result, Skipped
from tapctl.engine.plan import Action, Change, Plan
from tapctl.errors import AwsError, ConfigError, TapctlError
from tapctl.render.reports import error_lines, is_told
from tapctl.render.screen import Advice, Target, Verdict
from tapctl.render.terminal import OutputStream, ask, one_line

UI: Final = "1.0"

Record = dict[str, Any]


def version_record(header: Target) -> Record:
    """The first line."""
    return {
        "type": "version",
        "ui": UI,
        "tapctl": __version__,
        "verb": header.verb,
        "env": header.env,
        "suffix": header.suffix,
        "account": header.account,
        "region": header.region,
        "config_hash": header.config_hash,
        "identity": header.identity,
    }


def change_record(change: Change) -> Record:
    """One change of a plan. ``have`` or ``want`` null: it is not there, or not wanted."""
    blocked = change.blocked
    return {
        "type": "planned_change",
        "address": change.address,
        "resource_type": change.type,
        "action": change.action.name.lower(),
        "fields": [
            {
                "path": one.path,
                "have": refs.to_json(one.have),
                "want": refs.to_json(one.want),
                "impact": one.impact.word,
                "outside": one.outside,
                "until": one.until,
            }
            for one in change.fields
        ],
        "impact": change.impact.word,
        "outside": change.outside,
        "pending": {name: {"until": one.until, "detail": one.detail} for name, one in sorted(change.pending.items())},
        "unread": dict(change.unreadable),
        "unexpected": list(change.foreign_members),
        "note": change.note,
        "blocked": {"code": blocked.code, "message": blocked.cause, "hint": blocked.hint} if blocked else None,
    }


def progress_record(event: Progress) -> Record:
    """What is awaited. Seconds."""
    return {
        "type": "progress",
        "address": event.address,
        "status": event.status,
        "elapsed_s": _seconds(event.elapsed_s),
        "awaiting": event.awaiting,
        "usual_s": _seconds(event.usual_s),
    }


def resource_record(address: str, result: Result, elapsed_s: float = 0, note: str = "") -> Record:
    """How one resource ended. Seconds."""
    return {
        "type": "resource",
        "address": address,
        "id": address.partition("/")[2],
        "result": result.value,
        "elapsed_s": _seconds(elapsed_s),
        "note": note,
    }


def ended_records(event: Finished | Failed | Detached | Skipped, elapsed_s: float = 0) -> Record:
    """How one resource ended, by its last event. What was left while AWS goes on has not succeeded: failed."""
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


def finding_record(found: Finding, advice: Advice | None) -> Record:
    """One finding, and what to do about it."""
    return {
        "type": "finding",
        "address": found.address,
        "resource_type": found.type,
        "field": found.field,
        "state": found.state.value,
        "recorded": refs.to_json(found.recorded),
        "live": refs.to_json(found.live),
        "note": found.note,
        "edit": advice.edit if advice else "",
        "undo": advice.undo if advice else "",
        "read": advice.read if advice else "",
        "now": advice.now if advice else "",
    }


def error_record(failed: TapctlError, state: str = "") -> Record:
    """An error. ``retry_safe``: the same command, run again as it is, goes on from here or may well succeed."""
    made: Record = {
        "type": "error",
        "code": failed.code,
        "message": failed.cause,
        "why": failed.evidence,
        "hint": failed.hint,
        "aws": None,
        "retry_safe": failed.retry_safe,
        "state": state,
    }
    if isinstance(failed, AwsError):
        made["aws"] = {
            "service": failed.service,
            "operation": failed.operation,
            "code": failed.aws_code,
            "request_id": failed.request_id,
        }
    if isinstance(failed, ConfigError):
        made["problems"] = [
            {"file": one.file, "key": one.key, "value": one.value, "rule": one.rule} for one in failed.problems
        ]
    return made


_STATUS: Final = {2: "DIFFERENT", 7: "INCOMPLETE"}
"""What a verdict without a word of its own says by its exit status."""


def verdict_record(last: Verdict) -> Record:
    """The last line."""
    return {
        "type": "verdict",
        "verb": last.verb,
        "env": last.env,
        "suffix": last.suffix,
        "status": last.status or _STATUS.get(last.exit, "OK"),
        "exit": last.exit,
        "counts": dict(last.counts),
        "elapsed_s": _seconds(last.elapsed_s),
        "api_calls": last.api_calls,
        "changing_calls": last.changing_calls,
        "manifest": last.manifest,
        "summary": last.summary,
    }


def _seconds(value: float) -> float:
    return round(value, 3)


HEARTBEAT_S: Final = 30.0
_EXECUTING: Final = ("apply", "destroy")


class JsonScreen:
    """Writes what a verb says as JSON Lines; notes, questions and warnings go to stderr, as text."""

    def __init__(self, stdin: TextIO, out: OutputStream, err: OutputStream, *, quiet: bool = False) -> None:
        self.stdin, self.out, self.err, self.quiet = stdin, out, err, quiet
        self._target = Target("")
        self.introduced = False
        self.unchanged: list[str] = []
        """What the plan says needs nothing: its line is due at the end of an execution."""
        self.told: dict[str, Progress] = {}
        """The last progress written, by address."""
        self.elapsed: dict[str, float] = {}

    def target(self, target: Target) -> None:
        """Keep it; the first line is written with the first other one, or once all that it tells is known."""
        self._target = target
        if target.identity or target.many:
            self._introduce()

    def note(self, text: str) -> None:
        """One sentence on stderr, unless quiet: somebody may be looking, and a log shows that it goes on."""
        if not self.quiet:
            self.err.lines(one_line(text))

    def warn(self, text: str) -> None:
        """One sentence on stderr."""
        self.err.lines(f"warning: {one_line(text)}")

    def plan(self, plan: Plan, *, removing: bool = False) -> None:  # noqa: ARG002 -- each action says it
        """One line a change; what needs nothing is counted in the verdict, and listed once there is an execution."""
        for change in plan.changes:
            if is_told(change):
                self._write(change_record(change))
        self.unchanged = [one.address for one in plan.to(Action.NOTHING) if one.blocked is None]

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]] = MappingProxyType({})) -> None:
        """Each event says what it is about."""

    def event(self, event: Event) -> None:
        """A progress line at a change of state and every half minute; a resource line at the end."""
        if isinstance(event, Progress):
            self.elapsed[event.address] = event.elapsed_s
            last = self.told.get(event.address)
            if last is None or last.status != event.status or event.elapsed_s - last.elapsed_s >= HEARTBEAT_S:
                self.told[event.address] = event
                self._write(progress_record(event))
        elif isinstance(event, Finished | Failed | Detached | Skipped):
            self._write(ended_records(event, self.elapsed.get(event.address, 0)))

    def end(self) -> None:
        """Each resource has its line already."""

    def drift(self, report: Report, advice: Mapping[tuple[str, str], Advice]) -> None:
        """One line a finding."""
        for one in report.findings:
            self._write(finding_record(one, advice.get((one.address, one.field))) | self._whose())

    def table(
        self,
        columns: Sequence[str],  # noqa: ARG002 -- the protocol's; those are for people
        rows: Sequence[Sequence[str]],  # noqa: ARG002 -- as above
        records: Sequence[Mapping[str, object]],
    ) -> None:
        """One line a record."""
        for one in records:
            self._write({"type": "row", **one})

    def output(self, name: str, value: str) -> None:
        """One line."""
        self._write({"type": "output", "name": name, "value": value})

    def document(self, text: str, record: Mapping[str, object]) -> None:  # noqa: ARG002 -- the text is for people
        """One line."""
        self._write({"type": "document", **record})

    def ask(self, question: str, expected: str) -> bool:
        """Ask on stderr."""
        return ask(self.stdin, self.err, question, expected)

    def error(self, error: TapctlError, state: str = "") -> None:
        """One line; on stderr where stdout is lost."""
        self._write(error_record(error, state) | self._whose())
        if self.out.lost is not None:
            self.err.lines(*error_lines(error, state))

    def verdict(self, verdict: Verdict) -> None:
        """The last line; before it, after an execution, one for each resource that needed nothing.

        Raises:
            TapctlError: something on stdout could not be written.
        """
        if verdict.verb in _EXECUTING:
            for one in self.unchanged:
                self._write(resource_record(one, Result.UNCHANGED))
            self.unchanged = []
        self._write(verdict_record(verdict))
        self.out.raise_if_incomplete()

    def _whose(self) -> dict[str, str]:
        """Which of many environments a line is about."""
        return {"env": self._target.env, "suffix": self._target.suffix}

    def _introduce(self) -> None:
        if not self.introduced:
            self.introduced = True
            self._write(version_record(self._target))

    def _write(self, record: Mapping[str, object]) -> None:
        """One line of plain ASCII: no value can break a line, or hide in one."""
        self._introduce()
        self.out.lines(json.dumps(record, default=str, separators=(",", ":")))
