from __future__ import annotations

from typing import Any

import pytest

from tapctl.reconcilers.db_cluster import DbClusterSpec, creation, modification
from tests.reconcilers.test_db_cluster_sight import KEY, WANT


def with_(**changes: Any) -> DbClusterSpec:
    return WANT.model_copy(update=changes)


def test_a_cluster_is_made_in_one_call_and_without_a_password() -> None:
    tags: Any = [{"Key": "a", "Value": "1"}]
    assert creation("db-cluster-test", WANT, tags) == {
        "DBClusterIdentifier": "db-cluster-test",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.8",
        "DatabaseName": "payments",
        "MasterUsername": "payments_admin",
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": KEY,
        "Port": 5432,
        "DBSubnetGroupName": "db-subnet-test",
        "DBClusterParameterGroupName": "db-cluster-params-pg16-test",
        "VpcSecurityGroupIds": ["sg-1"],
        "StorageEncrypted": True,
        "KmsKeyId": KEY,
        "StorageType": "aurora",
        "EnableIAMDatabaseAuthentication": True,
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
        "EnableCloudwatchLogsExports": ["postgresql"],
        "CopyTagsToSnapshot": True,
        "DatabaseInsightsMode": "standard",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": KEY,
        "PerformanceInsightsRetentionPeriod": 7,
        "DeletionProtection": True,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "Tags": tags,
    }


def test_keys_that_are_not_wanted_are_not_sent() -> None:
    asked = creation(
        "c",
        with_(
            storage_encrypted=False,
            kms_key_arn="",
            secret_kms_key_arn="",
            performance_insights_kms_key_arn="",
            extended_support=True,
        ),
        [],
    )
    assert not {"KmsKeyId", "MasterUserSecretKmsKeyId", "PerformanceInsightsKMSKeyId"} & asked.keys()
    assert asked["PerformanceInsightsRetentionPeriod"] == 7
    assert asked["EngineLifecycleSupport"] == "open-source-rds-extended-support"


def test_a_cluster_whose_password_is_not_managed_is_never_made() -> None:
    with pytest.raises(AssertionError):
        creation("c", with_(managed_secret=False), [])


def test_only_what_differs_is_sent() -> None:
    have = with_(backup_retention_days=1, security_group_ids=frozenset(), deletion_protection=False)
    assert modification(have, WANT) == (
        {"BackupRetentionPeriod": 7, "VpcSecurityGroupIds": ["sg-1"], "DeletionProtection": True},
        frozenset({"backup_retention_days", "security_group_ids", "deletion_protection"}),
    )
    assert modification(with_(tags={}), WANT) == ({}, frozenset())


def test_log_exports_are_sent_as_a_difference() -> None:
    asked, fields = modification(with_(log_exports=frozenset({"instance", "audit"})), WANT)
    assert asked == {
        "CloudwatchLogsExportConfiguration": {
            "EnableLogTypes": ["postgresql"],
            "DisableLogTypes": ["audit", "instance"],
        }
    }
    assert fields == {"log_exports"}


def test_insights_are_sent_together() -> None:
    asked, fields = modification(with_(performance_insights_retention_days=31), WANT)
    assert asked == {
        "DatabaseInsightsMode": "standard",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": KEY,
        "PerformanceInsightsRetentionPeriod": 7,
    }
    assert fields == {"performance_insights_retention_days"}


def test_insights_that_are_switched_off_take_neither_key_nor_days() -> None:
    off = with_(performance_insights=False, performance_insights_kms_key_arn="", performance_insights_retention_days=0)
    asked, fields = modification(WANT, off)
    assert asked == {"DatabaseInsightsMode": "standard", "EnablePerformanceInsights": False}
    assert fields == {
        "performance_insights",
        "performance_insights_kms_key_arn",
        "performance_insights_retention_days",
    }


def test_the_password_is_given_back_to_rds() -> None:
    assert modification(with_(managed_secret=False), WANT) == (
        {"ManageMasterUserPassword": True, "MasterUserSecretKmsKeyId": KEY},
        frozenset({"managed_secret"}),
    )


@pytest.mark.parametrize(("have", "want"), [("16.13", "16.8"), ("16.8", "16"), ("16.8", "16.8")])
def test_a_later_minor_than_wanted_is_left(have: str, want: str) -> None:
    assert modification(with_(engine_version=have), with_(engine_version=want)) == ({}, frozenset())


def test_a_newer_minor_goes_with_the_other_changes() -> None:
    asked, fields = modification(with_(engine_version="16.8", port=1), with_(engine_version="16.10"))
    assert asked == {"EngineVersion": "16.10", "Port": 5432}
    assert fields == {"engine_version", "port"}


def test_a_new_major_goes_last_and_alone_with_the_groups_of_its_family() -> None:
    want = with_(engine_version="17.4", cluster_parameter_group="db-cluster-params-pg17-test")
    assert modification(with_(backup_retention_days=1), want) == (
        {"BackupRetentionPeriod": 7},
        frozenset({"backup_retention_days"}),
    )
    upgrade = {
        "EngineVersion": "17.4",
        "AllowMajorVersionUpgrade": True,
        "DBClusterParameterGroupName": "db-cluster-params-pg17-test",
        "DBInstanceParameterGroupName": "db-instance-params-pg17-test",
    }
    assert modification(WANT, want) == (upgrade, frozenset({"engine_version", "cluster_parameter_group"}))
    same_group = want.model_copy(update={"engine_version": "16.8"})
    assert modification(same_group, want) == (upgrade, frozenset({"engine_version"}))
