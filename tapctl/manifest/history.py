"""The history of a manifest: each version that was replaced, and each lock that was taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

from pydantic import BaseModel, ConfigDict, ValidationError

from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError
from tapctl.manifest.lock import LockHolder, LockInfo
from tapctl.manifest.manifest import Manifest, is_of_tomorrow, parse
from tapctl.manifest.store import Store

_VERSION = re.compile(r"([0-9]{8,})-.*\.json")
_UNLOCK = re.compile(r"unlock-.*\.json")
_PARALLEL_READS = 8
"""Versions that are read at once: each is an object of its own."""


class Unlock(BaseModel):
    """A lock that somebody has taken away, or has begun to."""

    model_config = ConfigDict(frozen=True)

    at: str
    """UTC, ISO 8601."""
    by: LockHolder
    lock: LockInfo
    done: bool

    @property
    def name(self) -> str:
        """The file's name in the history. Each unlocking has two, so that none is shown that did not happen."""
        return f"unlock-{_safe(self.at)}-{_safe(self.lock.id)}-{'done' if self.done else 'asked'}.json"

    def encode(self) -> bytes:
        """The text that is stored."""
        return self.model_dump_json(indent=2, by_alias=True).encode()


@dataclass(frozen=True)
class VersionDiff:
    """The addresses in which one version differs from an earlier one, each list sorted."""

    begun: list[str]
    """Resources whose making, changing or removal was begun."""
    made: list[str]
    changed: list[str]
    """Resources that the earlier version has as made, and that were changed, or read back anew."""
    removed: list[str]

    @property
    def lists(self) -> dict[str, list[str]]:
        """The four lists by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        parts = [f"{len(addresses)} {name}" for name, addresses in self.lists.items() if addresses]
        return " · ".join(parts) or "nothing made, changed or removed"


def history_folder(suffix: str) -> str:
    """The folder of this suffix's history inside the store, with a slash at its end."""
    return f"history/{suffix}/"


def version_name(manifest: Manifest) -> str:
    """The file's name of this version in the history."""
    return f"{manifest.serial:08}-{_safe(manifest.run)}.json"


def versions(store: Store, suffix: str, newest: int) -> tuple[list[Manifest], int]:
    """Read the ``newest`` replaced versions, oldest first, then the current one; and count the older ones.

    Raises:
        ManifestError: one of them is no manifest.
    """
    names = [name for name in store.list_history(suffix) if _VERSION.fullmatch(name)]
    current = store.read(suffix)
    if current is not None:
        # An interrupted write has archived a version that it then did not replace.
        names = [name for name in names if name != version_name(current.manifest)]
    selected = names[-newest:]
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        replaced = list(pool.map(lambda name: _read_version(store, suffix, name), selected))
    return [*replaced, *([current.manifest] if current else [])], len(names) - len(selected)


def version(store: Store, suffix: str, serial: int) -> Manifest | None:
    """Read the version with this serial; of several (an older manifest was put back), the one written last.

    Raises:
        ManifestError: it is no manifest.
    """
    names = [
        name for name in store.list_history(suffix) if (match := _VERSION.fullmatch(name)) and int(match[1]) == serial
    ]
    candidates = [_read_version(store, suffix, name) for name in names]
    current = store.read(suffix)
    if current is not None and current.manifest.serial == serial:
        candidates.append(current.manifest)
    return max(candidates, key=lambda manifest: manifest.written_at, default=None)


def later_version(store: Store, suffix: str, manifest: Manifest) -> Manifest | None:
    """Read a kept version that is later than this one, which then is an old one that was put back; None if none is.

    After such a one has been written on, its serials come again, and the later time tells which is later; a record of
    tomorrow has no time that tells anything.

    Raises:
        ManifestError: one of the versions is no manifest.
    """
    matches = ((name, _VERSION.fullmatch(name)) for name in store.list_history(suffix))
    names = [name for name, match in matches if match and int(match[1]) > manifest.serial]
    newest = [_read_version(store, suffix, name) for name in names[-1:]]
    timeless = is_of_tomorrow(manifest)
    return next((version for version in newest if timeless or version.written_at >= manifest.written_at), None)


def unlocks(store: Store, suffix: str) -> list[Unlock]:
    """Read who took a lock away, and when; oldest first.

    Raises:
        ManifestError: one of the files is broken.
    """
    names = [name for name in store.list_history(suffix) if _UNLOCK.fullmatch(name)]
    return sorted((_read_unlock(store, suffix, name) for name in names), key=lambda unlock: (unlock.at, unlock.done))


def diff_versions(before: Manifest | None, after: Manifest) -> VersionDiff:
    """List the resources that changed between two versions; ``before`` is None for the first."""
    old = before.entries if before else {}
    touched = {address for address, entry in after.entries.items() if entry != old.get(address)}
    return _sorted_out(touched | (old.keys() - after.entries), old, after.entries)


def diff_run(before: Manifest | None, written: Sequence[Manifest]) -> VersionDiff:
    """List the resources that a run has changed, as its last version has them; ``written``: its versions, in order.

    A value that was put back is one of them: the run has begun it, although its first and last version are the same.
    """
    touched: set[str] = set()
    for earlier, later in zip([before, *written], written, strict=False):
        touched |= {address for addresses in diff_versions(earlier, later).lists.values() for address in addresses}
    return _sorted_out(touched, before.entries if before else {}, written[-1].entries)


def _sorted_out(touched: set[str], old: Mapping[str, Entry], new: Mapping[str, Entry]) -> VersionDiff:
    there = [address for address in sorted(touched) if address in new]
    done = [address for address in there if new[address].phase is Phase.MADE]
    known = {address for address in done if address in old and old[address].confirmed_spec is not None}
    return VersionDiff(
        begun=[address for address in there if new[address].phase in (Phase.MAKING, Phase.LEAVING)],
        made=[address for address in done if address not in known],
        changed=[address for address in done if address in known],
        removed=sorted(touched - new.keys()),
    )


def _read_version(store: Store, suffix: str, name: str) -> Manifest:
    manifest = parse(store.read_history(suffix, name), history_folder(suffix) + name)
    if version_name(manifest).partition("-")[0] != name.partition("-")[0]:
        raise ManifestError(
            f"{history_folder(suffix)}{name} is not the version that its name says",
            evidence=f"it holds serial {manifest.serial}",
            hint="somebody has written there: move it away, then run the same command again",
        )
    return manifest


def _read_unlock(store: Store, suffix: str, name: str) -> Unlock:
    try:
        return Unlock.model_validate_json(store.read_history(suffix, name))
    except ValidationError as error:
        raise ManifestError(
            f"{history_folder(suffix)}{name} is no record of an unlocking", evidence=str(error)
        ) from None


def _safe(text: str) -> str:
    """Drop all that may not stand in a file's name: a manifest edited by hand must not lead out of the folder."""
    return re.sub(r"[^A-Za-z0-9-]", "", text)
