"""A recorded run: its records, read from JSON Lines that may have been cut off, or be somebody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from tapctl.errors import RunInvalid
from tapctl.reports.events import (
    LINE,
    Difference,
    Document,
    Error,
    Estimate,
    Event,
    Finding,
    Graph,
    PlannedChange,
    Progress,
    Resource,
    Span,
    Stack,
    Status,
    Verdict,
    Version,
    Warned,
)
from tapctl.safety.json_errors import json_problem, mark_problem, shape_problem

E = TypeVar("E", bound=Event)

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a run that are read."""
_HINT: Final = "give it what a command wrote with --json, or with --report FILE.jsonl"
ALL: Final = "all"
"""The name of all environments together."""


@dataclass(frozen=True)
class Run:
    """The records of one run, in the order in which they were written."""

    events: tuple[Event, ...]

    def of(self, kind: type[E]) -> list[E]:
        """The records of this kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @cached_property
    def version(self) -> Version:
        """The first record."""
        (version, *_) = self.of(Version)
        return version

    @cached_property
    def verdict(self) -> Verdict | None:
        """The last record; None where the run was cut off."""
        last = self.events[-1]
        return last if isinstance(last, Verdict) else None

    @property
    def target(self) -> str:
        """The suffix that the run is about, or ``all``."""
        return self.version.suffix or (self.verdict.suffix if self.verdict else "") or ALL

    @cached_property
    def changes(self) -> dict[str, PlannedChange]:
        """The planned changes by address; of one that was planned twice, the last."""
        return {change.address: change for change in self.of(PlannedChange)}

    @cached_property
    def results(self) -> dict[str, Resource]:
        """The end of the work on each resource, by address."""
        return {resource.address: resource for resource in self.of(Resource)}

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings, the severest first."""
        order = ("high", "medium", "low")
        return sorted(self.of(Finding), key=lambda finding: order.index(finding.severity))

    @cached_property
    def findings_of(self) -> dict[str, list[Finding]]:
        """The findings on each resource that has some, by address, in the same order."""
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.address, []).append(finding)
        return found

    @cached_property
    def errors(self) -> list[Error]:
        """The errors."""
        return self.of(Error)

    @cached_property
    def differences(self) -> list[Difference]:
        """The differences between environments or versions."""
        return self.of(Difference)

    @cached_property
    def states(self) -> list[Status]:
        """The environments of a status."""
        return self.of(Status)

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Address to the addresses needed, of every resource that the run speaks of; each need is one of them."""
        told = {each.address: each.needs for stack in self.of(Stack) for each in stack.resources}
        others = [*self.changes, *self.results, *(finding.address for finding in self.findings)]
        known = {**dict.fromkeys(others, ()), **told}
        return {address: tuple(need for need in needs if need in known) for address, needs in known.items()}

    @cached_property
    def spans(self) -> dict[str, list[Span]]:
        """The calls and waits by address, in the order of their beginnings."""
        spans: dict[str, list[Span]] = {}
        for span in sorted(self.of(Span), key=lambda span: (span.start_s, span.end_s)):
            spans.setdefault(span.address, []).append(span)
        return spans

    @cached_property
    def usual(self) -> dict[str, float]:
        """Address to the seconds that its change usually takes, as far as they were told."""
        waited = {each.address: each.usual_s for each in self.of(Progress) if each.usual_s > 0}
        return waited | (self.estimate.resources if self.estimate else {})

    @cached_property
    def estimate(self) -> Estimate | None:
        """The usual time of the whole, and its critical path."""
        return next(iter(reversed(self.of(Estimate))), None)

    @property
    def documents(self) -> list[str]:
        """The texts that are an answer as they are."""
        told = [each.model_extra or {} for each in self.of(Document)]
        texts = [*(each.text for each in self.of(Graph)), *(one.get("text") or one.get("diff") for one in told)]
        return [str(text) for text in texts if text]

    @cached_property
    def warnings(self) -> list[str]:
        """The warnings, each once."""
        return list(dict.fromkeys(each.message for each in self.of(Warned)))

    @cached_property
    def not_compared(self) -> list[str]:
        """The facts that were not compared: a field's place, or ``type: what``.

        Of several environments each with the environment's name before it.
        """
        verdicts = self.of(Verdict)
        told = [(one.suffix if len(verdicts) > 1 else "", one.not_compared or []) for one in verdicts]
        told += [(one.suffix or one.environment, one.not_compared) for one in self.states]
        return [f"{name}: {what}" if name else what for name, listed in told for what in listed]

    @property
    def headline(self) -> str:
        """The verdict in a line, or the word that there is none: ``APPLY dev: CONVERGED · 23 created``."""
        verb, verdict = self.version.verb.partition(" ")[0].upper(), self.verdict
        if verdict is None:
            return f"{verb} {self.target}: CUT OFF · the run was cut off here; this is what there is"
        counts = " · ".join(f"{count} {name.replace('_', ' ')}" for name, count in verdict.counts.items())
        return " · ".join(filter(None, (f"{verb} {self.target}: {verdict.status}", verdict.summary or counts)))


def parse(content: bytes, name: str) -> Run:
    """Read JSON Lines. A last line that was cut off is left out.

    Raises:
        RunInvalid: this is no run of tapctl's; the evidence names the line.
    """
    if len(content) > LARGEST:
        raise _refused(name, 0, f"is larger than {LARGEST:,} bytes")
    if marked := mark_problem(content):
        raise _refused(name, 0, marked)
    text = content.decode(errors="replace")
    lines = text.split("\n")
    events = [*_events(lines[:-1], name), *_last(lines[-1], name, len(lines))]
    if not events or not isinstance(events[0], Version):
        raise _refused(name, 1, "is no version line, as every run begins with")
    return Run(tuple(events))


def run_of(records: Sequence[Mapping[str, Any]]) -> Run:
    """The run of these records, which are our own."""
    return Run(tuple(LINE.validate_python(record) for record in records))


def _events(lines: list[str], name: str) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield LINE.validate_json(line)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            if detail["type"] == "union_tag_invalid":
                continue  # a kind that a newer tapctl has added
            problem = _json_problem(line) or shape_problem(detail, above=1)
            raise _refused(name, number, f"is no line of a run: {problem}") from None


def _json_problem(line: str) -> str:
    try:
        json.loads(line)
    except (ValueError, RecursionError) as error:
        return json_problem(error).removeprefix("line 1, ")
    return ""


def _last(line: str, name: str, number: int) -> list[Event]:
    """The event of a line that has no end; none where its end is missing."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return []
    return [*_events([""] * (number - 1) + [line], name)]


def _refused(name: str, number: int, problem: str) -> RunInvalid:
    return RunInvalid(name, problem, line=number, hint=_HINT)
