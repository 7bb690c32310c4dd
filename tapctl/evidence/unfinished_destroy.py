"""A destroy of ours that did not finish: what its certificate, or the history, says of what the record does not hold.

Whoever may write the record may write the certificate, too, and no more: so AWS has to bear it out, it speaks for the
resources that it names alone, and what is there counts as not compared, whatever it says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from tapctl.config import Config
from tapctl.engine.drift import Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Absent, Observation, Observations
from tapctl.engine.record import Phase
from tapctl.errors import AwsError, ConfigError, StoreFailed
from tapctl.evidence.certificate import NAME as CERTIFICATE
from tapctl.evidence.certificate import EarlierCertificate, earlier_certificate
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import registry
from tapctl.session.session import Session
from tapctl.stack.definition import planned_addresses

_BY_DESTROY: Final = {Reason.NEVER_MADE: Reason.DESTROY_UNFINISHED, Reason.UNRECORDED: Reason.DESTROY_LEFT}


def unfinished_destroy(session: Session, manifest: Manifest) -> EarlierCertificate | None:
    """Read the certificate of the run that wrote the record, where it is of a destroy that has left something."""
    text = None
    with suppress(StoreFailed, AwsError):
        text = session.store.get_sidecar(session.suffix, CERTIFICATE)
    told = earlier_certificate(text, session.target, session.claimant.may_have_name) if text is not None else None
    return told if told is not None and not told.complete and told.run == manifest.run else None


def removed_by_destroy(
    loaded: Config | ConfigError,
    manifest: Manifest,
    observed: Observations,
    lacking: Collection[str],
    kept: EarlierVersions,
) -> frozenset[str]:
    """The addresses of what a destroy that was cut off has removed: it is wanted, and gone, and no apply was at work.

    ``lacking``: the addresses of what the files that were applied last want, and neither record nor AWS has. By the
    record's word alone no destroy was begun, since whoever follows that removes what runs: a kept version has to remove
    what is gone. Without usable files all that was being removed may be wanted.
    """
    if manifest.unfinished:
        return frozenset()
    leaving = {address for address, entry in manifest.entries.items() if entry.phase is Phase.LEAVING}
    wanted = leaving if isinstance(loaded, ConfigError) else leaving & planned_addresses(loaded, manifest.suffix)
    gone = frozenset(lacking).union(address for address in wanted if is_gone_from_aws(observed[address]))
    return frozenset(address for address in gone if kept.was_removed(address))


def is_gone_from_aws(seen: Observation) -> bool:
    """True if the resource is not there, or will not be."""
    return isinstance(seen, Absent) or (isinstance(seen, Observed) and seen.deleting)


def with_destroy(
    findings: Iterable[Finding],
    certificate: EarlierCertificate | None,
    *,
    gone: Collection[str],
    there: Collection[str],
    removed: Collection[str] = (),
) -> Iterator[Finding]:
    """The findings on what is not recorded, where the destroy of this certificate explains them, or one that has none.

    ``gone``, ``there``: the addresses of what the files want and neither record nor AWS has, and of what is there and
    recorded, or ours. ``removed``: as `removed_by_destroy` tells them.
    """
    told = certificate if certificate is not None and _is_borne_out(certificate, gone, there) else None
    for one in findings:
        if told is not None and one.reason in _BY_DESTROY and _names(told, one):
            yield replace(one, reason=_BY_DESTROY[one.reason])
        elif one.reason is Reason.NEVER_MADE and one.address in removed:
            yield replace(one, reason=Reason.REMOVED)
        else:
            yield one


def _is_borne_out(certificate: EarlierCertificate, gone: Collection[str], there: Collection[str]) -> bool:
    """True if AWS has lost some of what the certificate calls gone, and has none but what AWS makes by itself."""
    back = (each.partition("/")[0] for each in certificate.gone.intersection(there))
    return not certificate.gone.isdisjoint(gone) and all(registry()[type_].created_by_aws for type_ in back)


def _names(certificate: EarlierCertificate, one: Finding) -> bool:
    """True if the certificate tells of the resource as AWS has it; where it names none as left, nobody could look."""
    if one.reason is Reason.NEVER_MADE:
        return one.address in certificate.gone
    known, id_ = registry()[one.type], one.address.partition("/")[2]
    parent = address(known.parent_type, known.parent_id(id_))
    return not certificate.left or not certificate.left.isdisjoint((one.address, parent))
