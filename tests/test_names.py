from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapctl.engine.model import Owner
from tapctl.names import LIMITS, MAX_INSTANCES, OUR_TAGS, Names, longest_suffix, suffix_problem

NAMES = Names("pr-42", "123456789012", "eu-west-1")


def test_the_names_are_those_of_the_contract() -> None:
    assert NAMES.key_alias == "alias/db-key-pr-42"
    assert NAMES.lambda_security_group == "lambda-sg-pr-42"
    assert NAMES.db_security_group == "db-sg-pr-42"
    assert NAMES.subnet_group == "db-subnet-pr-42"
    assert NAMES.cluster_parameter_group(17) == "db-cluster-params-pg17-pr-42"
    assert NAMES.instance_parameter_group(15) == "db-instance-params-pg15-pr-42"
    assert NAMES.cluster == "db-cluster-pr-42"
    assert NAMES.instance(0) == "db-cluster-pr-42-0"
    assert NAMES.role == "lambda-role-pr-42"
    assert NAMES.role_policy == "lambda-policy-pr-42"
    assert NAMES.function == "payment-processor-pr-42"
    assert NAMES.function_log_group == "/aws/lambda/payment-processor-pr-42"
    assert NAMES.database_log_group == "/aws/rds/cluster/db-cluster-pr-42/postgresql"
    assert NAMES.topic == "alarms-pr-42"
    assert NAMES.cluster_events == "db-cluster-events-pr-42"
    assert NAMES.instance_events == "db-instance-events-pr-42"
    assert NAMES.parameter_group_events == "db-parameter-group-events-pr-42"
    assert NAMES.final_snapshot("7f3a") == "db-cluster-pr-42-final-7f3a"


def test_every_alarm_ends_with_the_suffix() -> None:
    assert [
        NAMES.function_errors,
        NAMES.function_duration,
        NAMES.function_throttles,
        NAMES.instance_cpu(0),
        NAMES.instance_connections(1),
    ] == [
        "payment-processor-errors-pr-42",
        "payment-processor-duration-pr-42",
        "payment-processor-throttles-pr-42",
        "db-cpu-0-pr-42",
        "db-connections-1-pr-42",
    ]


def test_arns_are_composed_of_name_account_region_and_partition() -> None:
    assert NAMES.function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:payment-processor-pr-42"
    assert NAMES.topic_arn == "arn:aws:sns:eu-west-1:123456789012:alarms-pr-42"
    assert NAMES.alarm_arn("x") == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x"
    log_group = NAMES.log_group_arn(NAMES.function_log_group)
    assert log_group == "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/payment-processor-pr-42"
    china = Names("dev", "123456789012", "cn-north-1", "aws-cn")
    assert china.topic_arn == "arn:aws-cn:sns:cn-north-1:123456789012:alarms-dev"


def alarms(names: Names) -> list[str]:
    """The ARNs of all alarms that this suffix can come to have."""
    numbers = range(MAX_INSTANCES)
    every = [names.function_errors, names.function_duration, names.function_throttles]
    every += [name for index in numbers for name in (names.instance_cpu(index), names.instance_connections(index))]
    return [names.alarm_arn(name) for name in every]


@pytest.mark.parametrize("suffix", ["dev", "pr-dev", "x-0-dev", "d", "dev-1"])
def test_the_patterns_of_events_match_all_of_ours_and_none_of_another_suffix(suffix: str) -> None:
    names, other = Names("dev", "123456789012", "eu-west-1"), Names(suffix, "123456789012", "eu-west-1")
    sources = [f"es:{name}" for name in (other.cluster_events, other.instance_events, other.parameter_group_events)]
    sources += [f"cluster:{other.cluster}", *(f"db:{other.instance(index)}" for index in range(MAX_INSTANCES))]
    sources += [f"pg:{other.instance_parameter_group(major)}" for major in (15, 17)]
    for source in sources:
        arn = f"arn:aws:rds:eu-west-1:123456789012:{source}"
        assert any(fnmatchcase(arn, pattern) for pattern in names.event_arn_patterns) == (suffix == "dev")


@pytest.mark.parametrize("suffix", ["dev", "pr-dev", "x-0-dev", "d", "dev-1"])
def test_the_patterns_of_alarms_match_all_of_ours_and_none_of_another_suffix(suffix: str) -> None:
    names = Names("dev", "123456789012", "eu-west-1")
    for arn in alarms(replace(names, suffix=suffix)):
        # IAM's wildcards are the shell's.
        assert any(fnmatchcase(arn, pattern) for pattern in names.alarm_arn_patterns) == (suffix == "dev")


