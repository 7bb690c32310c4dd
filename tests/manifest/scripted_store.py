"""A real store whose writes go wrong, or wait, as a test has written it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tapctl.errors import StoreFailed
from tapctl.manifest.local import LocalStore
from tapctl.manifest.manifest import Manifest

Write = Callable[[], str]
Step = Callable[[Write], str]


class ScriptedStore(LocalStore):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[Step] = []
        self.tried: list[Manifest] = []

    def write(self, manifest: Manifest, expected: str | None) -> str:
        self.tried.append(manifest)
        step = self.steps.pop(0) if self.steps else work
        return step(lambda: LocalStore.write(self, manifest, expected))

    def stored(self) -> Manifest:
        stored = self.read("dev")
        assert stored is not None
        return stored.manifest

    def version(self) -> str:
        stored = self.read("dev")
        assert stored is not None
        return stored.version


def work(write: Write) -> str:
    return write()


def fail(_: Write) -> str:
    raise StoreFailed("the disk is full", evidence="ENOSPC", hint="make room")


def fail_once_written(write: Write) -> str:
    """Fail after the manifest was written: its answer is lost."""
    write()
    raise StoreFailed("no answer")


def break_with(error: BaseException) -> Step:
    def step(_: Write) -> str:
        raise error

    return step


class PausedWrite:
    """A write that starts and waits for `go_on`; then it goes on as ``step``."""

    def __init__(self, step: Step = work) -> None:
        self._step = step
        self.started = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, write: Write) -> str:
        self.started.set()
        assert self.go_on.wait(10)
        return self._step(write)
