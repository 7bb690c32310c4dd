"""Commands as processes of their own: how long they take, and how much memory; and limits, kept or broken."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WEIGH = Path(__file__).parent / "weigh.py"
TAPCTL = (sys.executable, "-m", "tapctl")


@dataclass(frozen=True)
class Ran:
    """A command that ended well."""

    took_s: float
    peak_mb: float
    out: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Parse its stdout as JSON Lines; the last one is the verdict."""
        return [json.loads(line) for line in self.out.splitlines()]


def ran(command: Sequence[str]) -> Ran:
    """Run this command; one that fails ends the bench."""
    with tempfile.NamedTemporaryFile() as told:
        done = subprocess.run(
            [sys.executable, str(WEIGH), told.name, *command], capture_output=True, text=True, check=True
        )
        weighed = json.loads(Path(told.name).read_text())
    if weighed["code"] != 0:
        sys.exit(f"{' '.join(command)} ended with {weighed['code']}\n{done.stdout}{done.stderr}")
    return Ran(weighed["took_s"], weighed["peak_mb"], done.stdout)


def beyond(command: Sequence[str], base: Sequence[str], rounds: int) -> tuple[float, Ran]:
    """By how many seconds a command takes longer than another: the median of rounds in which one follows the other."""
    taken, last = [], None
    for _ in range(rounds):
        bare = ran(base).took_s
        last = ran(command)
        taken.append(last.took_s - bare)
    assert last is not None
    return statistics.median(taken), last


def times(command: Sequence[str], base: Sequence[str], rounds: int) -> float:
    """Measure how many times as long as another a command takes: the median, as above."""
    return statistics.median(ran(command).took_s / ran(base).took_s for _ in range(rounds))


@dataclass
class Report:
    """The lines that are printed, and the limits that were broken."""

    broken: list[str] = field(default_factory=list)
    about: str = ""

    def begin(self, about: str, more: str = "") -> None:
        """Begin a part of the report under this title."""
        self.about = about
        self.say(f"{about}{more}")

    def say(self, text: str) -> None:
        """Add a line."""
        print(text, flush=True)

    def limit(self, name: str, value: float, most: float, unit: str) -> None:
        """A value and what it may be at most; ``unit`` with a space where it wants one."""
        kept = value <= most
        shown = f"{value:.2f}" if isinstance(value, float) else str(value)
        self.say(f"  {'ok ' if kept else 'NOT'} {name:<58} {shown:>7}{unit} (at most {most:g}{unit})")
        if not kept:
            self.broken.append(f"{self.about}: {name}")
