"""Drift of who else was let in: found, with the command that ends it, and left by an apply."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from tests.failures.test_answers import answering
from tests.failures.trouble import refuse
from tests.stories.contract import holds
from tests.stories.test_drift_access import group_id, permission
from tests.support.answered import Change
from tests.support.door import Proceed, Refusal, Served, Visit
from tests.support.world import World

KEY = "kms-key/alias/db-key-dev"
STRANGER = "arn:aws:iam::999999999999:role/reader"


def grant(world: World) -> str:
    kms = world.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    made = kms.create_grant(KeyId=key, GranteePrincipal=STRANGER, Operations=["Decrypt"])
    return f"{made['GrantId']} to {STRANGER} (Decrypt)"


def test_a_grant_to_a_stranger_is_drift_that_only_a_person_ends(dev: World) -> None:
    live = grant(dev)

    found = dev.drift()

    assert found.code == 2
    (finding,) = found.of_type("finding")
    assert (finding["address"], finding["field"], finding["live"]) == (KEY, "grants", live)
    words = shlex.split(finding["undo"])
    assert words[:3] == ["aws", "kms", "revoke-grant"]
    assert {"--grant-id", "--key-id", "--region"} <= {*words}

    planned = dev.tapctl("plan", "--env", "dev", "--detailed-exitcode")
    assert planned.code == 0
    applied = dev.tapctl("apply", "--env", "dev", "--yes")
    assert (applied.code, applied.changes) == (0, ())
    assert dev.drift().code == 2

    dev.client("kms").revoke_grant(
        KeyId=words[words.index("--key-id") + 1], GrantId=words[words.index("--grant-id") + 1]
    )
    assert dev.drift().code == 0


def in_state(state: str) -> Change:
    """The change by which KMS tells this state of every key."""

    def put(answer: Any) -> None:
        answer["KeyMetadata"]["KeyState"] = state

    return put


def test_a_key_that_kms_works_on_tells_who_else_was_let_in(dev: World) -> None:
    live, kms = grant(dev), dev.client("kms")
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/other", TargetKeyId=key)

    for state in ("Updating", "Creating"):
        with answering("kms:DescribeKey", in_state(state)):
            found = dev.drift()
        assert found.code == 2
        told = {(one["field"], one["live"]) for one in found.of_type("finding")}
        assert told == {("grants", live), ("further_aliases", "alias/other")}


def name_a_list(world: World) -> str:
    """Let the files name a prefix list in the place of an address; returns its id."""
    made = world.client("ec2").create_managed_prefix_list(
        PrefixListName="partners", MaxEntries=9, AddressFamily="IPv4", Entries=[{"Cidr": "10.20.0.0/16"}]
    )
    listed: str = made["PrefixList"]["PrefixListId"]
    common = world.folder / "environments" / "common.toml"
    rule = f'[[processor.egress]]\nport = 8443\nto = "{listed}"\nwhy = "the partners"\n'
    common.write_text(f"{common.read_text()}\n{rule}")
    return listed


@pytest.mark.soak
def test_a_prefix_list_that_somebody_opens_to_the_world_is_told_and_named_by_no_further_plan(dev: World) -> None:
    listed = name_a_list(dev)
    dev.applied("dev")
    assert dev.drift().code == 0

    dev.client("ec2").modify_managed_prefix_list(
        PrefixListId=listed, CurrentVersion=1, AddEntries=[{"Cidr": "0.0.0.0/0"}]
    )

    found = dev.drift()
    assert found.code == 2
    (finding,) = found.of_type("finding")
    place = (finding["address"], finding["field"], finding["live"])
    assert place == ("security-group-rules/lambda-sg-dev", "open_lists", f"{listed} holds 0.0.0.0/0")
    look = f"aws ec2 get-managed-prefix-list-entries --prefix-list-id {listed} --region us-east-2"
    assert finding["undo"] == look
    last, one_list = found.records[-1], 1
    assert last["api_calls"] <= 2 * last["counts"]["resources"] + 8 + one_list
    assert dev.tapctl("status", "--env", "dev").code == 2
    refused = dev.tapctl("waive", f"{place[0]}.{place[1]}", "--env", "dev", "--reason", "r", "--until", "30d")
    assert refused.code == 3

    for command in (("plan",), ("apply", "--yes")):
        answer = dev.tapctl(*command, "--env", "dev")
        assert (answer.code, answer.changes) == (3, ())
        assert f"processor.egress.0.to = {listed}: holds 0.0.0.0/0" in answer.err


def test_what_a_prefix_list_holds_beside_is_said_not_to_be_compared(dev: World) -> None:
    told = dev.drift().records[-1]["not_compared"]
    assert "security-group: what else the prefix lists in them hold" in told


@pytest.mark.soak
def test_a_prefix_list_behind_a_waived_rule_to_the_database_is_told_when_it_opens(dev: World) -> None:
    ec2 = dev.client("ec2")
    made = ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=9, AddressFamily="IPv4", Entries=[{"Cidr": "10.20.0.0/16"}]
    )
    listed = made["PrefixList"]["PrefixListId"]
    filters = [{"Name": "group-name", "Values": ["db-sg-dev"]}]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "PrefixListIds": [{"PrefixListId": listed}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
    place = "security-group-rules/db-sg-dev"
    reason = ("--reason", "the office", "--until", "30d")
    assert dev.tapctl("waive", f"{place}.rules", "--env", "dev", *reason).code == 0
    assert dev.drift().code == 0

    ec2.modify_managed_prefix_list(PrefixListId=listed, CurrentVersion=1, AddEntries=[{"Cidr": "0.0.0.0/0"}])

    found = dev.drift()
    told = {(one["address"], one["field"], one["state"]) for one in found.of_type("finding")}
    assert told == {(place, "rules", "WAIVED"), (place, "open_lists", "DRIFT")}
    assert (found.code, dev.tapctl("status", "--env", "dev").code) == (2, 2)
    refused = dev.tapctl("waive", f"{place}.open_lists", "--env", "dev", *reason)
    assert (refused.code, "open door to the world" in refused.err) == (3, True), refused.err


@pytest.mark.soak
def test_a_waived_group_of_others_on_the_database_is_told_when_it_lets_the_world_in(dev: World) -> None:
    ec2, rds, place = dev.client("ec2"), dev.client("rds"), "db-cluster/db-cluster-dev"
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier="db-cluster-dev")["DBClusters"]
    (own,) = [one["VpcSecurityGroupId"] for one in cluster["VpcSecurityGroups"]]
    (ours,) = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"]
    theirs = ec2.create_security_group(GroupName="data-team", Description="the data team's", VpcId=ours["VpcId"])
    group = theirs["GroupId"]
    rds.modify_db_cluster(DBClusterIdentifier="db-cluster-dev", VpcSecurityGroupIds=[own, group], ApplyImmediately=True)
    reason = ("--reason", "the data team reads", "--until", "30d")
    assert dev.tapctl("waive", f"{place}.security_group_ids", "--env", "dev", *reason).code == 0
    green = dev.drift()
    assert (green.code, [one["state"] for one in green.of_type("finding")]) == (0, ["WAIVED"])

    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    found = dev.drift()
    (opened,) = [one for one in found.of_type("finding") if one["state"] == "DRIFT"]
    told = (opened["address"], opened["field"], opened["live"])
    assert told == (place, "open_groups", f"{group} ingress 0.0.0.0/0 tcp/5432")
    assert opened["undo"] == f"aws ec2 describe-security-groups --group-ids {group} --region us-east-2"
    assert (found.code, dev.tapctl("status", "--env", "dev").code) == (2, 2)
    refused = dev.tapctl("waive", f"{place}.open_groups", "--env", "dev", *reason)
    assert (refused.code, "open door to the world" in refused.err) == (3, True), refused.err


def test_the_halves_of_an_open_door_are_waived_by_no_two_waivers(dev: World) -> None:
    ec2, place = dev.client("ec2"), "security-group-rules/db-sg-dev"
    own = group_id(dev, "db-sg-dev")
    for cidr in ("8.0.0.0/8", "9.0.0.0/8"):
        ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=permission(5432, cidr))
    reason = ("--reason", "the office", "--until", "30d")

    found = dev.drift()
    assert (found.code, len(found.of_type("finding"))) == (2, 2)
    assert not any(one["waive"] for one in found.of_type("finding")), "what is refused is not advised"
    refused = dev.tapctl("waive", f"{place}.rules", "--env", "dev", *reason)
    assert (refused.code, "opens 8.0.0.0/7 with the other waivers" in refused.err) == (3, True), refused.err

    half = next(one for one in found.of_type("finding") if "8.0.0.0/8" in str(one["live"]))
    assert dev.tapctl("waive", half["id"], "--env", "dev", *reason).code == 0
    assert dev.drift().code == 2
    assert dev.tapctl("apply", "--env", "dev", "--yes").changes == ("ec2:RevokeSecurityGroupIngress",)
    assert dev.drift().code == 0


def test_a_waived_group_of_others_is_told_where_its_rules_open_the_world_with_others(dev: World) -> None:
    ec2, rds, place = dev.client("ec2"), dev.client("rds"), "db-cluster/db-cluster-dev"
    own = group_id(dev, "db-sg-dev")
    vpc = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"][0]["VpcId"]
    made = [ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"] for name in ("a", "b")]
    one, other = sorted(made)
    rds.modify_db_cluster(
        DBClusterIdentifier="db-cluster-dev", VpcSecurityGroupIds=[own, one, other], ApplyImmediately=True
    )
    reason = ("--reason", "the office", "--until", "30d")
    listed = ec2.create_managed_prefix_list(
        PrefixListName="p", MaxEntries=9, AddressFamily="IPv4", Entries=[{"Cidr": "11.0.0.0/8"}]
    )["PrefixList"]["PrefixListId"]
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=permission(5432, "10.0.0.0/8"))
    assert dev.tapctl("waive", "all", "--env", "dev", *reason).code == 0
    ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=permission(5432, "8.0.0.0/8"))
    assert dev.drift().code == 0

    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=permission(5432, "9.0.0.0/8"))
    found = dev.drift()
    told = {(each["field"], each["live"]) for each in found.of_type("finding") if each["state"] == "DRIFT"}
    world = "ingress 8.0.0.0/7 tcp/5432, by several rules"
    assert told == {("open_groups", f"{one} {world}"), ("open_groups", f"{other} {world}")}
    assert found.code == 2
    refused = dev.tapctl("waive", f"{place}.open_groups", "--env", "dev", *reason)
    assert (refused.code, "open door to the world" in refused.err) == (3, True), refused.err

    peers = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "PrefixListIds": [{"PrefixListId": listed}]}]
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=peers)
    lists = {each["live"] for each in dev.drift().of_type("finding") if each["field"] == "open_lists"}
    assert lists == {f"{listed} holds a part of 10.0.0.0/7, and other rules the rest"}


@pytest.mark.soak
def test_a_group_of_others_on_the_function_is_told_as_open_where_it_lets_everything_out(dev: World) -> None:
    ec2, client, name = dev.client("ec2"), dev.client("lambda"), "payment-processor-dev"
    vpc = client.get_function_configuration(FunctionName=name)["VpcConfig"]
    theirs = ec2.create_security_group(GroupName="proxy", Description="a proxy's", VpcId=vpc["VpcId"])["GroupId"]
    groups = [*vpc["SecurityGroupIds"], theirs]
    client.update_function_configuration(
        FunctionName=name, VpcConfig={"SubnetIds": vpc["SubnetIds"], "SecurityGroupIds": groups}
    )
    told = {(one["field"], one["live"]) for one in dev.drift().of_type("finding")}
    assert told == {("security_group_ids", theirs), ("open_groups", f"{theirs} egress 0.0.0.0/0 all traffic")}
    shown = dev.tapctl("drift", "--env", "dev").out
    assert "whoever owns it closes it, or what leads there goes out of security_group_ids; this shows it:" in shown
    # By itself it is none of a revert's; where what led there goes back, it goes with that.
    alone = dev.tapctl("revert", "lambda-function/payment-processor-dev.open_groups", "--env", "dev", "--yes")
    assert (alone.code, "a person ends it" in alone.err) == (6, True), alone.err
    reverted = dev.tapctl("revert", "--env", "dev", "--yes")
    assert (reverted.code, "is not put back" in reverted.err) == (0, False), reverted.err
    assert dev.drift().code == 0
    client.update_function_configuration(
        FunctionName=name, VpcConfig={"SubnetIds": vpc["SubnetIds"], "SecurityGroupIds": groups}
    )
    dev.applied("dev")
    assert dev.drift().code == 0


def test_what_is_not_compared_is_said_and_counted(dev: World) -> None:
    answer = dev.drift()
    last = holds(answer, "drift")[-1]
    assert len(last["not_compared"]) == last["counts"]["not_compared"] > 0
    page = dev.tapctl("drift", "--env", "dev").out
    assert f"not compared, on purpose ({len(last['not_compared'])})" in page
    assert all(line.partition(": ")[2] in page for line in last["not_compared"])


@pytest.mark.parametrize("env", ["dev", pytest.param("prod", marks=pytest.mark.soak)])
def test_a_drift_takes_two_calls_a_resource_and_eight(world: World, env: str) -> None:
    world.deploy(env)
    last = world.drift(env).records[-1]
    assert last["api_calls"] <= 2 * last["counts"]["resources"] + 8


@pytest.mark.soak
def test_a_field_that_an_older_record_does_not_have_is_unknown_until_an_apply(dev: World) -> None:
    text = dev.path().read_text()
    older = re.sub(r'"grants": ?\[\],?\s*', "", text)
    assert older != text
    dev.path().write_text(older)
    dev.forget_fingerprint()

    unknown = dev.drift()
    assert (unknown.code, [one["state"] for one in unknown.of_type("finding")]) == (7, ["UNKNOWN"])
    dev.applied("dev")
    assert dev.drift().code == 0


@pytest.mark.soak
def test_what_the_first_answer_tells_a_plan_shows_and_an_apply_leaves(dev: World) -> None:
    attribute = {"AttributeName": "LambdaSuccessFeedbackRoleArn", "AttributeValue": STRANGER}
    topic = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    dev.client("sns").set_topic_attributes(TopicArn=topic, **attribute)
    live = f"LambdaSuccessFeedbackRoleArn is {STRANGER}"

    planned = dev.tapctl("plan", "--env", "dev", "--json", "--detailed-exitcode")
    (change,) = planned.of_type("planned_change")
    assert (planned.code, change["exposures"]) == (0, [{"path": "further", "have": live}])
    assert dev.tapctl("apply", "--env", "dev", "--yes").changes == ()
    (finding,) = dev.drift().of_type("finding")
    assert finding["undo"] == (
        f"aws sns set-topic-attributes --topic-arn {topic} --attribute-name LambdaSuccessFeedbackRoleArn "
        "--attribute-value '' --region us-east-2"
    )


def test_who_was_let_in_is_unknown_where_aws_does_not_tell_by_whatever_code(dev: World) -> None:
    grant(dev)
    fields = dev.drift().records[-1]["counts"]["fields"]
    for code in ("InvalidRequest", "NotFoundException"):
        trouble = refuse(("kms:ListGrants",), code)
        found = dev.meeting(trouble, "drift", "--env", "dev", "--json")
        assert found.code == 7
        (finding,) = found.of_type("finding")
        assert (finding["address"], finding["field"], finding["state"]) == (KEY, "grants", "UNKNOWN")
        assert code in finding["note"]
        counts = found.records[-1]["counts"]
        assert (counts["fields"], counts["compared"], counts["unknown"]) == (fields, fields - 1, 1)
    assert dev.meeting(trouble, "status", "--env", "dev").code == 7


def test_what_the_region_has_no_operation_for_is_said_not_to_be_compared(dev: World) -> None:
    whole = dev.drift().records[-1]

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "lambda:ListFunctionUrlConfigs":
            raise Refusal("AccessDeniedException", "Unable to determine service/operation name to be authorized")
        return proceed()

    told = "lambda-function: urls (this region has no lambda:ListFunctionUrlConfigs)"
    found = dev.meeting(trouble, "drift", "--env", "dev", "--json")
    last = found.records[-1]
    assert (found.code, last["not_compared"]) == (0, [*whole["not_compared"], told])
    fields = whole["counts"]["fields"] - 1
    counts = {"fields": fields, "compared": fields, "not_compared": whole["counts"]["not_compared"] + 1}
    assert last["counts"] == whole["counts"] | counts
    printed = " ".join(dev.meeting(trouble, "drift", "--env", "dev").out.split())
    assert "urls (this region has no lambda:ListFunctionUrlConfigs)" in printed
    (row,) = dev.meeting(trouble, "status", "--env", "dev", "--json").of_type("status")
    assert (row["health"], row["not_compared"]) == ("healthy", [told])
    live = dev.meeting(trouble, "parity", "--live", "--json")
    (difference,) = [one for one in live.of_type("difference") if one["what"].endswith(" urls")]
    assert (live.code, difference["verdict"]) == (0, "allowed")
    assert difference["values"] == {"dev": "this region has no lambda:ListFunctionUrlConfigs"}
