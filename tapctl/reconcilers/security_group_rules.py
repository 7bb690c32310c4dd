"""All rules of a security group, both ways: a subresource of the group, whose name is the id.

The rules are owned whole, so that a rule somebody adds shows, and so does the one EC2 gives every new group, which lets
everything out. Missing rules are added before extra ones are revoked: no service is cut off for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypedDict

from pydantic import Field

from tapctl.aws.answers import unusable
from tapctl.aws.refusals import Transient, classify
from tapctl.aws.rights import LISTS, OURS, Need, Right
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.open_rules import open_together, part_of
from tapctl.reconcilers.prefix_lists import PREFIX_LISTS, blocks_in, is_prefix_list
from tapctl.reconcilers.security_group import GROUPS, NOT_FOUND, RULES, existing_id, find_group, groups, owner_of
from tapctl.reconcilers.security_group_rule import ANY_PROTOCOL, Rule
from tapctl.safety.open_networks import open_networks

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        IpPermissionTypeDef,
        SecurityGroupRuleTypeDef,
        SecurityGroupTypeDef,
        UserIdGroupPairTypeDef,
    )

    from tapctl.aws.client import Aws

_PEERS: Final = {
    "UserIdGroupPairs": "GroupId",
    "IpRanges": "CidrIp",
    "Ipv6Ranges": "CidrIpv6",
    "PrefixListIds": "PrefixListId",
}
"""EC2's name for each kind of peer to the member that names the peer."""
_TRANSIENT: Final = (
    Transient(
        (*NOT_FOUND, "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"),
        "EC2 does not show it: {error.message}",
        Patience.PROPAGATION,
    ),
)


OF_EVERY_NEW_GROUP: Final = frozenset(
    Rule(direction="egress", protocol=ANY_PROTOCOL, from_port=-1, to_port=-1, peer=peer)
    for peer in ("0.0.0.0/0", "::/0")
)
"""The rules that EC2 gives to every new group, which let everything out; of IPv6 where the VPC has a block of that.
https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"""


class SecurityGroupRulesSpec(Spec):
    """Every rule of the group, at least one: the rules of a group without any show as absent."""

    vpc_id: str
    rules: frozenset[Rule] = Field(min_length=1)
    open_lists: frozenset[str] = frozenset()
    """Prefix lists that a rule names and that are as open as the internet, alone or with other rules: ``<id> holds
    <network>``. Wanted: none."""


class SecurityGroupRulesOutputs(Outputs):
    """The id of the group whose rules these are: another group of that name has other rules."""

    group_id: str


