"""Asking RDS whether an upgrade can be had, before anything is changed."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused, Refused
from tapctl.reconcilers.upgrade import check_orderable, check_upgrade
from tests.reconcilers.scripted import DENIED, answer, refuse

ENGINE, CLASS = "aurora-postgresql", "db.r6g.large"


def asked(aws: Aws, have: str, want: str, *classes: str) -> Refused | None:
    return check_upgrade(aws, ENGINE, have, want, address="db-cluster/c", classes=classes or (CLASS,))


@pytest.mark.parametrize("want", ["16.9", "17.4", "17"])
def test_a_valid_target_whose_class_can_be_had_is_no_problem(aws: Aws, want: str) -> None:
    assert asked(aws, "16.8", want) is None


def test_a_version_that_is_no_target_is_refused_with_those_that_are(aws: Aws) -> None:
    refused = asked(aws, "16.13", "17.6")
    assert refused is not None
    assert (refused.cause, refused.evidence) == (
        "db-cluster/c: RDS upgrades aurora-postgresql 16.13 to no 17.6",
        "its valid targets are 16.14, 16.15, 17.9, 17.10, 17.11",
    )


@pytest.mark.parametrize("known", [{}, {"DBEngineVersions": []}, {"DBEngineVersions": [{"EngineVersion": "16.13"}]}])
def test_a_version_without_targets_is_upgraded_to_nothing(aws: Aws, known: dict[str, object]) -> None:
    answer(aws.rds, "DescribeDBEngineVersions", known)
    refused = asked(aws, "16.13", "17.6")
    assert refused is not None
    assert refused.evidence == "its valid targets are none"


def test_a_class_that_cannot_be_had_of_it_is_refused(aws: Aws) -> None:
    refused = asked(aws, "16.8", "17.4", CLASS, "db.m1.small")
    assert refused is not None
    assert refused.cause == "db-cluster/c: RDS has no db.m1.small with aurora-postgresql 17.4 in us-east-1"


@pytest.mark.parametrize("operation", ["DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"])
def test_what_may_not_be_asked_is_refused_with_the_permission_and_any_other_refusal_passes(
    aws: Aws, operation: str
) -> None:
    with refuse(aws.rds, operation, *DENIED):
        refused = asked(aws, "16.8", "17.4")
    assert refused is not None
    assert f"allow rds:{operation}" in (refused.hint or "")
    refuse(aws.rds, operation, "InvalidParameterValue")
    with pytest.raises(AwsRefused):
        asked(aws, "16.8", "17.4")


def orderable(aws: Aws, version: str, *classes: str) -> Refused | None:
    return check_orderable(aws, ENGINE, version, address="db-cluster/c", classes=classes)


def test_what_can_be_ordered_is_asked_in_one_call_a_class(aws: Aws) -> None:
    aws.call_log.calls.clear()
    assert orderable(aws, "16.13", CLASS) is None
    assert dict(aws.call_log.calls) == {"rds:DescribeOrderableDBInstanceOptions": 1}


def test_a_version_that_rds_has_not_is_refused_with_those_that_it_has(aws: Aws) -> None:
    refused = orderable(aws, "17.99", CLASS)
    assert refused is not None
    assert (refused.cause, refused.evidence) == (
        "db-cluster/c: RDS has no aurora-postgresql 17.99 in us-east-1",
        "DescribeDBEngineVersions lists 17.4, 17.5, 17.6, 17.7, 17.9, 17.10, 17.11 of that major version",
    )
    refused = orderable(aws, "18.1", CLASS)
    assert refused is not None
    assert "lists none" in (refused.evidence or "")


def test_a_class_that_rds_has_not_is_refused(aws: Aws) -> None:
    refused = orderable(aws, "16.13", CLASS, "db.r9g.large")
    assert refused is not None
    assert refused.cause == "db-cluster/c: RDS has no db.r9g.large with aurora-postgresql 16.13 in us-east-1"


@pytest.mark.parametrize("code", [DENIED[0], "InvalidParameterValue"])
def test_a_refusal_is_no_answer(aws: Aws, code: str) -> None:
    refuse(aws.rds, "DescribeOrderableDBInstanceOptions", code)
    with pytest.raises(AwsRefused):
        orderable(aws, "16.13", CLASS)
