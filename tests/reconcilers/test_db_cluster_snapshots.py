"""The final snapshot that a deleted cluster leaves, among those of earlier clusters of its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.tags import as_list
from tapctl.engine.model import Owner
from tapctl.errors import NotConverged
from tapctl.reconcilers.db_cluster_settings import DbClusterSpec
from tapctl.reconcilers.db_cluster_snapshots import lasting_snapshots, snapshots_left, snapshots_of
from tests.reconcilers.cases import db_cluster as case
from tests.reconcilers.scripted import answer
from tests.reconcilers.test_db_cluster_settings import with_

REC, ID = case.RECONCILER, case.ID
DUE = with_(tags={"tapctl:final-snapshot": "true"})
NOT_DUE = with_(tags={"tapctl:final-snapshot": "false"})
OLD, NEW = datetime(2031, 1, 1, tzinfo=UTC), datetime(2031, 5, 1, tzinfo=UTC)


def snapshot(name: str, status: str, cluster: datetime, taken: datetime | None = None, **more: Any) -> dict[str, Any]:
    own = {} if taken is None else {"SnapshotCreateTime": taken}
    named = {"DBClusterSnapshotIdentifier": name, "DBClusterIdentifier": ID}
    return {**named, "Status": status, "ClusterCreateTime": cluster, **own, **more}


def remaining_after_delete(aws: Aws, last: DbClusterSpec, *snapshots: dict[str, Any]) -> str | None:
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": list(snapshots)}, times=1)
    left = REC.remaining_after_delete(aws, ID, last)
    return left.told if left else None


def test_a_final_snapshot_being_taken_is_waited_for(aws: Aws) -> None:
    mine = snapshot(f"{ID}-final-x", "creating", NEW, PercentProgress=40)
    other = snapshot("of-somebody-else", "creating", NEW)
    for last in (DUE, NOT_DUE):
        assert remaining_after_delete(aws, last, other, mine) == f"the final snapshot {ID}-final-x is creating (40 %)"
    assert remaining_after_delete(aws, DUE, other) is None
    assert remaining_after_delete(aws, DUE, {**mine, "Status": "available"}) is None


def test_a_final_snapshot_of_which_aws_does_not_tell_the_cluster_is_waited_for_by_its_name(aws: Aws) -> None:
    mine = snapshot(f"{ID}-final-x", "creating", NEW)
    del mine["DBClusterIdentifier"]
    assert remaining_after_delete(aws, DUE, mine) == f"the final snapshot {ID}-final-x is creating (0 %)"


def test_a_failed_newest_snapshot_is_an_error_where_one_was_due(aws: Aws) -> None:
    # One of an earlier removal, which did not end, and then the last, which has no time since nothing was taken.
    before = snapshot(f"{ID}-final-x", "available", NEW, NEW)
    failed = snapshot(f"{ID}-final-x-2", "failed", NEW)
    with pytest.raises(NotConverged, match=f"{ID}-final-x-2 has failed"):
        remaining_after_delete(aws, DUE, before, failed)


def test_a_failed_snapshot_of_an_earlier_cluster_is_ignored(aws: Aws) -> None:
    failed = snapshot(f"{ID}-final-x", "failed", OLD)
    assert remaining_after_delete(aws, DUE, snapshot(f"{ID}-final-y", "available", NEW, NEW), failed) is None
    assert remaining_after_delete(aws, NOT_DUE, failed) is None


def test_a_snapshot_of_a_suffix_that_begins_like_ours_is_ignored(aws: Aws) -> None:
    theirs = snapshot(f"{ID}-final-1-final-abc", "creating", NEW, PercentProgress=40)
    assert remaining_after_delete(aws, NOT_DUE, theirs) is None
    assert (
        remaining_after_delete(aws, NOT_DUE, snapshot(f"{ID}-final-abc-2", "creating", NEW, PercentProgress=40))
        is not None
    )


def test_a_snapshot_of_another_cluster_under_such_a_name_is_ignored(aws: Aws) -> None:
    mine = snapshot(f"{ID}-final-x", "available", OLD, OLD)
    theirs = snapshot(f"{ID}-final-y", "available", NEW, NEW, DBClusterIdentifier="of-somebody-else")
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [mine, theirs]}, times=2)
    assert [*snapshots_of(aws, ID)] == [f"{ID}-final-x"]
    assert [one for one, _ in REC.retained_after_delete(aws, ID, DUE, {})] == [f"db-cluster-snapshot/{ID}-final-x"]
    assert remaining_after_delete(aws, DUE, {**theirs, "Status": "creating"}) is None


def test_only_a_snapshot_of_the_very_cluster_that_was_removed_is_its_final_one(aws: Aws) -> None:
    mine = snapshot(f"{ID}-final-x", "available", NEW, NEW, DbClusterResourceId="cluster-X")
    theirs = snapshot(f"{ID}-final-evil", "available", NEW, NEW, DbClusterResourceId="cluster-Y", MasterUsername="m")
    untold = snapshot(f"{ID}-final-old", "available", OLD, OLD)
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": [mine, theirs, untold]}, times=2)
    another = "of another cluster of this name, whose master user is"
    retained = REC.retained_after_delete(aws, ID, DUE, {"resource_id": "cluster-X"})
    assert {place.rpartition("/")[2]: why.why for place, why in retained} == {
        f"{ID}-final-x": "the final snapshot: the database can be restored from it",
        f"{ID}-final-evil": f"{another} m: no final snapshot of this one",
        f"{ID}-final-old": f"{another} unknown: no final snapshot of this one",
    }
    assert all(another in why.why for _, why in REC.retained_after_delete(aws, ID, DUE, {}))


def test_where_no_run_has_recorded_which_cluster_it_was_the_snapshots_name_tells_whose_it_is(aws: Aws) -> None:
    token = "abcdefghijklmnopqrstuvwxyz"
    own, other = f"cluster-{token.upper()}", "cluster-ZYXWVUTSRQPONMLKJIHGFEDCBA"
    snapshots = [
        snapshot(f"{ID}-final-{token}", "available", OLD, OLD, DbClusterResourceId=own),
        snapshot(f"{ID}-final-{token}-2", "available", NEW, NEW, DbClusterResourceId=other),
    ]
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": snapshots})
    (mine, theirs) = [why.why for _, why in REC.retained_after_delete(aws, ID, DUE, {})]
    assert mine == "the final snapshot: the database can be restored from it"
    assert theirs.startswith("of another cluster of this name")


def test_what_an_earlier_removal_has_left_is_told_by_its_tags(aws: Aws) -> None:
    owner = Owner.ours("dev", "dev")
    mine = snapshot(f"{ID}-final-x", "available", NEW, NEW, TagList=as_list(owner.tags))
    theirs = snapshot(f"{ID}-final-y", "available", NEW, NEW, MasterUsername="m")
    token = "5hdoraiu94npppx9hw65gqaa0w"
    own = snapshot(f"{ID}-final-{token}", "available", NEW, NEW, DbClusterResourceId=f"cluster-{token.upper()}")
    own["TagList"] = as_list(owner.tags)
    another = own | {"DBClusterSnapshotIdentifier": f"{ID}-final-{token[::-1]}-2", "MasterUsername": "evil"}
    untold = {key: value for key, value in own.items() if key != "DbClusterResourceId"}
    untold["DBClusterSnapshotIdentifier"] = f"{ID}-final-{token}-2"
    untagged = untold | {"TagList": [], "MasterUsername": "m", "DBClusterSnapshotIdentifier": f"{ID}-final-{token}-3"}
    shown = [mine, theirs, own, another, untold, untagged]
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": shown}, times=1)
    told = {place.rpartition("/")[2]: why.why for place, why in snapshots_left(aws, ID, owner)}
    for name in (f"{ID}-final-{token}", f"{ID}-final-{token}-2"):
        assert told.pop(name) == "the final snapshot, by its name and tags: the database can be restored from it"
    assert told.pop(f"{ID}-final-{token[::-1]}-2") == (
        "named like a final snapshot, of another cluster; its master user is evil: see whose it is"
    )
    but = "without the id of a cluster in its name"
    assert told == {
        f"{ID}-final-x": f"named like a final snapshot, {but}; its master user is unknown: see whose it is",
        f"{ID}-final-y": f"named like a final snapshot, {but}; its master user is m: see whose it is",
        f"{ID}-final-{token}-3": "named like a final snapshot, without its tags; its master user is m: see whose it is",
    }


def test_snapshots_that_last_are_whole_and_no_automated_ones(aws: Aws) -> None:
    """AWS Backup's have a name of theirs, as the key's users tell them."""
    shown = [
        snapshot("archive", "available", NEW, SnapshotType="manual", KmsKeyId="arn"),
        snapshot("awsbackup:job-1", "available", NEW, SnapshotType="awsbackup"),
        snapshot("failed", "failed", NEW, SnapshotType="manual"),
        snapshot("rds:daily", "available", NEW, SnapshotType="automated"),
    ]
    answer(aws.rds, "DescribeDBClusterSnapshots", {"DBClusterSnapshots": shown}, times=1)
    assert {name: one.kms_key_arn for name, one in lasting_snapshots(aws).items()} == {"archive": "arn", "job-1": ""}
