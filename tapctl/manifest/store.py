"""The interface of every store of manifests, and its errors."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tapctl.errors import LockHeld, ManifestError, StoreFailed
from tapctl.manifest.lock import Lease, LockHolder, LockInfo
from tapctl.manifest.manifest import Manifest
from tapctl.notices import Notify, silent

SUFFIX = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Stored:
    """A manifest as it was read; ``version`` is opaque, and the condition of the next write."""

    manifest: Manifest
    version: str


TRACE: Final = re.compile(r"([a-z][a-z0-9-]*)\.(?:lock|[a-z]+\.json)")
"""The names of what stays beside a manifest."""


class Store(Protocol):
    """A place with one manifest for each suffix. Safe for many threads."""

    def read(self, suffix: str) -> Stored | None:
        """Read the manifest of this suffix; None if there is none.

        Raises:
            ManifestError: it cannot be read, or is no manifest.
        """

    def write(self, manifest: Manifest, expected: str | None) -> str:
        """Write the manifest, durably, if the stored version is still ``expected`` (None: none); returns the new one.

        Writing again what is stored already is no conflict: it may be our own write whose answer was lost.

        Raises:
            StoreFailed: it could not be written. The stored one is whole, or is already this manifest.
            LockHeld: somebody else has written meanwhile.
            ManifestError: somebody else has, and it is no manifest.
        """

    def suffixes(self) -> list[str]:
        """List every suffix that has a manifest here, sorted."""

    def traces(self) -> list[str]:
        """List every suffix of which anything is kept here, sorted: a history, a lock, a file beside the manifest."""

    def lock(
        self, suffix: str, holder: LockHolder, wait_s: float = 0, notify: Notify = silent
    ) -> AbstractContextManager[Lease]:
        """Hold the one right to change this suffix; waits for it up to ``wait_s`` seconds, and notifies for whom.

        Raises:
            LockHeld: somebody else has it.
        """

    def lock_info(self, suffix: str) -> LockInfo | None:
        """Read who holds the lock of this suffix now, without taking it; None if nobody does.

        Raises:
            LockHeld: somebody holds it for certain, and has left no name.
            TapctlError: it cannot be read.
        """

    def put_sidecar(self, suffix: str, name: str, content: bytes) -> None:
        """Write ``<suffix>.<name>.json`` beside the manifest, durably; an earlier one is replaced.

        Raises:
            StoreFailed: it could not be written.
        """

    def get_sidecar(self, suffix: str, name: str) -> bytes | None:
        """Read the file that `put_sidecar` wrote last; None if there is none.

        Raises:
            StoreFailed: it could not be read, is no plain file of ours, or is too large.
        """

    def list_history(self, suffix: str, since: str = "") -> dict[str, int]:
        """List the names in this suffix's history, sorted, each with its bytes: replaced versions, and unlockings.

        ``since``: without those that come before this text.
        """

    def read_history(self, suffix: str, name: str) -> bytes:
        """Read the file of this name of `list_history`.

        Raises:
            ManifestError: it is not there any more, or cannot be read.
        """

    def restore_command(self, copy: Path, suffix: str) -> str:
        """The shell command that puts a copy in the manifest's place, if nobody else has written that meanwhile."""

    def location(self, suffix: str) -> str:
        """The path or URL of this suffix's manifest, as a user writes it."""


def conflict_error(where: str, stored: Manifest | None) -> LockHeld | StoreFailed:
    """The error for a stored manifest that is not the one read before; nothing was written."""
    if stored is None:
        return StoreFailed(
            f"the manifest {where} was removed while this run was at work",
            hint="put it back, then run the same command again",
        )
    return LockHeld(
        f"somebody else has written the manifest {where} while this run was at work",
        evidence=f"serial {stored.serial}, run {stored.run}, by {stored.written_by} at {stored.written_at}",
        hint="make sure that nobody else is at work, then run the same command again",
    )


def write_failed_error(where: str, evidence: object, hint: str | None = None) -> StoreFailed:
    """The error for a place that does not take the manifest."""
    return StoreFailed(
        f"the manifest {where} could not be written",
        evidence=str(evidence),
        hint=hint or "make that place writable, then run the same command again",
    )


def missing_error(where: str) -> ManifestError:
    """The error for a file of the history that is not there any more."""
    return ManifestError(f"{where} is not there any more", hint="run the same command again: it lists them anew")
