"""A cluster that is gone while the function is there: somebody has removed it, whatever the record says.

A function is made after the cluster, whose host it is given, and removed before it: no run of ours, cut off anywhere,
leaves it without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from tapctl.commands.unfinished_destroy import is_gone_from_aws
from tapctl.engine.drift import WHOLE_RESOURCE, Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.lambda_function import LambdaFunction, LambdaFunctionSpec

_HOST: Final = "DB_ENDPOINT"
_OF_A_RUN: Final = frozenset(
    {Reason.NEVER_MADE, Reason.APPLY_INTERRUPTED, Reason.DELETE_INTERRUPTED, Reason.DESTROY_UNFINISHED}
)
"""The reasons that lay an absent cluster to a run of ours."""


def is_cluster_lost(names: Names, observed: Observations) -> bool:
    """True if the cluster is gone, and the function is there that was given its host."""
    cluster = observed.get(address(DbCluster.type, names.cluster))
    function = observed.get(address(LambdaFunction.type, names.function))
    if cluster is None or not is_gone_from_aws(cluster):
        return False
    if not isinstance(function, Observed) or function.deleting:
        return False
    return isinstance(function.spec, LambdaFunctionSpec) and _HOST in function.spec.environment


def with_lost_cluster(findings: Iterable[Finding], names: Names) -> Iterator[Finding]:
    """The findings where the cluster is lost: its absence is no work of a run."""
    lost = address(DbCluster.type, names.cluster)
    for one in findings:
        is_it = (one.address, one.field) == (lost, WHOLE_RESOURCE) and one.reason in _OF_A_RUN
        yield replace(one, reason=Reason.ABSENT) if is_it else one
