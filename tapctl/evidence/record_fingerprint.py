"""The fingerprint of the record that the last run has left, on the key: who may write the record may not write that.

A run that got to its end leaves the fingerprint before the record says that it did: so a record which says so, and is
another one, was written by somebody else. (A tapctl that knows of no fingerprint takes the tag off.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tapctl.engine.drift import Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.engine.record import Phase
from tapctl.errors import AwsError
from tapctl.manifest.manifest import FINGERPRINT_FORM, Manifest, fingerprint
from tapctl.names import Names
from tapctl.reconcilers.kms_key import KmsKey, tag_with_record, untag_record
from tapctl.session.session import Session

RECORD: Final = "record"
"""The name of the finding's field: no field of the key's own."""


def fingerprint_left(names: Names, observed: Observations) -> str:
    """The fingerprint on the key, whether the record holds that or not; empty where there is none, or nobody may look.

    ``observed``: what AWS has under our names, recorded or not.
    """
    seen = observed.get(address(KmsKey.type, names.key_alias))
    return seen.record if isinstance(seen, Observed) and not seen.deleting else ""


def leave_fingerprint(session: Session, manifest: Manifest, *, left: str) -> None:
    """Leave the fingerprint of this record, as the run is about to end it, on the key, where it is not ``left`` yet.

    Raises:
        AwsError: KMS does not take the tag; the record is to stay unfinished then.
    """
    key = manifest.entries.get(address(KmsKey.type, session.names.key_alias))
    mark = fingerprint(manifest)
    if key is not None and key.phase is Phase.MADE and mark != left:
        tag_with_record(session.aws, key.claim["key_id"], mark)


def take_fingerprint(session: Session, observed: Observations) -> None:
    """Take the fingerprint off the key: each step of a destroy leaves another record.

    Where KMS does not let it go, a destroy that is cut off leaves a record that is told as another one.
    """
    seen = observed.get(address(KmsKey.type, session.names.key_alias))
    if isinstance(seen, Observed) and seen.record and seen.outputs is not None:
        with suppress(AwsError):
            untag_record(session.aws, seen.outputs.key_id)


def carry_fingerprint(session: Session, before: Manifest, after: Manifest, *, left: str) -> None:
    """Leave the fingerprint of a record that a run has changed, where ``left`` was that of the record before.

    A record that somebody else has written becomes none of ours by that.

    Raises:
        AwsError: KMS does not take the tag.
    """
    if before.is_whole and after.is_whole and left == fingerprint(before):
        leave_fingerprint(session, after, left=left)


def other_record(names: Names, manifest: Manifest, left: str) -> Iterator[Finding]:
    """Yield the finding on a record that calls itself whole, and is not the one that the last run has ``left``.

    Who writes a record may leave the key out of it, or call the key kept.
    """
    if _is_other(manifest, left):
        reason = Reason.ANOTHER_RECORD if left.startswith(FINGERPRINT_FORM) else Reason.UNKNOWN_FORM
        yield Finding(address(KmsKey.type, names.key_alias), KmsKey.type, RECORD, reason)


def is_other_record(manifest: Manifest, left: str) -> bool:
    """True if the record is another one than the last run has ``left``, by a fingerprint of a form that is known."""
    return left.startswith(FINGERPRINT_FORM) and _is_other(manifest, left)


def _is_other(manifest: Manifest, left: str) -> bool:
    is_deployed = any(entry.phase is not Phase.KEPT for entry in manifest.entries.values())
    settled = _as_before_revert(manifest)
    return is_deployed and settled.is_whole and left not in ("", fingerprint(settled))


def _as_before_revert(manifest: Manifest) -> Manifest:
    """The record as it was before a revert that was cut off: what that was putting back asks for nothing new."""
    entries = {
        address: entry.as_made() if entry.phase is Phase.MAKING and entry.confirmed == entry.spec else entry
        for address, entry in manifest.entries.items()
    }
    return manifest.model_copy(update={"entries": entries})
