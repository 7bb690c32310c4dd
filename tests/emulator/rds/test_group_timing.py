"""Groups show late, are held by what is gone, and their values are in force only by and by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Clock, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import ParameterTypeDef

FAMILY = "aurora-postgresql16"
DYNAMIC: ParameterTypeDef = {
    "ParameterName": "pg_stat_statements.track",
    "ParameterValue": "ALL",
    "ApplyMethod": "immediate",
}
STATIC: ParameterTypeDef = {"ParameterName": "max_connections", "ParameterValue": "99", "ApplyMethod": "pending-reboot"}


@dataclass(frozen=True)
class Group:
    """A kind of group named ``g``, and how it is handled."""

    make: Callable[[Aws, Network], object]
    look: Callable[[Aws], object]
    all: Callable[[Aws], list[str]]
    remove: Callable[[Aws], object]
    arn: str
    missing: str


GROUPS = {
    "subnets": Group(
        lambda aws, network: aws.rds.create_db_subnet_group(
            DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=list(network.subnet_ids)
        ),
        lambda aws: aws.rds.describe_db_subnet_groups(DBSubnetGroupName="g"),
        lambda aws: [group["DBSubnetGroupName"] for group in aws.rds.describe_db_subnet_groups()["DBSubnetGroups"]],
        lambda aws: aws.rds.delete_db_subnet_group(DBSubnetGroupName="g"),
        "arn:aws:rds:us-east-1:123456789012:subgrp:g",
        "DBSubnetGroupNotFoundFault",
    ),
    "of clusters": Group(
        lambda aws, _: aws.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="g", DBParameterGroupFamily=FAMILY, Description="d"
        ),
        lambda aws: aws.rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="g"),
        lambda aws: [
            group["DBClusterParameterGroupName"]
            for group in aws.rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
        ],
        lambda aws: aws.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName="g"),
        "arn:aws:rds:us-east-1:123456789012:cluster-pg:g",
        "DBParameterGroupNotFound",
    ),
    "of instances": Group(
        lambda aws, _: aws.rds.create_db_parameter_group(
            DBParameterGroupName="g", DBParameterGroupFamily=FAMILY, Description="d"
        ),
        lambda aws: aws.rds.describe_db_parameter_groups(DBParameterGroupName="g"),
        lambda aws: [
            group["DBParameterGroupName"] for group in aws.rds.describe_db_parameter_groups()["DBParameterGroups"]
        ],
        lambda aws: aws.rds.delete_db_parameter_group(DBParameterGroupName="g"),
        "arn:aws:rds:us-east-1:123456789012:pg:g",
        "DBParameterGroupNotFound",
    ),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_what_was_just_made_is_not_found_and_what_is_gone_still_shows(
    aws: Aws, network: Network, clock: Clock, refused: Refused, kind: str
) -> None:
    group = GROUPS[kind]
    clock.start()
    group.make(aws, network)
    with refused(group.missing):
        group.look(aws)
    with refused(group.missing):
        group.remove(aws)
    with refused(group.missing):
        aws.rds.list_tags_for_resource(ResourceName=group.arn)
    assert group.all(aws) == []
    clock.advance(2)
    assert group.all(aws) == ["g"]
    aws.rds.list_tags_for_resource(ResourceName=group.arn)
    clock.advance(2)
    group.remove(aws)
    assert group.all(aws) == ["g"]
    with refused(group.missing):
        group.remove(aws)
    clock.advance(3)
    with refused(group.missing):
        group.look(aws)


@pytest.fixture
def cluster(make_cluster: Build) -> str:
    """A cluster without members."""
    make_cluster()
    return "c"


@pytest.fixture
def groups(aws: Aws, network: Network, cluster: str, clock: Clock) -> str:
    """Make groups of all three kinds, beside a cluster that was there before."""
    clock.start()
    for group in GROUPS.values():
        group.make(aws, network)
    return "g"


@pytest.mark.usefixtures("groups")
def test_a_new_group_is_not_known_to_its_users(
    make_cluster: Build, make_instance: Build, clock: Clock, refused: Refused
) -> None:
    with refused("DBSubnetGroupNotFoundFault"):
        make_cluster("d", DBSubnetGroupName="g")
    with refused("DBClusterParameterGroupNotFound"):
        make_cluster("d", DBClusterParameterGroupName="g")
    with refused("DBParameterGroupNotFound"):
        make_instance(DBParameterGroupName="g")
    clock.advance(4)
    make_cluster("d", DBSubnetGroupName="g", DBClusterParameterGroupName="g")
    make_instance(DBParameterGroupName="g")


@pytest.fixture
def member(aws: Aws, network: Network, make_cluster: Build, make_instance: Build, clock: Clock) -> str:
    """An instance of a cluster, both with a group of their own; there before time began."""
    for group in GROUPS.values():
        group.make(aws, network)
    make_cluster(DBSubnetGroupName="g", DBClusterParameterGroupName="g")
    make_instance(DBParameterGroupName="g")
    clock.start()
    return "i"


@pytest.mark.usefixtures("member")
def test_a_group_is_held_for_a_minute_by_what_is_gone(aws: Aws, clock: Clock, refused: Refused) -> None:
    aws.rds.delete_db_instance(DBInstanceIdentifier="i")
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clock.advance(240)
    assert aws.rds.describe_db_instances()["DBInstances"] == []
    with refused("InvalidDBParameterGroupState"):
        GROUPS["of instances"].remove(aws)
    clock.advance(60)
    GROUPS["of instances"].remove(aws)
    with refused("InvalidDBSubnetGroupStateFault", "cluster: c"):
        GROUPS["subnets"].remove(aws)
    clock.advance(60)
    assert aws.rds.describe_db_clusters()["DBClusters"] == []
    for kind, code in (("subnets", "InvalidDBSubnetGroupStateFault"), ("of clusters", "InvalidDBParameterGroupState")):
        with refused(code):
            GROUPS[kind].remove(aws)
    clock.advance(60)
    for kind in ("subnets", "of clusters"):
        GROUPS[kind].remove(aws)


# -- parameters ------------------------------------------------------------------------------------------------------


def states(aws: Aws) -> tuple[str, str]:
    """Read how far the instance's own group is in force in it, and its cluster's."""
    (cluster,) = aws.rds.describe_db_clusters()["DBClusters"]
    (instance,) = aws.rds.describe_db_instances()["DBInstances"]
    own = instance["DBParameterGroups"][0]["ParameterApplyStatus"]
    return own, cluster["DBClusterMembers"][0]["DBClusterParameterGroupStatus"]


def values(aws: Aws) -> dict[str, str]:
    told = aws.rds.describe_db_parameters(DBParameterGroupName="g", Source="user")["Parameters"]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in told}


def test_values_show_late_and_are_applied_by_and_by(aws: Aws, member: str, clock: Clock) -> None:
    aws.rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=[DYNAMIC])
    assert (values(aws), states(aws)) == ({}, ("applying", "in-sync"))
    clock.advance(3)
    assert values(aws) == {"pg_stat_statements.track": "ALL"}
    clock.advance(16)
    assert states(aws) == ("applying", "in-sync")
    clock.advance(1)
    assert states(aws) == ("in-sync", "in-sync")
    aws.rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=[DYNAMIC])
    assert (values(aws), states(aws)) == ({"pg_stat_statements.track": "ALL"}, ("in-sync", "in-sync"))


def test_a_group_that_was_just_changed_is_not_reset(aws: Aws, member: str, clock: Clock, refused: Refused) -> None:
    def reset() -> None:
        aws.rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName="g", ResetAllParameters=True)

    aws.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="g", Parameters=[DYNAMIC])
    with refused("InvalidDBParameterGroupState", "pending changes"):
        reset()
    clock.advance(10)
    reset()


def test_static_values_wait_until_the_reboot_is_over(aws: Aws, member: str, clock: Clock) -> None:
    aws.rds.modify_db_parameter_group(DBParameterGroupName="g", Parameters=[STATIC])
    aws.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="g", Parameters=[STATIC])
    assert states(aws) == ("applying", "applying")
    clock.advance(20)
    assert states(aws) == ("pending-reboot", "pending-reboot")
    aws.rds.reboot_db_instance(DBInstanceIdentifier="i")
    clock.advance(64)
    assert states(aws) == ("pending-reboot", "pending-reboot")
    clock.advance(1)
    assert states(aws) == ("in-sync", "in-sync")


def test_another_group_is_applied_and_then_waits_for_a_reboot(aws: Aws, member: str, clock: Clock) -> None:
    aws.rds.create_db_parameter_group(DBParameterGroupName="h", DBParameterGroupFamily=FAMILY, Description="d")
    aws.rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="h", DBParameterGroupFamily=FAMILY, Description="d"
    )
    clock.advance(4)
    aws.rds.modify_db_instance(DBInstanceIdentifier="i", DBParameterGroupName="h", ApplyImmediately=True)
    assert states(aws) == ("in-sync", "in-sync")
    clock.advance(5)
    assert states(aws) == ("applying", "in-sync")
    clock.advance(30)
    assert states(aws) == ("pending-reboot", "in-sync")
    aws.rds.modify_db_cluster(DBClusterIdentifier="c", DBClusterParameterGroupName="h", ApplyImmediately=True)
    assert states(aws) == ("pending-reboot", "applying")
    clock.advance(65)
    assert states(aws) == ("pending-reboot", "pending-reboot")


def test_a_major_upgrade_moves_the_members_and_restarts_them(
    aws: Aws, member: str, clock: Clock, refused: Refused
) -> None:
    def upgrade(version: str, group: str) -> None:
        aws.rds.modify_db_cluster(
            DBClusterIdentifier="c",
            EngineVersion=version,
            AllowMajorVersionUpgrade=True,
            DBClusterParameterGroupName="default.aurora-postgresql17" if version.startswith("17") else "g",
            DBInstanceParameterGroupName=group,
            ApplyImmediately=True,
        )

    aws.rds.create_db_parameter_group(
        DBParameterGroupName="h", DBParameterGroupFamily="aurora-postgresql17", Description="d"
    )
    clock.advance(4)
    with refused("InvalidParameterCombination", "only be specified for a major"):
        upgrade("16.15", "h")
    with refused("InvalidParameterCombination", "cannot be used"):
        upgrade("17.11", "g")
    with refused("DBParameterGroupNotFound"):
        upgrade("17.11", "none")
    upgrade("17.11", "h")
    clock.advance(2405)
    (instance,) = aws.rds.describe_db_instances()["DBInstances"]
    assert instance["DBParameterGroups"][0]["DBParameterGroupName"] == "h"
    assert states(aws) == ("in-sync", "in-sync")
