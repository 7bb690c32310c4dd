from __future__ import annotations

import pytest

from tapctl.aws import Aws
from tapctl.sandbox.emulator.simulation import Life
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import LONG_S, Clock, Make, Place, zipped

BUSY = "ResourceConflictException"


def state(aws: Aws) -> tuple[str, str]:
    shown = aws.lambda_.get_function(FunctionName="f")["Configuration"]
    return shown.get("State", ""), shown.get("LastUpdateStatus", "")


def test_naive_code_changes_a_function_that_is_still_being_made(
    aws: Aws, clock: Clock, make: Make, place: Place, refused: Refused
) -> None:
    make(VpcConfig=place.config())
    for seconds in (0, 60):
        clock.after(seconds)
        assert state(aws)[0] == "Pending"
        with refused(BUSY, "state: Pending"):
            aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5)
        with refused(BUSY, "state: Pending"):
            aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    clock.after(20)
    assert state(aws) == ("Active", "Successful")
    aws.lambda_.update_function_configuration(FunctionName="f", Timeout=5)


def test_only_the_first_function_of_a_place_waits_long(
    aws: Aws, clock: Clock, role: str, make: Make, place: Place
) -> None:
    make(VpcConfig=place.config())
    clock.after(LONG_S)
    make(FunctionName="second", VpcConfig=place.config())
    clock.after(10)
    assert aws.lambda_.get_function(FunctionName="second")["Configuration"].get("State") == "Active"


def test_naive_code_makes_the_second_update_while_the_first_goes_on(
    aws: Aws, clock: Clock, make: Make, refused: Refused
) -> None:
    make()
    clock.after(LONG_S)
    answer = aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    assert answer["LastUpdateStatus"] == "InProgress"
    with refused(BUSY, "An update is in progress for resource: arn:"):
        aws.lambda_.update_function_code(FunctionName="f", ZipFile=zipped())
    assert state(aws) == ("Active", "InProgress")
    clock.after(11)
    assert state(aws) == ("Active", "Successful")
    aws.lambda_.update_function_code(FunctionName="f", ZipFile=zipped())


def test_a_create_may_fail(aws: Aws, clock: Clock, life: Life, make: Make) -> None:
    life.demand("lambda.create", "SubnetOutOfIPAddresses")
    make()
    clock.after(LONG_S)
    shown = aws.lambda_.get_function(FunctionName="f")["Configuration"]
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "SubnetOutOfIPAddresses")


def test_naive_code_takes_the_values_of_a_failed_update_for_what_is_in_force(
    aws: Aws, clock: Clock, life: Life, make: Make
) -> None:
    make()
    clock.after(LONG_S)
    life.demand("lambda.update", "EniLimitExceeded")
    aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    clock.after(LONG_S)
    shown = aws.lambda_.get_function_configuration(FunctionName="f")
    assert shown["MemorySize"] == 256
    assert (shown["LastUpdateStatus"], shown["LastUpdateStatusReasonCode"]) == ("Failed", "EniLimitExceeded")
    aws.lambda_.update_function_configuration(FunctionName="f", MemorySize=256)
    clock.after(LONG_S)
    assert state(aws) == ("Active", "Successful")


@pytest.mark.parametrize("changed", [False, True])
def test_naive_code_gives_a_function_a_key_that_was_just_made_or_changed(
    aws: Aws, clock: Clock, make: Make, refused: Refused, *, changed: bool
) -> None:
    key = aws.kms.create_key()["KeyMetadata"]
    if changed:
        clock.after(LONG_S)
        policy = aws.kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
        aws.kms.put_key_policy(KeyId=key["KeyId"], Policy=policy)
    with refused("InvalidParameterValueException", "KMS key is invalid for CreateGrant"):
        make(KMSKeyArn=key["Arn"])
    clock.after(6)
    make(KMSKeyArn=key["Arn"])


def test_a_key_in_use_shows_it_by_a_grant(aws: Aws, clock: Clock, make: Make, role: str) -> None:
    first, second = (aws.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    clock.after(LONG_S)

    def grantees(key: str) -> list[str]:
        return [one["GranteePrincipal"] for one in aws.kms.list_grants(KeyId=key)["Grants"]]

    make(KMSKeyArn=first)
    assert grantees(first) == [role]
    clock.after(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn=second)
    assert (grantees(first), grantees(second)) == ([], [role])
    clock.after(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", Timeout=9)
    assert grantees(second) == [role]
    clock.after(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn="")
    assert grantees(second) == []
    clock.after(LONG_S)
    aws.lambda_.update_function_configuration(FunctionName="f", KMSKeyArn=first)
    aws.lambda_.delete_function(FunctionName="f")
    assert grantees(first) == []
