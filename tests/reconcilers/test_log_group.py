from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.log_group import LogGroup, LogGroupSpec
from tests.reconcilers.cases.log_group import prepare
from tests.reconcilers.scripted import DENIED, refuse
from tests.reconcilers.scripted_aws import refused, scripted

NAME = "/aws/lambda/payment-processor-test"
ARN = f"arn:aws:logs:us-east-1:123456789012:log-group:{NAME}"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OURS = Owner.ours("test", "dev")
WANT = LogGroupSpec(
    retention_days=30,
    kms_key_arn=KEY,
    log_class="STANDARD",
    deletion_protection=False,
    tags={"Name": NAME, **OURS.tags},
)


def with_(**changes: Any) -> LogGroupSpec:
    return WANT.model_copy(update=changes)


def group(**changes: Any) -> dict[str, Any]:
    """DescribeLogGroups' answer: the group as wanted, but for the changes."""
    told = {"logGroupName": NAME, "retentionInDays": 30, "kmsKeyId": KEY, "metricFilterCount": 0}
    return {"logGroups": [told | changes]}


def look(aws: Any, expected: LogGroupSpec | None = WANT) -> Any:
    seen = LogGroup().observe(aws, NAME, expected)
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("created", "since"),
    [({}, None), ({"creationTime": 2**62}, None), ({"creationTime": 1_937_000_000_000}, 1_937_000_000)],
)
def test_it_may_hold_events_from_two_weeks_before_it_was_made_on(created: dict[str, int], since: int | None) -> None:
    aws = scripted({"describe_log_groups": group(**created), "list_tags_for_resource": {"tags": {}}})
    first = None if since is None else datetime.fromtimestamp(since, UTC) - timedelta(days=14)
    seen = look(aws)
    assert seen.holds_data_since == first
    assert seen.outputs.created == ("" if since is None else "2031-05-19T23:33:20.000+00:00")


@pytest.mark.parametrize(
    ("set_by_somebody", "is_default"),
    [
        ({}, True),
        ({"retentionInDays": 90, "retentionPolicyName": "central"}, True),
        ({"retentionInDays": 3653}, False),
        ({"kmsKeyId": KEY}, False),
        ({"logGroupClass": "INFREQUENT_ACCESS"}, False),
        ({"deletionProtectionEnabled": True}, False),
        ({"dataProtectionStatus": "ACTIVATED"}, False),
        ({"bearerTokenAuthenticationEnabled": True}, False),
        ({"metricFilterCount": 1}, False),
        ({"metricFilterCount": None}, False),
    ],
)
def test_aws_makes_a_group_for_a_late_writer_without_a_retention_a_key_or_a_guard(
    set_by_somebody: dict[str, Any], is_default: bool
) -> None:
    told = {"logGroupName": NAME, "metricFilterCount": 0} | set_by_somebody
    there = {"logGroups": [{name: value for name, value in told.items() if value is not None}]}
    aws = scripted({"describe_log_groups": there, "list_tags_for_resource": {"tags": {}}})
    assert look(aws, None).is_default is is_default


def test_it_is_made_with_key_and_tags_and_its_retention_is_a_second_step(aws: Aws) -> None:
    want = with_(kms_key_arn=prepare(aws)["key"])
    LogGroup().create(aws, NAME, want, OURS)

    first = look(aws)
    assert first.spec == want.model_copy(update={"retention_days": 0})
    assert LogGroup().update(aws, NAME, first.spec, want) == {"retention_days"}

    seen = look(aws)
    assert seen.spec == want
    assert seen.outputs.arn == ARN
    assert seen.owner == OURS
    assert seen.settled


def test_the_group_whose_name_only_begins_the_same_is_another(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName=f"{NAME}-canary")

    assert LogGroup().observe(aws, NAME, WANT) is None


def test_a_group_that_its_writer_made_first_is_looked_at_again(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName=NAME)

    with pytest.raises(AlreadyExists):
        LogGroup().create(aws, NAME, WANT, OURS)
    assert look(aws).owner is None


@pytest.mark.parametrize(
    ("have", "want", "call"),
    [
        ({"retention_days": 7}, {}, ("put_retention_policy", {"logGroupName": NAME, "retentionInDays": 30})),
        ({}, {"retention_days": 0}, ("delete_retention_policy", {"logGroupName": NAME})),
        ({"kms_key_arn": ""}, {}, ("associate_kms_key", {"logGroupName": NAME, "kmsKeyId": KEY})),
        ({}, {"kms_key_arn": ""}, ("disassociate_kms_key", {"logGroupName": NAME})),
        (
            {"deletion_protection": True},
            {},
            ("put_log_group_deletion_protection", {"logGroupIdentifier": NAME, "deletionProtectionEnabled": False}),
        ),
    ],
)
def test_each_field_changes_by_one_call(have: dict[str, Any], want: dict[str, Any], call: Any) -> None:
    aws = scripted()

    asked = LogGroup().update(aws, NAME, with_(**have), with_(**want))

    assert asked == {*have, *want}
    assert aws.calls == [call]


def test_what_is_not_wanted_is_not_asked_for() -> None:
    aws = scripted()
    tags = {**WANT.tags, **OURS.tags}

    LogGroup().create(aws, NAME, with_(kms_key_arn=""), OURS)
    LogGroup().create(aws, NAME, with_(deletion_protection=True), OURS)

    plain, protected = aws.asked("create_log_group")
    assert plain == {"logGroupName": NAME, "tags": tags}
    assert protected == {**plain, "kmsKeyId": KEY, "deletionProtectionEnabled": True}


