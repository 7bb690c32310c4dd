"""The screen for programs: JSON Lines on stdout and nothing else there, each line written at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TextIO

from tapctl.engine.change import Action, Plan
from tapctl.engine.drift import Report
from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Result, Skipped
from tapctl.errors import TapctlError
from tapctl.render import records
from tapctl.render.clean import one_line
from tapctl.render.errors_text import error_lines
from tapctl.render.out import OutputStream
from tapctl.render.plan_text import is_told
from tapctl.render.prompt import ask
from tapctl.render.screen import Advice, Target, Verdict

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
                self._write(records.planned_change(change))
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
                self._write(records.progress(event))
        elif isinstance(event, Finished | Failed | Detached | Skipped):
            self._write(records.ended(event, self.elapsed.get(event.address, 0)))

    def end(self) -> None:
        """Each resource has its line already."""

    def drift(self, report: Report, advice: Mapping[tuple[str, str], Advice]) -> None:
        """One line a finding."""
        for one in report.findings:
            self._write(records.finding(one, advice.get((one.address, one.field))) | self._whose())

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
        self._write(records.error(error, state) | self._whose())
        if self.out.lost is not None:
            self.err.lines(*error_lines(error, state))

    def verdict(self, verdict: Verdict) -> None:
        """The last line; before it, after an execution, one for each resource that needed nothing.

        Raises:
            TapctlError: something on stdout could not be written.
        """
        if verdict.verb in _EXECUTING:
            for one in self.unchanged:
                self._write(records.resource(one, Result.UNCHANGED))
            self.unchanged = []
        self._write(records.verdict(verdict))
        self.out.raise_if_incomplete()

    def _whose(self) -> dict[str, str]:
        """Which of many environments a line is about."""
        return {"env": self._target.env, "suffix": self._target.suffix}

    def _introduce(self) -> None:
        if not self.introduced:
            self.introduced = True
            self._write(records.version(self._target))

    def _write(self, record: Mapping[str, object]) -> None:
        """One line of plain ASCII: no value can break a line, or hide in one."""
        self._introduce()
        self.out.lines(json.dumps(record, default=str, separators=(",", ":")))
