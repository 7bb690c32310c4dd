from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Retained
from tapctl.errors import AwsNoAnswer, AwsRefused, NotYet, Patience
from tapctl.reconcilers.secret_rotation import SecretRotationSpec
from tests.reconcilers.cases import secret_rotation as case
from tests.reconcilers.clusters import CLUSTER, described
from tests.reconcilers.driving import OURS, bring, calls, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID
WANT = case.examples({})[0]


@pytest.fixture
def secret(aws: Aws) -> str:
    """The secret's ARN; RDS rotates it every 7 days."""
    case.prepare(aws)
    arn: str = described(aws)["DBClusters"][0]["MasterUserSecret"]["SecretArn"]
    return arn


def with_(**changes: Any) -> SecretRotationSpec:
    return WANT.model_copy(update=changes)


def in_state(aws: Aws, status: str) -> dict[str, Any]:
    """DescribeDBClusters' answer with the secret in this state."""
    found = described(aws)["DBClusters"][0]["MasterUserSecret"]
    return described(aws, MasterUserSecret={**found, "SecretStatus": status})


def test_it_is_seen_in_two_calls_and_is_its_clusters(aws: Aws, secret: str) -> None:
    before = calls(aws)
    seen = look(REC, aws, ID, WANT)
    assert calls(aws) - before == 2
    assert (seen.spec.rotation_days, seen.spec.enabled) == (7, True)
    assert (seen.owner, seen.settled, seen.failure, seen.status) == (OURS, True, None, "active")


def test_without_its_cluster_or_its_secret_it_is_absent(aws: Aws) -> None:
    assert REC.observe(aws, ID, WANT) is None
    case.prepare(aws)
    refuse(aws.secretsmanager, "DescribeSecret", "ResourceNotFoundException", times=1)
    assert REC.observe(aws, ID, WANT) is None
    answer(aws.rds, "DescribeDBClusters", described(aws, MasterUserSecret=None))
    assert REC.observe(aws, ID, WANT) is None


def test_a_secret_whose_deletion_is_scheduled_tells_its_day_and_no_policy(aws: Aws, secret: str) -> None:
    seen = REC.observe(aws, ID, WANT)
    assert seen is not None
    refuse(
        aws.secretsmanager,
        "GetResourcePolicy",
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
    exposed = REC.observe_exposures(aws, ID, seen, WANT)
    assert exposed.unreadable == {"resource_policy": "secretsmanager:GetResourcePolicy"}
    assert "marked for deletion" in exposed.refusals["resource_policy"]


def test_a_cluster_that_names_its_secret_by_nothing_cannot_be_used(aws: Aws, secret: str) -> None:
    answer(aws.rds, "DescribeDBClusters", described(aws, MasterUserSecret={"SecretArn": ""}))
    with pytest.raises(AwsNoAnswer, match="SecretArn of the MasterUserSecret is empty"):
        REC.observe(aws, ID, WANT)


def test_a_secret_that_may_not_be_read_is_not_absent(aws: Aws, secret: str) -> None:
    refuse(aws.secretsmanager, "DescribeSecret", *DENIED)
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, WANT)


def test_the_schedule_is_set_and_the_password_stays(aws: Aws, secret: str) -> None:
    before = aws.secretsmanager.get_secret_value(SecretId=secret)
    seen = bring(REC, aws, ID, WANT)
    assert seen.spec == WANT
    after: Mapping[str, Any] = aws.secretsmanager.describe_secret(SecretId=secret)
    assert after["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert "LastRotatedDate" not in after
    assert aws.secretsmanager.get_secret_value(SecretId=secret)["SecretString"] == before["SecretString"]


def test_creating_it_is_setting_the_schedule(aws: Aws, secret: str) -> None:
    REC.create(aws, ID, WANT, OURS)
    assert look(REC, aws, ID, WANT).spec.rotation_days == 30


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ({"AutomaticallyAfterDays": 30}, 30),
        ({"ScheduleExpression": "rate(30 days)", "AutomaticallyAfterDays": 29}, 30),
        ({"ScheduleExpression": "rate(1 day)"}, 1),
        ({"ScheduleExpression": "rate(48 hours)"}, 2),
        ({"ScheduleExpression": "rate(4 hours)"}, 0),
        ({"ScheduleExpression": "cron(0 8 1 * ? *)", "AutomaticallyAfterDays": 30}, 0),
        ({}, 0),
    ],
)
def test_a_rate_in_days_and_a_number_of_days_are_the_same(
    aws: Aws, secret: str, rules: dict[str, Any], days: int
) -> None:
    answer(aws.secretsmanager, "DescribeSecret", {"ARN": secret, "RotationEnabled": True, "RotationRules": rules})
    assert look(REC, aws, ID, WANT).spec.rotation_days == days


