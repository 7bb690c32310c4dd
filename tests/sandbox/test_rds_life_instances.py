"""Members take their time, and whoever does not wait is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.sandbox.conftest import OF_AWS, Build, Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef, TagTypeDef

BUSY = "InvalidDBInstanceState"
LARGER = "db.r6g.xlarge"
TAG: TagTypeDef = {"Key": "a", "Value": "1"}


@pytest.fixture
def lone(make_cluster: Build, make_instance: Build, clock: Clock) -> str:
    """The only member of a cluster, there before time began."""
    make_cluster()
    make_instance()
    clock.start()
    return "i"


def seen(aws: Aws, name: str = "i") -> DBInstanceTypeDef:
    (instance,) = aws.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return instance


def status(aws: Aws) -> str:
    return seen(aws)["DBInstanceStatus"]


def change(aws: Aws, name: str = "i", **asked: Any) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **asked)


def members(aws: Aws) -> dict[str, bool]:
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    return {one["DBInstanceIdentifier"]: one["IsClusterWriter"] for one in cluster["DBClusterMembers"]}


def test_what_was_just_made_is_not_found(
    aws: Aws, make_cluster: Build, clock: Clock, make_instance: Build, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    make_instance()
    for call in (lambda: seen(aws), lambda: change(aws, PromotionTier=3)):
        with refused("DBInstanceNotFound"):
            call()
    assert (aws.rds.describe_db_instances()["DBInstances"], members(aws)) == ([], {})
    clock.move(2)
    assert members(aws) == {"i": True}


def test_an_instance_goes_through_its_states(
    aws: Aws, make_cluster: Build, clock: Clock, make_instance: Build, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    make_instance()
    clock.move(389)
    assert (status(aws), "Endpoint" in seen(aws)) == ("creating", False)
    with refused(BUSY, "creating"):
        change(aws, PromotionTier=3)
    with refused(BUSY, "creating"):
        aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "creating"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "creating"):
        aws.rds.add_tags_to_resource(ResourceName=seen(aws)["DBInstanceArn"], Tags=[TAG])
    clock.move(1)
    assert (status(aws), "Endpoint" in seen(aws)) == ("configuring-iam-database-auth", True)
    clock.move(20)
    assert status(aws) == "backing-up"
    clock.move(10)
    assert status(aws) == "available"


def test_another_class_is_pending_while_it_restarts(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    change(aws, DBInstanceClass=LARGER, PromotionTier=3)
    assert (status(aws), seen(aws)["DBInstanceClass"], seen(aws)["PromotionTier"]) == ("available", "db.r6g.large", 1)
    clock.move(5)
    now = seen(aws)
    assert (now["DBInstanceStatus"], now["DBInstanceClass"], now["PromotionTier"]) == ("modifying", "db.r6g.large", 3)
    assert now["PendingModifiedValues"] == {"DBInstanceClass": LARGER}
    with refused(BUSY, "modifying"):
        change(aws, PromotionTier=4)
    clock.move(360)
    assert (status(aws), seen(aws)["DBInstanceClass"]) == ("available", LARGER)
    assert not seen(aws).get("PendingModifiedValues")


def test_a_lesser_change_is_through_sooner(aws: Aws, lone: str, clock: Clock) -> None:
    change(aws, PromotionTier=3)
    clock.move(5)
    assert status(aws) == "modifying"
    clock.move(30)
    assert status(aws) == "available"


def test_what_is_as_it_was_changes_no_state(aws: Aws, lone: str, clock: Clock) -> None:
    change(aws, PromotionTier=1)
    clock.move(5)
    assert status(aws) == "available"


def test_a_writer_that_restarts_hands_over_to_the_first_reader(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock
) -> None:
    make_cluster()
    for name, tier in (("i", 0), ("j", 2), ("k", 1), ("l", 0)):
        make_instance(name, PromotionTier=tier)
    clock.start()
    change(aws, "l", DBInstanceClass=LARGER)
    assert members(aws)["i"]
    change(aws, "i", DBInstanceClass=LARGER)
    assert members(aws) == {"i": False, "j": False, "k": True, "l": False}
    told = aws.rds.describe_events(SourceIdentifier="c", SourceType="db-cluster")["Events"]
    assert told[-1]["Message"] == "Completed failover to DB instance: k"


def test_an_instance_of_no_cluster_is_its_own(aws: Aws, clock: Clock, make_cluster: Build) -> None:
    aws.rds.create_db_instance(
        DBInstanceIdentifier="i",
        Engine="postgres",
        DBInstanceClass="db.t3.medium",
        MasterUsername="o",
        MasterUserPassword="12345678",
    )
    clock.start()
    change(aws, DBInstanceClass="db.t3.large")
    clock.move(365)
    assert status(aws) == "available"


def test_a_member_waits_for_its_cluster(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", BackupRetentionPeriod=3, ApplyImmediately=True)
    with refused("InvalidDBClusterStateFault", "modifying"):
        change(aws, PromotionTier=3)
    clock.move(65)
    change(aws, PromotionTier=3)


def test_a_reboot_takes_its_time(aws: Aws, lone: str, clock: Clock) -> None:
    aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    assert status(aws) == "available"
    clock.move(64)
    assert status(aws) == "rebooting"
    clock.move(1)
    assert status(aws) == "available"
    told = aws.rds.describe_events(SourceIdentifier="i", SourceType="db-instance")["Events"]
    assert told[-1]["Message"] == "DB instance restarted"


def test_an_instance_that_goes_is_there_for_minutes(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    assert status(aws) == "available"
    with refused(BUSY, "already being deleted"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    clock.move(5)
    assert (status(aws), members(aws)) == ("deleting", {"i": True})
    clock.move(235)
    assert members(aws) == {}
    with refused("DBInstanceNotFound"):
        seen(aws)


def test_a_failed_instance_goes_only_when_told_to_skip_its_snapshot(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    clock.life.demand("rds.instance", "failed")
    make_instance()
    clock.move(420)
    assert status(aws) == "failed"
    told = aws.rds.describe_events(SourceIdentifier="i", SourceType="db-instance")["Events"]
    assert "failed" in told[-1]["Message"]
    with refused(BUSY, "without a snapshot"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    aws.rds.delete_db_instance(DBInstanceIdentifier="i", SkipFinalSnapshot=True)


def test_a_change_comes_to_the_end_that_was_demanded(aws: Aws, lone: str, clock: Clock) -> None:
    clock.life.demand("rds.instance.change", "incompatible-parameters")
    change(aws, DBInstanceClass=LARGER)
    clock.move(365)
    assert status(aws) == "incompatible-parameters"
    told = aws.rds.describe_events(SourceIdentifier="i", SourceType="db-instance")["Events"]
    assert "not compatible" in told[-1]["Message"]


def test_tags_show_late(aws: Aws, lone: str, clock: Clock) -> None:
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    for arn in (cluster["DBClusterArn"], seen(aws)["DBInstanceArn"]):
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[TAG])
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert (cluster["TagList"], seen(aws)["TagList"]) == ([], [])
    clock.move(3)
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert (cluster["TagList"], seen(aws)["TagList"]) == ([TAG, OF_AWS], [TAG, OF_AWS])
