"""A cluster that is gone, and that no run of ours has removed: somebody has, whatever the record says.

Function and instances are made after the cluster, and removed before it, and each removal is recorded before it is
begun: no run of ours, cut off anywhere, leaves them without, or a record without a word of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.engine.record import Phase
from tapctl.evidence.certificate import last_certificate
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.unfinished_destroy import is_gone_from_aws
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.iam_role import IamRole
from tapctl.reconcilers.lambda_function import LambdaFunction
from tapctl.reconcilers.lambda_function_settings import LambdaFunctionSpec
from tapctl.session.session import Session

_HOST: Final = "DB_ENDPOINT"
_WITH_CLUSTER: Final = frozenset({LambdaFunction.type, DbInstance.type})
_OF_A_RUN: Final = frozenset(
    {Reason.NEVER_MADE, Reason.APPLY_INTERRUPTED, Reason.DELETE_INTERRUPTED, Reason.DESTROY_UNFINISHED}
)
"""The reasons that lay an absent cluster to a run of ours."""


def is_cluster_lost(session: Session, manifest: Manifest, observed: Observations, kept: EarlierVersions) -> bool:
    """True if the cluster is gone, and nothing proves that a run of ours has removed it, or that it was never made.

    The versions of the record before this one prove it, where all of them can be read; where no version tells of one,
    the certificate of a destroy does, beside a record of nothing that is deployed. And nothing does where the function
    is there, or the record has it or an instance as made.
    """
    place = address(DbCluster.type, session.names.cluster)
    cluster = observed.get(place)
    if cluster is None or not is_gone_from_aws(cluster):
        return False
    if any(entry.type in _WITH_CLUSTER and entry.phase is Phase.MADE for entry in manifest.entries.values()):
        return True
    if _is_there(session, observed, LambdaFunction.type):
        return True
    entry = manifest.entries.get(place)
    if entry is not None and entry.phase is Phase.LEAVING:
        removed = _were_removed_before(session, kept)
    else:
        removed = kept.was_removed(place)
    never_made = removed is None and not _is_there(session, observed, IamRole.type)
    in_doubt = bool(kept.doubt) and not (removed is None and _is_destroyed(session, manifest, place))
    return not (removed or never_made) or in_doubt


def _is_destroyed(session: Session, manifest: Manifest, place: str) -> bool:
    """True if by its certificate a destroy has removed the cluster and left nothing, and the record has but the key."""
    if {entry.phase for entry in manifest.entries.values()} != {Phase.KEPT}:
        return False
    certificate = last_certificate(session.store, manifest)
    return certificate is not None and certificate.complete and place in certificate.gone - certificate.removed_outside


def _were_removed_before(session: Session, kept: EarlierVersions) -> bool | None:
    """True if a version removes what a run of ours removes before the cluster; None if no version has any of it."""
    names = session.names
    before = (address(LambdaFunction.type, names.function), address(DbInstance.type, names.instance(0)))
    told = {kept.was_removed(each) for each in before} - {None}
    return True in told if told else None


def _is_there(session: Session, observed: Observations, type_: str) -> bool:
    """True if the function, or its role, is there, and is ours by its tags or was given a cluster's host.

    An apply makes both with what only a cluster that is there can tell.
    """
    id_ = session.names.function if type_ == LambdaFunction.type else session.names.role
    seen = observed.get(address(type_, id_))
    if not isinstance(seen, Observed) or seen.deleting:
        return False
    return seen.owner == session.owner or (isinstance(seen.spec, LambdaFunctionSpec) and _HOST in seen.spec.environment)


def with_lost_cluster(findings: Iterable[Finding], names: Names) -> Iterator[Finding]:
    """The findings where the cluster is lost: its absence is no work of a run."""
    lost = address(DbCluster.type, names.cluster)
    for one in findings:
        is_it = (one.address, one.field) == (lost, WHOLE_RESOURCE) and one.reason in _OF_A_RUN
        yield replace(one, reason=Reason.ABSENT) if is_it else one
