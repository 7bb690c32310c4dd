"""Where an execution stands, as its events tell: what every view of its progress is drawn from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Released, Result, Skipped, Started
from tapctl.render.terminal import OutputStream, crop, duration, one_line, pad, running_time, widest

_STATUS_WIDTH: Final = 10
_ELAPSED_WIDTH: Final = 6
_OTHER_COLUMNS: Final = len("  …   ") + _STATUS_WIDTH + _ELAPSED_WIDTH + len("      ") + len("usual 3:05")


@dataclass
class Running:
    """One resource that is being worked on. Times are seconds on the view's clock."""

    began: float
    status: str = ""
    awaiting: str = ""
    usual_s: float = 0


class ProgressTracker:
    """Takes events, and knows what runs, what waits and what has ended."""

    def __init__(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]], now: float) -> None:
        self.addresses = tuple(addresses)
        self.needs = needs
        self.began = now
        self.running: dict[str, Running] = {}
        self.finished: set[str] = set()
        self.ended: set[str] = set()
        self.skipped: list[Skipped] = []
        parts = [_parts(one) for one in self.addresses]
        self.type_width = widest(type_ for type_, _ in parts)
        self.id_width = widest(id_ for _, id_ in parts)

    def apply(self, event: Event, now: float) -> bool:
        """Take one event; whether what runs is now in another state."""
        if isinstance(event, Progress):
            return self._progress(event, now)
        if isinstance(event, Started):
            self.running[event.address] = Running(now)
        elif not isinstance(event, Released):
            self.running.pop(event.address, None)
            self.ended.add(event.address)
            if isinstance(event, Finished):
                self.finished.add(event.address)
            elif isinstance(event, Skipped):
                self.skipped.append(event)
        return False

    def waiting(self) -> list[str]:
        """What was not begun yet, in order."""
        return [one for one in self.addresses if one not in self.running and one not in self.ended]

    def count(self, now: float) -> str:
        """How far it is: ``14/23   elapsed 2:14``."""
        return f"{len(self.finished)}/{len(self.addresses)}   elapsed {running_time(now - self.began)}"

    def running_row(self, address: str, now: float, width: int | None = None) -> str:
        """One line on what runs."""
        one = self.running[address]
        usual = f"usual {running_time(one.usual_s)}" if one.usual_s else ""
        rest = "   ".join(part for part in (usual, one_line(one.awaiting)) if part)
        return self._row("…", address, one.status, running_time(now - one.began), rest, width=width)

    def waiting_row(self, address: str, width: int) -> str:
        """One line on what was not begun, and on what it waits for."""
        needs = [_parts(one)[1] for one in self.needs.get(address, ()) if one not in self.finished]
        awaited = f"waits for {', '.join(sorted(needs))}" if needs else ""
        return self._row(" ", address, awaited, "", "", width=width)

    def ended_row(self, event: Finished | Failed | Detached) -> str:
        """One line on how it ended."""
        if isinstance(event, Finished):
            symbol = "…" if event.result is Result.SKIPPED else "✓"
            return self._row(symbol, event.address, event.result, duration(event.elapsed_s), one_line(event.remark))
        if isinstance(event, Failed):
            return self._row("✗", event.address, "failed", duration(event.elapsed_s), one_line(event.error.cause))
        rest = "left; AWS goes on with what it has accepted"
        return self._row("…", event.address, event.status, "", rest)

    def skipped_line(self) -> str:
        """One line on what was never begun."""
        causes = sorted({cause for one in self.skipped for cause in one.causes})
        why = f"waiting for what failed: {', '.join(map(one_line, causes))}" if causes else "we were asked to stop"
        return f"  {len(self.skipped)} not tried; {why}"

    def _progress(self, event: Progress, now: float) -> bool:
        one = self.running.setdefault(event.address, Running(now - event.elapsed_s))
        changed = (one.status, one.awaiting) != (event.status, event.awaiting)
        one.status, one.awaiting, one.usual_s = event.status, event.awaiting, event.usual_s
        return changed

    def _row(self, symbol: str, address: str, *texts: str, width: int | None = None) -> str:
        status, elapsed, rest = texts
        type_, id_ = _parts(address)
        columns = (pad(id_, self.id_width), pad(one_line(status), _STATUS_WIDTH), pad(elapsed, _ELAPSED_WIDTH), rest)
        tail = "  ".join(columns).rstrip()
        row = f"  {symbol} {pad(type_, self.type_width)}  {tail}"
        if width is None:
            return row
        # On a narrow terminal the type is the first to go, in all rows: the id nearly always says it too.
        return crop(row if self.type_width + self.id_width + _OTHER_COLUMNS <= width else f"  {symbol} {tail}", width)


