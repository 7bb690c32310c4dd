"""The calls of a command beside what belongs to others."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import pytest
from moto.backends import get_backend

from tests.support.remembering import forget
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


def furnish_at_once(world: World, count: int) -> None:
    """Let others have so many things of each kind, as ``furnish``, and functions and alarms: without a call each."""
    furnish(world, 1)

    def of(service: Any, region: str = "us-east-2") -> Any:
        return get_backend(service)["123456789012"][region]

    ec2, rds, functions, alarms = of("ec2"), of("rds"), of("lambda")._lambdas._functions, of("cloudwatch").alarms
    subnet = next(each for zone in ec2.subnets.values() for each in zone.values())
    function, alarm = next(iter(functions.values())), next(iter(alarms.values()))
    groups = (rds.subnet_groups, rds.db_parameter_groups, rds.db_cluster_parameter_groups)
    for number in range(1, count):
        name = f"theirs-{number}-dev"
        of("kms").create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "theirs", None)
        ec2.create_security_group(name, "theirs", subnet.vpc_id)
        ec2.create_network_interface(subnet, None, description=name)
        of("iam", "global").create_role(name, json.dumps({"Statement": [_TRUST]}), "/", None, "", [], None)
        of("logs").create_log_group(f"/aws/lambda/{name}", {})
        of("sns").create_topic(name)
        of("secretsmanager").create_secret(name, "x", None, None, None, None, None, [], force_overwrite=False)
        for kept in groups:
            kept[name] = _another(kept["theirs-0-dev"], name=name)
        mine: dict[str, Any] = {"function_name": name, "tags": {}, "kms_key_arn": None, "_vpc_config": None}
        functions[name] = {**function, "latest": _another(function["latest"], **mine)}
        alarms[name] = _another(alarm, name=name, alarm_arn=f"{alarm.alarm_arn}-{name}")
    forget()


def _another(thing: Any, **other: Any) -> Any:
    """Copy what stands in the embedded AWS, under another name."""
    made = copy.copy(thing)
    vars(made).update(other)
    return made


@pytest.mark.soak
def test_commands_beside_three_hundred_foreign_things_of_each_kind(world: World) -> None:
    world.deploy()
    plans = (
        *(["plan", "--env", "dev"], ["plan", "--env", "dev", "--suffix", "new"], ["plan", "--env", "dev", "--destroy"]),
        *(["apply", "--env", "dev", "--yes"], ["drift", "--env", "dev"], ["status", "--env", "dev"]),
    )
    before = [_calls(Counter(world.tapctl(*command).asked)) for command in plans]
    furnish_at_once(world, 300)
    after = [_calls(Counter(world.tapctl(*command).asked)) for command in plans]
    grown = [(each, was, now) for each, was, now in zip(plans, before, after, strict=True) if now > 1.3 * was]
    assert grown == []
    destroyed = Counter(world.tapctl("destroy", "--env", "dev", "--yes").asked)
    assert destroyed["sns:GetTopicAttributes"] < 310, "a topic alone tells its key: each once"
    assert _calls(destroyed) - destroyed["sns:GetTopicAttributes"] < 1.3 * 250


def _calls(asked: Counter[str]) -> int:
    """All calls but those for the tags of roles: IAM is in no index, and a destroy asks 200 of names like ours."""
    roles = asked["iam:ListRoleTags"]
    assert roles <= 201, "200 of others, and ours"
    return asked.total() - roles


@pytest.mark.soak
def test_a_plan_makes_no_more_calls_for_them(world: World) -> None:
    world.deploy()
    commands = (["plan", "--env", "dev"], ["plan", "--env", "dev", "--suffix", "new"], ["drift", "--env", "dev"])
    before = [Counter(world.tapctl(*command).asked) for command in commands]
    furnish(world, 3)
    assert [Counter(world.tapctl(*command).asked) for command in commands] == before
