"""A record that is not the newest, or not ours: somebody has put an old one back, or has written another one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.plan import Plan
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError, TapctlError
from tapctl.evidence.record_fingerprint import is_other_record
from tapctl.manifest.history import history_folder, later_version, version_name
from tapctl.manifest.manifest import TIME_FORMAT, Manifest, fingerprint
from tapctl.session.session import Session


@dataclass(frozen=True)
class Doubt:
    """Evidence against a record; false where there is none."""

    evidence: str = ""
    judgement: str = "is older than AWS"
    way_out: str = "put the newest back"
    """The thing to do about it, beside a look at the history."""
    meaning: str = "may be the work of a later run"
    """The meaning of what differs from such a record."""

    def __bool__(self) -> bool:
        return bool(self.evidence)

    def __str__(self) -> str:
        return self.judgement


NO_DOUBT: Final = Doubt()
_MAY_BE_OLDER: Final = Doubt(judgement="may be older than AWS", way_out="move away what no run of yours has written")
_OF_ANOTHER: Final = Doubt(
    "its key bears the fingerprint of another one",
    "is not the one that the last run has left",
    "put that one back",
    "may be as that run has left it",
)


def warn_of_doubtful_record(session: Session, manifest: Manifest, observed: Observations, left: str) -> Doubt:
    """Say that the record is, or may be, older than AWS, or not the one that the last run has left; returns that.

    What differs then may be as it should be, and no apply undoes it. ``left``: the fingerprint that run has left.
    """
    history = session.command("manifest history")
    forged: list[Manifest] = []
    doubt = _doubt(session, manifest, observed, left, forged)
    if forged:
        file = f"{history_folder(session.suffix)}{version_name(forged[0])}"
        session.screen.warn(
            f"no run has written {forged[0].stamp}, which the history of {session.suffix} has ({file}): the key bears "
            f"the fingerprint of the record. See the versions ({history}) and move away what no run of yours has "
            "written"
        )
    if doubt:
        session.screen.warn(
            f"the record {doubt}: {session.location} has {manifest.stamp}; {doubt.evidence}. What differs "
            f"{doubt.meaning}. See the versions ({history}) and {doubt.way_out}; an apply records what AWS has where "
            "the files want that"
        )
    return doubt


def without_blame(plan: Plan) -> Plan:
    """The plan as shown where the record is in doubt: what differs nobody need have done outside tapctl."""
    changes = (
        replace(change, removed_outside=False, fields=tuple(replace(field, outside=False) for field in change.fields))
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _doubt(session: Session, manifest: Manifest, observed: Observations, left: str, forged: list[Manifest]) -> Doubt:
    """Evidence against the record; ``forged``: collects the versions that would be later, and that no run has written.

    A run that gets to its end leaves its fingerprint before the record says that it did: where that of the record is
    left, no later run has.
    """
    is_the_last = manifest.is_whole and left == fingerprint(manifest)

    def is_of_no_run(version: Manifest) -> bool:
        if not is_the_last or not version.is_whole:
            return False
        # One with the very entries of the record tells nothing else, whoever has written it.
        if fingerprint(version) != left:
            forged.append(version)
        return True

    unknown = ""
    with suppress(TapctlError):  # a history that cannot be asked for tells nothing
        try:
            later, doubt = later_version(session.store, session.suffix, manifest, is_of_no_run), ""
        except ManifestError as error:
            later, doubt = None, f"{error.cause}: {error.evidence}"
        # A run may have carried all of it on since this record was read.
        stored = session.store.read(session.suffix) if later is not None or doubt else None
        now = manifest if stored is None else stored.manifest
        if later is not None and (now == manifest or now.serial < later.serial):
            return Doubt(f"its history has {later.stamp}")
        unknown = doubt if now == manifest else ""
    if younger := _younger_data(session, manifest, observed):
        return younger
    if unknown:
        return replace(_MAY_BE_OLDER, evidence=unknown)
    return _OF_ANOTHER if is_other_record(manifest, left) else NO_DOUBT


def _younger_data(session: Session, manifest: Manifest, observed: Observations) -> Doubt:
    """Evidence that something of ours which holds data was made after the record was written, which lacks it.

    What the record holds was made before, whatever the clock of who wrote it said.
    """
    for address, seen in sorted(observed.items()):
        entry = manifest.entries.get(address)
        if (
            isinstance(seen, Observed)
            and not (entry is not None and _is_of(entry, seen))
            and seen.owner == session.owner
            and seen.holds_data_since is not None
        ):
            made = seen.holds_data_since.strftime(TIME_FORMAT)
            if "" < manifest.written_at < made:
                return Doubt(f"AWS has made {address} at {made}")
    return NO_DOUBT


def _is_of(entry: Entry, seen: Observed[Any, Any]) -> bool:
    """True if the entry is of the very thing that is there, or of one that is being made."""
    if entry.phase is Phase.MAKING:
        return True
    return seen.outputs is not None and bool(entry.outputs) and not seen.outputs.changed_from(entry.claim)
