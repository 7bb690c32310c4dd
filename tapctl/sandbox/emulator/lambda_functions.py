"""Lambda functions: the requirements of a function, its representation, and its states over time.

Times and words are AWS's usual ones (Lambda developer guide, "Function states"; what terraform-provider-aws retries in
internal/service/lambda/function.go).
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from tapctl.sandbox.emulator.iam import ASSUMABLE_S, POLICY_S, policy_documents, policy_documents_at
from tapctl.sandbox.emulator.kms import POLICY_CHANGED, key_of
from tapctl.sandbox.emulator.policies import ALLOWED, decide
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

acceptance, representation, timing = Rules("lambda"), Rules("lambda"), Rules("lambda")
SERVICE: Final = Service(
    name="lambda",
    timing=(timing,),
    contract=(representation, acceptance),
    throttling="TooManyRequestsException",
    tags=Tags(
        returned_by=("GetFunction", "ListTags"),
        taken_by=("CreateFunction", "TagResource", "UntagResource"),
        refusal="InvalidParameterValueException",
    ),
    indexed=("CreateFunction", "DeleteFunction", "TagResource", "UntagResource"),
)

_CODE: Final = ("CreateFunction", "UpdateFunctionCode")
_UPDATES: Final = ("UpdateFunctionCode", "UpdateFunctionConfiguration")
_CONFIGURATION: Final = ("CreateFunction", "UpdateFunctionConfiguration")
_IMAGE: Final = re.compile(
    r"(?P<uri>[^/]+/(?P<repository>[^:@]+))(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# Actions that Lambda checks the role of a function in a VPC for.
_FOR_A_VPC: Final = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
CONCURRENCY, UNRESERVED_FLOOR = 1000, 100
_WITHOUT_LAMBDA: Final = frozenset({"use1-az3"})
"""Zones, by their ids, that Lambda has no interfaces in."""
# Actions that Lambda checks the role of a function for that a queue feeds.
_FOR_A_QUEUE: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_MAPPINGS_A_PAGE: Final = 100
_NEW_ACCOUNT_CONCURRENCY, _NEW_ACCOUNT_MB = 10, 3008


def functions_by_name(request: Request) -> dict[str, Any]:
    """Return all functions of the region by name, as moto's objects."""
    return {function.function_name: function for function in request.backend("lambda").list_functions()}


def function_of(request: Request) -> Any:
    """Return the function that a request names, by name or ARN, as moto's object.

    Raises:
        ServiceError: there is none.
    """
    name = request.params["FunctionName"].rsplit(":function:", 1)[-1].split(":")[0]
    function = functions_by_name(request).get(name)
    if function is None:
        arn = request.arn("lambda", f"function:{name}")
        raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}")
    return function


def invalid_parameter(message: str) -> ServiceError:
    """Make Lambda's refusal of a parameter."""
    return ServiceError("InvalidParameterValueException", message)


def role_of(request: Request) -> Any:
    """Return the role that a request's function has or is to have; None if that role is missing."""
    arn = request.params.get("Role") or function_of(request).role
    return next((role for role in request.backend("iam", request.partition).roles.values() if role.arn == arn), None)


@acceptance(*_CONFIGURATION)
def a_function_needs_a_role_it_can_assume(request: Request, proceed: Next) -> Reply:
    """The role of a function exists and trusts Lambda."""
    if "Role" in request.params:
        role = role_of(request)
        trust = role.assume_role_policy_document if role is not None else ""
        if "lambda.amazonaws.com" not in str(trust):
            raise invalid_parameter("The role defined for the function cannot be assumed by Lambda.")
    return proceed()


