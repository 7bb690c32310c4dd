"""A thing of our name that is somebody else's: refused before anything is made, and left as it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.failures.trouble import deny
from tests.support.strides import strided
from tests.support.world import World

_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
Stranger = Callable[[World], object]


def network(world: World) -> tuple[str, list[str]]:
    """The VPC of the networking stack, and its subnets."""
    (stack,) = world.client("cloudformation").describe_stacks(StackName="networking-dev")["Stacks"]
    told = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return told["VpcId"], told["PrivateSubnetIds"].split(",")


def _key(world: World) -> object:
    key = world.client("kms").create_key()["KeyMetadata"]["KeyId"]
    return world.client("kms").create_alias(AliasName="alias/db-key-dev", TargetKeyId=key)


def _group(name: str) -> Stranger:
    return lambda world: world.client("ec2").create_security_group(
        GroupName=name, Description="theirs", VpcId=network(world)[0]
    )


def _role(world: World) -> object:
    return world.client("iam").create_role(RoleName="lambda-role-dev", AssumeRolePolicyDocument=_TRUST)


def _function(world: World) -> object:
    role = world.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    world.client("iam").put_role_policy(RoleName="theirs", PolicyName="all", PolicyDocument=policy)
    image = "123456789012.dkr.ecr.us-east-2.amazonaws.com/payment-processor:1.0.0"
    return world.client("lambda").create_function(
        FunctionName="payment-processor-dev", Role=role, PackageType="Image", Code={"ImageUri": image}
    )


def _subnet_group(world: World) -> object:
    return world.client("rds").create_db_subnet_group(
        DBSubnetGroupName="db-subnet-dev", DBSubnetGroupDescription="theirs", SubnetIds=network(world)[1]
    )


def _instance(world: World) -> object:
    _cluster(world, "theirs")
    return world.client("rds").create_db_instance(
        DBInstanceIdentifier="db-cluster-dev-0",
        DBClusterIdentifier="theirs",
        Engine="aurora-postgresql",
        DBInstanceClass="db.t4g.medium",
    )


def _cluster(world: World, name: str = "db-cluster-dev") -> object:
    world.client("rds").create_db_subnet_group(
        DBSubnetGroupName="theirs", DBSubnetGroupDescription="theirs", SubnetIds=network(world)[1]
    )
    return world.client("rds").create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        EngineVersion="16.13",
        MasterUsername="theirs",
        MasterUserPassword="not-a-secret",
        DBSubnetGroupName="theirs",
    )


def _alarm(world: World) -> object:
    return world.client("cloudwatch").put_metric_alarm(
        AlarmName="payment-processor-errors-dev",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


STRANGERS: dict[str, Stranger] = {
    "kms-key/alias/db-key-dev": _key,
    "security-group/lambda-sg-dev": _group("lambda-sg-dev"),
    "security-group/db-sg-dev": _group("db-sg-dev"),
    "db-subnet-group/db-subnet-dev": _subnet_group,
    "db-cluster-parameter-group/db-cluster-params-pg16-dev": lambda world: world.client(
        "rds"
    ).create_db_cluster_parameter_group(
        DBClusterParameterGroupName="db-cluster-params-pg16-dev",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="theirs",
    ),
    "db-parameter-group/db-instance-params-pg16-dev": lambda world: world.client("rds").create_db_parameter_group(
        DBParameterGroupName="db-instance-params-pg16-dev",
        DBParameterGroupFamily="aurora-postgresql16",
        Description="theirs",
    ),
    "db-cluster/db-cluster-dev": _cluster,
    "db-instance/db-cluster-dev-0": _instance,
    "iam-role/lambda-role-dev": _role,
    "lambda-function/payment-processor-dev": _function,
    "log-group//aws/lambda/payment-processor-dev": lambda world: world.client("logs").create_log_group(
        logGroupName="/aws/lambda/payment-processor-dev",
        tags={"ManagedBy": "terraform", "EnvironmentSuffix": "dev"},
    ),
    "sns-topic/alarms-dev": lambda world: world.client("sns").create_topic(Name="alarms-dev"),
    "cloudwatch-alarm/payment-processor-errors-dev": _alarm,
}


@pytest.mark.parametrize("here", strided(tuple(STRANGERS), len(STRANGERS), 5))
def test_a_foreign_resource_of_our_name(world: World, here: str) -> None:
    STRANGERS[here](world)
    for command in (("plan",), ("apply", "--yes")):
        answer = world.tapctl(*command, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), answer.err
        for told in ("error refused", f"{here} exists and is not ours; it was left untouched", "--suffix", "hint"):
            assert told in answer.err
        assert "BLOCKED" in answer.verdict
        # What stands on it is blocked with it: nothing of it is told as done or as left.
        (counts,) = (one["counts"] for one in world.tapctl(*command, "--env", "dev", "--json").of_type("verdict"))
        assert (counts["create"] + counts["blocked"], counts["change"], counts["unchanged"]) == (
            len(world.stack()),
            0,
            0,
        )
    # What is not ours is not ours to remove either; that it is there is told.
    for command in (("plan", "--destroy"), ("destroy", "--yes")):
        gone = world.tapctl(*command, "--env", "dev")
        assert (gone.code, gone.changes) == (0, ()), gone.err
        warned = [line for line in gone.err.splitlines() if "bears a name of dev" in line]
        (line,) = [one for one in warned if f"{here} " in one]
        assert "and is not ours: it is left (its tags say: " in line
        assert f" · {len(warned)} of its names not ours" in gone.verdict


def test_what_bears_our_suffix_and_environment_is_not_told_as_nothing_of_ours(world: World) -> None:
    """Automation overwrites ManagedBy on everything, and the record is lost: all of the copy is there still."""
    tags = {"ManagedBy": "platform", "EnvironmentSuffix": "dev", "Environment": "dev"}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    topic = world.client("sns").create_topic(Name="alarms-dev", Tags=pairs)["TopicArn"]
    for command in (("destroy", "--yes"), ("plan", "--destroy")):
        answer = world.tapctl(*command, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), answer.err
        said = " ".join(answer.err.split())
        assert "a resource bears a name of dev and its tags EnvironmentSuffix and Environment, and another" in said
        assert "sns-topic/alarms-dev: its tags say: ManagedBy=platform" in said
        assert "nothing else of ours is left" not in answer.verdict
    world.client("sns").tag_resource(ResourceArn=topic, Tags=[{"Key": "Environment", "Value": "theirs"}])
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (0, ()), answer.err
    assert " · 1 of its names not ours · nothing else of ours is left" in answer.verdict


@pytest.mark.soak
@pytest.mark.parametrize(("managed_by", "suffix"), [("tapctl", "prod"), ("terraform", "dev"), ("", "dev")])
def test_another_owner_s_tags(world: World, managed_by: str, suffix: str) -> None:
    """Another environment's, another tool's: with half of our tags it is still not ours."""
    tags = {"ManagedBy": managed_by, "EnvironmentSuffix": suffix}
    world.client("sns").create_topic(
        Name="alarms-dev", Tags=[{"Key": key, "Value": value} for key, value in tags.items() if value]
    )
    answer = world.tapctl("apply", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert f"EnvironmentSuffix={suffix}" in answer.err


def test_what_was_ours_and_is_another_s_now_is_not_destroyed(world: World) -> None:
    """Removed and made again by somebody under the same name: the record does not make it ours."""
    world.deploy()
    (topic,) = [one["TopicArn"] for one in world.client("sns").list_topics()["Topics"]]
    world.client("sns").tag_resource(
        ResourceArn=topic, Tags=[{"Key": "ManagedBy", "Value": "terraform"}, {"Key": "EnvironmentSuffix", "Value": "x"}]
    )
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (6, ())
    assert "sns-topic/alarms-dev exists and is not ours; it was left untouched" in answer.err
    # Whatever bears the name has the recorded ARN: of a topic, the tags alone tell whose it is.
    world.client("sns").delete_topic(TopicArn=topic)
    world.client("sns").create_topic(Name="alarms-dev", Tags=[{"Key": "Owner", "Value": "platform"}])
    for command in (("destroy", "--yes"), ("plan",)):
        answer = world.tapctl(*command, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), command
        assert "its tags say: no owner tags, Owner=platform" in answer.err
    assert "where it is ours all the same:\n        tapctl apply --env dev --adopt sns-topic/alarms-dev" in (
        world.tapctl("drift", "--env", "dev").out
    )


@pytest.mark.soak
def test_a_log_group_that_somebody_has_tagged_is_theirs(world: World) -> None:
    """AWS makes log groups of our names by itself, and gives them no tags."""
    group = "/aws/lambda/payment-processor-dev"
    world.client("logs").create_log_group(logGroupName=group, tags={"Owner": "bob"})
    refused = world.tapctl("apply", "--env", "dev", "--yes")
    assert (refused.code, refused.changes) == (6, ())
    assert f"log-group/{group} exists and is not ours" in refused.err
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes) == (0, ())
    assert "nothing to remove" in gone.out
    adopted = world.tapctl("apply", "--env", "dev", "--yes", "--adopt", f"log-group/{group}")
    assert (adopted.code, world.drift().code) == (0, 0)


def test_what_may_be_somebody_else_s_is_left_untouched(world: World) -> None:
    """AWS makes log groups of our names by itself; whose this one is, its tags would tell."""
    group = "/aws/lambda/payment-processor-dev"
    world.client("logs").create_log_group(logGroupName=group, tags={"ManagedBy": "terraform"})
    for command in (("plan",), ("apply", "--yes"), ("destroy", "--yes"), ("plan", "--destroy")):
        answer = world.meeting(deny("logs:ListTagsForResource"), *command, "--env", "dev")
        assert (answer.code, answer.changes) == (6, ()), command
        assert f"log-group/{group} exists, and whose it is could not be read; it was left untouched" in answer.err
        assert "allow logs:ListTagsForResource" in answer.err


def test_a_group_of_our_name_in_another_vpc_is_no_name_of_ours(world: World) -> None:
    """EC2's names are unique in one VPC alone; where nobody can tell which one the files name, it is told."""
    ec2, told = world.client("ec2"), "security-group/db-sg-dev bears a name of dev, and is not ours"
    vpc = ec2.create_vpc(CidrBlock="10.88.0.0/16")["Vpc"]["VpcId"]
    ec2.create_security_group(GroupName="db-sg-dev", Description="theirs", VpcId=vpc)
    for command in (("plan", "--destroy"), ("destroy", "--yes")):
        gone = world.tapctl(*command, "--env", "dev")
        assert (gone.code, "is not ours" in gone.err, "not ours" in gone.verdict) == (0, False, False), gone.err
    unread = world.meeting(deny("cloudformation:DescribeStacks"), "destroy", "--env", "dev", "--yes")
    assert (unread.code, unread.changes, told in unread.err) == (0, (), True), unread.err


