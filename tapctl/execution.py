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

from tapctl.engine.change import Action
from tapctl.engine.clock import WallClock
from tapctl.engine.converge import Job, converge
from tapctl.engine.events import Ending, Failed, Finished, Left, Result, Skipped
from tapctl.engine.execute import Work, execute
from tapctl.engine.graph import Step
from tapctl.engine.remove import Leaving, remove
from tapctl.engine.tools import Tell, Tools
from tapctl.errors import AwsRefused, LockHeld, NotConverged, StoreFailed, TapctlError
from tapctl.failing import advise, exit_of
from tapctl.manifest.journal import Journal, restore_command
from tapctl.manifest.store import Lease
from tapctl.run import Run

_DOING: Final = {
    Action.SETTLE: "waiting for",
    Action.UPDATE: "changing",
    Action.CREATE: "creating",
    Action.REPLACE: "replacing",
    Action.DELETE: "removing",
}


@dataclass
class Outcome:
    """How an execution ended, resource by resource."""

    finished: dict[str, Finished] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    signal: int | None = None

    @property
    def complete(self) -> bool:
        """Everything ended as it should."""
        return not (self.failed or self.left or self.skipped)

    def count(self, *results: Result) -> int:
        """How many resources ended so."""
        return sum(one.result in results for one in self.finished.values())


class Runner:
    """Executes steps for one run, and keeps what the steps of one run share."""

    def __init__(self, run: Run, journal: Journal, lease: Lease) -> None:
        self.run, self.journal = run, journal
        self.outcome = Outcome()
        self.lease = lease
        self.tools = Tools(run.aws, run.owner, journal, WallClock(), lease=lease.check)
        self.doing: dict[str, str] = {}
        """What is done with each address: ``creating``, ``changing``, ``removing`` …"""
        run.aws.traffic.guard = lease.sure

    def converge(self, steps: Sequence[Step], jobs: dict[str, Job]) -> Outcome:
        """Make these resources, or change them."""
        self.doing |= {here: _DOING[job.change.action] for here, job in jobs.items()}

        def work(here: str, tell: Tell) -> Ending:
            return converge(jobs[here], self.tools, tell)

        return self._execute(steps, work)

    def remove(self, steps: Sequence[Step], leaving: dict[str, Leaving]) -> Outcome:
        """Take these resources away."""
        self.doing |= dict.fromkeys(leaving, _DOING[Action.DELETE])

        def work(here: str, tell: Tell) -> Ending:
            return remove(leaving[here], self.tools, tell)

        return self._execute(steps, work)

    def _execute(self, steps: Sequence[Step], work: Work) -> Outcome:
        screen, outcome, stop = self.run.screen, self.outcome, self.tools.stop
        told = False
        self.lease.enter("changing")
        screen.begin([step.address for step in steps], {step.address: step.known | step.settled for step in steps})
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
                        for other in event.also:
                            screen.event(other)
                            outcome.finished[other.address] = other
                    elif isinstance(event, Failed):
                        outcome.failed.append(event)
                        if isinstance(event.error, LockHeld | StoreFailed):
                            # Nobody may go on without the lock or the record: finish what runs, start nothing.
                            stop.set()
                    elif isinstance(event, Left):
                        outcome.left.append(event)
                    elif isinstance(event, Skipped):
                        outcome.skipped.append(event)
        finally:
            screen.end()
        return outcome

    # -- how it ended ------------------------------------------------------------------------------------------------

    def report(self) -> int:
        """Show each root cause, what state things are in and how to go on; returns the exit status."""
        outcome, screen = self.outcome, self.run.screen
        unsaved = any(isinstance(one.error, StoreFailed) for one in outcome.failed)
        state = self._state(unsaved=unsaved)
        for failed in _causes(outcome.failed):
            screen.error(located(failed, self.doing), state)
        if unsaved:
            self._rescue()
        stopped = ""
        if outcome.signal is not None:
            doing = ", ".join(sorted(self.run.aws.traffic.in_flight)) or "nothing"
            stopped = f"stopped by {signal.Signals(outcome.signal).name}; calls still in flight: {doing}. "
        at_work = self._at_work()
        goes_on = f"AWS is still at work on {', '.join(at_work)}. " if at_work else ""
        screen.warn(f"{stopped}{goes_on}To go on: {self.run.options.command}")
        return self._exit() if outcome.signal is None else 128 + outcome.signal

    def _at_work(self) -> list[str]:
        """What AWS goes on with although nobody waits for it any more, with AWS's own word."""
        ended: list[Left | Failed] = [*self.outcome.left, *self.outcome.failed]
        return sorted(f"{one.address} ({one.status})" for one in ended if one.at_work)

    def unsaved(self, error: StoreFailed) -> int:
        """Everything is made and the last write of the record failed: show it, save a copy; returns the exit status."""
        self.run.screen.error(error, "all changes are made; the manifest could not be written")
        self._rescue()
        return error.exit_code

    def _exit(self) -> int:
        if not self.outcome.failed:
            return 4
        errors = [one.error for one in self.outcome.failed]
        if any(isinstance(error, LockHeld) for error in errors):
            return LockHeld.exit_code
        if self.run.aws.traffic.accepted:
            return NotConverged.exit_code
        return exit_of(errors[0])

    def _state(self, *, unsaved: bool) -> str:
        outcome = self.outcome
        made = outcome.count(Result.CREATED, Result.UPDATED, Result.REPLACED)
        gone = outcome.count(Result.DELETED)
        counts = [f"{made} made or changed"] if made or not gone else []
        counts += [f"{gone} removed"] if gone else []
        counts += [f"{len(outcome.failed)} failed"]
        counts += [f"{len(outcome.left)} left while AWS is at work"] if outcome.left else []
        counts += [f"{len(outcome.skipped)} not tried"]
        lost = any(isinstance(one.error, LockHeld) for one in outcome.failed)
        record = "the manifest could not be written" if unsaved else "the manifest is up to date"
        record = "the manifest is that of whoever has the lock now" if lost else record
        return f"{', '.join(counts)}; {record}; it is safe to run the same command again"

    def _rescue(self) -> None:
        try:
            copy = self.journal.rescue(Path.cwd())
        except StoreFailed as error:
            self.run.screen.error(error)
            return
        command = restore_command(copy, self.run.store, self.run.suffix)
        self.run.screen.warn(f"the record was saved to {copy}; when there is room again put it back: {command}")


