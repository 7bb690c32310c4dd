"""An organisation's rules and a team's additions: applied, drifted, changed and destroyed with everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stories.leftovers import left
from tests.support.additions import ALARM, BOUNDARY, add_all
from tests.support.config_folder import Folder
from tests.support.world import World

ACCOUNT = "123456789012"
ROLE, FUNCTION, TOPIC = "lambda-role-dev", "payment-processor-dev", f"arn:aws:sns:us-east-2:{ACCOUNT}:alarms-dev"
QUEUE = f"arn:aws:sqs:us-east-2:{ACCOUNT}:oncall-dev"
MAIL, OTHER = "oncall@example.com", "somebody@example.com"
MEMORY = "db-freeable-memory-0-dev"
DENY_NOTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def extended(world: World) -> Folder:
    """The files with every addition; a package, whose architecture no image decides."""
    folder = add_all(Folder(world.folder / "environments")).put("common", "processor.package", "zip")
    return folder.put("dev", "alarms.subscribers", [f"email:{MAIL}", QUEUE.replace("dev", "{suffix}")])


def test_a_boundary_that_is_not_there_is_told_before_anything_is_made(world: World) -> None:
    extended(world)
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (3, ())
    assert "organisation.permissions_boundary" in answer.err
    assert f"there is no policy arn:aws:iam::{ACCOUNT}:policy/payments-boundary" in answer.err


@pytest.mark.soak
def test_a_subscriber_who_has_not_confirmed_is_pending_and_drift_tells_it(world: World) -> None:
    world.deploy()
    world.edit("dev.toml", "[alarms]\n", f'[alarms]\nsubscribers = ["email:{MAIL}"]\n')
    world.applied("dev")
    looked = world.drift()
    (finding,) = looked.of_type("finding")
    assert (looked.code, finding["state"]) == (0, "PENDING")
    assert finding["address"] == f"sns-subscription/alarms-dev/email:{MAIL}"


@pytest.mark.soak
def test_a_subscriber_who_has_confirmed_and_is_asked_again_was_taken_away_by_somebody(world: World) -> None:
    world.deploy()
    world.edit("dev.toml", "[alarms]\n", f'[alarms]\nsubscribers = ["email:{MAIL}"]\n')
    world.applied("dev")
    sns = world.client("sns")
    sns.confirm_subscription(TopicArn=TOPIC, Token=MAIL)
    assert (world.drift().code, world.drift().of_type("finding")) == (0, [])
    plan = world.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    assert (plan.code, "replaced" in plan.out) == (0, False), "the confirmation is no change"
    world.applied("dev")

    (live,) = sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=live["SubscriptionArn"])
    gone = world.tapctl("drift", "--env", "dev")
    assert (gone.code, "drops by itself" in gone.out) == (2, False), "it was confirmed: somebody has unsubscribed it"
    sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint=MAIL)
    asked = world.drift()
    notes = {(one["field"], one["note"]) for one in asked.of_type("finding")}
    assert asked.code == 2
    assert notes == {("confirmed", "replaced outside"), ("endpoint", "until its receiver confirms it")}
    assert world.tapctl("status", "--env", "dev").code == 2


def test_who_confirms_after_he_was_taken_out_is_told_and_goes_where_he_is_named(world: World) -> None:
    """SNS lets nobody unsubscribe him before: an apply can only keep what he was asked by."""
    late, place = f"email:{MAIL}", f"sns-subscription/alarms-dev/email:{MAIL}"
    world.deploy()
    world.edit("dev.toml", "[alarms]\n", f'[alarms]\nsubscribers = ["{late}", "{QUEUE}"]\n')
    world.applied("dev")
    world.edit("dev.toml", f'"{late}", ', "")
    planned = world.tapctl("plan", "--env", "dev")
    assert "0 to change · 1 to remove" in planned.verdict
    kept = world.applied("dev")
    assert "--allow" not in kept.err
    assert f"{late}; nobody can unsubscribe them before that, and SNS drops them 48 hours after" in kept.err
    looked = world.drift()
    assert (looked.code, looked.of_type("finding")) == (0, [])
    again = world.tapctl("plan", "--env", "dev", "--allow", place)
    assert f"--allow {place}: it is kept until SNS drops it, 48 hours after it was made: nobody" in again.err

    world.client("sns").confirm_subscription(TopicArn=TOPIC, Token=MAIL)
    drift = world.drift()
    (finding,) = drift.of_type("finding")
    assert (drift.code, finding["address"], finding["state"], finding["live"]) == (2, place, "UNEXPECTED", MAIL)
    assert finding["note"] == "an apply could not remove it then, and by now it is confirmed"
    assert finding["undo"] == f"tapctl apply --env dev --allow {place}"
    assert "0 to remove · 1 blocked" in world.tapctl("drift", "--env", "dev").out
    blocked = world.tapctl("plan", "--env", "dev")
    assert "0 to remove · 25 unchanged · 1 blocked" in blocked.verdict
    assert f"--allow {place}" in blocked.err
    world.applied("dev", "--allow", place)
    assert _subscribed(world) == {QUEUE}
    assert place not in world.manifest()["entries"]
    assert world.drift().code == 0


@pytest.mark.soak
def test_who_was_taken_out_before_he_confirmed_is_forgotten_once_he_is_gone_and_asked_again_where_named(
    world: World,
) -> None:
    late, place = f"email:{MAIL}", f"sns-subscription/alarms-dev/email:{MAIL}"
    world.deploy()
    world.edit("dev.toml", "[alarms]\n", f'[alarms]\nsubscribers = ["{late}", "{QUEUE}"]\n')
    world.applied("dev")
    world.edit("dev.toml", f'"{late}", ', "")
    world.applied("dev")
    sns = world.client("sns")
    sns.unsubscribe(SubscriptionArn=sns.confirm_subscription(TopicArn=TOPIC, Token=MAIL)["SubscriptionArn"])
    looked = world.drift()
    assert (looked.code, looked.of_type("finding")) == (0, [])
    world.applied("dev")
    assert place not in world.manifest()["entries"]

    for named in (f'["{late}", "{QUEUE}"]', f'["{QUEUE}"]'):
        world.edit("dev.toml", f'["{QUEUE}"]' if late in named else f'["{late}", "{QUEUE}"]', named)
        world.applied("dev")
    sns.confirm_subscription(TopicArn=TOPIC, Token=MAIL)
    world.edit("dev.toml", f'["{QUEUE}"]', f'["{late}", "{QUEUE}"]')
    world.applied("dev")
    assert (world.manifest()["entries"][place]["phase"], world.drift().code) == ("made", 0)


@pytest.mark.soak
def test_additions_live_as_everything_else_does(world: World) -> None:
    folder = extended(world)
    world.client("iam").create_policy(PolicyName="payments-boundary", PolicyDocument=DENY_NOTHING)
    world.client("iam").create_policy(PolicyName="other", PolicyDocument=DENY_NOTHING)
    before = left(world)
    applied = world.applied("dev")
    assert "has no subscriber" not in applied.err
    assert world.tapctl("plan", "--env", "dev", "--detailed-exitcode").code == 0

    _is_in_aws(world)
    pending = world.drift()
    assert pending.code == 0
    assert [(each["address"].partition("/")[2], each["state"]) for each in pending.of_type("finding")] == [
        (f"alarms-dev/email:{MAIL}", "PENDING")
    ]
    world.client("sns").confirm_subscription(TopicArn=TOPIC, Token=MAIL)
    assert world.drift().of_type("finding") == []

    _tamper(world)
    drift = world.drift()
    assert drift.code == 2
    assert {(each["address"].partition("/")[2], each["field"]) for each in drift.of_type("finding")} == {
        (ROLE, "permissions_boundary"),
        (ROLE, "inline.lambda-policy-dev.statements"),
        (FUNCTION, "environment.FEATURE_FLAGS"),
        ("lambda-sg-dev", "rules"),
        ("db-cluster-params-pg16-dev", "parameters.log_lock_waits"),
        (MEMORY, "threshold"),
        (f"alarms-dev/{QUEUE}", "filter_policy"),
        (f"alarms-dev/email:{MAIL}", "*"),
    }
    assert f"alarms-dev has subscribers that others have added, and keeps them: email:{OTHER}" in drift.err
    world.applied("dev")
    assert world.drift().code == 0

    world.client("sns").confirm_subscription(TopicArn=TOPIC, Token=MAIL)
    folder.put("common", "alarms.extra", [{**ALARM, "name": "db-swap", "metric": "SwapUsage"}])
    folder.put("common", "database.instance_parameters", {}).drop("common", "processor.egress")
    folder.put("common", "processor.permissions", []).put("common", "processor.environment", {})
    folder.put("common", "organisation", {"permissions_boundary": BOUNDARY.replace("payments-boundary", "other")})
    folder.put("dev", "alarms.subscribers", [QUEUE])
    assert f"--allow sns-subscription/alarms-dev/email:{MAIL}" in world.tapctl("apply", "--env", "dev", "--yes").err
    world.applied("dev", "--reboot", "--allow", f"sns-subscription/alarms-dev/email:{MAIL}")
    assert world.drift().code == 0
    assert _alarms(world) >= {"db-swap-0-dev"}
    assert MEMORY not in _alarms(world)
    assert _subscribed(world) == {QUEUE, OTHER}
    assert world.client("iam").get_role(RoleName=ROLE)["Role"]["Path"] == "/"

    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert left(world) - before <= {"key:PendingDeletion"}
    assert world.client("sns").list_subscriptions()["Subscriptions"] == []


def _is_in_aws(world: World) -> None:
    role = world.client("iam").get_role(RoleName=ROLE)["Role"]
    assert role["Path"] == "/payments/"
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{ACCOUNT}:policy/payments-boundary"
    policy = world.client("iam").get_role_policy(RoleName=ROLE, PolicyName="lambda-policy-dev")["PolicyDocument"]
    (added,) = [each for each in policy["Statement"] if each.get("Sid") == "SendEvents"]
    assert added["Resource"] == [f"arn:aws:sqs:us-east-2:{ACCOUNT}:payments-events-dev"]
    function = world.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    assert (function["Architectures"], function["Role"]) == (["arm64"], role["Arn"])
    variables = function["Environment"]["Variables"]
    assert variables["EVENTS_QUEUE"] == f"https://sqs.us-east-2.amazonaws.com/{ACCOUNT}/payments-events-dev"
    assert {MEMORY} < _alarms(world)
    (alarm,) = world.client("cloudwatch").describe_alarms(AlarmNames=[MEMORY])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["AlarmDescription"]) == (268435456, ALARM["why"])
    topic: dict[str, str] = world.client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    assert "alarm:db-freeable-memory-?-dev" in topic["Policy"]
    assert _subscribed(world) == {MAIL, QUEUE}


def _tamper(world: World) -> None:
    iam, ec2, sns = world.client("iam"), world.client("ec2"), world.client("sns")
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/other")
    policy = iam.get_role_policy(RoleName=ROLE, PolicyName="lambda-policy-dev")["PolicyDocument"]
    _tamper_with_policy(iam, policy)
    function = world.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    variables = {**function["Environment"]["Variables"], "FEATURE_FLAGS": "none"}
    world.client("lambda").update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["lambda-sg-dev"]}])[
        "SecurityGroups"
    ]
    anywhere = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=anywhere)
    world.client("rds").modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="db-cluster-params-pg16-dev",
        Parameters=[{"ParameterName": "log_lock_waits", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )
    (alarm,) = world.client("cloudwatch").describe_alarms(AlarmNames=[MEMORY])["MetricAlarms"]
    kept = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods")
    more = ("ComparisonOperator", "AlarmActions", "OKActions", "AlarmDescription", "DatapointsToAlarm")
    world.client("cloudwatch").put_metric_alarm(
        **{name: alarm[name] for name in (*kept, *more, "TreatMissingData")}, Threshold=1.0
    )
    arns = {each["Endpoint"]: each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]}
    sns.set_subscription_attributes(
        SubscriptionArn=arns[QUEUE], AttributeName="FilterPolicy", AttributeValue='{"kind": ["none"]}'
    )
    sns.unsubscribe(SubscriptionArn=arns[MAIL])
    sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint=OTHER)


def _tamper_with_policy(iam: Any, policy: dict[str, Any]) -> None:
    for each in policy["Statement"]:
        if each.get("Sid") == "SendEvents":
            each["Action"] = ["sqs:SendMessage", "sqs:ReceiveMessage"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="lambda-policy-dev", PolicyDocument=json.dumps(policy))


def _alarms(world: World) -> set[str]:
    return {each["AlarmName"] for each in world.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def _subscribed(world: World) -> set[str]:
    return {each["Endpoint"] for each in world.client("sns").list_subscriptions()["Subscriptions"]}
