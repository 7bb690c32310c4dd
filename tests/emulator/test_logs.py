from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import ACCOUNT
from tests.emulator.conftest import LONG_S, Clock, Refused

NAME = "/aws/lambda/f"
ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{NAME}"


@pytest.fixture
def key(aws: Aws) -> str:
    account = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    logs = {**account, "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": "kms:Encrypt*"}
    return aws.kms.create_key(Policy=json.dumps({"Statement": [account, logs]}))["KeyMetadata"]["Arn"]


@pytest.fixture
def group(aws: Aws) -> str:
    aws.logs.create_log_group(logGroupName=NAME, tags={"a": "1"})
    return NAME


def test_retention_is_of_a_set(aws: Aws, group: str, refused: Refused) -> None:
    with refused("InvalidParameterException", "retentionInDays"):
        aws.logs.put_retention_policy(logGroupName=NAME, retentionInDays=8)
    aws.logs.put_retention_policy(logGroupName=NAME, retentionInDays=30)
    (seen,) = aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"]
    assert (seen["retentionInDays"], seen["logGroupClass"]) == (30, "STANDARD")
    assert aws.logs.list_scheduled_queries()["scheduledQueries"] == []
    aws.logs.delete_retention_policy(logGroupName=NAME)
    (seen,) = aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"]
    assert "retentionInDays" not in seen


def test_a_group_tells_how_many_metric_filters_it_has(aws: Aws, group: str) -> None:
    def count() -> int:
        (seen,) = aws.logs.describe_log_groups(logGroupIdentifiers=[group])["logGroups"]
        return seen["metricFilterCount"]

    assert count() == 0
    aws.logs.put_metric_filter(
        logGroupName=group,
        filterName="f",
        filterPattern="x",
        metricTransformations=[{"metricName": "n", "metricNamespace": "s", "metricValue": "1"}],
    )
    assert count() == 1


def test_groups_are_found_by_exact_name(aws: Aws, group: str) -> None:
    aws.logs.create_log_group(logGroupName=f"{NAME}2", logGroupClass="INFREQUENT_ACCESS")
    found = aws.logs.describe_log_groups(logGroupIdentifiers=[NAME, "none", f"{ARN}2"])["logGroups"]
    classes = {group["logGroupName"]: group["logGroupClass"] for group in found}
    assert classes == {NAME: "STANDARD", f"{NAME}2": "INFREQUENT_ACCESS"}


def test_a_policy_masks_the_data_of_a_standard_group_until_it_is_deleted(
    aws: Aws, group: str, refused: Refused
) -> None:
    def seen() -> set[tuple[str, str]]:
        return {(name, str(value)) for name, value in aws.logs.describe_log_groups()["logGroups"][0].items()}

    assert "dataProtectionStatus" not in dict(seen())
    assert "policyDocument" not in set(aws.logs.get_data_protection_policy(logGroupIdentifier=NAME))
    aws.logs.put_data_protection_policy(logGroupIdentifier=ARN, policyDocument="{}")
    assert ("dataProtectionStatus", "ACTIVATED") in seen()
    assert aws.logs.get_data_protection_policy(logGroupIdentifier=f"{ARN}:*")["policyDocument"] == "{}"
    aws.logs.delete_data_protection_policy(logGroupIdentifier=NAME)
    assert ("dataProtectionStatus", "DELETED") in seen()
    aws.logs.create_log_group(logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")
    with refused("InvalidParameterException", "log class"):
        aws.logs.put_data_protection_policy(logGroupIdentifier="rare", policyDocument="{}")


def test_naive_code_takes_every_writer_for_one_of_iam_s(aws: Aws, group: str) -> None:
    logs: Any = aws.logs  # untyped: newer than the stubs
    for on in (True, False):
        logs.put_bearer_token_authentication(logGroupIdentifier=NAME, bearerTokenAuthenticationEnabled=on)
        assert logs.describe_log_groups()["logGroups"][0]["bearerTokenAuthenticationEnabled"] is on


def test_a_key_must_allow_it(aws: Aws, key: str, refused: Refused) -> None:
    other = aws.kms.create_key()["KeyMetadata"]["Arn"]
    for bad in (other, key.rpartition("/")[2], f"{key[:-1]}x"):
        with refused("InvalidParameterException", "not allowed to be used with Arn"):
            aws.logs.create_log_group(logGroupName=NAME, kmsKeyId=bad)
    aws.logs.create_log_group(logGroupName=NAME, kmsKeyId=key)
    assert aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"][0]["kmsKeyId"] == key
    with refused("ResourceAlreadyExistsException"):
        aws.logs.create_log_group(logGroupName=NAME, kmsKeyId=other)


def test_a_key_is_associated_later(aws: Aws, group: str, key: str, refused: Refused) -> None:
    aws.logs.associate_kms_key(logGroupName=NAME, kmsKeyId=key)
    assert aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"][0]["kmsKeyId"] == key
    aws.logs.disassociate_kms_key(resourceIdentifier=ARN)
    assert "kmsKeyId" not in aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"][0]
    with refused("InvalidParameterException", "not allowed"):
        aws.logs.associate_kms_key(logGroupName=NAME, kmsKeyId=aws.kms.create_key()["KeyMetadata"]["Arn"])
    with refused("ResourceNotFoundException"):
        aws.logs.associate_kms_key(logGroupName="none", kmsKeyId=key)


def test_a_protected_group_stays(aws: Aws, refused: Refused) -> None:
    aws.logs.create_log_group(logGroupName=NAME, deletionProtectionEnabled=True)
    with refused("ValidationException", "deletion protection"):
        aws.logs.delete_log_group(logGroupName=NAME)
    (seen,) = aws.logs.describe_log_groups(logGroupNamePrefix=NAME)["logGroups"]
    assert seen["deletionProtectionEnabled"] is True
    aws.logs.put_log_group_deletion_protection(logGroupIdentifier=ARN, deletionProtectionEnabled=False)
    aws.logs.delete_log_group(logGroupName=NAME)
    with refused("ResourceNotFoundException"):
        aws.logs.delete_log_group(logGroupName=NAME)


def test_a_group_takes_its_tags_with_it(aws: Aws, group: str, refused: Refused) -> None:
    aws.logs.tag_resource(resourceArn=ARN, tags={"b": "2"})
    assert aws.logs.list_tags_for_resource(resourceArn=ARN)["tags"].items() >= {"a": "1", "b": "2"}.items()
    aws.logs.delete_log_group(logGroupName=NAME)
    with refused("ResourceNotFoundException"):
        aws.logs.list_tags_for_resource(resourceArn=ARN)
    aws.logs.create_log_group(logGroupName=NAME)
    assert aws.logs.list_tags_for_resource(resourceArn=ARN)["tags"] == {}


def policy() -> str:
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    account = {**statement, "Principal": {"AWS": ACCOUNT}}
    return json.dumps({"Statement": [account, {**statement, "Principal": {"Service": "logs.us-east-1.amazonaws.com"}}]})


def test_naive_code_changes_a_log_group_twice_at_once(aws: Aws, clock: Clock, refused: Refused) -> None:
    aws.logs.create_log_group(logGroupName="g")
    with refused("OperationAbortedException"):
        aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    clock.advance(1)
    aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)


