"""The resources of dev in AWS, read with plain clients: function, role, alarms, tags, the order of creation."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tapctl.manifest.manifest import fingerprint, parse
from tapctl.reconcilers.kms_key import RECORD_TAG
from tests.support.world import World

ACCOUNT = "123456789012"
REGION = "us-east-2"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payment-processor-dev"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms-dev"
TAGS = {
    "Environment": "dev",
    "EnvironmentSuffix": "dev",
    "Service": "payments",
    "ManagedBy": "tapctl",
    "CostCenter": "payments",
}


@pytest.fixture(scope="module")
def made(shared: World) -> tuple[str, ...]:
    """The changing calls of the first apply."""
    return shared.deploy().changes


@pytest.fixture(scope="module")
def world(shared: World, made: tuple[str, ...]) -> World:
    return shared


@pytest.fixture(scope="module")
def function(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.client("lambda").get_function(FunctionName="payment-processor-dev")
    return found


def key_arn(world: World) -> str:
    return str(world.client("kms").describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["Arn"])


def as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_log_groups_come_before_their_writers(made: tuple[str, ...]) -> None:
    first = {one: made.index(one) for one in made[::-1]}
    last_group = len(made) - 1 - made[::-1].index("logs:CreateLogGroup")
    assert last_group < first["lambda:CreateFunction"]
    assert first["logs:CreateLogGroup"] < first["rds:CreateDBCluster"]


def test_the_record_holds_no_password(world: World) -> None:
    text = world.path().read_text()
    secret = world.client("rds").describe_db_clusters()["DBClusters"][0]["MasterUserSecret"]["SecretArn"]
    value = world.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert value not in text
    assert "assword" not in text


def test_the_role_has_one_inline_policy_and_no_other(world: World) -> None:
    iam = world.client("iam")
    assert iam.list_role_policies(RoleName="lambda-role-dev")["PolicyNames"] == ["lambda-policy-dev"]
    assert iam.list_attached_role_policies(RoleName="lambda-role-dev")["AttachedPolicies"] == []
    (trust,) = iam.get_role(RoleName="lambda-role-dev")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Effect"], as_list(trust["Principal"]["Service"])) == ("Allow", ["lambda.amazonaws.com"])
    assert as_list(trust["Action"]) == ["sts:AssumeRole"]


def test_the_policy_is_scoped_but_for_what_aws_cannot_scope(world: World) -> None:
    document = world.client("iam").get_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev")
    statements = document["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    everywhere = {action for one in allowed if "*" in as_list(one["Resource"]) for action in as_list(one["Action"])}
    assert {action.partition(":")[0] for action in everywhere} == {"ec2", "xray"}
    assert all("*" not in action for one in statements for action in as_list(one["Action"]))
    (denied,) = (one for one in statements if one["Effect"] == "Deny")
    assert set(as_list(denied["Action"])) == {one for one in everywhere if one.startswith("ec2:")}
    (condition,) = denied["Condition"].values()
    assert {name: as_list(value) for name, value in condition.items()} == {"lambda:SourceFunctionArn": [FUNCTION]}


def test_the_policy_names_this_cluster_secret_and_key(world: World) -> None:
    document = world.client("iam").get_role_policy(RoleName="lambda-role-dev", PolicyName="lambda-policy-dev")
    (cluster,) = world.client("rds").describe_db_clusters()["DBClusters"]
    scoped = {
        (action, resource)
        for one in document["PolicyDocument"]["Statement"]
        for action in as_list(one["Action"])
        for resource in as_list(one["Resource"])
        if resource != "*"
    }
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/payment-processor-dev:*"
    user = f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:{cluster['DbClusterResourceId']}/payments_app"
    assert scoped == {
        ("logs:CreateLogStream", group),
        ("logs:PutLogEvents", group),
        ("secretsmanager:GetSecretValue", cluster["MasterUserSecret"]["SecretArn"]),
        ("kms:Decrypt", key_arn(world)),
        ("rds-db:connect", user),
    }


def test_the_function_runs_the_image_by_its_digest(world: World, function: dict[str, Any]) -> None:
    (image,) = world.client("ecr").describe_images(repositoryName="payment-processor")["imageDetails"]
    repository = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/payment-processor"
    assert function["Configuration"]["PackageType"] == "Image"
    assert function["Code"]["ImageUri"] == f"{repository}@{image['imageDigest']}"
    recorded = world.manifest()["entries"]["lambda-function/payment-processor-dev"]["spec"]["image_uri"]
    assert recorded == f"{repository}@{image['imageDigest']}"


def test_the_functions_environment_is_exactly_five_variables_under_the_key(
    world: World, function: dict[str, Any]
) -> None:
    (cluster,) = world.client("rds").describe_db_clusters()["DBClusters"]
    configuration = function["Configuration"]
    assert configuration["Environment"]["Variables"] == {
        "ENVIRONMENT_NAME": "dev",
        "DB_ENDPOINT": cluster["Endpoint"],
        "DB_PORT": "5432",
        "DB_NAME": "payments",
        "DB_SECRET_ARN": cluster["MasterUserSecret"]["SecretArn"],
    }
    assert configuration["KMSKeyArn"] == key_arn(world)


def test_the_functions_settings(world: World, function: dict[str, Any]) -> None:
    configuration = function["Configuration"]
    assert (configuration["MemorySize"], configuration["Timeout"]) == (1024, 30)
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 10
    assert configuration["TracingConfig"]["Mode"] == "Active"
    assert configuration["Role"] == f"arn:aws:iam::{ACCOUNT}:role/lambda-role-dev"
    (stack,) = world.client("cloudformation").describe_stacks(StackName="networking-dev")["Stacks"]
    (subnets,) = (one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "PrivateSubnetIds")
    assert set(configuration["VpcConfig"]["SubnetIds"]) == set(subnets.split(","))
    filters = [{"Name": "group-name", "Values": ["lambda-sg-dev"]}]
    (group,) = world.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    assert configuration["VpcConfig"]["SecurityGroupIds"] == [group["GroupId"]]
    client = world.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName="payment-processor-dev")


def test_the_topic_is_encrypted_and_only_our_alarms_and_events_publish(world: World) -> None:
    attributes = world.client("sns").get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    assert attributes["KmsMasterKeyId"] == key_arn(world)
    statements = json.loads(attributes["Policy"])["Statement"]
    services = [as_list(statement["Principal"]["Service"]) for statement in statements]
    assert sorted(services) == [["cloudwatch.amazonaws.com"], ["events.rds.amazonaws.com"]]
    for statement in statements:
        assert as_list(statement["Action"]) == ["sns:Publish"]
        assert as_list(statement["Resource"]) == [TOPIC]
        assert as_list(statement["Condition"]["StringEquals"]["aws:SourceAccount"]) == [ACCOUNT]
        assert "aws:SourceArn" in statement["Condition"]["ArnLike"]


@pytest.mark.parametrize(
    ("name", "type_", "source", "least"),
    [
        ("db-cluster-events-dev", "db-cluster", "db-cluster-dev", {"maintenance", "failure"}),
        (
            "db-instance-events-dev",
            "db-instance",
            "db-cluster-dev-0",
            {"maintenance", "configuration change", "failure"},
        ),
        (
            "db-parameter-group-events-dev",
            "db-parameter-group",
            "db-instance-params-pg16-dev",
            {"configuration change"},
        ),
    ],
)
def test_events_of_our_own_database_are_published(
    world: World, name: str, type_: str, source: str, least: set[str]
) -> None:
    """The subscription hears what AWS Foundational Security Best Practices RDS.19 to .21 want, of no other source."""
    rds = world.client("rds")
    (found,) = rds.describe_event_subscriptions(SubscriptionName=name)["EventSubscriptionsList"]
    assert (found["SnsTopicArn"], found["SourceType"], found["SourceIdsList"]) == (TOPIC, type_, [source])
    assert {*found["EventCategoriesList"]} >= least
    assert (found["Enabled"], found["Status"]) == (True, "active")


@pytest.mark.parametrize(
    ("alarm", "metric", "threshold", "of"),
    [
        ("payment-processor-errors-dev", ("Errors", "Sum"), 10, "payment-processor-dev"),
        ("payment-processor-duration-dev", ("Duration", "p95"), 5000, "payment-processor-dev"),
        ("payment-processor-throttles-dev", ("Throttles", "Sum"), 1, "payment-processor-dev"),
        ("db-cpu-0-dev", ("CPUUtilization", "Average"), 80, "db-cluster-dev-0"),
        ("db-connections-0-dev", ("DatabaseConnections", "Average"), 320, "db-cluster-dev-0"),
    ],
)
def test_the_alarms(world: World, alarm: str, metric: tuple[str, str], threshold: float, of: str) -> None:
    (found,) = world.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert (found["MetricName"], found.get("Statistic") or found.get("ExtendedStatistic")) == metric
    assert found["Threshold"] == threshold
    assert [one["Value"] for one in found["Dimensions"]] == [of]
    assert (found["AlarmActions"], found["OKActions"], found["ActionsEnabled"]) == ([TOPIC], [TOPIC], True)
    assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    # An instance that is gone reports nothing, and one alarm rings. A function that nobody calls reports nothing too.
    silent = {"CPUUtilization": "breaching", "DatabaseConnections": "missing"}.get(metric[0], "notBreaching")
    assert found["TreatMissingData"] == silent


def test_there_is_no_other_alarm(world: World) -> None:
    assert len(world.client("cloudwatch").describe_alarms()["MetricAlarms"]) == 5


def pairs(tags: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {one[key]: one[value] for one in tags}


def tagged(world: World) -> dict[str, dict[str, str]]:
    """The tags of all that can carry them, by name, as each service tells them."""
    rds, logs, kms = world.client("rds"), world.client("logs"), world.client("kms")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    (instance,) = rds.describe_db_instances()["DBInstances"]
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}"
    groups = world.client("ec2").describe_security_groups(Filters=[{"Name": "tag-key", "Values": ["ManagedBy"]}])
    key = kms.describe_key(KeyId="alias/db-key-dev")["KeyMetadata"]["KeyId"]
    secret = world.client("secretsmanager").describe_secret(SecretId=cluster["MasterUserSecret"]["SecretArn"])
    alarms = world.client("cloudwatch")
    found = {
        "alias/db-key-dev": pairs(kms.list_resource_tags(KeyId=key)["Tags"], "TagKey", "TagValue"),
        "db-cluster-dev": pairs(cluster["TagList"]),
        "the secret": pairs(secret["Tags"]),
        "db-cluster-dev-0": pairs(instance["TagList"]),
        "lambda-role-dev": pairs(world.client("iam").get_role(RoleName="lambda-role-dev")["Role"]["Tags"]),
        "payment-processor-dev": world.client("lambda").list_tags(Resource=FUNCTION)["Tags"],
        "alarms-dev": pairs(world.client("sns").list_tags_for_resource(ResourceArn=TOPIC)["Tags"]),
    }
    found |= {one["GroupName"]: pairs(one["Tags"]) for one in groups["SecurityGroups"]}
    subscriptions = [one["CustSubscriptionId"] for one in rds.describe_event_subscriptions()["EventSubscriptionsList"]]
    for name in (
        *("subgrp:db-subnet-dev", "cluster-pg:db-cluster-params-pg16-dev", "pg:db-instance-params-pg16-dev"),
        *(f"es:{name}" for name in subscriptions),
    ):
        told = rds.list_tags_for_resource(ResourceName=f"{arn}:{name}")["TagList"]
        found[name.partition(":")[2]] = pairs(told)
    for one in logs.describe_log_groups()["logGroups"]:
        told = logs.list_tags_for_resource(resourceArn=one["arn"].removesuffix(":*"))["tags"]
        found[one["logGroupName"]] = told
    for one in alarms.describe_alarms()["MetricAlarms"]:
        found[one["AlarmName"]] = pairs(alarms.list_tags_for_resource(ResourceARN=one["AlarmArn"])["Tags"])
    return found


def test_all_that_can_carry_tags_does(world: World) -> None:
    found = tagged(world)
    # The secret is tagged by its cluster.
    assert len(found) == sum(world.wanted().values()) + 1
    for name, tags in found.items():
        own = {key: value for key, value in tags.items() if not re.match("(aws|tapctl):", key)}
        # RDS names the secret; it bears the name of the cluster whose it is.
        assert own == {**TAGS, "Name": "db-cluster-dev" if name == "the secret" else name}, name


def test_tapctls_own_tags_hold_what_a_destroy_needs_without_the_files(world: World) -> None:
    own = {
        (name, key, value)
        for name, tags in tagged(world).items()
        for key, value in tags.items()
        if key.startswith("tapctl:")
    }
    of_record = ("alias/db-key-dev", RECORD_TAG, fingerprint(parse(world.path().read_bytes(), "here")))
    # The secret's tags are those RDS copied from its cluster, or ours: never another promise.
    assert {one for one in own if one[0] != "the secret"} == {
        of_record,
        ("alias/db-key-dev", "tapctl:deletion-window-days", "7"),
        ("db-cluster-dev", "tapctl:final-snapshot", "false"),
        ("lambda-role-dev", "tapctl:region", "us-east-2"),
    }