def _parts(address: str) -> tuple[str, str]:
    type_, _, id_ = one_line(address).partition("/")
    return type_, id_


class ProgressView(Protocol):
    """Shows an execution as it goes. ``end`` may be called at any time, more than once."""

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Work on these begins."""

    def event(self, event: Event) -> None:
        """One event."""

    def say(self, line: str) -> None:
        """A line of its own, clear of what is being drawn."""

    def end(self) -> None:
        """No more events: leave the terminal as it should be."""


class QuietProgress:
    """Shows no progress; what has to be said is said."""

    def __init__(self, err: OutputStream) -> None:
        self.err = err

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Nothing to show."""

    def event(self, event: Event) -> None:
        """Nothing to show."""

    def say(self, line: str) -> None:
        """A line on stderr."""
        self.err.lines(line)

    def end(self) -> None:
        """Nothing to end."""


HEARTBEAT_S: Final = 30.0
"""So long nothing is said before the log is told what is still awaited; CI systems end what is silent."""
_LATE: Final = 0.01
"""Where nothing runs that could be told: after this part of the heartbeat it is looked again."""


class LinesView:
    """Writes lines that a log can keep. A thread of its own gives the sign of life: a call may hang for a minute."""

    def __init__(
        self, err: OutputStream, *, clock: Callable[[], float] = time.monotonic, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self.err = err
        self.clock = clock
        self.heartbeat_s = heartbeat_s
        self.tracker: ProgressTracker | None = None
        self.told = 0.0
        self._over = threading.Event()
        self._turn = threading.RLock()

    def begin(self, addresses: Sequence[str], needs: Mapping[str, Collection[str]]) -> None:
        """Remember what there is to do."""
        with self._turn:
            self.told = self.clock()
            self.tracker = ProgressTracker(addresses, needs, self.told)
            self._over = threading.Event()
        threading.Thread(target=self._live, args=(self._over,), daemon=True).start()

    def event(self, event: Event) -> None:
        """Tell a change, and an end."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            assert tracker is not None
            changed = tracker.apply(event, now)
            if isinstance(event, Finished | Failed | Detached):
                self.say(tracker.ended_row(event))
            elif changed:
                self.say(tracker.running_row(event.address, now))

    def beat(self) -> None:
        """Tell what is awaited, where nothing was told for long."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            if tracker is None or not tracker.running or now - self.told < self.heartbeat_s:
                return
            self.say(f"  still waiting, {tracker.count(now)}:")
            for one in tracker.running:
                self.say(tracker.running_row(one, now))

    def say(self, line: str) -> None:
        """A line on stderr; it counts as a sign of life."""
        with self._turn:
            self.told = self.clock()
            self.err.lines(line)

    def end(self) -> None:
        """Tell what was never begun."""
        self._over.set()
        with self._turn:
            if self.tracker is not None and self.tracker.skipped:
                self.say(self.tracker.skipped_line())
            self.tracker = None

    def _live(self, over: threading.Event) -> None:
        while not over.wait(max(self.told + self.heartbeat_s - self.clock(), self.heartbeat_s * _LATE)):
            self.beat()