def test_naive_code_encrypts_with_a_key_that_was_just_made(aws: Aws, clock: Clock, refused: Refused) -> None:
    key = aws.kms.create_key(Policy=policy())["KeyMetadata"]["Arn"]
    aws.logs.create_log_group(logGroupName="plain")
    clock.advance(1)
    with refused("InvalidParameterException", "log-group:g"):
        aws.logs.create_log_group(logGroupName="g", kmsKeyId=key)
    with refused("InvalidParameterException", "log-group:plain"):
        aws.logs.associate_kms_key(logGroupName="plain", kmsKeyId=key)
    clock.advance(5)
    aws.logs.create_log_group(logGroupName="g", kmsKeyId=key)
    arn = aws.logs.describe_log_groups(logGroupNamePrefix="plain")["logGroups"][0]["logGroupArn"]
    aws.logs.associate_kms_key(resourceIdentifier=arn, kmsKeyId=key)


def test_naive_code_does_not_look_again_at_a_group_that_it_deleted(
    aws: Aws, clock: Clock, simulation: Simulation
) -> None:
    aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    clock.advance(LONG_S)
    aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    clock.advance(LONG_S)
    simulation.script("logs.late_writer", "yes")
    aws.logs.delete_log_group(logGroupName="g")
    clock.advance(3.5)
    assert aws.logs.describe_log_groups()["logGroups"] == []
    clock.advance(1)
    (back,) = aws.logs.describe_log_groups()["logGroups"]
    assert "retentionInDays" not in back
    assert aws.logs.list_tags_for_resource(resourceArn=back["logGroupArn"])["tags"] == {}
    clock.advance(LONG_S)
    aws.logs.delete_log_group(logGroupName="g")
    clock.advance(LONG_S)
    assert aws.logs.describe_log_groups()["logGroups"] == []


def test_a_late_writer_finds_the_group_that_was_made_anew(aws: Aws, clock: Clock, simulation: Simulation) -> None:
    aws.logs.create_log_group(logGroupName="g")
    clock.advance(1)
    simulation.script("logs.late_writer", "yes")
    aws.logs.delete_log_group(logGroupName="g")
    clock.advance(1)
    aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    clock.advance(LONG_S)
    (there,) = aws.logs.describe_log_groups()["logGroups"]
    assert aws.logs.list_tags_for_resource(resourceArn=there["logGroupArn"])["tags"]["a"] == "b"


def test_naive_code_names_the_class_where_there_is_one(aws: Aws, simulation: Simulation, refused: Refused) -> None:
    simulation.script("logs.older", "yes")
    with refused("InvalidParameterException", "Only Standard"):
        aws.logs.create_log_group(logGroupName=NAME, logGroupClass="STANDARD")
    aws.logs.create_log_group(logGroupName=NAME)
