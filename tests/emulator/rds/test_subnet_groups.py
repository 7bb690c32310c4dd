from __future__ import annotations

import pytest

from tapctl.aws.client import Aws
from tapctl.sandbox.emulator.simulation import Simulation
from tests.conftest import Network
from tests.emulator.conftest import OF_AWS, Build, Refused


def make(aws: Aws, subnets: tuple[str, ...], name: str = "Group") -> None:
    aws.rds.create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=subnets, Tags=[{"Key": "a", "Value": "1"}]
    )


@pytest.fixture
def elsewhere(aws: Aws) -> tuple[str, ...]:
    vpc = aws.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    return tuple(
        aws.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{at}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate("ab")
    )


def test_a_group_is_changed_in_place(aws: Aws, network: Network) -> None:
    make(aws, network.subnet_ids)
    changed = aws.rds.modify_db_subnet_group(
        DBSubnetGroupName="GROUP", DBSubnetGroupDescription="e", SubnetIds=network.subnet_ids[:2]
    )["DBSubnetGroup"]
    (group,) = aws.rds.describe_db_subnet_groups(DBSubnetGroupName="group")["DBSubnetGroups"]
    assert group == changed
    assert (group["DBSubnetGroupName"], group["DBSubnetGroupDescription"]) == ("group", "e")
    assert {subnet["SubnetIdentifier"] for subnet in group["Subnets"]} == set(network.subnet_ids[:2])
    aws.rds.modify_db_subnet_group(DBSubnetGroupName="group", SubnetIds=network.subnet_ids)
    (group,) = aws.rds.describe_db_subnet_groups()["DBSubnetGroups"]
    assert (group["DBSubnetGroupDescription"], len(group["Subnets"])) == ("e", 3)


def test_tags_added_later_come_back(aws: Aws, network: Network) -> None:
    make(aws, network.subnet_ids)
    arn = aws.rds.describe_db_subnet_groups()["DBSubnetGroups"][0]["DBSubnetGroupArn"]
    aws.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
    tags = {tag["Key"]: tag["Value"] for tag in aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"]}
    assert tags == {"a": "1", "b": "2", OF_AWS["Key"]: OF_AWS["Value"]}


def test_bad_groups_are_refused(aws: Aws, network: Network, elsewhere: tuple[str, ...], refused: Refused) -> None:
    with refused("DBSubnetGroupDoesNotCoverEnoughAZs", "us-east-1a"):
        make(aws, network.subnet_ids[:1])
    with refused("InvalidSubnet", "subnet-none"):
        make(aws, (*network.subnet_ids, "subnet-none"))
    with refused("InvalidSubnet"):
        make(aws, (*network.subnet_ids, *elsewhere))
    make(aws, network.subnet_ids)
    with refused("DBSubnetGroupAlreadyExists"):
        make(aws, network.subnet_ids, "group")
    with refused("InvalidSubnet", "same Vpc"):
        aws.rds.modify_db_subnet_group(DBSubnetGroupName="group", SubnetIds=elsewhere)
    with refused("DBSubnetGroupNotFoundFault"):
        aws.rds.modify_db_subnet_group(DBSubnetGroupName="none", SubnetIds=network.subnet_ids)
    with refused("DBSubnetGroupNotFoundFault"):
        aws.rds.delete_db_subnet_group(DBSubnetGroupName="none")


def test_naive_code_takes_a_subnet_from_under_an_instance(
    aws: Aws, network: Network, make_cluster: Build, refused: Refused
) -> None:
    make_cluster()
    first, *others = network.subnet_ids
    aws.rds.create_db_instance(
        DBInstanceIdentifier="m",
        DBInstanceClass="db.t4g.medium",
        Engine="aurora-postgresql",
        DBClusterIdentifier="c",
        AvailabilityZone="us-east-1a",
    )
    with refused("InvalidParameterValue", f"currently in use: {first}"):
        aws.rds.modify_db_subnet_group(DBSubnetGroupName="subnets", SubnetIds=others)
    aws.rds.modify_db_subnet_group(DBSubnetGroupName="subnets", SubnetIds=[first, others[0]])


def test_they_come_in_pages(aws: Aws, network: Network, refused: Refused) -> None:
    for at in range(21):
        aws.rds.create_db_subnet_group(
            DBSubnetGroupName=f"group-{at}", DBSubnetGroupDescription="d", SubnetIds=network.subnet_ids
        )
    first = aws.rds.describe_db_subnet_groups(MaxRecords=20)
    rest = aws.rds.describe_db_subnet_groups(MaxRecords=20, Marker=first["Marker"])
    assert (len(first["DBSubnetGroups"]), len(rest["DBSubnetGroups"]), "Marker" in rest) == (20, 1, False)


def test_naive_code_expects_rds_to_have_its_role(
    aws: Aws, network: Network, simulation: Simulation, refused: Refused
) -> None:
    simulation.script("rds.service-linked-role", "missing")
    with refused("InvalidParameterValue", "Missing necessary credentials"):
        make(aws, network.subnet_ids)
    make(aws, network.subnet_ids)