def _causes(failed: Sequence[Failed]) -> Iterator[Sequence[Failed]]:
    """Each root cause once, with all the resources it has stopped: one missing right may stop a dozen."""
    same: dict[tuple[str | None, ...], list[Failed]] = {}
    for one in failed:
        same.setdefault(_cause(one.error), []).append(one)
    yield from same.values()


def _cause(error: TapctlError) -> tuple[str | None, ...]:
    if isinstance(error, AwsRefused) and error.credentials:
        return (error.aws_code,)
    if isinstance(error, AwsRefused) and error.denied:
        return error.aws_code, error.action
    return error.cause, error.evidence


def located(failed: Sequence[Failed], doing: Mapping[str, str]) -> TapctlError:
    """The error of these with what was being done, where it does not say so itself, and what to do."""
    error, addresses = failed[0].error, [one.address for one in failed]
    advise(error)
    if addresses[0] not in error.cause:
        error.evidence = "\n".join(filter(None, [error.cause, error.evidence]))
        error.cause = f"{doing[addresses[0]]} {', '.join(one.replace('/', ' ', 1) for one in addresses)}"
    if error.hint is None:
        error.hint = "remove the cause, then run the same command again: it continues from here"
    error.retry_safe = True  # as its state says: whatever it was, the same command goes on from there
    return error


@contextmanager
def _stopped_by_signals(stop: threading.Event, outcome: Outcome) -> Iterator[None]:
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
