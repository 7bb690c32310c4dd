"""The rights that tapctl prints are enough for all that it does, and none of them is too much."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.rights import COMMANDS
from tapctl.config import load
from tapctl.names import Names
from tapctl.sandbox.emulator.policies import ALLOWED, decide
from tapctl.stack.rights import document, statements_for, values_of
from tests.failures.calls import PREFLIGHT
from tests.failures.test_denied import edit_all
from tests.failures.trouble import deny
from tests.stories import test_drift_access, test_drift_missing, test_drift_settings
from tests.support.config_folder import ENVIRONMENTS
from tests.support.door import Proceed, Served, Visit, without_length
from tests.support.iam import Check, Guard, unneeded
from tests.support.log_filters import put_filters
from tests.support.world import Answer, World

RECORD = Path(__file__).with_name("permissions.json")
"""Checks of IAM at each command in the life of dev below."""
OF_PROD = Path(__file__).with_name("permissions_prod.json")
"""And in that of prod: protected, two members, a final snapshot."""
JOIN = ",\n"
REWRITE = "WRITE_GOLDEN=1 .venv/bin/python -m pytest -q -m soak tests/stories/test_permissions.py"
# In no life that the emulated AWS can lead.
IN_TROUBLE = {
    ("apply", "rds:DescribeEvents"): "what AWS says of a resource that did not converge",
    ("drift", "ecr:DescribeImages"): "the tags of an image that is not the one recorded",
    ("drift", "cloudwatch:GetAlarmMuteRule"): "where a mute rule silences an alarm",
    ("drift", "cloudtrail:LookupEvents"): "only --who asks it",
    ("drift", "kms:ListKeys"): "a key that has lost its alias and its tags",
    ("plan", "kms:ListKeys"): "as in a drift",
    ("destroy", "kms:ListKeys"): "a key that neither alias nor index shows",
    ("destroy", "cloudformation:DescribeStacks"): "where no record tells the VPC of a security group",
    ("destroy", "ec2:DeleteNetworkInterface"): "an interface that Lambda has left behind",
    ("plan", "sns:ListSubscriptionsByTopic"): "where a topic is adopted",
    ("drift", "sns:ListSubscriptionsByTopic"): "where the record has a subscription; and of a status, by this policy",
    **{(command, "logs:DescribeSubscriptionFilters"): "of a log group without tags" for command in ("plan", "apply")},
    ("plan", "ec2:DescribeManagedPrefixLists"): "where a rule names a prefix list",
    ("apply", "ec2:DescribeManagedPrefixLists"): "as in a plan",
    **{(command, "ec2:GetManagedPrefixListEntries"): "what that list holds" for command in ("plan", "drift", "apply")},
    ("plan", "iam:GetRole"): "of the role that asks; the embedded AWS's caller is none",
    ("apply", "iam:GetRole"): "as in a plan",
    **{(command, "iam:ListInstanceProfilesForRole"): "where a role is replaced" for command in ("plan", "apply")},
    **{
        (command, f"rds:DescribeEngineDefault{kind}Parameters"): "where common.toml names further parameters"
        for command in ("plan", "apply")
        for kind in ("", "Cluster")
    },
}
_OF_THIS_RUN = [
    (r"key/[0-9a-f-]{36}", "key/of-dev"),
    (r"security-group/sg-[0-9a-f]+", "security-group/sg-of-dev"),
    (r"vpc/vpc-[0-9a-f]+", "vpc/vpc-of-dev"),
    (r"rds!cluster-[0-9a-f-]{36}-[A-Za-z0-9]{6}", "rds!cluster-0f1e-AbCdEf"),
    (r"-final-[a-z0-9]+", "-final-0f1e"),
    (r'"1:[0-9a-f]{32}"', '"1:0f1e"'),
]


def policy_of(command: str, env: str = "dev") -> dict[str, Any]:
    config = load(ENVIRONMENTS, env)
    names = Names(env, config.account_id, config.region)
    policy: dict[str, Any] = json.loads(document(statements_for(command, values_of(config, names))))
    return policy


def guarded(world: World, command: str, *arguments: str, env: str = "dev") -> tuple[Answer, Guard]:
    """Run a command whose calls are denied unless the policy that is printed for it allows them."""
    printed = world.tapctl("iam-policy", "--for", command, "--env", env, "--json")
    (policy,) = printed.of_type("iam_policy")
    guard = Guard(policy["policy"])
    answer = world.meeting(guard, command, "--env", env, *arguments)
    assert answer.code in (0, 2), answer.out + answer.err
    return answer, guard


# -- in front of the emulated AWS --------------------------------------------------------------------------------------


def test_plan_and_drift_are_allowed_what_they_need(dev: World) -> None:
    for command in ("plan", "drift"):
        _, guard = guarded(dev, command)
        assert len(guard.seen) > len(dev.stack())


def test_a_destroy_names_the_subscriptions_of_others_that_it_ends_though_the_files_name_no_subscriber(
    dev: World,
) -> None:
    topic, queue = "arn:aws:sns:us-east-2:123456789012:alarms-dev", "arn:aws:sqs:us-east-2:123456789012:another-team"
    dev.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    ends = f"alarms-dev has subscribers that others have added, and they go with it: {queue}"
    planned = dev.meeting(Guard(policy_of("destroy")), "plan", "--destroy", "--env", "dev")
    assert (planned.code, ends in planned.err) == (0, True), planned.err
    looked = dev.meeting(Guard(policy_of("drift")), "status", "--env", "dev")
    assert "could not be read" not in looked.err, looked.err


@pytest.mark.parametrize("kind", ["cloudformation", pytest.param("ssm", marks=pytest.mark.soak)])
def test_a_destroy_without_a_record_may_ask_which_vpc_the_files_name(dev: World, kind: str) -> None:
    dev.path().unlink()
    if kind == "ssm":
        (stack,) = dev.client("cloudformation").describe_stacks(StackName="networking-dev")["Stacks"]
        for one in stack["Outputs"]:
            name = f"/networking/dev/{one['OutputKey']}"
            dev.client("ssm").put_parameter(Name=name, Value=one["OutputValue"], Type="String")
        dev.edit("dev.toml", "cloudformation:networking-dev", "ssm:/networking/dev")
    answer, guard = guarded(dev, "destroy", "--yes")
    assert "nothing else of ours is left" in answer.verdict
    asked = {"cloudformation": "cloudformation:DescribeStacks", "ssm": "ssm:GetParameters"}[kind]
    assert asked in {check.action for check in guard.seen.values()}


def test_the_guard_denies_what_is_not_in_the_policy(dev: World) -> None:
    policy = policy_of("plan")
    for statement in policy["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != "lambda:GetPolicy"]
    answer = dev.meeting(Guard(policy), "plan", "--env", "dev")
    assert answer.code == 7
    assert "lambda:GetPolicy denied" in answer.out


@pytest.mark.soak
def test_the_tag_of_an_application_is_nobody_s_difference(dev: World) -> None:
    tag_all(dev, "awsApplication")
    assert dev.drift().code == 0
    assert dev.applied("dev").changes == ()


def test_a_new_account_is_told_what_it_has_no_room_for(world: World) -> None:
    world.door.sandbox.simulation.script("lambda.account", "new")
    world.edit("dev.toml", "memory_mb = 1024", "memory_mb = 4096")
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert (
        "x quotas: Lambda can reserve 0 concurrent executions at most for payment-processor-dev, not 10" in answer.out
    )
    assert "? quotas: no API tells if a function may have 4096 MB in this account" in answer.out


@pytest.mark.soak
@pytest.mark.parametrize(("most", "code"), [(58, 6), (57, 0)])
def test_a_prefix_list_has_room_as_all_that_it_may_hold(world: World, most: int, code: int) -> None:
    made = world.client("ec2").create_managed_prefix_list(PrefixListName="ours", MaxEntries=most, AddressFamily="IPv4")
    common = world.folder / "environments" / "common.toml"
    rule = '[[processor.egress]]\nport = {}\nto = "{}"\nwhy = "{}"\n'
    added = [(443, made["PrefixList"]["PrefixListId"], "endpoints"), (444, "10.20.0.0/16", "more")]
    common.write_text("\n".join([common.read_text(), *(rule.format(*each) for each in added)]))
    # A new group has one rule more, which lets everything out, until that is taken away.
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert answer.code == code, answer.out + answer.err
    assert ("x quotas: EC2 has room for 60 egress rules of lambda-sg-dev, and 61 are due" in answer.out) == bool(code)
    assert bool(answer.changes) != bool(code)


def denying(action: str) -> Callable[[Visit, Proceed], Served]:
    """Let IAM say that this action is denied."""

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        status, headers, body = proceed()
        if visit.name == "iam:SimulatePrincipalPolicy":
            told = rf"(<EvalActionName>{action}</EvalActionName>.*?<EvalDecision>)allowed"
            body = re.sub(told, r"\1implicitDeny", body.decode(), flags=re.DOTALL).encode()
        return status, without_length(headers), body

    return trouble


def test_a_denied_right_is_named_before_anything_is_made(world: World) -> None:
    answer = world.meeting(denying("rds:CreateDBInstance"), "apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert answer.verdict.startswith("APPLY dev: BLOCKED")
    assert "x permissions: rds:CreateDBInstance on" in answer.out
    assert "hint   allow rds:CreateDBInstance on arn:aws:rds:us-east-2:123456789012:db:db-cluster-dev-0" in answer.err
    planned = world.tapctl("plan", "--env", "dev", "--json")
    checked = planned.of_type("preflight")
    assert {each["check"]: each["ok"] for each in checked} == dict.fromkeys(
        ("permissions", "quotas", "credentials", "upgrade", "name", "network", "image"), True
    )
    more = Counter(planned.asked) & Counter(dict.fromkeys(PREFLIGHT, 99))
    assert more.total() <= 12


def test_what_may_not_be_asked_before_a_change_stops_nothing(world: World) -> None:
    def nobody_may_ask(visit: Visit, proceed: Proceed) -> Served:
        asked = (*PREFLIGHT, "rds:DescribeOrderableDBInstanceOptions")
        return deny(visit.name)(visit, proceed) if visit.name in asked else proceed()

    answer = world.meeting(nobody_may_ask, "plan", "--env", "dev")
    assert answer.code == 0
    assert "? permissions: could not be asked: iam:SimulatePrincipalPolicy denied" in answer.out
    assert answer.out.count("rds:DescribeOrderableDBInstanceOptions denied") == 1
    assert "? upgrade: whether RDS has what is wanted could not be asked" in answer.out
    assert "? quotas: could not be asked: lambda:GetAccountSettings denied" in answer.out
    assert "? quotas: the rules of a security group could not be asked: servicequotas:GetServiceQuota" in answer.out


def test_a_network_and_an_image_that_are_both_broken_are_both_told(world: World) -> None:
    world.edit("dev.toml", "cloudformation:networking-dev", "cloudformation:nothing")
    world.edit("common.toml", 'tag = "', 'tag = "no')
    answer = world.tapctl("plan", "--env", "dev")
    assert answer.code == 3
    assert "stack: nothing does not exist" in answer.err
    assert "has no image tagged no" in answer.err
    assert "x network: " in answer.out
    told = world.tapctl("apply", "--env", "dev", "--yes", "--json")
    assert told.code == 3
    checked = {each["check"]: each for each in told.of_type("preflight")}
    assert {name: each["ok"] for name, each in checked.items()} == {"network": False, "image": False}
    assert "has no image tagged no" in checked["image"]["detail"]


def test_of_a_network_and_an_image_the_one_that_is_there_is_said_too(world: World) -> None:
    world.edit("common.toml", 'tag = "', 'tag = "no')
    answer = world.tapctl("plan", "--env", "dev", "--json")
    assert answer.code == 3
    assert {each["check"]: each["ok"] for each in answer.of_type("preflight")} == {"network": True, "image": False}


# -- by the record -----------------------------------------------------------------------------------------------------


def recorded(command: str, record: Path = RECORD) -> list[Check]:
    return [Check(action, resource, context) for action, resource, context in json.loads(record.read_text())[command]]


@pytest.mark.parametrize(("env", "record"), [("dev", RECORD), ("prod", OF_PROD)])
@pytest.mark.parametrize("command", COMMANDS)
def test_everything_that_was_checked_is_allowed(command: str, env: str, record: Path) -> None:
    policy = policy_of(command, env)
    denied = [
        check
        for check in recorded(command, record)
        if decide([policy], check.action, check.resource, check.context) != ALLOWED
    ]
    assert denied == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_right_was_needed(command: str) -> None:
    """Without it, something would have been denied in one of the two lives."""
    lives = (("dev", RECORD), ("prod", OF_PROD))
    of_dev, of_prod = (unneeded(policy_of(command, env), recorded(command, record)) for env, record in lives)
    more = [each for each in of_dev if each in of_prod and (command, each[1]) not in IN_TROUBLE]
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
    instances = rds.describe_db_instances()["DBInstances"]
    held = {instance["AvailabilityZone"] for instance in instances}
    # RDS lets none go that an instance is in.
    subnets = sorted(
        instances[0]["DBSubnetGroup"]["Subnets"], key=lambda each: each["SubnetAvailabilityZone"]["Name"] not in held
    )
    left = [each["SubnetIdentifier"] for each in subnets[:2]]
    rds.modify_db_subnet_group(DBSubnetGroupName="db-subnet-dev", SubnetIds=left)
    rds.modify_event_subscription(SubscriptionName="db-cluster-events-dev", Enabled=False)
    rds.remove_source_identifier_from_subscription(
        SubscriptionName="db-instance-events-dev", SourceIdentifier="db-cluster-dev-0"
    )
    world.client("iam").update_role(RoleName="lambda-role-dev", Description="x")
    key = world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    world.client("kms").update_key_description(KeyId=key, Description="x")


def describe_rules(world: World) -> None:
    """Describe a rule of each direction otherwise; make two groups, each with one owner tag less."""
    ec2 = world.client("ec2")
    for name, key in (("db-sg-dev", "ManagedBy"), ("lambda-sg-dev", "EnvironmentSuffix")):
        filters = [{"Name": "group-name", "Values": [name]}]
        (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        for listed, call in (
            ("IpPermissions", ec2.update_security_group_rule_descriptions_ingress),
            ("IpPermissionsEgress", ec2.update_security_group_rule_descriptions_egress),
        ):
            for rule in group[listed]:
                if pairs := [{"GroupId": pair["GroupId"], "Description": "x"} for pair in rule["UserIdGroupPairs"]]:
                    ports = {part: rule[part] for part in ("IpProtocol", "FromPort", "ToPort")}
                    call(GroupId=group["GroupId"], IpPermissions=[{**ports, "UserIdGroupPairs": pairs}])
        ec2.delete_tags(Resources=[group["GroupId"]], Tags=[{"Key": key}])
        ec2.create_tags(Resources=[group["GroupId"]], Tags=[{"Key": "extra", "Value": "x"}])


def tag_all(world: World, key: str = "extra") -> None:
    """Let one resource of each type bear another tag more."""
    arn, account = "arn:aws:{}:us-east-2:123456789012:{}", [{"Key": key, "Value": "x"}]
    for name in (
        *("cluster:db-cluster-dev", "db:db-cluster-dev-0", "subgrp:db-subnet-dev", "es:db-cluster-events-dev"),
        *("pg:db-instance-params-pg16-dev", "cluster-pg:db-cluster-params-pg16-dev"),
    ):
        world.client("rds").add_tags_to_resource(ResourceName=arn.format("rds", name), Tags=account)
    world.client("sns").tag_resource(ResourceArn=arn.format("sns", "alarms-dev"), Tags=account)
    alarm = arn.format("cloudwatch", "alarm:payment-processor-errors-dev")
    world.client("cloudwatch").tag_resource(ResourceARN=alarm, Tags=account)
    group = arn.format("logs", "log-group:/aws/lambda/payment-processor-dev")
    world.client("logs").tag_resource(resourceArn=group, tags={key: "x"})
    function = arn.format("lambda", "function:payment-processor-dev")
    world.client("lambda").tag_resource(Resource=function, Tags={key: "x"})
    world.client("iam").tag_role(RoleName="lambda-role-dev", Tags=account)
    kms = world.client("kms")
    key_id = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": key, "TagValue": "x"}])
    secret = test_drift_settings.secret(world)
    world.client("secretsmanager").tag_resource(SecretId=secret, Tags=account)


def make_others(world: World) -> None:
    """Make a second key of ours, a policy without ids, and a subscription that cannot become ours by a change."""
    test_drift_access.put_policy(world, "")
    kms, rds = world.client("kms"), world.client("rds")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    tags = [tag for tag in kms.list_resource_tags(KeyId=key)["Tags"] if not tag["TagKey"].startswith("aws:")]
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    described = kms.describe_key(KeyId=key)["KeyMetadata"]["Description"]
    kms.create_key(Tags=tags, Description=described, Policy=policy)
    name = "db-parameter-group-events-dev"
    listed = rds.list_tags_for_resource(ResourceName=f"arn:aws:rds:us-east-2:123456789012:es:{name}")["TagList"]
    rds.delete_event_subscription(SubscriptionName=name)
    rds.create_event_subscription(
        SubscriptionName=name,
        SnsTopicArn="arn:aws:sns:us-east-2:123456789012:alarms-dev",
        SourceType="db-cluster",
        Tags=[tag for tag in listed if not tag["Key"].startswith("aws:")],
    )


def bound_role(world: World) -> None:
    iam = world.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    made = iam.create_policy(PolicyName="bound", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="lambda-role-dev", PermissionsBoundary=made)
    iam.attach_role_policy(RoleName="lambda-role-dev", PolicyArn=made)


def grow(world: World) -> None:
    world.edit("dev.toml", "instance_count = 1", "instance_count = 2")


def shrink(world: World) -> None:
    """Less of what may be left out, a new major version, a zip in place of the image, and a final snapshot."""
    world.edit("dev.toml", "instance_count = 2", "instance_count = 1")
    world.edit("dev.toml", "protected = false", "protected = false\nfinal_snapshot = true")
    world.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    world.edit("common.toml", 'package = "image"', 'package = "zip"')


def rewrite(world: World) -> None:
    handler = world.folder / "handlers" / "payment_processor" / "index.mjs"
    handler.write_text(f"{handler.read_text()}// changed\n")
    world.edit("dev.toml", "reserved_concurrency = 12", "")
    test_drift_missing.alias(world)
    world.client("rds").create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier="of-somebody", DBClusterIdentifier="db-cluster-dev"
    )


def remove_most(world: World) -> None:
    for gone, _ in test_drift_missing.GONE:
        if gone is not test_drift_missing.key:
            gone(world)


STEPS: list[tuple[Callable[[World], object], list[str]]] = [
    (grow, []),
    # With a reader, so that the writer's restart is a failover.
    (edit_all, []),
    (tamper, ["--reboot"]),
    (tag_all, []),
    (describe_rules, []),
    (make_others, ["--allow", "kms-key/alias/db-key-dev"]),
    (bound_role, ["--allow", "iam-role/lambda-role-dev"]),
    (shrink, ["--allow", "db-cluster/db-cluster-dev"]),
    (rewrite, []),
    (remove_most, []),
]


def rights_of_a_life(world: World) -> dict[str, dict[str, Check]]:
    """Lead the life of dev, each command with its own rights alone; returns what was checked, by command."""
    checked: dict[str, dict[str, Check]] = {command: {} for command in COMMANDS}

    def run(command: str, *arguments: str) -> Answer:
        answer, guard = guarded(world, command, *arguments)
        checked[command] |= guard.seen
        return answer

    run("plan")
    run("apply", "--yes")
    for change, flags in STEPS:
        change(world)
        run("drift")
        run("plan", *flags)
        run("apply", "--yes", *flags)
    bound = "arn:aws:iam::123456789012:policy/bound"
    world.client("iam").attach_role_policy(RoleName="lambda-role-dev", PolicyArn=bound)
    put_filters(world, "/aws/lambda/payment-processor-dev")
    run("destroy", "--yes", "--confirm", "dev")
    snapshots = world.client("rds").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    names = [each["DBClusterSnapshotIdentifier"] for each in snapshots]
    (taken,) = (name for name in names if "-final-" in name)
    run("apply", "--yes", "--restore", taken)
    world.edit("dev.toml", "final_snapshot = true", "final_snapshot = false")
    run("apply", "--yes")
    for name in names:
        world.client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
    run("destroy", "--yes")
    run("apply", "--yes")
    return checked


def rights_of_prod(world: World) -> dict[str, dict[str, Check]]:
    """Lead the life of prod as above: changed by files and by hand, unprotected, destroyed, restored, destroyed."""
    checked: dict[str, dict[str, Check]] = {command: {} for command in COMMANDS}

    def run(command: str, *arguments: str) -> Answer:
        answer, guard = guarded(world, command, *arguments, env="prod")
        checked[command] |= guard.seen
        return answer

    def step(*flags: str) -> None:
        run("drift")
        run("plan", *flags)
        run("apply", "--yes", *flags)

    run("plan")
    run("apply", "--yes")
    world.edit("prod.toml", "memory_mb = 4096", "memory_mb = 3008")
    world.edit("prod.toml", "error_threshold = 3", "error_threshold = 4")
    world.edit("prod.toml", "db.r6g.large", "db.r6g.xlarge")
    step()
    world.edit("prod.toml", "instance_count = 2", "instance_count = 3")
    step()
    by_hand(world.client("rds", "us-east-1"), world.client("ec2", "us-east-1"))
    step("--reboot")
    world.edit("prod.toml", "instance_count = 3", "instance_count = 2")
    step()
    world.edit("common.toml", 'CostCenter = "payments"', 'CostCenter = "cards"')
    world.edit("common.toml", 'engine_version = "16.13"', 'engine_version = "17.9"')
    step("--allow", "db-cluster/db-cluster-prod")
    world.edit("prod.toml", "protected = true", "protected = false")
    step()
    run("destroy", "--yes", "--confirm", "prod")
    snapshots = world.client("rds", "us-east-1").describe_db_cluster_snapshots(SnapshotType="manual")
    (taken,) = (each["DBClusterSnapshotIdentifier"] for each in snapshots["DBClusterSnapshots"])
    run("apply", "--yes", "--restore", taken)
    run("destroy", "--yes", "--confirm", "prod")
    return checked


def by_hand(rds: Any, ec2: Any) -> None:
    """Let the database in from elsewhere, unprotect it, and change what wants a reboot of writer and readers."""
    parameter = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="db-instance-params-pg16-prod", Parameters=[parameter])
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-prod", DeletionProtection=False, ApplyImmediately=True)
    filters = [{"Name": "group-name", "Values": ["db-sg-prod"]}]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    ranges = [{"CidrIp": "10.9.0.0/16"}]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": ranges}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])


@pytest.mark.soak
@pytest.mark.parametrize(("life", "record"), [(rights_of_a_life, RECORD), (rights_of_prod, OF_PROD)])
def test_a_whole_life_with_no_other_rights(world: World, life: Callable[[World], Any], record: Path) -> None:
    checked: dict[str, dict[str, Check]] = life(world)
    lines = {command: sorted({_line(check) for check in seen.values()}) for command, seen in checked.items()}
    if os.environ.get("WRITE_GOLDEN"):
        text = ",\n".join(f'"{command}": [\n{JOIN.join(lines[command])}\n]' for command in lines)
        record.write_text(f"{{{text}}}\n")
    kept: dict[str, list[Any]] = json.loads(record.read_text())
    assert kept == {command: [json.loads(line) for line in each] for command, each in lines.items()}


def _line(check: Check) -> str:
    text = json.dumps([check.action, check.resource, dict(check.context)], sort_keys=True)
    for pattern, name in _OF_THIS_RUN:
        text = re.sub(pattern, name, text)
    return text
