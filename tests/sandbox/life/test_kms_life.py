from __future__ import annotations

from tapctl.aws.client import Aws
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import LONG_S, Clock


def test_naive_code_goes_on_with_a_key_that_kms_does_not_know_yet(aws: Aws, clock: Clock, refused: Refused) -> None:
    key = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    for wait in (0, 2):
        clock.after(wait)
        with refused("NotFoundException"):
            aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
        with refused("NotFoundException"):
            aws.kms.enable_key_rotation(KeyId=key)
    clock.after(2)
    aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    aws.kms.enable_key_rotation(KeyId=key)


def test_naive_code_takes_the_first_look_at_a_changed_policy_for_the_truth(aws: Aws, clock: Clock) -> None:
    key = aws.kms.create_key(Description="before")["KeyMetadata"]["KeyId"]
    clock.after(LONG_S)

    def look() -> str:
        return aws.kms.describe_key(KeyId=key)["KeyMetadata"]["Description"]

    assert clock.looks(look) == {"before"}
    aws.kms.update_key_description(KeyId=key, Description="after")
    assert clock.looks(look) == {"before", "after"}
    clock.after(4)
    assert clock.looks(look) == {"after"}


def test_an_alias_outlives_the_use_of_its_key(aws: Aws, clock: Clock, refused: Refused) -> None:
    """Naive code makes its alias anew, or takes a key that was brought back for one that is in use."""
    key, other = (aws.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    clock.after(LONG_S)
    aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    aws.kms.schedule_key_deletion(KeyId=key)
    clock.after(LONG_S)
    with refused("AlreadyExistsException"):
        aws.kms.create_alias(AliasName="alias/a", TargetKeyId=other)
    assert aws.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyState"] == "PendingDeletion"
    aws.kms.cancel_key_deletion(KeyId=key)
    clock.after(LONG_S)
    assert aws.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyState"] == "Disabled"
