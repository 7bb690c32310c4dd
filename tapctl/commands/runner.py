"""Running the engine for a verb: signals, screen, what failed and what that means, and a record that cannot be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tapctl.clock import WallClock
from tapctl.engine.converge import Job, converge
from tapctl.engine.delete import delete
from tapctl.engine.events import Detached, Failed, Finished, Result, Skipped
from tapctl.engine.execute import Work, execute
from tapctl.engine.plan import Action
from tapctl.engine.polling import Emit, EngineContext
from tapctl.engine.resources import Deletion, Node
from tapctl.errors import AwsRefused, LockHeld, NotConverged, StoreFailed, TapctlError, add_default_hint, exit_code_of
from tapctl.manifest.journal import Journal, restore_command
from tapctl.manifest.lock import Lease
from tapctl.session.session import Session

_DOING: Final = {
    Action.SETTLE: "waiting for",
    Action.UPDATE: "changing",
    Action.CREATE: "creating",
    Action.REPLACE: "replacing",
    Action.DELETE: "removing",
}


@dataclass
class ExecutionResult:
    """How an execution ended, resource by resource."""

    finished: dict[str, Finished] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    detached: list[Detached] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    signal: int | None = None

    @property
    def ok(self) -> bool:
        """Everything ended as it should."""
        return not (self.failed or self.detached or self.skipped)

    def count(self, *results: Result) -> int:
        """How many resources ended so."""
        return sum(one.result in results for one in self.finished.values())


class EngineRunner:
    """Executes steps for one run, and keeps what the steps of one run share."""

    def __init__(self, session: Session, journal: Journal, lease: Lease) -> None:
        self.session, self.journal = session, journal
        self.outcome = ExecutionResult()
        self.lease = lease
        self.context = EngineContext(session.aws, session.owner, journal, WallClock(), lease=lease.ensure_held)
        self.activity: dict[str, str] = {}
        """What is done with each address: ``creating``, ``changing``, ``removing`` …"""
        session.aws.call_log.guard = lease.assert_valid

    def converge(self, steps: Sequence[Node], jobs: dict[str, Job]) -> ExecutionResult:
        """Make these resources, or change them."""
        self.activity |= {here: _DOING[job.change.action] for here, job in jobs.items()}

        def work(here: str, emit: Emit) -> Finished:
            return converge(jobs[here], self.context, emit)

        return self._execute(steps, work)

    def remove(self, steps: Sequence[Node], leaving: dict[str, Deletion]) -> ExecutionResult:
        """Take these resources away."""
        self.activity |= dict.fromkeys(leaving, _DOING[Action.DELETE])

        def work(here: str, emit: Emit) -> Finished:
            return delete(leaving[here], self.context, emit)

        return self._execute(steps, work)

    def _execute(self, steps: Sequence[Node], work: Work) -> ExecutionResult:
        screen, outcome, stop = self.session.screen, self.outcome, self.context.stop
        told = False
        self.lease.set_phase("changing")
        screen.begin(
            [step.address for step in steps], {step.address: step.after_outputs | step.after_settled for step in steps}
        )
        try:
            with _stopped_by_signals(stop, outcome):
                for event in execute(steps, work, stop):
                    if outcome.signal is not None and not told:
                        told = True
                        screen.warn(
                            "stopping: nothing new is begun, what runs may take 5 s; a second signal ends at once"
                        )
                    screen.event(event)
                    if isinstance(event, Finished):
                        outcome.finished[event.address] = event
                        for other in event.accompanied_by:
                            screen.event(other)
                            outcome.finished[other.address] = other
                    elif isinstance(event, Failed):
                        outcome.failed.append(event)
                        if isinstance(event.error, LockHeld | StoreFailed):
                            # Nobody may go on without the lock or the record: finish what runs, start nothing.
                            stop.set()
                    elif isinstance(event, Detached):
                        outcome.detached.append(event)
                    elif isinstance(event, Skipped):
                        outcome.skipped.append(event)
        finally:
            screen.end()
        return outcome

    # -- how it ended ------------------------------------------------------------------------------------------------

    def report_failures(self) -> int:
        """Show each root cause, what state things are in and how to go on; returns the exit status."""
        outcome, screen = self.outcome, self.session.screen
        unsaved = any(isinstance(one.error, StoreFailed) for one in outcome.failed)
        state = self._state(unsaved=unsaved)
        for failed in root_causes(outcome.failed):
            screen.error(with_location(failed, self.activity), state)
        if unsaved:
            self._rescue()
        stopped = ""
        if outcome.signal is not None:
            doing = ", ".join(sorted(self.session.aws.call_log.in_flight)) or "nothing"
            stopped = f"stopped by {signal.Signals(outcome.signal).name}; calls still in flight: {doing}. "
        at_work = self._at_work()
        goes_on = f"AWS is still at work on {', '.join(at_work)}. " if at_work else ""
        screen.warn(f"{stopped}{goes_on}To go on: {self.session.invocation.command}")
        return self._exit() if outcome.signal is None else 128 + outcome.signal

    def _at_work(self) -> list[str]:
        """What AWS goes on with although nobody waits for it any more, with AWS's own word."""
        ended: list[Detached | Failed] = [*self.outcome.detached, *self.outcome.failed]
        return sorted(f"{one.address} ({one.status})" for one in ended if one.at_work)

    def report_unsaved(self, error: StoreFailed) -> int:
        """Everything is made and the last write of the record failed: show it, save a copy; returns the exit status."""
        self.session.screen.error(error, "all changes are made; the manifest could not be written")
        self._rescue()
        return error.exit_code

    def _exit(self) -> int:
        if not self.outcome.failed:
            return 4
        errors = [one.error for one in self.outcome.failed]
        if any(isinstance(error, LockHeld) for error in errors):
            return LockHeld.exit_code
        if self.session.aws.call_log.accepted:
            return NotConverged.exit_code
        return exit_code_of(errors[0])

    def _state(self, *, unsaved: bool) -> str:
        outcome = self.outcome
        made = outcome.count(Result.CREATED, Result.UPDATED, Result.REPLACED)
        gone = outcome.count(Result.DELETED)
        counts = [f"{made} made or changed"] if made or not gone else []
        counts += [f"{gone} removed"] if gone else []
        counts += [f"{len(outcome.failed)} failed"]
        counts += [f"{len(outcome.detached)} left while AWS is at work"] if outcome.detached else []
        counts += [f"{len(outcome.skipped)} not tried"]
        lost = any(isinstance(one.error, LockHeld) for one in outcome.failed)
        record = "the manifest could not be written" if unsaved else "the manifest is up to date"
        record = "the manifest is that of whoever has the lock now" if lost else record
        return f"{', '.join(counts)}; {record}; it is safe to run the same command again"

    def _rescue(self) -> None:
        try:
            copy = self.journal.rescue(Path.cwd())
        except StoreFailed as error:
            self.session.screen.error(error)
            return
        command = restore_command(copy, self.session.store, self.session.suffix)
        self.session.screen.warn(f"the record was saved to {copy}; when there is room again put it back: {command}")


