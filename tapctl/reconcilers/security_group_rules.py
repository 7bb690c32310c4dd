"""All rules of a security group, both ways: a facet of the group, whose name is its id.

The rules are owned whole, so that a rule somebody adds shows, and so does the one EC2 gives every new group, which lets
everything out. What is missing is added before what is too much is revoked: no service loses its way for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tapctl.engine.model import Impact, NoOutputs, Observed, Owner, Reconciler, Spec, Timing
from tapctl.errors import AwsRefused, NotYet, Patience
from tapctl.reconcilers.security_group import NOT_FOUND, RULES, chosen, existing, groups, tags_of

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef, SecurityGroupRuleTypeDef

    from tapctl.aws.client import Aws

ANY_PROTOCOL: Final = "-1"


class Rule(BaseModel):
    """One rule. ``peer``: a group's id, a CIDR block in its canonical form, or a prefix list's id.

    Ports are inclusive; -1 for both where the protocol has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    direction: Literal["ingress", "egress"]
    protocol: str
    from_port: int
    to_port: int
    peer: str
    description: str = ""

    def __str__(self) -> str:
        ports = f"{self.from_port}" if self.from_port == self.to_port else f"{self.from_port}-{self.to_port}"
        traffic = "all traffic" if self.protocol == ANY_PROTOCOL else f"{self.protocol}/{ports}"
        return f"{self.direction} {self.peer} {traffic}"

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """What makes it this rule: two that differ in description alone are one rule to EC2."""
        return (self.direction, self.protocol, self.from_port, self.to_port, self.peer)


class SecurityGroupRulesSpec(Spec):
    """Every rule of the group. At least one: a group without any has no rules to speak of, and shows as absent."""

    vpc_id: str
    rules: frozenset[Rule] = Field(min_length=1)


class SecurityGroupRules(Reconciler[SecurityGroupRulesSpec, NoOutputs]):
    """Sees and changes the rules of one group, one rule a call: a single duplicate fails a whole batch."""

    type = RULES
    spec = SecurityGroupRulesSpec
    outputs = NoOutputs
    subresource = True
    impacts: ClassVar[Mapping[str, Impact]] = {"vpc_id": Impact.REPLACE}
    timing = Timing(create_s=5, delete_s=5, longest_s=600)

    def observe(
        self, aws: Aws, id: str, expected: SecurityGroupRulesSpec | None
    ) -> Observed[SecurityGroupRulesSpec, NoOutputs] | None:
        """Two reads for all groups of the round, the first of them shared with the groups themselves."""
        group = chosen(aws, id, expected.vpc_id if expected else None)
        if group is None:
            return None
        rules = frozenset(_rule(row) for row in _rows(aws, id, group.get("GroupId", "")))
        if not rules:
            return None
        return Observed(
            spec=SecurityGroupRulesSpec(vpc_id=group.get("VpcId", ""), rules=rules),
            outputs=NoOutputs(),
            owner=Owner.of(tags_of(group)),
        )

    def create(self, aws: Aws, id: str, want: SecurityGroupRulesSpec, owner: Owner) -> None:  # noqa: ARG002 -- a facet's owner is its parent's
        """Add the first rule."""
        _authorize(aws, existing(aws, id, want.vpc_id), min(want.rules, key=_order))

    def update(self, aws: Aws, id: str, have: SecurityGroupRulesSpec, want: SecurityGroupRulesSpec) -> frozenset[str]:
        """Add a rule; or correct a description; or revoke a rule."""
        group_id = existing(aws, id, want.vpc_id)
        there = {rule.key: rule for rule in have.rules}
        wanted = {rule.key: rule for rule in want.rules}
        missing = [rule for rule in want.rules if rule.key not in there]
        renamed = [rule for rule in want.rules if rule.key in there and there[rule.key] != rule]
        extra = [rule for rule in have.rules if rule.key not in wanted]
        if missing:
            _authorize(aws, group_id, min(missing, key=_order))
        elif renamed:
            _describe(aws, group_id, min(renamed, key=_order))
        else:
            _revoke(aws, id, group_id, min(extra, key=_order))
        return frozenset({"rules"} if len(missing) + len(renamed) + len(extra) == 1 else ())

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[SecurityGroupRulesSpec, NoOutputs],
        last: SecurityGroupRulesSpec | None,  # noqa: ARG002 -- what is seen says enough
    ) -> None:
        """Revoke one rule: as long as groups name each other, neither can be deleted."""
        group = chosen(aws, id, seen.spec.vpc_id)
        if group is not None:
            _revoke(aws, id, group.get("GroupId", ""), min(seen.spec.rules, key=_order))

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:  # noqa: ARG002 -- a facet has none of its own
        """None: the group is found."""
        return ()


