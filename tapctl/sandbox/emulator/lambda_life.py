"""Lambda's functions in time: Pending, Active or Failed, updates one after the other, rights that spread slowly.

Times and words are AWS's usual ones (Lambda developer guide, "Function states"; what terraform-provider-aws retries in
internal/service/lambda/function.go).
"""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.iam_life import ASSUMABLE_S, POLICY_S, documents_at
from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.kms_life import SPREADS
from tapctl.sandbox.emulator.lambda_functions import check_interfaces, function_of, invalid, role_of
from tapctl.sandbox.emulator.lambda_interfaces import missing
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("lambda")

NETWORK_S: Final = 75.0
_CREATE_S: Final = 4.0
_UPDATE_S: Final = 10.0
_GRANT_S: Final = 5.0

_CONFIGURATION: Final = ("CreateFunction", "UpdateFunctionConfiguration")
_UPDATES: Final = ("UpdateFunctionConfiguration", "UpdateFunctionCode")
# What a function takes only when it is at rest (their API references list ResourceConflictException).
_AT_REST: Final = (*_UPDATES, "PutFunctionConcurrency", "DeleteFunctionConcurrency", "Invoke", "PublishVersion")
_SHOWN: Final = ("CreateFunction", *_UPDATES, "GetFunction", "GetFunctionConfiguration")


@rules(*_SHOWN)
def states_are_shown(call: Call, proceed: Proceed) -> Reply:
    """State and LastUpdateStatus, with their reasons."""
    reply = proceed()
    shown = reply["Configuration"] if call.operation == "GetFunction" else reply
    now, notes = call.life.now(), kept(function_of(call))
    if now < notes.get("made_until", now):
        shown.update(State="Pending", StateReasonCode="Creating", StateReason="The function is being created.")
    elif notes.get("failure"):
        shown.update(State="Failed", StateReasonCode=notes["failure"], StateReason="The function could not be created.")
    if now < notes.get("updated_until", now):
        shown.update(
            LastUpdateStatus="InProgress",
            LastUpdateStatusReasonCode="Creating",
            LastUpdateStatusReason="The function is being created.",
        )
    elif notes.get("update_failure"):
        shown.update(
            LastUpdateStatus="Failed",
            LastUpdateStatusReasonCode=notes["update_failure"],
            LastUpdateStatusReason="The update could not be made.",
        )
    return reply


@rules(*_CONFIGURATION)
def a_new_role_cannot_be_assumed_yet(call: Call, proceed: Proceed) -> Reply:
    """For 8 s after it was made."""
    role = role_of(call)
    if "Role" in call.params and role is not None and not call.life.after(role, "made", ASSUMABLE_S):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")
    return proceed()


@rules(*_CONFIGURATION)
def a_changed_policy_reaches_lambda_late(call: Call, proceed: Proceed) -> Reply:
    """What the role might do 6 s ago is what it may do, of an old role too."""
    role = role_of(call)
    if role is not None and call.params.get("VpcConfig", {}).get("SubnetIds"):
        check_interfaces(documents_at(role, call.life.now() - POLICY_S))
    return proceed()


@rules(*_CONFIGURATION)
def a_key_is_granted_late(call: Call, proceed: Proceed) -> Reply:
    """For 5 s after a key was made or its policy changed, Lambda cannot make itself a grant."""
    reference = call.params.get("KMSKeyArn")
    key = key_of(call, reference) if reference else None
    if key is not None and not call.life.after(key, SPREADS, _GRANT_S):
        raise invalid(
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for "
            f"CreateGrant. Please check your KMS key settings. KMS key: {reference}"
        )
    return proceed()


@rules(*_CONFIGURATION)
def a_key_is_used_by_a_grant(call: Call, proceed: Proceed) -> Reply:
    """Which shows that the key is in use."""
    reply = proceed()
    function = function_of(call)
    if "KMSKeyArn" in call.params:
        _take_back_grant(function)
    if call.params.get("KMSKeyArn"):
        key = key_of(call, call.params["KMSKeyArn"])
        asked = {"KeyId": key.id, "GranteePrincipal": function.role, "Operations": ["Decrypt", "Encrypt"]}
        kept(function)["grant"] = (key, call.send("kms", "CreateGrant", asked)["GrantId"])
    return reply


@rules("DeleteFunction")
def a_function_gives_its_grant_back(call: Call, proceed: Proceed) -> Reply:
    """When it goes."""
    function = function_of(call)
    reply = proceed()
    _take_back_grant(function)
    return reply


def _take_back_grant(function: Any) -> None:
    key, grant = kept(function).pop("grant", (None, ""))
    if key is not None:
        key.grants.pop(grant, None)


@rules(*_AT_REST)
def a_function_takes_one_change_at_a_time(call: Call, proceed: Proceed) -> Reply:
    """And none while it is being made."""
    function = function_of(call)
    now, notes = call.life.now(), kept(function)
    if now < notes.get("made_until", now):
        raise Fault(
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        )
    if now < notes.get("updated_until", now):
        raise Fault(
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource: "
            f"{function.function_arn}",
        )
    return proceed()


@rules("CreateFunction")
def a_function_is_pending_first(call: Call, proceed: Proceed) -> Reply:
    """For over a minute where it is the first in its subnets and groups; or it fails, for a reason AWS names."""
    takes = NETWORK_S if missing(call, call.params.get("VpcConfig", {})) else _CREATE_S
    reply = proceed()
    kept(function_of(call)).update(made_until=call.life.now() + takes, failure=call.life.demanded("lambda.create"))
    return reply


@rules(*_UPDATES)
def an_update_is_in_progress_first(call: Call, proceed: Proceed) -> Reply:
    """Its values show at once; where it fails what was before stays in force, and only its status tells."""
    takes = NETWORK_S if missing(call, call.params.get("VpcConfig", {})) else _UPDATE_S
    reply = proceed()
    kept(function_of(call)).update(
        updated_until=call.life.now() + takes, update_failure=call.life.demanded("lambda.update")
    )
    return reply
