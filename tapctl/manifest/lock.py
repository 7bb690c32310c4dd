"""Which run of which CI this is, so that whoever waits for it finds it."""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.clock import Clock
from tapctl.errors import LockHeld
from tapctl.manifest.manifest import now

# Each documented by its maker as the address of the run.
_ADDRESSES = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")
# Each documented as what tells this run from every other.
_IDS = ("CODEBUILD_BUILD_ID", "BITBUCKET_BUILD_NUMBER", "BUILD_BUILDID")


def ci_run(environ: Mapping[str, str]) -> str:
    """The CI run that these variables describe, as an address where there is one; empty outside of a CI.

    GitHub Actions, GitLab, Jenkins, CircleCI, Buildkite; CodeBuild, Bitbucket and Azure Pipelines by their run's id.
    """
    run = environ.get("GITHUB_RUN_ID")
    if run:
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        return f"{server}/{repository}/actions/runs/{run}" if server and repository else f"GITHUB_RUN_ID {run}"
    for name in _ADDRESSES:
        if environ.get(name):
            return environ[name]
    return next((f"{name} {environ[name]}" for name in _IDS if environ.get(name)), "")


HEARTBEAT_S = 30.0
"""Somebody who waits is told for whom at least this often."""


class LockWait:
    """One who waits, up to ``wait_s`` seconds from now on."""

    def __init__(self, wait_s: float, clock: Clock, tell: Notify) -> None:
        self._wait_s, self._clock, self._tell = wait_s, clock, tell
        self._began = clock.now()
        self._for, self._told_at = "", -math.inf

    @property
    def over(self) -> bool:
        """The time is over."""
        return self._left_s() <= 0

    def pause(self, lock: LockInfo | None, longest_s: float) -> None:
        """Tell for whom we wait (at first, when it is another, and from time to time), and wait a while."""
        who, left = str(lock or "somebody who has left no name"), self._left_s()
        waited = self._wait_s - left
        if who != self._for or waited - self._told_at >= HEARTBEAT_S:
            self._for, self._told_at = who, waited
            self._tell(f"waiting for the lock, {waited:.0f} s of {self._wait_s:.0f} s: {who}")
        self._clock.wait(min(longest_s, max(left, 0)), threading.Event())

    def _left_s(self) -> float:
        return self._began + self._wait_s - self._clock.now()


Notify = Callable[[str], None]
"""Shows the user one sentence."""


def silent(_: str) -> None:
    """Nobody is there to be told."""


class LockHolder(BaseModel):
    """Who changes an environment right now; shown to everybody who has to wait."""

    model_config = ConfigDict(frozen=True)

    who: str
    host: str
    pid: int
    command: str
    since: str
    """UTC, ISO 8601, by the holder's own clock: shown, never reckoned with."""
    ci: str = ""
    """The CI run, see `ci_run`."""

    @classmethod
    def here(cls, who: str, command: str, environ: Mapping[str, str]) -> LockHolder:
        """This process, from now on."""
        return cls(
            who=who, host=socket.gethostname(), pid=os.getpid(), command=command, since=now(), ci=ci_run(environ)
        )

    def __str__(self) -> str:
        run = f", {self.ci}" if self.ci else ""
        return f"{self.who} on {self.host} (pid {self.pid}{run}) runs {self.command} since {self.since}"


class LockInfo(BaseModel):
    """What a lock says of itself; each time one is taken it has another id."""

    model_config = ConfigDict(frozen=True)

    id: str
    holder: LockHolder
    phase: str = ""
    """What its holder is doing now."""
    lease_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Seconds after which it is anybody's if it was not renewed; None: it has no lease, and is never taken over."""
    beat: int = 0
    """Grows with every renewal, so that each one is another text and has another ETag."""

    def __str__(self) -> str:
        return f"{self.holder}, {self.phase}" if self.phase else str(self.holder)

    def encode(self) -> bytes:
        """What is stored."""
        return self.model_dump_json().encode()

    @classmethod
    def parse(cls, content: bytes) -> LockInfo | None:
        """The lock that this text describes; None for what is cut off or written by somebody else."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None


class Lease(Protocol):
    """The right to change one environment, for as long as it is held."""

    @property
    def id(self) -> str:
        """What tells this lease from every other one."""

    def ensure_held(self) -> None:
        """Make sure that it is still ours; asked before every changing call, from any thread.

        Raises:
            LockHeld: it was taken away.
            NotYet: for now nobody can tell; it is not to be used before that is known.
        """

    def assert_valid(self) -> None:
        """As `check`, but asks nobody: right before each sending of a changing call, the SDK's repetitions among them.

        Raises as `check`.
        """

    def set_phase(self, phase: str) -> None:
        """Say what is being done from now on, to whoever waits."""


def lock_held_error(where: str, lock: LockInfo | None, hint: str) -> LockHeld:
    """Somebody else is at work: who, and since when."""
    who = str(lock) if lock else "its holder has left no name"
    return LockHeld("somebody else is changing this environment", evidence=f"{where}: {who}", hint=hint)


def lock_lost_error(where: str, lock: LockInfo | None) -> LockHeld:
    """A lock that was ours is not any more."""
    return LockHeld(
        f"the lock {where} was taken away from this run",
        evidence=str(lock) if lock else "it is not there any more",
        hint="make sure that nobody else is at work, then run the same command again",
    )
