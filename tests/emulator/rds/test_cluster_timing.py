"""Clusters take their time, and whoever does not wait is refused."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Clock, Refused
from tests.emulator.rds.helpers import BUSY, change, describe, events, status, statuses, writer


@pytest.mark.usefixtures("subnets")
def test_what_was_just_made_is_not_found(
    aws: Aws, clock: Clock, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    clock.start()
    make_cluster()
    with refused("DBClusterAlreadyExistsFault"):
        make_cluster()
    for call in (lambda: describe(aws), make_instance, lambda: change(aws, BackupRetentionPeriod=3)):
        with refused("DBClusterNotFoundFault"):
            call()
    assert aws.rds.describe_db_clusters()["DBClusters"] == []
    clock.advance(2)
    assert status(aws) == "creating"
    clock.advance(1)
    with refused("DBClusterNotFoundFault"):
        describe(aws)
    clock.advance(1)
    assert status(aws) == "creating"


@pytest.mark.usefixtures("subnets")
def test_a_cluster_in_the_making_takes_neither_a_change_nor_a_member_nor_its_removal(
    aws: Aws, clock: Clock, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    clock.start()
    make_cluster()
    clock.advance(179)
    arn = describe(aws)["DBClusterArn"]
    with refused(BUSY, "creating"):
        change(aws, BackupRetentionPeriod=3)
    with refused(BUSY, "creating"):
        make_instance()
    with refused(BUSY, "creating"):
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])
    with refused(BUSY, "not currently in the available state"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clock.advance(1)
    assert status(aws) == "available"
    make_instance()


def test_available_right_after_a_change_is_a_lie(aws: Aws, cluster: str, clock: Clock, refused: Refused) -> None:
    change(aws, BackupRetentionPeriod=9, CopyTagsToSnapshot=True, EnableIAMDatabaseAuthentication=True)
    now = describe(aws)
    assert (now["Status"], now["CopyTagsToSnapshot"], now["BackupRetentionPeriod"]) == ("available", True, 1)
    assert (now["IAMDatabaseAuthenticationEnabled"], now.get("PendingModifiedValues")) == (False, None)
    with refused(BUSY, "modifying"):
        change(aws, BackupRetentionPeriod=10)
    clock.advance(5)
    now = describe(aws)
    assert (now["Status"], now["CopyTagsToSnapshot"], now["BackupRetentionPeriod"]) == ("modifying", True, 1)
    assert now["PendingModifiedValues"] == {"BackupRetentionPeriod": 9, "IAMDatabaseAuthenticationEnabled": True}
    clock.advance(60)
    now = describe(aws)
    assert (now["Status"], now["BackupRetentionPeriod"]) == ("available", 9)
    assert now["IAMDatabaseAuthenticationEnabled"] is True
    assert not now.get("PendingModifiedValues")


def test_a_finished_change_is_not_pending_again_during_the_next(
    aws: Aws, members: tuple[str, str], clock: Clock
) -> None:
    change(aws, BackupRetentionPeriod=9)
    clock.advance(65)
    aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier="j")
    for seconds in (0, 6):
        clock.advance(seconds)
        assert (describe(aws)["BackupRetentionPeriod"], describe(aws).get("PendingModifiedValues")) == (9, None)
    assert status(aws) == "failing-over"


def test_storage_that_is_left_out_is_pending_by_its_name(aws: Aws, cluster: str, clock: Clock) -> None:
    change(aws, StorageType="aurora-iopt1")
    clock.advance(65)
    change(aws, StorageType="aurora")
    clock.advance(5)
    assert describe(aws)["StorageType"] == "aurora-iopt1"
    assert describe(aws)["PendingModifiedValues"] == {"StorageType": "aurora"}


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
    clock.advance(5)
    states = {group["VpcSecurityGroupId"]: group["Status"] for group in describe(aws)["VpcSecurityGroups"]}
    assert states == {old: "removing", both: "active", new: "adding"}
    assert describe(aws)["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert describe(aws)["PendingModifiedValues"]["PendingCloudwatchLogsExports"] == {
        "LogTypesToEnable": ["instance"],
        "LogTypesToDisable": ["postgresql"],
    }
    clock.advance(60)
    states = {group["VpcSecurityGroupId"]: group["Status"] for group in describe(aws)["VpcSecurityGroups"]}
    assert states == {both: "active", new: "active"}
    assert describe(aws)["EnabledCloudwatchLogsExports"] == ["instance"]


def test_log_exports_may_begin_with_none(aws: Aws, cluster: str, clock: Clock) -> None:
    change(aws, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["instance"]})
    clock.advance(5)
    assert describe(aws)["EnabledCloudwatchLogsExports"] == []
    pending = describe(aws)["PendingModifiedValues"]["PendingCloudwatchLogsExports"]
    assert pending == {"LogTypesToEnable": ["instance"]}


def test_what_waits_for_the_window_or_is_as_it_was_changes_no_state(aws: Aws, cluster: str, clock: Clock) -> None:
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.9")
    change(aws, BackupRetentionPeriod=1)
    clock.advance(5)
    assert status(aws) == "available"


@pytest.mark.parametrize(("version", "takes_s"), [("16.9", 600), ("17.4", 2400)])
def test_an_upgrade_takes_all_members_along(
    aws: Aws, members: tuple[str, str], clock: Clock, version: str, takes_s: float
) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="j")
    change(aws, EngineVersion=version, AllowMajorVersionUpgrade=True)
    clock.advance(5)
    assert (status(aws), statuses(aws)) == ("upgrading", {"upgrading", "deleting"})
    assert (describe(aws)["EngineVersion"], describe(aws)["PendingModifiedValues"]) == (
        "16.8",
        {"EngineVersion": version},
    )
    clock.advance(takes_s - 1)
    assert status(aws) == "upgrading"
    clock.advance(1)
    assert (status(aws), statuses(aws), describe(aws)["EngineVersion"]) == ("available", {"available"}, version)


def test_another_port_restarts_all_members(aws: Aws, members: tuple[str, str], clock: Clock) -> None:
    change(aws, Port=5433)
    clock.advance(5)
    assert statuses(aws) == {"rebooting"}
    clock.advance(60)
    assert (status(aws), statuses(aws)) == ("available", {"available"})


def test_a_failover_is_news_late(aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused) -> None:
    first, second = members
    aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=second)
    assert (status(aws), writer(aws)) == ("available", first)
    with refused(BUSY, "failing-over"):
        aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier=second)
    clock.advance(34)
    assert (status(aws), writer(aws)) == ("failing-over", first)
    clock.advance(1)
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
    clock.advance(65)
    aws.rds.failover_db_cluster(DBClusterIdentifier="c")
    clock.advance(35)
    assert writer(aws) == second


def test_a_cluster_goes_once_all_its_members_are_going_and_after_them(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    def delete() -> None:
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)

    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "non-deleting state"):
        delete()
    clock.advance(60)
    aws.rds.delete_db_instance(DBInstanceIdentifier="j")
    delete()
    assert status(aws) == "available"
    with refused(BUSY, "deleting"):
        delete()
    clock.advance(5)
    assert (status(aws), len(describe(aws)["DBClusterMembers"])) == ("deleting", 2)
    clock.advance(235)
    assert (status(aws), describe(aws)["DBClusterMembers"]) == ("deleting", [])
    clock.advance(120)
    with refused("DBClusterNotFoundFault"):
        describe(aws)


def test_its_security_group_is_free_when_it_is_gone(
    aws: Aws, make_cluster: Build, network: Network, clock: Clock, refused: Refused
) -> None:
    """Although nobody asks RDS meanwhile."""
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=network.vpc_id)["GroupId"]
    make_cluster(VpcSecurityGroupIds=[group])
    clock.start()
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clock.advance(119)
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    clock.advance(1)
    aws.ec2.delete_security_group(GroupId=group)


def test_a_protected_cluster_stays_and_its_members_go(
    aws: Aws, members: tuple[str, str], clock: Clock, refused: Refused
) -> None:
    change(aws, DeletionProtection=True)
    clock.advance(65)
    with refused("InvalidParameterCombination", "disable deletion protection"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")


def test_a_final_snapshot_takes_longer_than_the_cluster(aws: Aws, cluster: str, clock: Clock) -> None:
    def snapshot() -> tuple[str, int]:
        (one,) = aws.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="s")["DBClusterSnapshots"]
        return one["Status"], one["PercentProgress"]

    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    clock.advance(120)
    assert aws.rds.describe_db_clusters()["DBClusters"] == []
    assert snapshot() == ("creating", 0)
    clock.advance(120)
    assert snapshot() == ("available", 100)


def test_naive_code_deletes_a_cluster_while_somebody_takes_a_snapshot_of_it(
    aws: Aws, cluster: str, clock: Clock, refused: Refused
) -> None:
    aws.rds.create_db_cluster_snapshot(DBClusterIdentifier=cluster, DBClusterSnapshotIdentifier="theirs")
    with refused("InvalidDBClusterSnapshotStateFault", "creating"):
        aws.rds.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)
    clock.advance(300)
    aws.rds.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)


def test_a_final_snapshot_may_fail(aws: Aws, cluster: str, clock: Clock) -> None:
    clock.simulation.script("rds.snapshot", "failed")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    clock.advance(240)
    (one,) = aws.rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert one["Status"] == "failed"


@pytest.mark.usefixtures("subnets")
@pytest.mark.parametrize("end", ["failed", "incompatible-network", "inaccessible-encryption-credentials"])
def test_a_cluster_comes_to_its_scripted_end(
    aws: Aws, clock: Clock, make_cluster: Build, refused: Refused, end: str
) -> None:
    clock.start()
    clock.simulation.script("rds.cluster", end)
    make_cluster()
    clock.advance(180)
    assert status(aws) == end
    assert len(events(aws)) == 1
    with refused(BUSY, end):
        change(aws, BackupRetentionPeriod=3)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


def test_a_change_comes_to_its_scripted_end(aws: Aws, cluster: str, clock: Clock) -> None:
    clock.simulation.script("rds.cluster.change", "inaccessible-encryption-credentials")
    change(aws, BackupRetentionPeriod=3)
    clock.advance(65)
    assert status(aws) == "inaccessible-encryption-credentials"
    assert "KMS" in events(aws)[-1]


def secret(aws: Aws) -> tuple[str, str]:
    """Read the ARN and the state of the cluster's secret."""
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    told = cluster["MasterUserSecret"]
    return told["SecretArn"], told["SecretStatus"]


