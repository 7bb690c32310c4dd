from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
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
    assert Owner.of(tags) == Owner.ours("pr-42")


def test_a_tag_of_ours_cannot_be_overwritten() -> None:
    tags = NAMES.tags("x", environment="dev", service="payments", extra={"ManagedBy": "terraform"})
    assert Owner.of(tags) == Owner.ours("pr-42")


def test_the_function_s_name_limits_the_suffix() -> None:
    assert longest_suffix() == 46
    assert len(Names("x" * 46, "", "").function) == 64


WORDS = st.lists(st.text("abcxyz0189", min_size=1, max_size=12), max_size=6)
SUFFIXES = WORDS.map(lambda words: "-".join(["x", *words]))


@settings(deadline=None)
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
