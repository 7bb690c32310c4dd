"""A record that is damaged: its error names the versions before it, and the command that puts the newest one back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tapctl.config import known_environments, load
from tapctl.errors import ConfigError, TapctlError
from tapctl.manifest.history import Place, history_folder, last_version, version_name
from tapctl.manifest.manifest import Damaged, check_serial, check_suffix
from tapctl.manifest.store import Store, Stored
from tapctl.render.screen import Target
from tapctl.session.invocation import ANY_ENVIRONMENT, Invocation


def read_stored(invocation: Invocation, store: Store, suffix: str) -> Stored | None:
    """Read the record of this suffix; None if there is none.

    Raises:
        Damaged: what is there is no record of this suffix; the hint names what the history has.
        ManifestError: it cannot be read.
    """
    try:
        stored = store.read(suffix)
        if stored is not None:
            check_suffix(stored.manifest, store.location(suffix), suffix)
            check_serial(stored.manifest, store.location(suffix))
    except Damaged as error:
        raise _with_way_back(invocation, store, suffix, error) from error
    return stored


def _with_way_back(invocation: Invocation, store: Store, suffix: str, error: Damaged) -> Damaged:
    """The error with what the history has of this very environment's place, and with the apply that it leads to."""
    target, place, newest = invocation.usage.target, _place_of_files(invocation, suffix), None
    if target is not None and target.suffix == suffix:
        place = target.env, target.account, target.region
    if place is None and suffix not in known_environments(invocation.config):
        # The history alone does not tell whose copy it is: whoever may write it may have put a version there.
        looked_at = invocation.command_line_for("drift", Target(ANY_ENVIRONMENT, suffix))
        hint = f"{suffix} is a copy: name its environment, and the version is told that can be put back: {looked_at}"
        return Damaged(error.cause, evidence=error.evidence, hint=hint)
    unread = ""
    try:
        newest = last_version(store, suffix, place)
    except TapctlError as broken:
        unread = broken.cause
    target = Target(place[0] if place is not None else suffix, suffix)
    history = invocation.command_line_for("manifest history", target)
    anew = f"{error.hint}: {invocation.command_line_for('apply', target)}"
    if unread:
        return Damaged(
            error.cause,
            evidence=error.evidence,
            hint=f"no version can be used as it is ({unread}). What its history has: {history}. Move away what no run "
            f"of yours has written, then run this again; without a version, {anew}",
        )
    if newest is None:
        return Damaged(error.cause, evidence=error.evidence, hint=f"{anew}. What its history has: {history}")
    file, copy = f"{history_folder(suffix)}{version_name(newest)}", f"{suffix}-{newest.serial}.json"
    shown = invocation.command_line_for(f"manifest show --serial {newest.serial}", target)
    put_back = store.restore_command(Path(copy), suffix)
    return Damaged(
        error.cause,
        evidence=error.evidence,
        hint=f"see its versions: {history}. The newest that can be used is {file} "
        f"({newest.stamp}); where that is a run's of yours, put it back: {shown} >{copy} && {put_back}. Without one, "
        f"{anew}",
    )


def _place_of_files(invocation: Invocation, suffix: str) -> Place | None:
    """The place that the files give to the environment of this name; None of a copy, or where they cannot be used."""
    with suppress(ConfigError):  # the command that needs this file reports it
        if suffix in known_environments(invocation.config):
            config = load(invocation.config, suffix)
            return suffix, config.account_id, config.region
    return None
