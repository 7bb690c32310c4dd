"""The screen for people: reports on stdout; progress, questions, warnings and errors on stderr."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TextIO

from tapctl.errors import ExitCode, TapctlError
from tapctl.render.frame import error_lines, header_lines, verdict_line
from tapctl.render.terminal import (
    OutputStream,
    Palette,
    Stopwatch,
    ask,
    one_line,
    sanitize,
    sanitize_lines,
    table_lines,
)

if TYPE_CHECKING:
    from tapctl.engine.drift import Report
    from tapctl.engine.estimate import Estimate
    from tapctl.engine.events import Event
    from tapctl.engine.plan import Plan
    from tapctl.render.progress import ProgressView
    from tapctl.render.screen import Advice, Check, Span, Target, Verdict, Wanted


class TextScreen:
    """A screen that writes text. ``colour``: allowed, where the stream is a terminal.

    ``width``: the columns of stdout, which reports are made to fit; None: it is no terminal, and nothing is wrapped.
    """

    def __init__(
        self,
        stdin: TextIO,
        out: OutputStream,
        err: OutputStream,
        open_progress: Callable[[], ProgressView],
        *,
        verbose: bool,
        quiet: bool,
        colour: bool,
        width: int | None = None,
    ) -> None:
        self.stdin, self.out, self.err = stdin, out, err
        self.asking = Stopwatch()
        self.open_progress = open_progress
        self.progress: ProgressView | None = None
        """The view of the execution, opened when the first one begins."""
        self.verbose, self.quiet = verbose, quiet
        self.width = width
        self.paint = Palette(on=colour and out.stream.isatty())
        self.paint_err = Palette(on=colour and err.stream.isatty())
        self._target: Target | None = None
        """The target while no header has shown it."""

    @property
    def asked_s(self) -> float:
        """Seconds in which the command waited for somebody to answer."""
        return self.asking.seconds

    def target(self, target: Target) -> None:
        """Keep the target until there is a report or an error to head."""
        self._target = target

    def note(self, text: str) -> None:
        """Write one sentence on stderr, unless quiet."""
        if not self.quiet:
            self._say(one_line(text))

    def warn(self, text: str) -> None:
        """Write one sentence on stderr."""
        self._say(f"warning: {one_line(text)}")

    def plan(self, plan: Plan, *, removing: bool = False, by: str = "apply") -> None:
        """Write the header and the plan."""
        from tapctl.render.reports import plan_lines

        self._head(self.out, self.paint)
        shown = plan_lines(plan, verbose=self.verbose, removing=removing, by=by, paint=self.paint, width=self.width)
        self.out.lines(*shown)

    def stack(self, needs: Mapping[str, Collection[str]]) -> None:
        """Show nothing: the graph is for pictures."""

    def spans(self, spans: Sequence[Span]) -> None:
        """Show nothing: the progress has told what took its time."""

    def preflight(self, checks: Sequence[Check]) -> None:
        """Write the checks under the plan."""
        from tapctl.render.reports import preflight_lines

        self.out.lines(*map(sanitize, preflight_lines(checks)))

    def estimate(self, estimate: Estimate) -> None:
        """Write one line under the plan."""
        from tapctl.render.reports import estimate_lines

        self.out.lines(*estimate_lines(estimate, width=self.width))

    def plan_hash(self, hash: str, path: str, expires: str) -> None:
        """Write the hash, and the file, under the plan."""
        self.out.lines(f"hash {hash}", *([f"file {one_line(path)}, to be applied until {expires}"] if path else []))

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]] = MappingProxyType({}),
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Begin the progress."""
        if self.progress is None:
            self.progress = self.open_progress()
        self.progress.begin(addresses, needs, to_end_s)

    def event(self, event: Event) -> None:
        """Hand the event to the progress."""
        assert self.progress is not None
        self.progress.event(event)

    def end(self) -> None:
        """End the progress."""
        if self.progress is not None:
            self.progress.end()

    def drift(self, report: Report, advice: Mapping[tuple[str, str], Advice], wanted: Wanted | None = None) -> None:
        """Write the header, the findings, and what an apply would do beside."""
        from tapctl.render.reports import drift_lines, wanted_lines

        self._head(self.out, self.paint)
        self.out.lines(*drift_lines(report, advice, verbose=self.verbose, paint=self.paint, width=self.width))
        if wanted is not None:
            self.out.lines(*wanted_lines(wanted, self.paint, width=self.width))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        records: Sequence[Mapping[str, object]],  # noqa: ARG002 -- the protocol's; those are for programs
    ) -> None:
        """Write the rows under their columns."""
        self.out.lines(*table_lines(columns, rows, self.paint, width=self.width))

    def output(self, name: str, value: str) -> None:
        """Write ``name=value``, as a shell takes them apart."""
        self.out.lines(f"{sanitize(name)}={sanitize(value)}")

    def document(self, text: str, record: Mapping[str, object]) -> None:  # noqa: ARG002 -- the protocol's
        """Write the text as it is."""
        self.out.lines(*sanitize_lines(text))

    def ask(self, question: str, expected: str) -> bool:
        """Ask on stderr."""
        self.end()
        with self.asking:
            return ask(self.stdin, self.err, question, expected)

    def error(self, error: TapctlError, state: str = "") -> None:
        """Write the error on stderr, under the header where no report has shown one."""
        self.end()
        self._head(self.err, self.paint_err)
        self.err.lines(*error_lines(error, state, self.paint_err))

    def verdict(self, verdict: Verdict) -> None:
        """Write the last line; where stdout is data, on stderr, and only where there is no answer.

        Raises:
            TapctlError: something on stdout could not be written.
        """
        self.end()
        if not verdict.stdout_is_data:
            self.out.lines(verdict_line(verdict, self.paint))
        elif verdict.exit != ExitCode.OK:
            self.err.lines(verdict_line(verdict, self.paint_err))
        self.out.raise_if_incomplete()

    def _say(self, line: str) -> None:
        """Write a line on stderr, clear of what the progress draws there."""
        if self.progress is None:
            self.err.lines(line)
        else:
            self.progress.say(line)

    def _head(self, stream: OutputStream, paint: Palette) -> None:
        """Write the header of this target once, with an empty line under it."""
        lines = header_lines(self._target, paint) if self._target else []
        self._target = None
        if lines:
            stream.lines(*lines, "")
