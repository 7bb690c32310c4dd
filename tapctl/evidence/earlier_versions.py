"""The kept versions of a record before this one: what they tell of resources of which the record itself tells less.

A run of ours records each removal before its first step: a resource that no version removes, somebody has removed. And
what was read back once is compared with that, though the record says that it is being made for the first time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.record import Entry, Phase, is_deleted_with_parent
from tapctl.errors import TapctlError
from tapctl.manifest.history import ends_of_runs, versions
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store

_READ: Final = 100
"""The newest versions that are read: more than one run writes."""
_REMOVAL: Final = frozenset({Phase.LEAVING, Phase.KEPT})
_RUNS: Final = 5
"""Runs whose last version is read at most where one was cut off."""


@dataclass(frozen=True)
class EarlierVersions:
    """The versions before this record, which are read when the first one is asked for."""

    store: Store
    manifest: Manifest

    @cached_property
    def _newest_first(self) -> list[Manifest]:
        now, read = self.manifest, list[Manifest]()
        place = now.environment, now.account, now.region
        with suppress(TapctlError):  # a history that cannot be read tells nothing
            read, _ = versions(self.store, now.suffix, _READ, broken=lambda *_: None, place=place)
        return [version for version in reversed(read) if version.serial <= now.serial and version != now]

    def was_removed(self, address: str) -> bool | None:
        """True if the last version that has the resource as read back removes it, or what it lives on.

        False where that one has it as made: no run of ours has removed it since. None where no version has it.
        """
        told = self._last(address)
        if told is None:
            return None
        entry, version = told
        return entry.phase is Phase.LEAVING or is_deleted_with_parent(entry, version.entries)

    def begun_anew(self, entries: Mapping[str, Entry], observed: Observations) -> Iterator[tuple[str, Entry]]:
        """The entries that call themselves, or fields of theirs, never read back, of what a version has as made.

        With what was confirmed then.
        """
        for address, entry in entries.items():
            seen = observed.get(address)
            if entry.phase is not Phase.MAKING or not entry.unconfirmed or not isinstance(seen, Observed):
                continue
            told = self._last(address)
            if told is None or seen.outputs is None or told[0].phase in _REMOVAL:
                continue
            if told[0].outputs == seen.outputs.model_dump():
                confirmed = {"confirmed": told[0].confirmed_spec, "outputs": told[0].outputs}
                yield address, entry.model_copy(update=confirmed)

    def _last(self, address: str) -> tuple[Entry, Manifest] | None:
        """The entry of the last version that has the resource as read back whole, and that version."""
        for version in self._newest_first:
            entry = version.entries.get(address)
            if entry is not None and not entry.unconfirmed:
                return entry, version
        return None


def since_a_whole(store: Store, manifest: Manifest) -> Iterator[Manifest]:
    """Yield what each run before has left of the record, newest first, down to the last that another one has finished.

    At most five of them; a history that cannot be read tells nothing.
    """
    with suppress(TapctlError):
        for version in islice(ends_of_runs(store, manifest), _RUNS):
            yield version
            if version.is_whole and version.run != manifest.run:
                return
