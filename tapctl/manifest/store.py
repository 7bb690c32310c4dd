"""Where manifests live: what every store offers, and which one a ``--state`` names."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.errors import LockHeld, ManifestError, StoreFailed, UsageError
from tapctl.manifest.ci import ci_run
from tapctl.manifest.entry import Manifest, now

if TYPE_CHECKING:
    from tapctl.aws import Aws

SUFFIX = re.compile(r"[a-z][a-z0-9-]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/*")


Notify = Callable[[str], None]
"""Shows the user one sentence."""


def silent(_: str) -> None:
    """Nobody is there to be told."""


@dataclass(frozen=True)
class Stored:
    """A manifest as it was read; ``version`` is opaque, and a condition of the next write."""

    manifest: Manifest
    version: str


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


class Store(Protocol):
    """One place with one manifest for each suffix. Safe for many threads."""

    def read(self, suffix: str) -> Stored | None:
        """The manifest of this suffix; None when there is none.

        Raises:
            ManifestError: it cannot be read, or is no manifest.
        """

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Put it there, durably, if what is there is still ``expected`` (None: nothing); returns its version.

        Writing again what is there already is no conflict: it may be our own write whose answer was lost.

        Raises:
            StoreFailed: it could not be written. What was there is whole, or is already this manifest.
            LockHeld: somebody else has written meanwhile.
            ManifestError: so has somebody, and it is no manifest.
        """

    def suffixes(self) -> list[str]:
        """Every suffix that has a manifest here, sorted."""

    def lock(
        self, suffix: str, holder: LockHolder, wait_s: float = 0, tell: Notify = silent
    ) -> AbstractContextManager[Lease]:
        """The one right to change this suffix; waits for it up to ``wait_s`` seconds, and tells for whom.

        Raises:
            LockHeld: somebody else has it.
        """

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Put this beside the manifest as ``<suffix>.<name>.json``, durably; an earlier one is replaced.

        Raises:
            StoreFailed: it could not be written.
        """

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """What was put there last; None where nothing was.

        Raises:
            StoreFailed: it could not be read.
        """

    def list_history(self, suffix: str) -> list[str]:
        """Names of what is kept of this suffix, sorted: each version that was replaced, and each unlocking."""

    def read_history(self, suffix: str, name: str) -> bytes:
        """What is kept under this name of `archived`.

        Raises:
            ManifestError: it is not there any more, or cannot be read.
        """

    def location(self, suffix: str) -> str:
        """Where this suffix's manifest is, as a user would write it."""


def open_store(url: str, door: Aws | None) -> Store:
    """The store that ``--state`` names: a folder, or ``s3://bucket/prefix`` through ``door``.

    Raises:
        UsageError: it names neither.
    """
    if not _SCHEME.match(url) and url.strip() and "\0" not in url:
        from tapctl.manifest.local import LocalStore

        return LocalStore(Path(url))
    named = _S3.fullmatch(url)
    if named is None:
        raise UsageError(
            f"--state {url!r} is no place for manifests",
            hint="use a folder such as ./manifests, or s3://bucket/prefix",
        )
    if door is None:
        raise UsageError(f"--state {url} is in AWS, and this command does not go there", hint="use a local --state")
    from tapctl.manifest.bucket import Bucket
    from tapctl.manifest.s3 import S3Store

    return S3Store(Bucket(door, named[1], f"{named[2]}/".lstrip("/")))


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


def conflict_error(where: str, found: Manifest | None) -> LockHeld | StoreFailed:
    """What is there is not what we have read: nothing was written."""
    if found is None:
        return StoreFailed(
            f"the manifest {where} was removed while this run was at work",
            hint="put it back, then run the same command again",
        )
    return LockHeld(
        f"somebody else has written the manifest {where} while this run was at work",
        evidence=f"serial {found.serial}, run {found.run}, by {found.written_by} at {found.written_at}",
        hint="make sure that nobody else is at work, then run the same command again",
    )


def write_failed_error(where: str, evidence: object) -> StoreFailed:
    """The place does not take it."""
    return StoreFailed(
        f"the manifest {where} could not be written",
        evidence=str(evidence),
        hint="make that place writable, then run the same command again",
    )


def missing_error(where: str) -> ManifestError:
    """What was kept is not there any more."""
    return ManifestError(f"{where} is not there any more", hint="run the same command again: it lists them anew")
