"""A record that is older than what AWS has: somebody has put an old one back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.plan import Plan
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError, TapctlError
from tapctl.manifest.history import later_version
from tapctl.manifest.manifest import TIME_FORMAT, Manifest
from tapctl.session.session import Session


@dataclass(frozen=True)
class Age:
    """Evidence that a record is older than AWS, or that nobody can tell; false where there is none."""

    evidence: str = ""
    is_known: bool = True
    """False where nobody can tell: the newest files of the history cannot be used, or are not newer for sure."""

    def __bool__(self) -> bool:
        return bool(self.evidence)

    def __str__(self) -> str:
        return "is older than AWS" if self.is_known else "may be older than AWS"

    @property
    def way_out(self) -> str:
        """The thing to do about it, beside a look at the history."""
        return "put the newest back" if self.is_known else "move away what no run of yours has written"


def warn_of_old_record(session: Session, manifest: Manifest, observed: Observations) -> Age:
    """Say that the record is, or may be, older than AWS; returns what tells it.

    What differs then may be the work of a later run, and no apply undoes it.
    """
    age = _age(session, manifest, observed)
    if age:
        history = session.command("manifest history")
        session.screen.warn(
            f"the record {age}: {session.location} has {manifest.stamp}; {age.evidence}. What differs may be the work "
            f"of a later run. See the versions ({history}) and {age.way_out}; an apply records what AWS has where the "
            "files want that"
        )
    return age


def without_blame(plan: Plan) -> Plan:
    """The plan as shown where the record is older than AWS: what differs nobody need have done outside tapctl."""
    changes = (
        replace(change, removed_outside=False, fields=tuple(replace(field, outside=False) for field in change.fields))
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _age(session: Session, manifest: Manifest, observed: Observations) -> Age:
    unknown = ""
    with suppress(TapctlError):  # a history that cannot be asked for tells nothing
        try:
            later, doubt = later_version(session.store, session.suffix, manifest), ""
        except ManifestError as error:
            later, doubt = None, f"{error.cause}: {error.evidence}"
        # A run may have carried all of it on since this record was read.
        stored = session.store.read(session.suffix) if later is not None or doubt else None
        now = manifest if stored is None else stored.manifest
        if later is not None and (now == manifest or now.serial < later.serial):
            return Age(f"its history has {later.stamp}")
        unknown = doubt if now == manifest else ""
    return _younger_data(session, manifest, observed) or Age(unknown, is_known=not unknown)


def _younger_data(session: Session, manifest: Manifest, observed: Observations) -> Age:
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
                return Age(f"AWS has made {address} at {made}")
    return Age()


def _is_of(entry: Entry, seen: Observed[Any, Any]) -> bool:
    """True if the entry is of the very thing that is there, or of one that is being made."""
    if entry.phase is Phase.MAKING:
        return True
    return seen.outputs is not None and bool(entry.outputs) and not seen.outputs.changed_from(entry.claim)