def _rows(aws: Aws, id: str, group_id: str) -> list[SecurityGroupRuleTypeDef]:
    """The rules as EC2 tells them, one row a rule, read for all groups of the round at once."""
    ids = sorted(group.get("GroupId", "") for group in groups(aws, id))
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


def _permission(rule: Rule) -> IpPermissionTypeDef:
    permission: dict[str, Any] = {"IpProtocol": rule.protocol}
    # With "every protocol" EC2 takes no ports, and tells none.
    if rule.protocol != ANY_PROTOCOL:
        permission |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
    if rule.peer.startswith("sg-"):
        kind, name = "UserIdGroupPairs", "GroupId"
    elif rule.peer.startswith("pl-"):
        kind, name = "PrefixListIds", "PrefixListId"
    elif ":" in rule.peer:
        kind, name = "Ipv6Ranges", "CidrIpv6"
    else:
        kind, name = "IpRanges", "CidrIp"
    peer = {name: rule.peer}
    # An empty description is one left out: that also takes an old one away.
    permission[kind] = [peer | {"Description": rule.description}] if rule.description else [peer]
    return permission  # type: ignore[return-value]  # built key by key; the service checks it


def _authorize(aws: Aws, group_id: str, rule: Rule) -> None:
    inward = rule.direction == "ingress"
    call = aws.ec2.authorize_security_group_ingress if inward else aws.ec2.authorize_security_group_egress
    try:
        call(GroupId=group_id, IpPermissions=[_permission(rule)])
    except AwsRefused as error:
        if error.matches("InvalidPermission.Duplicate"):
            raise NotYet("the rule is there, and EC2 does not show it yet", Patience.PROPAGATION) from error
        raise classify(error) from error


def _describe(aws: Aws, group_id: str, rule: Rule) -> None:
    call = (
        aws.ec2.update_security_group_rule_descriptions_ingress
        if rule.direction == "ingress"
        else aws.ec2.update_security_group_rule_descriptions_egress
    )
    try:
        call(GroupId=group_id, IpPermissions=[_permission(rule)])
    except AwsRefused as error:
        raise classify(error) from error


def _revoke(aws: Aws, id: str, group_id: str, rule: Rule) -> None:
    """Revoke by the rule's own id: EC2 does not always refuse properties that match no rule."""
    rule_ids = [row.get("SecurityGroupRuleId", "") for row in _rows(aws, id, group_id) if _rule(row).key == rule.key]
    if not rule_ids:
        raise NotYet("the rule is gone already", Patience.PROPAGATION)
    inward = rule.direction == "ingress"
    call = aws.ec2.revoke_security_group_ingress if inward else aws.ec2.revoke_security_group_egress
    try:
        call(GroupId=group_id, SecurityGroupRuleIds=rule_ids)
    except AwsRefused as error:
        raise classify(error) from error


def _order(rule: Rule) -> tuple[str, str, int, int, str]:
    return rule.key


def classify(error: AwsRefused) -> Exception:
    """What EC2's refusal of a rule means: this group, the one it names, or the rule is not there (yet, or any more)."""
    if error.matches(*NOT_FOUND, "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"):
        return NotYet(f"EC2 does not show it: {error.message}", Patience.PROPAGATION)
    return error
