"""The lock of an environment: who holds it, what its lease promises, and how others wait for it."""

from __future__ import annotations

import math
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.aws.callers import as_kept, ci_actor
from tapctl.clock import Clock
from tapctl.errors import LockHeld
from tapctl.manifest.manifest import now
from tapctl.notices import Notify

NOTIFY_S = 30.0
"""A waiting user is told for whom at least this often."""

# Each documented by its maker as the address of the run.
_CI_ADDRESSES = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")
# Each documented as what tells this run from every other.
_CI_IDS = ("CODEBUILD_BUILD_ID", "BITBUCKET_BUILD_NUMBER", "BUILD_BUILDID")
# Each documented as the commit: GitHub Actions, GitLab, Jenkins, CircleCI, Buildkite, CodeBuild, Bitbucket, Azure.
_CI_COMMITS = (
    *("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BUILDKITE_COMMIT"),
    *("CODEBUILD_RESOLVED_SOURCE_VERSION", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION"),
)

MAX_LEASE_S = 600
"""Longer than any lease that tapctl writes: a lock with a longer one was not written by it."""
MAX_BYTES = 16 * 1024
_RELEASED, _RELEASED_S = "released", 0.001
"""The phase and the lease of a lock that nobody holds any more, where it cannot be removed."""
NAMELESS = "somebody who has left no name"
"""The holder of a lock in which nobody's name can be read, as users are told."""
_LONGEST = 500
_Text = Annotated[str, Field(max_length=_LONGEST)]


def ci_commit(environ: Mapping[str, str]) -> str:
    """The commit that the CI has checked out, by its variables; empty where they name none."""
    commits = (environ.get(name, "") for name in _CI_COMMITS)
    return next((commit for commit in commits if re.fullmatch("[0-9a-fA-F]{7,64}", commit)), "")


class LockHolder(BaseModel):
    """The process that changes an environment right now; shown to everybody who has to wait."""

    model_config = ConfigDict(frozen=True)

    who: _Text
    host: _Text
    pid: int = Field(ge=0, le=2**31)
    command: _Text
    since: _Text
    """UTC, ISO 8601, by the holder's own clock: shown, never reckoned with."""
    ci: _Text = ""
    """The CI run, see `ci_run`."""
    machine: _Text = ""
    """The machine since its start and the space of its process ids, see `this_machine`; empty where nobody can tell."""
    commit: _Text = ""
    """The commit that the CI had checked out."""
    actor: _Text = ""
    """Whom the CI runs for."""

    @property
    def is_gone(self) -> bool:
        """True if the process has ended for certain: it ran on this machine, and its id is nobody's any more."""
        return bool(self.machine) and self.machine == this_machine() and not _is_alive(self.pid)

    @classmethod
    def here(cls, who: str, command: str, environ: Mapping[str, str]) -> LockHolder:
        """The holder that is this process, from now on."""
        return cls(
            who=as_kept(who),
            host=as_kept(socket.gethostname()),
            pid=os.getpid(),
            command=as_kept(command),
            since=now(),
            ci=ci_run(environ),
            commit=ci_commit(environ),
            actor=ci_actor(environ),
            machine=this_machine(),
        )

    def __str__(self) -> str:
        actor = f"for {self.actor}" if self.actor else ""
        run = "".join(f", {part}" for part in (self.ci, actor, self.commit[:12]) if part)
        return f"{self.who} on {self.host} (pid {self.pid}{run}) runs {self.command} since {self.since}"


def this_machine(proc: Path = Path("/proc")) -> str:
    """The machine since its start, and the space of its process ids: only in the same one a process id says anything.

    Empty where the system tells neither (only Linux does): a host's name is no proof, containers share theirs.
    """
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(proc / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_alive(pid: int) -> bool:
    """True unless the system knows no such process; a number that is no process id proves nothing."""
    try:
        os.kill(max(pid, 1), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's process
        return True
    return True


def ci_run(environ: Mapping[str, str]) -> str:
    """The CI run that these variables describe, as an address where there is one; empty outside of a CI.

    GitHub Actions, GitLab, Jenkins, CircleCI, Buildkite; CodeBuild, Bitbucket and Azure Pipelines by their run's id.
    """
    return as_kept(next(_ci_runs(environ), ""))


def _ci_runs(environ: Mapping[str, str]) -> Iterator[str]:
    if run := environ.get("GITHUB_RUN_ID"):
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        yield f"{server}/{repository}/actions/runs/{run}" if server and repository else f"GITHUB_RUN_ID {run}"
    yield from (environ[name] for name in _CI_ADDRESSES if environ.get(name))
    yield from (f"{name} {environ[name]}" for name in _CI_IDS if environ.get(name))


class LockInfo(BaseModel):
    """The content of a lock; each acquisition has another id."""

    model_config = ConfigDict(frozen=True)

    id: _Text
    holder: LockHolder
    phase: _Text = ""
    """The holder's present work, in a few words."""
    lease_s: float | None = Field(None, gt=0, le=MAX_LEASE_S, allow_inf_nan=False)
    """Seconds after which anybody may take the lock over if it was not renewed; None: no lease, never taken over."""
    renewals: int = Field(0, alias="beat", ge=0, le=2**63)
    """Grows with every renewal, so that each one is another text and has another ETag."""

    def __str__(self) -> str:
        return f"{self.holder}, {self.phase}" if self.phase else str(self.holder)

    def released(self) -> LockInfo:
        """The same lock, held by nobody any more: whoever looks may take it over, a tapctl of earlier days too."""
        return self.model_copy(update={"phase": _RELEASED, "lease_s": _RELEASED_S, "renewals": self.renewals + 1})

    @property
    def is_released(self) -> bool:
        """True if nobody holds it any more."""
        return self.phase == _RELEASED and self.lease_s == _RELEASED_S

    def encode(self) -> bytes:
        """The text that is stored."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def parse(cls, content: bytes) -> LockInfo | None:
        """Parse a stored lock; None for a text that is cut off or written by somebody else."""
        if len(content) > MAX_BYTES:
            return None
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None


class Lease(Protocol):
    """The right to change one environment, for as long as it is held."""

    @property
    def id(self) -> str:
        """The lock's id, which no other acquisition has."""

    def ensure_held(self) -> None:
        """Make sure that the lock is still ours, renewing it if need be; called before every step, from any thread.

        Raises:
            LockHeld: it was taken away.
            NotYet: nobody can tell for now; nothing may be changed before that is known.
        """

    def assert_valid(self) -> None:
        """Make sure that the lock is still ours, without a call; before each sending, the SDK's repetitions among them.

        Raises as `ensure_held`.
        """

    def set_phase(self, phase: str) -> None:
        """Show this as the holder's present work to whoever waits."""


class LockWait:
    """A wait for a lock, of up to ``wait_s`` seconds from now on."""

    def __init__(self, wait_s: float, clock: Clock, notify: Notify) -> None:
        self._wait_s, self._clock, self._notify = wait_s, clock, notify
        self._started = clock.now()
        self._last_holder, self._notified_at = "", -math.inf

    @property
    def is_over(self) -> bool:
        """True if the time is over."""
        return self._remaining_s() <= 0

    def pause(self, lock: LockInfo | None, longest_s: float) -> None:
        """Wait a while, and tell the user for whom: at first, when the holder is another, and at intervals."""
        holder, remaining_s = str(lock or NAMELESS), self._remaining_s()
        waited = self._wait_s - remaining_s
        if holder != self._last_holder or waited - self._notified_at >= NOTIFY_S:
            self._last_holder, self._notified_at = holder, waited
            self._notify(f"waiting for the lock, {waited:.0f} s of {self._wait_s:.0f} s: {holder}")
        self._clock.wait(min(longest_s, max(remaining_s, 0)), threading.Event())

    def _remaining_s(self) -> float:
        return self._started + self._wait_s - self._clock.now()


def lock_held_error(where: str, lock: LockInfo | None, hint: str) -> LockHeld:
    """The error for a lock that somebody else holds: who, and since when, where it can be read."""
    cause = "somebody else is changing this environment" if lock else "this environment is locked"
    holder = str(lock) if lock else "nobody's name can be read in it"
    return LockHeld(cause, evidence=f"{where}: {holder}", hint=hint)


def lock_lost_error(where: str, lock: LockInfo | None) -> LockHeld:
    """The error for a lock that was ours and is not any more; ``lock`` is the one that is there now."""
    return LockHeld(
        f"the lock {where} was taken away from this run",
        evidence=str(lock) if lock else "it is not there any more",
        hint="make sure that nobody else is at work, then run the same command again",
    )
