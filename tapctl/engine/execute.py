"""Walking many resources at once: a topological order, one thread per started resource, one inbox, no barrier."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Final, Literal

from tapctl.engine.events import Detached, Ending, Event, Failed, Finished, Progress, Released, Skipped, Started
from tapctl.engine.polling import Cancelled, Emit
from tapctl.engine.resources import Node
from tapctl.errors import TapctlError

LEAVE_WITHIN_S: Final = 5.0
_TICK_S: Final = 0.2

Work = Callable[[str, Emit], Ending]
"""Bring the resource at this address there, or take it away; tells progress, returns how it ended."""

_GraphNode = tuple[str, Literal["known", "settled"]]


def execute(
    steps: Iterable[Node], work: Work, stop: threading.Event, *, leave_within_s: float = LEAVE_WITHIN_S
) -> Iterator[Event]:
    """Do the work of all steps, each as soon as what it needs is known and settled.

    A failed step is never marked done, so what needs it never starts. Once ``stop`` is set nothing new starts, and
    what runs has ``leave_within_s`` seconds to leave.
    """
    return _Execution({step.address: step for step in steps}, work, stop, leave_within_s).run()


class _Execution:
    def __init__(self, steps: Mapping[str, Node], work: Work, stop: threading.Event, leave_within_s: float) -> None:
        self.steps, self.work, self.stop, self.leave_within_s = steps, work, stop, leave_within_s
        self.order: TopologicalSorter[_GraphNode] = TopologicalSorter()
        for here, step in steps.items():
            needed: list[_GraphNode] = [(need, "known") for need in step.after_outputs]
            needed += [(need, "settled") for need in step.after_settled]
            self.order.add((here, "known"), *needed)
            self.order.add((here, "settled"), (here, "known"))
        self.order.prepare()
        self.inbox: queue.Queue[Event] = queue.Queue()
        self.began: dict[str, float] = {}
        self.running: set[str] = set()
        self.told: set[_GraphNode] = set()
        self.ready: set[_GraphNode] = set()
        self.failed: list[str] = []
        self.last: dict[str, Progress] = {}

    def run(self) -> Iterator[Event]:
        yield from self.start()
        stopped_at: float | None = None
        while self.running:
            if self.stop.is_set() and stopped_at is None:
                stopped_at = time.monotonic()
            if stopped_at is not None and time.monotonic() - stopped_at > self.leave_within_s:
                break
            try:
                event = self.inbox.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            yield event
            self.on_event(event)
            yield from self.start()
        for here in sorted(self.running):
            yield self.detached(here)
        for here in self.steps:
            if here not in self.began:
                yield Skipped(here, self.causes(here))

    def on_event(self, event: Event) -> None:
        here = event.address
        if isinstance(event, Released):
            self.mark(here, "known")
        elif not isinstance(event, Progress):
            self.running.discard(here)
            if isinstance(event, Finished):
                self.mark(here, "known")
                self.mark(here, "settled")
            elif isinstance(event, Failed):
                self.failed.append(here)

    def mark(self, here: str, stage: Literal["known", "settled"]) -> None:
        node: _GraphNode = (here, stage)
        if node in self.told:
            return
        self.told.add(node)
        self.advance()

    def advance(self) -> None:
        """Mark done what has been told and is ready; that makes more ready."""
        while True:
            self.ready.update(self.order.get_ready())
            done = self.ready & self.told
            if not done:
                return
            self.ready -= done
            self.order.done(*done)

    def start(self) -> Iterator[Event]:
        self.advance()
        for here, stage in sorted(self.ready):
            # Asked each time: whoever takes the events may have been told to stop meanwhile.
            if stage == "known" and here not in self.began and not self.stop.is_set():
                self.began[here] = time.monotonic()
                self.running.add(here)
                yield Started(here)
                threading.Thread(target=self.run_one, args=(here,), name=here, daemon=True).start()

    def run_one(self, here: str) -> None:
        """The thread of one resource: every way it can end is one event in the inbox."""

        def emit(event: Released | Progress) -> None:
            if isinstance(event, Progress):
                self.last[here] = event
            self.inbox.put(event)

        try:
            end = self.work(here, emit)
            self.inbox.put(_finished(here, end, self.elapsed(here)))
        except Cancelled:
            self.inbox.put(self.detached(here))
        except TapctlError as error:
            self.inbox.put(self.failure(here, error))
        except BaseException as error:  # noqa: BLE001 -- a bug ends its own resource only; a thread that dies is waited for
            bug = TapctlError(
                f"unexpected {type(error).__name__} while working on {here}: this is a bug of tapctl",
                evidence=_where(error),
                hint="the manifest is right; report this, then run the same command again",
            )
            self.inbox.put(self.failure(here, bug))

    def detached(self, here: str) -> Detached:
        last = self.last.get(here)
        return Detached(here, last.status, last.at_work) if last else Detached(here, "")

    def failure(self, here: str, error: TapctlError) -> Failed:
        last = self.last.get(here)
        at_work = last is not None and last.at_work
        return Failed(here, error, self.elapsed(here), last.status if last else "", at_work)

    def elapsed(self, here: str) -> float:
        return time.monotonic() - self.began[here]

    def causes(self, here: str) -> tuple[str, ...]:
        """The failed steps that this one waited for, near or far."""
        waits, seen = [here], {here}
        while waits:
            step = self.steps[waits.pop()]
            new = (step.after_outputs | step.after_settled) - seen
            seen |= new
            waits += new
        return tuple(one for one in self.failed if one in seen)


def _finished(here: str, end: Ending, elapsed_s: float) -> Finished:
    return Finished(
        here,
        end.result,
        elapsed_s,
        end.retained,
        unreadable=end.unreadable,
        subresources=end.subresources,
        left_behind=end.left_behind,
    )


def _where(error: BaseException) -> str:
    """Where it happened, by file and line; never the message, which may hold what must not be shown."""
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " > ".join(places[-4:])
