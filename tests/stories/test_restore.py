"""An environment that comes back: with the data of its final snapshot, or empty, and never without a word."""

from __future__ import annotations

import pytest

from tests.failures.trouble import deny, refuse
from tests.support.world import World

CLUSTER = "db-cluster/db-cluster-dev"


@pytest.fixture(scope="module")
def gone(shared: World) -> World:
    """``dev``, destroyed with a final snapshot."""
    shared.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = true")
    shared.applied("dev")
    destroyed = shared.tapctl("destroy", "--env", "dev", "--yes", "--confirm", "dev")
    assert destroyed.code == 0, destroyed.err
    return shared


@pytest.fixture(scope="module")
def snapshot(gone: World) -> str:
    (taken,) = gone.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return str(taken["DBClusterSnapshotIdentifier"])


def test_an_apply_is_blocked_until_somebody_says_where_the_data_comes_from(gone: World, snapshot: str) -> None:
    for command in (["plan"], ["apply", "--yes"]):
        refused = gone.tapctl(*command, "--env", "dev")
        assert (refused.code, refused.changes) == (6, ())
        assert f"{CLUSTER} is not there, and a snapshot of its name is" in refused.err
        assert f"tapctl apply --env dev --restore {snapshot} makes it from that; --empty makes a new" in refused.err
    both = gone.tapctl("plan", "--env", "dev", "--restore", snapshot, "--empty")
    assert (both.code, both.changes) == (64, ())


def test_an_empty_one_is_made_only_where_that_is_said(gone: World, snapshot: str) -> None:
    planned = gone.tapctl("plan", "--env", "dev", "--empty")
    assert planned.code == 0
    assert f"made empty; {snapshot} stays" in planned.out


def test_a_slip_in_the_snapshots_name_restores_nothing(gone: World, snapshot: str) -> None:
    refused = gone.tapctl("apply", "--env", "dev", "--yes", "--restore", "other")
    assert (refused.code, refused.changes) == (6, ())
    assert f"snapshots of it: {snapshot}" in refused.err


@pytest.mark.soak
def test_what_the_snapshot_holds_is_asked_before_anything_is_made(gone: World, snapshot: str) -> None:
    gone.edit("common.toml", 'master_username = "', 'master_username = "x')
    refused = gone.tapctl("plan", "--env", "dev", "--restore", snapshot)
    gone.edit("common.toml", 'master_username = "x', 'master_username = "')
    assert (refused.code, refused.changes) == (6, ())
    assert "its master user is" in refused.err


def test_restored_data_has_a_final_snapshot_due_as_it_had_before(gone: World, snapshot: str) -> None:
    """No file has given it up: it is silent, and its environment is protected no more."""
    gone.edit("dev.toml", "final_snapshot = true\n", "")
    stays = "a final snapshot stays due: dev.toml does not say final_snapshot = false"
    told = [gone.tapctl("plan", "--env", "dev", "--restore", name) for name in (snapshot, "other")]
    rds = gone.client("rds")
    arn = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=snapshot)["DBClusterSnapshots"][0]
    rds.add_tags_to_resource(
        ResourceName=arn["DBClusterSnapshotArn"], Tags=[{"Key": "tapctl:final-snapshot", "Value": "false"}]
    )
    given_up = gone.tapctl("plan", "--env", "dev", "--restore", snapshot)
    rds.add_tags_to_resource(
        ResourceName=arn["DBClusterSnapshotArn"], Tags=[{"Key": "tapctl:final-snapshot", "Value": "true"}]
    )
    gone.edit("dev.toml", "protected = false\n", "protected = false\nfinal_snapshot = true\n")
    assert [(each.code, stays in each.err) for each in told] == [(0, True), (6, True)]
    assert (given_up.code, stays in given_up.err) == (0, False)


def test_an_approved_restore_takes_no_other_data_that_bears_the_name_of_the_snapshot_by_then(
    gone: World, snapshot: str
) -> None:
    rds = gone.client("rds")
    rds.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=snapshot, TargetDBClusterSnapshotIdentifier="before-the-move", CopyTags=True
    )
    file = str(gone.folder / "restore.plan")
    assert gone.tapctl("plan", "--env", "dev", "--restore", "before-the-move", "--out", file).code == 0
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before-the-move")
    login = {"MasterUsername": "payments_admin", "MasterUserPassword": "12345678"}
    theirs = {"StorageEncrypted": True, "EngineVersion": "16.8"}
    rds.create_db_cluster(DBClusterIdentifier="their-db", Engine="aurora-postgresql", **login, **theirs)
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="before-the-move", DBClusterIdentifier="their-db")
    refused = gone.tapctl("apply", "--plan", file, "--yes")
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before-the-move")
    rds.delete_db_cluster(DBClusterIdentifier="their-db", SkipFinalSnapshot=True)
    assert (refused.code, refused.changes) == (8, ()), refused.err
    assert "in AWS: the data: before-the-move, of " in refused.err


