"""Drift of what decides who may do what: rules, role, policies of function, topic and key. dev, one apply for all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stories.tampering import Case, all_are_found_and_undone, cases, drift_of, is_found_and_undone, told
from tests.support.world import World

ROLE = "iam-role/lambda-role-dev"
FUNCTION = "lambda-function/payment-processor-dev"
TOPIC = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
OPEN = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def group_id(world: World, name: str) -> str:
    filters = [{"Name": "group-name", "Values": [name]}]
    (found,) = world.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return str(found["GroupId"])


def permission(port: int, cidr: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]


def let_in(world: World) -> None:
    world.client("ec2").authorize_security_group_ingress(
        GroupId=group_id(world, "db-sg-dev"), IpPermissions=permission(5432, "10.9.0.0/16")
    )


def let_out(world: World) -> None:
    world.client("ec2").authorize_security_group_egress(
        GroupId=group_id(world, "db-sg-dev"), IpPermissions=permission(443, "0.0.0.0/0")
    )


def let_into_the_function(world: World) -> None:
    world.client("ec2").authorize_security_group_ingress(
        GroupId=group_id(world, "lambda-sg-dev"), IpPermissions=permission(22, "0.0.0.0/0")
    )


def shut(world: World) -> None:
    world.client("ec2").revoke_security_group_egress(
        GroupId=group_id(world, "lambda-sg-dev"), IpPermissions=permission(443, "0.0.0.0/0")
    )


def add_inline(world: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [OPEN]})
    world.client("iam").put_role_policy(RoleName="lambda-role-dev", PolicyName="backdoor", PolicyDocument=document)


def widen_inline(world: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [OPEN]})
    world.client("iam").put_role_policy(
        RoleName="lambda-role-dev", PolicyName="lambda-policy-dev", PolicyDocument=document
    )


def attach(world: World) -> None:
    iam = world.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [OPEN]})
    names = {one["PolicyName"]: one["Arn"] for one in iam.list_policies(Scope="Local")["Policies"]}
    arn = names.get("extra") or iam.create_policy(PolicyName="extra", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="lambda-role-dev", PolicyArn=arn)


def widen_trust(world: World) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]},
             "Action": "sts:AssumeRole"}
        ],
    }  # fmt: skip
    world.client("iam").update_assume_role_policy(RoleName="lambda-role-dev", PolicyDocument=json.dumps(trust))


def let_invoke(world: World) -> None:
    world.client("lambda").add_permission(
        FunctionName="payment-processor-dev",
        StatementId="anybody",
        Action="lambda:InvokeFunction",
        Principal="*",
    )


def put_policy(world: World, *sids: str) -> None:
    """Replace the function's resource policy by a document with a statement for each id, "" for one without."""
    client = world.client("lambda")
    arn = client.get_function_configuration(FunctionName="payment-processor-dev")["FunctionArn"]
    statements = [
        {
            **({"Sid": sid} if sid else {}),
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Principal": {"AWS": f"{account}" * 12},
        }
        for account, sid in enumerate(sids, start=5)
    ]
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def let_publish(world: World) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish", "Resource": TOPIC}],
    }
    world.client("sns").set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=json.dumps(policy))


def open_key(world: World) -> None:
    kms = world.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def stop_rotation(world: World) -> None:
    kms = world.client("kms")
    kms.disable_key_rotation(KeyId=kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])


