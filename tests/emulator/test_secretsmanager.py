from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import ACCOUNT
from tests.emulator.conftest import Build, Refused


@pytest.fixture
def cluster(make_cluster: Build) -> None:
    make_cluster()


@pytest.fixture
def arn(aws: Aws, cluster: None, make_instance: Build) -> str:
    make_instance()
    return aws.rds.describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"]


def test_the_secret_is_as_rds_makes_it(aws: Aws, arn: str) -> None:
    secret = aws.secretsmanager.describe_secret(SecretId=arn)
    assert arn.startswith(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!cluster-")
    assert (secret["OwningService"], secret["RotationEnabled"]) == ("rds", True)
    assert secret["RotationRules"]["AutomaticallyAfterDays"] == 7
    assert "RotationLambdaARN" not in set(secret)
    value = json.loads(aws.secretsmanager.get_secret_value(SecretId=arn)["SecretString"])
    assert value["username"] == "owner"
    assert {tag["Key"] for tag in secret["Tags"]} >= {"aws:secretsmanager:owningService"}


def test_the_secret_is_being_made_until_there_is_an_instance(
    aws: Aws, cluster: None, make_instance: Build, refused: Refused
) -> None:
    def secret() -> tuple[str, str]:
        found = aws.rds.describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]
        return found["SecretArn"], found["SecretStatus"]

    arn, _ = secret()
    assert secret() == (arn, "creating")
    with refused("InvalidRequestException", "rotation"):
        aws.secretsmanager.rotate_secret(SecretId=arn, RotateImmediately=False)
    make_instance()
    assert secret() == (arn, "active")


@pytest.mark.parametrize(
    "rules", [{"AutomaticallyAfterDays": 30}, {"ScheduleExpression": "rate(30 days)", "Duration": "2h"}]
)
def test_the_schedule_is_changed_without_a_rotation(aws: Aws, arn: str, rules: Any) -> None:
    before = aws.secretsmanager.get_secret_value(SecretId=arn)["VersionId"]
    aws.secretsmanager.rotate_secret(SecretId=arn, RotationRules=rules, RotateImmediately=False)
    secret = aws.secretsmanager.describe_secret(SecretId=arn)
    assert secret["RotationRules"] == {"AutomaticallyAfterDays": 30, **rules}
    assert secret["RotationEnabled"] is True
    assert "LastRotatedDate" not in set(secret)
    assert aws.secretsmanager.get_secret_value(SecretId=arn)["VersionId"] == before


def test_a_rotation_at_once_is_the_default(aws: Aws, arn: str) -> None:
    aws.secretsmanager.rotate_secret(SecretId=arn)
    secret = aws.secretsmanager.describe_secret(SecretId=arn)
    assert "LastRotatedDate" in secret
    assert secret["RotationRules"]["AutomaticallyAfterDays"] == 7


def test_rotation_is_stopped_and_started(aws: Aws, arn: str) -> None:
    aws.secretsmanager.cancel_rotate_secret(SecretId=arn)
    assert aws.secretsmanager.describe_secret(SecretId=arn)["RotationEnabled"] is False
    aws.secretsmanager.rotate_secret(SecretId=arn, RotateImmediately=False)
    assert aws.secretsmanager.describe_secret(SecretId=arn)["RotationEnabled"] is True


def test_bad_schedules_are_refused(aws: Aws, arn: str, refused: Refused) -> None:
    with refused("InvalidParameterException", "1-1000"):
        aws.secretsmanager.rotate_secret(SecretId=arn, RotationRules={"AutomaticallyAfterDays": 1000 + 1})
    with refused("InvalidRequestException", "rotation function"):
        aws.secretsmanager.rotate_secret(SecretId=arn, RotationLambdaARN="arn:aws:lambda:us-east-1:1:function:f")


def test_what_rds_owns_nobody_else_changes(aws: Aws, arn: str, refused: Refused) -> None:
    with refused("InvalidRequestException", "managed by rds"):
        aws.secretsmanager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    with refused("InvalidRequestException", "managed by rds"):
        aws.secretsmanager.put_secret_value(SecretId=arn, SecretString="x")


def test_a_secret_of_ones_own_is_left_to_moto(aws: Aws, refused: Refused) -> None:
    arn = aws.secretsmanager.create_secret(Name="own", SecretString="x")["ARN"]
    assert "OwningService" not in aws.secretsmanager.describe_secret(SecretId=arn)
    with refused("InvalidRequestException"):
        aws.secretsmanager.cancel_rotate_secret(SecretId=arn)
    aws.secretsmanager.rotate_secret(SecretId=arn, RotationRules={"AutomaticallyAfterDays": 3})
    aws.secretsmanager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    with refused("ResourceNotFoundException"):
        aws.secretsmanager.rotate_secret(SecretId=arn)


def test_naive_code_takes_a_secret_for_one_of_its_account_alone(aws: Aws, refused: Refused) -> None:
    secrets: Any = aws.secretsmanager  # untyped: newer than the stubs
    arn = secrets.create_secret(Name="own", SecretString="x")["ARN"]
    one, other = (f"arn:aws:secretsmanager:us-east-1:999999999999:secret:{name}-AbCdEf" for name in ("one", "other"))
    assert "CrossAccountReplicas" not in secrets.describe_secret(SecretId=arn)
    for _ in range(2):
        made = secrets.associate_cross_account_replica(SecretId=arn, CrossAccountReplicaARN=one)
        assert (made["ARN"], made["ReplicationStatus"]) == (arn, "InSync")
    (told,) = secrets.describe_secret(SecretId=arn)["CrossAccountReplicas"]
    assert told == {"ReplicaSecretARN": one, "ReplicationStatus": "InSync"}
    with refused("InvalidRequestException", "no replica"):
        secrets.disassociate_cross_account_replica(SecretId=arn, CrossAccountReplicaARN=other)
    with refused("ResourceNotFoundException"):
        secrets.describe_secret(SecretId="none")


def test_naive_code_deletes_a_secret_that_has_replicas(aws: Aws, refused: Refused) -> None:
    secrets: Any = aws.secretsmanager  # untyped: newer than the stubs
    arn = secrets.create_secret(Name="own", SecretString="x")["ARN"]
    secrets.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": "eu-west-1"}])
    assert secrets.describe_secret(SecretId=arn)["ReplicationStatus"][0]["Region"] == "eu-west-1"
    with refused("InvalidParameterException", "eu-west-1"):
        secrets.delete_secret(SecretId=arn)
    secrets.remove_regions_from_replication(SecretId=arn, RemoveReplicaRegions=["eu-west-1"])
    elsewhere = "arn:aws:secretsmanager:us-east-1:999999999999:secret:copy-AbCdEf"
    secrets.associate_cross_account_replica(SecretId=arn, CrossAccountReplicaARN=elsewhere)
    with refused("InvalidRequestException", "replicas"):
        secrets.delete_secret(SecretId=arn)
    secrets.disassociate_cross_account_replica(SecretId=arn, CrossAccountReplicaARN=elsewhere)
    secrets.delete_secret(SecretId=arn)
