"""The kept versions of a record beside this one: what they tell of resources of which the record itself tells less.

A run of ours records each removal before its first step: a resource that no version removes, somebody has removed. And
what was read back once is compared with that, though the record says that it is being made for the first time; what was
another thing in the version before, without a word of a run that has made it anew, is compared with that one. Where
the versions cannot be read nobody can tell either: that is said, and proves nothing for a run of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Final

from tapctl.engine import refs
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation, Observations
from tapctl.engine.record import Entry, Phase, is_deleted_with_parent
from tapctl.errors import TapctlError
from tapctl.manifest.history import Kept, ends_of_runs, newest_kept, read_own, within_reach
from tapctl.manifest.manifest import TIME_FORMAT, Manifest, fingerprint, is_of_tomorrow
from tapctl.manifest.store import Store
from tapctl.notices import Notify
from tapctl.reconcilers import registry

_AT_ONCE: Final = 50
"""Versions that are read at once, but for the newest, which may tell all."""
_READ: Final = 100
"""The newest versions that are read: more than one run writes."""
_NAMED: Final = 5
"""Files that are named where more are meant."""
_REMOVAL: Final = frozenset({Phase.LEAVING, Phase.KEPT})
_SHOWN_LATE: Final = timedelta(minutes=5)
"""The longest that KMS may take to show a tag."""
_RUNS: Final = 5
"""Runs whose last version is read at most where one was cut off."""


class EarlierVersions:
    """The versions before this record, which are read when the first one is asked for, and as far back as needed."""

    def __init__(self, store: Store, manifest: Manifest, warn: Notify, newest: int = _READ) -> None:
        """``warn``: takes why they cannot be read, where they cannot. ``newest``: so many are read at most."""
        self.store = store
        self.manifest = manifest
        self.warn = warn
        self.newest = newest
        self.doubt = ""
        """The reason why nobody can tell what the versions that were asked for tell; empty where they can be read."""
        self._at_once = 1
        self._listings = sorted({max(0, manifest.serial - _AT_ONCE), 0})
        """The serials from which on files are listed, one listing after the other, the last one first."""
        self._listed: list[Kept] = []
        """The files that were listed, newest first."""
        self._unread: list[Kept] = []
        """Those within reach that are not read yet."""
        self._out_of_reach = 0
        """Those among the ``newest`` that are not read: it would be too much."""
        self._versions: list[Manifest] = []
        """Those that were read already, newest first."""
        self._has_this = False
        """True if this very record is among the versions that were read."""

    def _newest_first(self) -> Iterator[Manifest]:
        try:
            yield from self._read()
        except TapctlError as error:
            self._tell(f"the history of {self.manifest.suffix} cannot be read: {error.cause}")

    def _read(self) -> Iterator[Manifest]:
        told = 0
        while told < len(self._versions) or self._unread or self._listings:
            if told == len(self._versions):
                self._read_more()
            yield from self._versions[told:]
            told = len(self._versions)
        if not self._versions and self.manifest.serial > 1:
            self._tell(f"the history of {self.manifest.suffix} holds no version before serial {self.manifest.serial}")
        if self._out_of_reach:
            files = f"{self._out_of_reach} of the versions in the history of {self.manifest.suffix}"
            self._tell(f"not read for being too large altogether: {files}")

    def _list_more(self) -> None:
        before, listed = len(self._listed), {each.name for each in self._listed}
        kept = newest_kept(self.store, self.manifest.suffix, self._listings.pop())
        self._listed += [each for each in kept if each.name not in listed]
        reached = within_reach(self._listed, self.newest)
        self._unread = reached[before:]
        self._out_of_reach = min(len(self._listed), self.newest) - len(reached)

    def _read_more(self) -> None:
        if not self._unread:
            self._list_more()
        files, self._unread[:] = self._unread[: self._at_once], self._unread[self._at_once :]
        self._at_once = _AT_ONCE
        broken: list[str] = []
        read = read_own(self.store, self.manifest, files, lambda name, _: broken.append(name))
        self._versions += [version for version in read if version != self.manifest]
        self._has_this = self._has_this or self.manifest in read
        if broken:
            more = ", and more" if len(broken) > _NAMED else ""
            named = ", ".join(sorted(broken)[:_NAMED])
            self._tell(f"in the history of {self.manifest.suffix} these cannot be used: {named}{more}")

    def _tell(self, doubt: str) -> None:
        if not self.doubt:
            self.warn(f"{doubt}; what was made, or removed, before this version nobody can tell")
        self.doubt = self.doubt or doubt

    def was_removed(self, address: str) -> bool | None:
        """True if the last version that has the resource as read back removes it, or what it lives on.

        False where that one has it as made: no run of ours has removed it since. None where no version has it.
        """
        told = self._last(address)
        if told is None:
            return None
        entry, version = told
        is_kept = entry.phase is Phase.KEPT and registry()[entry.type].retainable
        is_going = entry.phase is Phase.LEAVING or is_kept
        return is_going or is_deleted_with_parent(entry, version.entries)

    def last_made(self, address: str) -> Entry | None:
        """The entry of the last version that has the resource as read back, as one that is made; None if none has."""
        told = self._last(address)
        return told[0].as_made() if told is not None else None

    def made_as(self, address: str, output: str, value: str) -> tuple[Entry, Manifest] | None:
        """The entry of the last version, this record or one before, that has it as read back with this output.

        With that version; None where no version has it.
        """
        return next((each for each in self._read_back(address) if (each[0].outputs or {}).get(output) == value), None)

    def made_at(self, address: str, moment: str) -> tuple[Entry, Manifest] | None:
        """The entry of the last version, this record or one before, written by this moment, that has it as read back.

        ``moment``: as a record has its time. With that version; of the last one where all were written later; None
        where no version has it.
        """
        told = [*self._read_back(address)]
        return next((each for each in told if each[1].written_at <= moment), told[0] if told else None)

    def _read_back(self, address: str) -> Iterator[tuple[Entry, Manifest]]:
        """The entries of this record and those before that have it as read back, newest first, each with its record."""
        for version in chain((self.manifest,), self._newest_first()):
            entry = version.entries.get(address)
            if entry is not None and entry.is_read_back:
                yield entry, version

    def corrected(self, entries: Mapping[str, Entry], observed: Observations, left: str) -> dict[str, Entry]:
        """The entries that tell otherwise than a run of ours would, each as an earlier version tells.

        ``left``: the fingerprint that the last run has left in AWS; empty where there is none. One that fits proves no
        identity: who has replaced a resource may have done so by tapctl.
        """
        return {
            **dict(self._silently_replaced(entries, observed)),
            **dict(self._begun_anew(entries, observed)),
            **dict(self._as_left(entries, left)),
        }

    def lacking(self, entries: Mapping[str, Entry], observed: Observations) -> dict[str, Entry]:
        """The entries that earlier versions have, and that these lack, of what AWS has otherwise than they tell.

        And those of the subresources of that: they are as they were, and bear the tags of what they are on.
        """
        beside = {address: seen for address, seen in observed.items() if address not in entries}
        told = self.held_before(beside) if beside else {}
        changed = {address for address, entry in told.items() if not _is_as(entry, beside[address])}
        return {address: entry for address, entry in told.items() if address in changed or _parent_of(entry) in changed}

    def _as_left(self, entries: Mapping[str, Entry], left: str) -> Iterator[tuple[str, Entry]]:
        """The entries that are neither as the run has left them whose fingerprint this is, nor as a run since.

        Each as that one has left it. A run says in a version that it changes an entry, before it has. A fingerprint may
        show late: what a run has finished a moment ago, which wrote these very entries before that, is not held against
        it. The record's word alone for its time, or its serial, is none. Without a fingerprint, which nobody may read,
        or which somebody has taken off, the newest version stands for the one that was left.
        """
        own, before = fingerprint(self.manifest), next(self._newest_first(), None)
        if before is None or left == own or (self._is_led_to_by(before) and (not left or _is_young(self.manifest))):
            return
        since = [self.manifest]
        for version in self._newest_first():
            if left in ("", fingerprint(version)):
                break
            since.append(version)
        else:
            return
        if version.serial > self.manifest.serial and self._is_of_a_run():
            # An old record was put back, which is told as that.
            return
        for address, entry in entries.items():
            known = _replayed(address, [version, *reversed(since)])
            if known is None or known.phase is not Phase.MADE:
                continue
            if entry.phase is Phase.MADE and (entry.spec, entry.outputs) != (known.spec, known.outputs):
                yield address, known
            elif entry.phase is Phase.MAKING and entry.is_read_back and entry.confirmed != known.spec:
                yield address, entry.model_copy(update={"confirmed": known.spec, "outputs": known.outputs})

    def _silently_replaced(self, entries: Mapping[str, Entry], observed: Observations) -> Iterator[tuple[str, Entry]]:
        """The entries that tell of what AWS has, where the version before tells of another thing, with that identity.

        A run of ours takes the entry out before it makes a thing anew, or takes another one for the recorded. What it
        only changes keeps the identity.
        """
        before = next((version.entries for version in self._newest_first()), {})
        for address in sorted(entries.keys() & before.keys()):
            entry, earlier, seen = entries[address], before[address], observed.get(address)
            outputs = seen.outputs if isinstance(seen, Observed) else None
            is_kept = earlier.phase is Phase.MADE and entry.phase in (Phase.MADE, Phase.MAKING) and entry.is_read_back
            if outputs is None or not is_kept:
                continue
            if outputs.changed_from(earlier.claim) and not outputs.changed_from(entry.claim):
                yield address, entry.model_copy(update={"outputs": earlier.outputs})

    def _begun_anew(self, entries: Mapping[str, Entry], observed: Observations) -> Iterator[tuple[str, Entry]]:
        """The entries that call themselves, or fields of theirs, never read back, of what a version has as made.

        With what was confirmed then. Where nobody can tell, with what is asked for.
        """
        for address, entry in entries.items():
            seen = observed.get(address)
            if entry.phase is not Phase.MAKING or entry.is_read_back or not isinstance(seen, Observed | Absent):
                continue
            told = self._made_before(address)
            if told is None:
                if self.doubt and isinstance(seen, Observed):
                    yield address, entry.model_copy(update={"confirmed": entry.spec})
            elif told.phase is Phase.MADE or _is_of(told, seen):
                yield address, entry.model_copy(update={"confirmed": told.confirmed_spec, "outputs": told.outputs})

    def _is_of_a_run(self) -> bool:
        """True if the history has this very record, or a version that leads to it."""
        return any(self._is_led_to_by(version) for version in self._newest_first()) or self._has_this

    def _is_led_to_by(self, version: Manifest) -> bool:
        """True if the record's run has written this version: its last entries, before it said that it had ended."""
        is_before = version.serial in (self.manifest.serial - 1, self.manifest.serial)
        return is_before and version.run == self.manifest.run and fingerprint(version) == fingerprint(self.manifest)

    def last_left(self, left: str) -> Manifest | None:
        """The version that the last run has left: the one of this fingerprint; without any, the newest; None: no such.

        ``left``: as in `corrected`.
        """
        return next((each for each in self._newest_first() if left in ("", fingerprint(each))), None)

    def held_before(self, beside: Observations) -> dict[str, Entry]:
        """The entries that the versions before tell of what is there, and is not recorded, as made."""
        told = {address: self._made_before(address) for address, seen in beside.items() if isinstance(seen, Observed)}
        return {address: entry.as_made() for address, entry in told.items() if entry is not None}

    def removed_by_destroys(self) -> dict[str, str]:
        """The addresses that destroys since the last apply have begun to remove, each with the id of that run.

        One that was killed has left no certificate. An apply that removes something says in each version that it has
        not finished.
        """
        begun: dict[str, str] = {}
        for version in self._newest_first():
            if version.unfinished:
                break
            entries = version.entries
            leaving = (
                place
                for place, entry in entries.items()
                if entry.phase is Phase.LEAVING or is_deleted_with_parent(entry, entries)
            )
            begun = dict.fromkeys(leaving, version.run) | begun
        return begun

    def _made_before(self, address: str) -> Entry | None:
        """The entry of the last version that has the resource as read back whole; None if it was begun anew since.

        A run of ours takes the entry of a thing that is gone out before it makes another one.
        """
        for version in self._newest_first():
            entry = version.entries.get(address)
            if entry is None or entry.phase in _REMOVAL:
                return None
            if entry.is_read_back:
                return entry
        return None

    def _last(self, address: str) -> tuple[Entry, Manifest] | None:
        """The entry of the last version that has the resource as read back whole, and that version."""
        for version in self._newest_first():
            entry = version.entries.get(address)
            if entry is not None and entry.is_read_back:
                return entry, version
        return None


