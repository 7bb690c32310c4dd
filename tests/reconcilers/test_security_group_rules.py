from __future__ import annotations

from typing import Any, Literal

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import Owner
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.security_group import SecurityGroup
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.reconcilers.security_group_rules import (
    OF_EVERY_NEW_GROUP,
    SecurityGroupRules,
    SecurityGroupRulesSpec,
)
from tests.reconcilers.cases import security_group_rules as case
from tests.reconcilers.driving import OURS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import answer, refuse

REC, ID = SecurityGroupRules(), case.ID
HTTPS = Rule(direction="egress", protocol="tcp", from_port=443, to_port=443, peer="0.0.0.0/0", description="AWS")
SSH = Rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, peer="10.0.0.0/8")
EVERYTHING_OUT = Rule(direction="egress", protocol="-1", from_port=-1, to_port=-1, peer="0.0.0.0/0")


@pytest.fixture
def world(aws: Aws) -> dict[str, str]:
    return case.prepare(aws)


def wanted(world: dict[str, str], *rules: Rule) -> SecurityGroupRulesSpec:
    return SecurityGroupRulesSpec(vpc_id=world["vpc"], rules=frozenset(rules))


def postgres(world: dict[str, str]) -> Rule:
    return Rule(direction="egress", protocol="tcp", from_port=5432, to_port=5432, peer=world["peer"])


def asked(aws: Aws, operation: str) -> list[str]:
    """The parameters of these calls of EC2, from now on."""
    bodies: list[str] = []
    aws.ec2.meta.events.register(f"before-call.ec2.{operation}", lambda params, **_: bodies.append(str(params["body"])))
    return bodies


# -- looking ---------------------------------------------------------------------------------------------------------


def test_the_rule_that_ec2_gives_every_group_is_told_like_any_other(aws: Aws, world: dict[str, str]) -> None:
    aws.ec2.create_security_group(GroupName="fresh-sg-test", Description="d", VpcId=world["vpc"])

    assert look(REC, aws, "fresh-sg-test", wanted(world, HTTPS)).spec.rules == {EVERYTHING_OUT}


def test_in_a_vpc_with_ipv6_both_rules_of_a_new_group_are_told_and_taken_away(aws: Aws, world: dict[str, str]) -> None:
    aws.ec2.associate_vpc_cidr_block(VpcId=world["vpc"], AmazonProvidedIpv6CidrBlock=True)
    tags: Any = [
        {"ResourceType": "security-group", "Tags": [{"Key": key, "Value": case.TAGS[key]} for key in case.TAGS]}
    ]
    aws.ec2.create_security_group(
        GroupName="fresh-sg-test", Description="d", VpcId=world["vpc"], TagSpecifications=tags
    )
    there = look(REC, aws, "fresh-sg-test", wanted(world, HTTPS)).spec.rules
    assert there == OF_EVERY_NEW_GROUP == {EVERYTHING_OUT, EVERYTHING_OUT.model_copy(update={"peer": "::/0"})}

    assert bring(REC, aws, "fresh-sg-test", wanted(world, HTTPS)).spec.rules == {HTTPS}


def test_the_owner_is_the_groups(aws: Aws, world: dict[str, str]) -> None:
    assert bring(REC, aws, ID, wanted(world, HTTPS)).owner == OURS
    aws.ec2.create_tags(Resources=[world["group"]], Tags=[{"Key": "ManagedBy", "Value": "terraform"}])

    assert look(REC, aws, ID, wanted(world, HTTPS)).owner == Owner("terraform", "test", "dev")


@pytest.mark.parametrize("expected", [True, False])
def test_a_group_without_rules_and_no_group_at_all_have_none(aws: Aws, world: dict[str, str], expected: bool) -> None:
    spec = wanted(world, HTTPS) if expected else None

    assert REC.observe(aws, ID, spec) is None
    assert REC.observe(aws, "gone-sg-test", spec) is None


def test_no_rules_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SecurityGroupRulesSpec(vpc_id="vpc-1", rules=frozenset())


