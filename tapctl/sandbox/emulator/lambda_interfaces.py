"""Lambda's network interfaces for functions in a VPC: shared, slow to come, slower to go.

There is one for each subnet and set of groups, whichever functions use it. Each stays for 20 to 45 minutes after its
last function is deleted, and only Lambda can delete it, with the rights of that function's role (Lambda developer
guide, "Lambda Hyperplane ENIs"; terraform-provider-aws, internal/service/ec2/vpc_network_interface.go and
lambda/function.go).
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from tapctl.sandbox.emulator.iam import documents_at, was_there
from tapctl.sandbox.emulator.lambda_functions import (
    WAITS_FOR_NETWORK,
    check_interfaces,
    function_of,
    functions,
    role_of,
)
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

timing, ec2_timing = Rules("lambda"), Rules("ec2")
TIMING: Final = (timing, ec2_timing)

LINGERS_S: Final = 1500.0
_MOVED_S: Final = 60.0

_LOOKED_AT: Final = ("DescribeNetworkInterfaces", "DeleteNetworkInterface", "DeleteSecurityGroup", "DeleteSubnet")


def _of_lambda(request: Request) -> list[Any]:
    return [one for one in request.backend("ec2").enis.values() if "lambda" in notes_on(one)]


def _places(config: dict[str, Any] | None) -> set[tuple[str, frozenset[str]]]:
    """Where a function with this VpcConfig has interfaces: each subnet, with all its groups."""
    found = config or {}
    groups = frozenset(found.get("SecurityGroupIds", []))
    return {(subnet, groups) for subnet in found.get("SubnetIds", [])}


def _place(interface: Any) -> tuple[str, frozenset[str]]:
    return interface.subnet.id, frozenset(one.id for one in interface.group_set)


@timing("CreateFunction", "UpdateFunctionConfiguration")
def a_function_has_interfaces(request: Request, proceed: Next) -> Reply:
    """One for each of its subnets with its groups; one that is still there from before is taken again."""
    _take_away(request)
    before = set() if request.operation == "CreateFunction" else _places(function_of(request).vpc_config)
    reply = proceed()
    function = function_of(request)
    there = {_place(one): one for one in _of_lambda(request)}
    wanted = _places(function.vpc_config)
    notes_on(function)[WAITS_FOR_NETWORK] = bool(wanted - there.keys())
    for subnet, groups in wanted:
        if (subnet, groups) not in there:
            made = request.send(
                "ec2",
                "CreateNetworkInterface",
                {
                    "SubnetId": subnet,
                    "Groups": sorted(groups),
                    "Description": f"AWS Lambda VPC ENI-{function.function_name}-{uuid.uuid4()}",
                },
            )
            interface = request.backend("ec2").enis[made["NetworkInterface"]["NetworkInterfaceId"]]
            notes_on(interface)["lambda"] = {"attachment": f"ela-attach-{secrets.token_hex(8)}"}
        else:
            notes_on(there[subnet, groups])["lambda"].pop("goes_at", None)
    _leave(request, before - wanted, role_of(request), request.simulation.now() + _MOVED_S)
    return reply


@timing("DeleteFunction")
def interfaces_outlive_their_function(request: Request, proceed: Next) -> Reply:
    """For 25 minutes; where the role is gone by then, for ever."""
    places, role = _places(function_of(request).vpc_config), role_of(request)
    reply = proceed()
    _leave(request, places, role, request.simulation.now() + LINGERS_S)
    return reply


def _leave(request: Request, places: set[tuple[str, frozenset[str]]], role: Any, goes_at: float) -> None:
    """What no function uses any more goes then, by this role's rights."""
    used = {place for one in functions(request).values() for place in _places(one.vpc_config)}
    for one in _of_lambda(request):
        if _place(one) in places - used:
            notes_on(one)["lambda"].update(goes_at=goes_at, role=role)


def _take_away(request: Request) -> None:
    now = request.simulation.now()
    for one in _of_lambda(request):
        notes = notes_on(one)["lambda"]
        if notes.get("goes_at", now) < now and _may_go(notes["role"], notes["goes_at"]):
            request.backend("ec2").delete_network_interface(one.id)


def _may_go(role: Any, at: float) -> bool:
    try:
        check_interfaces(documents_at(role, at) if role is not None and was_there(role, at) else [])
    except ServiceError:
        return False
    return True


@ec2_timing(*_LOOKED_AT)
def interfaces_go_when_lambda_takes_them_away(request: Request, proceed: Next) -> Reply:
    """Not before, and until then they hold their groups and subnets."""
    _take_away(request)
    return proceed()


@ec2_timing("DescribeNetworkInterfaces")
def an_interface_of_lambda_is_amazons(request: Request, proceed: Next) -> Reply:
    """In use, by nobody's instance."""
    reply = proceed()
    notes = {one.id: notes_on(one)["lambda"] for one in _of_lambda(request)}
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


@ec2_timing("DetachNetworkInterface")
def nobody_else_detaches_an_interface_of_lambda(request: Request, proceed: Next) -> Reply:
    """Not even by force."""
    if request.params["AttachmentId"].startswith("ela-attach-"):
        raise ServiceError("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
    return proceed()


@ec2_timing("DeleteNetworkInterface")
def an_interface_of_lambda_is_in_use(request: Request, proceed: Next) -> Reply:
    """So nobody deletes it either."""
    id_ = request.params["NetworkInterfaceId"]
    if any(one.id == id_ for one in _of_lambda(request)):
        raise ServiceError("InvalidNetworkInterface.InUse", f"Network interface '{id_}' is currently in use.")
    return proceed()