def test_rotation_that_was_switched_off_shows_and_is_switched_on(aws: Aws, secret: str) -> None:
    bring(REC, aws, ID, WANT)
    aws.secretsmanager.cancel_rotate_secret(SecretId=secret)
    seen = look(REC, aws, ID, WANT)
    assert seen.spec == with_(enabled=False)
    assert REC.update(aws, ID, seen.spec, WANT) == {"enabled"}
    assert look(REC, aws, ID, WANT).spec == WANT


def test_a_schedule_without_rotation_is_set_and_then_switched_off(aws: Aws, secret: str) -> None:
    have = bring(REC, aws, ID, WANT).spec
    want = with_(enabled=False, rotation_days=14)
    assert REC.update(aws, ID, have, want) == {"rotation_days"}
    assert REC.update(aws, ID, with_(rotation_days=14), want) == {"enabled"}
    assert look(REC, aws, ID, want).spec == want


@pytest.mark.parametrize("status", ["creating", "rotating"])
def test_a_secret_at_work_is_waited_for(aws: Aws, secret: str, status: str) -> None:
    answer(aws.rds, "DescribeDBClusters", in_state(aws, status))
    assert not look(REC, aws, ID, WANT).settled
    with pytest.raises(NotYet, match=status) as caught:
        REC.update(aws, ID, with_(rotation_days=7), WANT)
    assert caught.value.patience is Patience.LONG


def test_a_secret_that_is_not_there_yet_is_waited_for(aws: Aws) -> None:
    with pytest.raises(NotYet, match="not there") as caught:
        REC.create(aws, ID, WANT, OURS)
    assert caught.value.patience is Patience.LONG


def test_a_secret_that_rds_cannot_rotate_has_failed(aws: Aws, secret: str) -> None:
    answer(aws.rds, "DescribeDBClusters", in_state(aws, "impaired"))
    seen = look(REC, aws, ID, WANT)
    assert seen.failure is not None
    assert seen.failure.startswith("impaired: ")


STEPS = [
    ("RotateSecret", lambda aws: REC.create(aws, ID, WANT, OURS)),
    ("RotateSecret", lambda aws: REC.update(aws, ID, with_(rotation_days=7), WANT)),
    ("CancelRotateSecret", lambda aws: REC.update(aws, ID, WANT, with_(enabled=False))),
    ("TagResource", lambda aws: REC.update(aws, ID, with_(tags={}), WANT)),
    ("UntagResource", lambda aws: REC.update(aws, ID, with_(tags={**WANT.tags, "Extra": "1"}), WANT)),
]


@pytest.mark.parametrize(("operation", "step"), STEPS)
def test_a_change_that_is_not_possible_yet_is_asked_again_and_one_that_is_denied_is_told(
    aws: Aws, secret: str, operation: str, step: Callable[[Aws], object]
) -> None:
    refuse(aws.secretsmanager, operation, "InvalidRequestException", "A previous rotation isn't complete.", times=1)
    with pytest.raises(NotYet, match="previous rotation") as caught:
        step(aws)
    assert caught.value.patience is Patience.BUSY
    refuse(aws.secretsmanager, operation, "ResourceNotFoundException", times=1)
    with pytest.raises(NotYet, match="does not show") as caught:
        step(aws)
    assert caught.value.patience is Patience.PROPAGATION
    refuse(aws.secretsmanager, operation, *DENIED)
    with pytest.raises(AwsRefused):
        step(aws)


def test_it_goes_with_its_cluster_and_never_before(aws: Aws, secret: str) -> None:
    seen = look(REC, aws, ID, WANT)
    before = calls(aws)
    kept = REC.delete(aws, ID, seen, WANT)
    assert calls(aws) == before
    assert isinstance(kept, Retained)
    assert CLUSTER in kept.until
    assert list(REC.list_owned(aws, OURS)) == []
