"""``tapctl manifest show``, ``history``, ``diff`` and ``unlock``: the record, its versions, a lock that should go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from tapctl.engine.diff import Difference, details
from tapctl.engine.model import shared_ids
from tapctl.errors import ConfigError, ManifestError, Status, first_few
from tapctl.manifest.bucket import Archived
from tapctl.manifest.history import OfAnotherPlace, Place, Unlock, diff_run, newest_kept, unlocks, version, versions
from tapctl.manifest.manifest import Manifest, dump
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Store
from tapctl.render.screen import Screen, Target
from tapctl.render.terminal import sanitize_json
from tapctl.render.values import counted, format_value, truncate
from tapctl.session.damaged_record import read_stored
from tapctl.session.invocation import Invocation
from tapctl.session.session import open_session
from tapctl.session.target import Files, check_manifest_target, open_store_unidentified, resolve_recorded

MAX_LISTED: Final = 100
"""Versions in one listing: each is an object to be read."""
_NAMED: Final = 6
"""Resources that are named in the row of a run; JSON has them all."""
_COLUMNS: Final = ("serial", "when", "by", "run", "what")


@dataclass(frozen=True)
class _Records:
    """The record of a target and its history."""

    target: Target
    store: Store
    current: Manifest | None
    """None where there is none, or it cannot be used."""
    unusable: ManifestError | None
    """Why the record as it is now cannot be used."""

    @property
    def where(self) -> str:
        """The place of the record."""
        return self.store.location(self.target.suffix)


def show(invocation: Invocation, screen: Screen, serial: int | None = None) -> int:
    """Print the record as it is now, or one version of it."""
    if serial is None:
        manifest = recorded(invocation, screen)[0]
    else:
        versioned = _read(invocation, screen)
        manifest = _version(invocation, versioned, serial)
        _warn_of_unusable(screen, versioned)
    screen.document(sanitize_json(dump(manifest)).rstrip("\n"), manifest.model_dump(mode="json"))
    return invocation.finish(screen, Status.OK)


def recorded(invocation: Invocation, screen: Screen) -> tuple[Manifest, Store]:
    """The record of the environment that is named, and its store; no call to AWS for a local one.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: there is none, or it is another environment's.
        WrongTarget: it is another account's or region's.
    """
    records = _read(invocation, screen, Files.MAY_BE_GONE)
    return _current(invocation, records), records.store


def _current(invocation: Invocation, records: _Records) -> Manifest:
    """The record as it is now.

    Raises:
        ManifestError: there is none, or it cannot be used.
    """
    if records.unusable is not None:
        raise records.unusable
    if records.current is None:
        raise ManifestError(
            f"there is no record of {records.target.suffix}",
            evidence=f"nothing at {records.where}",
            hint=f"{invocation.command_line_for('apply', records.target)} makes it where there never was one; "
            f"{invocation.command_line_for('drift', records.target)} asks AWS if there was",
        )
    return records.current


def _version(invocation: Invocation, records: _Records, serial: int) -> Manifest:
    target, store = records.target, records.store
    manifest = version(store, target.suffix, serial, records.current, _place(target))
    if manifest is None:
        if records.unusable is not None and not newest_kept(store, target.suffix):
            raise records.unusable
        raise ManifestError(
            f"there is no version {serial} of the record of {target.suffix}",
            evidence=f"nothing of it beside {records.where}",
            hint=f"see which there are: {invocation.command_line_for('manifest history', target)}",
        )
    return manifest


def _read(invocation: Invocation, screen: Screen, files: Files = Files.HISTORY_IS_ENOUGH) -> _Records:
    """The target, its store and its record; that of now is checked to be this target's.

    ``files``: by default the history is enough, where the record is damaged or of another environment.

    Raises:
        ManifestError: the record cannot be read, or is of another environment or suffix, and the command needs it.
        WrongTarget: the record is of another account or region.
    """
    loaded, target = resolve_recorded(invocation, screen, files)
    config = None if isinstance(loaded, ConfigError) else loaded
    store = open_store_unidentified(invocation, screen, config, target.account)
    invocation.usage.manifest = where = store.location(target.suffix)
    try:
        stored = read_stored(invocation, store, target.suffix)
        if stored is not None:
            check_manifest_target(stored.manifest, where, target)
    except ManifestError as error:
        if files is not Files.HISTORY_IS_ENOUGH:
            raise
        return _Records(target, store, None, error)
    return _Records(target, store, None if stored is None else stored.manifest, None)


def _warn_of_unusable(screen: Screen, records: _Records) -> None:
    """Say that the record of now cannot be used: the versions that a command tells are those before it."""
    if records.unusable is not None:
        screen.warn(f"the record as it is now cannot be used, its versions can: {records.unusable.cause}")


def history(invocation: Invocation, screen: Screen) -> int:
    """List the runs that wrote the record, each with who it was and what it changed, newest last."""
    versioned = _read(invocation, screen)
    target, store = versioned.target, versioned.store
    broken: dict[str, ManifestError] = {}
    listed, older = versions(
        store, target.suffix, MAX_LISTED + 1, versioned.current, broken=broken.__setitem__, place=_place(target)
    )
    if not listed and not broken:
        if versioned.unusable is not None:
            raise versioned.unusable
        raise ManifestError(
            f"there is no record of {target.suffix}",
            evidence=f"nothing at {versioned.where}",
            hint=f"this makes it: {invocation.command_line_for('apply', target)}",
        )
    _warn_of_unusable(screen, versioned)
    # Of the first one shown the version before is read as well, to tell what it has changed.
    hidden = max(len(listed) - MAX_LISTED, int(older > 0 and len(listed) > 1))
    before = listed[0] if hidden else None
    records = []
    for _, group in groupby(listed[hidden:], key=lambda manifest: manifest.run):
        written = list(group)
        records.append(_run_record(written, before))
        before = written[-1]
    notes, older_notes = unlocks(store, target.suffix, broken.__setitem__)
    taken_away = [_unlock_record(unlock) for unlock in notes if not hidden or unlock.at > listed[0].written_at]
    for record in taken_away:
        records.insert(sum(each["when"] <= record["when"] for each in records), record)
    moved = _take_out_moved(broken, listed)
    records += [_broken_record(name, error) for name, error in sorted(broken.items())]
    screen.table(_COLUMNS, [[str(record.get(column, "")) for column in _COLUMNS] for record in records], records)
    if moved:
        screen.warn(
            f"older versions are of {' and of '.join(moved)}, where {target.suffix} was before: none is told here"
        )
    elif older + hidden:
        first = invocation.command_line_for("manifest show --serial 1", target)
        screen.warn(f"{older + hidden} older versions are kept, too; to read one: {first}")
    if older_notes:
        screen.warn(f"{counted(older_notes, 'older note')} of locks that were taken away are kept, too")
    counts = {"versions": len(listed) + older, "unlocks": sum(record["done"] for record in taken_away)}
    summary = f"{counted(counts['versions'], 'version')} · {counts['unlocks']} unlocked"
    if not broken:
        return invocation.finish(screen, None, counts=counts, summary=summary)
    errors = [*_broken_errors(store.location(target.suffix), broken)]
    for error in errors:
        screen.error(error, "the others are told")
    counts["unusable"] = len(broken)
    return invocation.finish(screen, None, errors[0].exit_code, counts, f"{summary} · {len(broken)} cannot be used")


def _take_out_moved(broken: dict[str, ManifestError], listed: Sequence[Manifest]) -> list[str]:
    """Take the versions of where the suffix was before out of what cannot be used; returns these places.

    Such a version is before all of the record's own: one among these, or after them, somebody has put there.
    """
    moved = {
        name: error.where
        for name, error in broken.items()
        if isinstance(error, OfAnotherPlace)
        and listed
        and error.version.serial < listed[0].serial
        and error.version.written_at <= listed[0].written_at
    }
    for name in moved:
        del broken[name]
    return sorted({*moved.values()})


def _place(target: Target) -> Place:
    return target.env, target.account, target.region


def _run_record(written: Sequence[Manifest], before: Manifest | None) -> dict[str, Any]:
    """The row of one run: the versions it wrote, and the names of what it changed; one of two types with its type."""
    last = written[-1]
    changes = diff_run(before, written)
    named = [address for addresses in changes.lists.values() for address in addresses]
    shared = shared_ids({*last.entries, *(before.entries if before else ())})
    ids = [address.partition("/")[2] for address in named[:_NAMED]]
    names = ", ".join(address if id_ in shared else id_ for address, id_ in zip(named, ids, strict=False))
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return {
        "event": "version",
        "serial": last.serial,
        "first_serial": written[0].serial,
        "when": last.written_at,
        "by": last.written_by,
        "run": last.run,
        "what": f"{changes}: {names}{more}" if named else str(changes),
        "config_hash": last.config_hash,
        **{name: len(addresses) for name, addresses in changes.lists.items()},
        "addresses": changes.lists,
    }


def diff(invocation: Invocation, screen: Screen, older: int, newer: int | None) -> int:
    """Show what differs between two versions of the record, field by field; ``newer``: None for the one of now."""
    versioned = _read(invocation, screen)
    before = _version(invocation, versioned, older)
    after = _current(invocation, versioned) if newer is None else _version(invocation, versioned, newer)
    _warn_of_unusable(screen, versioned)
    records = list(_differences(before, after))
    rows = [[str(record["what"]), *(_shown(value) for value in record["values"].values())] for record in records]
    columns = ["what", f"serial {before.serial}", f"serial {after.serial}"]
    screen.table(columns, rows, records)
    counts = {"differences": len(records)}
    summary = f"{counted(len(records), 'difference')} between serial {before.serial} and serial {after.serial}"
    return invocation.finish(screen, None, counts=counts, summary=summary)


def _differences(before: Manifest, after: Manifest) -> Iterator[dict[str, Any]]:
    """Each resource that only one version has, and each recorded value that differs."""
    old, new = ({address: entry.state for address, entry in each.entries.items()} for each in (before, after))
    for address in sorted({*old, *new}):
        differing: list[tuple[str, Any, Any]]
        if address in old and address in new:
            differing = [
                (f"{address} {each.path}", each.have, each.want) for each in _parts(old[address], new[address])
            ]
        else:
            differing = [(address, "there" if address in old else None, "there" if address in new else None)]
        for what, have, want in differing:
            yield {
                "type": "difference",
                "where": "manifest",
                "what": what,
                "values": {f"{before.serial}": have, f"{after.serial}": want},
                "verdict": "changed",
            }


def _parts(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for name, value in old.items():
        yield from details(name, value, new[name])


def _shown(value: Any) -> str:
    return "-" if value is None else truncate(format_value(value))


def _unlock_record(unlock: Unlock) -> dict[str, Any]:
    return {
        "event": "unlock",
        "when": unlock.at,
        "by": unlock.by.who,
        "run": unlock.by.ci,
        "what": f"{'unlocked' if unlock.done else 'asked to unlock'} {unlock.lock.id}: {unlock.lock}",
        "lock": unlock.lock.id,
        "done": unlock.done,
    }


def _broken_record(name: str, error: ManifestError) -> dict[str, Any]:
    return {"event": "unusable", "when": "", "what": f"{name} cannot be used: {error.cause}", "file": name}


def _broken_errors(where: str, broken: Mapping[str, ManifestError]) -> Iterator[ManifestError]:
    """The errors for files of the history that cannot be used: archived ones, and what somebody has put there."""
    archived = [name for name, error in sorted(broken.items()) if isinstance(error, Archived)]
    if archived:
        yield _broken_error(where, archived, "cannot be read, being in an archive of S3", broken[archived[0]].hint)
    if strange := sorted(broken.keys() - archived):
        hint = (
            "tapctl writes no such file beside this record: see who has put it there, and move it away; the record "
            "itself is another one"
        )
        yield _broken_error(where, strange, "cannot be used", hint)


def _broken_error(where: str, names: Sequence[str], what: str, hint: str | None) -> ManifestError:
    count = "1 file" if len(names) == 1 else f"{len(names)} files"
    return ManifestError(
        f"{count} of the history beside {where} {what}", evidence="\n".join(first_few(names, _NAMED)), hint=hint
    )


def unlock(invocation: Invocation, screen: Screen, lock_id: str) -> int:
    """Take the lock with this id away from its holder, and record who did it."""
    store = _read(invocation, screen, Files.MAY_BE_GONE).store
    if not isinstance(store, S3Store):
        summary = "there is nothing to unlock: the lock of a local record dies with its holder"
        return invocation.finish(screen, Status.NOTHING, summary=summary)
    session = open_session(invocation, screen, Files.MAY_BE_GONE)
    assert isinstance(session.store, S3Store), "it was one a moment ago"
    if session.store.unlock(session.suffix, lock_id, session.holder, screen.note):
        summary = f"{lock_id} was taken away by {session.holder.who}, and recorded"
        return session.finish(Status.UNLOCKED, summary=summary)
    return session.finish(Status.NOTHING, summary="there is nothing to unlock: nobody holds the lock")
