"""Where somebody was let in, whatever AWS leaves out of an answer: he is told all the same, or something is UNKNOWN."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tapctl.engine.drift import WHOLE_RESOURCE, Finding, FindingState
from tapctl.errors import AwsNoAnswer, ExitCode
from tests.failures.test_answers import DEFAULTS, EMPTY, NO_FIELD, answering
from tests.stories import test_drift_access, test_drift_settings
from tests.stories.test_drift_access import group_id, permission
from tests.stories.test_drift_exposures import STRANGER, grant
from tests.support.answered import BEFORE, Member, Recorded
from tests.support.door import Door
from tests.support.strides import sampled
from tests.support.world import World, new_world

FUNCTION = "payment-processor-dev"
NOTHING_BESIDE = {
    "lambda:GetFunction Configuration.DeadLetterConfig": "none",
    "lambda:GetFunction Configuration.DeadLetterConfig.TargetArn": "an empty structure is none",
    "lambda:GetFunction Configuration.Environment": "no variables",
    "lambda:ListFunctionEventInvokeConfigs FunctionEventInvokeConfigs[].DestinationConfig": "none",
    "lambda:ListFunctionEventInvokeConfigs FunctionEventInvokeConfigs[].DestinationConfig.OnSuccess": "none",
    "lambda:ListFunctionEventInvokeConfigs FunctionEventInvokeConfigs[].DestinationConfig.OnSuccess.Destination": (
        "an empty structure is none: so Lambda itself answers"
    ),
    "rds:DescribeDBClusters DBClusters[].GlobalClusterIdentifier": "none",
    "rds:DescribeDBClusters DBClusters[].LocalWriteForwardingStatus": "disabled",
    "secretsmanager:GetResourcePolicy ResourcePolicy": "none",
}
"""Members without which nothing is there, with what their absence means: nothing beside them tells otherwise."""
NO_DOOR = {
    *("rds:DescribeDBClusterParameters Parameters[].ParameterValue", "lambda:GetFunction Configuration.Description"),
}
"""Members that let nobody in: a parameter of the engine's own value, words."""


def cluster_of(world: World) -> Any:
    return world.client("rds").describe_db_clusters(DBClusterIdentifier="db-cluster-dev")["DBClusters"][0]


def open_database(world: World) -> None:
    rds, ec2, cluster = world.client("rds"), world.client("ec2"), cluster_of(world)
    own = cluster["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    vpc = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"][0]["VpcId"]
    theirs = ec2.create_security_group(GroupName="theirs", Description="x", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=theirs, IpPermissions=permission(5432, "0.0.0.0/0"))
    listed = ec2.create_managed_prefix_list(
        PrefixListName="p", MaxEntries=9, AddressFamily="IPv4", Entries=[{"Cidr": "0.0.0.0/0"}]
    )["PrefixList"]["PrefixListId"]
    peers = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "PrefixListIds": [{"PrefixListId": listed}]}]
    ec2.authorize_security_group_ingress(GroupId=own, IpPermissions=peers)
    rds.modify_db_cluster(
        DBClusterIdentifier="db-cluster-dev",
        VpcSecurityGroupIds=[own, theirs],
        EnableLocalWriteForwarding=True,
        Domain="d-1",
        DomainIAMRoleName="finder",
        ApplyImmediately=True,
    )


