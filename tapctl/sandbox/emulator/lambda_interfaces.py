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

from tapctl.sandbox.emulator.iam import existed_at, policy_documents_at
from tapctl.sandbox.emulator.lambda_functions import (
    WAITS_FOR_NETWORK,
    check_may_manage_interfaces,
    function_of,
    functions_by_name,
    role_of,
)
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

timing, ec2_timing = Rules("lambda"), Rules("ec2")
TIMING: Final = (timing, ec2_timing)

LINGERS_S: Final = 1500.0
_LISTED_S: Final = 3.0
"""A deleted function may still be listed. AWS promises nothing about it."""
# The filters with which a large account may be asked without pages (DescribeNetworkInterfaces).
_EXEMPT: Final = frozenset(
    {
        *("attachment.instance-id", "group-id", "mac-address", "private-dns-name", "private-ip-address"),
        *("subnet-id", "vpc-id"),
    }
)

_LOOKED_AT: Final = ("DescribeNetworkInterfaces", "DeleteNetworkInterface", "DeleteSecurityGroup", "DeleteSubnet")


def _interfaces_of_lambda(request: Request) -> list[Any]:
    return [interface for interface in request.backend("ec2").enis.values() if "lambda" in notes_on(interface)]


def _places(config: dict[str, Any] | None) -> set[tuple[str, frozenset[str]]]:
    """Return the places of a VpcConfig's interfaces: each subnet, with all groups."""
    given = config or {}
    groups = frozenset(given.get("SecurityGroupIds", []))
    return {(subnet, groups) for subnet in given.get("SubnetIds", [])}


def _place(interface: Any) -> tuple[str, frozenset[str]]:
    return interface.subnet.id, frozenset(group.id for group in interface.group_set)


@timing("CreateFunction", "UpdateFunctionConfiguration")
def a_function_has_interfaces(request: Request, proceed: Next) -> Reply:
    """A function has one interface for each of its subnets with its groups; an idle one is used again."""
    _delete_idle(request)
    before = set() if request.operation == "CreateFunction" else _places(function_of(request).vpc_config)
    reply = proceed()
    function = function_of(request)
    existing = {_place(interface): interface for interface in _interfaces_of_lambda(request)}
    wanted = _places(function.vpc_config)
    notes_on(function)[WAITS_FOR_NETWORK] = bool(wanted - existing.keys())
    for subnet, groups in wanted:
        if (subnet, groups) not in existing:
            created = request.send(
                "ec2",
                "CreateNetworkInterface",
                {
                    "SubnetId": subnet,
                    "Groups": sorted(groups),
                    "Description": f"AWS Lambda VPC ENI-{function.function_name}-{uuid.uuid4()}",
                },
            )
            interface = request.backend("ec2").enis[created["NetworkInterface"]["NetworkInterfaceId"]]
            notes_on(interface)["lambda"] = {"attachment": f"ela-attach-{secrets.token_hex(8)}"}
        else:
            notes_on(existing[subnet, groups])["lambda"].pop("goes_at", None)
    # The interface before the move stays as long as that of a function that is gone, with its groups
    # (hashicorp/terraform-provider-aws#32130).
    _release(request, before - wanted, role_of(request), request.simulation.now() + LINGERS_S)
    return reply


@timing("DeleteFunction")
def interfaces_outlive_their_function(request: Request, proceed: Next) -> Reply:
    """Unused interfaces stay for 25 minutes; for ever if the role is gone by then."""
    places, role = _places(function_of(request).vpc_config), role_of(request)
    reply = proceed()
    _release(request, places, role, request.simulation.now() + LINGERS_S)
    return reply


def _release(request: Request, places: set[tuple[str, frozenset[str]]], role: Any, goes_at: float) -> None:
    """Set the time at which interfaces without a function are deleted, by this role's rights."""
    used = {place for function in functions_by_name(request).values() for place in _places(function.vpc_config)}
    for interface in _interfaces_of_lambda(request):
        if _place(interface) in places - used:
            notes_on(interface)["lambda"].update(goes_at=goes_at, role=role)


def _delete_idle(request: Request) -> None:
    now = request.simulation.now()
    for interface in _interfaces_of_lambda(request):
        notes = notes_on(interface)["lambda"]
        if notes.get("goes_at", now) < now and _may_delete(notes["role"], notes["goes_at"]):
            request.backend("ec2").delete_network_interface(interface.id)