def test_data_in_a_database_of_another_name_is_not_restored_under_a_function_that_would_miss_it(
    gone: World, snapshot: str
) -> None:
    gone.edit("common.toml", 'name = "payments"', 'name = "paydb"')
    refused = gone.tapctl("plan", "--env", "dev", "--restore", snapshot)
    gone.edit("common.toml", 'name = "paydb"', 'name = "payments"')
    assert (refused.code, refused.changes) == (6, ())
    assert "its database is payments, by the record of its cluster (serial" in refused.err
    assert "wanted is paydb" in refused.err


@pytest.mark.soak
@pytest.mark.parametrize("scheduled", [False, True], ids=["disabled", "scheduled for deletion"])
def test_the_own_key_that_rests_comes_back_first_and_stops_no_restore(
    gone: World, snapshot: str, *, scheduled: bool
) -> None:
    kms = gone.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    if scheduled:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    else:
        kms.disable_key(KeyId=key)
    planned = gone.tapctl("plan", "--env", "dev", "--restore", snapshot)
    if scheduled:
        kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert (planned.code, f"restored from {snapshot}" in planned.out) == (0, True), planned.err


def test_whether_there_are_snapshots_has_to_be_readable(gone: World) -> None:
    refused = gone.meeting(deny("rds:DescribeDBClusterSnapshots"), "plan", "--env", "dev")
    assert refused.code == 6
    assert "allow rds:DescribeDBClusterSnapshots" in refused.err
    odd = gone.meeting(refuse(("rds:DescribeDBClusterSnapshots",), "InvalidParameterValue"), "plan", "--env", "dev")
    assert (odd.code, odd.changes) == (1, ())


def test_a_restore_that_was_cut_off_is_gone_on_with_as_a_restore(gone: World, snapshot: str) -> None:
    copy = ("--env", "dev", "--suffix", "pr-9")
    cut_off = gone.meeting(deny("rds:RestoreDBClusterFromSnapshot"), "apply", *copy, "--yes", "--restore", snapshot)
    assert (cut_off.code, gone.manifest("pr-9")["restoring"]) == (4, snapshot)
    goes_on = f"tapctl apply --env dev --suffix pr-9 --restore {snapshot}"
    refused = gone.tapctl("apply", *copy, "--yes")
    assert (refused.code, refused.changes, f"{goes_on} goes on" in refused.err) == (6, (), True), refused.err
    told = gone.tapctl("drift", *copy, "--json")
    assert (told.code, f"{goes_on} goes on" in told.err) == (7, True)
    assert {one["now"] for one in told.of_type("finding")} == {goes_on}
    assert f"{goes_on} goes on" in gone.tapctl("status", *copy).out
    assert "restoring" not in gone.manifest("dev")


def test_it_is_restored_in_one_call_and_brought_to_what_is_wanted(gone: World, snapshot: str) -> None:
    planned = gone.tapctl("plan", "--env", "dev", "--restore", snapshot)
    assert planned.code == 0
    assert f"restored from {snapshot}" in planned.out
    restored = gone.applied("dev", "--restore", snapshot)
    assert restored.changes.count("rds:RestoreDBClusterFromSnapshot") == 1
    assert "rds:CreateDBCluster" not in restored.changes
    (cluster,) = gone.client("rds").describe_db_clusters()["DBClusters"]
    assert cluster["MasterUserSecret"]["SecretStatus"] == "active"
    assert "restoring" not in gone.manifest("dev")
    assert gone.drift().code == 0
    again = gone.tapctl("apply", "--env", "dev", "--restore", snapshot)
    assert (again.code, again.changes) == (0, ())
    assert f"--restore {snapshot}: {CLUSTER} is there; nothing is restored" in again.err


@pytest.mark.soak
def test_one_that_somebody_has_deleted_comes_back_only_with_a_word_on_its_data(dev: World) -> None:
    rds = dev.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="db-cluster-dev", FinalDBSnapshotIdentifier="db-cluster-dev-by-dana-x")
    told = next(one for one in dev.drift().of_type("finding") if one["address"] == CLUSTER)
    assert (told["state"], told["undo"]) == ("MISSING", "tapctl apply --env dev")
    assert "--restore SNAPSHOT or --empty" in told["undo_note"]
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "--restore db-cluster-dev-by-dana-x makes it from that; --empty makes a new one" in refused.err
    assert "made empty; db-cluster-dev-by-dana-x stays" in dev.tapctl("plan", "--env", "dev", "--empty").out


@pytest.mark.parametrize("certificate", ["left", pytest.param("not written", marks=pytest.mark.soak)])
def test_after_a_destroy_that_was_cut_off_a_final_snapshot_that_is_gone_wants_a_word(
    dev: World, certificate: str
) -> None:
    """The record and its history tell that one was due; no destroy has certified what it has kept."""
    dev.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = true")
    dev.applied("dev")
    cut_off = dev.meeting(
        deny("rds:DeleteDBClusterParameterGroup"), "destroy", "--env", "dev", "--yes", "--confirm", "dev"
    )
    assert cut_off.code == 4, cut_off.err
    if certificate == "not written":
        dev.path().with_name("dev.certificate.json").unlink()
    rds = dev.client("rds")
    (taken,) = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=taken["DBClusterSnapshotIdentifier"])
    refused = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert "was removed by a destroy that was cut off, and its final snapshot is gone" in refused.err
    assert dev.tapctl("plan", "--env", "dev", "--empty").code == 0
