from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef
from typing import TYPE_CHECKING, Any

from tests.emulator.conftest import OF_AWS, Clock
from tests.emulator.rds.helpers import events

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef, TagTypeDef


def describe(aws: Aws, name: str = "i") -> DBInstanceTypeDef:
    (instance,) = aws.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return instance


def make_group(aws: Aws, name: str = "p", family: str = "aurora-postgresql16") -> None:
    aws.rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d")


def test_members_inherit_from_their_cluster(
    aws: Aws, network: Network, make_cluster: Build, make_instance: Build
) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    make_cluster(
        Port=5433,
        StorageEncrypted=True,
        KmsKeyId=key,
        EnableIAMDatabaseAuthentication=True,
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=key,
    )
    make_instance("I")
    instance = describe(aws)
    assert (instance["DBInstanceIdentifier"], instance["Endpoint"]["Port"]) == ("i", 5433)
    assert (instance["KmsKeyId"], instance["StorageEncrypted"]) == (key, True)
    assert (instance["IAMDatabaseAuthenticationEnabled"], instance["PerformanceInsightsEnabled"]) == (True, True)
    assert instance["PerformanceInsightsKMSKeyId"] == key
    assert {subnet["SubnetIdentifier"] for subnet in instance["DBSubnetGroup"]["Subnets"]} == set(network.subnet_ids)
    assert instance["PubliclyAccessible"] is False
    aws.rds.modify_db_cluster(
        DBClusterIdentifier="c", ApplyImmediately=True, EnableIAMDatabaseAuthentication=False, EngineVersion="16.15"
    )
    assert (describe(aws)["IAMDatabaseAuthenticationEnabled"], describe(aws)["EngineVersion"]) == (False, "16.15")


def test_members_are_things_of_their_own(aws: Aws, make_cluster: Build, make_instance: Build) -> None:
    make_cluster()
    for name in ("i", "j"):
        make_instance(name)
    assert describe(aws, "i")["DbiResourceId"] != describe(aws, "j")["DbiResourceId"]
    assert describe(aws, "i")["AvailabilityZone"] != describe(aws, "j")["AvailabilityZone"]
    assert aws.rds.describe_db_snapshots()["DBSnapshots"] == []
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert [member["IsClusterWriter"] for member in cluster["DBClusterMembers"]] == [True, False]
    aws.rds.failover_db_cluster(DBClusterIdentifier="c", TargetDBInstanceIdentifier="j")
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert [member["IsClusterWriter"] for member in cluster["DBClusterMembers"]] == [False, True]


def test_a_cluster_without_a_subnet_group_has_members_too(aws: Aws, make_cluster: Build, make_instance: Build) -> None:
    make_cluster(DBSubnetGroupName="subnets")
    aws.rds.create_db_cluster(
        DBClusterIdentifier="d", Engine="aurora-postgresql", MasterUsername="o", ManageMasterUserPassword=True
    )
    make_instance(DBClusterIdentifier="d")
    assert "DBSubnetGroup" not in describe(aws)