class SecurityGroupRules(Reconciler[SecurityGroupRulesSpec, SecurityGroupRulesOutputs]):
    """The rules of one group, changed one rule a call: a single duplicate fails a whole batch."""

    type = RULES
    teardown_rank = 70
    parent_type = "security-group"
    identity = "vpc_id"
    unset_by_removal = frozenset({"rules"})
    left_alone: ClassVar[Mapping[str, str]] = {
        "open_lists": "aws ec2 get-managed-prefix-list-entries --prefix-list-id {value}",
    }
    leads_there: ClassVar[Mapping[str, str]] = {"open_lists": "rules"}
    impacts: ClassVar[Mapping[str, Impact]] = {"vpc_id": Impact.REPLACE}
    trail = Trail(
        "ec2",
        whole=(),
        fields={
            "rules": (
                "AuthorizeSecurityGroupIngress",
                "AuthorizeSecurityGroupEgress",
                "RevokeSecurityGroupIngress",
                "RevokeSecurityGroupEgress",
                "ModifySecurityGroupRules",
                "UpdateSecurityGroupRuleDescriptionsIngress",
                "UpdateSecurityGroupRuleDescriptionsEgress",
            ),
            "open_lists": ("ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"),
        },
        of_items=frozenset({"open_lists"}),
    )
    timing = Timing(create_s=5, delete_s=5, longest_s=600)
    actions = (
        Right(Need.OBSERVE, ("ec2:DescribeSecurityGroups",), why=LISTS),
        Right(Need.PLAN, ("servicequotas:GetServiceQuota",), why="the account's own quotas"),
        # Only where a rule names a prefix list: it counts as all that it may hold.
        Right(Need.PLAN, ("ec2:DescribeManagedPrefixLists",), why=LISTS),
        Right(Need.PLAN | Need.EXPOSURES, ("ec2:GetManagedPrefixListEntries",), (PREFIX_LISTS,)),
        Right(Need.CREATE | Need.UPDATE | Need.DELETE, ("ec2:DescribeSecurityGroupRules",), why=LISTS),
        Right(
            Need.CREATE | Need.UPDATE,
            (
                *("ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"),
                *("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"),
            ),
            (GROUPS,),
            OURS,
        ),
        Right(
            Need.UPDATE,
            ("ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress"),
            (GROUPS,),
            OURS,
        ),
        Right(Need.DELETE, ("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"), (GROUPS,), OURS),
    )

    def observe(
        self, aws: Aws, id: str, expected: SecurityGroupRulesSpec | None
    ) -> Observed[SecurityGroupRulesSpec, SecurityGroupRulesOutputs] | None:
        """Read all groups of the round, as the groups' own observation does, and all their rules: two calls."""
        group = find_group(aws, id, expected.vpc_id if expected else None)
        if group is None:
            return None
        rules = rules_of(group)
        if not rules:
            return None
        return Observed(
            spec=SecurityGroupRulesSpec(vpc_id=group.get("VpcId", ""), rules=rules),
            outputs=SecurityGroupRulesOutputs(group_id=group["GroupId"]),
            owner=owner_of(group),
        )

    def observe_exposures(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SecurityGroupRulesSpec, SecurityGroupRulesOutputs],
        expected: SecurityGroupRulesSpec | None,
    ) -> Observed[SecurityGroupRulesSpec, SecurityGroupRulesOutputs]:
        """Read what the prefix lists hold that the rules name: one call for each list of the round."""
        lists = sorted({rule.peer for rule in seen.spec.rules if is_prefix_list(rule.peer)})

        def held() -> frozenset[str]:
            if any(not rule.peer for rule in seen.spec.rules):
                raise unusable("ec2:DescribeSecurityGroups", "a rule does not tell whom it lets through")
            blocks = {each: blocks_in(aws, each) for each in lists}
            alone = {f"{each} holds {network}" for each in lists for network in open_networks(blocks[each])}
            found = open_together(part_of("", rule, blocks) for rule in seen.spec.rules)
            together = {
                f"{part.rule.peer} holds a part of {world.peer}, and other rules the rest"
                for world, parts in found
                for part in parts
                if is_prefix_list(part.rule.peer)
            }
            return frozenset(alone | together)

        return with_exposures(seen, {"open_lists": held})

    def create(self, aws: Aws, id: str, want: SecurityGroupRulesSpec, owner: Owner) -> None:
        """Add the first rule. The owner is the group's."""
        _authorize(aws, existing_id(aws, id, want.vpc_id), min(want.rules, key=_key))

    def update(self, aws: Aws, id: str, have: SecurityGroupRulesSpec, want: SecurityGroupRulesSpec) -> frozenset[str]:
        """Add a missing rule; then correct a description; then revoke an extra rule."""
        group_id = existing_id(aws, id, want.vpc_id)
        live = {rule.key: rule for rule in have.rules}
        wanted = {rule.key: rule for rule in want.rules}
        missing = [rule for rule in want.rules if rule.key not in live]
        renamed = [rule for rule in want.rules if rule.key in live and live[rule.key] != rule]
        extra = [rule for rule in have.rules if rule.key not in wanted]
        if missing:
            _authorize(aws, group_id, min(missing, key=_key))
        elif renamed:
            _describe(aws, group_id, min(renamed, key=_key))
        else:
            _revoke(aws, id, group_id, min(extra, key=_key))
        return frozenset({"rules"} if len(missing) + len(renamed) + len(extra) == 1 else ())

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SecurityGroupRulesSpec, SecurityGroupRulesOutputs],
        last: SecurityGroupRulesSpec | None,
    ) -> None:
        """Revoke one rule: as long as groups name each other, neither can be deleted."""
        assert observed.outputs is not None, "a group that is there has an id"
        group_id = observed.outputs.group_id
        if any(group["GroupId"] == group_id for group in groups(aws, id)):
            _revoke(aws, id, group_id, min(observed.spec.rules, key=_key))

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """Find nothing: the group is found by its own tags."""
        return ()


def rules_of(group: SecurityGroupTypeDef) -> frozenset[Rule]:
    """The rules of a group, both ways, as DescribeSecurityGroups tells them with it."""
    inward = _rules("ingress", group.get("IpPermissions", ()))
    return frozenset([*inward, *_rules("egress", group.get("IpPermissionsEgress", ()))])


