from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tapctl.sandbox.emulator.app import Sandbox
from tests.conftest import REGION
from tests.support.faults import Fault, FaultInjector


@pytest.fixture
def faults(sandbox_url: str, sandbox_app: Sandbox) -> Iterator[FaultInjector]:
    """Make the faults on the way to the embedded AWS at ``sandbox_url``: none yet."""
    before, faults = sandbox_app.around, FaultInjector(timeout_s=0.3)
    sandbox_app.around = faults
    yield faults
    sandbox_app.around = before


def client(service: str, patience_s: float = 60) -> Any:
    once = Config(retries={"total_max_attempts": 1}, read_timeout=patience_s)
    make: Any = boto3.client  # untyped: the stubs know services only as literals
    return make(service, region_name=REGION, config=once)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "DescribeSecurityGroups", "RequestLimitExceeded"),
        ("kms", "ListKeys", "ThrottlingException"),
        ("lambda", "ListFunctions", "TooManyRequestsException"),
        ("sns", "ListTopics", "Throttled"),
        ("rds", "DescribeDBClusters", "Throttling"),
        ("iam", "ListRoles", "Throttling"),
        ("cloudwatch", "DescribeAlarms", "Throttling"),
        ("resourcegroupstaggingapi", "GetResources", "ThrottledException"),
    ],
)
def test_a_throttled_call_is_refused_in_its_services_own_words(
    faults: FaultInjector, service: str, operation: str, code: str
) -> None:
    faults.script(f"{service}:{operation}", Fault.THROTTLED)
    aws = client(service)
    call = next(getattr(aws, name) for name, wire in aws.meta.method_to_api_mapping.items() if wire == operation)
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code
    call()


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        (Fault.SERVER_ERROR, "InternalFailure", False),
        (Fault.UNAVAILABLE, "ServiceUnavailable", False),
        (Fault.SERVER_ERROR_AFTER_EFFECT, "InternalFailure", True),
        (Fault.REQUEST_LOST, ConnectionClosedError, False),
        (Fault.REPLY_LOST, ConnectionClosedError, True),
        (Fault.TIMEOUT, ReadTimeoutError, False),
        (Fault.TIMEOUT_AFTER_EFFECT, ReadTimeoutError, True),
    ],
)
def test_a_call_that_failed_or_was_lost_may_have_taken_effect(
    faults: FaultInjector, fault: Fault, error: str | type[Exception], made: bool
) -> None:
    sns, patient = client("sns", patience_s=0.1 if error is ReadTimeoutError else 60), client("sns")
    patient.list_topics()
    faults.script("sns:CreateTopic", fault)
    with pytest.raises(ClientError if isinstance(error, str) else error) as caught:
        sns.create_topic(Name="topic")
    if isinstance(error, str):
        assert isinstance(caught.value, ClientError)
        assert caught.value.response["Error"]["Code"] == error
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert bool(patient.list_topics()["Topics"]) is made


def test_naive_code_makes_two_keys_of_a_lost_answer(faults: FaultInjector) -> None:
    """CreateKey has no idempotency token: an SDK that asks again has made a second one."""
    faults.script("kms:CreateKey", Fault.REPLY_LOST)
    kms: Any = boto3.client("kms", region_name=REGION)
    kms.create_key()
    assert len(kms.list_keys()["Keys"]) == 2


def test_chance_is_of_the_seed_and_of_the_share(sandbox_url: str, sandbox_app: Sandbox) -> None:
    def met(seed: int) -> list[str]:
        sandbox_app.around = FaultInjector({Fault.SERVER_ERROR: 0.3, Fault.REQUEST_LOST: 0.2}, seed=seed)
        sns = client("sns")
        found = []
        for _ in range(60):
            try:
                sns.list_topics()
                found.append("served")
            except ClientError:
                found.append("failed")
            except ConnectionClosedError:
                found.append("unheard")
        return found

    peace = sandbox_app.around
    try:
        first = met(1)
        assert met(1) == first
        assert met(2) != first
        counts = Counter(first)
        assert 20 <= counts["served"] <= 40
        assert 8 <= counts["failed"] <= 30
        assert 4 <= counts["unheard"] <= 24
    finally:
        sandbox_app.around = peace
