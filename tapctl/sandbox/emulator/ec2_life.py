"""EC2 as it spreads: it accepts a security group before all of it knows the group (CreateSecurityGroup)."""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules

rules = Rules("ec2")

UNKNOWN_S: Final = 3.0
_FLIPS_S: Final = 0.5

_NAMES_A_GROUP: Final = (
    *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
    *("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
    *("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
    *("CreateTags", "DeleteTags", "DeleteSecurityGroup"),
)


def _unknown(call: Call) -> list[Any]:
    """The groups that not all of EC2 knows yet, as moto keeps them."""
    every = call.moto("ec2").describe_security_groups()
    return [one for one in every if not call.life.after(one, "made", UNKNOWN_S)]


@rules("CreateSecurityGroup")
def a_group_has_a_birthday(call: Call, proceed: Proceed) -> Reply:
    """Its id is known at once to whoever made it."""
    reply = proceed()
    made = next(one for one in call.moto("ec2").describe_security_groups() if one.id == reply["GroupId"])
    call.life.begin(made, "made")
    return reply


@rules(*_NAMES_A_GROUP)
def a_new_group_is_not_known_everywhere(call: Call, proceed: Proceed) -> Reply:
    """For 3 s after it was made, neither as the group that is changed nor as the other side of a rule."""
    named = {call.params.get("GroupId"), *call.params.get("Resources", []), *_peers(call.params)}
    unknown = sorted(named & {one.id for one in _unknown(call)})
    if unknown:
        raise Fault("InvalidGroup.NotFound", f"The security group '{unknown[0]}' does not exist")
    return proceed()


def _peers(params: dict[str, Any]) -> set[str]:
    return {
        pair["GroupId"]
        for permission in params.get("IpPermissions", [])
        for pair in permission.get("UserIdGroupPairs", [])
    }


@rules("DescribeSecurityGroups")
def a_new_group_shows_and_hides(call: Call, proceed: Proceed) -> Reply:
    """For 3 s after it was made looks miss it, half a second, and find it, half a second."""
    reply = proceed()
    hidden = {one.id for one in _unknown(call) if call.life.since(one, "made") % (2 * _FLIPS_S) < _FLIPS_S}
    reply["SecurityGroups"] = [one for one in reply["SecurityGroups"] if one["GroupId"] not in hidden]
    return reply
