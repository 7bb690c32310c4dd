"""Execution of many resources at once: a topological order, one thread per started resource, one inbox, no barrier."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Final, Literal

from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Released, Skipped, Started
from tapctl.engine.polling import Cancelled, Emit
from tapctl.engine.resources import Node
from tapctl.errors import TapctlError

LEAVE_WITHIN_S: Final = 5.0
_TICK_S: Final = 0.2

Work = Callable[[str, Emit], Finished]
"""The work on the resource at one address: converge or delete it. Emits progress, returns the result."""

_Stage = Literal["known", "settled"]
_GraphNode = tuple[str, _Stage]


def execute(
    nodes: Iterable[Node], work: Work, stop: threading.Event, *, leave_within_s: float = LEAVE_WITHIN_S
) -> Iterator[Event]:
    """Do the work of all nodes, each as soon as the nodes it waits for are known or settled.

    A failed node is never marked done, so the nodes that need it never start. Once ``stop`` is set nothing new starts,
    and running work has ``leave_within_s`` seconds to leave.
    """
    return _Execution({node.address: node for node in nodes}, work, stop, leave_within_s).run()


class _Execution:
    def __init__(self, nodes: Mapping[str, Node], work: Work, stop: threading.Event, leave_within_s: float) -> None:
        self.nodes, self.work, self.stop, self.leave_within_s = nodes, work, stop, leave_within_s
        self.order: TopologicalSorter[_GraphNode] = TopologicalSorter()
        for address, node in nodes.items():
            needed: list[_GraphNode] = [(need, "known") for need in node.after_outputs]
            needed += [(need, "settled") for need in node.after_settled]
            self.order.add((address, "known"), *needed)
            self.order.add((address, "settled"), (address, "known"))
        self.order.prepare()
        self.inbox: queue.Queue[Event] = queue.Queue()
        self.started_at: dict[str, float] = {}
        self.running: set[str] = set()
        self.reached: set[_GraphNode] = set()
        """The stages that were reached, in whatever order the events came."""
        self.ready: set[_GraphNode] = set()
        """The stages whose needs are all done; those at "known" may start."""
        self.failed: list[str] = []
        self.last_progress: dict[str, Progress] = {}

    def run(self) -> Iterator[Event]:
        yield from self.start_ready()
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
            yield from self.start_ready()
        for address in sorted(self.running):
            yield self.detached(address)
        for address in self.nodes:
            if address not in self.started_at:
                yield Skipped(address, self.root_causes(address))

    def on_event(self, event: Event) -> None:
        address = event.address
        if isinstance(event, Released):
            self.mark(address, "known")
        elif not isinstance(event, Progress):
            self.running.discard(address)
            if isinstance(event, Finished):
                self.mark(address, "known")
                self.mark(address, "settled")
            elif isinstance(event, Failed):
                self.failed.append(address)

    def mark(self, address: str, stage: _Stage) -> None:
        """Mark a stage as reached; a stage that is reached again changes nothing."""
        node: _GraphNode = (address, stage)
        if node in self.reached:
            return
        self.reached.add(node)
        self.advance()

    def advance(self) -> None:
        """Tell the order which ready stages are reached; that makes more stages ready."""
        while True:
            self.ready.update(self.order.get_ready())
            done = self.ready & self.reached
            if not done:
                return
            self.ready -= done
            self.order.done(*done)

    def start_ready(self) -> Iterator[Event]:
        self.advance()
        for address, stage in sorted(self.ready):
            # Asked each time: the consumer of the events may have been told to stop meanwhile.
            if stage == "known" and address not in self.started_at and not self.stop.is_set():
                self.started_at[address] = time.monotonic()
                self.running.add(address)
                yield Started(address)
                threading.Thread(target=self.run_one, args=(address,), name=address, daemon=True).start()

    def run_one(self, address: str) -> None:
        """Run the thread of one resource: every way it can end is one event in the inbox."""

        def emit(event: Released | Progress) -> None:
            if isinstance(event, Progress):
                self.last_progress[address] = event
            self.inbox.put(event)

        try:
            self.inbox.put(self.work(address, emit))
        except Cancelled:
            self.inbox.put(self.detached(address))
        except TapctlError as error:
            self.inbox.put(self.failure(address, error))
        except BaseException as error:  # noqa: BLE001 -- a bug ends its own resource only; a thread that dies is waited for
            bug = TapctlError(
                f"unexpected {type(error).__name__} while working on {address}: this is a bug of tapctl",
                evidence=_traceback_places(error),
                hint="the manifest is right; report this, then run the same command again",
            )
            self.inbox.put(self.failure(address, bug))

    def detached(self, address: str) -> Detached:
        last = self.last_progress.get(address)
        return Detached(address, last.status, last.at_work) if last else Detached(address, "")

    def failure(self, address: str, error: TapctlError) -> Failed:
        last = self.last_progress.get(address)
        at_work = last is not None and last.at_work
        elapsed_s = time.monotonic() - self.started_at[address]
        return Failed(address, error, elapsed_s, last.status if last else "", at_work)

    def root_causes(self, address: str) -> tuple[str, ...]:
        """The failed resources that this one waited for, directly or by way of others."""
        todo, reached = [address], {address}
        while todo:
            node = self.nodes[todo.pop()]
            new = (node.after_outputs | node.after_settled) - reached
            reached |= new
            todo += new
        return tuple(failed for failed in self.failed if failed in reached)


def _traceback_places(error: BaseException) -> str:
    """The files and lines of the traceback; never the message, which may hold what must not be shown."""
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " > ".join(places[-4:])
