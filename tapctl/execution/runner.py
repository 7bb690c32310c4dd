"""The engine run for ``apply`` and ``destroy``: events on the screen, signals, root causes, the rescue of a record."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

from tapctl.clock import WallClock
from tapctl.engine.converge import Job, converge
from tapctl.engine.delete import delete
from tapctl.engine.estimate import COMMAND, Durations, Operation, Usual, longest_s, operation_of, seconds_to_end
from tapctl.engine.events import Detached, Event, Failed, Finished, Result, Skipped
from tapctl.engine.execute import Work, execute
from tapctl.engine.plan import Action
from tapctl.engine.polling import Emit, EngineContext
from tapctl.engine.record import Phase
from tapctl.engine.resources import Deletion, Node
from tapctl.errors import AwsRefused, ExitCode, LockHeld, StoreFailed, TapctlError, add_default_hint, exit_code_of
from tapctl.execution.signals import ending_signals, exit_status
from tapctl.execution.waits import Waits
from tapctl.manifest.journal import Journal
from tapctl.manifest.lock import Lease
from tapctl.reconcilers import registry
from tapctl.session.session import Session

_HERE: Final = ("127.0.0.1", "::1", "localhost")
_ACTIVITIES: Final = {
    Action.SETTLE: "waiting for",
    Action.UPDATE: "changing",
    Action.CREATE: "creating",
    Action.REPLACE: "replacing",
    Action.DELETE: "removing",
}


_RESULTS: Final = {
    Operation.CREATE: Result.CREATED,
    Operation.UPDATE: Result.UPDATED,
    Operation.RESTART: Result.UPDATED,
    Operation.UPGRADE: Result.UPDATED,
    Operation.REPLACE: Result.REPLACED,
    Operation.DELETE: Result.DELETED,
}
"""The result of an operation that was done whole by this run."""


def usual_times(durations: Durations, operations: Mapping[str, Operation]) -> dict[str, Usual]:
    """The usual time of each operation, by address."""
    reconcilers = registry()
    types = {address: address.partition("/")[0] for address in operations}
    return {
        address: durations.usual(types[address], operation, reconcilers[types[address]].timing)
        for address, operation in operations.items()
    }


@dataclass
class ExecutionResult:
    """The last event of each resource of an execution, and the signal that stopped it, if any."""

    finished: dict[str, Finished] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    detached: list[Detached] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    signal: int | None = None

    @property
    def ok(self) -> bool:
        """True if every resource ended as it should, and no signal came."""
        return not (self.failed or self.detached or self.skipped) and self.signal is None

    def count(self, *results: Result) -> int:
        """The number of resources that finished with one of these results."""
        return sum(event.result in results for event in self.finished.values())

    def add(self, event: Event) -> None:
        """Keep the event if it is the last of its resource."""
        if isinstance(event, Finished):
            self.finished[event.address] = event
        elif isinstance(event, Failed):
            self.failed.append(event)
        elif isinstance(event, Detached):
            self.detached.append(event)
        elif isinstance(event, Skipped):
            self.skipped.append(event)


class EngineRunner:
    """The engine of one session: the context that its executions share, and their result together."""

    def __init__(self, session: Session, journal: Journal, lease: Lease) -> None:
        self.session, self.journal = session, journal
        self.outcome = ExecutionResult()
        self.lease = lease
        self.context = EngineContext(
            session.aws,
            session.claimant,
            journal,
            WallClock(),
            lease=lease.ensure_held,
            durations=session.read_durations(),
            # An embedded AWS, or another one on this machine.
            hurried=urlsplit(session.aws.rds.meta.endpoint_url).hostname in _HERE,
        )
        self.activity: dict[str, str] = {}
        """Address to what is done there: ``creating``, ``changing``, ``removing`` …"""
        self._resumed: set[str] = set()
        """The addresses of removals that an earlier run has begun: what is left of them takes no usual time."""
        self._measured: list[tuple[str, Operation, float]] = []
        """Type, operation and seconds of everything that was done whole."""
        self._chains_s = 0.0
        """The seconds of the longest chain of each execution, one after the other."""
        session.aws.call_log.guard = lease.assert_valid

    def converge(self, steps: Sequence[Node], jobs: dict[str, Job], *, then: Iterable[str] = ()) -> ExecutionResult:
        """Create or change these resources; ``then``: addresses of what is begun only where all of them end well."""
        self.activity |= {address: _ACTIVITIES[job.change.action] for address, job in jobs.items()}

        def work(address: str, emit: Emit) -> Finished:
            return converge(jobs[address], self.context, emit)

        operations = {address: operation_of(job.change) for address, job in jobs.items()}
        return self._execute(steps, work, operations, then)

    def remove(self, steps: Sequence[Node], deletions: dict[str, Deletion]) -> ExecutionResult:
        """Delete these resources."""
        self.activity |= dict.fromkeys(deletions, _ACTIVITIES[Action.DELETE])
        begun = (each for each in deletions.values() if each.entry and each.entry.phase is Phase.LEAVING)
        self._resumed.update(each.address for each in begun)

        def work(address: str, emit: Emit) -> Finished:
            return delete(deletions[address], self.context, emit)

        return self._execute(steps, work, dict.fromkeys(deletions, Operation.DELETE))

    def _execute(
        self, steps: Sequence[Node], work: Work, operations: Mapping[str, Operation], then: Iterable[str] = ()
    ) -> ExecutionResult:
        screen, outcome, stop = self.session.screen, self.outcome, self.context.stop
        warned = False
        waits = Waits(self.session.invocation.usage.started)
        self.lease.set_phase("changing")
        usual = usual_times(self.context.durations, operations)
        screen.begin(
            [step.address for step in steps],
            {step.address: step.after_outputs | step.after_settled for step in steps},
            seconds_to_end(steps, {address: each.usual_s for address, each in usual.items()}),
        )
        try:
            with _stopped_by_signals(stop, outcome):
                for event in execute(steps, work, stop):
                    if outcome.signal is not None and not warned:
                        warned = True
                        screen.warn(
                            "stopping: nothing new is begun, what runs may take 5 s; a second signal ends at once"
                        )
                    for ended in (event, *(event.accompanied_by if isinstance(event, Finished) else ())):
                        screen.event(ended)
                        outcome.add(ended)
                    screen.spans(waits.after(event))
                    if isinstance(event, Failed) and isinstance(event.error, LockHeld | StoreFailed):
                        # Nobody may go on without the lock or the record: finish what runs, start nothing.
                        stop.set()
            causes = tuple(failed.address for failed in outcome.failed)
            for skipped in [] if outcome.ok else [Skipped(address, causes) for address in then]:
                screen.event(skipped)
                outcome.add(skipped)
        finally:
            screen.end()
        self._measure(steps, operations)
        return outcome

    def _measure(self, steps: Sequence[Node], operations: Mapping[str, Operation]) -> None:
        """Note how long each resource of an execution took, and the longest chain of them."""
        finished = self.outcome.finished
        seconds = {each.address: finished[each.address].elapsed_s for each in steps if each.address in finished}
        self._chains_s += longest_s(steps, {step.address: seconds.get(step.address, 0.0) for step in steps})
        for address, operation in operations.items():
            whole = address in seconds and finished[address].result is _RESULTS[operation]
            if whole and address not in self._resumed:
                self._measured.append((address.partition("/")[0], operation, seconds[address]))

    def keep_durations(self, operation: Operation) -> None:
        """Keep beside the record how long it all took; ``operation``: of the command as a whole."""
        lost = any(isinstance(failed.error, LockHeld | StoreFailed) for failed in self.outcome.failed)
        # Who has stopped the run waits for no more than its record and its lock.
        if lost or not self._measured or self.outcome.signal is not None:
            return
        usage, asked_s = self.session.invocation.usage, self.session.screen.asked_s
        rest_s = max(0.0, time.monotonic() - usage.started - asked_s - self._chains_s)
        command = [(COMMAND, operation, rest_s)] if self.outcome.ok else []
        self.session.write_durations(self.context.durations.adding([*self._measured, *command]))

    # -- how it ended ------------------------------------------------------------------------------------------------

    def report_failures(self) -> int:
        """Show each root cause, the state of the resources and how to go on; returns the exit status."""
        outcome, screen = self.outcome, self.session.screen
        unsaved = any(isinstance(failed.error, StoreFailed) for failed in outcome.failed)
        state = self._state(unsaved=unsaved)
        for failed in root_causes(outcome.failed):
            screen.error(with_location(failed, self.activity), state)
        if unsaved:
            self._rescue()
        stopped = ""
        if outcome.signal is not None:
            calls = ", ".join(sorted(self.session.aws.call_log.in_flight)) or "nothing"
            stopped = f"stopped by {signal.Signals(outcome.signal).name}; calls still in flight: {calls}. "
        at_work = self._at_work()
        goes_on = f"AWS is still at work on {', '.join(at_work)}. " if at_work else ""
        screen.warn(f"{stopped}{goes_on}To go on: {self.session.invocation.command}")
        return self._exit_code() if outcome.signal is None else exit_status(outcome.signal)

    @property
    def changed_in_part(self) -> dict[str, int]:
        """The number of resources that failed after AWS had taken a change of theirs, by its name in a verdict.

        Empty where there is none.
        """
        # Each resource's calls are made in a thread that bears its address.
        accepted = self.session.aws.call_log.accepted_of
        number = sum(accepted[failed.address] > 0 for failed in self.outcome.failed)
        return {"changed_in_part": number} if number else {}

    def _at_work(self) -> list[str]:
        """The resources that AWS goes on with although nobody waits any more, each with AWS's word for its state."""
        ended: list[Detached | Failed] = [*self.outcome.detached, *self.outcome.failed]
        return sorted(f"{event.address} ({event.status})" for event in ended if event.at_work)

    def report_unsaved(self, error: StoreFailed) -> ExitCode:
        """Show that the last write of the record failed after all changes, save a copy; returns the exit status."""
        self.session.screen.error(error, "all changes are made; the manifest could not be written")
        self._rescue()
        return error.exit_code

    def _exit_code(self) -> ExitCode:
        errors = [failed.error for failed in self.outcome.failed]
        if any(isinstance(error, LockHeld) for error in errors):
            return LockHeld.exit_code
        if not errors or self.session.aws.call_log.accepted:
            return ExitCode.NOT_CONVERGED
        return exit_code_of(errors[0])

    def _state(self, *, unsaved: bool) -> str:
        outcome = self.outcome
        made = outcome.count(Result.CREATED, Result.UPDATED, Result.REPLACED)
        gone = outcome.count(Result.DELETED)
        counts = [f"{made} made or changed"] if made or not gone else []
        counts += [f"{gone} removed"] if gone else []
        in_part = "".join(f" ({number} changed in part)" for number in self.changed_in_part.values())
        counts += [f"{len(outcome.failed)} failed{in_part}"]
        counts += [f"{len(outcome.detached)} left while AWS is at work"] if outcome.detached else []
        counts += [f"{len(outcome.skipped)} not tried"]
        lost = any(isinstance(failed.error, LockHeld) for failed in outcome.failed)
        record = "the manifest could not be written" if unsaved else "the manifest is up to date"
        record = "the manifest is that of whoever has the lock now" if lost else record
        return f"{', '.join(counts)}; {record}; it is safe to run the same command again"

    def _rescue(self) -> None:
        try:
            copy = self.journal.rescue(Path.cwd())
        except StoreFailed as error:
            self.session.screen.error(error)
            return
        command = self.session.store.restore_command(copy, self.session.suffix)
        self.session.screen.warn(
            f"the record was saved to {copy}; when its place can be written again put it back: {command}"
        )


