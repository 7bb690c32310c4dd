from __future__ import annotations

from tapctl.aws.client import Aws
from tests.emulator.conftest import Build


def backups(aws: Aws) -> dict[str, str]:
    listed = aws.rds.describe_db_cluster_automated_backups()["DBClusterAutomatedBackups"]
    return {backup.get("DBClusterIdentifier", ""): backup.get("Status", "") for backup in listed}


def test_a_living_cluster_has_an_active_backup_which_goes_with_it(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    assert backups(aws) == {"c": "active"}
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    assert backups(aws) == {}


def test_a_backup_that_is_kept_tells_the_key_that_it_needs(aws: Aws, make_cluster: Build) -> None:
    key = aws.kms.create_key()["KeyMetadata"].get("Arn", "")
    make_cluster(StorageEncrypted=True, KmsKeyId=key)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    (backup,) = aws.rds.describe_db_cluster_automated_backups()["DBClusterAutomatedBackups"]
    assert (backup.get("Status"), backup.get("KmsKeyId")) == ("retained", key)


def test_a_snapshot_tells_which_of_the_clusters_of_one_name_it_is_of(aws: Aws, make_cluster: Build) -> None:
    ids = []
    for name in ("first", "second"):
        make_cluster()
        (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
        ids.append(cluster.get("DbClusterResourceId"))
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier=name)
    told = aws.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert {one.get("DBClusterSnapshotIdentifier"): one.get("DbClusterResourceId") for one in told} == {
        "first": ids[0],
        "second": ids[1],
    }
    assert ids[0] != ids[1]
