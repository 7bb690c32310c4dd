"""The snapshots of a cluster: final ones that a removal leaves, those that it may be made from, who may restore them.

AWS's facts are from the RDS API reference (DescribeDBClusterSnapshots, DescribeDBClusterSnapshotAttributes).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tapctl.aws.tags import as_dict
from tapctl.engine.model import Owner, Retained, address
from tapctl.engine.trail import Trail
from tapctl.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef

    from tapctl.aws.client import Aws


SNAPSHOT: Final = "db-cluster-snapshot"
"""The type, in addresses, of a snapshot that a removal leaves: no type of the stack."""
RESTORABLE_BY: Final = "restorable_by"
"""The name of a finding's field on a snapshot: who else may restore it."""
RESOURCE_ID: Final = "resource_id"
"""The name of a finding's field on a snapshot: the cluster that it was taken of."""
KMS_KEY_ARN: Final = "kms_key_arn"
"""The name of a finding's field on a snapshot: its key."""
SNAPSHOT_TRAIL: Final = Trail(
    "rds",
    whole=("CreateDBClusterSnapshot", "CopyDBClusterSnapshot", "DeleteDBClusterSnapshot"),
    fields={RESTORABLE_BY: ("ModifyDBClusterSnapshotAttribute",)},
)
"""The events that concern such a snapshot."""
HAS_FAILED: Final = "it has failed: nothing can be restored from it, and it is no final snapshot"
"""The reason for which a certificate lists a failed snapshot: it is left, and was never kept."""
NO_SNAPSHOT: Final = "DBClusterSnapshotNotFoundFault"
_OF_CLUSTER: Final = re.compile(r".+-final-([a-z0-9]{26})(?:-[0-9]+)?")
"""A final snapshot's name: the resource id of its cluster is in it (`free_name`), which no other cluster ever has."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def snapshot_of(aws: Aws, name: str) -> DBClusterSnapshotTypeDef:
    """Read a cluster snapshot by its name or ARN.

    Raises:
        AwsRefused: there is none.
    """
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"), DBClusterSnapshotIdentifier=name)
    for page in pages:
        for snapshot in page.get("DBClusterSnapshots", []):
            return snapshot
    raise AwsRefused("rds", "DescribeDBClusterSnapshots", NO_SNAPSHOT, f"DBClusterSnapshot {name} not found.")


def snapshots_of(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    """List the manual snapshots of clusters of this name that are whole, final ones or not, the newest last."""
    found = {name: one for name, one in _manual_snapshots(aws).items() if one.get("DBClusterIdentifier") == id}
    return {name: one for name, one in sorted(found.items(), key=_age) if not has_failed(one)}


@dataclass(frozen=True)
class LastingSnapshot:
    """A snapshot that does not go with its cluster."""

    owner: Owner | None
    kms_key_arn: str
    cluster: str
    """The name of the cluster that it was taken of."""
    resource_id: str
    """The id of the cluster that it was taken of; empty where AWS does not tell."""
    restored_by: Collection[str] = ()
    """Accounts that may restore it beside its own (`restorers_of`)."""

    def is_ours_by_its_words(self, cluster: str, owner: Owner) -> bool:
        """True if it is of a cluster of this name, or bears this owner's tags."""
        return self.cluster == cluster or self.owner == owner


def lasting_snapshots(aws: Aws) -> dict[str, LastingSnapshot]:
    """Read the cluster snapshots of the account that are whole and no automated ones: one call."""
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"))
    return {
        snapshot["DBClusterSnapshotIdentifier"].rpartition(":")[2]: LastingSnapshot(
            Owner.of(as_dict(snapshot.get("TagList", []))),
            snapshot.get("KmsKeyId", ""),
            snapshot.get("DBClusterIdentifier", ""),
            snapshot.get("DbClusterResourceId", ""),
        )
        for page in pages
        for snapshot in page.get("DBClusterSnapshots", ())
        if snapshot.get("SnapshotType") != "automated" and not has_failed(snapshot)
    }


def has_failed(snapshot: Mapping[str, Any]) -> bool:
    """True if nothing can be restored from the snapshot: RDS could not take it."""
    return snapshot.get("Status") == "failed"