def _is_stranded(request: Request, notes: dict[str, Any]) -> bool:
    """Tell whether Lambda has tried to delete an interface, and could not (aws/aws-cdk#34400)."""
    return bool(notes.get("goes_at", request.simulation.now()) < request.simulation.now())


def _may_delete(role: Any, at: float) -> bool:
    try:
        check_may_manage_interfaces(policy_documents_at(role, at) if role is not None and existed_at(role, at) else [])
    except ServiceError:
        return False
    return True


@timing("DeleteFunction", "ListFunctions")
def a_function_is_listed_for_a_moment_after_its_end(request: Request, proceed: Next) -> Reply:
    """A deleted function is still listed for 3 s."""
    ended: dict[str, tuple[float, dict[str, Any]]] = notes_on(request.backend("lambda")).setdefault("ended", {})
    now = request.simulation.now()
    if request.operation == "ListFunctions":
        reply = proceed()
        reply["Functions"] += [shown for until, shown in ended.values() if now < until]
        return reply
    function = function_of(request)
    shown = {"FunctionName": function.function_name, "VpcConfig": dict(function.vpc_config or {})}
    reply = proceed()
    ended[function.function_name] = (now + _LISTED_S, shown)
    return reply


@ec2_timing("DescribeNetworkInterfaces")
def a_large_account_is_read_in_pages(request: Request, proceed: Next) -> Reply:
    """Without pages and without one of seven filters the interfaces of a large account are refused, if scripted."""
    filters = {each["Name"] for each in request.params.get("Filters", [])}
    whole = not request.params.get("MaxResults") and not request.params.get("NetworkInterfaceIds")
    if whole and not filters & _EXEMPT and request.simulation.next_outcome("ec2.large-account"):
        raise ServiceError(
            "OperationNotPermitted", "You have too many network interfaces to describe them without pagination."
        )
    return proceed()


@ec2_timing("DescribeNetworkInterfaces")
def interfaces_of_services_may_be_hidden(request: Request, proceed: Next) -> Reply:
    """Interfaces that AWS's services manage are told only where they are asked for, if scripted so for the account."""
    reply = proceed()
    if not request.params.get("IncludeManagedResources") and request.simulation.next_outcome("ec2.hidden"):
        managed = {interface.id for interface in _interfaces_of_lambda(request)}
        reply["NetworkInterfaces"] = [
            shown for shown in reply["NetworkInterfaces"] if shown["NetworkInterfaceId"] not in managed
        ]
    return reply


@ec2_timing(*_LOOKED_AT)
def interfaces_go_when_lambda_takes_them_away(request: Request, proceed: Next) -> Reply:
    """Interfaces hold their groups and subnets until Lambda deletes them."""
    _delete_idle(request)
    return proceed()


@ec2_timing("DescribeNetworkInterfaces")
def an_interface_of_lambda_is_amazons(request: Request, proceed: Next) -> Reply:
    """An interface of Lambda's is in use, and attached to no instance of the account; a stranded one is available."""
    reply = proceed()
    notes = {interface.id: notes_on(interface)["lambda"] for interface in _interfaces_of_lambda(request)}
    for shown in reply["NetworkInterfaces"]:
        if shown["NetworkInterfaceId"] in notes and _is_stranded(request, notes[shown["NetworkInterfaceId"]]):
            shown.update(Status="available", RequesterManaged=True, InterfaceType="lambda")
        elif shown["NetworkInterfaceId"] in notes:
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
    """Interfaces of Lambda are detached by nobody else, not even by force."""
    if request.params["AttachmentId"].startswith("ela-attach-"):
        raise ServiceError("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
    return proceed()


@ec2_timing("DeleteNetworkInterface")
def an_interface_of_lambda_is_in_use(request: Request, proceed: Next) -> Reply:
    """Only Lambda deletes its interfaces, but for those that it has left: anybody may delete these."""
    id_ = request.params["NetworkInterfaceId"]
    busy = [one for one in _interfaces_of_lambda(request) if not _is_stranded(request, notes_on(one)["lambda"])]
    if any(interface.id == id_ for interface in busy):
        raise ServiceError("InvalidNetworkInterface.InUse", f"Network interface '{id_}' is currently in use.")
    return proceed()
