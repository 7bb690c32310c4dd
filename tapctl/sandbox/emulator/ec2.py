"""EC2 security groups: canonical rules, references that hold, all or nothing; and new groups that spread slowly.

EC2 accepts a security group before all of it knows the group (CreateSecurityGroup).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("ec2"), Rules("ec2")
SERVICE: Final = Service(
    name="ec2",
    timing=(timing,),
    contract=(contract,),
    throttling="RequestLimitExceeded",
    stale_reads=("DescribeSecurityGroups", "DescribeSecurityGroupRules"),
    changes=(
        *("CreateSecurityGroup", "DeleteSecurityGroup", "CreateTags", "DeleteTags"),
        *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
        *("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
        *("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
    ),
    tags=Tags(
        returned_by=("DescribeSecurityGroups",),
        taken_by=("CreateSecurityGroup", "CreateTags", "DeleteTags"),
        refusal="InvalidParameterValue",
    ),
)

_AUTHORIZE = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
_REVOKE = ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
_DESCRIBE_RULES = (
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "UpdateSecurityGroupRuleDescriptionsEgress",
)


def _groups(request: Request) -> dict[str, Any]:
    return {group.id: group for group in request.backend("ec2").describe_security_groups()}


@contract("CreateSecurityGroup")
def group_names_are_unique_in_any_case(request: Request, proceed: Next) -> Reply:
    """Names are compared without regard to case, within a VPC."""
    name, vpc = request.params["GroupName"], request.params.get("VpcId")
    if any(group.vpc_id == vpc and group.name.lower() == name.lower() for group in _groups(request).values()):
        raise ServiceError("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc}'")
    if name.lower().startswith("sg-"):
        raise ServiceError("InvalidParameterValue", f"Value ({name}) for parameter GroupName is invalid.")
    return proceed()


@contract("AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc", "DescribeSecurityGroupVpcAssociations")
def a_group_is_used_in_other_vpcs(request: Request, proceed: Next) -> Reply:  # noqa: ARG001 -- moto has no such VPCs
    """A group is associated with other VPCs than its own, and the associations are listed by group."""
    vpcs: dict[tuple[str, str], bool] = notes_on(request.backend("ec2")).setdefault("vpcs_of_groups", {})
    if request.operation == "DescribeSecurityGroupVpcAssociations":
        wanted = [value for each in request.params.get("Filters", []) for value in each["Values"]]
        associations = [
            {"GroupId": group, "VpcId": vpc, "State": "associated"} for group, vpc in vpcs if group in wanted
        ]
        return {"SecurityGroupVpcAssociations": associations}
    place = (request.params["GroupId"], request.params["VpcId"])
    if request.operation == "AssociateSecurityGroupVpc":
        vpcs[place] = True
        return {"State": "associating"}
    vpcs.pop(place, None)
    return {"State": "disassociating"}


@contract(*_AUTHORIZE, *_REVOKE, *_DESCRIBE_RULES)
def cidrs_are_canonical(request: Request, proceed: Next) -> Reply:
    """100.68.0.18/18 is kept as 100.68.0.0/18."""
    for permission in request.params.get("IpPermissions", []):
        for ranges, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
            for range_ in permission.get(ranges, []):
                try:
                    range_[name] = str(ipaddress.ip_network(range_[name], strict=False))
                except ValueError:
                    raise ServiceError("InvalidParameterValue", f"CIDR block {range_[name]} is malformed") from None
    return proceed()


@contract(*_AUTHORIZE)
def all_rules_of_a_request_or_none(request: Request, proceed: Next) -> Reply:
    """One duplicate fails the whole request; a rule that differs in its description alone is a duplicate."""
    group = _groups(request).get(request.params.get("GroupId", ""))
    if group is None:
        return proceed()
    egress = request.operation.endswith("Egress")
    have = {_identity_of(rule) for rule in (group.egress_rules if egress else group.ingress_rules)}
    for rule in _wanted(request.params.get("IpPermissions", [])):
        if rule in have:
            raise ServiceError(
                "InvalidPermission.Duplicate", f'the specified rule "peer: {rule[3]}, {rule[0]}" already exists'
            )
        have.add(rule)
    return proceed()


def _protocol(name: str) -> str:
    return {"6": "tcp", "17": "udp", "1": "icmp", "all": "-1"}.get(name.lower(), name.lower())


def _identity_of(rule: Any) -> tuple[str, int | None, int | None, str]:
    """Reduce a rule to its identity: protocol, ports and peer."""
    peer = rule.source_group.get("GroupId") or rule.prefix_list_id or rule.cidr_ipv4 or rule.cidr_ipv6
    return rule.ip_protocol, rule.from_port, rule.to_port, peer


def _wanted(permissions: list[dict[str, Any]]) -> Iterator[tuple[str, int | None, int | None, str]]:
    peers = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("UserIdGroupPairs", "GroupId"))
    for permission in permissions:
        protocol = _protocol(permission["IpProtocol"])
        every = protocol == "-1"
        ports = (None, None) if every else (permission.get("FromPort"), permission.get("ToPort"))
        for listed, name in (*peers, ("PrefixListIds", "PrefixListId")):
            for peer in permission.get(listed, []):
                yield protocol, *ports, peer[name]


@contract(*_REVOKE)
def a_rule_is_revoked_whatever_its_description(request: Request, proceed: Next) -> Reply:
    """Rules are named by protocol, ports and peer, or by id; an unknown id has an error of its own."""
    group = _groups(request).get(request.params.get("GroupId", ""))
    if group is None:
        return proceed()
    egress = request.operation.endswith("Egress")
    have = group.egress_rules if egress else group.ingress_rules
    ids = request.params.get("SecurityGroupRuleIds") or []
    unknown = set(ids) - {rule.id for rule in have}
    if unknown:
        raise ServiceError(
            "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{min(unknown)}' does not exist"
        )
    wanted = set(_wanted(request.params.get("IpPermissions", [])))
    if wanted - {_identity_of(rule) for rule in have}:
        raise ServiceError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    left = [rule for rule in have if rule.id not in ids and _identity_of(rule) not in wanted]
    setattr(group, "egress_rules" if egress else "ingress_rules", left)
    return {"Return": True}


@contract(*_DESCRIBE_RULES)
def a_description_is_changed_in_place(request: Request, proceed: Next) -> Reply:
    """The description of a rule whose peer is a group is changed too; a missing rule is refused."""
    group = _groups(request).get(request.params.get("GroupId", ""))
    if group is None:
        return proceed()
    have = {_identity_of(rule): rule for rule in (*group.egress_rules, *group.ingress_rules)}
    for permission in request.params["IpPermissions"]:
        for sense, text in zip(_wanted([permission]), _descriptions(permission), strict=True):
            if sense not in have:
                raise ServiceError(
                    "InvalidPermission.NotFound", "The specified rule does not exist in this security group."
                )
            (have[sense].source_group or have[sense].ip_range)["Description"] = text
    return {"Return": True}


def _descriptions(permission: dict[str, Any]) -> list[str]:
    listed = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    return [peer.get("Description", "") for name in listed for peer in permission.get(name, [])]


@contract("DescribeSecurityGroupRules", *_AUTHORIZE)
def rules_tell_their_description(request: Request, proceed: Next) -> Reply:
    """A rule whose peer is a group is returned with its own description."""
    reply = proceed()
    known = {
        rule.id: rule for group in _groups(request).values() for rule in (*group.egress_rules, *group.ingress_rules)
    }
    for shown in reply["SecurityGroupRules"]:
        text = known[shown["SecurityGroupRuleId"]].source_group.get("Description")
        if text:
            shown["Description"] = text
    return reply


@contract("DeleteSecurityGroup")
def a_group_in_use_stays(request: Request, proceed: Next) -> Reply:
    """Another group's rule, a function or a cluster holds a group; the default group always stays."""
    id_ = request.params.get("GroupId", "")
    groups = _groups(request)
    if id_ in groups and groups[id_].is_default:
        raise ServiceError("CannotDelete", f'the specified group: "{id_}" name: "default" cannot be deleted by a user')
    if any(_uses(other, id_) for other in groups.values() if other.id != id_) or _holders(request, id_):
        raise ServiceError("DependencyViolation", f"resource {id_} has a dependent object")
    return proceed()


