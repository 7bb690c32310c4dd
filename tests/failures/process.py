"""tapctl as a process of its own, at a gate in this one: what happens to it can be timed to the call."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.failures.gate import Gate, Proceed, Served, Visit
from tests.failures.scene import Scene

WITHIN_S = 5.0
"""How long a stopped command may take to leave; on a machine that is busy with other tests."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, and how long that took since it was told to."""

    code: int
    out: str
    err: str
    took_s: float


class Running:
    """A process that was started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told_at = time.monotonic()

    def tell(self, number: int) -> None:
        """Send this signal."""
        self.told_at = time.monotonic()
        self.process.send_signal(number)

    def has_heard(self) -> None:
        """Wait until it has heard the first SIGINT: the second one is the operating system's then (Linux tells)."""
        bit = 1 << (signal.SIGINT - 1)
        while bit & int(_line(f"/proc/{self.process.pid}/status", "SigCgt:"), 16):
            time.sleep(0.01)

    def end(self, timeout_s: float = 60) -> Ended:
        """Wait until it has ended."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Ended(self.process.returncode, out, err, time.monotonic() - self.told_at)


def _line(path: str, name: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 -- a file of the kernel's
        return next(line.removeprefix(name).strip() for line in file if line.startswith(name))


@contextmanager
def started(scene: Scene, *arguments: str) -> Iterator[Running]:
    """This command as a process; it does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tapctl", *arguments],
        cwd=scene.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            process.kill()


class Hold:
    """Holds one request at the gate: ``arrived`` once it is there, until ``release``."""

    def __init__(self, gate: Gate, name: str = "", *, nth_change: int = 0, after: bool = False) -> None:
        self.name, self.nth_change, self.after = name, nth_change, after
        self.came, self.free = threading.Event(), threading.Event()
        gate.open()
        gate.trouble = self

    def __call__(self, visit: Visit, proceed: Proceed) -> Served:
        if self.came.is_set() or (visit.name != self.name and visit.nth_change != (self.nth_change or -1)):
            return proceed()
        served = proceed() if self.after else None
        self.came.set()
        self.free.wait(30)
        return served or proceed()

    def arrived(self) -> None:
        """Wait until it is there."""
        assert self.came.wait(30), "the request never came"

    def release(self) -> None:
        """Let it go on."""
        self.free.set()
