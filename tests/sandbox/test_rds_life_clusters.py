"""Clusters take their time, and whoever does not wait is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws import Aws
from tests.conftest import Network
from tests.sandbox.conftest import Build, Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef

BUSY = "InvalidDBClusterStateFault"


@pytest.fixture
def cluster(make_cluster: Build, clock: Clock) -> str:
    """A cluster that was there before time began."""
    make_cluster(EngineVersion="16.8")
    clock.start()
    return "c"


@pytest.fixture
def members(make_cluster: Build, make_instance: Build, clock: Clock) -> tuple[str, str]:
    """The members of such a cluster: a writer and a reader."""
    make_cluster(EngineVersion="16.8")
    for name in ("i", "j"):
        make_instance(name)
    clock.start()
    return "i", "j"


def seen(aws: Aws) -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier="c")["DBClusters"]
    return cluster


def status(aws: Aws) -> str:
    return seen(aws)["Status"]


def statuses(aws: Aws) -> set[str]:
    return {one["DBInstanceStatus"] for one in aws.rds.describe_db_instances()["DBInstances"]}


def writer(aws: Aws) -> str:
    return next(one["DBInstanceIdentifier"] for one in seen(aws)["DBClusterMembers"] if one["IsClusterWriter"])


def change(aws: Aws, **asked: Any) -> DBClusterTypeDef:
    return aws.rds.modify_db_cluster(DBClusterIdentifier="c", ApplyImmediately=True, **asked)["DBCluster"]


def events(aws: Aws) -> list[str]:
    told = aws.rds.describe_events(SourceIdentifier="c", SourceType="db-cluster")["Events"]
    return [one["Message"] for one in told]


@pytest.mark.usefixtures("subnets")
def test_what_was_just_made_is_not_found(
    aws: Aws, clock: Clock, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    clock.start()
    make_cluster()
    with refused("DBClusterAlreadyExistsFault"):
        make_cluster()
    for call in (lambda: seen(aws), make_instance, lambda: change(aws, BackupRetentionPeriod=3)):
        with refused("DBClusterNotFoundFault"):
            call()
    assert aws.rds.describe_db_clusters()["DBClusters"] == []
    clock.move(2)
    assert status(aws) == "creating"
    clock.move(1)
    with refused("DBClusterNotFoundFault"):
        seen(aws)
    clock.move(1)
    assert status(aws) == "creating"


@pytest.mark.usefixtures("subnets")
def test_a_cluster_in_the_making_takes_neither_a_change_nor_a_member_nor_its_removal(
    aws: Aws, clock: Clock, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    clock.start()
    make_cluster()
    clock.move(179)
    arn = seen(aws)["DBClusterArn"]
    with refused(BUSY, "creating"):
        change(aws, BackupRetentionPeriod=3)
    with refused(BUSY, "creating"):
        make_instance()
    with refused(BUSY, "creating"):
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])
    with refused(BUSY, "not currently in the available state"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clock.move(1)
    assert status(aws) == "available"
    make_instance()


def test_available_right_after_a_change_is_a_lie(aws: Aws, cluster: str, clock: Clock, refused: Refused) -> None:
    change(aws, BackupRetentionPeriod=9, CopyTagsToSnapshot=True, EnableIAMDatabaseAuthentication=True)
    now = seen(aws)
    assert (now["Status"], now["CopyTagsToSnapshot"], now["BackupRetentionPeriod"]) == ("available", True, 1)
    assert (now["IAMDatabaseAuthenticationEnabled"], now.get("PendingModifiedValues")) == (False, None)
    with refused(BUSY, "modifying"):
        change(aws, BackupRetentionPeriod=10)
    clock.move(5)
    now = seen(aws)
    assert (now["Status"], now["CopyTagsToSnapshot"], now["BackupRetentionPeriod"]) == ("modifying", True, 1)
    assert now["PendingModifiedValues"] == {"BackupRetentionPeriod": 9, "IAMDatabaseAuthenticationEnabled": True}
    clock.move(60)
    now = seen(aws)
    assert (now["Status"], now["BackupRetentionPeriod"]) == ("available", 9)
    assert now["IAMDatabaseAuthenticationEnabled"] is True
    assert not now.get("PendingModifiedValues")


def test_storage_that_is_left_out_is_pending_by_its_name(aws: Aws, cluster: str, clock: Clock) -> None:
    change(aws, StorageType="aurora-iopt1")
    clock.move(65)
    change(aws, StorageType="aurora")
    clock.move(5)
    assert seen(aws)["StorageType"] == "aurora-iopt1"
    assert seen(aws)["PendingModifiedValues"] == {"StorageType": "aurora"}


def test_groups_and_log_exports_are_on_their_way(aws: Aws, make_cluster: Build, network: Network, clock: Clock) -> None:
    old, both, new = (
        aws.ec2.create_security_group(GroupName=name, Description="d", VpcId=network.vpc_id)["GroupId"]
        for name in ("old", "both", "new")
    )
    make_cluster(VpcSecurityGroupIds=[old, both], EnableCloudwatchLogsExports=["postgresql"])
    clock.start()
    change(
        aws,
        VpcSecurityGroupIds=[both, new],
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["instance"], "DisableLogTypes": ["postgresql"]},
    )
    clock.move(5)
    states = {one["VpcSecurityGroupId"]: one["Status"] for one in seen(aws)["VpcSecurityGroups"]}
    assert states == {old: "removing", both: "active", new: "adding"}
    assert seen(aws)["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert seen(aws)["PendingModifiedValues"]["PendingCloudwatchLogsExports"] == {
        "LogTypesToEnable": ["instance"],
        "LogTypesToDisable": ["postgresql"],
    }
    clock.move(60)
    states = {one["VpcSecurityGroupId"]: one["Status"] for one in seen(aws)["VpcSecurityGroups"]}
    assert states == {both: "active", new: "active"}
    assert seen(aws)["EnabledCloudwatchLogsExports"] == ["instance"]


def test_log_exports_may_begin_with_none(aws: Aws, cluster: str, clock: Clock) -> None:
    change(aws, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["instance"]})
    clock.move(5)
    assert seen(aws)["EnabledCloudwatchLogsExports"] == []
    pending = seen(aws)["PendingModifiedValues"]["PendingCloudwatchLogsExports"]
    assert pending == {"LogTypesToEnable": ["instance"]}


def test_what_waits_for_the_window_or_is_as_it_was_changes_no_state(aws: Aws, cluster: str, clock: Clock) -> None:
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.9")
    change(aws, BackupRetentionPeriod=1)
    clock.move(5)
    assert status(aws) == "available"


@pytest.mark.parametrize(("version", "takes_s"), [("16.9", 600), ("17.4", 2400)])
def test_an_upgrade_takes_all_members_along(
    aws: Aws, members: tuple[str, str], clock: Clock, version: str, takes_s: float
) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="j")
    change(aws, EngineVersion=version, AllowMajorVersionUpgrade=True)
    clock.move(5)
    assert (status(aws), statuses(aws)) == ("upgrading", {"upgrading", "deleting"})
    assert (seen(aws)["EngineVersion"], seen(aws)["PendingModifiedValues"]) == ("16.8", {"EngineVersion": version})
    clock.move(takes_s - 1)
    assert status(aws) == "upgrading"
    clock.move(1)
    assert (status(aws), statuses(aws), seen(aws)["EngineVersion"]) == ("available", {"available"}, version)


def test_another_port_restarts_all_members(aws: Aws, members: tuple[str, str], clock: Clock) -> None:
    change(aws, Port=5433)
    clock.move(5)
    assert statuses(aws) == {"rebooting"}
    clock.move(60)
    assert (status(aws), statuses(aws)) == ("available", {"available"})


def test_a_failover_is_news_late(aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused) -> None:
    first, second = members
    aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=second)
    assert (status(aws), writer(aws)) == ("available", first)
    with refused(BUSY, "failing-over"):
        aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=second)
    clock.move(34)
    assert (status(aws), writer(aws)) == ("failing-over", first)
    clock.move(1)
    assert (status(aws), writer(aws)) == ("available", second)
    assert events(aws)[-1] == f"Completed failover to DB instance: {second}"


def test_a_failover_is_to_a_reader_that_is_available(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    first, second = members
    with refused(BUSY, "is the writer"):
        aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=first)
    aws.rds.reboot_db_instance(DBInstanceIdentifier=second)
    with refused("InvalidDBInstanceState", "rebooting"):
        aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=second)
    clock.move(65)
    aws.rds.failover_db_cluster(DBClusterIdentifier="c")
    clock.move(35)
    assert writer(aws) == second


# -- the end ---------------------------------------------------------------------------------------------------------


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