def test_a_member_takes_no_settings_of_its_cluster(
    aws: Aws, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    make_cluster()
    with refused("InvalidParameterCombination", "backup retention period"):
        make_instance(BackupRetentionPeriod=3)
    with refused("InvalidParameterCombination", "db.m5.large"):
        make_instance(DBInstanceClass="db.m5.large")
    with refused("DBClusterNotFoundFault"):
        make_instance(DBClusterIdentifier="none")
    with refused("DBParameterGroupNotFound"):
        make_instance(DBParameterGroupName="none")
    make_group(aws, family="aurora-postgresql15")
    with refused("InvalidParameterCombination", "DBParameterGroupFamily"):
        make_instance(DBParameterGroupName="p")
    make_instance()
    with refused("DBInstanceAlreadyExists"):
        make_instance("I")


def test_an_instance_alone_is_left_to_moto(aws: Aws) -> None:
    aws.rds.create_db_instance(
        DBInstanceIdentifier="alone",
        Engine="postgres",
        DBInstanceClass="db.t3.medium",
        MasterUsername="o",
        MasterUserPassword="12345678",
    )
    aws.rds.modify_db_instance(DBInstanceIdentifier="alone", AutoMinorVersionUpgrade=False, ApplyImmediately=True)
    told = describe(aws, "alone")
    assert (told["DBInstanceStatus"], told["AutoMinorVersionUpgrade"]) == ("available", False)


def test_an_unknown_instance_is_not_found(aws: Aws, refused: Refused) -> None:
    with refused("DBInstanceNotFound"):
        aws.rds.describe_db_instances(DBInstanceIdentifier="none")
    with refused("DBInstanceNotFound"):
        aws.rds.modify_db_instance(DBInstanceIdentifier="none", ApplyImmediately=True)
    with refused("DBInstanceNotFound"):
        aws.rds.reboot_db_instance(DBInstanceIdentifier="none")
    with refused("DBInstanceNotFound"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="none")


def test_a_deleted_instance_is_gone(aws: Aws, make_cluster: Build, make_instance: Build) -> None:
    make_cluster()
    make_instance()
    assert aws.rds.delete_db_instance(DBInstanceIdentifier="I")["DBInstance"]["DBInstanceStatus"] == "deleting"
    assert aws.rds.describe_db_instances()["DBInstances"] == []


def minor_upgrades(aws: Aws) -> tuple[bool, dict[str, bool]]:
    """What the cluster says of AutoMinorVersionUpgrade, and what its members say."""
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    told = aws.rds.describe_db_instances()["DBInstances"]
    return cluster["AutoMinorVersionUpgrade"], {
        each["DBInstanceIdentifier"]: each["AutoMinorVersionUpgrade"] for each in told
    }


def test_naive_code_takes_a_cluster_that_lets_minor_upgrades_in_for_one_that_stays_so(
    aws: Aws, make_cluster: Build, make_instance: Build
) -> None:
    make_cluster()
    make_instance("i")
    make_instance("j", AutoMinorVersionUpgrade=False)
    assert minor_upgrades(aws) == (False, {"i": True, "j": False})
    aws.rds.modify_db_instance(DBInstanceIdentifier="j", AutoMinorVersionUpgrade=True, ApplyImmediately=True)
    assert minor_upgrades(aws) == (True, {"i": True, "j": True})
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", AutoMinorVersionUpgrade=False, ApplyImmediately=True)
    make_instance("k")
    assert minor_upgrades(aws) == (False, {"i": False, "j": False, "k": False})
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", AutoMinorVersionUpgrade=True, ApplyImmediately=True)
    assert minor_upgrades(aws) == (False, {"i": True, "j": False, "k": False})


def test_what_is_not_immediate_waits(aws: Aws, make_cluster: Build, make_instance: Build) -> None:
    make_cluster()
    make_instance()
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", DBInstanceClass="db.r6g.xlarge")
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", PromotionTier=3)
    assert (describe(aws)["DBInstanceClass"], describe(aws)["PromotionTier"]) == ("db.r6g.large", 3)
    assert describe(aws)["PendingModifiedValues"]["DBInstanceClass"] == "db.r6g.xlarge"
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=True)
    assert describe(aws)["DBInstanceClass"] == "db.r6g.xlarge"
    assert not describe(aws).get("PendingModifiedValues")


@pytest.fixture
def member(aws: Aws, make_cluster: Build, make_instance: Build) -> str:
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="cp", DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    make_group(aws)
    make_cluster(DBClusterParameterGroupName="cp")
    make_instance(DBParameterGroupName="p")
    return "i"


def states(aws: Aws) -> tuple[str, str]:
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    own = describe(aws)["DBParameterGroups"][0]["ParameterApplyStatus"]
    return own, cluster["DBClusterMembers"][0]["DBClusterParameterGroupStatus"]


def test_a_static_parameter_waits_for_a_reboot(aws: Aws, member: str) -> None:
    assert states(aws) == ("in-sync", "in-sync")
    aws.rds.modify_db_parameter_group(
        DBParameterGroupName="p",
        Parameters=[
            {
                "ParameterName": "shared_preload_libraries",
                "ParameterValue": "pg_stat_statements,pg_cron",
                "ApplyMethod": "pending-reboot",
            }
        ],
    )
    assert states(aws) == ("pending-reboot", "in-sync")
    aws.rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="cp",
        Parameters=[
            {"ParameterName": "max_worker_processes", "ParameterValue": "9", "ApplyMethod": "pending-reboot"},
        ],
    )
    assert states(aws) == ("pending-reboot", "pending-reboot")
    aws.rds.reboot_db_instance(DBInstanceIdentifier="I")
    assert states(aws) == ("in-sync", "in-sync")


