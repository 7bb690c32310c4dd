from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tapctl.aws.client import Aws
from tests.conftest import Network
from tests.emulator.conftest import Build, Refused

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        IpPermissionTypeDef,
        SecurityGroupRuleRequestTypeDef,
        SecurityGroupRuleTypeDef,
        SecurityGroupRuleUpdateTypeDef,
    )
from typing import TYPE_CHECKING

from tests.emulator.conftest import Clock, Place

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import AddPrefixListEntryTypeDef, IpPermissionTypeDef


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


@pytest.mark.parametrize("egress", [False, True])
def test_descriptions_are_changed_by_the_rules_ids(
    aws: Aws, group: str, other: str, refused: Refused, egress: bool
) -> None:
    authorize, update = (
        (aws.ec2.authorize_security_group_egress, aws.ec2.update_security_group_rule_descriptions_egress)
        if egress
        else (aws.ec2.authorize_security_group_ingress, aws.ec2.update_security_group_rule_descriptions_ingress)
    )
    made = authorize(GroupId=group, IpPermissions=[cidr("10.0.0.0/8", "before"), peer(other, "before")])
    ids = [rule["SecurityGroupRuleId"] for rule in made["SecurityGroupRules"]]

    def texts() -> dict[str, str | None]:
        return {
            rule["SecurityGroupRuleId"]: rule.get("Description")
            for rule in rules(aws, group, egress=egress)
            if rule["SecurityGroupRuleId"] in ids
        }

    with refused("InvalidSecurityGroupRuleId.NotFound", "sgr-1"):
        update(
            GroupId=group,
            SecurityGroupRuleDescriptions=[
                {"SecurityGroupRuleId": ids[0], "Description": "after"},
                {"SecurityGroupRuleId": "sgr-1", "Description": "after"},
            ],
        )
    assert set(texts().values()) == {"before"}
    update(
        GroupId=group,
        SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": id_, "Description": f"after {id_}"} for id_ in ids],
    )
    assert texts() == {id_: f"after {id_}" for id_ in ids}
    with refused("MissingParameter"):
        update(GroupId=group)


def test_a_description_is_of_a_rule_of_that_direction(aws: Aws, group: str, refused: Refused) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("10.0.0.0/8", "in")])
    made = aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[cidr("10.0.0.0/8", "out")])
    aws.ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[cidr("10.0.0.0/8", "new")])
    assert [rule.get("Description") for rule in rules(aws, group, egress=False)] == ["in"]
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        aws.ec2.update_security_group_rule_descriptions_ingress(
            GroupId=group,
            SecurityGroupRuleDescriptions=[
                {"SecurityGroupRuleId": made["SecurityGroupRules"][0]["SecurityGroupRuleId"]}
            ],
        )


def test_rules_are_changed_by_their_ids(aws: Aws, network: Network, group: str, other: str) -> None:
    third = make(aws, network, "third")
    lists = [
        aws.ec2.create_managed_prefix_list(PrefixListName=name, MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
        for name in "ab"
    ]
    listed = [one["PrefixListId"] for one in lists]
    tcp: IpPermissionTypeDef = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    made = aws.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            cidr("10.0.0.0/8", "before"),
            {**tcp, "Ipv6Ranges": [{"CidrIpv6": "fd00::/8", "Description": "before"}]},
            peer(other, "before"),
            {**tcp, "PrefixListIds": [{"PrefixListId": listed[0]}]},
        ],
    )["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in made]
    web: SecurityGroupRuleRequestTypeDef = {"IpProtocol": "6", "FromPort": 80, "ToPort": 81}
    wanted: list[SecurityGroupRuleRequestTypeDef] = [
        {**web, "CidrIpv4": "10.1.2.3/16", "Description": "after"},
        {**web, "CidrIpv6": "fd01::1/16"},
        {"IpProtocol": "-1", "ReferencedGroupId": third, "Description": "after"},
        {**web, "PrefixListId": listed[1]},
    ]
    aws.ec2.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[
            {"SecurityGroupRuleId": id_, "SecurityGroupRule": rule} for id_, rule in zip(ids, wanted, strict=True)
        ],
    )
    found = {rule["SecurityGroupRuleId"]: rule for rule in rules(aws, group, egress=False)}
    v4, v6, to_group, to_list = (found[id_] for id_ in ids)
    assert (v4["CidrIpv4"], v4["IpProtocol"], v4["FromPort"], v4["ToPort"]) == ("10.1.0.0/16", "tcp", 80, 81)
    assert (v4["Description"], v6["CidrIpv6"], v6.get("Description")) == ("after", "fd01::/16", None)
    assert (to_group["ReferencedGroupInfo"]["GroupId"], to_group["IpProtocol"]) == (third, "-1")
    assert (to_group["Description"], to_group.get("FromPort", -1)) == ("after", -1)
    assert to_list["PrefixListId"] == listed[1]
    assert len(found) == 4


