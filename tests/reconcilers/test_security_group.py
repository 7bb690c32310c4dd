from __future__ import annotations

from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.security_group import SecurityGroup, SecurityGroupSpec
from tests.conftest import Network
from tests.reconcilers.cases import security_group as case
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import answer, refuse

REC, ID = SecurityGroup(), case.ID


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


def wanted(world: dict[str, str], **changes: Any) -> SecurityGroupSpec:
    spec = SecurityGroupSpec(description="Payment processor of test", vpc_id=world["vpc"], tags=case.TAGS)
    return spec.model_copy(update=changes)


def make(aws: Aws, vpc: str, name: str = ID, **tags: str) -> str:
    """A group made by hand; its id."""
    group_id = aws.ec2.create_security_group(GroupName=name, Description="by hand", VpcId=vpc)["GroupId"]
    if tags:
        aws.ec2.create_tags(Resources=[group_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return group_id


# -- looking ---------------------------------------------------------------------------------------------------------


def test_a_group_is_told_with_its_identity_and_owner(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world))

    assert seen.spec == wanted(world)
    assert seen.owner == OURS
    assert seen.outputs is not None
    assert aws.ec2.describe_security_groups(GroupIds=[seen.outputs.group_id])["SecurityGroups"]


def test_all_groups_of_a_round_are_read_in_one_call(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"], **case.TAGS)
    make(aws, world["vpc"], "db-sg-test", **case.TAGS)
    view = aws.memoized({"security-group": (ID, "db-sg-test", "gone-sg-test"), "security-group-rules": (ID,)})
    before = calls(aws)

    seen = [REC.observe(view, name, wanted(world)) for name in (ID, "db-sg-test", "gone-sg-test")]

    assert [one is not None for one in seen] == [True, True, False]
    assert calls(aws) - before == 1


def test_our_group_is_chosen_even_in_a_vpc_that_was_given_up(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"])
    make(aws, world["other_vpc"], **case.TAGS)

    assert look(REC, aws, ID, wanted(world)).spec.vpc_id == world["other_vpc"]
    assert look(REC, aws, ID).spec.vpc_id == world["other_vpc"]


def test_of_two_groups_of_ours_the_one_in_the_wanted_vpc_is_chosen(aws: Aws, world: dict[str, str]) -> None:
    for vpc in (world["other_vpc"], world["vpc"]):
        make(aws, vpc, **case.TAGS)

    assert look(REC, aws, ID, wanted(world)).spec.vpc_id == world["vpc"]


def test_a_strangers_group_in_our_vpc_is_seen_as_one(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"], ManagedBy="terraform")

    assert look(REC, aws, ID, wanted(world)).owner == Owner("terraform", "")
    assert look(REC, aws, ID).owner == Owner("terraform", "")


def test_a_strangers_group_in_another_vpc_is_none_of_ours(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["other_vpc"], ManagedBy="terraform")

    assert REC.observe(aws, ID, wanted(world)) is None


def test_a_group_that_lost_its_tags_is_still_seen(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"])

    seen = look(REC, aws, ID, wanted(world))

    assert (seen.owner, seen.spec.tags) == (None, {})


def test_names_are_compared_as_ec2_compares_them_and_aws_tags_left_out(aws: Aws, world: dict[str, str]) -> None:
    tags = {**case.TAGS, "aws:cloudformation:stack-name": "x"}
    group = {
        "GroupId": "sg-1",
        "GroupName": ID.upper(),
        "Description": "d",
        "VpcId": world["vpc"],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    answer(aws.ec2, "DescribeSecurityGroups", {"SecurityGroups": [group]})

    assert look(REC, aws, ID, wanted(world)).spec.tags == case.TAGS


# -- making and changing ---------------------------------------------------------------------------------------------


def test_a_group_bears_its_owner_from_its_first_moment(aws: Aws, world: dict[str, str]) -> None:
    REC.create(aws, ID, wanted(world, tags={"Name": ID}), OURS)

    assert look(REC, aws, ID, wanted(world)).spec == wanted(world)


def test_a_name_that_is_taken_is_looked_at_again(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"])

    with pytest.raises(AlreadyExists, match=ID):
        REC.create(aws, ID, wanted(world), OURS)


def test_a_create_that_is_refused_is_an_error(aws: Aws, world: dict[str, str]) -> None:
    refuse(aws.ec2, "CreateSecurityGroup", "InvalidVpcID.NotFound")

    with pytest.raises(AwsRefused):
        REC.create(aws, ID, wanted(world), OURS)


def test_a_group_that_does_not_show_yet_is_waited_for(aws: Aws, world: dict[str, str]) -> None:
    with pytest.raises(NotYet) as raised:
        REC.update(aws, ID, wanted(world, tags={}), wanted(world))
    assert raised.value.patience is Patience.PROPAGATION


def test_tags_go_to_the_group_of_the_very_vpc_whatever_those_of_another_say(aws: Aws, world: dict[str, str]) -> None:
    theirs = make(aws, world["other_vpc"], **case.TAGS)
    make(aws, world["vpc"])

    REC.update(aws, ID, wanted(world, tags={}), wanted(world, tags={"Team": "payments"}))

    assert look(REC, aws, ID, wanted(world)).spec.tags == case.TAGS, "the one that bears our tags is looked at"
    tagged = aws.ec2.describe_security_groups(Filters=[{"Name": "tag:Team", "Values": ["payments"]}])
    assert [one["VpcId"] for one in tagged["SecurityGroups"]] == [world["vpc"]]
    assert theirs not in [one["GroupId"] for one in tagged["SecurityGroups"]]


@pytest.mark.parametrize(("code", "kind"), [("InvalidGroup.NotFound", NotYet), ("TagLimitExceeded", AwsRefused)])
def test_tags_wait_for_a_group_that_not_all_of_ec2_knows(
    aws: Aws, world: dict[str, str], code: str, kind: type[Exception]
) -> None:
    make(aws, world["vpc"])
    refuse(aws.ec2, "CreateTags", code)

    with pytest.raises(kind):
        REC.update(aws, ID, wanted(world, tags={}), wanted(world))


# -- removing --------------------------------------------------------------------------------------------------------


def test_a_group_is_removed_and_a_second_removal_is_no_error(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world))

    delete_until_gone(REC, aws, ID)
    REC.delete(aws, ID, seen, None)

    assert REC.observe(aws, ID, wanted(world)) is None


def test_what_holds_a_group_is_named(aws: Aws, network: Network) -> None:
    world = {"vpc": network.vpc_id}
    seen = bring(REC, aws, ID, wanted(world))
    assert seen.outputs is not None
    group_id = seen.outputs.group_id
    for text in ("AWS Lambda VPC ENI-payment-processor-test-1", "", "RDSNetworkInterface", "one", "another"):
        aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Groups=[group_id], Description=text)
    peer = make(aws, network.vpc_id, "db-sg-test")
    postgres: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": group_id}]}
    for holder in (peer, group_id):
        aws.ec2.authorize_security_group_ingress(GroupId=holder, IpPermissions=[postgres])
        aws.ec2.authorize_security_group_egress(GroupId=holder, IpPermissions=[postgres])
    refuse(aws.ec2, "DeleteSecurityGroup", "DependencyViolation", "resource has a dependent object")

    with pytest.raises(NotYet) as raised:
        REC.delete(aws, ID, seen, None)

    assert raised.value.patience is Patience.LONG
    reason = raised.value.reason
    assert reason.count("eni-") == 3
    assert "2 more network interfaces" in reason
    assert reason.count("a rule of db-sg-test") == 1
    assert f"a rule of {ID}" not in reason


@pytest.mark.parametrize("told", [True, False])
def test_another_vpc_that_uses_the_group_is_named(aws: Aws, network: Network, told: bool) -> None:
    seen = bring(REC, aws, ID, wanted({"vpc": network.vpc_id}))
    assert seen.outputs is not None
    client: Any = aws.ec2
    client.associate_security_group_vpc(GroupId=seen.outputs.group_id, VpcId="vpc-2")
    if not told:
        refuse(aws.ec2, "DescribeSecurityGroupVpcAssociations", "InvalidAction")
    with pytest.raises(NotYet, match="is held by its use in vpc-2" if told else "has a dependent object") as raised:
        REC.delete(aws, ID, seen, None)
    assert raised.value.patience is (Patience.BUSY if told else Patience.LONG)


def test_fewer_interfaces_are_all_named(aws: Aws, network: Network) -> None:
    seen = bring(REC, aws, ID, wanted({"vpc": network.vpc_id}))
    assert seen.outputs is not None
    aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Groups=[seen.outputs.group_id], Description="one")
    refuse(aws.ec2, "DeleteSecurityGroup", "InvalidGroup.InUse")

    with pytest.raises(NotYet, match=r"is held by eni-\w+ \(one\)$"):
        REC.delete(aws, ID, seen, None)


@pytest.mark.parametrize(
    ("description", "patience"),
    [
        ("AWS Lambda VPC ENI-payment-processor-test-6f0b9d1c-3f0e-4b0a-9c57-0a1b2c3d4e5f", Patience.LONG),
        ("RDSNetworkInterface", Patience.LONG),
        ("ELB app/shop", Patience.BUSY),
        ("", Patience.BUSY),
    ],
)
def test_what_aws_takes_away_is_waited_for_and_what_is_a_strangers_not_for_long(
    aws: Aws, network: Network, description: str, patience: Patience
) -> None:
    seen = bring(REC, aws, ID, wanted({"vpc": network.vpc_id}))
    assert seen.outputs is not None
    aws.ec2.create_network_interface(
        SubnetId=network.subnet_ids[0], Groups=[seen.outputs.group_id], Description=description
    )
    refuse(aws.ec2, "DeleteSecurityGroup", "DependencyViolation")
    with pytest.raises(NotYet) as raised:
        REC.delete(aws, ID, seen, None)
    assert raised.value.patience is patience


def test_a_rule_of_our_own_goes_with_us_and_a_stranger_is_named_first(aws: Aws, network: Network) -> None:
    seen = bring(REC, aws, ID, wanted({"vpc": network.vpc_id}))
    assert seen.outputs is not None
    group_id = seen.outputs.group_id
    for description in ("AWS Lambda VPC ENI-x", "ELB app/shop"):
        aws.ec2.create_network_interface(SubnetId=network.subnet_ids[0], Groups=[group_id], Description=description)
    ours = make(aws, network.vpc_id, "db-sg-test", **case.TAGS)
    rule: Any = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": group_id}],
    }
    aws.ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=[rule])
    refuse(aws.ec2, "DeleteSecurityGroup", "DependencyViolation")
    stranger = r"eni-\w+ \(ELB app/shop\)"
    with pytest.raises(
        NotYet, match=rf"held by {stranger}, eni-\w+ \(AWS Lambda VPC ENI-x\), a rule of db-sg-test$"
    ) as raised:
        REC.delete(aws, ID, seen, None)
    assert raised.value.patience is Patience.LONG


def test_where_nothing_shows_it_is_waited_for(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world))
    refuse(aws.ec2, "DeleteSecurityGroup", "DependencyViolation", "has a dependent object")
    with pytest.raises(NotYet, match="held by has a dependent object") as raised:
        REC.delete(aws, ID, seen, None)
    assert raised.value.patience is Patience.LONG


def test_where_the_holders_cannot_be_read_aws_itself_is_quoted(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world))
    refuse(aws.ec2, "DeleteSecurityGroup", "DependencyViolation", "resource sg-1 has a dependent object")
    refuse(aws.ec2, "DescribeNetworkInterfaces", "UnauthorizedOperation")

    with pytest.raises(NotYet, match="has a dependent object"):
        REC.delete(aws, ID, seen, None)


