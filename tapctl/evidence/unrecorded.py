"""Unrecorded resources: what AWS has under our names and the record does not hold, and what neither has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeGuard

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason, detect_drift, unread_finding
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation, Observations, ObserveRequest, Unreadable, observe_all
from tapctl.engine.ownership import Verdict
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ConfigError, NotRecorded
from tapctl.evidence.against_files import (
    are_rules_being_made,
    is_of_the_files,
)
from tapctl.evidence.certificate import end_of_destroyed
from tapctl.evidence.recorded_files import any_files
from tapctl.evidence.unfinished_destroy import is_gone_from_aws
from tapctl.manifest.history import last_version, place_of
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import observations_for, registry
from tapctl.session.session import Session
from tapctl.stack.definition import planned_addresses, planned_stack

_NAMED: Final = 5
"""Resources that are named where more are meant."""


def observe_unrecorded(session: Session, entries: Mapping[str, Entry]) -> Observations:
    """Look at the resources that the files want, and that the record does not hold as deployed.

    Where these cannot be used: that all files want. Who may write the record may take entries out of it, or call them
    kept: that is no reason not to look where others are deployed. Nothing is asked where the record is whole.
    """
    config = session.loaded
    if isinstance(config, ConfigError):
        config = any_files(session.target.env, session.names, entries)
    recorded = {address for address, entry in entries.items() if entry.phase is not Phase.KEPT} or entries.keys()
    lacking = [one for one in planned_stack(config, session.suffix) if one.address not in recorded]
    return dict(
        sorted(observe_all(session.aws, [ObserveRequest(one.reconciler, one.id, None) for one in lacking]).items())
    )


def is_unrecorded(address: str, seen: Observation, *, deployed: bool, left: Collection[str] = ()) -> bool:
    """True if the resource is there, whosever its tags call it, or may not be looked at.

    Where nothing is deployed, what AWS makes by itself and nobody has tagged may have come after a destroy (a log
    group). It counts where somebody has set it up, so that no destroy removes it; and where a destroy could not
    (``left``, by its certificate).
    """
    if _denied(seen):
        return True
    if not _is_there(seen):
        return False
    if deployed or not _is_made_by_aws(address, seen):
        return True
    return address in left or (not seen.is_default and not _tags(seen))


def made_after_destroy(others: Observations, beside: Collection[str]) -> list[str]:
    """The addresses of what AWS has made by itself under our names for a writer that is gone: a destroy removes it.

    ``others``: all that is not recorded. ``beside``: the addresses of what is told otherwise.
    """
    return [
        address
        for address, seen in others.items()
        if _is_there(seen)
        and address not in beside
        and _is_made_by_aws(address, seen)
        and not _tags(seen)
        and _writer_is_gone(address, others)
    ]


def _is_there(seen: Observation) -> TypeGuard[Observed[Any, Any]]:
    return isinstance(seen, Observed) and not seen.deleting and seen.retained is None


def _is_made_by_aws(address: str, seen: Observed[Any, Any]) -> bool:
    """True if AWS makes such a resource by itself, and no tags name its owner."""
    return seen.owner is None and registry()[type_of(address)].created_by_aws


def _tags(seen: Observed[Any, Any]) -> Mapping[str, str]:
    return getattr(seen.spec, "tags", {})


def _writer_is_gone(address: str, others: Observations) -> bool:
    writer = registry()[type_of(address)].recreated_by(address.partition("/")[2]) or ""
    return is_gone_from_aws(others.get(writer, Absent()))


def _is_retained(seen: Observation) -> bool:
    return isinstance(seen, Observed) and seen.retained is not None


def _denied(seen: Observation) -> str:
    """The denied action without which nobody can tell whose the resource is; empty if that can be told."""
    if isinstance(seen, Unreadable):
        return seen.action
    return seen.unreadable.get("tags", "") if isinstance(seen, Observed) else ""


def unrecorded_finding(session: Session, address: str, seen: Observation, entries: Mapping[str, Entry]) -> Finding:
    """The finding on what is there and not recorded: ours, somebody else's, or what nobody may look at."""
    type_, _, id_ = address.partition("/")
    place, denied = (address, type_, WHOLE_RESOURCE), _denied(seen)
    if denied or not isinstance(seen, Observed):
        return unread_finding(*place, denied, seen.refusal if isinstance(seen, Unreadable) else "")
    ownership = session.claimant.judge(registry()[type_], id_, seen, recorded=None)
    if ownership.verdict is Verdict.UNREADABLE:
        return unread_finding(*place, seen.owner_unread, "")
    if not ownership.ours:
        return Finding(*place, Reason.FOREIGN, detail=ownership.owner_tags)
    return Finding(*place, Reason.APPLY_INTERRUPTED if are_rules_being_made(address, entries) else Reason.UNRECORDED)


def lacking_finding(address: str, was_removed: bool | None) -> Finding:
    """The finding on what neither the record nor AWS has; ``was_removed``: by earlier versions of the record."""
    reason = Reason.ABSENT if was_removed is False else Reason.NEVER_MADE
    return Finding(address, type_of(address), WHOLE_RESOURCE, reason)


def is_lacking(manifest: Manifest, was_removed: bool | None) -> bool:
    """True if the record ought to hold what its files want and AWS has not; ``was_removed``: by earlier versions.

    Where a run has left something half done, that tells of what this run has not come to, or has removed.
    """
    return manifest.is_settled or was_removed is False or (was_removed is None and not manifest.unfinished)


def wanted_by_its_files(session: Session, manifest: Manifest, addresses: Sequence[str]) -> Sequence[str]:
    """List those of these addresses that the files which the record is of want: of other files those that all want."""
    if is_of_the_files(session, manifest):
        return addresses
    by_all = planned_addresses(any_files(manifest.environment, session.names, manifest.entries), session.suffix)
    return [address for address in addresses if address in by_all]


def findings_of_before(session: Session, entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """The findings on what is there and not recorded, against the ``entries`` that earlier versions have of that."""
    # What is read of a resource depends on what it is held against.
    observed = observe_all(session.aws, observations_for(entries))
    found = detect_drift(entries, observed).findings
    changed = (one for one in found if one.reason in (Reason.CHANGED, Reason.REPLACED))
    yield from (replace(one, reason=Reason.OF_BEFORE) for one in changed)


def not_recorded_error(session: Session) -> NotRecorded:
    """The error for a missing record: who may write records may remove one, so AWS is asked what it has."""
    seen = observe_unrecorded(session, {})
    there = [address for address, one in seen.items() if not is_gone_from_aws(one) and not _is_retained(one)]
    evidence = [f"nothing at {session.location}"]
    if there:
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        evidence.append(f"AWS has, or does not show, what bears its names: {', '.join(there[:_NAMED])}{more}")
    else:
        evidence.append("AWS has nothing under its names")
    left_by_destroy = all(registry()[type_of(address)].retainable for address in there)
    newest, target = last_version(session.store, session.suffix), session.target
    if newest is not None and place_of(newest) != (target.env, target.account, target.region):
        newest = None  # what it tells to put back, and to destroy, would be of that place
    back = end_of_destroyed(session.invocation, session.store, newest) if left_by_destroy else ""
    # Nothing but an earlier version tells which of the things under its names were made by us.
    first = "put the newest version of its history back, which tells what was made; or " if newest else ""
    return NotRecorded(
        f"there is no record of {session.suffix}",
        there=len(there),
        evidence="\n".join(evidence),
        hint=back or f"{first}{session.command('apply')} writes it anew from AWS, with what it finds",
    )


def type_of(address: str) -> str:
    """The type that an address names."""
    return address.partition("/")[0]