def disable_key(world: World) -> None:
    kms = world.client("kms")
    kms.disable_key(KeyId=kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"])


def answer_sql_over_https(world: World) -> None:
    world.client("rds").enable_http_endpoint(ResourceArn=f"{RDS}:cluster:db-cluster-dev")


def give_the_cluster_a_role(world: World) -> None:
    world.client("rds").add_role_to_db_cluster(
        DBClusterIdentifier="db-cluster-dev", RoleArn="arn:aws:iam::123456789012:role/export", FeatureName="s3Export"
    )


RDS = "arn:aws:rds:us-east-2:123456789012"
CLUSTER = "db-cluster/db-cluster-dev"
KEY = "kms-key/alias/db-key-dev"
DB_RULES = "security-group-rules/db-sg-dev"
CASES = [
    Case("an ingress rule added", let_in, drift_of(DB_RULES, "rules")),
    Case("an egress rule added", let_out, drift_of(DB_RULES, "rules")),
    Case(
        "an ingress rule added to the function's group",
        let_into_the_function,
        drift_of("security-group-rules/lambda-sg-dev", "rules"),
    ),
    Case("a rule removed", shut, drift_of("security-group-rules/lambda-sg-dev", "rules")),
    Case("an inline policy added", add_inline, drift_of(ROLE, "inline.backdoor")),
    Case("a policy attached", attach, drift_of(ROLE, "attached")),
    Case("trust widened", widen_trust, drift_of(ROLE, "trust.statements")),
    Case("the function opened to anybody", let_invoke, drift_of(FUNCTION, "resource_policy")),
    Case("the topic opened to anybody", let_publish, drift_of("sns-topic/alarms-dev", "policy.statements")),
    Case("the key opened to anybody", open_key, drift_of(KEY, "policy.statements")),
    Case("the key's rotation off", stop_rotation, drift_of(KEY, "rotation", "rotation_period_days")),
    Case("the key disabled", disable_key, drift_of(KEY, "enabled")),
    Case("the Data API switched on", answer_sql_over_https, drift_of(CLUSTER, "http_endpoint")),
    Case("a role given to the cluster", give_the_cluster_a_role, drift_of(CLUSTER, "associated_roles")),
]


@pytest.mark.soak
def test_a_policy_whose_statements_have_no_id_is_removed_by_one_call(dev: World) -> None:
    """A Sid may be missing in a document, or in no form that RemovePermission takes."""
    for sids in (["a", ""], ["no id"]):
        put_policy(dev, *sids)
        assert told(dev.drift().records) == drift_of(FUNCTION, "resource_policy")
        reverted = dev.tapctl("revert", "--env", "dev", "--yes", "--json")
        assert (reverted.code, reverted.changes) == (0, ("lambda:DeleteResourcePolicy",)), reverted.out + reverted.err
        assert dev.drift().code == 0
    put_policy(dev, "a", "b")
    assert dev.applied("dev").changes == ("lambda:RemovePermission",) * 2


@pytest.mark.parametrize("case", cases(CASES))
def test_each_change_by_hand_is_found_and_undone(dev: World, case: Case) -> None:
    is_found_and_undone(dev, case)


@pytest.mark.soak
def test_all_changes_at_once_are_found_and_undone(dev: World) -> None:
    all_are_found_and_undone(dev, CASES)


def test_the_own_policy_widened_shows_each_statement(dev: World) -> None:
    widen_inline(dev)
    findings = dev.drift().of_type("finding")
    assert {one["field"] for one in findings} == {"inline.lambda-policy-dev.statements"}
    assert len(dev.applied("dev").changes) == 1
    assert dev.drift().code == 0


def test_a_subscription_is_no_drift(dev: World) -> None:
    dev.client("sns").subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="oncall@example.com")
    assert dev.drift().code == 0
    assert dev.tapctl("apply", "--env", "dev").changes == ()


@pytest.mark.soak
def test_the_report_for_people_names_the_change_and_the_undo(dev: World) -> None:
    let_in(dev)
    answer = dev.tapctl("drift", "--env", "dev")
    dev.applied("dev")
    assert answer.code == 2
    fields = dev.field_count()
    (line,) = (one for one in answer.out.splitlines() if one.startswith("  ! "))
    assert line.split() == ["!", "db-sg-dev", "rules", "+", "ingress", "10.9.0.0/16", "tcp/5432", "DRIFT"]
    assert "        tapctl revert --env dev security-group-rules/db-sg-dev.rules" in answer.out.splitlines()
    assert f"  checked {fields} of {fields} fields on {len(dev.stack())} resources" in answer.out.splitlines()
    assert answer.verdict == "DRIFT dev: 1 drifted · 0 pending · 0 unknown"
