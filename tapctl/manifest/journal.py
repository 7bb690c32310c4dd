"""Writes the manifest while many threads change what it records: group commit, and nothing lost when the store fails.

Two kinds of change pass here. An *intent* (an entry comes into ``making`` or ``leaving``) is stored before a call is
made; where it cannot be stored the call is not made, and the intent is forgotten. Everything else is a *fact*: it has
happened, whether it can be stored or not, so it is in every later write and in the rescue copy.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapctl.engine.record import Entry, Phase, plain
from tapctl.errors import LockHeld, StoreFailed, TapctlError
from tapctl.manifest.manifest import Manifest, dump, now
from tapctl.manifest.store import Store, write_failed_error

Changes = Mapping[str, Entry | None]
"""Address to its new entry; None: it goes."""

_INTENTS = frozenset({Phase.MAKING, Phase.LEAVING})


@dataclass(eq=False)
class _Waiter:
    """One thread's change, and how it ended."""

    changes: Changes
    header: bool
    ended: bool = False
    error: BaseException | None = None


class Journal:
    """The one writer of one manifest. Every method may be called from any thread.

    A change returns once it is durable: the first to wait writes all that is queued, the others return when the write
    that holds theirs has ended.
    """

    def __init__(self, store: Store, base: Manifest, version: str | None, *, clock: Callable[[], str] = now) -> None:
        """``base`` and ``version`` are what was read, or `empty` and None. ``clock`` gives UTC, ISO 8601."""
        self._store = store
        self._clock = clock
        self._durable = base
        self._version = version
        self._serial = base.serial
        self._header: dict[str, Any] = {}
        self._facts: dict[str, Entry | None] = {}
        self._queue: list[_Waiter] = []
        self._batch: list[_Waiter] = []
        self._doubtful: list[Manifest] = []
        self._turn = threading.Condition()

    @property
    def manifest(self) -> Manifest:
        """What we know now: what is durable, and every change since that was not forgotten."""
        with self._turn:
            return self._known()

    def update(
        self,
        *,
        config_hash: str | None = None,
        networking: Mapping[str, Any] | None = None,
        run: str | None = None,
        written_by: str | None = None,
    ) -> None:
        """Set the header of the next write; writes nothing by itself. See `flush`."""
        network = None if networking is None else plain(networking)
        given = {"config_hash": config_hash, "networking": network, "run": run, "written_by": written_by}
        with self._turn:
            self._header.update({key: value for key, value in given.items() if value is not None})

    def put(self, *entries: Entry) -> None:
        """Record these. Nothing is written where all of it is durable already.

        Raises:
            StoreFailed: it is not durable; do not make the call it was for.
            LockHeld: somebody else has written the manifest; as above, and nothing more should be started.
        """
        self._commit({entry.address: entry for entry in entries})

    def drop(self, *addresses: str) -> None:
        """Record that these are gone. Raises as `put`."""
        self._commit(dict.fromkeys(addresses))

    def flush(self) -> None:
        """Record what a failed write has left over, and a changed config hash or networking. Raises as `put`."""
        self._commit({}, header=True)

    # -- group commit ------------------------------------------------------------------------------------------------

    def rescue(self, directory: Path) -> Path:
        """Write all we know beside the user, or where that fails into the folder for temporary files.

        Raises:
            StoreFailed: neither takes it.
        """
        with self._turn:
            self._serial += 1
            content = dump(self._known().model_copy(update={"serial": self._serial, "written_at": self._clock()}))
            name = f"{self._durable.suffix}.rescue-{self._serial}"
        try:
            return _write_new(directory, name, content)
        except OSError as error:
            first = error
        try:
            return _write_new(Path(tempfile.gettempdir()), name, content)
        except OSError as error:
            raise StoreFailed(
                "no rescue copy of the manifest could be written",
                evidence=f"{first}\n{error}",
                hint="make room, then run the same command again: it finds what was made by its ids and tags",
            ) from error

    # -- group commit ------------------------------------------------------------------------------------------------

    def _commit(self, changes: Changes, *, header: bool = False) -> None:
        mine = _Waiter(changes, header)
        with self._turn:
            self._queue.append(mine)
            while not mine.ended:
                if self._batch:
                    self._turn.wait()
                else:
                    self._batch, self._queue = self._queue, []
                    self._end_batch()
        if mine.error is not None:
            raise _as_ours(mine.error, self._store.location(self._durable.suffix)) from mine.error

    def _end_batch(self) -> None:
        """Write the batch, and tell everybody in it how that ended."""
        error: BaseException | None = None
        try:
            self._write_batch()
        except BaseException as failure:
            error = failure
            for waiter in self._batch:
                self._facts.update(self._true_anyway(waiter.changes))
            if not isinstance(failure, Exception):
                raise
        finally:
            for waiter in self._batch:
                waiter.ended, waiter.error = True, error
            self._batch = []
            self._turn.notify_all()

    def _write_batch(self) -> None:
        """Write the batch, if it changes anything; the others may queue meanwhile."""
        entries = self._applied(self._batch)
        next_one = {"entries": entries, "serial": self._serial + 1, "written_at": self._clock()}
        wanted = self._durable.model_copy(update=self._header | next_one)
        if not _differs(self._durable, wanted, header=any(waiter.header for waiter in self._batch)):
            return
        # Grows even where the write fails: two different writes of one run never look the same.
        self._serial = wanted.serial
        self._turn.release()
        try:
            version = self._stored(wanted)
        except BaseException:
            self._doubtful.append(wanted)
            raise
        finally:
            self._turn.acquire()
        self._durable, self._version, self._facts, self._doubtful = wanted, version, {}, []

    def _stored(self, wanted: Manifest) -> str:
        """Write it. A write that failed before may have got there after all: then that is what ours replaces."""
        expected = self._version
        if self._doubtful:
            there = self._store.read(wanted.suffix)
            if there is not None and there.manifest in self._doubtful:
                expected = there.version
        return self._store.write(wanted, expected)

    def _known(self) -> Manifest:
        entries = self._applied([*self._batch, *self._queue])
        return self._durable.model_copy(update=self._header | {"entries": entries})

    def _applied(self, waiters: Iterable[_Waiter]) -> dict[str, Entry]:
        """What is durable, then the facts, then these, each over the one before."""
        known: dict[str, Entry | None] = {**self._durable.entries, **self._facts}
        for waiter in waiters:
            known.update(waiter.changes)
        return {address: entry for address, entry in known.items() if entry is not None}

    def _true_anyway(self, changes: Changes) -> Changes:
        """Those of the changes that have happened, stored or not."""
        before = self._applied([])

        def intent(address: str, entry: Entry | None) -> bool:
            was = before.get(address)
            return entry is not None and entry.phase in _INTENTS and (was is None or was.phase is not entry.phase)

        return {address: entry for address, entry in changes.items() if not intent(address, entry)}