def _is_young(manifest: Manifest) -> bool:
    """True if the manifest says that it was written a moment ago."""
    moment = datetime.now(UTC) - _SHOWN_LATE
    return manifest.written_at > moment.strftime(TIME_FORMAT) and not is_of_tomorrow(manifest)


def _replayed(address: str, versions: Sequence[Manifest]) -> Entry | None:
    """The entry as runs have left it, by these versions, oldest first: without what none of them has said before."""
    known, changes = versions[0].entries.get(address), False
    for version in versions[1:]:
        entry = version.entries.get(address)
        if entry is None or entry.phase in _REMOVAL:
            known, changes = None, True
        elif entry.phase is Phase.MAKING:
            changes = True
        elif changes:
            known, changes = entry, False
    return known


def _parent_of(entry: Entry) -> str:
    """The address of what a subresource is on; empty where the entry is of none."""
    reconciler = registry()[entry.type]
    return f"{reconciler.parent_type}/{reconciler.parent_id(entry.id)}" if reconciler.subresource else ""


def _is_as(entry: Entry, seen: Observation) -> bool:
    """True if AWS has the very thing that the entry tells of, and as that tells."""
    return _is_of(entry, seen) and isinstance(seen, Observed) and refs.to_json(seen.spec) == entry.spec


def _is_of(entry: Entry, seen: Observation) -> bool:
    """True if AWS has the very thing that the entry tells of."""
    return isinstance(seen, Observed) and seen.outputs is not None and seen.outputs.model_dump() == entry.outputs


def since_a_whole(store: Store, manifest: Manifest) -> Iterator[Manifest]:
    """Yield what each run before has left of the record, newest first, down to the last that another one has finished.

    At most five of them; a history that cannot be read tells nothing.
    """
    with suppress(TapctlError):
        for version in islice(ends_of_runs(store, manifest), _RUNS):
            yield version
            if version.is_whole and version.run != manifest.run:
                return