def test_a_removal_that_is_refused_is_an_error(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world))
    refuse(aws.ec2, "DeleteSecurityGroup", "UnauthorizedOperation")

    with pytest.raises(AwsRefused):
        REC.delete(aws, ID, seen, None)


def test_of_two_groups_of_ours_none_is_removed_where_no_record_tells_the_vpc(aws: Aws, world: dict[str, str]) -> None:
    ids = [make(aws, vpc, **case.TAGS) for vpc in (world["other_vpc"], world["vpc"])]
    refused = REC.removal_refusal(aws, ID, look(REC, aws, ID), None)
    assert refused is not None
    assert refused.cause == f"there are 2 groups {ID} with our tags, and no record tells which is ours"
    assert all(each in str(refused.evidence) for each in ids)
    assert REC.removal_refusal(aws, ID, look(REC, aws, ID, wanted(world)), wanted(world)) is None


def test_the_sweep_finds_ours_in_every_vpc_and_nobody_elses(aws: Aws, world: dict[str, str]) -> None:
    make(aws, world["vpc"], **case.TAGS)
    make(aws, world["other_vpc"], "db-sg-test", **case.TAGS)
    make(aws, world["vpc"], "theirs", ManagedBy="tapctl", EnvironmentSuffix="other")

    assert sorted(REC.list_owned(aws, OURS)) == ["db-sg-test", ID]
