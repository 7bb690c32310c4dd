"""The network interfaces that Lambda makes for functions in a VPC: shared, slow to come, slower to go.

One for each subnet and set of groups, whoever uses it; it stays for 20 to 45 minutes after its last function has gone,
and only Lambda can take it away, with the rights of that function's role (Lambda developer guide, "Lambda Hyperplane
ENIs"; terraform-provider-aws, internal/service/ec2/vpc_network_interface.go and lambda/function.go).
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from tapctl.sandbox.emulator.iam_life import documents_at, was_there
from tapctl.sandbox.emulator.lambda_functions import check_interfaces, function_of, functions, role_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("lambda")
ec2_rules = Rules("ec2")

LINGERS_S: Final = 1500.0
_MOVED_S: Final = 60.0

_LOOKED_AT: Final = ("DescribeNetworkInterfaces", "DeleteNetworkInterface", "DeleteSecurityGroup", "DeleteSubnet")


def _of_lambda(call: Call) -> list[Any]:
    return [one for one in call.moto("ec2").enis.values() if "lambda" in kept(one)]


def _places(config: dict[str, Any] | None) -> set[tuple[str, frozenset[str]]]:
    """Where a function with this VpcConfig has interfaces: each subnet, with all its groups."""
    found = config or {}
    groups = frozenset(found.get("SecurityGroupIds", []))
    return {(subnet, groups) for subnet in found.get("SubnetIds", [])}


def _place(interface: Any) -> tuple[str, frozenset[str]]:
    return interface.subnet.id, frozenset(one.id for one in interface.group_set)


def missing(call: Call, config: dict[str, Any]) -> bool:
    """Whether a function with this VpcConfig has to wait for an interface to be made."""
    _take_away(call)
    return bool(_places(config) - {_place(one) for one in _of_lambda(call)})


@rules("CreateFunction", "UpdateFunctionConfiguration")
def a_function_has_interfaces(call: Call, proceed: Proceed) -> Reply:
    """One for each of its subnets with its groups; one that is still there from before is taken again."""
    _take_away(call)
    before = set() if call.operation == "CreateFunction" else _places(function_of(call).vpc_config)
    reply = proceed()
    function = function_of(call)
    there = {_place(one): one for one in _of_lambda(call)}
    for subnet, groups in _places(function.vpc_config):
        if (subnet, groups) not in there:
            made = call.send(
                "ec2",
                "CreateNetworkInterface",
                {
                    "SubnetId": subnet,
                    "Groups": sorted(groups),
                    "Description": f"AWS Lambda VPC ENI-{function.function_name}-{uuid.uuid4()}",
                },
            )
            interface = call.moto("ec2").enis[made["NetworkInterface"]["NetworkInterfaceId"]]
            kept(interface)["lambda"] = {"attachment": f"ela-attach-{secrets.token_hex(8)}"}
        else:
            kept(there[subnet, groups])["lambda"].pop("goes_at", None)
    _leave(call, before - _places(function.vpc_config), role_of(call), call.life.now() + _MOVED_S)
    return reply


@rules("DeleteFunction")
def interfaces_outlive_their_function(call: Call, proceed: Proceed) -> Reply:
    """For 25 minutes; where the role is gone by then, for ever."""
    places, role = _places(function_of(call).vpc_config), role_of(call)
    reply = proceed()
    _leave(call, places, role, call.life.now() + LINGERS_S)
    return reply


def _leave(call: Call, places: set[tuple[str, frozenset[str]]], role: Any, goes_at: float) -> None:
    """What no function uses any more goes then, by this role's rights."""
    used = {place for one in functions(call).values() for place in _places(one.vpc_config)}
    for one in _of_lambda(call):
        if _place(one) in places - used:
            kept(one)["lambda"].update(goes_at=goes_at, role=role)


def _take_away(call: Call) -> None:
    now = call.life.now()
    for one in _of_lambda(call):
        notes = kept(one)["lambda"]
        if notes.get("goes_at", now) < now and _may_go(notes["role"], notes["goes_at"]):
            call.moto("ec2").delete_network_interface(one.id)


def _may_go(role: Any, at: float) -> bool:
    try:
        check_interfaces(documents_at(role, at) if role is not None and was_there(role, at) else [])
    except Fault:
        return False
    return True


@ec2_rules(*_LOOKED_AT)
def interfaces_go_when_lambda_takes_them_away(call: Call, proceed: Proceed) -> Reply:
    """Not before, and until then they hold their groups and subnets."""
    _take_away(call)
    return proceed()


@ec2_rules("DescribeNetworkInterfaces")
def an_interface_of_lambda_is_amazons(call: Call, proceed: Proceed) -> Reply:
    """In use, by nobody's instance."""
    reply = proceed()
    notes = {one.id: kept(one)["lambda"] for one in _of_lambda(call)}
    for shown in reply["NetworkInterfaces"]:
        if shown["NetworkInterfaceId"] in notes:
            shown.update(Status="in-use", RequesterManaged=True, InterfaceType="lambda")
            shown["Attachment"] = {
                "AttachmentId": notes[shown["NetworkInterfaceId"]]["attachment"],
                "InstanceOwnerId": "amazon-aws",
                "Status": "attached",
                "DeleteOnTermination": False,
            }
    return reply


@ec2_rules("DetachNetworkInterface")
def nobody_else_detaches_an_interface_of_lambda(call: Call, proceed: Proceed) -> Reply:
    """Not even by force."""
    if call.params["AttachmentId"].startswith("ela-attach-"):
        raise Fault("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
    return proceed()


@ec2_rules("DeleteNetworkInterface")
def an_interface_of_lambda_is_in_use(call: Call, proceed: Proceed) -> Reply:
    """So nobody deletes it either."""
    id_ = call.params["NetworkInterfaceId"]
    if any(one.id == id_ for one in _of_lambda(call)):
        raise Fault("InvalidNetworkInterface.InUse", f"Network interface '{id_}' is currently in use.")
    return proceed()
