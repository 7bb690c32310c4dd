"""The fingerprint of the record that the last run has left, on the key: who may write the record may not write that.

A run that got to its end leaves the fingerprint before the record says that it did: so a record which says so, and is
another one, was written by somebody else, or by a tapctl that knows of no fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tapctl.engine.drift import Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.engine.record import Phase
from tapctl.manifest.manifest import FINGERPRINT_FORM, Manifest, fingerprint
from tapctl.names import Names
from tapctl.reconcilers.kms_key import KmsKey, tag_with_record
from tapctl.session.session import Session

RECORD: Final = "record"
"""The name of the finding's field: no field of the key's own."""


def fingerprint_left(names: Names, observed: Observations) -> str:
    """The fingerprint on the key; empty where there is none, or nobody may look."""
    seen = observed.get(address(KmsKey.type, names.key_alias))
    return seen.record if isinstance(seen, Observed) else ""


def leave_fingerprint(session: Session, manifest: Manifest, *, left: str) -> None:
    """Leave the fingerprint of this record, as the run is about to end it, on the key, where it is not ``left`` yet.

    Raises:
        AwsError: KMS does not take the tag; the record is to stay unfinished then.
    """
    key = manifest.entries.get(address(KmsKey.type, session.names.key_alias))
    mark = fingerprint(manifest)
    if key is not None and key.phase is Phase.MADE and mark != left:
        tag_with_record(session.aws, key.claim["key_id"], mark)


def carry_fingerprint(session: Session, before: Manifest, after: Manifest, observed: Observations) -> None:
    """Leave the fingerprint of a record that a run has changed, where it was the one that the last run had left.

    A record that somebody else has written becomes none of ours by that.

    Raises:
        AwsError: KMS does not take the tag.
    """
    left = fingerprint_left(session.names, observed)
    if before.is_whole and after.is_whole and left == fingerprint(before):
        leave_fingerprint(session, after, left=left)


def other_record(names: Names, manifest: Manifest, observed: Observations) -> Iterator[Finding]:
    """Yield the finding on a record that calls itself whole, and is not the one that the last run has left."""
    place = address(KmsKey.type, names.key_alias)
    key, left = manifest.entries.get(place), fingerprint_left(names, observed)
    if key is not None and key.phase is Phase.MADE and manifest.is_whole and left not in ("", fingerprint(manifest)):
        is_known = left.startswith(FINGERPRINT_FORM)
        yield Finding(place, KmsKey.type, RECORD, Reason.ANOTHER_RECORD if is_known else Reason.UNKNOWN_FORM)


def warn_of_other_record(session: Session, manifest: Manifest, observed: Observations) -> bool:
    """Say that the record is not the one that the last run has left; True if that is so."""
    told = list(other_record(session.names, manifest, observed))
    for finding in told:
        what = "is not the one that the last run has left: somebody has written it"
        if finding.reason is Reason.UNKNOWN_FORM:
            what = "cannot be held against the fingerprint on the key: a later tapctl has left that"
        who = f"See who: {session.command('manifest history')}; an apply records what AWS has"
        session.screen.warn(f"the record ({manifest.stamp}) {what}. {who}")
    return bool(told)
