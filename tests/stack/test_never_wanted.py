from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.policy import Statement, allow, parse, policy, when
from tapctl.engine.model import Spec
from tapctl.engine.refs import substitute
from tapctl.names import Names
from tapctl.reconcilers.iam_role import IamRoleSpec
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import SecurityGroupRulesSpec
from tapctl.reconcilers.sns_topic import SnsTopicSpec
from tapctl.stack.definition import planned_stack
from tapctl.stack.never_wanted import let_in, never_wanted
from tapctl.stack.policies import function_policy
from tests.support.additions import add_all
from tests.support.config_folder import Folder

NAMES = Names("dev", "123456789012", "us-east-2")


def told(type_: str, id: str, spec: Spec) -> list[tuple[str, str]]:
    return [(field, reason) for field, _, reason in never_wanted(NAMES, type_, id, spec)]


def as_aws_tells(names: Names, text: str) -> str:
    """A planned value with outputs of a form that AWS gives them."""
    place = f"{names.region}:{names.account}"
    for name, output in {
        "security-group/": "sg-1",
        "kms-key/": f"arn:aws:kms:{place}:key/0a1b",
        "db-cluster/[^#]*#secret_arn": f"arn:aws:secretsmanager:{place}:secret:rds!cluster-0a1b-Xy",
        "db-cluster/[^#]*#resource_id": "cluster-R",
    }.items():
        text = re.sub(f"⟦{name}[^⟧]*⟧", output, text)
    return text


@pytest.mark.parametrize("added", [False, True])
def test_nothing_that_the_product_wants_is_never_wanted(added: bool, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments")
    for env, config in (add_all(folder) if added else folder).load().items():
        for resource in planned_stack(config, env):
            names = Names(env, config.account_id, config.region)
            spec = substitute(resource.spec, partial(as_aws_tells, names))
            assert list(never_wanted(names, resource.type, resource.id, spec)) == []
            assert list(let_in(names, resource.type, resource.id, spec)) == []


@pytest.mark.parametrize(
    ("group", "rule", "is_strange"),
    [
        ("db-sg-dev", ("ingress", "10.0.0.0/8"), True),
        ("db-sg-dev", ("ingress", "pl-1"), True),
        ("db-sg-dev", ("ingress", "sg-1"), False),
        ("db-sg-dev", ("egress", "sg-1"), True),
        ("db-sg-dev", ("ingress", "0.0.0.0/0"), False),  # told as open
        ("lambda-sg-dev", ("ingress", "sg-1"), True),
        ("lambda-sg-dev", ("egress", "10.0.0.0/8"), False),
    ],
)
def test_a_rule_that_no_files_can_want_lets_somebody_in(group: str, rule: tuple[str, str], is_strange: bool) -> None:
    direction, peer = rule
    ends = {"protocol": "tcp", "from_port": 5432, "to_port": 5432}
    live = Rule.model_validate({"direction": direction, "peer": peer, **ends})
    spec = SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset({live}))
    told = list(let_in(NAMES, "security-group-rules", group, spec))
    assert told == ([("rules", live)] if is_strange else [])


@pytest.mark.parametrize(("function_group", "is_strange"), [("sg-1", False), ("sg-2", True), ("", False)])
def test_no_group_but_the_function_s_is_wanted_at_the_database(function_group: str, is_strange: bool) -> None:
    rule = Rule(direction="ingress", peer="sg-1", protocol="tcp", from_port=5432, to_port=5432)
    spec = SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset({rule}))
    told = list(let_in(NAMES, "security-group-rules", "db-sg-dev", spec, function_group=function_group))
    assert told == ([("rules", rule)] if is_strange else [])


SAML = "arn:aws:iam::123456789012:saml-provider/x"


@pytest.mark.parametrize(
    ("statement", "is_strange"),
    [
        (allow("S", ["sns:Publish"], to={"AWS": "999999999999"}), True),
        (allow("S", ["sns:Publish"], to={"Federated": SAML}, when=[when("StringEquals", "SAML:sub", "dana")]), True),
        (allow("S", ["sns:Publish"], to={"Federated": SAML}), False),  # told as everybody
        (allow("S", ["sns:Publish"], to={"Service": "ec2.amazonaws.com"}), True),
        (allow("S", ["sns:Publish"], to={"Service": "cloudwatch.amazonaws.com"}), False),
        (allow("S", ["sns:Publish"], to={"AWS": "*"}), False),  # told as everybody
        (allow("S", [], to={"AWS": "999999999999"}).model_copy(update={"effect": "Deny"}), False),
    ],
)
def test_a_principal_that_no_files_can_want_was_let_in(statement: Statement, is_strange: bool) -> None:
    topic = SnsTopicSpec(display_name="", kms_key_arn="", policy=policy(statement), signature_version="1", tags={})
    told = list(let_in(NAMES, "sns-topic", "alarms-dev", topic))
    assert told == ([("policy", statement)] if is_strange else [])


KEY, SECRET = "arn:aws:kms:us-east-2:123456789012:key/k", "arn:aws:secretsmanager:us-east-2:123456789012:secret:s"
USERS = "arn:aws:rds-db:us-east-2:123456789012:dbuser:cluster-R"


