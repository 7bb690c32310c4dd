from __future__ import annotations

from typing import TYPE_CHECKING

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.sandbox.conftest import Refused
from tests.sandbox.life.conftest import Clock, Place

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

HTTPS: IpPermissionTypeDef = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
}


def make(aws: Aws, network: Network, name: str = "new") -> str:
    return aws.ec2.create_security_group(GroupName=name, Description="d", VpcId=network.vpc_id)["GroupId"]


def test_naive_code_gives_rules_to_a_group_that_ec2_does_not_know_yet(
    aws: Aws, clock: Clock, network: Network, refused: Refused
) -> None:
    group = make(aws, network)
    with refused("InvalidGroup.NotFound"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[HTTPS])
    with refused("InvalidGroup.NotFound"):
        aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "b"}])
    clock.after(4)
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
    clock.after(4)
    aws.ec2.authorize_security_group_ingress(GroupId=place.group, IpPermissions=[rule])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=new)


def test_naive_code_makes_a_group_again_that_it_does_not_see(
    aws: Aws, clock: Clock, network: Network, refused: Refused
) -> None:
    group = make(aws, network)

    def seen() -> bool:
        found = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["new"]}])["SecurityGroups"]
        return [one["GroupId"] for one in found] == [group]

    assert clock.looks(seen) == {True, False}
    with refused("InvalidGroup.Duplicate"):
        make(aws, network)
    clock.after(4)
    assert clock.looks(seen) == {True}
