"""Where manifests live: what every store offers, and which one a ``--state`` names."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tapctl.errors import LockHeld, ManifestError, StoreFailed
from tapctl.manifest.lock import Lease, LockHolder, Notify, silent
from tapctl.manifest.manifest import Manifest

SUFFIX = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Stored:
    """A manifest as it was read; ``version`` is opaque, and a condition of the next write."""

    manifest: Manifest
    version: str


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