def cluster_in_name(snapshot: str) -> str:
    """The resource id of the cluster that a final snapshot is of, as its name has it; empty where it has none."""
    named = _OF_CLUSTER.fullmatch(snapshot)
    return f"cluster-{named[1].upper()}" if named else ""


def is_of_another_cluster(snapshot: str, resource_id: str) -> bool:
    """True if a final snapshot's name bears the resource id of another cluster than this one, of which AWS tells it."""
    own = cluster_in_name(snapshot)
    return own != "" and resource_id.lower() not in ("", own.lower())


def misnamed(name: str, snapshot: DBClusterSnapshotTypeDef) -> str:
    """Tell why no removal can have named this snapshot, which is named like a final one; empty if one can."""
    if not cluster_in_name(name):
        return "without the id of a cluster in its name"
    return "of another cluster" if is_of_another_cluster(name, snapshot.get("DbClusterResourceId", "")) else ""


def described_final_snapshots(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    """List the manual snapshots that a removal's final ones may be, the newest last; anybody may choose a name."""
    named = sorted(_named_final(aws, id).items(), key=_age)
    # Of one whose cluster AWS does not tell, the name tells it.
    return {name: snapshot for name, snapshot in named if snapshot.get("DBClusterIdentifier", id) == id}


def _named_final(aws: Aws, id: str) -> dict[str, DBClusterSnapshotTypeDef]:
    # A token and a number; the snapshots of a suffix that itself ends in "-final-1" have more.
    ours = re.compile(rf"{re.escape(id)}-final-[a-z0-9]+(-[0-9]+)?")
    return {name: snapshot for name, snapshot in _manual_snapshots(aws).items() if ours.fullmatch(name)}


def free_name(aws: Aws, id: str, resource_id: str) -> str:
    """Choose the final snapshot's name, from the cluster's resource id: a retry after a lost answer finds the same.

    A snapshot that bears the name already was taken by a removal that did not end, and misses later writes: another
    one is taken (``-2``, ``-3`` …).
    """
    token = resource_id.lower().removeprefix("cluster-")
    name, taken = f"{id}-final-{token}", _named_final(aws, id)
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 2))
    return next(candidate for candidate in (name, *numbered) if candidate not in taken)


def snapshots_left(aws: Aws, id: str, owner: Owner) -> Iterator[tuple[str, Retained]]:
    """List the snapshots that an earlier removal of the cluster has left; whose each is its name and tags tell."""
    for name, snapshot in described_final_snapshots(aws, id).items():
        why = "the final snapshot, by its name and tags: the database can be restored from it"
        but = "" if Owner.of(as_dict(snapshot.get("TagList", []))) == owner else "without its tags"
        if but := misnamed(name, snapshot) or but:
            user = snapshot.get("MasterUsername", "unknown")
            why = f"named like a final snapshot, {but}; its master user is {user}: see whose it is"
        if has_failed(snapshot):
            why = HAS_FAILED
        yield address(SNAPSHOT, name), Retained("you delete it", why)


def copies_under_other_keys(
    there: Mapping[str, LastingSnapshot], snapshots: Collection[str], cluster: str, owner: Owner
) -> Iterator[tuple[str, Retained]]:
    """List the copies of the data in these snapshots that other keys encrypt, and what is ours by its words.

    No removal of ours makes one, and no key of ours stays for them. Each has the id of the cluster that the data is of,
    whose name, or whose tags, may be all that tells it. ``there``: those that are there. ``snapshots``: those that are
    kept, or were.
    """
    keys = {there[name].kms_key_arn for name in snapshots if name in there}
    data = data_in(snapshots, there)
    for name, one in sorted(there.items()):
        if name in snapshots or one.kms_key_arn in keys:
            continue
        if one.resource_id.lower() in data:
            yield address(SNAPSHOT, name), Retained("you delete it", f"a copy of the data, under {one.kms_key_arn}")
        elif one.is_ours_by_its_words(cluster, owner):
            why = f"of a cluster of this name, or with its tags, under {one.kms_key_arn}: see whose it is"
            yield address(SNAPSHOT, name), Retained("you delete it", why)


