"""The calls of a command beside what belongs to others."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.support.world import World

_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def furnish(world: World, count: int) -> None:
    """Let others have so many things of each kind, with names that end as ours do."""
    ec2, rds = world.client("ec2"), world.client("rds")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    known = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    subnets = [subnet["SubnetId"] for subnet in known]
    tags = [{"Key": "ManagedBy", "Value": "terraform"}]
    group: dict[str, Any] = {"DBParameterGroupFamily": "aurora-postgresql16", "Description": "d", "Tags": tags}
    for number in range(count):
        name = f"theirs-{number}-dev"
        world.client("kms").create_key()
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)
        ec2.create_network_interface(SubnetId=subnets[0], Description=name)
        rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=subnets, Tags=tags)
        rds.create_db_parameter_group(DBParameterGroupName=name, **group)
        rds.create_db_cluster_parameter_group(DBClusterParameterGroupName=name, **group)
        world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [_TRUST]}))
        world.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
        world.client("sns").create_topic(Name=name)
        world.client("secretsmanager").create_secret(Name=name, SecretString="x")


def test_a_plan_makes_no_more_calls_for_them(world: World) -> None:
    world.deploy()
    commands = (["plan", "--env", "dev"], ["plan", "--env", "dev", "--suffix", "new"], ["drift", "--env", "dev"])
    before = [Counter(world.tapctl(*command).asked) for command in commands]
    furnish(world, 3)
    assert [Counter(world.tapctl(*command).asked) for command in commands] == before