@acceptance(*_CONFIGURATION)
def a_function_in_a_vpc_needs_its_network(request: Request, proceed: Next) -> Reply:
    """Subnets and groups exist in one VPC, and the role may make network interfaces."""
    wanted = request.params.get("VpcConfig", {})
    subnets, groups = wanted.get("SubnetIds", []), wanted.get("SecurityGroupIds", [])
    if not subnets and not groups:
        return proceed()
    known_subnets = {subnet.id: subnet.vpc_id for subnet in request.backend("ec2").describe_subnets()}
    known_groups = {group.id: group.vpc_id for group in request.backend("ec2").describe_security_groups()}
    for ids, known, code in (
        (subnets, known_subnets, "InvalidSubnetID.NotFound"),
        (groups, known_groups, "InvalidGroup.NotFound"),
    ):
        unknown = [id_ for id_ in ids if id_ not in known]
        if unknown:
            raise invalid_parameter(f"Error occurred while validating VpcConfig. EC2 Error Code: {code}: {unknown[0]}")
    if len({*(known_subnets[id_] for id_ in subnets), *(known_groups[id_] for id_ in groups)}) > 1:
        raise invalid_parameter("The subnets and security groups of a function must be of the same VPC.")
    role = role_of(request)
    check_may_manage_interfaces(policy_documents(role) if role is not None else [])
    return proceed()


@acceptance(*_CONFIGURATION)
def a_function_is_in_zones_that_lambda_serves(request: Request, proceed: Next) -> Reply:
    """A subnet in a zone that Lambda does not serve is refused; a script (``lambda.zone``, its id) names one more.

    The words are those of keboola/developer-portal#81.
    """
    named = notes_on(request.backend("lambda")).setdefault("unserved", set())
    if zone := request.simulation.next_outcome("lambda.zone"):
        named.add(zone)
    subnets = request.params.get("VpcConfig", {}).get("SubnetIds", [])
    zones = {each.availability_zone_id for each in request.backend("ec2").describe_subnets() if each.id in subnets}
    if zones & (_WITHOUT_LAMBDA | named):
        raise invalid_parameter(
            "The provided subnets contain availability zone Lambda doesn't support. Please use a different set of "
            "subnets."
        )
    return proceed()


def check_may_manage_interfaces(policies: list[Any]) -> None:
    """Check that a role with these policies may manage all network interfaces.

    Raises:
        ServiceError: the role may not, in Lambda's words.
    """
    for action in _FOR_A_VPC:
        if not any(fnmatchcase(action, allowed) for allowed in _allowed(policies)):
            name = action.partition(":")[2]
            raise invalid_parameter(f"The provided execution role does not have permissions to call {name} on EC2")


def _allowed(policies: list[Any]) -> list[str]:
    """Collect the actions that policies allow on everything: Lambda's check names no resource."""
    statements = [statement for document in policies for statement in _listed(document["Statement"])]
    return [
        action
        for statement in statements
        if statement["Effect"] == "Allow" and "*" in _listed(statement.get("Resource", []))
        for action in _listed(statement.get("Action", []))
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@acceptance(*_CONFIGURATION)
def a_function_needs_a_usable_key(request: Request, proceed: Next) -> Reply:
    """The key of the environment exists and is enabled."""
    reference = request.params.get("KMSKeyArn")
    if reference:
        key = key_of(request, reference)
        if key is None or key.key_state != "Enabled":
            raise invalid_parameter(
                "Lambda was unable to configure access to your environment variables because the KMS key is invalid "
                f"for CreateGrant. Please check your KMS key settings. KMS key: {reference}"
            )
    return proceed()


@acceptance("UpdateFunctionCode")
def a_package_type_stays(request: Request, proceed: Next) -> Reply:
    """A zip does not become an image, nor an image a zip."""
    type_ = function_of(request).package_type
    if ("ImageUri" in request.params) != (type_ == "Image"):
        raise invalid_parameter(f"The function's package type is {type_}: please use the parameters of that type.")
    return proceed()


@acceptance(*_CODE)
def an_image_must_exist(request: Request, proceed: Next) -> Reply:
    """The image is in ECR, in this region; its digest is deployed, whatever its tag means later.

    Another account's repository needs a policy that lets Lambda in (any, here).
    """
    code = request.params["Code"] if request.operation == "CreateFunction" else request.params
    if "ImageUri" not in code:
        return proceed()
    uri, digest = _resolved(request, code["ImageUri"])
    proceed()
    function = function_of(request)
    function.code_sha_256 = digest.removeprefix("sha256:")
    notes_on(function)["resolved"] = f"{uri}@{digest}"
    return request.call("GetFunctionConfiguration", FunctionName=function.function_name)


def _resolved(request: Request, uri: str) -> tuple[str, str]:
    parts = _IMAGE.fullmatch(uri)
    if parts is not None and f".dkr.ecr.{request.region}." in parts["uri"]:
        owner = parts["uri"].partition(".")[0]
        repository = replace(request, account=owner).backend("ecr").repositories.get(parts["repository"])
        if repository is not None and owner != request.account and repository.policy is None:
            raise ServiceError(
                "AccessDeniedException",
                "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
            )
        for image in repository.images if repository is not None else ():
            digest: str = image.get_image_digest()
            if (parts["tag"] is None or parts["tag"] in image.image_tags) and parts["digest"] in (None, digest):
                return parts["uri"], digest
    raise invalid_parameter(f"Source image {uri} does not exist. Provide a valid source image.")


@acceptance("PutFunctionConcurrency")
def some_concurrency_stays_unreserved(request: Request, proceed: Next) -> Reply:
    """An account's functions without a reservation keep 100 executions among them."""
    mine = function_of(request)
    others = sum(
        function.reserved_concurrency or 0 for function in functions_by_name(request).values() if function is not mine
    )
    limit = _concurrency(request)
    floor = min(UNRESERVED_FLOOR, limit)
    if limit - others - request.params["ReservedConcurrentExecutions"] < floor:
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{floor}]."
        )
    return proceed()


