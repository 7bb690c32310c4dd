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
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.earlier_versions import EarlierVersions
from tapctl.evidence.unfinished_destroy import is_gone_from_aws
from tapctl.manifest.manifest import Manifest
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.db_instance import DbInstance
from tapctl.reconcilers.lambda_function import LambdaFunction, LambdaFunctionSpec
from tapctl.session.session import Session

_HOST: Final = "DB_ENDPOINT"
_WITH_CLUSTER: Final = frozenset({LambdaFunction.type, DbInstance.type})
_OF_A_RUN: Final = frozenset(
    {Reason.NEVER_MADE, Reason.APPLY_INTERRUPTED, Reason.DELETE_INTERRUPTED, Reason.DESTROY_UNFINISHED}
)
"""The reasons that lay an absent cluster to a run of ours."""


def is_cluster_lost(session: Session, manifest: Manifest, observed: Observations, kept: EarlierVersions) -> bool:
    """True if the cluster is gone, and something tells that no run of ours has removed it.

    That is the function, which is there; a record of the function or an instance as made; or the last version of the
    record that has the cluster.
    """
    place = address(DbCluster.type, session.names.cluster)
    cluster = observed.get(place)
    if cluster is None or not is_gone_from_aws(cluster):
        return False
    return (
        _is_function_there(session, observed)
        or any(entry.type in _WITH_CLUSTER and entry.phase is Phase.MADE for entry in manifest.entries.values())
        or (not _is_leaving(manifest.entries.get(place)) and kept.was_removed(place) is False)
    )


def _is_leaving(entry: Entry | None) -> bool:
    return entry is not None and entry.phase is Phase.LEAVING


def _is_function_there(session: Session, observed: Observations) -> bool:
    """True if the function is there, and is ours by its tags, or was given a cluster's host."""
    function = observed.get(address(LambdaFunction.type, session.names.function))
    if not isinstance(function, Observed) or function.deleting:
        return False
    assert isinstance(function.spec, LambdaFunctionSpec), "its address is a function's"
    return function.owner == session.owner or _HOST in function.spec.environment


def with_lost_cluster(findings: Iterable[Finding], names: Names) -> Iterator[Finding]:
    """The findings where the cluster is lost: its absence is no work of a run."""
    lost = address(DbCluster.type, names.cluster)
    for one in findings:
        is_it = (one.address, one.field) == (lost, WHOLE_RESOURCE) and one.reason in _OF_A_RUN
        yield replace(one, reason=Reason.ABSENT) if is_it else one
