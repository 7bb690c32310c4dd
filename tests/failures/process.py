"""tapctl as a process of its own, in front of a door in this one: a test acts on it at an exact call.

No test measures time. A command that leaves although a request is held has not waited for it: a `Hold` ends with its
test, and whoever waits longer than `MINUTES` has met a deadlock.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.support.door import Door, Proceed, Served, Visit
from tests.support.world import World

MINUTES = 300.0
"""Seconds after which a wait has failed, on however busy a machine."""
ASKED_FOR_S = 60.0
"""Seconds within which a stopped command has left: less than the SDK's patience with a held request, 80 s."""


@dataclass(frozen=True)
class Ended:
    """Exit code and streams of a process."""

    code: int
    out: str
    err: str


class Running:
    """A process that was started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def tell(self, number: int) -> None:
        """Send this signal."""
        self.process.send_signal(number)

    def has_heard(self) -> None:
        """Wait until the process has heard the first SIGINT: the second one is the system's then (Linux tells)."""
        bit = 1 << (signal.SIGINT - 1)
        while bit & int(_line(f"/proc/{self.process.pid}/status", "SigCgt:"), 16):
            time.sleep(0.01)

    def end(self, timeout_s: float = MINUTES) -> Ended:
        """Wait until the process has ended."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Ended(self.process.returncode, out, err)

    def leave(self, number: int) -> Ended:
        """Send this signal; the process has to end within `ASKED_FOR_S`."""
        self.tell(number)
        return self.end(ASKED_FOR_S)


def _line(path: str, name: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 -- a file of the kernel's
        return next(line.removeprefix(name).strip() for line in file if line.startswith(name))


@contextmanager
def started(world: World, *arguments: str) -> Iterator[Running]:
    """Start this command as a process; it does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tapctl", *arguments],
        cwd=world.folder,
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


def all_arrived(url: str, before: set[threading.Thread]) -> None:
    """Wait until the server has served what processes that are dead now have sent; ``before``: threads to leave alone.

    Connections are accepted in order: once one of our own is answered, each of theirs has a thread, which ends.
    """
    address = urlsplit(url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=MINUTES)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()
    for thread in set(threading.enumerate()) - before:
        if "process_request_thread" in thread.name:
            thread.join(MINUTES)
            assert not thread.is_alive(), "a request is served for ever"


class Hold:
    """Holds one request at the door: ``arrived`` once it is there, until ``release``."""

    def __init__(self, door: Door, name: str = "", *, nth_change: int = 0, after: bool = False) -> None:
        self.name, self.nth_change, self.after = name, nth_change, after
        self.came, self.free = threading.Event(), threading.Event()
        door.reset()
        door.trouble = self

    def __call__(self, visit: Visit, proceed: Proceed) -> Served:
        if self.came.is_set() or (visit.name != self.name and visit.nth_change != (self.nth_change or -1)):
            return proceed()
        served = proceed() if self.after else None
        self.came.set()
        self.free.wait(MINUTES)
        return served or proceed()

    def arrived(self) -> None:
        """Wait until the request is there."""
        assert self.came.wait(MINUTES), "the request never came"

    def release(self) -> None:
        """Let the request go on."""
        self.free.set()