def root_causes(failed: Sequence[Failed]) -> Collection[Sequence[Failed]]:
    """The failures by root cause, each with all resources it has stopped: one missing permission may stop a dozen."""
    by_cause: dict[tuple[str | None, ...], list[Failed]] = {}
    for event in failed:
        by_cause.setdefault(_cause(event.error), []).append(event)
    return by_cause.values()


def _cause(error: TapctlError) -> tuple[str | None, ...]:
    if isinstance(error, AwsRefused) and error.is_bad_credentials:
        return (error.aws_code,)
    if isinstance(error, AwsRefused) and error.is_denied:
        return error.aws_code, error.iam_action
    return error.cause, error.evidence


def with_location(failed: Sequence[Failed], activity: Mapping[str, str]) -> TapctlError:
    """The error that these failures share, with what was being done to which resources, and what to do now."""
    error, addresses = failed[0].error, [event.address for event in failed]
    add_default_hint(error)
    if addresses[0] not in error.cause:
        error.evidence = "\n".join(filter(None, [error.cause, error.evidence]))
        error.cause = f"{activity[addresses[0]]} {', '.join(address.replace('/', ' ', 1) for address in addresses)}"
    if error.hint is None:
        error.hint = "remove the cause, then run the same command again: it continues from here"
    error.retry_safe = True  # as its state says: whatever the cause, the same command goes on from there
    return error


@contextmanager
def _stopped_by_signals(stop: threading.Event, outcome: ExecutionResult) -> Iterator[None]:
    """Stop softly at the first SIGINT, SIGTERM or SIGHUP; a second one ends at once, and the record is still right."""
    numbers = [signal.SIGINT, *ending_signals()]

    def on_first(received: int, _frame: FrameType | None) -> None:
        outcome.signal = received
        stop.set()
        for number in numbers:
            # The operating system ends us at the second one, whatever Python is waiting for.
            signal.signal(number, signal.SIG_DFL)

    previous: list[Callable[[int, FrameType | None], Any] | int | None]
    previous = [signal.signal(number, on_first) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