@acceptance("GetAccountSettings")
def account_settings_are_known(request: Request, _: Next) -> Reply:
    """Moto has no GetAccountSettings; the limits are those of an account without raised quotas."""
    every, limit = functions_by_name(request).values(), _concurrency(request)
    reserved = sum(function.reserved_concurrency or 0 for function in every)
    return {
        "AccountLimit": {
            "TotalCodeSize": 80530636800,
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": limit - reserved,
        },
        "AccountUsage": {"TotalCodeSize": sum(function.code_size for function in every), "FunctionCount": len(every)},
    }


@acceptance("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy")
def a_resource_policy_is_one_document(request: Request, _: Next) -> Reply:
    """A policy is put, shown and deleted whole, whatever AddPermission has put into it; moto has none of the three.

    Its statements need no Sid (Lambda developer guide, "Working with resource-based policies in Lambda").
    """
    policy = function_of(replace(request, params={"FunctionName": request.params["ResourceArn"]})).policy
    if request.operation == "PutResourcePolicy":
        policy.statements, policy.revision = (
            _listed(json.loads(request.params["Policy"])["Statement"]),
            str(uuid.uuid4()),
        )
    if not policy.statements:
        raise ServiceError("ResourceNotFoundException", "The resource you requested does not exist.")
    shown = policy.get_policy()
    if request.operation == "DeleteResourcePolicy":
        policy.statements = []
        return {}
    return {**shown, "Policy": json.dumps(shown["Policy"])}


@acceptance("ListCapacityProviders")
def capacity_is_of_no_provider(request: Request, _: Next) -> Reply:  # noqa: ARG001 -- there is none in any account
    """Moto has no ListCapacityProviders; functions run on Lambda's own."""
    return {"CapacityProviders": []}


@acceptance("CreateFunction", "UpdateFunctionConfiguration")
def a_new_account_has_less_memory(request: Request, proceed: Next) -> Reply:
    """An account that is new (script ``lambda.account``) gives a function 3008 MB at most.

    The text is that of remotion-dev/template-next-app-dir#6; the limits are in the Lambda guide, "Lambda quotas".
    """
    memory = request.params.get("MemorySize", 0)
    if _is_new_account(request) and memory > _NEW_ACCOUNT_MB:
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value '{memory}' at 'memorySize' failed to satisfy constraint: Member must "
            f"have value less than or equal to {_NEW_ACCOUNT_MB}",
        )
    return proceed()


def _is_new_account(request: Request) -> bool:
    notes = notes_on(request.backend("lambda"))
    if not notes.get("new") and request.simulation.next_outcome("lambda.account"):
        notes["new"] = True
    return bool(notes.get("new"))


def _concurrency(request: Request) -> int:
    """Tell how many executions the account may have at a time."""
    return _NEW_ACCOUNT_CONCURRENCY if _is_new_account(request) else CONCURRENCY


