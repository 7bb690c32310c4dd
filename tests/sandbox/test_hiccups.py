from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tapctl.sandbox.emulator.app import Sandbox
from tapctl.sandbox.hiccups import Hiccup, Hiccups
from tests.conftest import REGION


@pytest.fixture
def hiccups(sandbox_url: str, sandbox_app: Sandbox) -> Iterator[Hiccups]:
    """What goes wrong on the way to the embedded AWS at ``sandbox_url``: nothing yet."""
    peace, sandbox_app.hiccups = sandbox_app.hiccups, Hiccups(held_s=0.3)
    yield sandbox_app.hiccups
    sandbox_app.hiccups = peace


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
    hiccups: Hiccups, service: str, operation: str, code: str
) -> None:
    hiccups.next(f"{service}:{operation}", Hiccup.THROTTLED)
    aws = client(service)
    call = next(getattr(aws, name) for name, wire in aws.meta.method_to_api_mapping.items() if wire == operation)
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code
    call()


@pytest.mark.parametrize(
    ("hiccup", "error", "made"),
    [
        (Hiccup.FAILED, "InternalFailure", False),
        (Hiccup.UNAVAILABLE, "ServiceUnavailable", False),
        (Hiccup.FAILED_AFTER, "InternalFailure", True),
        (Hiccup.UNHEARD, ConnectionClosedError, False),
        (Hiccup.UNANSWERED, ConnectionClosedError, True),
        (Hiccup.HELD, ReadTimeoutError, False),
        (Hiccup.HELD_AFTER, ReadTimeoutError, True),
    ],
)
def test_a_call_that_failed_or_was_lost_may_have_taken_effect(
    hiccups: Hiccups, hiccup: Hiccup, error: str | type[Exception], made: bool
) -> None:
    sns, patient = client("sns", patience_s=0.1 if error is ReadTimeoutError else 60), client("sns")
    patient.list_topics()
    hiccups.next("sns:CreateTopic", hiccup)
    with pytest.raises(ClientError if isinstance(error, str) else error) as caught:
        sns.create_topic(Name="topic")
    if isinstance(error, str):
        assert isinstance(caught.value, ClientError)
        assert caught.value.response["Error"]["Code"] == error
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert bool(patient.list_topics()["Topics"]) is made


def test_naive_code_makes_two_keys_of_a_lost_answer(hiccups: Hiccups) -> None:
    """CreateKey has no idempotency token: an SDK that asks again has made a second one."""
    hiccups.next("kms:CreateKey", Hiccup.UNANSWERED)
    kms: Any = boto3.client("kms", region_name=REGION)
    kms.create_key()
    assert len(kms.list_keys()["Keys"]) == 2


def test_chance_is_of_the_seed_and_of_the_share(sandbox_url: str, sandbox_app: Sandbox) -> None:
    def met(seed: int) -> list[str]:
        sandbox_app.hiccups = Hiccups({Hiccup.FAILED: 0.3, Hiccup.UNHEARD: 0.2}, seed=seed)
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

    peace = sandbox_app.hiccups
    try:
        first = met(1)
        assert met(1) == first
        assert met(2) != first
        counts = Counter(first)
        assert 20 <= counts["served"] <= 40
        assert 8 <= counts["failed"] <= 30
        assert 4 <= counts["unheard"] <= 24
    finally:
        sandbox_app.hiccups = peace