def test_all_groups_of_a_round_and_their_rules_take_one_call(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS))
    names = (ID, "db-sg-test")
    view = aws.memoized({"security-group": names, "security-group-rules": names})
    before = calls(aws)

    rules = [look(REC, view, name, wanted(world, HTTPS)).spec.rules for name in names]
    groups = [SecurityGroup().observe(view, name, None) for name in names]

    assert rules == [{HTTPS}, {EVERYTHING_OUT}]
    assert None not in groups
    assert calls(aws) - before == 1


def test_each_kind_of_peer_is_told_and_one_that_is_not_known_too(aws: Aws, world: dict[str, str]) -> None:
    ports = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53}
    peers: dict[str, dict[str, Any]] = {
        world["peer"]: {"UserIdGroupPairs": [{"GroupId": world["peer"], "UserId": "123456789012"}]},
        "10.0.0.0/8": {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        "fd00::/8": {"Ipv6Ranges": [{"CidrIpv6": "fd00::/8"}]},
        "pl-1": {"PrefixListIds": [{"PrefixListId": "pl-1"}]},
        "": {"PeersOfTomorrow": [{"Id": "1"}]},
    }
    group = {"GroupId": world["group"], "GroupName": ID, "VpcId": world["vpc"]}
    permissions = [ports | peer for peer in peers.values()]
    answer(aws.ec2, "DescribeSecurityGroups", {"SecurityGroups": [{**group, "IpPermissions": permissions}]})

    rules = look(REC, aws, ID, wanted(world, HTTPS)).spec.rules

    assert rules == {Rule(direction="ingress", protocol="udp", from_port=53, to_port=53, peer=peer) for peer in peers}


def test_an_entry_of_a_list_that_is_no_block_of_addresses_leaves_what_lists_open_unknown(
    aws: Aws, world: dict[str, str]
) -> None:
    partners = HTTPS.model_copy(update={"from_port": 8443, "to_port": 8443, "peer": world["list"]})
    seen = bring(REC, aws, ID, wanted(world, partners))
    assert REC.observe_exposures(aws, ID, seen, None).spec == seen.spec
    answer(aws.ec2, "GetManagedPrefixListEntries", {"Entries": [{"Cidr": "junk"}]})
    unknown = REC.observe_exposures(aws, ID, seen, None)
    assert unknown.unreadable == {"open_lists": "ec2:GetManagedPrefixListEntries"}
    assert "cannot be used" in unknown.refusals["open_lists"]


# -- changing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", ["0.0.0.0/0", "::/0", "list", "peer"])
@pytest.mark.parametrize(("direction", "port"), [("ingress", 5432), ("egress", -1)])
def test_every_kind_of_rule_is_added_and_revoked(
    aws: Aws, world: dict[str, str], peer: str, direction: Literal["ingress", "egress"], port: int
) -> None:
    protocol = "-1" if port < 0 else "tcp"
    of_aws = aws.ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    named = (world | {"list": of_aws}).get(peer, peer)
    rule = Rule(direction=direction, protocol=protocol, from_port=port, to_port=port, peer=named)

    bring(REC, aws, ID, wanted(world, HTTPS, rule))

    assert bring(REC, aws, ID, wanted(world, HTTPS)).spec.rules == {HTTPS}


def test_missing_rules_are_added_before_extra_ones_are_revoked(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, SSH, HTTPS))
    want = wanted(world, HTTPS.model_copy(update={"description": "AWS APIs"}), postgres(world))

    # The field is asked for as a whole only by its last call.
    for asks, there in (
        (set[str](), {SSH, HTTPS, postgres(world)}),
        (set[str](), {SSH, *want.rules}),
        ({"rules"}, want.rules),
    ):
        assert REC.update(aws, ID, look(REC, aws, ID, want).spec, want) == asks
        assert look(REC, aws, ID, want).spec.rules == there


def test_another_description_is_no_other_rule(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS, SSH))
    before = aws.ec2.describe_security_group_rules()["SecurityGroupRules"]
    without = HTTPS.model_copy(update={"description": ""})

    bring(REC, aws, ID, wanted(world, without, SSH.model_copy(update={"description": "Bastion"})))

    after = aws.ec2.describe_security_group_rules()["SecurityGroupRules"]
    assert {row["SecurityGroupRuleId"] for row in after} == {row["SecurityGroupRuleId"] for row in before}


