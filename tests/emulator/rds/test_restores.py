"""Clusters from snapshots: what they have of the snapshot, what only the call gives, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Clock, Refused
from tests.emulator.rds.helpers import BUSY, change, describe, events, status

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef


@pytest.fixture
def key(aws: Aws) -> str:
    return aws.kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def snapshot(aws: Aws, clock: Clock, make_cluster: Build, key: str) -> str:
    """The ARN of the final snapshot ``s`` of a cluster that is gone."""
    make_cluster(
        EngineVersion="16.8",
        DatabaseName="payments",
        Port=5433,
        BackupRetentionPeriod=9,
        StorageEncrypted=True,
        KmsKeyId=key,
        EnableIAMDatabaseAuthentication=True,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "a", "Value": "1"}],
    )
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    (made,) = aws.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="s")["DBClusterSnapshots"]
    return made["DBClusterSnapshotArn"]


def restore(aws: Aws, **more: Any) -> DBClusterTypeDef:
    params = {"DBClusterIdentifier": "C", "SnapshotIdentifier": "s", "Engine": "aurora-postgresql", **more}
    return aws.rds.restore_db_cluster_from_snapshot(**params)["DBCluster"]


@pytest.mark.parametrize("by_arn", [True, False])
def test_a_restored_cluster_is_what_its_snapshot_holds(aws: Aws, snapshot: str, key: str, by_arn: bool) -> None:
    restore(aws, SnapshotIdentifier=snapshot if by_arn else "S")
    cluster = describe(aws)
    assert (cluster["Engine"], cluster["EngineVersion"]) == ("aurora-postgresql", "16.8")
    assert (cluster["MasterUsername"], cluster["DatabaseName"], cluster["Port"]) == ("owner", "payments", 5433)
    assert (cluster["StorageEncrypted"], cluster["KmsKeyId"], cluster["BackupRetentionPeriod"]) == (True, key, 9)
    # What a restore does not name has its default, whatever the first cluster had.
    assert (cluster["DBClusterMembers"], cluster.get("MasterUserSecret"), cluster["TagList"]) == ([], None, [])
    assert (cluster["IAMDatabaseAuthenticationEnabled"], cluster["CopyTagsToSnapshot"]) == (False, False)
    assert (cluster["DBClusterParameterGroup"], cluster["DeletionProtection"]) == ("default.aurora-postgresql16", False)
    assert cluster.get("StorageType") is None


def test_what_the_call_names_is_taken(aws: Aws, snapshot: str, subnets: str, network: Network) -> None:
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="p", DBParameterGroupFamily="aurora-postgresql17", Description="d"
    )
    group = aws.ec2.create_security_group(GroupName="g", Description="d", VpcId=network.vpc_id)["GroupId"]
    other = aws.kms.create_key()["KeyMetadata"]
    made = restore(
        aws,
        EngineVersion="17.5",
        Port=5434,
        DBSubnetGroupName=subnets.upper(),
        VpcSecurityGroupIds=[group],
        DBClusterParameterGroupName="P",
        KmsKeyId=other["KeyId"],
        BackupRetentionPeriod=3,
        PreferredBackupWindow="03:00-04:00",
        StorageType="aurora-iopt1",
        EnableIAMDatabaseAuthentication=True,
        EnableCloudwatchLogsExports=["postgresql"],
        DeletionProtection=True,
        CopyTagsToSnapshot=True,
        EnablePerformanceInsights=True,
        EngineLifecycleSupport="open-source-rds-extended-support-disabled",
        Tags=[{"Key": "b", "Value": "2"}],
    )
    assert made["DBClusterIdentifier"] == "c"
    cluster = describe(aws)
    assert (cluster["EngineVersion"], cluster["Port"], cluster["DBSubnetGroup"]) == ("17.5", 5434, subnets)
    assert [one["VpcSecurityGroupId"] for one in cluster["VpcSecurityGroups"]] == [group]
    assert (cluster["DBClusterParameterGroup"], cluster["KmsKeyId"]) == ("p", other["Arn"])
    assert (cluster["BackupRetentionPeriod"], cluster["PreferredBackupWindow"]) == (3, "03:00-04:00")
    assert (cluster["StorageType"], cluster["IAMDatabaseAuthenticationEnabled"]) == ("aurora-iopt1", True)
    assert (cluster["EnabledCloudwatchLogsExports"], cluster["DeletionProtection"]) == (["postgresql"], True)
    assert (cluster["CopyTagsToSnapshot"], cluster["PerformanceInsightsEnabled"]) == (True, True)
    assert cluster["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert {"Key": "b", "Value": "2"} in cluster["TagList"]
    assert cluster["MasterUsername"] == "owner"


def test_a_snapshot_that_is_not_encrypted_makes_a_cluster_that_is_not(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="s")
    assert restore(aws)["StorageEncrypted"] is False
    assert describe(aws).get("DatabaseName") is None


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("DBClusterSnapshotNotFoundFault", {"SnapshotIdentifier": "none"}),
        ("InvalidParameterCombination", {"Engine": "aurora-mysql"}),
        ("InvalidParameterCombination", {"EngineVersion": "16.99"}),
        ("InvalidParameterCombination", {"EngineVersion": "15.10"}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "none"}),
        ("DBClusterParameterGroupNotFound", {"DBClusterParameterGroupName": "none"}),
        ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}),
        ("InvalidParameterValue", {"Tags": [{"Key": "aws:a", "Value": "1"}]}),
        ("KMSKeyNotAccessibleFault", {"KmsKeyId": "none"}),
    ],
)
@pytest.mark.usefixtures("snapshot")
def test_a_restore_needs_what_it_names(aws: Aws, refused: Refused, code: str, more: dict[str, Any]) -> None:
    with refused(code):
        restore(aws, **more)
    assert aws.rds.describe_db_clusters()["DBClusters"] == []


@pytest.mark.usefixtures("snapshot")
def test_a_snapshot_without_its_key_is_of_no_use(aws: Aws, refused: Refused, key: str) -> None:
    aws.kms.disable_key(KeyId=key)
    with refused("KMSKeyNotAccessibleFault"):
        restore(aws)


@pytest.mark.usefixtures("snapshot")
def test_a_taken_name_is_refused(aws: Aws, refused: Refused) -> None:
    restore(aws)
    with refused("DBClusterAlreadyExistsFault"):
        restore(aws)


@pytest.mark.usefixtures("snapshot")
def test_a_restore_takes_as_long_as_a_creation(aws: Aws, clock: Clock, make_instance: Build, refused: Refused) -> None:
    clock.start()
    assert restore(aws)["Status"] == "creating"
    with refused("DBClusterNotFoundFault"):
        describe(aws)
    clock.advance(179)
    assert status(aws) == "creating"
    with refused(BUSY, "creating"):
        make_instance()
    clock.advance(1)
    assert (status(aws), events(aws)[-1]) == ("available", "DB cluster created")
    make_instance()


def test_naive_code_restores_a_snapshot_that_is_still_made(
    aws: Aws, cluster: str, clock: Clock, refused: Refused
) -> None:
    aws.rds.delete_db_cluster(DBClusterIdentifier=cluster, FinalDBSnapshotIdentifier="s")
    clock.advance(239)
    with refused("InvalidDBClusterSnapshotStateFault", "creating"):
        restore(aws)
    clock.advance(1)
    restore(aws)


@pytest.mark.usefixtures("snapshot")
def test_a_managed_secret_is_asked_for_afterwards(aws: Aws, clock: Clock, make_instance: Build) -> None:
    restore(aws)
    make_instance()
    clock.start()
    assert change(aws, ManageMasterUserPassword=True)["MasterUserSecret"]["SecretStatus"] == "creating"
    clock.advance(29)
    assert describe(aws)["MasterUserSecret"]["SecretStatus"] == "creating"
    clock.advance(1)
    secret = describe(aws)["MasterUserSecret"]
    assert secret["SecretStatus"] == "active"
    assert "owner" in aws.secretsmanager.get_secret_value(SecretId=secret["SecretArn"])["SecretString"]
    # One that is there already is as it was.
    assert change(aws, ManageMasterUserPassword=True)["MasterUserSecret"]["SecretStatus"] == "active"


@pytest.mark.usefixtures("snapshot")
def test_a_managed_secret_of_a_cluster_without_members_waits_for_the_first(aws: Aws, clock: Clock) -> None:
    restore(aws)
    clock.start()
    change(aws, ManageMasterUserPassword=True)
    clock.advance(3600)
    assert describe(aws)["MasterUserSecret"]["SecretStatus"] == "creating"