def test_the_log_group_of_somebody_else_s_function_is_not_told_beside_that(world: World) -> None:
    _function(world)
    world.client("logs").create_log_group(logGroupName="/aws/lambda/payment-processor-dev", tags={"Owner": "bob"})
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, gone.changes, "log-group/" in gone.err) == (0, (), False), gone.err
    assert "lambda-function/payment-processor-dev bears a name of dev, and is not ours" in gone.err
    assert gone.verdict.endswith(" · 1 of its names not ours · nothing else of ours is left")


def test_a_destroy_of_ours_tells_what_was_never_ours_beside_it(world: World) -> None:
    """An alarm topic that was somebody else's before: the apply was refused, and the record does not hold it."""
    world.deploy()
    record = world.manifest()
    del record["entries"]["sns-topic/alarms-dev"]
    world.leave(record)
    topic = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    theirs = [{"Key": "ManagedBy", "Value": "terraform"}, {"Key": "Environment", "Value": "theirs"}]
    world.client("sns").tag_resource(ResourceArn=topic, Tags=theirs)
    told = "sns-topic/alarms-dev bears a name of dev, and is not ours: it is left (its tags say: ManagedBy=terraform"
    planned = world.tapctl("plan", "--destroy", "--env", "dev")
    assert (planned.code, told in planned.err) == (0, True), planned.err
    assert planned.verdict.endswith(" · 1 of its names not ours")
    gone = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (gone.code, told in gone.err, " · 1 of its names not ours" in gone.verdict) == (0, True, True), gone.err
    assert world.client("sns").list_topics()["Topics"] == [{"TopicArn": topic}]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["sns:ListTagsForResource", "cloudwatch:ListTagsForResource"])
def test_without_a_record_nothing_goes_where_tags_cannot_be_read(world: World, name: str) -> None:
    """The search finds it by its tags, and the look at it does not show them: nobody may call it gone, or theirs."""
    world.deploy()
    world.path().unlink()
    for command in (("plan", "--destroy"), ("destroy", "--yes")):
        answer = world.meeting(deny(name), *command, "--env", "dev")
        assert (answer.code, answer.changes, "BLOCKED" in answer.verdict) == (6, (), True), answer.err
        assert "exists, and whose it is could not be read; it was left untouched" in answer.err
        assert f"allow {name}" in answer.err
