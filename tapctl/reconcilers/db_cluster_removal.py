"""Removal of an Aurora cluster: whether a final snapshot is due, and what makes RDS refuse the removal.

AWS's facts are from the RDS API reference (DeleteDBCluster).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.refusals import where_known
from tapctl.aws.tags import as_dict
from tapctl.engine.model import Owner, Spec, address
from tapctl.errors import AwsRefused, Refused
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_instance import describe_instances
from tapctl.reconcilers.rds import how_to_delete

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

FINAL_SNAPSHOT_TAG: Final = "tapctl:final-snapshot"
"""The cluster's own tag, so that the answer is known without the files that once said it."""
_WORDS_TO_SKIP: Final = 2


def final_snapshot_due(live: DbClusterSpec | None, last: Spec | None, configured: bool | None) -> bool:
    """True if a final snapshot has to be taken: unless two of the three say no, and none says otherwise.

    A missing tag, a missing record and a missing file say nothing: data goes only by two words, since each of them may
    be somebody else's.
    """
    words = [word_on_snapshot(live), word_on_snapshot(last), configured]
    return any(word is True for word in words) or sum(word is False for word in words) < _WORDS_TO_SKIP


def word_on_snapshot(spec: Spec | None) -> bool | None:
    """Read what the tag says; None where there is none. Any other text than ``false`` wants the snapshot."""
    text = spec.tags.get(FINAL_SNAPSHOT_TAG) if isinstance(spec, DbClusterSpec) else None
    return None if text is None else text != "false"


def ties_of(cluster: Mapping[str, Any]) -> list[str]:
    """Name what makes RDS refuse to delete this cluster (DeleteDBCluster): a global cluster, a source, replicas."""
    tied = [f"global cluster {cluster['GlobalClusterIdentifier']}"] if cluster.get("GlobalClusterIdentifier") else []
    source = cluster.get("ReplicationSourceIdentifier")
    tied += [f"its source {source}"] if source else []
    return [*tied, *(f"its replica {replica}" for replica in cluster.get("ReadReplicaIdentifiers") or ())]


def sources_of(aws: Aws, id: str) -> Iterator[str]:
    """Name the integrations and the blue/green deployments that this cluster is the source of, and that do not end."""
    client: Any = aws.rds  # untyped, since the operation's name is data
    for what, listing, member, ended in (
        ("integration", "describe_integrations", "Integration", {"deleting"}),
        (
            *("blue/green deployment", "describe_blue_green_deployments", "BlueGreenDeployment"),
            {"DELETING", "SWITCHOVER_COMPLETED"},
        ),
    ):
        pages: list[Any] = where_known(partial(aws.pages, client.get_paginator(listing)), [])
        for each in (each for page in pages for each in page.get(f"{member}s", ())):
            source = str(each.get("SourceArn") or each.get("Source", ""))
            if source == aws.arn("rds", f"cluster:{id}") and each.get("Status") not in ended:
                yield f"its {what} {each.get(f'{member}Name', '')}"


def held_by_others(aws: Aws, id: str, members: Iterable[str]) -> Refused:
    """Refuse the removal of a cluster with members of somebody else's, of these addresses."""
    foreign = sorted(members)
    return Refused(
        f"{address('db-cluster', id)} holds what is not ours and is never removed: {', '.join(foreign)}",
        evidence="RDS deletes no cluster that has members",
        hint=f"if it may go: {how_to_delete(aws, foreign[0].partition('/')[2])}, then run this again",
    )


def refuse_foreign_members(aws: Aws, id: str, ours: Owner | None) -> None:
    """Look for members that somebody else added meanwhile: they stay, and so does the cluster, however long one waits.

    Raises:
        Refused: there are foreign members.
    """
    try:
        members = describe_instances(aws, "db-cluster-id", (id,))
    except AwsRefused:
        # The refusal that is being explained matters more than this one.
        return
    foreign = [
        address("db-instance", member.get("DBInstanceIdentifier", ""))
        for member in members
        if member.get("DBInstanceStatus") != "deleting" and Owner.of(as_dict(member.get("TagList", []))) != ours
    ]
    if foreign:
        raise held_by_others(aws, id, foreign)
