from __future__ import annotations

import json

from tapctl.aws import Aws
from tapctl.sandbox.emulator.simulation import Life
from tests.conftest import ACCOUNT
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import LONG_S, Clock


def policy() -> str:
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    account = {**statement, "Principal": {"AWS": ACCOUNT}}
    return json.dumps({"Statement": [account, {**statement, "Principal": {"Service": "logs.us-east-1.amazonaws.com"}}]})


def test_naive_code_changes_a_log_group_twice_at_once(aws: Aws, clock: Clock, refused: Refused) -> None:
    aws.logs.create_log_group(logGroupName="g")
    with refused("OperationAbortedException"):
        aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    clock.after(1)
    aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)


def test_naive_code_encrypts_with_a_key_that_was_just_made(aws: Aws, clock: Clock, refused: Refused) -> None:
    key = aws.kms.create_key(Policy=policy())["KeyMetadata"]["Arn"]
    aws.logs.create_log_group(logGroupName="plain")
    clock.after(1)
    with refused("InvalidParameterException", "log-group:g"):
        aws.logs.create_log_group(logGroupName="g", kmsKeyId=key)
    with refused("InvalidParameterException", "log-group:plain"):
        aws.logs.associate_kms_key(logGroupName="plain", kmsKeyId=key)
    clock.after(5)
    aws.logs.create_log_group(logGroupName="g", kmsKeyId=key)
    arn = aws.logs.describe_log_groups(logGroupNamePrefix="plain")["logGroups"][0]["logGroupArn"]
    aws.logs.associate_kms_key(resourceIdentifier=arn, kmsKeyId=key)


def test_naive_code_does_not_look_again_at_a_group_that_it_deleted(aws: Aws, clock: Clock, life: Life) -> None:
    aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    clock.after(LONG_S)
    aws.logs.put_retention_policy(logGroupName="g", retentionInDays=30)
    clock.after(LONG_S)
    life.demand("logs.late_writer", "yes")
    aws.logs.delete_log_group(logGroupName="g")
    clock.after(3.5)
    assert aws.logs.describe_log_groups()["logGroups"] == []
    clock.after(1)
    (back,) = aws.logs.describe_log_groups()["logGroups"]
    assert "retentionInDays" not in back
    assert aws.logs.list_tags_for_resource(resourceArn=back["logGroupArn"])["tags"] == {}
    clock.after(LONG_S)
    aws.logs.delete_log_group(logGroupName="g")
    clock.after(LONG_S)
    assert aws.logs.describe_log_groups()["logGroups"] == []


def test_a_late_writer_finds_the_group_that_was_made_anew(aws: Aws, clock: Clock, life: Life) -> None:
    aws.logs.create_log_group(logGroupName="g")
    clock.after(1)
    life.demand("logs.late_writer", "yes")
    aws.logs.delete_log_group(logGroupName="g")
    clock.after(1)
    aws.logs.create_log_group(logGroupName="g", tags={"a": "b"})
    clock.after(LONG_S)
    (there,) = aws.logs.describe_log_groups()["logGroups"]
    assert aws.logs.list_tags_for_resource(resourceArn=there["logGroupArn"])["tags"]["a"] == "b"
