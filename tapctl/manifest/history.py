"""What the record was: each version that was replaced is kept, and each lock that was taken away is noted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from tapctl.engine.record import Phase
from tapctl.errors import ManifestError
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import Manifest, parse
from tapctl.manifest.store import Stored

_VERSION = re.compile(r"([0-9]{8,})-.*\.json")
_UNLOCK = re.compile(r"unlock-.*\.json")
_AT_ONCE = 8
"""Reads side by side: each version is an object of its own."""


class Archive(Protocol):
    """The part of a store that is read here."""

    def read(self, suffix: str) -> Stored | None:
        """The manifest of this suffix; None when there is none."""

    def list_history(self, suffix: str) -> list[str]:
        """Names of what is kept of this suffix, sorted."""

    def read_history(self, suffix: str, name: str) -> bytes:
        """What is kept under this name."""


class Unlock(BaseModel):
    """Somebody has taken a lock away, or has asked to."""

    model_config = ConfigDict(frozen=True)

    at: str
    """UTC, ISO 8601."""
    by: LockHolder
    lock: LockInfo
    done: bool

    @property
    def name(self) -> str:
        """Under which it is kept; of each unlocking there are two, so that none is told that did not happen."""
        return f"unlock-{_plain(self.at)}-{_plain(self.lock.id)}-{'done' if self.done else 'asked'}.json"


@dataclass(frozen=True)
class VersionDiff:
    """In how many things one version differs from the one before."""

    begun: int
    """Whose making, changing or removal was begun."""
    made: int
    removed: int

    def __str__(self) -> str:
        counts = {"begun": self.begun, "made": self.made, "removed": self.removed}
        return " · ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing made or removed"


def folder_of(suffix: str) -> str:
    """Where what is kept of this suffix is, with a slash at its end."""
    return f"history/{suffix}/"


def name_of(manifest: Manifest) -> str:
    """Under which this version is kept."""
    return f"{manifest.serial:08}-{_plain(manifest.run)}.json"


def versions(store: Archive, suffix: str, newest: int) -> tuple[list[Manifest], int]:
    """The newest versions, oldest first, the one that counts now last; and how many older ones are kept.

    Raises:
        ManifestError: one of them is no manifest.
    """
    names = [name for name in store.list_history(suffix) if _VERSION.fullmatch(name)]
    current = store.read(suffix)
    if current is not None:
        # A write that was cut off has kept what it did not replace.
        names = [name for name in names if name != name_of(current.manifest)]
    wanted = names[-newest:]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda name: _recalled(store, suffix, name), wanted))
    return [*found, *([current.manifest] if current else [])], len(names) - len(wanted)


def version(store: Archive, suffix: str, serial: int) -> Manifest | None:
    """The version with this serial; where there are more (an older record was put back), the one written last.

    Raises:
        ManifestError: it is no manifest.
    """
    names = [
        name
        for name in store.list_history(suffix)
        if (is_version := _VERSION.fullmatch(name)) and int(is_version[1]) == serial
    ]
    found = [_recalled(store, suffix, name) for name in names]
    current = store.read(suffix)
    if current is not None and current.manifest.serial == serial:
        found.append(current.manifest)
    return max(found, key=lambda one: one.written_at, default=None)


def unlocks(store: Archive, suffix: str) -> list[Unlock]:
    """Who took a lock away, and when; oldest first."""
    names = [name for name in store.list_history(suffix) if _UNLOCK.fullmatch(name)]
    return sorted((_unlock(store, suffix, name) for name in names), key=lambda one: (one.at, one.done))


def diff_versions(before: Manifest | None, after: Manifest) -> VersionDiff:
    """What one version changed."""
    old = before.entries if before else {}

    def count(phases: Iterable[Phase]) -> int:
        return sum(
            entry.phase in phases and (here not in old or old[here].phase is not entry.phase)
            for here, entry in after.entries.items()
        )

    return VersionDiff(
        begun=count((Phase.MAKING, Phase.LEAVING)), made=count((Phase.MADE,)), removed=len(old.keys() - after.entries)
    )


def _recalled(store: Archive, suffix: str, name: str) -> Manifest:
    return parse(store.read_history(suffix, name), folder_of(suffix) + name)


def _unlock(store: Archive, suffix: str, name: str) -> Unlock:
    try:
        return Unlock.model_validate_json(store.read_history(suffix, name))
    except ValidationError as error:
        raise ManifestError(f"{folder_of(suffix)}{name} is no record of an unlocking", evidence=str(error)) from None


def _plain(text: str) -> str:
    """What may stand in a name: a record that was edited by hand must not lead anywhere else."""
    return re.sub(r"[^A-Za-z0-9-]", "", text)