@acceptance("CreateEventSourceMapping")
def a_function_has_to_read_its_queue(request: Request, proceed: Next) -> Reply:
    """The role of a function that a queue is to feed may read the queue (Lambda guide, "Using Lambda with SQS").

    The words are those of aws/aws-cdk#6770.
    """
    source, role = request.params.get("EventSourceArn", ""), role_of(request)
    for action in _FOR_A_QUEUE if ":sqs:" in source else ():
        documents = policy_documents(role) if role is not None else []
        if decide(documents, f"sqs:{action}", source, {}) != ALLOWED:
            raise invalid_parameter(f"The provided execution role does not have permissions to call {action} on SQS")
    return proceed()


_ATTACHED: Final = ("DeadLetterConfig", "FileSystemConfigs", "SnapStart")


# -- representation --------------------------------------------------------------------------------------------------


@representation("CreateFunction", *_UPDATES, "GetFunction", "GetFunctionConfiguration")
def a_function_is_shown_whole(request: Request, proceed: Next) -> Reply:
    """A function is returned with VPC, logging, revision, resolved digest, and a reservation of 0 too."""
    reply = proceed()
    function = function_of(request)
    shown = reply["Configuration"] if request.operation == "GetFunction" else reply
    notes = notes_on(function)
    shown["RevisionId"] = notes.setdefault("revision", str(uuid.uuid4()))
    shown["LoggingConfig"] = _logging(function, notes.get("logging", {}))
    if shown.get("VpcConfig", {}).get("SubnetIds"):
        id_ = shown["VpcConfig"]["SubnetIds"][0]
        vpc = next(subnet.vpc_id for subnet in request.backend("ec2").describe_subnets() if subnet.id == id_)
        shown["VpcConfig"].update(VpcId=vpc, Ipv6AllowedForDualStack=notes.get("ipv6", False))
    else:
        shown.pop("VpcConfig", None)
    if request.operation == "GetFunction":
        if "resolved" in notes:
            reply["Code"]["ResolvedImageUri"] = notes["resolved"]
        if function.reserved_concurrency is not None:
            reply["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return reply


def _logging(function: Any, config: dict[str, Any]) -> dict[str, Any]:
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if config.get("LogFormat") == "JSON" else {}
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}", **levels, **config}


@representation("CreateFunction", "UpdateFunctionConfiguration")
def logging_is_kept(request: Request, proceed: Next) -> Reply:
    """LoggingConfig is stored; moto drops it."""
    reply = proceed()
    if "LoggingConfig" in request.params:
        notes_on(function_of(request))["logging"] = request.params["LoggingConfig"]
    return reply


@representation("CreateFunction", *_UPDATES, "GetFunction", "GetFunctionConfiguration")
def what_is_attached_is_kept(request: Request, proceed: Next) -> Reply:
    """Dead-letter target, file systems and SnapStart are stored and shown; moto drops them."""
    reply = proceed()
    attached = notes_on(function_of(request)).setdefault("attached", {})
    shown = reply["Configuration"] if request.operation == "GetFunction" else reply
    if request.operation in _CONFIGURATION:
        attached.update({name: request.params[name] for name in _ATTACHED if name in request.params})
    shown.update({name: value for name, value in attached.items() if value not in ([], {"TargetArn": ""})})
    return reply


@representation("CreateFunction", "UpdateFunctionConfiguration")
def traffic_may_leave_by_ipv6(request: Request, proceed: Next) -> Reply:
    """Ipv6AllowedForDualStack is stored (Lambda API reference, VpcConfig); moto drops it."""
    reply = proceed()
    allowed = request.params.get("VpcConfig", {}).get("Ipv6AllowedForDualStack")
    if allowed is not None:
        notes_on(function_of(request))["ipv6"] = allowed
    return reply


@representation("ListEventSourceMappings")
def mappings_are_found_by_their_function(request: Request, proceed: Next) -> Reply:
    """Mappings are listed by the function's name or ARN, 100 a page, and without the function too.

    Moto compares the text that a mapping was made with. DeleteFunction leaves mappings to DeleteEventSourceMapping.
    """
    name = request.params.pop("FunctionName", "").rsplit(":function:", 1)[-1]
    found = [
        each
        for each in proceed()["EventSourceMappings"]
        if not name or each["FunctionArn"].endswith(f":function:{name}")
    ]
    begin = int(request.params.get("Marker") or 0)
    end = begin + min(request.params.get("MaxItems", _MAPPINGS_A_PAGE), _MAPPINGS_A_PAGE)
    more = {"NextMarker": str(end)} if end < len(found) else {}
    return {"EventSourceMappings": found[begin:end], **more}


