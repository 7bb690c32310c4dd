"""``tapctl manifest show``, ``history`` and ``unlock``: the record, its versions, and a lock that should go."""

from __future__ import annotations

from typing import Any, Final

from tapctl.errors import ManifestError, Status
from tapctl.manifest.history import Unlock, diff_versions, unlocks, version, versions
from tapctl.manifest.manifest import Manifest, dump
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Store
from tapctl.render.screen import Screen, Target
from tapctl.render.terminal import sanitize_json
from tapctl.session.invocation import Invocation
from tapctl.session.session import open_session
from tapctl.session.target import check_manifest_target, open_store_unidentified, resolve_target

MAX_LISTED: Final = 100
"""Versions in one listing: each is an object to be read."""
_COLUMNS: Final = ("serial", "when", "by", "run", "what")


def show(invocation: Invocation, screen: Screen, serial: int | None = None) -> int:
    """Print the record as it is now, or one version of it."""
    manifest = recorded(invocation, screen)[0] if serial is None else _version(invocation, screen, serial)
    screen.document(sanitize_json(dump(manifest)).rstrip("\n"), manifest.model_dump(mode="json"))
    return invocation.finish(screen, Status.OK)


def recorded(invocation: Invocation, screen: Screen) -> tuple[Manifest, str]:
    """The record of the environment that is named, and its place; no call to AWS for a local one.

    Raises:
        ConfigError: the environment's name or files, or the suffix.
        ManifestError: there is none, or it is another environment's.
        WrongTarget: it is another account's or region's.
    """
    target, store, manifest = _read(invocation, screen)
    if manifest is None:
        raise ManifestError(
            f"there is no record of {target.suffix}",
            evidence=f"nothing at {store.location(target.suffix)}",
            hint=f"{invocation.command_line_for('apply', target)} makes it",
        )
    return manifest, store.location(target.suffix)


def _version(invocation: Invocation, screen: Screen, serial: int) -> Manifest:
    target, store, _ = _read(invocation, screen)
    manifest = version(store, target.suffix, serial)
    if manifest is None:
        raise ManifestError(
            f"there is no version {serial} of the record of {target.suffix}",
            evidence=f"nothing of it beside {store.location(target.suffix)}",
            hint=f"see which there are: {invocation.command_line_for('manifest history', target)}",
        )
    return manifest


def _read(invocation: Invocation, screen: Screen) -> tuple[Target, Store, Manifest | None]:
    """The target, its store and its record; that of now is checked to be this target's, older versions may not be.

    Raises:
        ManifestError: the record cannot be read, or is of another environment or suffix.
        WrongTarget: the record is of another account or region.
    """
    config, target = resolve_target(invocation, screen)
    store = open_store_unidentified(invocation, screen, config)
    invocation.usage.manifest = where = store.location(target.suffix)
    stored = store.read(target.suffix)
    if stored is not None:
        check_manifest_target(stored.manifest, where, target)
    return target, store, None if stored is None else stored.manifest


def history(invocation: Invocation, screen: Screen) -> int:
    """List the versions of the record, each with who wrote it and what it changed, newest last."""
    target, store, _ = _read(invocation, screen)
    listed, older = versions(store, target.suffix, MAX_LISTED + 1)
    if not listed:
        raise ManifestError(
            f"there is no record of {target.suffix}",
            evidence=f"nothing at {store.location(target.suffix)}",
            hint=f"this makes it: {invocation.command_line_for('apply', target)}",
        )
    # One version more than is shown is read, to tell what the first one shown has changed.
    hidden = max(len(listed) - MAX_LISTED, 0)
    records = [_version_record(each, listed[at - 1] if at else None) for at, each in enumerate(listed)][hidden:]
    taken_away = [
        _unlock_record(unlock)
        for unlock in unlocks(store, target.suffix)
        if not hidden or unlock.at > listed[0].written_at
    ]
    for record in taken_away:
        records.insert(sum(each["when"] <= record["when"] for each in records), record)
    screen.table(_COLUMNS, [[str(record.get(column, "")) for column in _COLUMNS] for record in records], records)
    if older + hidden:
        first = invocation.command_line_for("manifest show --serial 1", target)
        screen.warn(f"{older + hidden} older versions are kept, too; to read one: {first}")
    counts = {"versions": len(listed) + older, "unlocks": sum(record["done"] for record in taken_away)}
    summary = f"{counts['versions']} versions · {counts['unlocks']} unlocked"
    return invocation.finish(screen, None, counts=counts, summary=summary)


def _version_record(manifest: Manifest, before: Manifest | None) -> dict[str, Any]:
    diff = diff_versions(before, manifest)
    return {
        "event": "version",
        "serial": manifest.serial,
        "when": manifest.written_at,
        "by": manifest.written_by,
        "run": manifest.run,
        "what": str(diff),
        "config_hash": manifest.config_hash,
        "begun": diff.begun,
        "made": diff.made,
        "removed": diff.removed,
    }


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


def unlock(invocation: Invocation, screen: Screen, lock_id: str) -> int:
    """Take the lock with this id away from its holder, and record who did it."""
    config, _ = resolve_target(invocation, screen)
    if not isinstance(open_store_unidentified(invocation, screen, config), S3Store):
        summary = "there is nothing to unlock: the lock of a local record dies with its holder"
        return invocation.finish(screen, Status.NOTHING, summary=summary)
    session = open_session(invocation, screen)
    assert isinstance(session.store, S3Store), "it was one a moment ago"
    if session.store.unlock(session.suffix, lock_id, session.holder, screen.note):
        summary = f"{lock_id} was taken away by {session.holder.who}, and recorded"
        return session.finish(Status.UNLOCKED, summary=summary)
    return session.finish(Status.NOTHING, summary="there is nothing to unlock: nobody holds the lock")
