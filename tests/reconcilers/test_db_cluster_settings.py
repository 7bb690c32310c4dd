from __future__ import annotations

from typing import Any

import pytest

from tapctl.engine.model import Observed, Owner, Pending
from tapctl.reconcilers.db_cluster_settings import (
    DbClusterOutputs,
    DbClusterSpec,
    creation,
    modification,
    observed_cluster,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-1234-AbCdEf"
TAGS = {"ManagedBy": "tapctl", "EnvironmentSuffix": "test", "Environment": "dev"}
WANT = DbClusterSpec(
    engine="aurora-postgresql",
    engine_version="16.8",
    database_name="payments",
    master_username="payments_admin",
    port=5432,
    subnet_group="db-subnet-test",
    cluster_parameter_group="db-cluster-params-pg16-test",
    security_group_ids=frozenset({"sg-1"}),
    kms_key_arn=KEY,
    secret_kms_key_arn=KEY,
    backup_retention_days=7,
    backup_window="03:00-03:30",
    maintenance_window="sun:04:00-sun:04:30",
    performance_insights_kms_key_arn=KEY,
    deletion_protection=True,
    tags=TAGS,
)
ANSWER: dict[str, Any] = {
    "DBClusterIdentifier": "db-cluster-test",
    "Status": "available",
    "Engine": "aurora-postgresql",
    "EngineVersion": "16.8",
    "DatabaseName": "payments",
    "MasterUsername": "payments_admin",
    "Port": 5432,
    "DBSubnetGroup": "db-subnet-test",
    "DBClusterParameterGroup": "db-cluster-params-pg16-test",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
    "StorageEncrypted": True,
    "KmsKeyId": KEY,
    "MasterUserSecret": {"SecretArn": SECRET, "SecretStatus": "active", "KmsKeyId": KEY},
    "IAMDatabaseAuthenticationEnabled": True,
    "BackupRetentionPeriod": 7,
    "PreferredBackupWindow": "03:00-03:30",
    "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
    "EnabledCloudwatchLogsExports": ["postgresql"],
    "CopyTagsToSnapshot": True,
    "DatabaseInsightsMode": "standard",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": KEY,
    "PerformanceInsightsRetentionPeriod": 7,
    "DeletionProtection": True,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "AutoMinorVersionUpgrade": True,
    "TagList": [{"Key": key, "Value": value} for key, value in TAGS.items()],
    "DBClusterArn": "arn:aws:rds:us-east-1:123456789012:cluster:db-cluster-test",
    "DbClusterResourceId": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "Endpoint": "db-cluster-test.cluster-x.us-east-1.rds.amazonaws.com",
    "ReaderEndpoint": "db-cluster-test.cluster-ro-x.us-east-1.rds.amazonaws.com",
    "DBClusterMembers": [{"DBInstanceIdentifier": "db-cluster-test-0", "IsClusterWriter": True}],
}


def seen(
    expected: DbClusterSpec | None = WANT, reason: str = "", without: tuple[str, ...] = (), **changes: Any
) -> Observed[DbClusterSpec, DbClusterOutputs]:
    told: Any = {name: value for name, value in {**ANSWER, **changes}.items() if name not in without}
    return observed_cluster(told, expected, reason)


def with_(**changes: Any) -> DbClusterSpec:
    return WANT.model_copy(update=changes)


def test_every_field_is_read() -> None:
    sight = seen()
    assert sight.spec == WANT
    assert sight.outputs == DbClusterOutputs(
        arn=ANSWER["DBClusterArn"],
        resource_id=ANSWER["DbClusterResourceId"],
        endpoint=ANSWER["Endpoint"],
        reader_endpoint=ANSWER["ReaderEndpoint"],
        secret_arn=SECRET,
    )
    assert (sight.settled, sight.deleting, sight.failure, sight.status) == (True, False, None, "available")
    assert (sight.owner, sight.pending) == (Owner.ours("test", "dev"), {})
    assert sight.members == {"db-instance/db-cluster-test-0"}


@pytest.mark.parametrize(
    "later", ["DBClusterArn", "DbClusterResourceId", "Endpoint", "ReaderEndpoint", "MasterUserSecret"]
)
def test_its_outputs_are_known_when_all_of_them_are(later: str) -> None:
    assert seen(without=(later,)).outputs is None


@pytest.mark.parametrize("status", ["creating", "modifying", "upgrading", "backing-up", "a-new-word", "deleting"])
def test_it_is_settled_only_when_available(status: str) -> None:
    sight = seen(Status=status)
    assert (sight.settled, sight.failure, sight.status) == (False, None, status)
    assert sight.deleting == (status == "deleting")


def test_it_serves_while_its_storage_is_made_better() -> None:
    assert seen(Status="storage-optimization").settled


@pytest.mark.parametrize("status", ["failed", "cloning-failed", "inaccessible-encryption-credentials", "stopped"])
def test_what_ends_in_a_terminal_state_has_failed(status: str) -> None:
    told: Any = {**ANSWER, "Status": status}
    assert observed_cluster(told, WANT, "").failure == status
    assert (
        observed_cluster(told, WANT, "RDS cannot access the KMS key").failure
        == f"{status}: RDS cannot access the KMS key"
    )


def test_a_security_group_on_its_way_counts_as_it_will_be_and_unsettles() -> None:
    leaving = {"VpcSecurityGroupId": "sg-2", "Status": "removing"}
    coming = {"VpcSecurityGroupId": "sg-3", "Status": "adding"}
    sight = seen(VpcSecurityGroups=[*ANSWER["VpcSecurityGroups"], leaving])
    assert (sight.spec, sight.settled) == (WANT, False)
    sight = seen(VpcSecurityGroups=[*ANSWER["VpcSecurityGroups"], coming])
    assert (sight.spec, sight.settled) == (with_(security_group_ids=frozenset({"sg-1", "sg-3"})), False)


def test_what_rds_puts_into_force_now_waits_for_no_window() -> None:
    sight = seen(Status="upgrading", PendingModifiedValues={"EngineVersion": "16.9"})
    assert sight.pending == {"engine_version": Pending("AWS is done", "now 16.8")}


def test_what_is_accepted_for_the_window_counts_as_it_will_be_and_is_pending() -> None:
    sight = seen(
        PendingModifiedValues={
            "EngineVersion": "16.9",
            "IAMDatabaseAuthenticationEnabled": False,
            "BackupRetentionPeriod": 14,
            "StorageType": "aurora-iopt1",
            "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["instance"], "LogTypesToDisable": ["postgresql"]},
        }
    )
    assert sight.spec == with_(
        engine_version="16.9",
        iam_authentication=False,
        backup_retention_days=14,
        storage_type="aurora-iopt1",
        log_exports=frozenset({"instance"}),
    )
    window = "sun:04:00-sun:04:30"
    assert sight.pending == {
        "engine_version": Pending(window, "now 16.8"),
        "iam_authentication": Pending(window, "now True"),
        "backup_retention_days": Pending(window, "now 7"),
        "storage_type": Pending(window, "now aurora"),
        "log_exports": Pending(window, "now postgresql"),
    }
    assert sight.settled


def test_the_first_log_export_may_be_pending() -> None:
    later = {"PendingCloudwatchLogsExports": {"LogTypesToEnable": ["postgresql"]}}
    sight = seen(EnabledCloudwatchLogsExports=[], PendingModifiedValues=later)
    assert (sight.spec, sight.pending["log_exports"].detail) == (WANT, "now none")


def test_a_password_that_rds_is_changing_is_pending_and_no_difference() -> None:
    sight = seen(Status="resetting-master-credentials", PendingModifiedValues={"MasterUserPassword": "****"})
    assert (sight.spec, sight.pending) == (WANT, {"put_off": Pending("AWS is done", "MasterUserPassword ****")})


def test_everything_else_that_waits_for_the_window_is_told_by_rds_own_name() -> None:
    sight = seen(
        PendingModifiedValues={"DBClusterIdentifier": "mallorys", "Iops": 3000, "Newer": {"A": 1}, "StorageType": "gp3"}
    )
    assert sight.spec.put_off == {"DBClusterIdentifier mallorys", "Iops 3000", 'Newer {"A": 1}'}
    assert sight.pending.keys() == {"storage_type"}


def test_a_database_name_that_is_left_out_is_the_wanted_one() -> None:
    assert seen(without=("DatabaseName",)).spec == WANT
    assert seen(None, without=("DatabaseName",)).spec.database_name == ""


def test_insights_that_are_off_have_neither_key_nor_days() -> None:
    assert seen(PerformanceInsightsEnabled=False).spec == with_(
        performance_insights=False, performance_insights_kms_key_arn="", performance_insights_retention_days=0
    )


def test_storage_that_is_not_encrypted_has_no_key() -> None:
    assert seen(StorageEncrypted=False).spec == with_(storage_encrypted=False, kms_key_arn="")


def test_a_password_that_rds_no_longer_manages_shows_and_can_be_repaired() -> None:
    sight = seen(without=("MasterUserSecret",))
    assert sight.spec == with_(managed_secret=False)
    assert sight.outputs is None


def test_a_secret_under_another_key_shows() -> None:
    assert seen(MasterUserSecret={"SecretArn": SECRET, "SecretStatus": "active"}).spec.secret_kms_key_arn == ""
    other = seen(MasterUserSecret={**ANSWER["MasterUserSecret"], "KmsKeyId": "arn:other"})
    assert other.spec == with_(secret_kms_key_arn="arn:other")


def test_what_a_cluster_in_the_making_does_not_tell_yet_is_no_difference() -> None:
    sight = seen(Status="creating", without=("MasterUserSecret", "EngineLifecycleSupport"))
    assert sight.spec == WANT
    sight = seen(Status="creating", MasterUserSecret={"SecretArn": SECRET, "SecretStatus": "creating"})
    assert sight.spec == WANT


def test_extended_support_is_on_unless_it_was_declined() -> None:
    on = with_(extended_support=True)
    assert seen(without=("EngineLifecycleSupport",)).spec == on
    assert seen(EngineLifecycleSupport="open-source-rds-extended-support").spec == on


def test_another_owner_is_told() -> None:
    assert seen(TagList=[{"Key": "ManagedBy", "Value": "terraform"}]).owner == Owner("terraform", "")
    assert seen(TagList=[{"Key": "aws:x", "Value": "y"}]).owner is None


MEMBERS = "db-instance-params-pg17-test"


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
    assert modification(have, WANT, MEMBERS) == (
        {"BackupRetentionPeriod": 7, "VpcSecurityGroupIds": ["sg-1"], "DeletionProtection": True},
        frozenset({"backup_retention_days", "security_group_ids", "deletion_protection"}),
    )
    assert modification(with_(tags={}), WANT, MEMBERS) == ({}, frozenset())


def test_log_exports_are_sent_as_a_difference() -> None:
    asked, fields = modification(with_(log_exports=frozenset({"instance", "audit"})), WANT, MEMBERS)
    assert asked == {
        "CloudwatchLogsExportConfiguration": {
            "EnableLogTypes": ["postgresql"],
            "DisableLogTypes": ["audit", "instance"],
        }
    }
    assert fields == {"log_exports"}


def test_insights_are_sent_together() -> None:
    asked, fields = modification(with_(performance_insights_retention_days=31), WANT, MEMBERS)
    assert asked == {
        "DatabaseInsightsMode": "standard",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": KEY,
        "PerformanceInsightsRetentionPeriod": 7,
    }
    assert fields == {"performance_insights_retention_days"}


def test_insights_that_are_switched_off_take_neither_key_nor_days() -> None:
    off = with_(performance_insights=False, performance_insights_kms_key_arn="", performance_insights_retention_days=0)
    asked, fields = modification(WANT, off, MEMBERS)
    assert asked == {"DatabaseInsightsMode": "standard", "EnablePerformanceInsights": False}
    assert fields == {
        "performance_insights",
        "performance_insights_kms_key_arn",
        "performance_insights_retention_days",
    }


def test_the_password_is_given_back_to_rds() -> None:
    assert modification(with_(managed_secret=False), WANT, MEMBERS) == (
        {
            "ManageMasterUserPassword": True,
            "MasterUserSecretKmsKeyId": KEY,
            "MasterUserAuthenticationType": "password",
        },
        frozenset({"managed_secret"}),
    )


@pytest.mark.parametrize(("have", "want"), [("16.13", "16.8"), ("16.8", "16"), ("16.8", "16.8")])
def test_a_later_minor_than_wanted_is_left(have: str, want: str) -> None:
    assert modification(with_(engine_version=have), with_(engine_version=want), MEMBERS) == ({}, frozenset())


def test_a_newer_minor_goes_with_the_other_changes() -> None:
    asked, fields = modification(with_(engine_version="16.8", port=1), with_(engine_version="16.10"), MEMBERS)
    assert asked == {"EngineVersion": "16.10", "Port": 5432}
    assert fields == {"engine_version", "port"}


def test_a_new_major_goes_last_and_alone_with_the_groups_of_its_family() -> None:
    want = with_(engine_version="17.4", cluster_parameter_group="db-cluster-params-pg17-test")
    assert modification(with_(backup_retention_days=1), want, MEMBERS) == (
        {"BackupRetentionPeriod": 7},
        frozenset({"backup_retention_days"}),
    )
    upgrade = {
        "EngineVersion": "17.4",
        "AllowMajorVersionUpgrade": True,
        "DBClusterParameterGroupName": "db-cluster-params-pg17-test",
        "DBInstanceParameterGroupName": "db-instance-params-pg17-test",
    }
    assert modification(WANT, want, MEMBERS) == (upgrade, frozenset({"engine_version", "cluster_parameter_group"}))
    same_group = want.model_copy(update={"engine_version": "16.8"})
    assert modification(same_group, want, MEMBERS) == (upgrade, frozenset({"engine_version"}))