def test_a_dynamic_parameter_does_not_wait(aws: Aws, member: str) -> None:
    aws.rds.modify_db_parameter_group(
        DBParameterGroupName="p",
        Parameters=[
            {"ParameterName": "pg_stat_statements.track", "ParameterValue": "ALL", "ApplyMethod": "immediate"},
        ],
    )
    assert states(aws) == ("in-sync", "in-sync")


def test_another_group_waits_for_a_reboot(aws: Aws, member: str) -> None:
    make_group(aws, "q")
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", DBParameterGroupName="q", ApplyImmediately=True)
    assert states(aws) == ("pending-reboot", "in-sync")
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="cq", DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", DBClusterParameterGroupName="cq", ApplyImmediately=True)
    assert states(aws) == ("pending-reboot", "pending-reboot")


def test_groups_in_use_stay(aws: Aws, member: str, refused: Refused) -> None:
    with refused("InvalidDBParameterGroupState", "p"):
        aws.rds.delete_db_parameter_group(DBParameterGroupName="P")
    with refused("InvalidDBParameterGroupState", "cp"):
        aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="cp")
    with refused("InvalidDBSubnetGroupStateFault", "cluster: c"):
        aws.rds.delete_db_subnet_group(DBSubnetGroupName="subnets")
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    aws.rds.delete_db_parameter_group(DBParameterGroupName="p")
    with refused("InvalidDBParameterGroupState", "cp"):
        aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="cp")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="cp")
    aws.rds.delete_db_subnet_group(DBSubnetGroupName="subnets")


def test_catalogue(aws: Aws) -> None:
    versions = aws.rds.describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion="17")["DBEngineVersions"]
    assert {version["DBParameterGroupFamily"] for version in versions} == {"aurora-postgresql17"}
    exact = aws.rds.describe_db_engine_versions(Engine="aurora-postgresql", EngineVersion="16.8")["DBEngineVersions"]
    assert [version["EngineVersion"] for version in exact] == ["16.8"]
    assert {"16.9", "17.4"} <= {target["EngineVersion"] for target in exact[0]["ValidUpgradeTarget"]}
    defaults = aws.rds.describe_db_engine_versions(Engine="aurora-postgresql", DefaultOnly=True)["DBEngineVersions"]
    assert len(defaults) == 3
    assert aws.rds.describe_db_engine_versions(Engine="mysql")["DBEngineVersions"] == []
    options = aws.rds.describe_orderable_db_instance_options(
        Engine="aurora-postgresql", EngineVersion="17.4", DBInstanceClass="db.r6g.large"
    )["OrderableDBInstanceOptions"]
    assert len(options) == 1
    assert aws.rds.describe_orderable_db_instance_options(Engine="mysql")["OrderableDBInstanceOptions"] == []
    assert aws.rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
    assert aws.rds.describe_integrations()["Integrations"] == []


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


def status(aws: Aws) -> str:
    return describe(aws)["DBInstanceStatus"]


def change(aws: Aws, name: str = "i", **params: Any) -> None:
    aws.rds.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **params)


def members(aws: Aws) -> dict[str, bool]:
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    return {member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in cluster["DBClusterMembers"]}


