"""Who is to write while the writer changes its class or is rebooted: the others go first.

AWS's facts are from the RDS API reference (FailoverDBCluster, DBClusterMember) and the Aurora user guide ("High
availability for Amazon Aurora").
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tapctl.engine.model import Owner
from tapctl.errors import NotYet, Patience
from tapctl.reconcilers.db_instance_sight import (
    APPLYING,
    IN_FORCE,
    READY,
    STOPPED,
    TERMINAL,
    describe_instances,
    parameters,
)
from tapctl.reconcilers.rds import cluster_of, tags_of

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef, DBInstanceTypeDef

    from tapctl.aws import Aws
    from tapctl.reconcilers.db_instance_sight import DbInstanceSpec


def successor(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> str | None:
    """Who is to write while this one changes its class; None where it does not write, or nobody else can.

    ``staying``: the members that are wanted; None: all of ours. Only they are waited for. One that is to be removed
    writes where no other can: a moment's failover is less than a restart of minutes.

    Raises:
        NotYet: the others, which change first, are not done.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return None
    status = cluster.get("Status", "")
    stays: list[tuple[int, str]] = []
    leaves: list[tuple[int, str]] = []
    for one in _others(aws, id, want):
        name = one.get("DBInstanceIdentifier", "")
        wanted = staying is None or name in staying
        if wanted:
            _await(aws, id, one, want, busy=status != "available")
        if one.get("DBInstanceStatus") in READY:
            (stays if wanted else leaves).append((one.get("PromotionTier", 1), name))
    ready = sorted(stays) or sorted(leaves)
    if ready and status != "available":
        # Perhaps by our own failover, whose outcome does not show yet.
        raise NotYet(f"{want.cluster} is {status}", Patience.LONG)
    return ready[0][1] if ready else None


def readers_first(aws: Aws, id: str, want: DbInstanceSpec, staying: Collection[str] | None) -> None:
    """Let a writer be rebooted only when the readers, who may have to take over, run with the new parameters.

    Raises:
        NotYet: one of them does not.
    """
    cluster = cluster_of(aws, want.cluster)
    if cluster is None or not _writes(cluster, id):
        return
    for one in _others(aws, id, want):
        name, status = one.get("DBInstanceIdentifier", ""), one.get("DBInstanceStatus", "")
        waits = any(state not in IN_FORCE for _, state in parameters(aws, one))
        if (staying is None or name in staying) and (waits or status not in READY):
            why = "waits for its own reboot" if waits else f"is {status}"
            raise NotYet(f"{id} writes and is rebooted last: {name} {why}", Patience.LONG)


def _writes(cluster: DBClusterTypeDef, id: str) -> bool:
    members = cluster.get("DBClusterMembers", [])
    return any(one.get("IsClusterWriter") for one in members if one.get("DBInstanceIdentifier") == id)


def _others(aws: Aws, id: str, want: DbInstanceSpec) -> list[DBInstanceTypeDef]:
    """The other members that may be waited for, and written to: ours, and none that only somebody can bring back."""
    ours = Owner.of(want.tags)
    return [
        one
        for one in describe_instances(aws, "db-cluster-id", (want.cluster,))
        if one.get("DBInstanceIdentifier") != id
        and Owner.of(tags_of(one.get("TagList", []))) == ours
        and one.get("DBInstanceStatus") not in {*TERMINAL, STOPPED, "deleting"}
    ]


def _await(aws: Aws, id: str, other: DBInstanceTypeDef, want: DbInstanceSpec, *, busy: bool) -> None:
    """Wait for this one, unless it is as wanted.

    Raises:
        NotYet: it is not.
    """
    live, status = other.get("DBInstanceClass"), other.get("DBInstanceStatus")
    begins = f"{id} writes and changes last: {other.get('DBInstanceIdentifier')}"
    if live != want.instance_class:
        # Where AWS is at work on nothing, its change was refused, or somebody stopped it: then it never comes.
        idle = status in READY and not busy and not other.get("PendingModifiedValues")
        raise NotYet(f"{begins} is still {live}", Patience.BUSY if idle else Patience.LONG)
    if status not in READY:
        raise NotYet(f"{begins} is {status}", Patience.LONG)
    # A reboot that its parameters wait for is no reason to wait: it never comes by itself.
    if any(state == APPLYING for _, state in parameters(aws, other)):
        raise NotYet(f"{begins} is applying its parameters", Patience.LONG)