@pytest.mark.parametrize(
    ("sid", "change", "is_strange"),
    [
        ("ReadDatabaseSecret", {}, False),
        ("ReadDatabaseSecret", {"resources": frozenset({SECRET, f"{SECRET}2"})}, True),
        ("ReadDatabaseSecret", {"actions": frozenset({"secretsmanager:PutSecretValue"})}, True),
        ("DecryptDatabaseSecret", {"conditions": frozenset()}, True),
        ("ConnectToDatabase", {"resources": frozenset({f"{USERS}/other_app"})}, False),
        ("ConnectToDatabase", {"resources": frozenset({f"{USERS}/postgres"})}, True),
        ("Trace", {"sid": "Mine"}, False),
        ("Trace", {"sid": "Mine", "resources": frozenset({"everything"})}, True),
        ("Trace", {"sid": "Mine", "actions": frozenset({"sts:AssumeRole"})}, True),
        ("DecryptEnvironment", {"sid": "Mine"}, True),
    ],
)
def test_a_statement_under_our_id_or_a_teams_allows_no_more_than_such_a_one(
    sid: str, change: dict[str, Any], is_strange: bool
) -> None:
    ours = function_policy(
        NAMES, key_arn=KEY, secret_arn=SECRET, cluster_resource_id="cluster-R", database_user="payments_app"
    )
    (statement,) = (one.model_copy(update=change) for one in ours.statements if one.sid == sid)
    role = IamRoleSpec(trust=policy(), inline={NAMES.role_policy: policy(statement)}, description="", tags={})
    outputs = {
        "kms-key/alias/db-key-dev": {"arn": KEY},
        "db-cluster/db-cluster-dev": {"secret_arn": SECRET, "resource_id": "cluster-R"},
    }
    told = list(let_in(NAMES, "iam-role", "lambda-role-dev", role, outputs=[outputs]))
    assert told == ([("inline", statement)] if is_strange else [])


@pytest.mark.parametrize(
    ("name", "action", "is_strange"),
    [
        ("more", "s3:GetObject", True),
        (NAMES.role_policy, "iam:*", True),
        (NAMES.role_policy, "s3:Get?bject", True),
        (NAMES.role_policy, "s3:GetObject", False),
        (NAMES.role_policy, "iam:CreateAccessKey", True),
        (NAMES.role_policy, "IAM:PassRole", True),
        (NAMES.role_policy, "lambda:UpdateFunctionCode", True),
    ],
)
def test_a_right_that_no_files_can_want_was_given(name: str, action: str, is_strange: bool) -> None:
    given = policy(allow("S", [action], ["*"]))
    role = IamRoleSpec(trust=policy(), inline={name: given}, description="", tags={})
    told = list(let_in(NAMES, "iam-role", "lambda-role-dev", role))
    item = given if name == "more" else next(iter(given.statements))
    assert told == ([("inline", item)] if is_strange else [])


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


@pytest.mark.parametrize(("group", "port"), [("db-sg-dev", 443), ("lambda-sg-dev", 80), ("lambda-sg-dev", 443)])
def test_rules_that_are_a_door_to_the_world_together_are_never_wanted(group: str, port: int) -> None:
    halves = [
        Rule(direction="egress", protocol="tcp", from_port=port, to_port=port, peer=peer)
        for peer in ("8.0.0.0/8", "9.0.0.0/8")
    ]
    spec = SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset(halves))
    https = (group, port) == ("lambda-sg-dev", 443)
    expected = [] if https else [("rules", f"open to the world, with others: {one} of 8.0.0.0/7") for one in halves]
    assert told("security-group-rules", group, spec) == expected


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish"}, "All lets everybody in"),
        ({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish"}, "a statement lets everybody in"),
        (
            {"Sid": "G", "Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": "sts:x"},
            "G lets everybody in who is, or has an identity of, accounts.google.com",
        ),
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, "a statement allows everything"),
        ({"Effect": "Allow", "Action": "*:*", "Resource": "arn:*:*:*:*:*"}, "a statement allows everything"),
        ({"Effect": "Allow", "Action": "iam:*", "Resource": "*"}, "a statement allows any rights to be given"),
        ({"Effect": "Allow", "NotAction": "sns:Publish"}, "a statement allows all but what it names"),
        ({"Effect": "Allow", "Principal": 1}, "a statement is in a form that nobody knows"),
        ({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}, ""),
        ({"Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "sns:Publish", "Resource": "*"}, ""),
    ],
)
def test_a_policy_for_everybody_or_everything_is_never_wanted(statement: dict[str, object], reason: str) -> None:
    document = parse(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    topic = SnsTopicSpec(display_name="", kms_key_arn="", policy=document, signature_version="1", tags={})
    assert told("sns-topic", "alarms-dev", topic) == ([("policy", reason)] if reason else [])
    role = IamRoleSpec(trust=parse({"Statement": []}), inline={"p": document}, description="", tags={})
    assert told("iam-role", "lambda-role-dev", role) == ([("inline", reason)] if reason else [])


def test_a_field_that_the_product_never_sets_is_told() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    role = IamRoleSpec(trust=parse({"Statement": []}), inline={}, attached=frozenset({arn}), description="", tags={})
    assert told("iam-role", "lambda-role-dev", role) == [("attached", f"tapctl never sets this: {arn}")]
