"""Clusters take their time, and whoever does not wait is refused."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.sandbox.clusters import BUSY, change, events, seen, status, statuses, writer
from tests.sandbox.conftest import Build, Clock, Refused


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
