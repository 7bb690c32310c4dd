"""A deployed stack as its users meet it: encrypted, private, watched, rotated, and still what was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.conftest import Deployed

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def cluster(deployed: Deployed) -> dict[str, Any]:
    found = deployed.client("rds").describe_db_clusters(DBClusterIdentifier=deployed.outputs["cluster_identifier"])
    return dict(found["DBClusters"][0])


@pytest.fixture(scope="module")
def function(deployed: Deployed) -> dict[str, Any]:
    return dict(deployed.client("lambda").get_function(FunctionName=deployed.outputs["function_name"]))


def test_the_database_is_available_encrypted_and_reached_by_nobody_outside(
    deployed: Deployed, cluster: dict[str, Any]
) -> None:
    assert (cluster["Status"], cluster["StorageEncrypted"]) == ("available", True)
    assert cluster["KmsKeyId"] == deployed.outputs["key_arn"]
    assert cluster["Endpoint"] == deployed.outputs["cluster_endpoint"]
    assert cluster["IAMDatabaseAuthenticationEnabled"] is True
    filters = [{"Name": "db-cluster-id", "Values": [cluster["DBClusterIdentifier"]]}]
    members = deployed.client("rds").describe_db_instances(Filters=filters)["DBInstances"]
    assert members
    assert {one["PubliclyAccessible"] for one in members} == {False}
    groups = [one["VpcSecurityGroupId"] for one in cluster["VpcSecurityGroups"]]
    assert groups == [deployed.outputs["db_security_group_id"]]
    rules = deployed.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": groups}])
    (rule,) = rules["SecurityGroupRules"]
    assert rule["ReferencedGroupInfo"]["GroupId"] == deployed.outputs["lambda_security_group_id"]


def test_the_secret_is_the_clusters_and_rotates(deployed: Deployed, cluster: dict[str, Any]) -> None:
    assert cluster["MasterUserSecret"]["SecretArn"] == deployed.outputs["secret_arn"]
    told = deployed.client("secretsmanager").describe_secret(SecretId=deployed.outputs["secret_arn"])
    assert told["RotationEnabled"] is True
    assert told["RotationRules"]["AutomaticallyAfterDays"] <= 30


def test_the_function_knows_where_the_database_is_and_may_take_its_role(
    deployed: Deployed, function: dict[str, Any]
) -> None:
    found = function["Configuration"]
    assert (found["State"], found["Role"]) == ("Active", deployed.outputs["role_arn"])
    variables = found["Environment"]["Variables"]
    assert variables["DB_ENDPOINT"] == deployed.outputs["cluster_endpoint"]
    assert variables["DB_SECRET_ARN"] == deployed.outputs["secret_arn"]
    assert found["KMSKeyArn"] == deployed.outputs["key_arn"]


def test_the_function_answers_that_it_is_well(deployed: Deployed, function: dict[str, Any]) -> None:
    if not deployed.real:
        pytest.skip("the embedded AWS runs no functions: name a real environment in TAPCTL_INTEGRATION")
    answer = deployed.client("lambda").invoke(
        FunctionName=function["Configuration"]["FunctionName"], Payload=json.dumps({"type": "health"}).encode()
    )
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_logs_are_kept_for_a_while_and_encrypted(deployed: Deployed) -> None:
    logs = deployed.client("logs")
    for output in ("function_log_group", "database_log_group"):
        name = deployed.outputs[output]
        (group,) = (
            one for one in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] if one["logGroupName"] == name
        )
        assert group["retentionInDays"] >= 30
        assert group["kmsKeyId"] == deployed.outputs["key_arn"]


def test_every_alarm_tells_the_topic(deployed: Deployed) -> None:
    pages = deployed.client("cloudwatch").get_paginator("describe_alarms").paginate()
    topic = deployed.outputs["topic_arn"]
    ours = [one for page in pages for one in page["MetricAlarms"] if topic in one["AlarmActions"]]
    assert len(ours) >= 5
    assert {one["ActionsEnabled"] for one in ours} == {True}


@pytest.mark.soak
def test_it_is_as_recorded_and_as_configured(deployed: Deployed) -> None:
    drift = deployed.tapctl("drift", "--env", deployed.env)
    assert drift.returncode == 0, drift.stdout
    assert drift.stdout.splitlines()[-1].startswith(f"DRIFT {deployed.env}: OK")
    plan = deployed.tapctl("plan", "--env", deployed.env, "--detailed-exitcode")
    assert plan.returncode == 0, plan.stdout