def restored_data(aws: Aws, name: str) -> str:
    """The identity of the data that a restore of this snapshot takes: anybody may give another one its name.

    Of which cluster, taken when, under which key, and copied from where, as DescribeDBClusterSnapshots tells it.
    """
    snapshot = snapshot_of(aws, name)
    taken = snapshot.get("SnapshotCreateTime")
    cluster = snapshot.get("DbClusterResourceId") or snapshot.get("DBClusterIdentifier", "")
    words = [f"{name}, of {cluster}", f"taken at {taken:%Y-%m-%dT%H:%M:%SZ}" if taken else ""]
    words += [f"under {key}" if (key := snapshot.get("KmsKeyId")) else ""]
    words += [f"copied from {source}" if (source := snapshot.get("SourceDBClusterSnapshotArn")) else ""]
    return ", ".join(filter(None, words))


def data_in(snapshots: Collection[str], there: Mapping[str, LastingSnapshot]) -> frozenset[str]:
    """The resource ids of the clusters, in lower case, whose data these snapshots hold, by their names and by AWS."""
    told = (there[name].resource_id for name in snapshots if name in there)
    return frozenset(id_.lower() for id_ in (*map(cluster_in_name, snapshots), *told)) - {""}


def shared_snapshots(aws: Aws, id: str) -> frozenset[str]:
    """List who else may restore a manual snapshot; RDS shares no other kind, and keeps at most 100 of this one."""
    paginator = aws.rds.get_paginator("describe_db_cluster_snapshots")
    pages: list[Any] = aws.pages(paginator, DBClusterIdentifier=id, SnapshotType="manual")
    names = [each["DBClusterSnapshotIdentifier"] for page in pages for each in page.get("DBClusterSnapshots", ())]
    return frozenset(f"{name} by {account}" for name in names for account in restorers_of(aws, name))


def restorers_of(aws: Aws, snapshot: str) -> list[str]:
    """Read which other accounts may restore the snapshot; none of one that is gone.

    Raises:
        AwsRefused: AWS does not tell, or does not find the attributes of a snapshot that is there.
    """
    try:
        answer: Any = aws.read(aws.rds.describe_db_cluster_snapshot_attributes, DBClusterSnapshotIdentifier=snapshot)
    except AwsRefused as error:
        # Deleted since it was listed, which another look shows: every snapshot has attributes.
        if error.matches(NO_SNAPSHOT) and not _is_there(aws.afresh(), snapshot):
            return []
        raise
    return [
        account
        for attribute in answer["DBClusterSnapshotAttributesResult"]["DBClusterSnapshotAttributes"]
        if attribute["AttributeName"] == "restore"
        for account in attribute.get("AttributeValues", ())
    ]


def _is_there(aws: Aws, name: str) -> bool:
    try:
        snapshot_of(aws, name)
    except AwsRefused as error:
        if error.matches(NO_SNAPSHOT):
            return False
        raise
    return True


def snapshot_quota(aws: Aws) -> tuple[int, int]:
    """Read how many manual cluster snapshots there are, and may be; 0 of 1 where AWS tells no such quota."""
    quotas = aws.read(aws.rds.describe_account_attributes).get("AccountQuotas", [])
    known = {quota.get("AccountQuotaName"): (quota.get("Used", 0), quota.get("Max", 1)) for quota in quotas}
    return known.get("ManualClusterSnapshots", (0, 1))


def _manual_snapshots(aws: Aws) -> dict[str, DBClusterSnapshotTypeDef]:
    # Without DBClusterIdentifier, which must be an existing cluster's (DescribeDBClusterSnapshots).
    pages = aws.pages(aws.rds.get_paginator("describe_db_cluster_snapshots"), SnapshotType="manual")
    return {
        snapshot["DBClusterSnapshotIdentifier"]: snapshot
        for page in pages
        for snapshot in page.get("DBClusterSnapshots", ())
    }


def _age(item: tuple[str, DBClusterSnapshotTypeDef]) -> tuple[datetime, datetime, str]:
    """Sort key of a named snapshot, newest last: by its cluster, then by its own time, which a failed one may lack."""
    name, snapshot = item
    return snapshot.get("ClusterCreateTime", _FIRST), snapshot.get("SnapshotCreateTime", _LAST), name
