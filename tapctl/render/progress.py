"""The progress of an execution: a tracker of its events, and the views that write lines or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from tapctl.engine.events import Detached, Event, Failed, Finished, Progress, Released, Result, Skipped, Started
from tapctl.render.terminal import OutputStream, cells, crop, duration, one_line, pad, running_time, widest

_STATUS_WIDTH: Final = 10
_ELAPSED_WIDTH: Final = 6
_STATUS_AND_ELAPSED: Final = len("  …   ") + _STATUS_WIDTH + _ELAPSED_WIDTH + len("  ")
_OTHER_COLUMNS: Final = _STATUS_AND_ELAPSED + len("  usual 3:05")
_NAME_WIDTH: Final = 28
"""Cells for type and id that are kept on a narrow terminal, at the cost of what is usual."""


HEARTBEAT_S: Final = 30.0
"""Seconds of silence after which a log gets the resources still awaited; CI systems end what is silent."""
_LATE: Final = 0.01
"""The part of the heartbeat after which to look again, where nothing runs that could be shown."""


# -- the tracker -------------------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A resource that is being worked on. Times are seconds on the view's clock."""

    began: float
    status: str = ""
    awaiting: str = ""
    usual_s: float = 0


class ProgressTracker:
    """The resources that run, wait and have ended, by the events so far; each as one line."""

    def __init__(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]],
        now: float,
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.addresses = tuple(addresses)
        self.needs = needs
        self.to_end_s = to_end_s
        self.began = now
        self.running: dict[str, Running] = {}
        self.finished: set[str] = set()
        self.ended: set[str] = set()
        self.skipped: list[Skipped] = []
        parts = [_parts(address) for address in self.addresses]
        self.type_width = widest(type_ for type_, _ in parts)
        self.id_width = widest(id_ for _, id_ in parts)

    def apply(self, event: Event, now: float) -> bool:
        """Take in one event; True if it shows a running resource in another state."""
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
        """The addresses not begun yet, in order."""
        return [address for address in self.addresses if address not in self.running and address not in self.ended]

    def count(self, now: float) -> str:
        """The resources done, of all, and the time: ``14/23   elapsed 2:14``."""
        return f"{len(self.finished)}/{len(self.addresses)}   elapsed {running_time(now - self.began)}"

    def is_late(self, address: str, now: float) -> bool:
        """True if a resource runs for longer than is usual."""
        running = self.running[address]
        return 0 < running.usual_s < now - running.began

    def remaining(self, now: float) -> str:
        """The time that is left, by what is usual for what runs and what waits for it: ``about 0:54 more``."""
        left = max((self._left_s(address, now) for address in self.running), default=0)
        return f"about {running_time(left)} more" if left >= 1 else ""

    def _left_s(self, address: str, now: float) -> float:
        running = self.running[address]
        own = max(0.0, running.usual_s - (now - running.began))
        return own + max(0.0, self.to_end_s.get(address, 0.0) - running.usual_s)

    def running_line(self, address: str, now: float, width: int | None = None) -> str:
        """The line of a resource that runs, in at most ``width`` cells."""
        running = self.running[address]
        passed = ", passed" if self.is_late(address, now) else ""
        usual = f"usual {running_time(running.usual_s)}{passed}" if running.usual_s else ""
        rest = "   ".join(part for part in (usual, one_line(running.awaiting)) if part)
        return self._line("…", address, running.status, running_time(now - running.began), rest, width=width)

    def waiting_line(self, address: str, width: int) -> str:
        """The line of a resource not begun, with what it waits for, in at most ``width`` cells."""
        needs = [self._need(need, address) for need in self.needs.get(address, ()) if need not in self.finished]
        awaited = f"waits for {', '.join(sorted(needs))}" if needs else ""
        return self._line(" ", address, awaited, "", "", width=width)

    def ended_row(self, event: Finished | Failed | Detached) -> tuple[str, str]:
        """The symbol of how a resource ended, and the text after the symbol."""
        if isinstance(event, Finished):
            symbol, status, rest = "…" if event.result is Result.SKIPPED else "✓", event.result.value, event.remark
        elif isinstance(event, Failed):
            symbol, status, rest = "✗", "failed", event.error.cause
        else:
            symbol, status, rest = "…", event.status, "left; AWS goes on with what it has accepted"
        elapsed = "" if isinstance(event, Detached) else duration(event.elapsed_s)
        return symbol, self._text(event.address, status, elapsed, one_line(rest))

    def skipped_line(self) -> str:
        """The line that counts the resources never begun."""
        causes = sorted({cause for event in self.skipped for cause in event.causes})
        why = f"waiting for what failed: {', '.join(map(one_line, causes))}" if causes else "we were asked to stop"
        return f"  {len(self.skipped)} not tried; {why}"

    def _progress(self, event: Progress, now: float) -> bool:
        running = self.running.setdefault(event.address, Running(now - event.elapsed_s))
        changed = (running.status, running.awaiting) != (event.status, event.awaiting)
        running.status, running.awaiting, running.usual_s = event.status, event.awaiting, event.usual_s
        return changed

    def _need(self, need: str, address: str) -> str:
        """The id of what is waited for; the whole address where the one that waits bears the same id."""
        _, id_ = _parts(need)
        return one_line(need) if id_ == _parts(address)[1] else id_

    def _line(self, symbol: str, address: str, *columns: str, width: int | None) -> str:
        line = f"  {symbol} {self._text(address, *columns, width=width)}"
        return line if width is None else crop(line, width)

    def _text(self, address: str, status: str, elapsed: str, rest: str, *, width: int | None = None) -> str:
        """The columns after the symbol. On a narrow terminal, in all rows, the end of a long id is cut: no type is."""
        type_, id_ = _parts(address)
        name = f"{pad(type_, self.type_width)}  {pad(id_, self.id_width)}"
        if width is not None and cells(name) + _OTHER_COLUMNS > width:
            room = max(width - _OTHER_COLUMNS, min(_NAME_WIDTH, width - _STATUS_AND_ELAPSED))
            name = pad(crop(f"{type_} {id_}", room), room)
        return "  ".join([name, pad(one_line(status), _STATUS_WIDTH), pad(elapsed, _ELAPSED_WIDTH), rest]).rstrip()