@representation("ListFunctionUrlConfigs")
def function_urls_are_listed(request: Request, proceed: Next) -> Reply:  # noqa: ARG001 -- moto only gets one
    """The URL of a function is listed."""
    url = function_of(request).url_config
    return {"FunctionUrlConfigs": [url.to_dict()] if url is not None else []}


@representation(*_UPDATES)
def a_change_is_of_a_revision(request: Request, proceed: Next) -> Reply:
    """A RevisionId that is not the last one is refused; each change makes a new one."""
    notes = notes_on(function_of(request))
    if request.params.pop("RevisionId", notes.get("revision")) != notes.get("revision"):
        raise ServiceError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
        )
    proceed()
    notes["revision"] = str(uuid.uuid4())
    return request.call("GetFunctionConfiguration", FunctionName=function_of(request).function_name)


@representation("UpdateFunctionCode")
def an_architecture_comes_with_the_code(request: Request, proceed: Next) -> Reply:
    """Architectures are stored with new code; moto ignores them in updates."""
    reply = proceed()
    if "Architectures" in request.params:
        function_of(request).architectures = request.params["Architectures"]
    return reply


@representation("UpdateFunctionConfiguration")
def a_change_is_kept_whole(request: Request, proceed: Next) -> Reply:
    """Key, tracing, image configuration and ephemeral storage are stored; moto ignores them in updates."""
    request.params.get("Environment", {}).setdefault("Variables", {})
    reply = proceed()
    function, params = function_of(request), request.params
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


# -- timing ----------------------------------------------------------------------------------------------------------


NETWORK_S: Final = 75.0
_CREATE_S: Final = 4.0
_UPDATE_S: Final = 10.0
_FOUND_S: Final = 2.0
_GRANT_S: Final = 5.0
WAITS_FOR_NETWORK: Final = "waits for network"
"""The note on a function for which network interfaces were just made: see `lambda_interfaces`."""

# Operations that wait for a function to be at rest (their API references list ResourceConflictException).
_AT_REST: Final = (*_UPDATES, "PutFunctionConcurrency", "DeleteFunctionConcurrency", "Invoke", "PublishVersion")
_SHOWN: Final = ("CreateFunction", *_UPDATES, "GetFunction", "GetFunctionConfiguration")


@timing(*_SHOWN)
def states_are_shown(request: Request, proceed: Next) -> Reply:
    """State and LastUpdateStatus are returned with their reasons."""
    reply = proceed()
    shown = reply["Configuration"] if request.operation == "GetFunction" else reply
    now, notes = request.simulation.now(), notes_on(function_of(request))
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


@timing("GetFunction", "GetFunctionConfiguration")
def a_function_that_nobody_calls_is_inactive(request: Request, proceed: Next) -> Reply:
    """After weeks without a call (script ``lambda.rest``, its reason) a function is Inactive: its network is gone.

    Lambda developer guide, "Lambda function states"; the next change or call wakes it.
    """
    reply, notes = proceed(), notes_on(function_of(request))
    if reason := request.simulation.next_outcome("lambda.rest"):
        notes["rests"] = reason
    if "rests" in notes:
        shown = reply["Configuration"] if request.operation == "GetFunction" else reply
        shown.update(State="Inactive", StateReasonCode=notes["rests"], StateReason="The function is idle.")
    return reply


@timing("GetFunction")
def an_image_may_be_out_of_reach(request: Request, proceed: Next) -> Reply:
    """Where Lambda cannot read the image any more (script ``lambda.code``) the error stands in place of its digest.

    Lambda API reference, FunctionCodeLocation: Error.
    """
    reply, notes = proceed(), notes_on(function_of(request))
    if code := request.simulation.next_outcome("lambda.code"):
        notes["unread"] = code
    if "unread" in notes:
        reply["Code"].pop("ResolvedImageUri", None)
        reply["Code"]["Error"] = {"ErrorCode": notes["unread"], "Message": "Lambda cannot read the image."}
    return reply


