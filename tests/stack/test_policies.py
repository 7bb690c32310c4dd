"""The policies of the stack, in each partition."""

from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.aws.policy import as_json
from tapctl.names import Names
from tapctl.sandbox.seeding import credentials_of
from tapctl.stack.policies import function_policy, key_policy, lambda_trust
from tests.conftest import ACCOUNT

CHINA = Names("dev", ACCOUNT, "cn-north-1", "aws-cn")


def conditions(document: Any, key: str) -> set[frozenset[str]]:
    return {
        condition.values
        for statement in document.statements
        for condition in statement.conditions
        if condition.key == key
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
def test_kms_takes_the_key_s_policy_in_each_partition(sandbox_url: str, region: str, partition: str) -> None:
    aws = Aws(Connection(region, endpoint_url=sandbox_url, credentials=credentials_of("")))
    aws.identity = Identity(ACCOUNT, f"arn:{partition}:iam::{ACCOUNT}:root")
    names = Names("dev", ACCOUNT, region, partition)

    assert aws.kms.create_key(Policy=as_json(key_policy(names)))["KeyMetadata"]["KeyState"] == "Enabled"


def test_in_china_kms_may_name_a_service_by_either_domain() -> None:
    domains = ("amazonaws.com", "amazonaws.com.cn")
    assert conditions(key_policy(CHINA), "kms:ViaService") == {
        frozenset(f"{service}.cn-north-1.{domain}" for domain in domains)
        for service in ("rds", "secretsmanager", "lambda")
    }
    function = function_policy(CHINA, key_arn="k", secret_arn="s", cluster_resource_id="c", database_user="u")
    assert conditions(function, "kms:ViaService") == {
        frozenset(f"secretsmanager.cn-north-1.{domain}" for domain in domains)
    }


def test_lambda_assumes_the_role_for_this_account_alone_where_it_says_for_which() -> None:
    (statement,) = lambda_trust(CHINA).statements
    (condition,) = statement.conditions
    assert (condition.operator, condition.key, condition.values) == (
        "StringEqualsIfExists",
        "aws:SourceAccount",
        frozenset({ACCOUNT}),
    )