def _parts(address: str) -> tuple[str, str]:
    type_, _, id_ = address.partition("/")
    return one_line(type_), one_line(id_)


# -- the views ---------------------------------------------------------------------------------------------------------


class ProgressView(Protocol):
    """A view of an execution as it goes. ``end`` may be called at any time, more than once."""

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]],
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Begin to show work on these resources."""

    def event(self, event: Event) -> None:
        """Show one event."""

    def say(self, line: str) -> None:
        """Write a line of its own, clear of what is being drawn."""

    def end(self) -> None:
        """End the view: leave the terminal as it should be."""


class QuietProgress:
    """A view that shows no progress; lines of their own are written."""

    def __init__(self, err: OutputStream) -> None:
        self.err = err

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]],
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Show nothing."""

    def event(self, event: Event) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Write a line on stderr."""
        self.err.lines(line)

    def end(self) -> None:
        """End nothing."""


class LinesView:
    """A view that writes lines for a log. A thread of its own gives the sign of life: a call may hang for a minute."""

    def __init__(
        self, err: OutputStream, *, clock: Callable[[], float] = time.monotonic, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self.err = err
        self.clock = clock
        self.heartbeat_s = heartbeat_s
        self.tracker: ProgressTracker | None = None
        self.last_said = 0.0
        self._over = threading.Event()
        self._turn = threading.RLock()

    def begin(
        self,
        addresses: Sequence[str],
        needs: Mapping[str, Collection[str]],
        to_end_s: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Track these resources, and start the sign of life."""
        with self._turn:
            self.last_said = self.clock()
            self.tracker = ProgressTracker(addresses, needs, self.last_said, to_end_s)
            self._over = threading.Event()
        threading.Thread(target=self._give_signs_of_life, args=(self._over,), daemon=True).start()

    def event(self, event: Event) -> None:
        """Write a line where a resource changes its state, and where it ends."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            assert tracker is not None
            changed = tracker.apply(event, now)
            if isinstance(event, Finished | Failed | Detached):
                symbol, text = tracker.ended_row(event)
                self.say(f"  {symbol} {text}")
            elif changed:
                self.say(tracker.running_line(event.address, now))

    def beat(self) -> None:
        """Write what is still awaited, after a long silence."""
        with self._turn:
            tracker, now = self.tracker, self.clock()
            if tracker is None or not tracker.running or now - self.last_said < self.heartbeat_s:
                return
            self.say(f"  still waiting, {'   '.join(filter(None, (tracker.count(now), tracker.remaining(now))))}:")
            for address in tracker.running:
                self.say(tracker.running_line(address, now))

    def say(self, line: str) -> None:
        """Write a line on stderr; it counts as a sign of life."""
        with self._turn:
            self.last_said = self.clock()
            self.err.lines(line)

    def end(self) -> None:
        """End the sign of life, and count what was never begun."""
        self._over.set()
        with self._turn:
            if self.tracker is not None and self.tracker.skipped:
                self.say(self.tracker.skipped_line())
            self.tracker = None

    def _give_signs_of_life(self, over: threading.Event) -> None:
        while not over.wait(max(self.last_said + self.heartbeat_s - self.clock(), self.heartbeat_s * _LATE)):
            self.beat()
