"""The rights that tapctl prints are enough for all that it does, and none of them is too much."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.rights import COMMANDS
from tapctl.config import load
from tapctl.names import Names
from tapctl.sandbox.emulator.policies import ALLOWED, decide
from tapctl.stack.rights import document, statements_for, values_of
from tests.failures.test_denied import edit_all
from tests.stories import test_drift_access, test_drift_missing, test_drift_settings
from tests.support.config_folder import ENVIRONMENTS
from tests.support.iam import Check, Guard, unneeded
from tests.support.world import Answer, World

RECORD = Path(__file__).with_name("permissions.json")
"""What IAM checked of each command in the life below."""
JOIN = ",\n"
REWRITE = "WRITE_GOLDEN=1 .venv/bin/python -m pytest -q -m soak tests/stories/test_permissions.py"
# In no life that the emulated AWS can lead.
IN_TROUBLE = {
    ("apply", "rds:DescribeEvents"): "what AWS says of a resource that did not converge",
    ("apply", "ec2:DescribeNetworkInterfaces"): "the interfaces that a function leaves behind",
}
_OF_THIS_RUN = [
    (r"key/[0-9a-f-]{36}", "key/of-dev"),
    (r"security-group/sg-[0-9a-f]+", "security-group/sg-of-dev"),
    (r"vpc/vpc-[0-9a-f]+", "vpc/vpc-of-dev"),
    (r"rds!cluster-[0-9a-f-]{36}-[A-Za-z0-9]{6}", "rds!cluster-0f1e-AbCdEf"),
    (r"-final-[a-z0-9]+", "-final-0f1e"),
]


def policy_of(command: str) -> dict[str, Any]:
    config = load(ENVIRONMENTS, "dev")
    names = Names("dev", config.account_id, config.region)
    policy: dict[str, Any] = json.loads(document(statements_for(command, values_of(config, names))))
    return policy


def guarded(world: World, command: str, *arguments: str) -> tuple[Answer, Guard]:
    """Run a command whose calls are denied unless the policy that is printed for it allows them."""
    printed = world.tapctl("iam-policy", "--for", command, "--env", "dev", "--json")
    (policy,) = printed.of_type("document") or printed.of_type("iam-policy")
    guard = Guard(policy["policy"])
    answer = world.meeting(guard, command, "--env", "dev", *arguments)
    assert answer.code in (0, 2), answer.out + answer.err
    return answer, guard


# -- in front of the emulated AWS --------------------------------------------------------------------------------------


def test_plan_and_drift_are_allowed_what_they_need(dev: World) -> None:
    for command in ("plan", "drift"):
        _, guard = guarded(dev, command)
        assert len(guard.seen) > len(dev.stack())


def test_the_guard_denies_what_is_not_in_the_policy(dev: World) -> None:
    policy = policy_of("plan")
    for statement in policy["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != "lambda:GetPolicy"]
    answer = dev.meeting(Guard(policy), "plan", "--env", "dev")
    assert answer.code == 7
    assert "lambda:GetPolicy denied" in answer.out


# -- by the record -----------------------------------------------------------------------------------------------------


def recorded(command: str) -> list[Check]:
    return [Check(action, resource, context) for action, resource, context in json.loads(RECORD.read_text())[command]]


@pytest.mark.parametrize("command", COMMANDS)
def test_everything_that_was_checked_is_allowed(command: str) -> None:
    policy = policy_of(command)
    denied = [
        check
        for check in recorded(command)
        if decide([policy], check.action, check.resource, check.context) != ALLOWED
    ]
    assert denied == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_right_was_needed(command: str) -> None:
    more = [each for each in unneeded(policy_of(command), recorded(command)) if (command, each[1]) not in IN_TROUBLE]
    assert more == [], f"if a life was longer than this: {REWRITE}"


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_logs_in_to_the_database_or_reads_its_password(command: str) -> None:
    for action in ("secretsmanager:GetSecretValue", "rds-db:connect"):
        assert decide([policy_of(command)], action, "*", {}) == "explicitDeny"


# -- a whole life ------------------------------------------------------------------------------------------------------


def tamper(world: World) -> None:
    """Change by hand what an apply puts right."""
    for case in (*test_drift_access.CASES, *test_drift_settings.CASES):
        case.tamper(world)
    logs, rds, sns = world.client("logs"), world.client("rds"), world.client("sns")
    logs.put_log_group_deletion_protection(
        logGroupIdentifier="/aws/lambda/payment-processor-dev", deletionProtectionEnabled=True
    )
    parameter = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="db-instance-params-pg16-dev", Parameters=[parameter])
    parameter = {"ParameterName": "log_lock_waits", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="db-cluster-params-pg16-dev", Parameters=[parameter]
    )
    sns.set_topic_attributes(
        TopicArn="arn:aws:sns:us-east-2:123456789012:alarms-dev", AttributeName="DisplayName", AttributeValue="x"
    )
    group = rds.describe_db_subnet_groups(DBSubnetGroupName="db-subnet-dev")["DBSubnetGroups"][0]
    subnets = [subnet["SubnetIdentifier"] for subnet in group["Subnets"]]
    rds.modify_db_subnet_group(DBSubnetGroupName="db-subnet-dev", SubnetIds=subnets[:2])
    rds.modify_event_subscription(SubscriptionName="db-cluster-events-dev", Enabled=False)
    rds.remove_source_identifier_from_subscription(
        SubscriptionName="db-instance-events-dev", SourceIdentifier="db-cluster-dev-0"
    )
    world.client("iam").update_role(RoleName="lambda-role-dev", Description="x")
    key = world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    world.client("kms").update_key_description(KeyId=key, Description="x")


def tag_all(world: World) -> None:
    """Let every resource of ours bear another tag more."""
    found = world.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "EnvironmentSuffix", "Values": ["dev"]}]
    )
    arns = [each["ResourceARN"] for each in found["ResourceTagMappingList"]]
    tag, rds = [{"Key": "extra", "Value": "x"}], world.client("rds")
    for arn in arns:
        if ":rds:" in arn:
            rds.add_tags_to_resource(ResourceName=arn, Tags=tag)


def edits(world: World) -> None:
    edit_all(world)
    world.edit("dev.toml", "instance_count = 1", "instance_count = 2")


def rights_of_a_life(world: World) -> dict[str, dict[str, Check]]:
    """Lead the life of dev, each command with its own rights alone; returns what was checked, by command."""
    checked: dict[str, dict[str, Check]] = {command: {} for command in COMMANDS}

    def run(command: str, *arguments: str) -> Answer:
        answer, guard = guarded(world, command, *arguments)
        checked[command] |= guard.seen
        return answer

    steps: list[tuple[Callable[[World], object], list[str]]] = [
        (edits, []),
        (tamper, ["--allow", "iam-role/lambda-role-dev", "--reboot"]),
        (tag_all, []),
    ]
    run("plan")
    run("apply", "--yes")
    for change, flags in steps:
        change(world)
        run("drift")
        run("plan", *flags)
        run("apply", "--yes", *flags)
    for gone, _ in test_drift_missing.GONE:
        if gone is not test_drift_missing.key:
            gone(world)
    run("drift")
    run("apply", "--yes")
    run("destroy", "--yes")
    return checked


@pytest.mark.soak
def test_a_whole_life_with_no_other_rights(world: World) -> None:
    checked = rights_of_a_life(world)
    lines = {command: sorted({_line(check) for check in seen.values()}) for command, seen in checked.items()}
    if os.environ.get("WRITE_GOLDEN"):
        text = ",\n".join(f'"{command}": [\n{JOIN.join(lines[command])}\n]' for command in lines)
        RECORD.write_text(f"{{{text}}}\n")
    assert {command: [json.dumps([c.action, c.resource, c.context]) for c in recorded(command)] for command in lines} == {
        command: [json.dumps(json.loads(line)) for line in each] for command, each in lines.items()
    }


def _line(check: Check) -> str:
    text = json.dumps([check.action, check.resource, dict(check.context)], sort_keys=True)
    for pattern, name in _OF_THIS_RUN:
        text = re.sub(pattern, name, text)
    return text
