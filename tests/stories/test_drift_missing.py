"""Drift of what is there or not: a resource of each kind gone, a member too many, a reboot that is due."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.failures.test_answers import answering
from tests.stories.tampering import told
from tests.support.door import Proceed, Served, Visit, denied
from tests.support.world import Answer, World

TOPIC = "arn:aws:sns:us-east-2:123456789012:alarms-dev"


def group_rules(world: World) -> None:
    ec2 = world.client("ec2")
    (found,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["db-sg-dev"]}])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=found["GroupId"], IpPermissions=found["IpPermissions"])


def role(world: World) -> None:
    iam = world.client("iam")
    iam.delete_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev")
    iam.delete_role(RoleName="lambda-role-dev")


def function(world: World) -> None:
    world.client("lambda").delete_function(FunctionName="payment-processor-dev")


def logs(world: World) -> None:
    world.client("logs").delete_log_group(logGroupName="/aws/lambda/payment-processor-dev")


def topic(world: World) -> None:
    world.client("sns").delete_topic(TopicArn=TOPIC)


def alarm(world: World) -> None:
    world.client("cloudwatch").delete_alarms(AlarmNames=["db-cpu-0-dev"])


def instance(world: World) -> None:
    world.client("rds").delete_db_instance(DBInstanceIdentifier="db-cluster-dev-0")


def alias(world: World) -> None:
    world.client("kms").delete_alias(AliasName="alias/db-key-dev")


def key(world: World) -> None:
    kms = world.client("kms")
    found = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=found, PendingWindowInDays=7)


GONE = [
    (group_rules, "security-group-rules/db-sg-dev"),
    (role, "iam-role/lambda-role-dev"),
    (function, "lambda-function/payment-processor-dev"),
    (logs, "log-group//aws/lambda/payment-processor-dev"),
    (topic, "sns-topic/alarms-dev"),
    (alarm, "cloudwatch-alarm/db-cpu-0-dev"),
    (instance, "db-instance/db-cluster-dev-0"),
    (key, "kms-key/alias/db-key-dev"),
]


def missing(answer: Answer) -> set[str]:
    """The addresses that are told to be missing; what uses them may have suffered, which is told as drift."""
    findings = answer.of_type("finding")
    assert {one["field"] for one in findings if one["state"] == "MISSING"} == {"*"}
    return {one["address"] for one in findings if one["state"] == "MISSING"}


@pytest.mark.soak
def test_all_deleted_resources_are_missing_and_made_again(dev: World) -> None:
    for delete, _ in GONE:
        delete(dev)
    answer = dev.drift()
    assert missing(answer) == {address for _, address in GONE}
    assert dev.applied("dev").code == 0
    assert dev.drift().code == 0


@pytest.mark.soak
@pytest.mark.parametrize(("delete", "address"), GONE, ids=[address for _, address in GONE])
def test_each_deleted_resource_is_missing_and_made_again(
    dev: World, delete: Callable[[World], None], address: str
) -> None:
    delete(dev)
    answer = dev.drift()
    planned = dev.tapctl("plan", "--env", "dev", "--json")
    repaired = dev.tapctl("apply", "--env", "dev", "--yes")
    assert missing(answer) == {address}
    assert answer.code == 2
    (finding,) = (one for one in answer.of_type("finding") if one["state"] == "MISSING")
    assert (finding["undo"], finding["edit"]) == ("tapctl apply --env dev", "")
    assert (address, "create") in {(one["address"], one["action"]) for one in planned.of_type("planned_change")}
    assert repaired.code == 0, repaired.err
    after = dev.drift()
    assert (after.code, told(after.records)) == (0, set())


@pytest.mark.soak
def test_a_lost_alias_is_found_and_put_back_on_the_same_key(dev: World) -> None:
    before = dev.tapctl("outputs", "key_arn", "--env", "dev").out
    alias(dev)
    answer = dev.drift()
    repaired = dev.applied("dev")
    assert told(answer.records) == {("kms-key/alias/db-key-dev", "alias", "DRIFT")}
    assert repaired.changes == ("kms:CreateAlias",)
    assert dev.tapctl("outputs", "key_arn", "--env", "dev").out == before


@pytest.mark.soak
def test_a_key_that_was_to_be_deleted_is_the_same_key_again(dev: World) -> None:
    before = dev.tapctl("outputs", "key_arn", "--env", "dev").out
    key(dev)
    repaired = dev.applied("dev")
    fingerprint = "kms:TagResource"  # of the record, which a key that is to be deleted could not bear
    assert set(repaired.changes) == {"kms:CancelKeyDeletion", "kms:EnableKey", fingerprint}
    assert dev.tapctl("outputs", "key_arn", "--env", "dev").out == before


@pytest.mark.soak
def test_a_role_made_again_by_somebody_else_is_another_role(dev: World) -> None:
    iam = dev.client("iam")
    was = iam.get_role(RoleName="lambda-role-dev")["Role"]
    document = iam.get_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev")["PolicyDocument"]
    role(dev)
    iam.create_role(
        RoleName="lambda-role-dev",
        AssumeRolePolicyDocument=json.dumps(was["AssumeRolePolicyDocument"]),
        Description=was["Description"],
        Tags=[one for one in was["Tags"] if not one["Key"].startswith("aws:")],
    )
    iam.put_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev", PolicyDocument=json.dumps(document))
    answer = dev.drift()
    repaired = dev.applied("dev")
    (finding,) = answer.of_type("finding")
    assert (finding["address"], finding["field"], finding["state"]) == ("iam-role/lambda-role-dev", "role_id", "DRIFT")
    assert finding["note"] == "replaced outside"
    assert repaired.changes == ("kms:TagResource",), "of the record's fingerprint"
    assert dev.drift().code == 0


@pytest.mark.soak
def test_a_log_group_made_again_by_somebody_else_has_lost_its_events(dev: World) -> None:
    logs, name = dev.client("logs"), "/aws/lambda/payment-processor-dev"
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
    logs.delete_log_group(logGroupName=name)
    ours = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    logs.create_log_group(logGroupName=name, kmsKeyId=group["kmsKeyId"], tags=ours)
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    told = dev.drift()
    (finding,) = told.of_type("finding")
    assert (told.code, finding["address"], finding["field"]) == (2, f"log-group/{name}", "created")
    assert finding["note"] == "replaced outside"
    assert dev.applied("dev").changes == ("kms:TagResource",), "of the record's fingerprint"
    assert dev.drift().code == 0


@pytest.fixture
def stranger(dev: World) -> Any:
    """A member that somebody added to our cluster."""
    rds = dev.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="analytics",
        DBClusterIdentifier="db-cluster-dev",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    yield
    rds.delete_db_instance(DBInstanceIdentifier="analytics")


def test_an_extra_member_is_reported_and_never_removed(dev: World, stranger: None) -> None:
    answer = dev.drift()
    assert told(answer.records) == {("db-cluster/db-cluster-dev", "members", "UNEXPECTED")}
    assert answer.code == 2
    (finding,) = answer.of_type("finding")
    assert finding["live"] == "db-instance/analytics"
    undo = "aws rds delete-db-instance --db-instance-identifier analytics --region us-east-2"
    assert (finding["undo"], finding["edit"]) == (undo, "")
    planned = dev.tapctl("plan", "--env", "dev")
    assert "db-instance/analytics" in planned.out
    assert "not ours; it is never removed" in planned.out
    assert dev.applied("dev").changes == ()
    assert dev.drift().code == 2
    members = dev.client("rds").describe_db_instances()["DBInstances"]
    assert "analytics" in {one["DBInstanceIdentifier"] for one in members}


def unread_member(visit: Visit, proceed: Proceed) -> Served:
    """Deny every look at the member itself."""
    if visit.name == "rds:DescribeDBInstances" and "analytics" in str(visit.params):
        raise denied(visit.name)
    return proceed()


def without_member(answer: dict[str, Any]) -> None:
    """Have no such instance, which the cluster names among its members."""
    answer["DBInstances"] = [one for one in answer["DBInstances"] if one["DBInstanceIdentifier"] != "analytics"]


def test_a_waived_member_that_becomes_public_is_drift(dev: World, stranger: None) -> None:
    """Whoever owns it may open it after somebody has answered for it."""
    waive = ("waive", "--env", "dev", "db-cluster/db-cluster-dev.members", "--reason", "reports", "--until", "30d")
    assert dev.tapctl(*waive).code == 0
    waived = ("db-cluster/db-cluster-dev", "members", "WAIVED")
    private = dev.drift()
    assert (private.code, told(private.records)) == (0, {waived})
    undone = "--db-instance-identifier analytics --no-publicly-accessible --apply-immediately --region us-east-2"
    dev.client("rds").modify_db_instance(DBInstanceIdentifier="analytics", PubliclyAccessible=True)
    public = dev.drift()
    opened = ("db-instance/analytics", "publicly_accessible", "DRIFT")
    assert (public.code, told(public.records)) == (2, {waived, opened})
    (finding,) = (one for one in public.of_type("finding") if one["state"] == "DRIFT")
    assert finding["note"].startswith("open to the world, which its waiver does not cover (")
    assert "reports" in finding["note"]
    assert (finding["severity"], finding["undo"]) == ("high", f"aws rds modify-db-instance {undone}")
    assert finding["undo_note"] == "where whoever made it agrees:"
    assert dev.tapctl("status", "--env", "dev").code == 2
    assert dev.tapctl("drift", "--env", "dev", "--who").code == 2
    assert dev.tapctl("parity", "--live").code == 2
    assert "db-instance/analytics" in dev.tapctl("accept", "--env", "dev", "--yes").err
    assert "it is not ours, and is never changed" in dev.tapctl("revert", "--env", "dev", "--yes").err
    refused = dev.tapctl("waive", "--env", "dev", "db-instance/analytics.publicly_accessible", *waive[4:])
    assert refused.code != 0
    assert dev.applied("dev").changes == ()

    unknown = ("db-instance/analytics", "publicly_accessible", "UNKNOWN")
    unseen = dev.meeting(unread_member, "drift", "--env", "dev", "--json")
    assert (unseen.code, told(unseen.records)) == (7, {waived, unknown})
    with answering("rds:DescribeDBInstances", without_member):
        unseen = dev.drift()
    assert (unseen.code, told(unseen.records)) == (7, {waived, unknown})
    (verdict,) = unseen.of_type("verdict")
    assert "db-instance/analytics.publicly_accessible" in verdict["not_compared"]


def test_a_reboot_that_is_due_is_pending(dev: World) -> None:
    rds = dev.client("rds")
    parameter = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="db-instance-params-pg16-dev", Parameters=[parameter])
    undone, again = dev.applied("dev"), dev.applied("dev")
    told_of = "warning: not in force before a reboot: {}; when it suits: tapctl apply --env dev --reboot"
    group, member = "db-parameter-group/db-instance-params-pg16-dev", "db-instance/db-cluster-dev-0"
    assert told_of.format(f"{group}, {member}") in undone.err.splitlines()
    assert told_of.format(member) in again.err.splitlines()
    answer = dev.drift()
    text = dev.tapctl("drift", "--env", "dev")
    planned = dev.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    rebooted = dev.applied("dev", "--reboot")
    assert rebooted.changes == ("rds:RebootDBInstance",)
    assert "not in force" not in rebooted.err
    (line,) = (one for one in rebooted.out.splitlines() if "→ in force" in one)
    assert line.split()[-1] == "restart"
    assert told(answer.records) == {("db-instance/db-cluster-dev-0", "parameter_group", "PENDING")}
    assert answer.code == 0
    assert text.verdict == "DRIFT dev: 0 drifted · 1 pending · 0 unknown"
    assert "PENDING until reboot" in text.out
    assert planned.code == 0
    assert dev.drift().of_type("finding") == []
    assert dev.applied("dev", "--reboot").changes == ()


@pytest.mark.soak
def test_a_new_wish_for_a_parameter_with_a_default_is_no_change_outside(dev: World) -> None:
    wish = '[database.instance_parameters]\nmax_connections = "300"\n\n[processor]'
    dev.edit("common.toml", "\n[processor]", f"\n{wish}")
    planned = dev.tapctl("plan", "--env", "dev")
    assert "~ db-parameter-group  db-instance-params-pg16-dev" in planned.out
    assert "5000) → 300" in planned.out
    assert "outside" not in planned.out + planned.err


@pytest.mark.soak
def test_a_change_of_a_static_parameter_is_pending_until_a_reboot(dev: World) -> None:
    rds = dev.client("rds")
    parameter = {"ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="db-instance-params-pg16-dev", Parameters=[parameter])
    planned = dev.tapctl("plan", "--env", "dev")
    (line,) = (one for one in planned.out.splitlines() if "parameters.max_connections" in one)
    assert line.endswith("deferred until reboot")
    # In one go: what is reset waits for the reboot, which it gets.
    changed = dev.applied("dev", "--reboot")
    assert changed.changes == ("rds:ResetDBParameterGroup", "rds:RebootDBInstance")
    assert dev.drift().of_type("finding") == []
