"""The secret that RDS has made with a cluster of an unfinished run of ours: RDS's own schedule, and no tags.

Whoever may write the record may call a run unfinished: so that is all that is laid to the run, and nothing is that lets
others read the secret, or leaves it without rotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from tapctl.engine.drift import Finding, Reason
from tapctl.engine.model import Observed, address
from tapctl.engine.observe import Observations
from tapctl.engine.record import Entry, Phase
from tapctl.names import Names
from tapctl.reconcilers.db_cluster import DbCluster
from tapctl.reconcilers.secret_rotation import RDS_ROTATION_DAYS, SecretRotation, SecretRotationOutputs

_ARN: Final = "secret_arn"


def with_new_secret(
    findings: Iterable[Finding], names: Names, entries: Mapping[str, Entry], observed: Observations
) -> Iterator[Finding]:
    """The findings of a run that was cut off, where what RDS gives every new secret is pending, and no drift."""
    place = address(SecretRotation.type, names.cluster)
    is_new = _is_of_our_cluster(names, entries, observed)
    for one in findings:
        if is_new and one.address == place and one.waiver is None and _is_rds_s(one):
            asked = one.live if one.reason is Reason.REPLACED else one.recorded
            yield replace(one, reason=Reason.UNCONFIRMED, asked=asked)
        else:
            yield one


def _is_of_our_cluster(names: Names, entries: Mapping[str, Entry], observed: Observations) -> bool:
    """True if the secret is another one than was recorded of the rotation, and is the recorded cluster's.

    A cluster that is being made has none recorded yet.
    """
    cluster = entries.get(address(DbCluster.type, names.cluster))
    rotation = entries.get(address(SecretRotation.type, names.cluster))
    seen = observed.get(address(SecretRotation.type, names.cluster))
    if cluster is None or rotation is None or not isinstance(seen, Observed):
        return False
    assert isinstance(seen.outputs, SecretRotationOutputs), "RDS tells the secret's ARN with the secret"
    live = seen.outputs.secret_arn
    if rotation.claim.get(_ARN) == live:
        return False
    return live == cluster.claim.get(_ARN, live if cluster.phase is Phase.MAKING else "")


def _is_rds_s(one: Finding) -> bool:
    """True if the finding tells of what RDS gives every secret that it makes."""
    root = one.field.partition(".")[0]
    if root == "tags":
        return one.live is None
    return root == _ARN or (root == "rotation_days" and bool(one.live == RDS_ROTATION_DAYS))