def restore_command(path: Path, store: Store, suffix: str) -> str:
    """The one command that puts a rescue copy where it belongs."""
    there = store.location(suffix)
    command = ["aws", "s3", "cp"] if there.startswith("s3://") else ["cp"]
    return shlex.join([*command, str(path), there])


def _differs(have: Manifest, wanted: Manifest, *, header: bool) -> bool:
    """Whether there is a reason to write. Who writes, and when, is none."""
    ignored = {"serial", "run", "written_by", "written_at"} | (set() if header else {"config_hash", "networking"})
    same = {name: getattr(have, name) for name in ignored}
    # As text: to Python 1, 1.0 and True are equal.
    return dump(have) != dump(wanted.model_copy(update=same))


def _as_ours(error: BaseException, where: str) -> TapctlError:
    """An error of its own for each who waited."""
    if isinstance(error, LockHeld | StoreFailed):
        return type(error)(error.cause, evidence=error.evidence, hint=error.hint)
    return write_failed_error(where, f"{type(error).__name__}: {error}")


def _write_new(directory: Path, name: str, content: str, taken: int = 0) -> Path:
    """A new file, never one that is there: that may be the rescue copy of an earlier run."""
    path = directory / (f"{name}-{taken}.json" if taken else f"{name}.json")
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _write_new(directory, name, content, taken + 1)
    try:
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(made)
    except OSError:
        path.unlink()
        raise
    return path
