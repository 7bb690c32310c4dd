"""EC2 security groups: canonical rules, references that hold, all or nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("ec2")

_AUTHORIZE = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
_REVOKE = ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
_DESCRIBE_RULES = (
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "UpdateSecurityGroupRuleDescriptionsEgress",
)


def _groups(call: Call) -> dict[str, Any]:
    return {one.id: one for one in call.moto("ec2").describe_security_groups()}


@rules("CreateSecurityGroup")
def group_names_are_unique_in_any_case(call: Call, proceed: Proceed) -> Reply:
    """Names are compared without regard to case, within a VPC."""
    name, vpc = call.params["GroupName"], call.params.get("VpcId")
    if any(one.vpc_id == vpc and one.name.lower() == name.lower() for one in _groups(call).values()):
        raise Fault("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc}'")
    if name.lower().startswith("sg-"):
        raise Fault("InvalidParameterValue", f"Value ({name}) for parameter GroupName is invalid.")
    return proceed()


@rules(*_AUTHORIZE, *_REVOKE, *_DESCRIBE_RULES)
def cidrs_are_canonical(call: Call, proceed: Proceed) -> Reply:
    """100.68.0.18/18 is kept as 100.68.0.0/18."""
    for permission in call.params.get("IpPermissions", []):
        for ranges, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
            for one in permission.get(ranges, []):
                try:
                    one[name] = str(ipaddress.ip_network(one[name], strict=False))
                except ValueError:
                    raise Fault("InvalidParameterValue", f"CIDR block {one[name]} is malformed") from None
    return proceed()


@rules(*_AUTHORIZE)
def all_rules_of_a_request_or_none(call: Call, proceed: Proceed) -> Reply:
    """One duplicate fails the whole request; a rule that differs in its description alone is a duplicate."""
    group = _groups(call).get(call.params.get("GroupId", ""))
    if group is None:
        return proceed()
    egress = call.operation.endswith("Egress")
    have = {_sense(one) for one in (group.egress_rules if egress else group.ingress_rules)}
    for one in _wanted(call.params.get("IpPermissions", [])):
        if one in have:
            raise Fault("InvalidPermission.Duplicate", f'the specified rule "peer: {one[3]}, {one[0]}" already exists')
        have.add(one)
    return proceed()


def _protocol(name: str) -> str:
    return {"6": "tcp", "17": "udp", "1": "icmp", "all": "-1"}.get(name.lower(), name.lower())


def _sense(rule: Any) -> tuple[str, int | None, int | None, str]:
    """What makes a rule: protocol, ports and the other side."""
    peer = rule.source_group.get("GroupId") or rule.prefix_list_id or rule.cidr_ipv4 or rule.cidr_ipv6
    return rule.ip_protocol, rule.from_port, rule.to_port, peer


def _wanted(permissions: list[dict[str, Any]]) -> Iterator[tuple[str, int | None, int | None, str]]:
    peers = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("UserIdGroupPairs", "GroupId"))
    for permission in permissions:
        protocol = _protocol(permission["IpProtocol"])
        every = protocol == "-1"
        ports = (None, None) if every else (permission.get("FromPort"), permission.get("ToPort"))
        for listed, name in (*peers, ("PrefixListIds", "PrefixListId")):
            for one in permission.get(listed, []):
                yield protocol, *ports, one[name]


@rules(*_REVOKE)
def a_rule_is_revoked_whatever_its_description(call: Call, proceed: Proceed) -> Reply:
    """What is revoked is named by protocol, ports and peer, or by id; an unknown id has an error of its own."""
    group = _groups(call).get(call.params.get("GroupId", ""))
    if group is None:
        return proceed()
    egress = call.operation.endswith("Egress")
    have = group.egress_rules if egress else group.ingress_rules
    ids = call.params.get("SecurityGroupRuleIds") or []
    unknown = set(ids) - {one.id for one in have}
    if unknown:
        raise Fault(
            "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{min(unknown)}' does not exist"
        )
    wanted = set(_wanted(call.params.get("IpPermissions", [])))
    if wanted - {_sense(one) for one in have}:
        raise Fault("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    left = [one for one in have if one.id not in ids and _sense(one) not in wanted]
    setattr(group, "egress_rules" if egress else "ingress_rules", left)
    return {"Return": True}


@rules(*_DESCRIBE_RULES)
def a_description_is_changed_in_place(call: Call, proceed: Proceed) -> Reply:
    """Of a rule whose peer is a group too, and not of a rule that is not there."""
    group = _groups(call).get(call.params.get("GroupId", ""))
    if group is None:
        return proceed()
    have = {_sense(one): one for one in (*group.egress_rules, *group.ingress_rules)}
    for permission in call.params["IpPermissions"]:
        for sense, text in zip(_wanted([permission]), _descriptions(permission), strict=True):
            if sense not in have:
                raise Fault("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
            (have[sense].source_group or have[sense].ip_range)["Description"] = text
    return {"Return": True}


def _descriptions(permission: dict[str, Any]) -> list[str]:
    listed = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    return [one.get("Description", "") for name in listed for one in permission.get(name, [])]


@rules("DescribeSecurityGroupRules", *_AUTHORIZE)
def rules_tell_their_description(call: Call, proceed: Proceed) -> Reply:
    """The description of a rule whose peer is a group is the rule's own."""
    reply = proceed()
    known = {one.id: one for group in _groups(call).values() for one in (*group.egress_rules, *group.ingress_rules)}
    for shown in reply["SecurityGroupRules"]:
        text = known[shown["SecurityGroupRuleId"]].source_group.get("Description")
        if text:
            shown["Description"] = text
    return reply


@rules("DeleteSecurityGroup")
def a_group_in_use_stays(call: Call, proceed: Proceed) -> Reply:
    """Another group's rule, a function or a cluster holds a group; the default group always stays."""
    id_ = call.params.get("GroupId", "")
    groups = _groups(call)
    if id_ in groups and groups[id_].is_default:
        raise Fault("CannotDelete", f'the specified group: "{id_}" name: "default" cannot be deleted by a user')
    if any(_uses(other, id_) for other in groups.values() if other.id != id_) or _holders(call, id_):
        raise Fault("DependencyViolation", f"resource {id_} has a dependent object")
    return proceed()


def _uses(group: Any, id_: str) -> bool:
    return any(one.source_group.get("GroupId") == id_ for one in (*group.ingress_rules, *group.egress_rules))


def _holders(call: Call, id_: str) -> bool:
    clusters = call.moto("rds").clusters.values()
    functions = call.moto("lambda").list_functions()
    interfaces = call.moto("ec2").enis.values()
    return (
        any(id_ in one.vpc_security_group_ids for one in clusters)
        or any(id_ in (one.vpc_config or {}).get("SecurityGroupIds", []) for one in functions)
        or any(id_ in {group.id for group in one.group_set} for one in interfaces)
    )
