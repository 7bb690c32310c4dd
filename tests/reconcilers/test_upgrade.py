"""Asking RDS whether an upgrade can be had, before anything is changed."""

from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused, Refused
from tapctl.reconcilers.upgrade import check_upgrade
from tests.reconcilers.scripted import DENIED, answer, refuse

ENGINE, CLASS = "aurora-postgresql", "db.r6g.large"


def asked(aws: Aws, have: str, want: str, *classes: str) -> Refused | None:
    return check_upgrade(aws, ENGINE, have, want, address="db-cluster/c", classes=classes or (CLASS,))


@pytest.mark.parametrize("want", ["16.9", "17.4", "17"])
def test_a_valid_target_whose_class_can_be_had_is_no_problem(aws: Aws, want: str) -> None:
    assert asked(aws, "16.8", want) is None


def test_a_version_that_is_no_target_is_refused_with_those_that_are(aws: Aws) -> None:
    target = {"EngineVersion": "17.9", "IsMajorVersionUpgrade": True}
    answer(
        aws.rds,
        "DescribeDBEngineVersions",
        {"DBEngineVersions": [{"EngineVersion": "16.13", "ValidUpgradeTarget": [target]}]},
    )
    refused = asked(aws, "16.13", "17.6")
    assert refused is not None
    assert (refused.cause, refused.evidence) == (
        "db-cluster/c: RDS upgrades aurora-postgresql 16.13 to no 17.6",
        "its valid targets are 17.9",
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