def root_causes(failed: Sequence[Failed]) -> Iterator[Sequence[Failed]]:
    """Each root cause once, with all the resources it has stopped: one missing right may stop a dozen."""
    same: dict[tuple[str | None, ...], list[Failed]] = {}
    for one in failed:
        same.setdefault(_cause(one.error), []).append(one)
    yield from same.values()


def _cause(error: TapctlError) -> tuple[str | None, ...]:
    if isinstance(error, AwsRefused) and error.is_bad_credentials:
        return (error.aws_code,)
    if isinstance(error, AwsRefused) and error.is_denied:
        return error.aws_code, error.iam_action
    return error.cause, error.evidence


def with_location(failed: Sequence[Failed], doing: Mapping[str, str]) -> TapctlError:
    """The error of these with what was being done, where it does not say so itself, and what to do."""
    error, addresses = failed[0].error, [one.address for one in failed]
    add_default_hint(error)
    if addresses[0] not in error.cause:
        error.evidence = "\n".join(filter(None, [error.cause, error.evidence]))
        error.cause = f"{doing[addresses[0]]} {', '.join(one.replace('/', ' ', 1) for one in addresses)}"
    if error.hint is None:
        error.hint = "remove the cause, then run the same command again: it continues from here"
    error.retry_safe = True  # as its state says: whatever it was, the same command goes on from there
    return error


@contextmanager
def _stopped_by_signals(stop: threading.Event, outcome: ExecutionResult) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks to stop; a second one ends at once, and the record is still right."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def asked(number: int, _frame: FrameType | None) -> None:
        outcome.signal = number
        stop.set()
        for one in numbers:
            # The operating system ends us then, whatever Python is waiting for.
            signal.signal(one, signal.SIG_DFL)

    before: list[Callable[[int, FrameType | None], Any] | int | None] = [signal.signal(one, asked) for one in numbers]
    try:
        yield
    finally:
        for one, handler in zip(numbers, before, strict=True):
            signal.signal(one, handler)