def test_what_somebody_changed_shows() -> None:
    changed = group(retentionInDays=1, kmsKeyId="other", logGroupClass="DELIVERY", deletionProtectionEnabled=True)
    aws = scripted({"describe_log_groups": changed, "list_tags_for_resource": {"tags": {}}})

    assert look(aws).spec == LogGroupSpec(
        retention_days=1, kms_key_arn="other", log_class="DELIVERY", deletion_protection=True, tags={}
    )


@pytest.mark.parametrize(
    ("decreed", "wanted", "cut"),
    [
        ({"retentionInDays": 90}, 30, ""),
        ({"retentionInDays": 30}, 30, ""),
        ({"retentionInDays": None}, 30, ""),
        ({"retentionInDays": None}, 0, ""),
        ({"retentionInDays": 7}, 30, "7 by central"),
        ({"retentionInDays": 90}, 0, "90 by central"),
    ],
)
def test_a_retention_that_the_account_decrees_is_drift_where_it_is_less(
    decreed: dict[str, Any], wanted: int, cut: str
) -> None:
    # AWS leaves the days out where the account's policy keeps everything.
    answer = group(retentionPolicyName="central")
    answer["logGroups"][0].pop("retentionInDays")
    answer["logGroups"][0].update({name: value for name, value in decreed.items() if value})
    aws = scripted({"describe_log_groups": answer, "list_tags_for_resource": {"tags": dict(WANT.tags)}})

    assert look(aws, expected=with_(retention_days=wanted)).spec == with_(retention_days=wanted, retention_cut=cut)
    assert look(aws, expected=None).spec == with_(retention_days=decreed["retentionInDays"] or 0)


@pytest.mark.parametrize(
    ("code", "message", "patience"),
    [
        ("OperationAbortedException", "A conflicting operation is in progress", Patience.BUSY),
        (
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{ARN}'",
            Patience.PROPAGATION,
        ),
        (
            "AccessDeniedException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{ARN}'",
            Patience.PROPAGATION,
        ),
    ],
)
def test_a_create_that_only_has_to_wait_says_so(code: str, message: str, patience: Patience) -> None:
    aws = scripted({"create_log_group": refused("logs:CreateLogGroup", code, message)})

    with pytest.raises(NotYet) as answer:
        LogGroup().create(aws, NAME, WANT, OURS)
    assert answer.value.patience is patience


def test_a_group_that_does_not_show_yet_is_waited_for() -> None:
    aws = scripted({"put_retention_policy": refused("logs:PutRetentionPolicy", "ResourceNotFoundException")})

    with pytest.raises(NotYet) as answer:
        LogGroup().update(aws, NAME, with_(retention_days=0), WANT)
    assert answer.value.patience is Patience.PROPAGATION


def test_a_removal_in_the_way_of_another_change_waits() -> None:
    aws = scripted(
        {
            "describe_log_groups": group(),
            "list_tags_for_resource": {"tags": {}},
            "delete_log_group": refused("logs:DeleteLogGroup", "OperationAbortedException"),
        }
    )

    with pytest.raises(NotYet):
        LogGroup().delete(aws, NAME, look(aws), None)


def test_a_protected_group_blocks_its_deletion() -> None:
    aws = scripted(
        {"describe_log_groups": group(deletionProtectionEnabled=True), "list_tags_for_resource": {"tags": {}}}
    )

    assert LogGroup().deletion_blocker(look(aws)) == "its deletion protection is on"
    assert LogGroup().deletion_blocker(look(scripted({**aws.answers, "describe_log_groups": group()}))) is None


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("/aws/lambda/payment-processor-dev", "lambda-function/payment-processor-dev"),
        ("/aws/rds/cluster/db-cluster-dev/postgresql", "db-cluster/db-cluster-dev"),
        ("/aws/rds/cluster/db-cluster-dev/upgrade", None),
        ("/var/log/app", None),
    ],
)
def test_a_writer_s_name_is_in_the_group_s(name: str, writer: str | None) -> None:
    assert LogGroup().recreated_by(name) == writer


def test_all_groups_of_a_round_are_described_by_one_call(aws: Aws) -> None:
    names = (NAME, "/aws/rds/cluster/c/postgresql", "/absent")
    for name in names[:2]:
        aws.logs.create_log_group(logGroupName=name)
    before = aws.call_log.calls["logs:DescribeLogGroups"]
    view = aws.memoized({"log-group": names})

    assert all(LogGroup().observe(view, name, None) for name in names[:2])
    assert aws.call_log.calls["logs:DescribeLogGroups"] == before + 1
    assert LogGroup().observe(view, names[2], None) is None


def test_a_group_that_cannot_be_described_with_others_is_described_alone(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName=NAME)
    view = aws.memoized({"log-group": (NAME, "/absent")})
    with refuse(aws.logs, "DescribeLogGroups", *DENIED, logGroupIdentifiers="logGroupIdentifiers"):
        assert LogGroup().observe(view, NAME, None) is not None


def test_a_group_that_cannot_be_described_at_all_is_a_refusal(aws: Aws) -> None:
    with refuse(aws.logs, "DescribeLogGroups", *DENIED), pytest.raises(AwsRefused):
        LogGroup().observe(aws.memoized({"log-group": (NAME, "/absent")}), NAME, None)
