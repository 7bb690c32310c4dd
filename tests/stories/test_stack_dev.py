"""The resources of dev in AWS, read with plain clients: network, key, database, log groups."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.world import World

ACCOUNT = "123456789012"
REGION = "us-east-2"


@pytest.fixture
def key(dev: World) -> dict[str, Any]:
    found: dict[str, Any] = dev.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]
    return found


@pytest.fixture
def cluster(dev: World) -> dict[str, Any]:
    (found,) = dev.client("rds").describe_db_clusters()["DBClusters"]
    return dict(found)


def group(world: World, name: str) -> dict[str, Any]:
    filters = [{"Name": "group-name", "Values": [name]}]
    (found,) = world.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return dict(found)


def rules(world: World, name: str) -> set[tuple[bool, str, int, int, str]]:
    filters = [{"Name": "group-id", "Values": [group(world, name)["GroupId"]]}]
    told = world.client("ec2").describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    return {
        (
            one["IsEgress"],
            one["IpProtocol"],
            one["FromPort"],
            one["ToPort"],
            one.get("ReferencedGroupInfo", {}).get("GroupId") or one.get("CidrIpv4") or one["CidrIpv6"],
        )
        for one in told
    }


def test_one_customer_managed_key_that_rotates(dev: World, key: dict[str, Any]) -> None:
    kms = dev.client("kms")
    assert len(kms.list_keys()["Keys"]) == 1
    assert (key["KeyManager"], key["KeyState"], key["KeySpec"]) == ("CUSTOMER", "Enabled", "SYMMETRIC_DEFAULT")
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    assert [one["AliasName"] for one in kms.list_aliases(KeyId=key["KeyId"])["Aliases"]] == ["alias/db-key-dev"]


def test_the_key_is_for_the_account_and_for_what_uses_it(dev: World, key: dict[str, Any]) -> None:
    policy = json.loads(dev.client("kms").get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    root = f"arn:aws:iam::{ACCOUNT}:root"
    whole = [one for one in policy["Statement"] if "kms:*" in one["Action"]]
    assert [one["Principal"]["AWS"] for one in whole] in ([root], [[root]], [ACCOUNT], [[ACCOUNT]])
    via: set[str] = set()
    services: set[str] = set()
    for one in policy["Statement"]:
        assert one["Effect"] == "Allow"
        if one in whole:
            continue
        assert one["Condition"], "everything but the account's own statement is bounded by a condition"
        said = one["Condition"].get("StringEquals", {}).get("kms:ViaService")
        via.update([said] if isinstance(said, str) else said or [])
        principal = one["Principal"].get("Service")
        services.update([principal] if isinstance(principal, str) else principal or [])
    assert via == {f"{one}.{REGION}.amazonaws.com" for one in ("rds", "secretsmanager", "lambda")}
    assert services == {f"logs.{REGION}.amazonaws.com", "cloudwatch.amazonaws.com", "events.rds.amazonaws.com"}


def test_the_function_gets_out_to_the_database_and_https_alone_and_nobody_in(dev: World) -> None:
    database = group(dev, "db-sg-dev")["GroupId"]
    assert rules(dev, "lambda-sg-dev") == {(True, "tcp", 5432, 5432, database), (True, "tcp", 443, 443, "0.0.0.0/0")}


def test_the_database_lets_in_the_function_alone_and_nothing_out(dev: World) -> None:
    function = group(dev, "lambda-sg-dev")["GroupId"]
    assert rules(dev, "db-sg-dev") == {(False, "tcp", 5432, 5432, function)}


def test_the_groups_are_in_the_referenced_vpc(dev: World) -> None:
    (stack,) = dev.client("cloudformation").describe_stacks(StackName="networking-dev")["Stacks"]
    (vpc,) = (one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "VpcId")
    assert {group(dev, name)["VpcId"] for name in ("lambda-sg-dev", "db-sg-dev")} == {vpc}
    assert dev.manifest()["networking"]["vpc_id"] == vpc


def test_the_subnet_group_has_the_private_subnets(dev: World) -> None:
    (found,) = dev.client("rds").describe_db_subnet_groups(DBSubnetGroupName="db-subnet-dev")["DBSubnetGroups"]
    (stack,) = dev.client("cloudformation").describe_stacks(StackName="networking-dev")["Stacks"]
    (subnets,) = (one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "PrivateSubnetIds")
    assert {one["SubnetIdentifier"] for one in found["Subnets"]} == set(subnets.split(","))


def test_the_parameter_groups(dev: World) -> None:
    rds = dev.client("rds")
    told = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="db-cluster-params-pg16-dev")["Parameters"]
    values = {one["ParameterName"]: one.get("ParameterValue") for one in told}
    assert values["log_statement"] == "ddl"
    assert values["log_min_duration_statement"] == "1000"
    assert values["rds.force_ssl"] == "1"
    own = [
        one
        for page in rds.get_paginator("describe_db_parameters").paginate(
            DBParameterGroupName="db-instance-params-pg16-dev", Source="user"
        )
        for one in page["Parameters"]
    ]
    values = {one["ParameterName"]: one["ParameterValue"] for one in own}
    assert values.get("pg_stat_statements.track") == "ALL"
    every = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName="db-instance-params-pg16-dev")
    libraries = {
        one["ParameterValue"]
        for page in every
        for one in page["Parameters"]
        if one["ParameterName"] == "shared_preload_libraries"
    }
    assert libraries == {"pg_stat_statements"}


def test_the_cluster(cluster: dict[str, Any], key: dict[str, Any]) -> None:
    assert cluster["DBClusterIdentifier"] == "db-cluster-dev"
    assert (cluster["Engine"], cluster["EngineVersion"], cluster["Port"]) == ("aurora-postgresql", "16.13", 5432)
    assert (cluster["DatabaseName"], cluster["MasterUsername"]) == ("payments", "payments_admin")
    assert (cluster["StorageEncrypted"], cluster["KmsKeyId"]) == (True, key["Arn"])
    assert cluster["IAMDatabaseAuthenticationEnabled"] is True
    assert cluster["BackupRetentionPeriod"] == 7
    assert cluster["PreferredBackupWindow"] == "03:00-04:00"
    assert cluster["PreferredMaintenanceWindow"] == "sun:05:00-sun:06:00"
    assert cluster["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert cluster["CopyTagsToSnapshot"] is True
    assert (cluster["PerformanceInsightsEnabled"], cluster["PerformanceInsightsKMSKeyId"]) == (True, key["Arn"])
    assert cluster["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert cluster["DeletionProtection"] is False
    assert cluster["DBSubnetGroup"] == "db-subnet-dev"
    assert cluster["DBClusterParameterGroup"] == "db-cluster-params-pg16-dev"


def test_the_cluster_is_behind_its_own_group_alone(dev: World, cluster: dict[str, Any]) -> None:
    groups = [one["VpcSecurityGroupId"] for one in cluster["VpcSecurityGroups"]]
    assert groups == [group(dev, "db-sg-dev")["GroupId"]]


def test_the_password_is_rds_own_under_our_key_and_rotates_every_30_days(
    dev: World, cluster: dict[str, Any], key: dict[str, Any]
) -> None:
    secret = cluster["MasterUserSecret"]
    assert (secret["SecretStatus"], secret["KmsKeyId"]) == ("active", key["Arn"])
    told = dev.client("secretsmanager").describe_secret(SecretId=secret["SecretArn"])
    assert told["RotationEnabled"] is True
    assert told["RotationRules"]["AutomaticallyAfterDays"] == 30


def test_the_instance_is_private(dev: World) -> None:
    (instance,) = dev.client("rds").describe_db_instances()["DBInstances"]
    assert instance["DBInstanceIdentifier"] == "db-cluster-dev-0"
    assert instance["DBInstanceClass"] == "db.t4g.medium"
    assert instance["PubliclyAccessible"] is False
    assert instance["DBClusterIdentifier"] == "db-cluster-dev"
    assert [one["DBParameterGroupName"] for one in instance["DBParameterGroups"]] == ["db-instance-params-pg16-dev"]


def test_both_log_groups_keep_30_days_under_the_key(dev: World, key: dict[str, Any]) -> None:
    told = dev.client("logs").describe_log_groups()["logGroups"]
    assert {(one["logGroupName"], one["retentionInDays"], one["kmsKeyId"]) for one in told} == {
        ("/aws/lambda/payment-processor-dev", 30, key["Arn"]),
        ("/aws/rds/cluster/db-cluster-dev/postgresql", 30, key["Arn"]),
    }
