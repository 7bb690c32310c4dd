"""Writes the manifest while many threads change what it records: group commit, and nothing lost when the store fails.

Two kinds of change pass here. An *intent* (an entry comes into ``making`` or ``leaving``) is stored before a call is
made; where it cannot be stored the call is not made, and the intent is forgotten. Everything else is a *fact*: a thing
that has happened, whether it can be stored or not, so it is in every later write and in the rescue copy.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapctl.engine.record import Entry, Phase, plain
from tapctl.errors import LockHeld, StoreFailed, TapctlError
from tapctl.manifest.manifest import AwsKind, Manifest, dump, now
from tapctl.manifest.store import Store, write_failed_error

Changes = Mapping[str, Entry | None]
"""The new entry of each address; None: it is removed."""

_INTENTS = frozenset({Phase.MAKING, Phase.LEAVING})


@dataclass(eq=False)
class _Waiter:
    """The changes of one waiting thread, and how their write ended."""

    changes: Changes
    header: bool
    ended: bool = False
    error: BaseException | None = None


class Journal:
    """The only writer of one manifest. Every method may be called from any thread.

    `put` and `drop` return once their change is durable: the first thread to wait writes all that is queued, the others
    return when the write that holds their change has ended.
    """

    def __init__(self, store: Store, base: Manifest, version: str | None, *, clock: Callable[[], str] = now) -> None:
        """``base`` and ``version``: the manifest as it was read, or `empty` and None. ``clock`` gives UTC, ISO 8601."""
        self._store = store
        self._clock = clock
        self._durable = base
        self._version = version
        self._serial = base.serial
        self._header: dict[str, Any] = {}
        self._facts: dict[str, Entry | None] = {}
        self._queue: list[_Waiter] = []
        self._batch: list[_Waiter] = []
        self._unconfirmed: list[Manifest] = []
        self._turn = threading.Condition()

    @property
    def manifest(self) -> Manifest:
        """The manifest as we know it: what is durable, and every change since that was not forgotten."""
        with self._turn:
            return self._known()

    def update(
        self,
        *,
        config_hash: str | None = None,
        networking: Mapping[str, Any] | None = None,
        run: str | None = None,
        written_by: str | None = None,
        aws: AwsKind | None = None,
        ci: str | None = None,
        commit: str | None = None,
        actor: str | None = None,
        unfinished: bool | None = None,
        restoring: str | None = None,
    ) -> None:
        """Set the header of the next write; writes nothing by itself. See `flush`."""
        network = None if networking is None else plain(networking)
        header: dict[str, Any] = {
            "config_hash": config_hash,
            "networking": network,
            "run": run,
            "written_by": written_by,
            "aws": aws,
        }
        header |= {"ci": ci, "commit": commit, "actor": actor, "unfinished": unfinished, "restoring": restoring}
        with self._turn:
            self._header.update({key: value for key, value in header.items() if value is not None})

    def put(self, *entries: Entry) -> None:
        """Record these entries. Nothing is written where all of them are durable already.

        Raises:
            StoreFailed: they are not durable; do not make the call they were for.
            LockHeld: somebody else has written the manifest; as above, and nothing more should be started.
        """
        self._commit({entry.address: entry for entry in entries})

    def drop(self, *addresses: str) -> None:
        """Record that the resources at these addresses are gone. Raises as `put`."""
        self._commit(dict.fromkeys(addresses))

    def flush(self) -> None:
        """Record what a failed write has left over, and a changed hash, networking or end. Raises as `put`."""
        self._commit({}, header=True)

    def rescue(self, directory: Path) -> Path:
        """Write a copy of `manifest` into ``directory``, or where that fails into the folder for temporary files.

        Returns the new file. An earlier copy is never overwritten.

        Raises:
            StoreFailed: neither takes it.
        """
        with self._turn:
            self._serial += 1
            content = dump(self._known().model_copy(update={"serial": self._serial, "written_at": self._clock()}))
            name = f"{self._durable.suffix}.rescue-{self._serial}"
        try:
            return _write_new_file(directory, name, content)
        except OSError as error:
            first = error
        try:
            return _write_new_file(Path(tempfile.gettempdir()), name, content)
        except OSError as error:
            raise StoreFailed(
                "no rescue copy of the manifest could be written",
                evidence=f"{first}\n{error}",
                hint="make room, then run the same command again: it finds what was made by its ids and tags",
            ) from error

    # -- group commit ------------------------------------------------------------------------------------------------

    def _commit(self, changes: Changes, *, header: bool = False) -> None:
        waiter = _Waiter(changes, header)
        with self._turn:
            self._queue.append(waiter)
            while not waiter.ended:
                if self._batch:
                    self._turn.wait()
                else:
                    self._batch, self._queue = self._queue, []
                    self._end_batch()
        if waiter.error is not None:
            raise _copy_of(waiter.error, self._store.location(self._durable.suffix)) from waiter.error

    def _end_batch(self) -> None:
        """Write the batch, and tell every thread in it how that ended. The caller holds ``_turn``."""
        error: BaseException | None = None
        try:
            self._write_batch()
        except BaseException as failure:
            error = failure
            for waiter in self._batch:
                self._facts.update(self._facts_in(waiter.changes))
            if not isinstance(failure, Exception):
                raise
        finally:
            for waiter in self._batch:
                waiter.ended, waiter.error = True, error
            self._batch = []
            self._turn.notify_all()

    def _write_batch(self) -> None:
        """Write the batch, if it changes anything; other threads may queue meanwhile."""
        entries = self._entries_with(self._batch)
        update = {"entries": entries, "serial": self._serial + 1, "written_at": self._clock()}
        following = self._durable.model_copy(update=self._header | update)
        if not _differs(self._durable, following, header=any(waiter.header for waiter in self._batch)):
            return
        # Grows even where the write fails: two different writes of one run never look the same.
        self._serial = following.serial
        self._turn.release()
        try:
            version = self._write(following)
        except BaseException:
            self._unconfirmed.append(following)
            raise
        finally:
            self._turn.acquire()
        self._durable, self._version, self._facts, self._unconfirmed = following, version, {}, []

    def _write(self, manifest: Manifest) -> str:
        """Write the manifest; returns its version. If an unconfirmed write was stored after all, it replaces that."""
        expected = self._version
        if self._unconfirmed:
            stored = self._store.read(manifest.suffix)
            if stored is not None and stored.manifest in self._unconfirmed:
                expected = stored.version
        return self._store.write(manifest, expected)

    def _known(self) -> Manifest:
        entries = self._entries_with([*self._batch, *self._queue])
        return self._durable.model_copy(update=self._header | {"entries": entries})

    def _entries_with(self, waiters: Iterable[_Waiter]) -> dict[str, Entry]:
        """The durable entries, then the facts, then these changes, each over the one before."""
        known: dict[str, Entry | None] = {**self._durable.entries, **self._facts}
        for waiter in waiters:
            known.update(waiter.changes)
        return {address: entry for address, entry in known.items() if entry is not None}

    def _facts_in(self, changes: Changes) -> Changes:
        """The changes that are facts: all but an entry that comes into ``making`` or ``leaving``."""
        entries = self._entries_with([])

        def is_intent(address: str, entry: Entry | None) -> bool:
            before = entries.get(address)
            return entry is not None and entry.phase in _INTENTS and (before is None or before.phase is not entry.phase)

        return {address: entry for address, entry in changes.items() if not is_intent(address, entry)}


def _differs(have: Manifest, want: Manifest, *, header: bool) -> bool:
    """True if there is a reason to write: never who writes it; hash, networking and end only if ``header``."""
    ignored = {"serial", "run", "written_by", "written_at", "aws", "ci", "commit"}
    ignored |= set() if header else {"config_hash", "networking", "unfinished", "restoring"}
    same = {name: getattr(have, name) for name in ignored}
    # As text: to Python 1, 1.0 and True are equal.
    return dump(have) != dump(want.model_copy(update=same))


def _copy_of(error: BaseException, where: str) -> TapctlError:
    """An error of its own for each thread that waited; other than the store's own, a `StoreFailed`."""
    if isinstance(error, LockHeld | StoreFailed):
        return type(error)(error.cause, evidence=error.evidence, hint=error.hint)
    return write_failed_error(where, f"{type(error).__name__}: {error}")


def _write_new_file(directory: Path, name: str, content: str, attempt: int = 0) -> Path:
    """Write a new file; one of this name that exists may be the rescue copy of an earlier run."""
    path = directory / (f"{name}-{attempt}.json" if attempt else f"{name}.json")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _write_new_file(directory, name, content, attempt + 1)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink()
        raise
    return path