def test_a_rule_of_every_protocol_is_sent_without_ports(aws: Aws, world: dict[str, str]) -> None:
    bodies = asked(aws, "AuthorizeSecurityGroupEgress")

    bring(REC, aws, ID, wanted(world, EVERYTHING_OUT))

    assert len(bodies) == 1
    assert "Port" not in bodies[0]


def test_a_rule_is_revoked_by_its_own_id(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS, SSH))
    bodies = asked(aws, "RevokeSecurityGroupIngress")

    bring(REC, aws, ID, wanted(world, HTTPS))

    assert len(bodies) == 1
    assert "sgr-" in bodies[0]


def test_rules_wait_for_their_group(aws: Aws, world: dict[str, str]) -> None:
    for change in (
        lambda: REC.create(aws, "gone-sg-test", wanted(world, HTTPS), OURS),
        lambda: REC.update(aws, "gone-sg-test", wanted(world, SSH), wanted(world, HTTPS)),
    ):
        with pytest.raises(NotYet, match="gone-sg-test") as raised:
            change()
        assert raised.value.patience is Patience.PROPAGATION


def test_a_rule_that_is_there_already_is_waited_for(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS))

    with pytest.raises(NotYet, match="is there"):
        REC.create(aws, ID, wanted(world, HTTPS), OURS)


def test_a_rule_whose_peer_does_not_show_yet_is_waited_for(aws: Aws, world: dict[str, str]) -> None:
    refuse(aws.ec2, "AuthorizeSecurityGroupEgress", "InvalidGroup.NotFound", "The group sg-2 does not exist")

    with pytest.raises(NotYet, match="sg-2"):
        REC.create(aws, ID, wanted(world, HTTPS), OURS)


@pytest.mark.parametrize(
    ("operation", "want"),
    [
        ("AuthorizeSecurityGroupIngress", {SSH, HTTPS}),
        ("UpdateSecurityGroupRuleDescriptionsEgress", {HTTPS.model_copy(update={"description": "other"})}),
        ("RevokeSecurityGroupEgress", {SSH}),
    ],
)
def test_a_change_that_is_refused_is_an_error(aws: Aws, world: dict[str, str], operation: str, want: set[Rule]) -> None:
    start = {HTTPS, SSH} if SSH in want and HTTPS not in want else {HTTPS}
    bring(REC, aws, ID, wanted(world, *start))
    refuse(aws.ec2, operation, "UnauthorizedOperation")

    with pytest.raises(AwsRefused) as raised:
        REC.update(aws, ID, wanted(world, *start), wanted(world, *want))
    assert raised.value.iam_action == f"ec2:{operation}"


def test_a_rule_that_is_gone_already_is_not_revoked_again(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS))

    with pytest.raises(NotYet, match="gone already"):
        REC.update(aws, ID, wanted(world, HTTPS, SSH), wanted(world, HTTPS))


# -- removing --------------------------------------------------------------------------------------------------------


def test_removing_revokes_rule_by_rule_and_leaves_the_group(aws: Aws, world: dict[str, str]) -> None:
    bring(REC, aws, ID, wanted(world, HTTPS, SSH, postgres(world)))

    delete_until_gone(REC, aws, ID)

    assert aws.ec2.describe_security_groups(GroupIds=[world["group"]])["SecurityGroups"]


def test_removing_what_went_with_its_group_is_no_error(aws: Aws, world: dict[str, str]) -> None:
    seen = bring(REC, aws, ID, wanted(world, HTTPS))
    aws.ec2.delete_security_group(GroupId=world["group"])

    REC.delete(aws, ID, seen, None)

    assert REC.observe(aws, ID, None) is None


@pytest.mark.parametrize("code", ["InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound"])
def test_a_rule_that_vanishes_while_it_is_revoked_is_looked_for_again(
    aws: Aws, world: dict[str, str], code: str
) -> None:
    seen = bring(REC, aws, ID, wanted(world, HTTPS))
    refuse(aws.ec2, "RevokeSecurityGroupEgress", code)

    with pytest.raises(NotYet):
        REC.delete(aws, ID, seen, None)


def test_the_sweep_finds_rules_by_their_group_alone(aws: Aws) -> None:
    assert list(REC.list_owned(aws, OURS)) == []