def test_tags_say_what_it_is_and_whose() -> None:
    tags = NAMES.tags("db-sg-pr-42", environment="dev", service="payments", extra={"CostCenter": "payments"})
    assert tags == {
        "Name": "db-sg-pr-42",
        "Environment": "dev",
        "EnvironmentSuffix": "pr-42",
        "Service": "payments",
        "ManagedBy": "tapctl",
        "CostCenter": "payments",
    }
    assert set(tags) - {"CostCenter"} == set(OUR_TAGS)
    assert Owner.of(tags) == Owner.ours("pr-42", "dev")


def test_a_tag_of_ours_cannot_be_overwritten() -> None:
    tags = NAMES.tags("x", environment="dev", service="payments", extra={"ManagedBy": "terraform"})
    assert Owner.of(tags) == Owner.ours("pr-42", "dev")


def test_the_function_s_name_limits_the_suffix() -> None:
    assert longest_suffix() == 46
    assert len(Names("x" * 46, "", "").function) == 64


WORDS = st.lists(st.text("abcxyz0189", min_size=1, max_size=12), max_size=6)
SUFFIXES = WORDS.map(lambda words: "-".join(["x", *words]))


@given(SUFFIXES)
def test_a_good_suffix_makes_names_that_every_service_takes(suffix: str) -> None:
    """The limits are written out here once more, from the services' API references."""
    names = Names(suffix, "", "")
    assert (suffix_problem(suffix) is None) is (len(suffix) <= 46)
    if len(suffix) <= 46:
        assert max(len(names.instance(MAX_INSTANCES - 1)), len(names.cluster)) <= 63
        assert max(len(names.function), len(names.role)) <= 64
        assert len(names.instance_connections(MAX_INSTANCES - 1)) <= 255
        assert len(names.final_snapshot("0" * 32)) <= 255


def test_every_limited_name_holds_the_suffix() -> None:
    assert [limit.kind for limit in LIMITS if "-pr-42" not in limit.longest(NAMES)] == []


@pytest.mark.parametrize(
    ("suffix", "good"), [("a", True), ("a1-b2", True), ("a-", False), ("a--b", False), ("", False)]
)
def test_rds_forbids_double_and_trailing_hyphens(suffix: str, good: bool) -> None:
    assert (suffix_problem(suffix) is None) is good


def test_two_suffixes_never_share_a_name() -> None:
    """Of one kind: a cluster and an instance may have the same name, to AWS they are different things."""

    def every(suffix: str) -> set[tuple[str, str]]:
        names = Names(suffix, "", "")
        numbered = {("instance", names.instance(index)) for index in range(MAX_INSTANCES)}
        numbered |= {("alarm", names.instance_cpu(index)) for index in range(MAX_INSTANCES)}
        return numbered | {(limit.kind, limit.longest(names)) for limit in LIMITS}

    for other in ("dev-0", "dev-1", "pr-dev", "dev-final", "0-dev"):
        assert every("dev").isdisjoint(every(other))


@pytest.mark.parametrize(
    ("type_", "ids"),
    [
        ("kms-key", ["alias/db-key-pr-42"]),
        ("security-group", ["lambda-sg-pr-42", "db-sg-pr-42"]),
        ("security-group-rules", ["lambda-sg-pr-42", "db-sg-pr-42"]),
        ("db-subnet-group", ["db-subnet-pr-42"]),
        ("db-cluster-parameter-group", ["db-cluster-params-pg9-pr-42", "db-cluster-params-pg17-pr-42"]),
        ("db-parameter-group", ["db-instance-params-pg16-pr-42"]),
        ("db-cluster", ["db-cluster-pr-42"]),
        ("secret-rotation", ["db-cluster-pr-42"]),
        ("db-instance", ["db-cluster-pr-42-0", "db-cluster-pr-42-15"]),
        ("iam-role", ["lambda-role-pr-42"]),
        ("lambda-function", ["payment-processor-pr-42"]),
        ("log-group", ["/aws/lambda/payment-processor-pr-42", "/aws/rds/cluster/db-cluster-pr-42/postgresql"]),
        ("sns-topic", ["alarms-pr-42"]),
        ("rds-event-subscription", ["db-cluster-events-pr-42", "db-parameter-group-events-pr-42"]),
    ],
)
def test_a_suffix_can_have_its_own_names_and_no_others(type_: str, ids: list[str]) -> None:
    others = (Names("pr-4", "", ""), Names("dev", "", ""), Names("pr-42-0", "", ""))
    for id_ in ids:
        assert NAMES.may_have(type_, id_)
        assert not any(other.may_have(type_, id_) for other in others)
        for forged in (f"{id_}-x", f"x-{id_}", id_.upper(), f"{id_}\n", ""):
            assert not NAMES.may_have(type_, forged)