@timing(*_CONFIGURATION)
def a_new_role_cannot_be_assumed_yet(request: Request, proceed: Next) -> Reply:
    """A role cannot be assumed for 8 s after its creation."""
    role = role_of(request)
    if "Role" in request.params and role is not None and not request.simulation.elapsed(role, "made", ASSUMABLE_S):
        raise invalid_parameter("The role defined for the function cannot be assumed by Lambda.")
    return proceed()


@timing(*_CONFIGURATION)
def a_changed_policy_reaches_lambda_late(request: Request, proceed: Next) -> Reply:
    """A role's rights are those of 6 s ago, an old role's too."""
    role = role_of(request)
    if role is not None and request.params.get("VpcConfig", {}).get("SubnetIds"):
        check_may_manage_interfaces(policy_documents_at(role, request.simulation.now() - POLICY_S))
    return proceed()


@timing(*_CONFIGURATION)
def a_key_is_granted_late(request: Request, proceed: Next) -> Reply:
    """Lambda cannot make a grant for 5 s after a key was made or its policy changed."""
    reference = request.params.get("KMSKeyArn")
    key = key_of(request, reference) if reference else None
    if key is not None and not request.simulation.elapsed(key, POLICY_CHANGED, _GRANT_S):
        found = request.simulation.elapsed(key, POLICY_CHANGED, _FOUND_S)
        why = "is invalid for CreateGrant" if found else "was not found"
        raise invalid_parameter(
            f"Lambda was unable to configure access to your environment variables because the KMS key {why}. Please "
            f"check your KMS key settings. KMS key: {reference}"
        )
    return proceed()


@timing(*_CONFIGURATION)
def a_key_is_used_by_a_grant(request: Request, proceed: Next) -> Reply:
    """Lambda makes a grant for the key, which shows that the key is in use."""
    reply = proceed()
    function = function_of(request)
    if "KMSKeyArn" in request.params:
        _take_back_grant(function)
    if request.params.get("KMSKeyArn"):
        key = key_of(request, request.params["KMSKeyArn"])
        params = {
            "KeyId": key.id,
            "GranteePrincipal": function.role,
            "RetiringPrincipal": f"lambda.{request.region}.amazonaws.com",
            "Operations": ["Decrypt", "Encrypt"],
            "Constraints": {"EncryptionContextEquals": {"aws:lambda:FunctionArn": function.function_arn}},
        }
        notes_on(function)["grant"] = (key, request.send("kms", "CreateGrant", params)["GrantId"])
    return reply


@timing("DeleteFunction")
def a_function_gives_its_grant_back(request: Request, proceed: Next) -> Reply:
    """A deleted function's grant is retired."""
    function = function_of(request)
    reply = proceed()
    _take_back_grant(function)
    return reply


def _take_back_grant(function: Any) -> None:
    key, grant = notes_on(function).pop("grant", (None, ""))
    if key is not None:
        key.grants.pop(grant, None)


@timing(*_AT_REST)
def a_function_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Changes are refused while another goes on, and while the function is pending."""
    function = function_of(request)
    now, notes = request.simulation.now(), notes_on(function)
    if now < notes.get("made_until", now):
        raise ServiceError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
        )
    if now < notes.get("updated_until", now):
        raise ServiceError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource: "
            f"{function.function_arn}",
        )
    return proceed()


@timing("CreateFunction")
def a_function_is_pending_first(request: Request, proceed: Next) -> Reply:
    """A new function is pending, for over a minute if its network interfaces are new; it may fail, as scripted."""
    reply = proceed()
    takes = NETWORK_S if notes_on(function_of(request)).pop(WAITS_FOR_NETWORK, False) else _CREATE_S
    notes_on(function_of(request)).update(
        made_until=request.simulation.now() + takes, failure=request.simulation.next_outcome("lambda.create")
    )
    return reply


@timing(*_UPDATES)
def an_update_is_in_progress_first(request: Request, proceed: Next) -> Reply:
    """New values show at once; after a failed update the old ones stay in force, and only the status tells."""
    reply = proceed()
    takes = NETWORK_S if notes_on(function_of(request)).pop(WAITS_FOR_NETWORK, False) else _UPDATE_S
    notes_on(function_of(request)).update(
        updated_until=request.simulation.now() + takes, update_failure=request.simulation.next_outcome("lambda.update")
    )
    return reply
