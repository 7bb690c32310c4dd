"""EC2 security groups: canonical rules, references that hold, all or nothing; and new groups that spread slowly.

EC2 accepts a security group before all of it knows the group (CreateSecurityGroup).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.service_quotas import quota
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
        "ModifySecurityGroupRules",
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

_Identity = tuple[str, int | None, int | None, str]
"""Protocol, ports and peer of a rule."""


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


@contract("DeleteSecurityGroup")
def a_group_of_other_vpcs_stays(request: Request, proceed: Next) -> Reply:
    """A group that can be used in another VPC is not deleted (AssociateSecurityGroupVpc)."""
    group = request.params.get("GroupId", "")
    if any(id_ == group for id_, _ in notes_on(request.backend("ec2")).get("vpcs_of_groups", {})):
        raise ServiceError("DependencyViolation", f"resource {group} has a dependent object")
    return proceed()


@contract(*_AUTHORIZE, *_REVOKE, *_DESCRIBE_RULES)
def cidrs_are_canonical(request: Request, proceed: Next) -> Reply:
    """100.68.0.18/18 is kept as 100.68.0.0/18."""
    for permission in request.params.get("IpPermissions", []):
        for ranges, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
            for range_ in permission.get(ranges, []):
                range_[name] = _canonical(range_[name])
    return proceed()


def _canonical(block: str) -> str:
    try:
        return str(ipaddress.ip_network(block, strict=False))
    except ValueError:
        raise ServiceError("InvalidParameterValue", f"CIDR block {block} is malformed") from None


@contract(*_AUTHORIZE)
def all_rules_of_a_request_or_none(request: Request, proceed: Next) -> Reply:
    """A single duplicate fails the whole request; a rule that differs in its description alone is a duplicate."""
    group = _groups(request).get(request.params.get("GroupId", ""))
    if group is None:
        return proceed()
    egress = request.operation.endswith("Egress")
    have = {_identity_of(rule) for rule in (group.egress_rules if egress else group.ingress_rules)}
    for rule in _wanted(request.params.get("IpPermissions", [])):
        if rule in have:
            raise _duplicate(rule)
        have.add(rule)
    return proceed()


def _duplicate(rule: _Identity) -> ServiceError:
    return ServiceError(
        "InvalidPermission.Duplicate", f'the specified rule "peer: {rule[3]}, {rule[0]}" already exists'
    )


def _protocol(name: str) -> str:
    return {"6": "tcp", "17": "udp", "1": "icmp", "all": "-1"}.get(name.lower(), name.lower())


def _identity_of(rule: Any) -> _Identity:
    """Reduce a rule to its identity: protocol, ports and peer."""
    peer = rule.source_group.get("GroupId") or rule.prefix_list_id or rule.cidr_ipv4 or rule.cidr_ipv6
    return rule.ip_protocol, rule.from_port, rule.to_port, peer


def _wanted(permissions: list[dict[str, Any]]) -> Iterator[_Identity]:
    peers = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("UserIdGroupPairs", "GroupId"))
    for permission in permissions:
        protocol = _protocol(permission["IpProtocol"])
        every = protocol == "-1"
        ports = (None, None) if every else (permission.get("FromPort"), permission.get("ToPort"))
        for listed, name in (*peers, ("PrefixListIds", "PrefixListId")):
            for peer in permission.get(listed, []):
                yield protocol, *ports, peer[name]


_RULES_QUOTA: Final = "L-0EA8095F"
# What AWS's own lists count as, by the end of their names: VPC user guide, "AWS-managed prefix list weight".
_WEIGHTS: Final = {
    "cloudfront.origin-facing": 55,
    "route53-healthchecks": 25,
    "vpc-lattice": 10,
    "s3express": 6,
    "groundstation": 5,
    "ec2-instance-connect": 2,
}


@contract(*_AUTHORIZE, "DescribeManagedPrefixLists", "GetManagedPrefixListEntries")
def a_prefix_list_that_is_named_is_there(request: Request, proceed: Next) -> Reply:
    """A single unknown id ends the call (aws-cloudformation/rain#308); moto takes any list in a rule or a look."""
    params, known = request.params, request.backend("ec2").managed_prefix_lists
    permissions = params.get("IpPermissions", [])
    peers = [peer["PrefixListId"] for permission in permissions for peer in permission.get("PrefixListIds", [])]
    asked = params.get("PrefixListIds", [params["PrefixListId"]] if "PrefixListId" in params else [])
    if unknown := [id_ for id_ in (*peers, *asked) if id_ not in known]:
        raise ServiceError("InvalidPrefixListID.NotFound", f"The prefix list ID '{unknown[0]}' does not exist")
    return proceed()


@contract(*_AUTHORIZE)
def a_prefix_list_counts_as_all_that_it_may_hold(request: Request, proceed: Next) -> Reply:
    """A group has 60 rules each way of each family; a prefix list counts as its MaxEntries, or AWS's own weight.

    More where the quota was raised. VPC user guide, "Amazon VPC quotas" and "Security group size"; moto counts both
    families together, and no list.
    """
    ec2, egress = request.backend("ec2"), request.operation.endswith("Egress")
    group = _groups(request).get(request.params.get("GroupId", ""))
    if group is None:
        return proceed()
    have = [_identity_of(rule)[3] for rule in (group.egress_rules if egress else group.ingress_rules)]
    peers = [*have, *(wanted[3] for wanted in _wanted(request.params.get("IpPermissions", [])))]
    for family in ("IPv4", "IPv6"):
        if sum(_size(ec2, peer, family) for peer in peers) > quota(request, "vpc", _RULES_QUOTA):
            raise ServiceError(
                "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
            )
    ec2._verify_group_will_respect_rule_count_limit = _all_was_counted  # noqa: SLF001 -- moto has no switch for it
    return proceed()


@contract("ModifyManagedPrefixList")
def a_prefix_list_keeps_its_name(request: Request, proceed: Next) -> Reply:
    """A change of the entries alone leaves the name (ModifyManagedPrefixList); moto takes it away."""
    known = request.backend("ec2").managed_prefix_lists.get(request.params["PrefixListId"])
    name = getattr(known, "prefix_list_name", None)
    reply = proceed()
    if "PrefixListName" not in request.params:
        known.prefix_list_name = name
        reply["PrefixList"]["PrefixListName"] = name
    return reply


def _all_was_counted(*_: Any, **__: Any) -> None:
    """Count nothing again."""


def _size(ec2: Any, peer: str, family: str) -> int:
    """Tell how many rules of a family a peer counts as."""
    known = ec2.managed_prefix_lists.get(peer)
    if known is None:
        # A group is of both families.
        return int(not peer or peer.startswith("sg-") or (":" in peer) == (family == "IPv6"))
    weight = next((size for end, size in _WEIGHTS.items() if known.prefix_list_name.endswith(f".{end}")), 1)
    return int(known.max_entries or weight) if known.address_family == family else 0


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
    """Descriptions of all kinds of rules are changed, rules being named by what they are or by id; all or none."""
    group, params = _groups(request).get(request.params.get("GroupId", "")), request.params
    if group is None:
        return proceed()
    if "IpPermissions" not in params and "SecurityGroupRuleDescriptions" not in params:
        raise ServiceError(
            "MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleDescriptions' should be provided."
        )
    rules = group.egress_rules if request.operation.endswith("Egress") else group.ingress_rules
    by_id, by_identity = {rule.id: rule for rule in rules}, {_identity_of(rule): rule for rule in rules}
    texts: list[tuple[Any, str]] = []
    for named in params.get("SecurityGroupRuleDescriptions", []):
        rule = _named_rule(by_id, named.get("SecurityGroupRuleId", ""))
        texts.append((rule, named.get("Description", "")))
    for permission in params.get("IpPermissions", []):
        for identity, text in zip(_wanted([permission]), _descriptions(permission), strict=True):
            if identity not in by_identity:
                raise ServiceError(
                    "InvalidPermission.NotFound", "The specified rule does not exist in this security group."
                )
            texts.append((by_identity[identity], text))
    for rule, text in texts:
        _describe(rule, text)
    return {"Return": True}


def _named_rule(by_id: dict[str, Any], id_: str) -> Any:
    if id_ not in by_id:
        raise ServiceError("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{id_}' does not exist")
    return by_id[id_]


def _describe(rule: Any, text: str) -> None:
    kept = notes_on(rule) if rule.prefix_list_id else rule.source_group or rule.ip_range
    kept["Description"] = text


def _description(rule: Any) -> str:
    """Tell the description of a rule to a group or a prefix list; moto tells those of ranges."""
    return str(rule.source_group.get("Description") or notes_on(rule).get("Description", ""))


def _descriptions(permission: dict[str, Any]) -> list[str]:
    listed = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    return [peer.get("Description", "") for name in listed for peer in permission.get(name, [])]


_PEERS: Final = {
    "CidrIpv4": "IPv4 CIDR",
    "CidrIpv6": "IPv6 CIDR",
    "PrefixListId": "prefix list",
    "ReferencedGroupId": "security group",
}


@contract("ModifySecurityGroupRules")
def rules_are_changed_by_their_ids(request: Request, proceed: Next) -> Reply:
    """A rule becomes what is given, its description included, and keeps its kind of peer; all rules or none.

    Moto changes IPv4 ranges alone, and what a refused request names before.
    """
    group = _groups(request).get(request.params["GroupId"])
    if group is None:
        return proceed()
    by_id = {rule.id: rule for rule in (*group.egress_rules, *group.ingress_rules)}
    updates = request.params["SecurityGroupRules"]
    changes = [
        (_named_rule(by_id, update["SecurityGroupRuleId"]), update.get("SecurityGroupRule", {})) for update in updates
    ]
    for rule, change in changes:
        _check_change(request, rule, change)
    _check_distinct(by_id, {rule.id: _identity_wanted(change) for rule, change in changes})
    for rule, change in changes:
        _change(rule, change)
    return {"Return": True}


def _check_change(request: Request, rule: Any, change: dict[str, Any]) -> None:
    peers = [name for name in _PEERS if change.get(name)]
    names = "cidrIp, cidrIpv6, prefixListId, or referencedGroupId"
    if not peers:
        raise ServiceError("MissingParameter", f"The request must contain exactly one of: {names}")
    if len(peers) > 1:
        raise ServiceError("InvalidParameterCombination", f"Only one of {names} can be specified")
    if _kind_of(rule) != peers[0]:
        raise ServiceError(
            "InvalidParameterValue",
            f"Invalid rule type for security group rule '{rule.id}'. You may not specify {peers[0]} for an existing "
            f"{_PEERS[_kind_of(rule)]} rule.",
        )
    if not change.get("IpProtocol"):
        raise ServiceError("InvalidParameterValue", "Invalid value 'null' for protocol.")
    if _protocol(change["IpProtocol"]) in ("tcp", "udp") and not {"FromPort", "ToPort"} <= {*change}:
        raise ServiceError(
            "InvalidParameterValue",
            "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
        )
    for name in ("CidrIpv4", "CidrIpv6"):
        if name in change:
            change[name] = _canonical(change[name])
    if change.get("ReferencedGroupId") and change["ReferencedGroupId"] not in _groups(request):
        raise ServiceError(
            "InvalidGroup.NotFound", f"The security group '{change['ReferencedGroupId']}' does not exist"
        )


def _kind_of(rule: Any) -> str:
    if rule.source_group:
        return "ReferencedGroupId"
    if rule.prefix_list_id:
        return "PrefixListId"
    return "CidrIpv4" if rule.cidr_ipv4 else "CidrIpv6"


def _identity_wanted(change: dict[str, Any]) -> _Identity:
    protocol, peer = _protocol(change["IpProtocol"]), next(change[name] for name in _PEERS if change.get(name))
    ports = (None, None) if protocol == "-1" else (change.get("FromPort"), change.get("ToPort"))
    return protocol, *ports, peer


def _check_distinct(by_id: dict[str, Any], wanted: dict[str, _Identity]) -> None:
    seen: set[tuple[bool, _Identity]] = set()
    for id_, rule in by_id.items():
        identity = (rule.is_egress, wanted.get(id_) or _identity_of(rule))
        if identity in seen:
            raise _duplicate(identity[1])
        seen.add(identity)


def _change(rule: Any, change: dict[str, Any]) -> None:
    rule.ip_protocol, rule.from_port, rule.to_port, peer = _identity_wanted(change)
    kind = _kind_of(rule)
    if kind == "ReferencedGroupId":
        rule.source_group = {"OwnerId": rule.source_group.get("OwnerId", rule.owner_id), "GroupId": peer}
    elif kind == "PrefixListId":
        rule.prefix_list_id, rule.ip_range = peer, {}
    else:
        rule.ip_range = {"CidrIp" if kind == "CidrIpv4" else "CidrIpv6": peer}
    if change.get("Description"):
        _describe(rule, change["Description"])


@contract("DescribeSecurityGroupRules", *_AUTHORIZE)
def rules_tell_their_description(request: Request, proceed: Next) -> Reply:
    """A rule whose peer is a group or a prefix list is returned with its own description."""
    reply = proceed()
    known = {
        rule.id: rule for group in _groups(request).values() for rule in (*group.egress_rules, *group.ingress_rules)
    }
    for shown in reply["SecurityGroupRules"]:
        if text := _description(known[shown["SecurityGroupRuleId"]]):
            shown["Description"] = text
    return reply


@contract(*_AUTHORIZE)
def all_new_rules_are_returned(request: Request, proceed: Next) -> Reply:
    """The answer holds all rules of the request; moto returns those of the last permission."""
    before = {rule["SecurityGroupRuleId"] for rule in _described_rules(request)}
    reply = proceed()
    new = [rule for rule in _described_rules(request) if rule["SecurityGroupRuleId"] not in before]
    return {**reply, "SecurityGroupRules": new}


@contract(*_AUTHORIZE, "DescribeSecurityGroups")
def a_rule_to_a_prefix_list_keeps_its_description(request: Request, proceed: Next) -> Reply:
    """A rule whose peer is a prefix list has a description, which the group tells too; moto drops it."""
    reply, groups = proceed(), _groups(request)
    if request.operation != "DescribeSecurityGroups":
        group = groups[request.params["GroupId"]]
        rules = group.egress_rules if request.operation.endswith("Egress") else group.ingress_rules
        by_identity = {_identity_of(rule): rule for rule in rules if rule.prefix_list_id}
        for permission in request.params.get("IpPermissions", []):
            for identity, text in zip(_wanted([permission]), _descriptions(permission), strict=True):
                if text and identity in by_identity:
                    _describe(by_identity[identity], text)
        return reply
    for shown in reply["SecurityGroups"]:
        group = groups[shown["GroupId"]]
        for name, rules in (("IpPermissions", group.ingress_rules), ("IpPermissionsEgress", group.egress_rules)):
            texts = {_identity_of(rule): _description(rule) for rule in rules if rule.prefix_list_id}
            for permission in shown[name]:
                about = permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort")
                for listed in permission["PrefixListIds"]:
                    text = texts[(*about, listed["PrefixListId"])]
                    listed.update({"Description": text} if text else {})
    return reply


def _described_rules(request: Request) -> list[dict[str, Any]]:
    reply = request.call(
        "DescribeSecurityGroupRules", Filters=[{"Name": "group-id", "Values": [request.params.get("GroupId", "")]}]
    )
    rules: list[dict[str, Any]] = reply["SecurityGroupRules"]
    return rules


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
    *("CreateTags", "DeleteTags", "DeleteSecurityGroup", "ModifySecurityGroupRules"),
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
    pairs = {
        pair["GroupId"]
        for permission in params.get("IpPermissions", [])
        for pair in permission.get("UserIdGroupPairs", [])
    }
    updates = (update.get("SecurityGroupRule", {}) for update in params.get("SecurityGroupRules", []))
    return pairs | {change["ReferencedGroupId"] for change in updates if "ReferencedGroupId" in change}


@timing("DescribeSecurityGroups")
def a_new_group_shows_and_hides(request: Request, proceed: Next) -> Reply:
    """A new group is missing from reads every other half second, for 3 s."""
    reply = proceed()
    hidden = {
        group.id for group in _unknown(request) if request.simulation.since(group, "made") % (2 * _FLIPS_S) < _FLIPS_S
    }
    reply["SecurityGroups"] = [group for group in reply["SecurityGroups"] if group["GroupId"] not in hidden]
    return reply