@pytest.mark.parametrize(
    "id_",
    [
        *("payment-processor-errors-pr-42", "db-cpu-0-pr-42", "db-connections-15-pr-42"),
        *("db-freeable-memory-0-pr-42", "queue-age-pr-42"),
    ],
)
def test_an_alarm_of_the_stack_or_of_the_team_is_a_name(id_: str) -> None:
    assert NAMES.may_have("cloudwatch-alarm", id_)
    assert not Names("dev", "", "").may_have("cloudwatch-alarm", id_)
    for forged in (f"{id_}-x", f"X{id_}", f"-{id_}", f"x--{id_}", id_.upper(), f"{id_}\n", "", "-pr-42", "pr-42"):
        assert not NAMES.may_have("cloudwatch-alarm", forged)


@pytest.mark.parametrize("alarm", ["payment-processor-errors-pr-42", "db-cpu-0-pr-42", "db-connections-15-pr-42"])
def test_the_alarms_of_a_suffix_that_ends_alike_are_none_that_a_team_adds(alarm: str) -> None:
    assert not Names("42", "", "").may_have("cloudwatch-alarm", alarm)


@pytest.mark.parametrize(
    ("type_", "id_", "chosen"),
    [
        ("cloudwatch-alarm", "db-cpu-0-pr-42", False),
        ("cloudwatch-alarm", "queue-age-pr-42", False),
        ("cloudwatch-alarm", "db-memory-15-pr-42", False),
        ("cloudwatch-alarm", "checkout-latency-pr-42", True),
        ("cloudwatch-alarm", "queue-age-x-pr-42", True),
        ("sns-subscription", "alarms-pr-42/email:oncall@example.com", True),
        ("sns-subscription", "alarms-pr-42/arn:aws:sqs:a:1:pr-42", False),
        ("sns-topic", "alarms-pr-42", False),
    ],
)
def test_a_name_that_people_choose_tells_nothing_unless_it_is_configured(type_: str, id_: str, *, chosen: bool) -> None:
    configured = {"alarms": {"queue-age", "db-memory"}, "subscribers": ["arn:aws:sqs:a:1:{suffix}"]}
    assert NAMES.is_chosen(type_, id_, **configured) is chosen


@pytest.mark.parametrize("subscriber", ["email:oncall@example.com", "https://example.com/a", "arn:aws:sqs:a:1:q"])
def test_a_subscription_has_the_name_of_its_topic_and_subscriber(subscriber: str) -> None:
    id_ = NAMES.subscription(subscriber)
    assert NAMES.may_have("sns-subscription", id_)
    assert not Names("42", "", "").may_have("sns-subscription", id_)
    for forged in (f"x-{id_}", f"{id_}\n", f"other/{subscriber}", subscriber, "alarms-pr-42/", "alarms-pr-42/arn:x"):
        assert not NAMES.may_have("sns-subscription", forged)


def test_tokens_are_filled_in() -> None:
    names = Names("pr-42", "123456789012", "cn-north-1", "aws-cn")
    text = "arn:{partition}:sqs:{region}:{account_id}:events-{suffix} {a} {suffix}"
    assert names.fill(text) == "arn:aws-cn:sqs:cn-north-1:123456789012:events-pr-42 {a} pr-42"


@pytest.mark.parametrize(
    ("type_", "id_"),
    [
        ("db-instance", "db-cluster-pr-42-16"),
        ("db-instance", "db-cluster-pr-42-00"),
        ("db-instance", "db-cluster-pr-42"),
        ("db-cluster", "db-cluster-pr-42-restored"),
        ("db-cluster-parameter-group", "db-cluster-params-pg016-pr-42"),
        ("db-cluster-parameter-group", "db-cluster-params-pg-pr-42"),
        ("cloudwatch-alarm", "db-cpu-16-pr-42"),
        ("security-group-rules", "default"),
        ("unheard-of", "alarms-pr-42"),
        ("sns-topic", "payment-processor-pr-42"),
    ],
)
def test_what_only_looks_like_a_name_is_none(type_: str, id_: str) -> None:
    assert not NAMES.may_have(type_, id_)
