from __future__ import annotations

import json
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection
from tapctl.errors import AwsRefused
from tests.conftest import ACCOUNT
from tests.emulator.conftest import LONG_S, Clock, Refused

ROOT = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def arn(aws: Aws) -> str:
    return aws.kms.create_key()["KeyMetadata"]["Arn"]


def test_a_new_key_says_what_it_is(aws: Aws, arn: str) -> None:
    seen = aws.kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (seen["KeyUsage"], seen["MultiRegion"], seen["KeyState"]) == ("ENCRYPT_DECRYPT", False, "Enabled")


def test_a_key_has_at_most_fifty_tags(aws: Aws, arn: str, refused: Refused) -> None:
    aws.kms.tag_resource(KeyId=arn, Tags=[{"TagKey": f"t{number}", "TagValue": "x"} for number in range(50)])
    aws.kms.tag_resource(KeyId=arn, Tags=[{"TagKey": "t0", "TagValue": "y"}])
    with refused("LimitExceededException"):
        aws.kms.tag_resource(KeyId=arn, Tags=[{"TagKey": "one-more", "TagValue": "x"}])
    with refused("NotFoundException"):
        aws.kms.tag_resource(KeyId="11111111-2222-3333-4444-555555555555", Tags=[{"TagKey": "t0", "TagValue": "y"}])


def test_arns_are_taken_by_every_operation(aws: Aws, arn: str) -> None:
    aws.kms.disable_key(KeyId=arn)
    aws.kms.enable_key(KeyId=arn)
    gone = aws.kms.schedule_key_deletion(KeyId=arn)
    assert (gone["KeyId"], gone["KeyState"], gone["PendingWindowInDays"]) == (arn, "PendingDeletion", 30)
    assert aws.kms.cancel_key_deletion(KeyId=arn)["KeyId"] == arn
    assert aws.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_the_last_use_of_a_key_is_told(aws: Aws, arn: str, refused: Refused) -> None:
    made = aws.kms.describe_key(KeyId=arn)["KeyMetadata"]["CreationDate"]
    told = aws.kms.get_key_last_usage(KeyId=arn)
    assert (told["KeyLastUsage"], told["TrackingStartDate"]) == ({}, made)
    data = aws.kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
    assert aws.kms.get_key_last_usage(KeyId=arn)["KeyLastUsage"]["Operation"] == "GenerateDataKey"
    aws.kms.decrypt(CiphertextBlob=data["CiphertextBlob"])
    used = aws.kms.get_key_last_usage(KeyId=arn)["KeyLastUsage"]
    assert (used["Operation"], used["Timestamp"] >= made) == ("Decrypt", True)
    with refused("NotFoundException"):
        aws.kms.get_key_last_usage(KeyId="11111111-2222-3333-4444-555555555555")


def test_a_key_pending_deletion_refuses_changes_and_keeps_its_alias(aws: Aws, arn: str) -> None:
    aws.kms.create_alias(AliasName="alias/a", TargetKeyId=arn)
    aws.kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert aws.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyState"] == "PendingDeletion"
    with pytest.raises(AwsRefused, match=r"KMSInvalidStateException.*is pending deletion"):
        aws.kms.tag_resource(KeyId=arn, Tags=[{"TagKey": "a", "TagValue": "b"}])
    with pytest.raises(AwsRefused, match="KMSInvalidStateException"):
        aws.kms.schedule_key_deletion(KeyId=arn)
    with pytest.raises(AwsRefused, match="KMSInvalidStateException"):
        aws.kms.create_alias(AliasName="alias/b", TargetKeyId=arn)
    aws.kms.delete_alias(AliasName="alias/a")


def test_only_a_pending_key_is_brought_back(aws: Aws, arn: str) -> None:
    with pytest.raises(AwsRefused, match="KMSInvalidStateException"):
        aws.kms.cancel_key_deletion(KeyId=arn)
    with pytest.raises(AwsRefused, match="NotFoundException"):
        aws.kms.cancel_key_deletion(KeyId="12345678-1234-1234-1234-123456789012")


def test_a_disabled_key_refuses_rotation(aws: Aws, arn: str) -> None:
    aws.kms.disable_key(KeyId=arn)
    with pytest.raises(AwsRefused, match="DisabledException"):
        aws.kms.enable_key_rotation(KeyId=arn)


def test_rotation_has_a_period(aws: Aws, arn: str) -> None:
    assert aws.kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"] is False
    aws.kms.enable_key_rotation(KeyId=arn)
    assert aws.kms.get_key_rotation_status(KeyId=arn)["RotationPeriodInDays"] == 365
    aws.kms.enable_key_rotation(KeyId=arn, RotationPeriodInDays=90)
    seen = aws.kms.get_key_rotation_status(KeyId=arn)
    assert (seen["KeyId"], seen["RotationPeriodInDays"], "NextRotationDate" in seen) == (arn, 90, True)


