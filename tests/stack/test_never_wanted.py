from __future__ import annotations

import json

import pytest

from tapctl.aws.policy import parse
from tapctl.config import load_all
from tapctl.engine.model import Spec
from tapctl.names import Names
from tapctl.reconcilers.iam_role import IamRoleSpec
from tapctl.reconcilers.security_group_rules import Rule, SecurityGroupRulesSpec
from tapctl.reconcilers.sns_topic import SnsTopicSpec
from tapctl.stack.definition import planned_stack
from tapctl.stack.never_wanted import never_wanted
from tests.support.config_folder import ENVIRONMENTS

NAMES = Names("dev", "123456789012", "us-east-2")


def told(type_: str, id: str, spec: Spec) -> list[tuple[str, str]]:
    return [(field, reason) for field, _, reason in never_wanted(NAMES, type_, id, spec)]


def test_nothing_that_the_product_wants_is_never_wanted() -> None:
    for env, config in load_all(ENVIRONMENTS).items():
        for resource in planned_stack(config, env):
            names = Names(env, config.account_id, config.region)
            assert list(never_wanted(names, resource.type, resource.id, resource.spec)) == []


@pytest.mark.parametrize(
    ("group", "rule", "is_open"),
    [
        ("db-sg-dev", ("ingress", "tcp", 5432, "0.0.0.0/0"), True),
        ("db-sg-dev", ("ingress", "tcp", 5432, "::/0"), True),
        ("db-sg-dev", ("ingress", "tcp", 5432, "128.0.0.0/1"), True),
        ("db-sg-dev", ("ingress", "tcp", 5432, "10.0.0.0/8"), False),
        ("db-sg-dev", ("ingress", "tcp", 5432, "sg-1"), False),
        ("db-sg-dev", ("egress", "tcp", 443, "0.0.0.0/0"), True),
        ("lambda-sg-dev", ("egress", "tcp", 443, "0.0.0.0/0"), False),
        ("lambda-sg-dev", ("egress", "-1", -1, "0.0.0.0/0"), True),
        ("lambda-sg-dev", ("ingress", "tcp", 443, "0.0.0.0/0"), True),
    ],
)
def test_a_door_to_the_world_is_never_wanted(group: str, rule: tuple[str, str, int, str], is_open: bool) -> None:
    direction, protocol, port, peer = rule
    live = Rule.model_validate(
        {"direction": direction, "protocol": protocol, "from_port": port, "to_port": port, "peer": peer}
    )
    spec = SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset({live}))
    expected = [("rules", f"open to the world: {live}")] if is_open else []
    assert told("security-group-rules", group, spec) == expected


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish"}, "All lets everybody in"),
        ({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish"}, "a statement lets everybody in"),
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, "a statement allows everything"),
        ({"Effect": "Allow", "NotAction": "sns:Publish"}, "a statement allows all but what it names"),
        ({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}, ""),
        ({"Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "sns:Publish", "Resource": "*"}, ""),
    ],
)
def test_a_policy_for_everybody_or_everything_is_never_wanted(statement: dict[str, object], reason: str) -> None:
    policy = parse(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    topic = SnsTopicSpec(display_name="", kms_key_arn="", policy=policy, signature_version="1", tags={})
    assert told("sns-topic", "alarms-dev", topic) == ([("policy", reason)] if reason else [])
    role = IamRoleSpec(trust=parse({"Statement": []}), inline={"p": policy}, description="", tags={})
    assert told("iam-role", "lambda-role-dev", role) == ([("inline", reason)] if reason else [])


def test_a_field_that_the_product_never_sets_is_told() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    role = IamRoleSpec(trust=parse({"Statement": []}), inline={}, attached=frozenset({arn}), description="", tags={})
    assert told("iam-role", "lambda-role-dev", role) == [("attached", f"tapctl never sets this: {arn}")]