def test_a_change_of_rules_that_cannot_be_changes_none(aws: Aws, group: str, other: str, refused: Refused) -> None:
    made = aws.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[cidr("10.0.0.0/8"), cidr("11.0.0.0/8"), peer(other)]
    )["SecurityGroupRules"]
    first, second, to_group = (rule["SecurityGroupRuleId"] for rule in made)
    before = rules(aws, group, egress=False)
    tcp: SecurityGroupRuleRequestTypeDef = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    good: SecurityGroupRuleUpdateTypeDef = {
        "SecurityGroupRuleId": second,
        "SecurityGroupRule": {**tcp, "CidrIpv4": "12.0.0.0/8"},
    }
    bad: list[tuple[str, str, SecurityGroupRuleRequestTypeDef]] = [
        ("InvalidPermission.Duplicate", first, {**tcp, "CidrIpv4": "12.0.0.0/8"}),
        ("InvalidSecurityGroupRuleId.NotFound", "sgr-1", {**tcp, "CidrIpv4": "13.0.0.0/8"}),
        ("MissingParameter", first, tcp),
        ("MissingParameter", first, {}),
        ("InvalidParameterCombination", first, {**tcp, "CidrIpv4": "13.0.0.0/8", "CidrIpv6": "fd00::/8"}),
        ("InvalidParameterValue", first, {**tcp, "CidrIpv6": "fd00::/8"}),
        ("InvalidParameterValue", first, {"CidrIpv4": "13.0.0.0/8"}),
        ("InvalidParameterValue", first, {"IpProtocol": "tcp", "CidrIpv4": "13.0.0.0/8"}),
        ("InvalidParameterValue", first, {**tcp, "CidrIpv4": "here"}),
        ("InvalidGroup.NotFound", to_group, {**tcp, "ReferencedGroupId": "sg-0123456789abcdef0"}),
    ]
    for code, id_, rule in bad:
        with refused(code):
            aws.ec2.modify_security_group_rules(
                GroupId=group, SecurityGroupRules=[good, {"SecurityGroupRuleId": id_, "SecurityGroupRule": rule}]
            )
        assert rules(aws, group, egress=False) == before
    with refused("InvalidGroup.NotFound"):
        aws.ec2.modify_security_group_rules(GroupId="sg-0123456789abcdef0", SecurityGroupRules=[good])


def test_one_duplicate_fails_all(aws: Aws, group: str, other: str, refused: Refused) -> None:
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    with refused("InvalidPermission.Duplicate"):
        aws.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[cidr("10.0.0.0/8"), peer(other, "another description")]
        )
    assert len(rules(aws, group, egress=False)) == 1
    with refused("InvalidPermission.Duplicate"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("1.0.0.0/8"), cidr("1.1.0.0/8")])


def listing(prefix_list: str) -> IpPermissionTypeDef:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": prefix_list}]}


def prefix_list(aws: Aws, most: int, family: str = "IPv4") -> str:
    made = aws.ec2.create_managed_prefix_list(PrefixListName="ours", MaxEntries=most, AddressFamily=family)
    return made["PrefixList"]["PrefixListId"]


def test_a_prefix_list_keeps_its_name_where_its_entries_are_changed(aws: Aws) -> None:
    listed = prefix_list(aws, 5)
    added: AddPrefixListEntryTypeDef = {"Cidr": "10.20.0.0/16"}
    told = aws.ec2.modify_managed_prefix_list(PrefixListId=listed, CurrentVersion=1, AddEntries=[added])["PrefixList"]
    (seen,) = aws.ec2.describe_managed_prefix_lists(PrefixListIds=[listed])["PrefixLists"]
    assert (told["PrefixListName"], seen["PrefixListName"]) == ("ours", "ours")
    aws.ec2.modify_managed_prefix_list(PrefixListId=listed, PrefixListName="theirs")
    (seen,) = aws.ec2.describe_managed_prefix_lists(PrefixListIds=[listed])["PrefixLists"]
    assert seen["PrefixListName"] == "theirs"


def test_a_rule_to_a_prefix_list_keeps_its_description(aws: Aws, group: str) -> None:
    listed = prefix_list(aws, 5)
    rule: IpPermissionTypeDef = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}

    def of(text: str) -> IpPermissionTypeDef:
        return {**rule, "PrefixListIds": [{"PrefixListId": listed, "Description": text}]}

    def told() -> list[str | None]:
        (found,) = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        (there,) = (each for each in found["IpPermissionsEgress"] if each["PrefixListIds"])
        (row,) = (each for each in rules(aws, group, egress=True) if "PrefixListId" in each)
        assert there.get("IpRanges") == []
        return [there["PrefixListIds"][0].get("Description"), row.get("Description")]

    made = aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[of("why")])
    assert made["SecurityGroupRules"][0]["Description"] == "why"
    assert told() == ["why", "why"]
    aws.ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[of("now")])
    assert told() == ["now", "now"]
    aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[of("now")])
    without: IpPermissionTypeDef = {**rule, "PrefixListIds": [{"PrefixListId": listed}]}
    aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[without])
    assert told() == [None, None]