def rotate(aws: Aws, *, at_once: bool = False) -> None:
    aws.secretsmanager.rotate_secret(
        SecretId=secret(aws)[0], RotationRules={"AutomaticallyAfterDays": 30}, RotateImmediately=at_once
    )


def test_it_is_creating_until_the_first_instance_is_there_for_a_while(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    clock.advance(3600)
    assert secret(aws)[1] == "creating"
    with refused("InvalidRequestException", "isn't complete"):
        rotate(aws)
    make_instance()
    clock.advance(60)
    make_instance("j")
    clock.advance(389)
    assert secret(aws)[1] == "creating"
    clock.advance(1)
    assert secret(aws)[1] == "active"
    rotate(aws)
    assert secret(aws)[1] == "active"


def test_it_stays_when_the_last_instance_goes(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock
) -> None:
    make_cluster()
    make_instance()
    clock.start()
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    clock.advance(240)
    assert secret(aws)[1] == "active"


def test_a_rotation_takes_its_time_and_keeps_the_cluster_busy(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    make_instance()
    clock.start()
    rotate(aws, at_once=True)
    assert secret(aws)[1] == "rotating"
    with refused("InvalidRequestException", "isn't complete"):
        rotate(aws)
    with refused("InvalidDBClusterStateFault", "resetting-master-credentials"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", Port=5433, ApplyImmediately=True)
    clock.advance(40)
    rotate(aws)


def test_it_may_end_impaired(aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock) -> None:
    make_cluster()
    clock.start()
    clock.simulation.script("rds.secret", "impaired")
    make_instance()
    clock.advance(450)
    assert secret(aws)[1] == "impaired"


@pytest.mark.usefixtures("sandbox_url")
def test_a_cluster_with_a_password_of_its_own_has_no_secret(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock
) -> None:
    make_cluster(ManageMasterUserPassword=False, MasterUserPassword="12345678")
    clock.start()
    make_instance()
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert "MasterUserSecret" not in cluster


def test_a_secret_that_nobody_owns_is_left_to_secrets_manager(aws: Aws, clock: Clock, refused: Refused) -> None:
    clock.start()
    aws.secretsmanager.create_secret(Name="mine", SecretString="x")
    with refused("InvalidParameterException"):
        aws.secretsmanager.rotate_secret(SecretId="mine", RotationRules={"AutomaticallyAfterDays": 5000})