def _rules(direction: Literal["ingress", "egress"], permissions: Iterable[Any]) -> Iterator[Rule]:
    """The rules of one direction, as DescribeSecurityGroups sums them up: a permission holds many peers."""
    for permission in permissions:
        peers = [(peer.get(name, ""), peer) for kind, name in _PEERS.items() for peer in permission.get(kind, ())]
        # A kind of peer that is not known yet lets somebody through all the same.
        for name, peer in peers or [("", {})]:
            yield Rule(
                direction=direction,
                protocol=permission.get("IpProtocol", ""),
                from_port=permission.get("FromPort", -1),
                to_port=permission.get("ToPort", -1),
                peer=name,
                description=peer.get("Description", ""),
            )


def _rows(aws: Aws, id: str, group_id: str) -> list[SecurityGroupRuleTypeDef]:
    """The group's rules as EC2 lists them, one row a rule, read for all groups of the round at once."""
    ids = sorted(group["GroupId"] for group in groups(aws, id))
    filters = [{"Name": "group-id", "Values": ids}]
    pages = aws.pages(aws.ec2.get_paginator("describe_security_group_rules"), Filters=filters)
    return [row for page in pages for row in page["SecurityGroupRules"] if row.get("GroupId") == group_id]


def _rule(row: SecurityGroupRuleTypeDef) -> Rule:
    return Rule(
        direction="egress" if row.get("IsEgress") else "ingress",
        protocol=row.get("IpProtocol", ""),
        from_port=row.get("FromPort", -1),
        to_port=row.get("ToPort", -1),
        peer=row.get("ReferencedGroupInfo", {}).get("GroupId")
        or row.get("CidrIpv4")
        or row.get("CidrIpv6")
        or row.get("PrefixListId", ""),
        description=row.get("Description", ""),
    )


class _Words(TypedDict, total=False):
    Description: str


def _permission(rule: Rule) -> IpPermissionTypeDef:
    permission: IpPermissionTypeDef = {"IpProtocol": rule.protocol}
    # With "every protocol" EC2 takes no ports, and shows none.
    if rule.protocol != ANY_PROTOCOL:
        permission |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
    # Without a description: that also takes an old one away.
    words: _Words = {"Description": rule.description} if rule.description else {}
    if rule.peer.startswith("sg-"):
        pair: UserIdGroupPairTypeDef = {"GroupId": rule.peer}
        if rule.description:
            pair["Description"] = rule.description
        permission["UserIdGroupPairs"] = [pair]
    elif is_prefix_list(rule.peer):
        permission["PrefixListIds"] = [{"PrefixListId": rule.peer, **words}]
    elif ":" in rule.peer:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule.peer, **words}]
    else:
        permission["IpRanges"] = [{"CidrIp": rule.peer, **words}]
    return permission


def _authorize(aws: Aws, group_id: str, rule: Rule) -> None:
    inward = rule.direction == "ingress"
    call = aws.ec2.authorize_security_group_ingress if inward else aws.ec2.authorize_security_group_egress
    try:
        call(GroupId=group_id, IpPermissions=[_permission(rule)])
    except AwsRefused as error:
        if error.matches("InvalidPermission.Duplicate"):
            raise NotYet("the rule is there, and EC2 does not show it yet", Patience.PROPAGATION) from error
        raise classify(error, _TRANSIENT) from error


def _describe(aws: Aws, group_id: str, rule: Rule) -> None:
    call = (
        aws.ec2.update_security_group_rule_descriptions_ingress
        if rule.direction == "ingress"
        else aws.ec2.update_security_group_rule_descriptions_egress
    )
    try:
        call(GroupId=group_id, IpPermissions=[_permission(rule)])
    except AwsRefused as error:
        raise classify(error, _TRANSIENT) from error


def _revoke(aws: Aws, id: str, group_id: str, rule: Rule) -> None:
    """Revoke the rule by its own id: EC2 does not always refuse properties that match no rule."""
    rule_ids = [row.get("SecurityGroupRuleId", "") for row in _rows(aws, id, group_id) if _rule(row).key == rule.key]
    if not rule_ids:
        raise NotYet("the rule is gone already", Patience.PROPAGATION)
    inward = rule.direction == "ingress"
    call = aws.ec2.revoke_security_group_ingress if inward else aws.ec2.revoke_security_group_egress
    try:
        call(GroupId=group_id, SecurityGroupRuleIds=rule_ids)
    except AwsRefused as error:
        raise classify(error, _TRANSIENT) from error


def _key(rule: Rule) -> tuple[str, str, int, int, str]:
    return rule.key
