"""``tapctl manifest history``, ``show --serial`` and ``unlock``: what the record was, and a lock that should go."""

from __future__ import annotations

import os
import time
from typing import Any

from tapctl.errors import ManifestError
from tapctl.manifest.entry import Manifest, dump
from tapctl.manifest.history import Unlock, change, unlocks, version, versions
from tapctl.manifest.s3 import S3Store
from tapctl.manifest.store import Holder
from tapctl.render.screen import Screen, Verdict
from tapctl.run import Options, bare_store, open_run, short, which

SHOWN = 100
"""Versions in one listing: each is an object to be read."""
_COLUMNS = ("serial", "when", "by", "run", "what")


def history(options: Options, screen: Screen) -> int:
    """List what the record was: each version with who wrote it and what it changed, newest last."""
    began = time.monotonic()
    env, suffix = which(options)
    store = bare_store(options)
    found, older = versions(store, suffix, SHOWN + 1)
    if not found:
        raise ManifestError(
            f"there is no record of {suffix}",
            evidence=f"nothing at {store.location(suffix)}",
            hint=f"this makes it: {options.again('apply', env, suffix)}",
        )
    # One more than is shown is read, to tell what the first one shown has changed.
    hidden = max(len(found) - SHOWN, 0)
    records = [_version(one, found[at - 1] if at else None) for at, one in enumerate(found)][hidden:]
    taken_away = [_unlock(one) for one in unlocks(store, suffix) if not hidden or one.at > found[0].written_at]
    for record in taken_away:
        records.insert(sum(each["when"] <= record["when"] for each in records), record)
    screen.table(_COLUMNS, [[str(record.get(one, "")) for one in _COLUMNS] for record in records], records)
    if older + hidden:
        one = options.again("manifest show --serial 1", env, suffix)
        screen.warn(f"{older + hidden} older versions are kept, too; to read one: {one}")
    counts = {"versions": len(found) + older, "unlocks": sum(record["done"] for record in taken_away)}
    summary = f"{counts['versions']} versions · {counts['unlocks']} unlocked"
    elapsed = time.monotonic() - began
    screen.verdict(
        Verdict("history", suffix, "", 0, counts, summary, elapsed_s=elapsed, manifest=store.location(suffix))
    )
    return 0


def show_version(options: Options, screen: Screen, serial: int) -> int:
    """Print one version of the record."""
    _, suffix = which(options)
    manifest = version(bare_store(options), suffix, serial)
    screen.document(dump(manifest).rstrip("\n"), manifest.model_dump(mode="json"))
    return 0


def unlock(options: Options, screen: Screen, lock_id: str) -> int:
    """Take the lock with this id away from its holder, and record who did it."""
    began = time.monotonic()
    _, suffix = which(options)
    if not isinstance(bare_store(options), S3Store):
        summary = "there is nothing to unlock: the lock of a local record dies with its holder"
        return _unlocked(screen, suffix, "NOTHING", summary, began)
    run = open_run(options, screen)
    who = run.aws.identity
    by = Holder.here(short(who) if who else "", options.command, os.environ)
    assert isinstance(run.store, S3Store), "it was one a moment ago"
    if run.store.unlock(suffix, lock_id, by, screen.note):
        return _unlocked(screen, suffix, "UNLOCKED", f"{lock_id} was taken away by {by.who}, and recorded", began)
    return _unlocked(screen, suffix, "NOTHING", "there is nothing to unlock: nobody holds the lock", began)


def _unlocked(screen: Screen, suffix: str, status: str, summary: str, began: float) -> int:
    screen.verdict(Verdict("unlock", suffix, status, 0, {}, summary, time.monotonic() - began))
    return 0


def _version(one: Manifest, before: Manifest | None) -> dict[str, Any]:
    changed = change(before, one)
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
