"""A record that is older than what AWS has: somebody has put an old one back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations
from tapctl.engine.plan import Plan
from tapctl.engine.record import Phase
from tapctl.errors import TapctlError
from tapctl.manifest.history import later_version
from tapctl.manifest.manifest import TIME_FORMAT, Manifest
from tapctl.session.session import Session


def warn_of_old_record(session: Session, manifest: Manifest, observed: Observations) -> str:
    """Say that the record is older than AWS, where anything tells; returns what does, empty where nothing does.

    What differs then may be the work of a later run, and no apply undoes it.
    """
    evidence = _evidence(session, manifest, observed)
    if evidence:
        history = session.command("manifest history")
        session.screen.warn(
            f"the record is older than AWS: {session.location} has {manifest.stamp}; {evidence}. What differs may be "
            f"the work of a later run. See the versions ({history}) and put the newest back; an apply records what AWS "
            "has where the files want that"
        )
    return evidence


def without_blame(plan: Plan) -> Plan:
    """The plan as shown where the record is older than AWS: what differs nobody need have done outside tapctl."""
    changes = (
        replace(change, removed_outside=False, fields=tuple(replace(field, outside=False) for field in change.fields))
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _evidence(session: Session, manifest: Manifest, observed: Observations) -> str:
    with suppress(TapctlError):  # a history that cannot be read tells nothing
        later = later_version(session.store, session.suffix, manifest)
        if later is not None:
            now, _ = session.load_manifest()
            # A run may have carried both on since this record was read.
            if now == manifest or now.serial < later.serial:
                return f"its history has {later.stamp}"
    for address, seen in sorted(observed.items()):
        being_made = address in manifest.entries and manifest.entries[address].phase is Phase.MAKING
        if (
            not being_made
            and isinstance(seen, Observed)
            and seen.owner == session.owner
            and seen.holds_data_since is not None
        ):
            made = seen.holds_data_since.strftime(TIME_FORMAT)
            if "" < manifest.written_at < made:
                return f"AWS has made {address} at {made}"
    return ""
