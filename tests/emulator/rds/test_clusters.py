from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.rds.catalog import QUOTAS
from tests.emulator.conftest import OF_AWS, Build, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterTypeDef


def describe(aws: Aws, name: str = "c") -> DBClusterTypeDef:
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    return cluster


def test_names_and_windows_come_back_in_lower_case(aws: Aws, make_cluster: Build) -> None:
    make_cluster("My-Cluster", PreferredMaintenanceWindow="Sun:03:00-Sun:04:00")
    cluster = describe(aws, "MY-cluster")
    assert cluster["DBClusterIdentifier"] == "my-cluster"
    assert cluster["PreferredMaintenanceWindow"] == "sun:03:00-sun:04:00"


def test_a_taken_name_is_refused(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    with refused("DBClusterAlreadyExistsFault"):
        make_cluster("C")


def test_an_unknown_cluster_is_not_found(aws: Aws, refused: Refused) -> None:
    with refused("DBClusterNotFoundFault"):
        aws.rds.describe_db_clusters(DBClusterIdentifier="none")
    with refused("DBClusterNotFoundFault"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="none", ApplyImmediately=True)
    with refused("DBClusterNotFoundFault"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="none", SkipFinalSnapshot=True)


def test_a_bare_major_is_echoed_as_a_minor(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    assert describe(aws)["EngineVersion"].startswith("16.")
    assert describe(aws)["DBClusterParameterGroup"] == "default.aurora-postgresql16"
    for retired in ("15.4", "nine", "16.x"):
        with refused("InvalidParameterCombination", "Cannot find version"):
            make_cluster("d", EngineVersion=retired)


def test_storage_is_echoed_only_when_io_optimized(aws: Aws, make_cluster: Build) -> None:
    make_cluster(StorageType="aurora")
    assert "StorageType" not in describe(aws)
    assert describe(aws)["AllocatedStorage"] == 1
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", StorageType="aurora-iopt1", ApplyImmediately=True)
    assert describe(aws)["StorageType"] == "aurora-iopt1"


def test_a_cluster_needs_what_it_names(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    with refused("DBSubnetGroupNotFoundFault"):
        make_cluster(DBSubnetGroupName="none")
    with refused("DBClusterParameterGroupNotFound"):
        make_cluster(DBClusterParameterGroupName="none")
    with refused("InvalidParameterValue", "sg-1"):
        make_cluster(VpcSecurityGroupIds=["sg-1"])
    with refused("KMSKeyNotAccessibleFault", "alias/none"):
        make_cluster(StorageEncrypted=True, KmsKeyId="alias/none")
    with refused("KMSKeyNotAccessibleFault", "[null]"):
        make_cluster(MasterUserSecretKmsKeyId="alias/none")
    with refused("InvalidParameterCombination", "MasterUserPassword"):
        make_cluster(MasterUserPassword="12345678")
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="p15", DBParameterGroupFamily="aurora-postgresql15", Description="d"
    )
    with refused("InvalidParameterCombination", "DBParameterGroupFamily"):
        make_cluster(DBClusterParameterGroupName="p15")
    assert aws.rds.describe_db_clusters()["DBClusters"] == []


def test_a_disabled_key_is_not_accessible(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    aws.kms.disable_key(KeyId=key)
    with refused("KMSKeyNotAccessibleFault"):
        make_cluster(StorageEncrypted=True, KmsKeyId=key)


def test_keys_are_echoed_as_arns(aws: Aws, make_cluster: Build) -> None:
    key = aws.kms.create_key()["KeyMetadata"]
    aws.kms.create_alias(AliasName="alias/db", TargetKeyId=key["KeyId"])
    make_cluster(StorageEncrypted=True, KmsKeyId="alias/db", MasterUserSecretKmsKeyId=key["KeyId"])
    assert describe(aws)["KmsKeyId"] == key["Arn"]
    assert describe(aws)["MasterUserSecret"]["KmsKeyId"] == key["Arn"]


def test_insights_and_support_are_kept(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    make_cluster(
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=key,
        EngineLifecycleSupport="open-source-rds-extended-support-disabled",
    )
    cluster = describe(aws)
    assert cluster["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert (cluster["PerformanceInsightsEnabled"], cluster["PerformanceInsightsRetentionPeriod"]) == (True, 7)
    assert (cluster["PerformanceInsightsKMSKeyId"], cluster["DatabaseInsightsMode"]) == (key, "standard")
    with refused("InvalidParameterCombination", "465"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", DatabaseInsightsMode="advanced")
    aws.rds.modify_db_cluster(
        DBClusterIdentifier="c",
        DatabaseInsightsMode="advanced",
        EnablePerformanceInsights=True,
        PerformanceInsightsRetentionPeriod=465,
        ApplyImmediately=True,
    )
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", BackupRetentionPeriod=8, ApplyImmediately=True)
    cluster = describe(aws)
    assert (cluster["DatabaseInsightsMode"], cluster["PerformanceInsightsRetentionPeriod"]) == ("advanced", 465)
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EnablePerformanceInsights=False, ApplyImmediately=True)
    cluster = describe(aws)
    assert (cluster["DatabaseInsightsMode"], cluster["PerformanceInsightsEnabled"]) == ("standard", False)
    assert "PerformanceInsightsKMSKeyId" not in cluster


def test_extended_support_is_on_when_left_out(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    assert describe(aws)["EngineLifecycleSupport"] == "open-source-rds-extended-support"
    assert (describe(aws)["PerformanceInsightsEnabled"], describe(aws)["DatabaseInsightsMode"]) == (False, "standard")


def test_the_key_of_performance_insights_stays(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    key, other = (aws.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    make_cluster(EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=key)
    with refused("InvalidParameterCombination", "KMS key"):
        aws.rds.modify_db_cluster(
            DBClusterIdentifier="c", EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=other
        )


def test_naive_code_wants_a_password_for_who_logs_in_by_iam(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", MasterUserAuthenticationType="iam-db-auth")
    assert "MasterUserSecret" not in describe(aws)
    with refused("InvalidParameterCombination"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", ManageMasterUserPassword=True)
    aws.rds.modify_db_cluster(
        DBClusterIdentifier="c", ManageMasterUserPassword=True, MasterUserAuthenticationType="password"
    )
    assert "MasterUserSecret" in describe(aws)


def test_clusters_come_in_pages(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    for at in range(21):
        make_cluster(f"c{at}", ManageMasterUserPassword=False, MasterUserPassword="12345678")
    first = aws.rds.describe_db_clusters(MaxRecords=20)
    rest = aws.rds.describe_db_clusters(MaxRecords=20, Marker=first["Marker"])
    assert (len(first["DBClusters"]), len(rest["DBClusters"]), "Marker" in rest) == (20, 1, False)
    with refused("InvalidParameterValue", "MaxRecords"):
        aws.rds.describe_db_clusters(MaxRecords=5)


def test_changes_take_effect(aws: Aws, make_cluster: Build) -> None:
    make_cluster(EnableCloudwatchLogsExports=["postgresql"])
    aws.rds.modify_db_cluster(
        DBClusterIdentifier="c",
        ApplyImmediately=True,
        EnableIAMDatabaseAuthentication=True,
        CloudwatchLogsExportConfiguration={"EnableLogTypes": ["instance"], "DisableLogTypes": ["postgresql"]},
        DeletionProtection=True,
        CopyTagsToSnapshot=True,
    )
    cluster = describe(aws)
    assert cluster["IAMDatabaseAuthenticationEnabled"] is True
    assert cluster["EnabledCloudwatchLogsExports"] == ["instance"]
    assert (cluster["DeletionProtection"], cluster["CopyTagsToSnapshot"]) == (True, True)


def test_what_is_not_immediate_waits(aws: Aws, make_cluster: Build) -> None:
    make_cluster(EngineVersion="16.8")
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.9")
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EnableIAMDatabaseAuthentication=True)
    assert describe(aws)["PendingModifiedValues"] == {"EngineVersion": "16.9", "IAMDatabaseAuthenticationEnabled": True}
    assert (describe(aws)["EngineVersion"], describe(aws)["IAMDatabaseAuthenticationEnabled"]) == ("16.8", False)
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.9", ApplyImmediately=True)
    assert describe(aws)["EngineVersion"] == "16.9"
    assert not describe(aws).get("PendingModifiedValues")


def test_an_upgrade_goes_forward(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster(EngineVersion="16.9")
    with refused("InvalidParameterCombination", "upgrade path from 16.9 to 16.8"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.8", ApplyImmediately=True)
    with refused("InvalidParameterCombination", "AllowMajorVersionUpgrade"):
        aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="17.5", ApplyImmediately=True)
    aws.rds.modify_db_cluster(
        DBClusterIdentifier="c", EngineVersion="17.5", AllowMajorVersionUpgrade=True, ApplyImmediately=True
    )
    assert describe(aws)["EngineVersion"] == "17.5"


def test_naive_code_upgrades_to_a_major_version_s_minor_that_is_older(
    aws: Aws, make_cluster: Build, refused: Refused
) -> None:
    make_cluster(EngineVersion="16.8")

    def targets() -> list[str]:
        (known,) = aws.rds.describe_db_engine_versions(
            Engine="aurora-postgresql", EngineVersion=describe(aws)["EngineVersion"]
        )["DBEngineVersions"]
        return [target["EngineVersion"] for target in known["ValidUpgradeTarget"] if target["IsMajorVersionUpgrade"]]

    assert targets() == ["17.4", "17.5", "17.6", "17.7", "17.9", "17.10", "17.11"]
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", EngineVersion="16.13", ApplyImmediately=True)
    assert targets() == ["17.9", "17.10", "17.11"]
    with refused("InvalidParameterCombination", "upgrade path from 16.13 to 17.7"):
        aws.rds.modify_db_cluster(
            DBClusterIdentifier="c", EngineVersion="17.7", AllowMajorVersionUpgrade=True, ApplyImmediately=True
        )


def test_tags_are_embedded(aws: Aws, make_cluster: Build) -> None:
    make_cluster(Tags=[{"Key": "a", "Value": "1"}])
    arn = describe(aws)["DBClusterArn"]
    aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
    aws.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    assert describe(aws)["TagList"] == [{"Key": "b", "Value": "2"}, OF_AWS]


def test_naive_code_finds_no_room_for_the_last_snapshot(
    aws: Aws, make_cluster: Build, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUOTAS, "ManualClusterSnapshots", 1)
    make_cluster()
    aws.rds.create_db_cluster_snapshot(DBClusterIdentifier="c", DBClusterSnapshotIdentifier="one")
    with refused("SnapshotQuotaExceeded"):
        aws.rds.create_db_cluster_snapshot(DBClusterIdentifier="c", DBClusterSnapshotIdentifier="two")
    with refused("SnapshotQuotaExceeded"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="two")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


@pytest.mark.parametrize("both", [{}, {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "s"}])
def test_a_final_snapshot_is_named_or_skipped(
    aws: Aws, make_cluster: Build, refused: Refused, both: dict[str, Any]
) -> None:
    make_cluster()
    with refused("InvalidParameterCombination", "FinalDBSnapshotIdentifier"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", **both)


def test_protection_and_members_hold_a_cluster(
    aws: Aws, make_cluster: Build, make_instance: Build, refused: Refused
) -> None:
    make_cluster(DeletionProtection=True)
    with refused("InvalidParameterCombination", "Cannot delete protected Cluster"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", DeletionProtection=False, ApplyImmediately=True)
    make_instance()
    with refused("InvalidDBClusterStateFault", "still contains DB instances in non-deleting state"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)


def test_a_cluster_takes_its_backups_and_its_secret_with_it(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["Arn"]
    make_cluster(StorageEncrypted=True, KmsKeyId=key, CopyTagsToSnapshot=True, Tags=[{"Key": "a", "Value": "1"}])
    make_cluster("other")
    secret = describe(aws)["MasterUserSecret"]["SecretArn"]
    aws.rds.delete_db_cluster(DBClusterIdentifier="C", FinalDBSnapshotIdentifier="last")
    left = aws.rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert sorted(snapshot["DBClusterIdentifier"] for snapshot in left) == ["c", "other"]
    (last,) = (snapshot for snapshot in left if snapshot["DBClusterIdentifier"] == "c")
    assert (last["SnapshotType"], last["KmsKeyId"], last["TagList"]) == ("manual", key, [{"Key": "a", "Value": "1"}])
    with refused("ResourceNotFoundException"):
        aws.secretsmanager.describe_secret(SecretId=secret)
    make_cluster()
    with refused("DBClusterSnapshotAlreadyExistsFault"):
        aws.rds.delete_db_cluster(DBClusterIdentifier="c", FinalDBSnapshotIdentifier="last")
    assert (
        aws.secretsmanager.describe_secret(SecretId=describe(aws)["MasterUserSecret"]["SecretArn"])["OwningService"]
        == "rds"
    )


def test_automated_backups_can_be_kept(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    (left,) = aws.rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert left["SnapshotType"] == "automated"


def test_naive_code_does_not_see_where_the_activity_goes(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    arn = describe(aws)["DBClusterArn"]
    started = aws.rds.start_activity_stream(ResourceArn=arn, Mode="async", KmsKeyId="k")
    assert describe(aws)["ActivityStreamKinesisStreamName"] == started["KinesisStreamName"]
    assert describe(aws)["ActivityStreamStatus"] == "started"
    aws.rds.stop_activity_stream(ResourceArn=arn)
    assert "ActivityStreamStatus" not in describe(aws)
    with refused("DBClusterNotFoundFault"):
        aws.rds.stop_activity_stream(ResourceArn=f"{arn}-other")


def test_the_data_api_is_switched_by_its_own_calls(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    arn = describe(aws)["DBClusterArn"]
    assert describe(aws)["HttpEndpointEnabled"] is False
    assert aws.rds.enable_http_endpoint(ResourceArn=arn) == {
        "ResourceArn": arn,
        "HttpEndpointEnabled": True,
        "ResponseMetadata": ANY,
    }
    assert describe(aws)["HttpEndpointEnabled"] is True
    assert aws.rds.disable_http_endpoint(ResourceArn=arn)["HttpEndpointEnabled"] is False
    assert describe(aws)["HttpEndpointEnabled"] is False
    with refused("ResourceNotFoundFault"):
        aws.rds.disable_http_endpoint(ResourceArn=f"{arn}-other")


def test_a_role_is_taken_from_a_cluster(aws: Aws, make_cluster: Build, refused: Refused) -> None:
    make_cluster()
    role = "arn:aws:iam::123456789012:role/import"
    aws.rds.add_role_to_db_cluster(DBClusterIdentifier="c", RoleArn=role, FeatureName="s3Import")
    with refused("DBClusterRoleNotFound"):
        aws.rds.remove_role_from_db_cluster(DBClusterIdentifier="c", RoleArn=role)
    aws.rds.remove_role_from_db_cluster(DBClusterIdentifier="c", RoleArn=role, FeatureName="s3Import")
    assert describe(aws)["AssociatedRoles"] == []


def test_the_quotas_and_their_use_are_told(aws: Aws, make_cluster: Build) -> None:
    make_cluster()
    for name in ("one", "two"):
        aws.rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier="c")
    quotas = {each["AccountQuotaName"]: each for each in aws.rds.describe_account_attributes()["AccountQuotas"]}
    assert quotas["ManualClusterSnapshots"] == {"AccountQuotaName": "ManualClusterSnapshots", "Used": 2, "Max": 100}
    assert (quotas["DBClusters"]["Used"], quotas["DBInstances"]["Max"]) == (1, 40)
