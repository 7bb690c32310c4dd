from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Refused

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef, SecurityGroupRuleTypeDef
from typing import TYPE_CHECKING

from tests.emulator.conftest import Clock, Place

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef


def make(aws: Aws, network: Network, name: str = "new") -> str:
    return aws.ec2.create_security_group(GroupName=name, Description="d", VpcId=network.vpc_id)["GroupId"]


@pytest.fixture
def group(aws: Aws, network: Network) -> str:
    return make(aws, network, "one")


@pytest.fixture
def other(aws: Aws, network: Network) -> str:
    return make(aws, network, "other")


def cidr(block: str, text: str = "") -> IpPermissionTypeDef:
    return {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": block, "Description": text} if text else {"CidrIp": block}],
    }


def peer(group: str, text: str = "why") -> IpPermissionTypeDef:
    return {
        "IpProtocol": "6",
        "FromPort": 5432,
        "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": group, "Description": text}],
    }


def rules(aws: Aws, group: str, *, egress: bool) -> list[SecurityGroupRuleTypeDef]:
    found = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return [rule for rule in found["SecurityGroupRules"] if rule["IsEgress"] == egress]


def test_a_new_group_lets_everything_out(aws: Aws, group: str) -> None:
    (only,) = rules(aws, group, egress=True)
    assert (only["IpProtocol"], only["CidrIpv4"]) == ("-1", "0.0.0.0/0")
    aws.ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[only["SecurityGroupRuleId"]])
    assert rules(aws, group, egress=True) == []


def test_names_are_unique_in_any_case(aws: Aws, network: Network, group: str, refused: Refused) -> None:
    with refused("InvalidGroup.Duplicate"):
        make(aws, network, "ONE")
    with refused("InvalidParameterValue"):
        make(aws, network, "sg-mine")
    vpc = aws.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    aws.ec2.create_security_group(GroupName="one", Description="d", VpcId=vpc)


def test_cidrs_are_canonical(aws: Aws, group: str, refused: Refused) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("100.68.0.18/18")])
    assert [rule["CidrIpv4"] for rule in rules(aws, group, egress=False)] == ["100.68.0.0/18"]
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[cidr("100.68.0.1/18")])
    assert rules(aws, group, egress=False) == []
    with refused("InvalidParameterValue", "malformed"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("here")])


def test_a_rule_to_a_group_keeps_its_description(aws: Aws, group: str, other: str) -> None:
    made = aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[peer(other)])
    assert made["SecurityGroupRules"][0]["Description"] == "why"
    (seen,) = (rule for rule in rules(aws, group, egress=True) if rule["IpProtocol"] == "tcp")
    assert (seen["Description"], seen["ReferencedGroupInfo"]["GroupId"]) == ("why", other)
    aws.ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[peer(other, "now")])
    (seen,) = (rule for rule in rules(aws, group, egress=True) if rule["IpProtocol"] == "tcp")
    assert seen["Description"] == "now"


def test_one_duplicate_fails_all(aws: Aws, group: str, other: str, refused: Refused) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    with refused("InvalidPermission.Duplicate"):
        aws.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[cidr("10.0.0.0/8"), peer(other, "another description")]
        )
    assert len(rules(aws, group, egress=False)) == 1
    with refused("InvalidPermission.Duplicate"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("1.0.0.0/8"), cidr("1.1.0.0/8")])


def test_what_is_not_there_is_not_found(aws: Aws, group: str, other: str, refused: Refused) -> None:
    with refused("InvalidPermission.NotFound"):
        aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    with refused("InvalidSecurityGroupRuleId.NotFound", "sgr-1"):
        aws.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=["sgr-1"])
    with refused("InvalidPermission.NotFound"):
        aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[peer(other)])
    none = "sg-0123456789abcdef0"
    with refused("InvalidGroup.NotFound"):
        aws.ec2.authorize_security_group_ingress(GroupId=none, IpPermissions=[peer(other)])
    with refused("InvalidGroup.NotFound"):
        aws.ec2.revoke_security_group_ingress(GroupId=none, IpPermissions=[peer(other)])
    with refused("InvalidGroup.NotFound"):
        aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=none, IpPermissions=[peer(other)])
    with refused("InvalidGroup.NotFound"):
        aws.ec2.delete_security_group(GroupId=none)
    with refused("InvalidGroup.NotFound"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(none)])


