"""One picture of the live view, as plain lines: never wider nor higher than the terminal."""

from __future__ import annotations

from typing import Final

from tapctl.render.tables import crop
from tapctl.render.tracker import ProgressTracker

_BAR: Final = 20


def live_frame(tracker: ProgressTracker, now: float, *, width: int, height: int) -> list[tuple[str, str]]:
    """What runs, what waits as far as there is room, and a bar; each line with its style."""
    # One line stays free: a terminal scrolls when its last one is written.
    room = max(0, height - 2)
    running = [("", tracker.running_row(one, now, width)) for one in tracker.running]
    shown = _within(running, room, "more at work", width)
    waiting = [("dim", tracker.waiting_row(one, width)) for one in tracker.waiting()]
    shown += _within(waiting, room - len(shown), "more to come", width)
    return [*shown, ("", progress_bar(tracker, now, width))]


def progress_bar(tracker: ProgressTracker, now: float, width: int) -> str:
    """``[████████████░░░░░░░░] 14/23   elapsed 2:14``."""
    count = tracker.count(now)
    cells = max(0, min(_BAR, width - len(count) - 5))
    filled = cells * len(tracker.finished) // max(1, len(tracker.addresses))
    drawn = f"[{'█' * filled}{'░' * (cells - filled)}] " if cells else ""
    return crop(f"  {drawn}{count}", width)


def _within(rows: list[tuple[str, str]], room: int, rest: str, width: int) -> list[tuple[str, str]]:
    if len(rows) <= room:
        return rows
    if room <= 0:
        return []
    return [*rows[: room - 1], ("dim", crop(f"    and {len(rows) - room + 1} {rest}", width))]
