"""Clusters go in time, after their members; their snapshots take longer; and some come to a bad end."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.sandbox.clusters import BUSY, change, events, seen, status
from tests.sandbox.conftest import Build, Clock, Refused


def test_a_cluster_goes_once_all_its_members_are_going_and_after_them(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    def delete() -> None:
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)

    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "non-deleting state"):
        delete()
    clock.move(60)
    aws.rds.delete_db_instance(DBInstanceIdentifier="j")
    delete()
    assert status(aws) == "available"
    with refused(BUSY, "deleting"):
        delete()
    clock.move(5)
    assert (status(aws), len(seen(aws)["DBClusterMembers"])) == ("deleting", 2)
    clock.move(235)
    assert (status(aws), seen(aws)["DBClusterMembers"]) == ("deleting", [])
    clock.move(120)
    with refused("DBClusterNotFoundFault"):
        seen(aws)


def test_its_security_group_is_free_when_it_is_gone(
    aws: Aws, make_cluster: Build, network: Network, clock: Clock, refused: Refused
) -> None:
    """Although nobody asks RDS meanwhile."""
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=network.vpc_id)["GroupId"]
    make_cluster(VpcSecurityGroupIds=[group])
    clock.start()
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clock.move(119)
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    clock.move(1)
    aws.ec2.delete_security_group(GroupId=group)


def test_a_protected_cluster_stays_and_its_members_go(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    change(aws, DeletionProtection=True)
    clock.move(65)
    with refused("InvalidParameterCombination", "disable deletion protection"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")


def test_a_final_snapshot_takes_longer_than_the_cluster(aws: Aws, cluster: str, clock: Clock) -> None:
    def snapshot() -> tuple[str, int]:
        (one,) = aws.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="s")["DBClusterSnapshots"]
        return one["Status"], one["PercentProgress"]

    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    clock.move(120)
    assert aws.rds.describe_db_clusters()["DBClusters"] == []
    assert snapshot() == ("creating", 0)
    clock.move(120)
    assert snapshot() == ("available", 100)


def test_a_final_snapshot_may_fail(aws: Aws, cluster: str, clock: Clock) -> None:
    clock.life.demand("rds.snapshot", "failed")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    clock.move(240)
    (one,) = aws.rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert one["Status"] == "failed"


@pytest.mark.usefixtures("subnets")
@pytest.mark.parametrize("end", ["failed", "incompatible-network", "inaccessible-encryption-credentials"])
def test_a_cluster_comes_to_the_end_that_was_demanded(
    aws: Aws, clock: Clock, make_cluster: Build, refused: Refused, end: str
) -> None:
    clock.start()
    clock.life.demand("rds.cluster", end)
    make_cluster()
    clock.move(180)
    assert status(aws) == end
    assert len(events(aws)) == 1
    with refused(BUSY, end):
        change(aws, BackupRetentionPeriod=3)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


def test_a_change_comes_to_the_end_that_was_demanded(aws: Aws, cluster: str, clock: Clock) -> None:
    clock.life.demand("rds.cluster.change", "inaccessible-encryption-credentials")
    change(aws, BackupRetentionPeriod=3)
    clock.move(65)
    assert status(aws) == "inaccessible-encryption-credentials"
    assert "KMS" in events(aws)[-1]
