"""Lambda: how a function is shown, what a change keeps, and its revisions."""

from __future__ import annotations

import uuid
from typing import Any

from tapctl.sandbox.emulator.lambda_functions import function_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("lambda")

_CHANGE = ("UpdateFunctionCode", "UpdateFunctionConfiguration")


@rules("CreateFunction", *_CHANGE, "GetFunction", "GetFunctionConfiguration")
def a_function_is_shown_whole(call: Call, proceed: Proceed) -> Reply:
    """With its VPC, logging, revision, the digest it was resolved to, and a reservation of 0 too."""
    reply = proceed()
    function = function_of(call)
    shown = reply["Configuration"] if call.operation == "GetFunction" else reply
    notes = kept(function)
    shown["RevisionId"] = notes.setdefault("revision", str(uuid.uuid4()))
    shown["LoggingConfig"] = _logging(function, notes.get("logging", {}))
    if shown.get("VpcConfig", {}).get("SubnetIds"):
        subnet = shown["VpcConfig"]["SubnetIds"][0]
        vpc = next(one.vpc_id for one in call.moto("ec2").describe_subnets() if one.id == subnet)
        shown["VpcConfig"].update(VpcId=vpc, Ipv6AllowedForDualStack=False)
    else:
        shown.pop("VpcConfig", None)
    if call.operation == "GetFunction":
        if "resolved" in notes:
            reply["Code"]["ResolvedImageUri"] = notes["resolved"]
        if function.reserved_concurrency is not None:
            reply["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return reply


def _logging(function: Any, asked: dict[str, Any]) -> dict[str, Any]:
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if asked.get("LogFormat") == "JSON" else {}
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}", **levels, **asked}


@rules("CreateFunction", "UpdateFunctionConfiguration")
def logging_is_kept(call: Call, proceed: Proceed) -> Reply:
    """LoggingConfig, which moto drops."""
    reply = proceed()
    if "LoggingConfig" in call.params:
        kept(function_of(call))["logging"] = call.params["LoggingConfig"]
    return reply


@rules(*_CHANGE)
def a_change_is_of_a_revision(call: Call, proceed: Proceed) -> Reply:
    """A RevisionId that is not the last one is refused; each change makes a new one."""
    notes = kept(function_of(call))
    if call.params.pop("RevisionId", notes.get("revision")) != notes.get("revision"):
        raise Fault(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
        )
    proceed()
    notes["revision"] = str(uuid.uuid4())
    return call.ask("GetFunctionConfiguration", FunctionName=function_of(call).function_name)


@rules("UpdateFunctionCode")
def an_architecture_comes_with_the_code(call: Call, proceed: Proceed) -> Reply:
    """Architectures, which moto ignores in updates."""
    reply = proceed()
    if "Architectures" in call.params:
        function_of(call).architectures = call.params["Architectures"]
    return reply


@rules("UpdateFunctionConfiguration")
def a_change_is_kept_whole(call: Call, proceed: Proceed) -> Reply:
    """Key, tracing, image configuration and ephemeral storage, which moto ignores in updates."""
    call.params.get("Environment", {}).setdefault("Variables", {})
    reply = proceed()
    function, params = function_of(call), call.params
    if "KMSKeyArn" in params:
        function.kms_key_arn = params["KMSKeyArn"] or None
    if "TracingConfig" in params:
        function.tracing_config = params["TracingConfig"]
    if "EphemeralStorage" in params:
        function.ephemeral_storage = params["EphemeralStorage"]["Size"]
    if "ImageConfig" in params:
        image = params["ImageConfig"]
        function.image_config.cmd = image.get("Command", [])
        function.image_config.entry_point = image.get("EntryPoint", [])
        function.image_config.working_directory = image.get("WorkingDirectory")
    return reply
