"""``tapctl manifest history``, ``show --serial`` and ``unlock``: what the record was, and a lock that should go."""

from __future__ import annotations

import os
from typing import Any

from tapctl.commands.answering import told
from tapctl.commands.outputs import recorded
from tapctl.errors import ManifestError
from tapctl.manifest.history import Unlock, diff_versions, unlocks, version, versions
from tapctl.manifest.lock import LockHolder
from tapctl.manifest.manifest import Manifest, dump
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Store
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tapctl.session.session import open_session, short_identity
from tapctl.session.target import check_manifest_target, open_store_unidentified, read_manifest, resolve_target

MAX_LISTED = 100
"""Versions in one listing: each is an object to be read."""
_COLUMNS = ("serial", "when", "by", "run", "what")


def history(invocation: Invocation, screen: Screen) -> int:
    """List what the record was: each version with who wrote it and what it changed, newest last."""
    env, suffix, store = _checked(invocation, screen)
    found, older = versions(store, suffix, MAX_LISTED + 1)
    if not found:
        raise ManifestError(
            f"there is no record of {suffix}",
            evidence=f"nothing at {store.location(suffix)}",
            hint=f"this makes it: {invocation.command_line_for('apply', env, suffix)}",
        )
    # One more than is shown is read, to tell what the first one shown has changed.
    hidden = max(len(found) - MAX_LISTED, 0)
    records = [_version(one, found[at - 1] if at else None) for at, one in enumerate(found)][hidden:]
    taken_away = [_unlock(one) for one in unlocks(store, suffix) if not hidden or one.at > found[0].written_at]
    for record in taken_away:
        records.insert(sum(each["when"] <= record["when"] for each in records), record)
    screen.table(_COLUMNS, [[str(record.get(one, "")) for one in _COLUMNS] for record in records], records)
    if older + hidden:
        one = invocation.command_line_for("manifest show --serial 1", env, suffix)
        screen.warn(f"{older + hidden} older versions are kept, too; to read one: {one}")
    counts = {"versions": len(found) + older, "unlocks": sum(record["done"] for record in taken_away)}
    summary = f"{counts['versions']} versions · {counts['unlocks']} unlocked"
    screen.verdict(invocation.verdict("", 0, counts, summary))
    return 0


def show_version(invocation: Invocation, screen: Screen, serial: int) -> int:
    """Print one version of the record."""
    env, suffix, store = _checked(invocation, screen)
    manifest = version(store, suffix, serial)
    if manifest is None:
        raise ManifestError(
            f"there is no version {serial} of the record of {suffix}",
            evidence=f"nothing of it beside {store.location(suffix)}",
            hint=f"see which there are: {invocation.command_line_for('manifest history', env, suffix)}",
        )
    screen.document(dump(manifest).rstrip("\n"), manifest.model_dump(mode="json"))
    return told(invocation, screen)


def _checked(invocation: Invocation, screen: Screen) -> tuple[str, str, Store]:
    """Environment, suffix and store; the record that counts now is of this very target, what it was may have moved.

    Raises:
        ManifestError: it cannot be read, or is of another environment or suffix.
        WrongTarget: it is of another account or region.
    """
    config, suffix = resolve_target(invocation, screen)
    store = open_store_unidentified(invocation, screen, config)
    invocation.usage.manifest = where = store.location(suffix)
    manifest = read_manifest(invocation, store, suffix)
    if manifest is not None:
        check_manifest_target(invocation, manifest, where, config, suffix)
    return config.environment, suffix, store


def unlock(invocation: Invocation, screen: Screen, lock_id: str) -> int:
    """Take the lock with this id away from its holder, and record who did it."""
    config, _ = resolve_target(invocation, screen)
    if not isinstance(open_store_unidentified(invocation, screen, config), S3Store):
        summary = "there is nothing to unlock: the lock of a local record dies with its holder"
        return _unlocked(invocation, screen, "NOTHING", summary)
    session = open_session(invocation, screen)
    who = session.aws.identity
    by = LockHolder.here(short_identity(who) if who else "", invocation.command, os.environ)
    assert isinstance(session.store, S3Store), "it was one a moment ago"
    if session.store.unlock(session.suffix, lock_id, by, screen.note):
        return _unlocked(invocation, screen, "UNLOCKED", f"{lock_id} was taken away by {by.who}, and recorded")
    return _unlocked(invocation, screen, "NOTHING", "there is nothing to unlock: nobody holds the lock")


def _unlocked(invocation: Invocation, screen: Screen, status: str, summary: str) -> int:
    screen.verdict(invocation.verdict(status, 0, {}, summary))
    return 0


def _version(one: Manifest, before: Manifest | None) -> dict[str, Any]:
    changed = diff_versions(before, one)
    return {
        "event": "version",
        "serial": one.serial,
        "when": one.written_at,
        "by": one.written_by,
        "run": one.run,
        "what": str(changed),
        "config_hash": one.config_hash,
        "begun": changed.begun,
        "made": changed.made,
        "removed": changed.removed,
    }


def _unlock(one: Unlock) -> dict[str, Any]:
    return {
        "event": "unlock",
        "when": one.at,
        "by": one.by.who,
        "run": one.by.ci,
        "what": f"{'unlocked' if one.done else 'asked to unlock'} {one.lock.id}: {one.lock}",
        "lock": one.lock.id,
        "done": one.done,
    }


def show_manifest(invocation: Invocation, screen: Screen) -> int:
    """Print the record itself."""
    manifest, _ = recorded(invocation, screen)
    screen.document(dump(manifest).rstrip("\n"), manifest.model_dump(mode="json"))
    return told(invocation, screen)