def test_what_was_just_made_is_not_found(
    aws: Aws, make_cluster: Build, clock: Clock, make_instance: Build, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    make_instance()
    for call in (lambda: describe(aws), lambda: change(aws, PromotionTier=3)):
        with refused("DBInstanceNotFound"):
            call()
    assert (aws.rds.describe_db_instances()["DBInstances"], members(aws)) == ([], {})
    clock.advance(2)
    assert members(aws) == {"i": True}


def test_an_instance_goes_through_its_states(
    aws: Aws, make_cluster: Build, clock: Clock, make_instance: Build, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    make_instance()
    clock.advance(389)
    assert (status(aws), "Endpoint" in describe(aws)) == ("creating", False)
    with refused(BUSY, "creating"):
        change(aws, PromotionTier=3)
    with refused(BUSY, "creating"):
        aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "creating"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    with refused(BUSY, "creating"):
        aws.rds.add_tags_to_resource(ResourceName=describe(aws)["DBInstanceArn"], Tags=[TAG])
    clock.advance(1)
    assert (status(aws), "Endpoint" in describe(aws)) == ("configuring-iam-database-auth", True)
    clock.advance(20)
    assert status(aws) == "backing-up"
    clock.advance(10)
    assert status(aws) == "available"


def test_another_class_is_pending_while_it_restarts(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    change(aws, DBInstanceClass=LARGER, PromotionTier=3)
    assert (status(aws), describe(aws)["DBInstanceClass"], describe(aws)["PromotionTier"]) == (
        "available",
        "db.r6g.large",
        1,
    )
    clock.advance(5)
    now = describe(aws)
    assert (now["DBInstanceStatus"], now["DBInstanceClass"], now["PromotionTier"]) == ("modifying", "db.r6g.large", 3)
    assert now["PendingModifiedValues"] == {"DBInstanceClass": LARGER}
    with refused(BUSY, "modifying"):
        change(aws, PromotionTier=4)
    clock.advance(360)
    assert (status(aws), describe(aws)["DBInstanceClass"]) == ("available", LARGER)
    assert not describe(aws).get("PendingModifiedValues")


def test_a_lesser_change_is_through_sooner(aws: Aws, lone: str, clock: Clock) -> None:
    change(aws, PromotionTier=3)
    clock.advance(5)
    assert status(aws) == "modifying"
    clock.advance(30)
    assert status(aws) == "available"


def test_what_is_as_it_was_changes_no_state(aws: Aws, lone: str, clock: Clock) -> None:
    change(aws, PromotionTier=1)
    clock.advance(5)
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
    assert events(aws)[-1] == "Completed failover to DB instance: k"


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
    clock.advance(365)
    assert status(aws) == "available"


def test_a_member_waits_for_its_cluster(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", BackupRetentionPeriod=3, ApplyImmediately=True)
    with refused("InvalidDBClusterStateFault", "modifying"):
        change(aws, PromotionTier=3)
    clock.advance(65)
    change(aws, PromotionTier=3)


def test_a_reboot_takes_its_time(aws: Aws, lone: str, clock: Clock) -> None:
    aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    assert status(aws) == "available"
    clock.advance(64)
    assert status(aws) == "rebooting"
    clock.advance(1)
    assert status(aws) == "available"
    assert events(aws, "i", "db-instance")[-1] == "DB instance restarted"


def test_an_instance_that_goes_is_there_for_minutes(aws: Aws, lone: str, clock: Clock, refused: Refused) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    assert status(aws) == "available"
    with refused(BUSY, "already being deleted"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    clock.advance(5)
    assert (status(aws), members(aws)) == ("deleting", {"i": True})
    clock.advance(235)
    assert members(aws) == {}
    with refused("DBInstanceNotFound"):
        describe(aws)


def test_a_failed_instance_goes_only_when_told_to_skip_its_snapshot(
    aws: Aws, make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    make_cluster()
    clock.start()
    clock.simulation.script("rds.instance", "failed")
    make_instance()
    clock.advance(420)
    assert status(aws) == "failed"
    assert "failed" in events(aws, "i", "db-instance")[-1]
    with refused(BUSY, "without a snapshot"):
        aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    aws.rds.delete_db_instance(DBInstanceIdentifier="i", SkipFinalSnapshot=True)


def test_a_change_comes_to_its_scripted_end(aws: Aws, lone: str, clock: Clock) -> None:
    clock.simulation.script("rds.instance.change", "incompatible-parameters")
    change(aws, DBInstanceClass=LARGER)
    clock.advance(365)
    assert status(aws) == "incompatible-parameters"
    assert "not compatible" in events(aws, "i", "db-instance")[-1]


def test_tags_show_late(aws: Aws, lone: str, clock: Clock) -> None:
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    for arn in (cluster["DBClusterArn"], describe(aws)["DBInstanceArn"]):
        aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[TAG])
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert (cluster["TagList"], describe(aws)["TagList"]) == ([], [])
    clock.advance(3)
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    assert (cluster["TagList"], describe(aws)["TagList"]) == ([TAG, OF_AWS], [TAG, OF_AWS])
