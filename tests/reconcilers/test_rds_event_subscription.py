from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.rds_event_subscription import RdsEventSubscriptionSpec
from tests.reconcilers.cases import rds_event_subscription as case
from tests.reconcilers.driving import OURS, bring, calls, look
from tests.reconcilers.scripted import DENIED, answer, refuse

REC, ID = case.RECONCILER, case.ID


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


@pytest.fixture
def want(world: dict[str, str]) -> RdsEventSubscriptionSpec:
    return case.examples(world)[0]


def shown(**changes: Any) -> dict[str, Any]:
    """DescribeEventSubscriptions' answer."""
    return {
        "EventSubscriptionsList": [
            {
                "CustSubscriptionId": ID,
                "SnsTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
                "Status": "active",
                "SourceType": "db-parameter-group",
                "SourceIdsList": ["a"],
                "EventCategoriesList": ["configuration change"],
                "Enabled": True,
                "EventSubscriptionArn": f"arn:aws:rds:us-east-1:123456789012:es:{ID}",
                **changes,
            }
        ]
    }


def test_it_is_seen_in_two_calls_and_told_by_its_arn(aws: Aws, want: RdsEventSubscriptionSpec) -> None:
    bring(REC, aws, ID, want)
    before = calls(aws)
    seen = look(REC, aws, ID, want)
    assert calls(aws) - before == 2
    assert seen.outputs is not None
    assert seen.outputs.arn == f"arn:aws:rds:us-east-1:123456789012:es:{ID}"
    assert (seen.spec, seen.owner, seen.settled, seen.status) == (want, OURS, True, "active")


def test_names_are_compared_in_lower_case_and_lists_without_their_order(aws: Aws) -> None:
    ids, categories = ["B", "a"], ["failure", "failover"]
    answer(
        aws.rds,
        "DescribeEventSubscriptions",
        shown(CustSubscriptionId=ID.upper(), SourceIdsList=ids, EventCategoriesList=categories),
    )
    answer(aws.rds, "ListTagsForResource", {"TagList": []})
    spec = look(REC, aws, ID).spec
    assert (spec.source_ids, spec.categories) == ({"a", "b"}, {"failover", "failure"})


@pytest.mark.parametrize(
    ("status", "settled", "deleting", "failure"),
    [
        ("creating", False, False, None),
        ("modifying", False, False, None),
        ("active", True, False, None),
        ("deleting", True, True, None),
        ("no-permission", True, False, "RDS may not publish to the topic any more (no-permission)"),
        ("topic-not-exist", True, False, "the topic was deleted after the subscription was made (topic-not-exist)"),
    ],
)
def test_a_status_tells_work_removal_and_failure(
    aws: Aws, status: str, settled: bool, deleting: bool, failure: str | None
) -> None:
    answer(aws.rds, "DescribeEventSubscriptions", shown(Status=status))
    answer(aws.rds, "ListTagsForResource", {"TagList": []})
    seen = look(REC, aws, ID)
    assert (seen.status, seen.settled, seen.deleting, seen.failure) == (status, settled, deleting, failure)


def test_a_subscription_that_may_not_be_read_is_not_absent(aws: Aws) -> None:
    refuse(aws.rds, "DescribeEventSubscriptions", *DENIED)
    with pytest.raises(AwsRefused):
        REC.observe(aws, ID, None)


def test_a_subscription_that_was_not_asked_for_is_not_the_one(aws: Aws) -> None:
    answer(aws.rds, "DescribeEventSubscriptions", shown(CustSubscriptionId="other"))
    assert REC.observe(aws, ID, None) is None


def test_a_taken_name_is_looked_at_again(aws: Aws, want: RdsEventSubscriptionSpec) -> None:
    bring(REC, aws, ID, want)
    with pytest.raises(AlreadyExists):
        REC.create(aws, ID, want, OURS)


@pytest.mark.parametrize(
    ("code", "patience"),
    [
        ("SNSNoAuthorization", Patience.PROPAGATION),
        ("SNSTopicArnNotFound", Patience.PROPAGATION),
        ("SourceNotFound", Patience.PROPAGATION),
        ("SubscriptionNotFound", Patience.PROPAGATION),
        ("InvalidEventSubscriptionState", Patience.BUSY),
    ],
)
def test_a_refusal_that_passes_by_itself_is_asked_again(
    aws: Aws, want: RdsEventSubscriptionSpec, code: str, patience: Patience
) -> None:
    refuse(aws.rds, "CreateEventSubscription", code)
    refuse(aws.rds, "ModifyEventSubscription", code)
    for ask in (
        lambda: REC.create(aws, ID, want, OURS),
        lambda: REC.update(aws, ID, want.model_copy(update={"enabled": False}), want),
    ):
        with pytest.raises(NotYet) as caught:
            ask()
        assert caught.value.patience is patience


@pytest.mark.parametrize("code", ["EventSubscriptionQuotaExceeded", "SNSInvalidTopic", "SubscriptionCategoryNotFound"])
def test_any_other_refusal_is_final(aws: Aws, want: RdsEventSubscriptionSpec, code: str) -> None:
    refuse(aws.rds, "CreateEventSubscription", code)
    with pytest.raises(AwsRefused, match=code):
        REC.create(aws, ID, want, OURS)


def test_sources_are_added_before_others_are_removed_one_a_call(aws: Aws, want: RdsEventSubscriptionSpec) -> None:
    """A subscription without sources would hear of every group of the account."""
    bring(REC, aws, ID, want)
    goal = want.model_copy(update={"source_ids": frozenset({"b", "c"})})
    sources, requested = [], []
    for _ in range(3):
        requested.append(REC.update(aws, ID, look(REC, aws, ID).spec, goal))
        sources.append(look(REC, aws, ID).spec.source_ids)
    assert sources == [{"a", "b"}, {"a", "b", "c"}, {"b", "c"}]
    assert requested == [frozenset(), frozenset(), {"source_ids"}]


def test_topic_categories_and_switch_are_one_call(
    aws: Aws, world: dict[str, str], want: RdsEventSubscriptionSpec
) -> None:
    bring(REC, aws, ID, want)
    goal = want.model_copy(update={"topic_arn": world["pager"], "enabled": False})
    assert REC.update(aws, ID, want, goal) == {"topic_arn", "enabled"}
    assert look(REC, aws, ID).spec == goal


def test_a_removal_that_has_to_wait_says_so(aws: Aws, want: RdsEventSubscriptionSpec) -> None:
    bring(REC, aws, ID, want)
    refuse(aws.rds, "DeleteEventSubscription", "InvalidEventSubscriptionState", times=1)
    with pytest.raises(NotYet) as caught:
        REC.delete(aws, ID, look(REC, aws, ID), None)
    assert caught.value.patience is Patience.BUSY
    refuse(aws.rds, "DeleteEventSubscription", *DENIED)
    with pytest.raises(AwsRefused):
        REC.delete(aws, ID, look(REC, aws, ID), None)