def _uses(group: Any, id_: str) -> bool:
    return any(rule.source_group.get("GroupId") == id_ for rule in (*group.ingress_rules, *group.egress_rules))


def _holders(request: Request, id_: str) -> bool:
    clusters = request.backend("rds").clusters.values()
    functions = request.backend("lambda").list_functions()
    interfaces = request.backend("ec2").enis.values()
    return (
        any(id_ in cluster.vpc_security_group_ids for cluster in clusters)
        or any(id_ in (function.vpc_config or {}).get("SecurityGroupIds", []) for function in functions)
        or any(id_ in {group.id for group in interface.group_set} for interface in interfaces)
    )


# -- timing ----------------------------------------------------------------------------------------------------------


UNKNOWN_S: Final = 3.0
_FLIPS_S: Final = 0.5

_NAMES_A_GROUP: Final = (
    *(*_AUTHORIZE, *_REVOKE, *_DESCRIBE_RULES),
    *("CreateTags", "DeleteTags", "DeleteSecurityGroup"),
)


def _unknown(request: Request) -> list[Any]:
    """Return the groups that not all of EC2 knows yet, as moto's objects."""
    every = request.backend("ec2").describe_security_groups()
    return [group for group in every if not request.simulation.elapsed(group, "made", UNKNOWN_S)]


@timing("CreateSecurityGroup")
def a_group_has_a_birthday(request: Request, proceed: Next) -> Reply:
    """A new group's age is counted: only its maker knows its id at once."""
    reply = proceed()
    group = next(group for group in request.backend("ec2").describe_security_groups() if group.id == reply["GroupId"])
    request.simulation.mark(group, "made")
    return reply


@timing(*_NAMES_A_GROUP)
def a_new_group_is_not_known_everywhere(request: Request, proceed: Next) -> Reply:
    """A new group is unknown for 3 s, as the group to change and as the peer of a rule."""
    named = {request.params.get("GroupId"), *request.params.get("Resources", []), *_peers(request.params)}
    unknown = sorted(named & {group.id for group in _unknown(request)})
    if unknown:
        raise ServiceError("InvalidGroup.NotFound", f"The security group '{unknown[0]}' does not exist")
    return proceed()


def _peers(params: dict[str, Any]) -> set[str]:
    return {
        pair["GroupId"]
        for permission in params.get("IpPermissions", [])
        for pair in permission.get("UserIdGroupPairs", [])
    }


@timing("DescribeSecurityGroups")
def a_new_group_shows_and_hides(request: Request, proceed: Next) -> Reply:
    """A new group is missing from reads every other half second, for 3 s."""
    reply = proceed()
    hidden = {
        group.id for group in _unknown(request) if request.simulation.since(group, "made") % (2 * _FLIPS_S) < _FLIPS_S
    }
    reply["SecurityGroups"] = [group for group in reply["SecurityGroups"] if group["GroupId"] not in hidden]
    return reply