def test_a_rule_is_revoked_whatever_its_description(aws: Aws, group: str, other: str) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(other), cidr("10.0.0.0/8", "d")])
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[peer(other, "else"), cidr("10.0.0.0/8")])
    assert rules(aws, group, egress=False) == []
    everything: IpPermissionTypeDef = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
    assert rules(aws, group, egress=True) == []


def test_a_group_named_by_a_rule_stays(aws: Aws, group: str, other: str, refused: Refused) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    with refused("DependencyViolation", other):
        aws.ec2.delete_security_group(GroupId=other)
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    aws.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[peer(other)])
    aws.ec2.delete_security_group(GroupId=other)


def test_a_group_of_a_cluster_or_an_interface_stays(
    *, aws: Aws, network: Network, group: str, other: str, make_cluster: Build, refused: Refused
) -> None:
    make_cluster(VpcSecurityGroupIds=[group])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    aws.rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    aws.ec2.delete_security_group(GroupId=group)
    aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Groups=[other])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=other)


def test_the_default_group_stays(aws: Aws, network: Network, refused: Refused) -> None:
    (default,) = aws.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    with refused("CannotDelete"):
        aws.ec2.delete_security_group(GroupId=default["GroupId"])


HTTPS: IpPermissionTypeDef = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
}


def test_naive_code_gives_rules_to_a_group_that_ec2_does_not_know_yet(
    aws: Aws, clock: Clock, network: Network, refused: Refused
) -> None:
    group = make(aws, network)
    with refused("InvalidGroup.NotFound"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[HTTPS])
    with refused("InvalidGroup.NotFound"):
        aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "b"}])
    clock.advance(4)
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[HTTPS])
    aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "b"}])


def test_naive_code_names_a_new_group_in_a_rule(
    aws: Aws, clock: Clock, network: Network, place: Place, refused: Refused
) -> None:
    new = make(aws, network)
    rule: IpPermissionTypeDef = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": new}],
    }
    with refused("InvalidGroup.NotFound", new):
        aws.ec2.authorize_security_group_ingress(GroupId=place.group, IpPermissions=[rule])
    clock.advance(4)
    aws.ec2.authorize_security_group_ingress(GroupId=place.group, IpPermissions=[rule])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=new)


def test_naive_code_makes_a_group_again_that_it_does_not_see(
    aws: Aws, clock: Clock, network: Network, refused: Refused
) -> None:
    group = make(aws, network)

    def seen() -> bool:
        found = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["new"]}])["SecurityGroups"]
        return [group["GroupId"] for group in found] == [group]

    assert clock.sample(seen) == {True, False}
    with refused("InvalidGroup.Duplicate"):
        make(aws, network)
    clock.advance(4)
    assert clock.sample(seen) == {True}


def test_a_group_is_associated_with_another_vpc(aws: Aws, group: str, other: str) -> None:
    client: Any = aws.ec2
    client.associate_security_group_vpc(GroupId=group, VpcId="vpc-2")

    def associations(*groups: str) -> list[tuple[str, str]]:
        answer = client.describe_security_group_vpc_associations(Filters=[{"Name": "group-id", "Values": [*groups]}])
        return [(each["GroupId"], each["VpcId"]) for each in answer["SecurityGroupVpcAssociations"]]

    assert (associations(group, other), associations(other)) == ([(group, "vpc-2")], [])
    client.disassociate_security_group_vpc(GroupId=group, VpcId="vpc-2")
    assert associations(group) == []