def copy_database(world: World) -> None:
    rds, cluster = world.client("rds"), cluster_of(world)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="db-cluster-dev", DBClusterSnapshotIdentifier="shared")
    rds.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="shared", AttributeName="restore", ValuesToAdd=["999999999999"]
    )
    rds.start_activity_stream(ResourceArn=cluster["DBClusterArn"], Mode="async", KmsKeyId=cluster["KmsKeyId"])
    rds.create_db_cluster_endpoint(
        DBClusterIdentifier="db-cluster-dev", DBClusterEndpointIdentifier="reports", EndpointType="ANY"
    )
    rds.create_global_cluster(GlobalClusterIdentifier="everywhere", SourceDBClusterIdentifier=cluster["DBClusterArn"])
    secrets, secret = world.client("secretsmanager"), cluster["MasterUserSecret"]["SecretArn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": "secretsmanager:*", "Resource": "*"}
    secrets.put_resource_policy(
        SecretId=secret, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    secrets.replicate_secret_to_regions(SecretId=secret, AddReplicaRegions=[{"Region": "eu-west-1"}])
    world.client("kms").create_alias(AliasName="alias/other", TargetKeyId=cluster["KmsKeyId"])


def open_function(world: World) -> None:
    function, iam, ec2 = world.client("lambda"), world.client("iam"), world.client("ec2")
    function.create_function_url_config(FunctionName=FUNCTION, AuthType="NONE")
    function.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="$LATEST")
    function.put_function_event_invoke_config(
        FunctionName=FUNCTION, DestinationConfig={"OnSuccess": {"Destination": "arn:aws:sqs:us-east-2:999999999999:x"}}
    )
    queue = world.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    iam.create_instance_profile(InstanceProfileName="bastion")
    iam.add_role_to_instance_profile(InstanceProfileName="bastion", RoleName="lambda-role-dev")
    arn = world.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="lambda-role-dev", PolicyName="queue", PolicyDocument=document)
    function.create_event_source_mapping(FunctionName=FUNCTION, EventSourceArn=arn["QueueArn"])
    network = function.get_function_configuration(FunctionName=FUNCTION)["VpcConfig"]
    ec2.create_network_interface(SubnetId=network["SubnetIds"][0], Groups=[group_id(world, "lambda-sg-dev")])
    logs, group = world.client("logs"), f"/aws/lambda/{FUNCTION}"
    target = f"arn:aws:lambda:us-east-2:123456789012:function:{FUNCTION}"
    logs.put_subscription_filter(logGroupName=group, filterName="f", filterPattern="", destinationArn=target)
    world.client("cloudwatch").put_alarm_mute_rule(
        Name="m",
        Rule={"Schedule": {"Expression": "cron(0 0 * * ? *)", "Duration": "PT1H"}},
        MuteTargets={"AlarmNames": ["payment-processor-errors-dev"]},
    )


@pytest.fixture(scope="module")
def tampered(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        world = new_world(door, tmp_path_factory.mktemp("world"), patch)
        world.deploy()
        for case in (*test_drift_access.CASES, *test_drift_settings.CASES):
            if case.name != "the key disabled":  # nothing else could be done any more
                case.tamper(world)
        grant(world)
        open_database(world)
        copy_database(world)
        open_function(world)
        yield world


@pytest.fixture(scope="module")
def recorded(tampered: World) -> Recorded:
    return Recorded.of(tampered, "dev")


def test_a_door_is_told_where_an_answer_leaves_out_its_word(tampered: World) -> None:
    def silence(answer: Any) -> None:
        for one in answer["DBClusters"]:
            one.pop("ActivityStreamStatus")

    with answering("rds:DescribeDBClusters", silence):
        found = tampered.drift()
    assert found.code == ExitCode.DIFFERENT
    assert "activity_stream" in {one["field"] for one in found.of_type("finding")}


def root(finding: Finding) -> str:
    return finding.field.partition(".")[0]


def lost(recorded: Recorded, member: Member, address: str) -> set[str]:
    """The places of which fewer findings are told without this member, where nothing of the resource tells why.

    A place is a field, and the name within it: what is missing now of a field makes up for nobody who was let in.
    """
    before = recorded.drift(address, recorded.drifts[address]).findings
    with recorded.tape.changed(member.operation, member.drop):
        try:
            now = recorded.drift(address, recorded.seen_by_drift(address)).findings
        except AwsNoAnswer:
            return set()
    unknown = {root(one) for one in now if one.state is FindingState.UNKNOWN}
    if any(one.field == WHOLE_RESOURCE for one in now):
        return set()
    left = Counter(one.field for one in now)
    places = Counter(one.field for one in before).items()
    return {place for place, count in places if left[place] < count and place.partition(".")[0] not in unknown}


def test_nobody_who_was_let_in_is_lost_with_a_member_that_the_model_does_not_require(recorded: Recorded) -> None:
    silent = {}
    members = [one for one in recorded.tape.members if one.kind not in EMPTY]
    excepted = NOTHING_BESIDE.keys() | NO_DOOR
    known = DEFAULTS.keys() | NO_FIELD | excepted
    # Each exception in every run: one that is none any more is told when it becomes so, and not by the next soak.
    for member in {*sampled(members, 12), *(one for one in members if str(one) in excepted)}:
        readers = [address for address in recorded.readers[member.operation] if address != BEFORE]
        fields = {f"{address}.{name}" for address in readers for name in lost(recorded, member, address)}
        if fields:
            silent[str(member)] = fields

    assert sum(len(recorded.drift(address, seen).findings) for address, seen in recorded.drifts.items()) > 60
    assert silent.keys() <= known, {name: silent[name] for name in silent.keys() - known}
    assert excepted <= silent.keys(), excepted - silent.keys()