def test_naive_code_counts_a_prefix_list_as_one_rule(aws: Aws, group: str, refused: Refused) -> None:
    full = listing(prefix_list(aws, 58))
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[full, cidr("10.0.0.0/8")])
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("11.0.0.0/8")])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("12.0.0.0/8")])
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[listing(prefix_list(aws, 60, "IPv6"))])
    # The other way there is the rule that each new group has.
    with refused("RulesPerSecurityGroupLimitExceeded"):
        aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[listing(prefix_list(aws, 60))])


def test_naive_code_names_a_prefix_list_that_is_not_there(aws: Aws, group: str, refused: Refused) -> None:
    known, unknown = prefix_list(aws, 5), "pl-0123456789abcdef0"
    with refused("InvalidPrefixListID.NotFound", f"'{unknown}' does not exist"):
        aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[listing(known), listing(unknown)])
    with refused("InvalidPrefixListID.NotFound"):
        aws.ec2.describe_managed_prefix_lists(PrefixListIds=[known, unknown])
    with refused("InvalidPrefixListID.NotFound"):
        aws.ec2.get_managed_prefix_list_entries(PrefixListId=unknown)
    assert aws.ec2.get_managed_prefix_list_entries(PrefixListId=known)["Entries"] == []
    found = aws.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-id", "Values": [known, unknown]}])
    assert [each["PrefixListId"] for each in found["PrefixLists"]] == [known]


def test_a_raised_quota_of_rules_is_in_force(aws: Aws, group: str, refused: Refused) -> None:
    rules: Any = {"ServiceCode": "vpc", "QuotaCode": "L-0EA8095F"}
    with refused("IllegalArgumentException"):
        aws.service_quotas.request_service_quota_increase(**rules, DesiredValue=60)
    asked = aws.service_quotas.request_service_quota_increase(**rules, DesiredValue=61)["RequestedQuota"]
    assert (asked["Status"], asked["DesiredValue"]) == ("APPROVED", 61)
    assert aws.service_quotas.get_service_quota(**rules)["Quota"]["Value"] == 61
    full = listing(prefix_list(aws, 60))
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[full, cidr("10.0.0.0/8")])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("12.0.0.0/8")])


def test_a_list_of_aws_counts_by_its_weight(aws: Aws, group: str, refused: Refused) -> None:
    lists = aws.ec2.describe_managed_prefix_lists()["PrefixLists"]
    of_s3, of_cloudfront = (
        next(each["PrefixListId"] for each in lists if each["PrefixListName"].endswith(end))
        for end in (".s3", "cloudfront.origin-facing")
    )
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[listing(of_s3), listing(of_cloudfront)])
    four = [cidr(f"10.{at}.0.0/16") for at in range(4)]
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=four)
    with refused("RulesPerSecurityGroupLimitExceeded"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[cidr("12.0.0.0/8")])


def test_each_family_has_its_own_sixty_rules(aws: Aws, group: str, other: str, refused: Refused) -> None:
    ports: IpPermissionTypeDef = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    aws.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {**ports, "IpRanges": [{"CidrIp": f"10.{at}.0.0/16"} for at in range(60)]},
            {**ports, "Ipv6Ranges": [{"CidrIpv6": f"fd{at:02}::/16"} for at in range(10, 69)]},
        ],
    )
    with refused("RulesPerSecurityGroupLimitExceeded"):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[peer(other)])
    aws.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{**ports, "Ipv6Ranges": [{"CidrIpv6": "fc00::/16"}]}]
    )


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


def test_naive_code_deletes_a_group_that_another_vpc_uses(aws: Aws, group: str, refused: Refused) -> None:
    client: Any = aws.ec2
    client.associate_security_group_vpc(GroupId=group, VpcId="vpc-2")
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)


def test_a_group_is_associated_with_another_vpc(aws: Aws, group: str, other: str) -> None:
    client: Any = aws.ec2
    client.associate_security_group_vpc(GroupId=group, VpcId="vpc-2")

    def associations(*groups: str) -> list[tuple[str, str]]:
        answer = client.describe_security_group_vpc_associations(Filters=[{"Name": "group-id", "Values": [*groups]}])
        return [(each["GroupId"], each["VpcId"]) for each in answer["SecurityGroupVpcAssociations"]]

    assert (associations(group, other), associations(other)) == ([(group, "vpc-2")], [])
    client.disassociate_security_group_vpc(GroupId=group, VpcId="vpc-2")
    assert associations(group) == []
