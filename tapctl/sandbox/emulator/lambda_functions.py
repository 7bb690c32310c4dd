"""Lambda: what a function needs to be accepted. How it is shown and changed is in `lambda_shown`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from tapctl.sandbox.emulator.iam import documents
from tapctl.sandbox.emulator.kms import key_of
from tapctl.sandbox.emulator.rules import Call, Fault, Proceed, Reply, Rules, kept

rules = Rules("lambda")

_CODE = ("CreateFunction", "UpdateFunctionCode")
_CONFIGURATION = ("CreateFunction", "UpdateFunctionConfiguration")
_IMAGE = re.compile(r"(?P<uri>[^/]+/(?P<repository>[^:@]+))(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
# Lambda's own checks of a role that is to work in a VPC.
_FOR_A_VPC = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
CONCURRENCY, UNRESERVED_FLOOR = 1000, 100


def functions(call: Call) -> dict[str, Any]:
    """All functions of the region, by name, as moto keeps them."""
    return {one.function_name: one for one in call.moto("lambda").list_functions()}


def function_of(call: Call) -> Any:
    """The function a call names, by name or ARN.

    Raises:
        Fault: there is none.
    """
    name = call.params["FunctionName"].rsplit(":function:", 1)[-1].split(":")[0]
    found = functions(call).get(name)
    if found is None:
        arn = call.arn("lambda", f"function:{name}")
        raise Fault("ResourceNotFoundException", f"Function not found: {arn}")
    return found


def invalid(message: str) -> Fault:
    """Lambda's refusal of a parameter."""
    return Fault("InvalidParameterValueException", message)


def role_of(call: Call) -> Any:
    """The role that the function of a call has, or is to have; None when there is no such role."""
    arn = call.params.get("Role") or function_of(call).role
    return next((one for one in call.moto("iam", call.partition).roles.values() if one.arn == arn), None)


@rules(*_CONFIGURATION)
def a_function_needs_a_role_it_can_assume(call: Call, proceed: Proceed) -> Reply:
    """The role exists and trusts Lambda."""
    if "Role" in call.params:
        role = role_of(call)
        trust = role.assume_role_policy_document if role is not None else ""
        if "lambda.amazonaws.com" not in str(trust):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")
    return proceed()


@rules(*_CONFIGURATION)
def a_function_in_a_vpc_needs_its_network(call: Call, proceed: Proceed) -> Reply:
    """Subnets and groups exist in one VPC, and the role may make network interfaces."""
    wanted = call.params.get("VpcConfig", {})
    subnets, groups = wanted.get("SubnetIds", []), wanted.get("SecurityGroupIds", [])
    if not subnets and not groups:
        return proceed()
    known_subnets = {one.id: one.vpc_id for one in call.moto("ec2").describe_subnets()}
    known_groups = {one.id: one.vpc_id for one in call.moto("ec2").describe_security_groups()}
    for ids, known, code in (
        (subnets, known_subnets, "InvalidSubnetID.NotFound"),
        (groups, known_groups, "InvalidGroup.NotFound"),
    ):
        unknown = [id_ for id_ in ids if id_ not in known]
        if unknown:
            raise invalid(f"Error occurred while validating VpcConfig. EC2 Error Code: {code}: {unknown[0]}")
    if len({*(known_subnets[id_] for id_ in subnets), *(known_groups[id_] for id_ in groups)}) > 1:
        raise invalid("The subnets and security groups of a function must be of the same VPC.")
    role = role_of(call)
    check_interfaces(documents(role) if role is not None else [])
    return proceed()


def check_interfaces(policies: list[Any]) -> None:
    """See that a role with these policies may manage network interfaces, all of them.

    Raises:
        Fault: it may not, in Lambda's words.
    """
    for action in _FOR_A_VPC:
        if not any(fnmatchcase(action, allowed) for allowed in _allowed(policies)):
            name = action.partition(":")[2]
            raise invalid(f"The provided execution role does not have permissions to call {name} on EC2")


def _allowed(policies: list[Any]) -> list[str]:
    """The actions that they allow on everything: Lambda's check names no resource."""
    statements = [one for document in policies for one in _listed(document["Statement"])]
    return [
        action
        for one in statements
        if one["Effect"] == "Allow" and "*" in _listed(one.get("Resource", []))
        for action in _listed(one.get("Action", []))
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@rules(*_CONFIGURATION)
def a_function_needs_a_usable_key(call: Call, proceed: Proceed) -> Reply:
    """The key of the environment exists and is enabled."""
    reference = call.params.get("KMSKeyArn")
    if reference:
        key = key_of(call, reference)
        if key is None or key.key_state != "Enabled":
            raise invalid(
                "Lambda was unable to configure access to your environment variables because the KMS key is invalid "
                f"for CreateGrant. Please check your KMS key settings. KMS key: {reference}"
            )
    return proceed()


@rules("UpdateFunctionCode")
def a_package_type_stays(call: Call, proceed: Proceed) -> Reply:
    """A zip does not become an image, nor an image a zip."""
    type_ = function_of(call).package_type
    if ("ImageUri" in call.params) != (type_ == "Image"):
        raise invalid(f"The function's package type is {type_}: please use the parameters of that type.")
    return proceed()


@rules(*_CODE)
def an_image_must_exist(call: Call, proceed: Proceed) -> Reply:
    """The image is in ECR, in this region; its digest is what is deployed, whatever its tag means later."""
    code = call.params["Code"] if call.operation == "CreateFunction" else call.params
    if "ImageUri" not in code:
        return proceed()
    uri, digest = _resolved(call, code["ImageUri"])
    proceed()
    function = function_of(call)
    function.code_sha_256 = digest.removeprefix("sha256:")
    kept(function)["resolved"] = f"{uri}@{digest}"
    return call.ask("GetFunctionConfiguration", FunctionName=function.function_name)


def _resolved(call: Call, uri: str) -> tuple[str, str]:
    parts = _IMAGE.fullmatch(uri)
    if parts is not None and parts["uri"].startswith(f"{call.account}.dkr.ecr.{call.region}."):
        repository = call.moto("ecr").repositories.get(parts["repository"])
        for image in repository.images if repository is not None else ():
            digest: str = image.get_image_digest()
            if (parts["tag"] is None or parts["tag"] in image.image_tags) and parts["digest"] in (None, digest):
                return parts["uri"], digest
    raise invalid(f"Source image {uri} does not exist. Provide a valid source image.")


@rules("PutFunctionConcurrency")
def some_concurrency_stays_unreserved(call: Call, proceed: Proceed) -> Reply:
    """An account's functions without a reservation keep 100 executions among them."""
    mine = function_of(call)
    others = sum(one.reserved_concurrency or 0 for one in functions(call).values() if one is not mine)
    if CONCURRENCY - others - call.params["ReservedConcurrentExecutions"] < UNRESERVED_FLOOR:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{UNRESERVED_FLOOR}]."
        )
    return proceed()


@rules("GetAccountSettings")
def account_settings_are_known(call: Call, _: Proceed) -> Reply:
    """Moto has no GetAccountSettings; the limits are those of an account nobody has raised."""
    every = functions(call).values()
    reserved = sum(one.reserved_concurrency or 0 for one in every)
    return {
        "AccountLimit": {
            "TotalCodeSize": 80530636800,
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - reserved,
        },
        "AccountUsage": {"TotalCodeSize": sum(one.code_size for one in every), "FunctionCount": len(every)},
    }