@pytest.mark.parametrize(
    ("region", "principal"),
    [
        ("us-east-1", "logs.us-west-2.amazonaws.com"),
        ("cn-north-1", "logs.cn-north-1.amazonaws.com"),
        ("us-east-1", "logs.us-east-1.amazonaws.com.cn"),
    ],
)
def test_naive_code_names_the_logs_service_of_another_region_or_partition(
    sandbox_url: str, region: str, principal: str, refused: Refused
) -> None:
    kms = Aws(Connection(region, endpoint_url=sandbox_url, credentials=("a", "b"))).kms
    partition = "aws-cn" if region.startswith("cn-") else "aws"
    root = {**ROOT, "Principal": {"AWS": f"arn:{partition}:iam::{ACCOUNT}:root"}}
    with refused("MalformedPolicyDocumentException", "invalid principals"):
        kms.create_key(Policy=policy(root, {**ROOT, "Principal": {"Service": principal}}))


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        ("{", "MalformedPolicyDocumentException", "not a valid"),
        (policy(), "MalformedPolicyDocumentException", "will not allow you"),
        (
            policy(ROOT, {**ROOT, "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/none"]}}),
            "MalformedPolicyDocumentException",
            "invalid principals",
        ),
        (policy({**ROOT, "Sid": "x" * 33000}), "LimitExceededException", "32768"),
    ],
)
def test_a_bad_policy_is_refused(aws: Aws, document: str, code: str, text: str) -> None:
    with pytest.raises(AwsRefused) as refused:
        aws.kms.create_key(Policy=document)
    assert refused.value.matches(code, text=text)


def test_naive_code_lets_in_a_principal_of_another_partition(sandbox_url: str, refused: Refused) -> None:
    kms = Aws(Connection("cn-north-1", endpoint_url=sandbox_url, credentials=("a", "b"))).kms
    root = {**ROOT, "Principal": {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}}
    kms.create_key(Policy=policy(root))
    with refused("MalformedPolicyDocumentException", "invalid principals"):
        kms.create_key(Policy=policy(root, {**root, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}))


def test_a_good_policy_is_kept(aws: Aws, arn: str) -> None:
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=policy())
    role = {**ROOT, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}, "Action": ["kms:Decrypt"]}
    everybody = {**ROOT, "Principal": "*", "Effect": "Deny", "Action": "kms:ScheduleKeyDeletion"}
    aws.kms.put_key_policy(KeyId=arn, Policy=policy(ROOT, role, everybody))
    assert json.loads(aws.kms.get_key_policy(KeyId=arn)["Policy"])["Statement"] == [ROOT, role, everybody]
    single = json.dumps({"Statement": {**ROOT, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}})
    aws.kms.put_key_policy(KeyId=arn, Policy=single)


def test_naive_code_goes_on_with_a_key_that_kms_does_not_know_yet(aws: Aws, clock: Clock, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    for wait in (0, 2):
        clock.advance(wait)
        with refused("NotFoundException"):
            aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
        with refused("NotFoundException"):
            aws.kms.enable_key_rotation(KeyId=key)
    clock.advance(2)
    aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    aws.kms.enable_key_rotation(KeyId=key)


def test_naive_code_takes_the_first_look_at_a_changed_policy_for_the_truth(aws: Aws, clock: Clock) -> None:
    key = aws.kms.create_key(Description="before")["KeyMetadata"]["KeyId"]
    clock.advance(LONG_S)

    def look() -> str:
        return aws.kms.describe_key(KeyId=key)["KeyMetadata"]["Description"]

    assert clock.sample(look) == {"before"}
    aws.kms.update_key_description(KeyId=key, Description="after")
    assert clock.sample(look) == {"before", "after"}
    clock.advance(4)
    assert clock.sample(look) == {"after"}


def test_an_alias_outlives_the_use_of_its_key(aws: Aws, clock: Clock, refused: Refused) -> None:
    """Naive code makes its alias anew, or takes a key that was brought back for one that is in use."""
    key, other = (aws.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    clock.advance(LONG_S)
    aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    aws.kms.schedule_key_deletion(KeyId=key)
    clock.advance(LONG_S)
    with refused("AlreadyExistsException"):
        aws.kms.create_alias(AliasName="alias/a", TargetKeyId=other)
    assert aws.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyState"] == "PendingDeletion"
    aws.kms.cancel_key_deletion(KeyId=key)
    clock.advance(LONG_S)
    assert aws.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyState"] == "Disabled"
