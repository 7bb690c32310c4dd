"""A Lambda function, from an image or a zip.

AWS's facts are from the Lambda API reference and developer guide: CreateFunction, UpdateFunctionConfiguration,
UpdateFunctionCode (function states; VPC networking of functions).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws.policy import PolicyDocument, parse
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, NetworkInterfaceTypeDef
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

    from tapctl.aws.client import Aws


MISSING: Final = "ResourceNotFoundException"
INVALID: Final = "InvalidParameterValueException"
CONFLICT: Final = "ResourceConflictException"

# What is new in EC2 looks so to Lambda until EC2 has spread it; and what is gone for good.
NOT_IN_EC2: Final = {
    "invalidgroup.notfound": "EC2 does not show Lambda the security group yet",
    "invalidsubnetid.notfound": "EC2 does not show Lambda the subnets yet",
}
# What a new role, a changed policy or a new key's grant looks like to Lambda until IAM and KMS have spread it.
_SPREADING: Final = NOT_IN_EC2 | {
    "cannot be assumed by lambda": "Lambda cannot assume the role yet",
    "does not have permissions to call": "the role's policy has not reached Lambda yet",
    "key is invalid for creategrant": "Lambda may not use the KMS key yet",
}
# The first interface in a subnet takes minutes, for a new function as for one that moves; Lambda itself ends both.
_AT_WORK: Final = {
    "state: pending": "Lambda is still making the function",
    "in progress": "another update of this function is going on",
}


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches(INVALID, text="throttled by ec2"):
        return NotYet("EC2 is throttling Lambda", Patience.LONG)
    for code, texts, patience in ((INVALID, _SPREADING, Patience.PROPAGATION), (CONFLICT, _AT_WORK, Patience.LONG)):
        for text, reason in texts.items():
            if error.matches(code, text=text):
                return NotYet(reason, patience)
    if error.matches(CONFLICT):
        return NotYet(f"Lambda is busy with the function: {error.message}", Patience.BUSY)
    if error.matches(MISSING):
        return NotYet("Lambda does not show the function yet", Patience.PROPAGATION)
    return error


HIDDEN: Final = "(hidden)"

_UNSETTLED: Final = frozenset({"Pending", "Deactivating"})
# A promise in a wanted value (`tapctl.engine.refs`), and the only forms that what it stands for can have: while
# planning, the live value behind it has to be seen to be compared. Neither form is one of a password.
_PROMISE: Final = re.compile("⟦[^⟦⟧]*⟧")
_IDENTITY: Final = r"(?:arn:[\w-]+:[\w-]+:[\w-]*:\d*:[\w/:.+=@!-]+|[\w-]+(?:\.[\w-]+)*\.amazonaws\.com(?:\.cn)?)"


class LambdaFunctionSpec(Spec):
    """What tapctl owns on a function."""

    package_type: str
    """``Image`` or ``Zip``; fixed once made."""
    image_uri: str
    """``repository@sha256:…``, what AWS resolved it to; empty for a Zip."""
    code_sha256: str
    """The zip's SHA-256 in base64, as AWS tells it; empty for an Image."""
    runtime: str
    """Empty for an Image, as are ``handler`` and ``layers``."""
    handler: str
    role_arn: str
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]
    """Seen: names as they are, values other than the wanted ones as `HIDDEN`."""
    kms_key_arn: str
    """Encrypts the environment; empty: AWS's own key."""
    subnet_ids: frozenset[str]
    security_group_ids: frozenset[str]
    tracing: str
    """``Active`` or ``PassThrough``."""
    reserved_concurrency: int | None
    """None: nothing is reserved; 0: it does not run at all."""
    architecture: str = "x86_64"
    ephemeral_storage_mb: int = 512
    layers: tuple[str, ...] = ()
    log_format: str = "Text"
    """``Text`` or ``JSON``."""
    log_group: str
    description: str = ""
    image_config: str = ""
    """Canonical JSON of what overrides the image's entry point, command and directory; empty: nothing does."""
    resource_policy: PolicyDocument | None = None
    """Who else may invoke it. Wanted: nobody (None)."""
    update_failure: str = ""
    """Why AWS's last update of it failed: the one before is still in force, whatever the fields say. Wanted: empty."""
    tags: dict[str, str]


class LambdaFunctionOutputs(Outputs):
    """Its ARN, without a version."""

    arn: str


def observed_function(
    answer: GetFunctionResponseTypeDef,
    resource_policy: PolicyDocument | None,
    unread: dict[str, str],
    expected: LambdaFunctionSpec | None,
) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
    """GetFunction's answer, with the policy read beside it; ``unread`` names what could not be read there."""
    # Read as plain mappings: fields are there or not by the kind of function, and some are newer than the stubs.
    found: Mapping[str, Any] = answer["Configuration"]
    code: Mapping[str, Any] = answer["Code"]
    is_image = found.get("PackageType", "Zip") == "Image"
    vpc = found.get("VpcConfig", {})
    logging = found.get("LoggingConfig", {})
    state, update = _states(found)
    failed = _reason(found, "State") if state == "Failed" else None
    update_failure = _reason(found, "LastUpdateStatus") if update == "Failed" and failed is None else ""
    tags = {key: value for key, value in answer.get("Tags", {}).items() if not key.startswith("aws:")}
    owner = Owner.of(tags)
    if "TagsError" in answer:
        # A role that may not list tags gets the function all the same.
        tags, unread = expected.tags if expected else {}, {**unread, "tags": "lambda:ListTags"}
    environment = _shown(found.get("Environment", {}).get("Variables", {}), expected.environment if expected else {})
    if "Error" in found.get("Environment", {}):
        environment, unread = expected.environment if expected else {}, {**unread, "environment": "kms:Decrypt"}
    spec = LambdaFunctionSpec(
        package_type=found.get("PackageType", "Zip"),
        image_uri=code.get("ResolvedImageUri", "") if is_image else "",
        code_sha256="" if is_image else found.get("CodeSha256", ""),
        runtime=found.get("Runtime", ""),
        handler=found.get("Handler", ""),
        role_arn=found["Role"],
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        environment=environment,
        kms_key_arn=found.get("KMSKeyArn", ""),
        subnet_ids=frozenset(vpc.get("SubnetIds", ())),
        security_group_ids=frozenset(vpc.get("SecurityGroupIds", ())),
        tracing=found.get("TracingConfig", {}).get("Mode", "PassThrough"),
        reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        architecture=found.get("Architectures", ["x86_64"])[0],
        ephemeral_storage_mb=found.get("EphemeralStorage", {}).get("Size", 512),
        layers=tuple(one["Arn"] for one in found.get("Layers", ())),
        log_format=logging.get("LogFormat", "Text"),
        log_group=logging.get("LogGroup", f"/aws/lambda/{found['FunctionName']}"),
        description=found.get("Description", ""),
        image_config=_overrides(found, expected),
        resource_policy=resource_policy,
        update_failure=update_failure,
        tags=tags,
    )
    return Observed(
        spec,
        LambdaFunctionOutputs(arn=found["FunctionArn"]),
        settled=not at_work(answer),
        deleting=state == "Deleting",
        failure=failed,
        update_failure=update_failure or None,
        status=state if update == "Successful" else f"{state}, update {update} {update_failure}".rstrip(),
        owner=owner,
        unreadable=unread,
    )


def at_work(answer: GetFunctionResponseTypeDef) -> str:
    """What Lambda is doing with it, in its own words; empty where it is at rest."""
    state, update = _states(answer.get("Configuration", {}))
    if state in _UNSETTLED:
        return state
    return f"update {update}" if update == "InProgress" else ""


def _states(found: Mapping[str, Any]) -> tuple[str, str]:
    return found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")


def _reason(found: Mapping[str, Any], what: str) -> str:
    """AWS's reason code, and its sentence."""
    return f"{found.get(f'{what}ReasonCode', 'Unknown')}: {found.get(f'{what}Reason', 'AWS gives no reason')}"


def _shown(live: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: value if _is_wanted(value, wanted.get(name)) else HIDDEN for name, value in live.items()}


def _is_wanted(value: str, wanted: str | None) -> bool:
    if wanted is None or value == wanted:
        return wanted is not None
    if not _PROMISE.search(wanted):
        return False
    form = _IDENTITY.join(re.escape(part) for part in _PROMISE.split(wanted))
    return re.fullmatch(form, value) is not None


def _overrides(found: Mapping[str, Any], expected: LambdaFunctionSpec | None) -> str:
    """A command line may hold a secret just as a variable may."""
    config = {
        name: value for name, value in found.get("ImageConfigResponse", {}).get("ImageConfig", {}).items() if value
    }
    text = json.dumps(config, sort_keys=True) if config else ""
    return text if not text or (expected is not None and expected.image_config == text) else HIDDEN


# Lambda ends its interfaces' descriptions with one.
_UUID = re.compile(r"[0-9a-f-]{36}")


def leave_groups(aws: Aws, id: str, there: LambdaFunctionSpec) -> bool:
    """Move the function to its VPC's default group by one call, so that its interfaces hold no group of ours.

    False where it is there already, or where Lambda will not do it: its subnets, role or key may be gone by now.

    Raises:
        NotYet: Lambda will do it later.
    """
    try:
        # Told by Lambda: a subnet may be gone, and with it EC2's word of where it was.
        told = aws.read(aws.lambda_.get_function, FunctionName=id).get("Configuration", {}).get("VpcConfig", {})
        groups = _default_groups(aws, told.get("VpcId", ""))
        if not groups or there.security_group_ids == frozenset(groups):
            return False
        config: Any = {"SubnetIds": sorted(there.subnet_ids), "SecurityGroupIds": groups}
        aws.lambda_.update_function_configuration(FunctionName=id, VpcConfig=config)
    except AwsRefused as error:
        answer = classify(error)
        if error.matches(INVALID) and not _passes(aws, there, error, answer):
            return False
        raise answer from error
    return True


def _default_groups(aws: Aws, vpc_id: str) -> list[str]:
    filters: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [vpc_id]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    return [one["GroupId"] for one in aws.read(aws.ec2.describe_security_groups, Filters=filters)["SecurityGroups"]]


def _passes(aws: Aws, there: LambdaFunctionSpec, error: AwsRefused, answer: NotYet | AwsRefused) -> bool:
    """Whether this refusal ends by itself. What Lambda misses may be gone for good, and not on its way."""
    if isinstance(answer, AwsRefused) or answer.patience is Patience.LONG:
        return isinstance(answer, NotYet)
    if any(error.matches(INVALID, text=text) for text in NOT_IN_EC2):
        return False
    try:
        aws.read(aws.iam.get_role, RoleName=there.role_arn.rpartition("/")[2])
        if not there.kms_key_arn:
            return True
        return aws.read(aws.kms.describe_key, KeyId=there.kms_key_arn)["KeyMetadata"].get("KeyState") == "Enabled"
    except AwsRefused:
        return False


def lingering(aws: Aws, id: str) -> str | None:
    """What is left of a function that is gone, as a sentence."""
    start = f"AWS Lambda VPC ENI-{id}-"
    filters = [{"Name": "description", "Values": [f"{start}*"]}]
    pages = aws.pages(aws.ec2.get_paginator("describe_network_interfaces"), Filters=filters)
    # What follows is not always the UUID alone: another function's name may begin as this one's.
    named = [
        one
        for page in pages
        for one in page["NetworkInterfaces"]
        if _UUID.fullmatch(one.get("Description", "").removeprefix(start))
    ]
    left = sorted(one.get("NetworkInterfaceId", "") for one in _unused(aws, named))
    if not left:
        return None
    are = "interface" if len(left) == 1 else "interfaces"
    be = "is" if len(left) == 1 else "are"
    return f"network {are} {', '.join(left)} {be} still to be removed by Lambda, which may take 45 minutes"


def _unused(aws: Aws, interfaces: list[NetworkInterfaceTypeDef]) -> Iterable[NetworkInterfaceTypeDef]:
    """Those of them that no function uses any more; where functions may not be listed, all."""
    if not interfaces:
        return interfaces
    try:
        pages = aws.pages(aws.lambda_.get_paginator("list_functions"))
    except AwsRefused:
        return interfaces
    configs = [one.get("VpcConfig", {}) for page in pages for one in page["Functions"]]
    used = {
        (subnet, frozenset(config.get("SecurityGroupIds", ())))
        for config in configs
        for subnet in config.get("SubnetIds", ())
    }
    return [one for one in interfaces if _place(one) not in used]


def _place(interface: NetworkInterfaceTypeDef) -> tuple[str, frozenset[str]]:
    groups = frozenset(one.get("GroupId", "") for one in interface.get("Groups", ()))
    return interface.get("SubnetId", ""), groups


__all__ = ["LambdaFunction", "LambdaFunctionOutputs", "LambdaFunctionSpec"]

# Which parameter of UpdateFunctionConfiguration carries which field.
_CONFIGURATION: Final = {
    "description": "Description",
    "role_arn": "Role",
    "memory_mb": "MemorySize",
    "timeout_s": "Timeout",
    "environment": "Environment",
    "kms_key_arn": "KMSKeyArn",
    "subnet_ids": "VpcConfig",
    "security_group_ids": "VpcConfig",
    "tracing": "TracingConfig",
    "ephemeral_storage_mb": "EphemeralStorage",
    "log_format": "LoggingConfig",
    "log_group": "LoggingConfig",
    "runtime": "Runtime",
    "handler": "Handler",
    "layers": "Layers",
    "image_config": "ImageConfig",
}
_CODE: Final = frozenset({"image_uri", "code_sha256", "architecture"})
# Reason codes of a failed update that are about the code: ImageDeleted, InvalidImage, InvalidZipFileException …
_CODE_FAILED: Final = re.compile(r"(Invalid)?(Image|Zip)")


class LambdaFunction(Reconciler[LambdaFunctionSpec, LambdaFunctionOutputs]):
    """A function; its id is its name. ``content``: the zip's bytes, needed where a Zip is made or its code changes.

    A failed *update* is no ``failed`` function: the version before still serves, and replacing it would be an outage
    for as long as Lambda keeps its network interfaces. It is the field ``update_failure``, and is asked again.

    A function URL is not read: it answers nobody whom the resource policy, which is read, or their own IAM policy does
    not allow to invoke (Lambda developer guide, "Control access to Lambda function URLs").
    """

    type = "lambda-function"
    spec = LambdaFunctionSpec
    outputs = LambdaFunctionOutputs
    replaceable = True
    # Lambda removes its network interfaces with the function's role.
    leftovers_need = frozenset({"iam-role"})
    impacts: ClassVar[Mapping[str, Impact]] = {"package_type": Impact.REPLACE}
    # Lambda's network interfaces may stay for 45 minutes (terraform-provider-aws, ec2/vpc_network_interface.go).
    timing = Timing(create_s=60, delete_s=1200, longest_s=3600)

    def __init__(self, content: bytes | None = None) -> None:
        self._content = content

    def observe(
        self, aws: Aws, id: str, expected: LambdaFunctionSpec | None
    ) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs] | None:
        """Two reads: the function, with its tags and reserved concurrency, and its resource policy."""
        try:
            answer = aws.read(aws.lambda_.get_function, FunctionName=id)
        except AwsRefused as error:
            if error.matches(MISSING):
                return None
            raise
        policy: PolicyDocument | None = None
        unread: dict[str, str] = {}
        try:
            policy = parse(aws.read(aws.lambda_.get_policy, FunctionName=id)["Policy"])
        except AwsRefused as error:
            if error.is_denied:
                policy, unread = expected.resource_policy if expected else None, {"resource_policy": error.iam_action}
            elif not error.matches(MISSING):
                raise
        return observed_function(answer, policy, unread, expected)

    def create(self, aws: Aws, id: str, want: LambdaFunctionSpec, owner: Owner) -> None:
        """Make it; AWS takes the reserved concurrency only afterwards, which is an update."""
        asked = {name: value for name, value in _configuration(want).items() if value not in ("", {})}
        client: Any = aws.lambda_  # untyped: the stubs know some words only as literals
        try:
            client.create_function(
                FunctionName=id,
                Code=self._code(want),
                PackageType=want.package_type,
                Architectures=[want.architecture],
                Tags={**want.tags, **owner.tags},
                **asked,
            )
        except AwsRefused as error:
            if error.matches(CONFLICT, text="already exist"):
                raise AlreadyExists(f"a function {id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: LambdaFunctionSpec, want: LambdaFunctionSpec) -> frozenset[str]:
        """Configuration, code, reserved concurrency, resource policy, tags: AWS takes each by itself."""
        assert want.resource_policy is None, "tapctl gives no function a resource policy"
        differs = frozenset(name for name in type(want).model_fields if getattr(have, name) != getattr(want, name))
        config, code = differs & _CONFIGURATION.keys(), differs & _CODE
        if have.update_failure != want.update_failure:
            # AWS tells the values of the update that failed, so all of them are sent again.
            failed = frozenset({"update_failure"})
            if _CODE_FAILED.match(have.update_failure):
                code |= failed
            else:
                config |= failed
        client: Any = aws.lambda_  # as in create
        try:
            # Lambda takes one change at a time: each that is asked for meanwhile is refused, and counts all the same.
            doing = at_work(aws.read(aws.lambda_.get_function, FunctionName=id))
            if doing:
                raise NotYet(f"Lambda is at work on the function: {doing}", Patience.LONG)
            if config and "update_failure" not in code:
                aws.lambda_.update_function_configuration(FunctionName=id, **_changed(config, want))
                return config
            if code:
                client.update_function_code(FunctionName=id, Architectures=[want.architecture], **self._code(want))
                return code
            if "reserved_concurrency" in differs:
                return _reserve(aws, id, want.reserved_concurrency)
            if have.resource_policy is not None:
                return _close(aws, id, have.resource_policy)
            return _set_tags(aws, _arn(aws, id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[LambdaFunctionSpec, LambdaFunctionOutputs],
        last: LambdaFunctionSpec | None,  # noqa: ARG002 -- what is there says enough
    ) -> None:
        """Take it out of its security groups first, then remove it.

        Lambda's network interfaces outlive the function by up to 45 minutes, and nobody else can detach them. In the
        VPC's default group they hold no group of ours (terraform-provider-aws does the same). One whose last update
        failed, perhaps by that move, is moved no more.
        """
        if not seen.settled:
            raise NotYet(f"Lambda is at work on it: {seen.status}", Patience.LONG)
        if (seen.failure or seen.update_failure) is None and seen.spec.subnet_ids and leave_groups(aws, id, seen.spec):
            return
        self.delete_for_replacement(aws, id, seen)

    def delete_for_replacement(
        self,
        aws: Aws,
        id: str,
        seen: Observed[LambdaFunctionSpec, LambdaFunctionOutputs],  # noqa: ARG002 -- its name says enough
    ) -> None:
        """Remove it at once: the one that follows takes its interfaces, and nobody waits for its groups."""
        try:
            aws.lambda_.delete_function(FunctionName=id)
        except AwsRefused as error:
            if not error.matches(MISSING):
                raise classify(error) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """By tag, in the listing that all types share."""
        filters = [{"Key": key, "Values": [value]} for key, value in owner.tags.items()]
        for page in aws.pages(aws.tagging.get_paginator("get_resources"), TagFilters=filters):
            for one in page["ResourceTagMappingList"]:
                _, _, service, _, _, resource = one["ResourceARN"].split(":", 5)
                if service == "lambda" and resource.startswith("function:"):
                    yield resource.removeprefix("function:")

    def remaining_after_delete(self, aws: Aws, id: str, last: LambdaFunctionSpec) -> str | None:
        """Network interfaces that Lambda still has to remove; it needs the function's role for that."""
        return lingering(aws, id) if last.subnet_ids else None

    def _code(self, want: LambdaFunctionSpec) -> dict[str, Any]:
        if want.package_type == "Image":
            return {"ImageUri": want.image_uri}
        content = self._content or b""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert digest == want.code_sha256, "the zip at hand is not the one that is wanted"
        return {"ZipFile": content}


def _arn(aws: Aws, id: str) -> str:
    return f"arn:{aws.partition}:lambda:{aws.region}:{aws.account}:function:{id}"


def _configuration(want: LambdaFunctionSpec) -> dict[str, Any]:
    """The parameters that CreateFunction and UpdateFunctionConfiguration share."""
    asked: dict[str, Any] = {
        "Description": want.description,
        "Role": want.role_arn,
        "MemorySize": want.memory_mb,
        "Timeout": want.timeout_s,
        "Environment": {"Variables": want.environment},
        "KMSKeyArn": want.kms_key_arn,
        "VpcConfig": {
            "SubnetIds": sorted(want.subnet_ids),
            "SecurityGroupIds": sorted(want.security_group_ids),
        },
        "TracingConfig": {"Mode": want.tracing},
        "EphemeralStorage": {"Size": want.ephemeral_storage_mb},
        "LoggingConfig": {"LogFormat": want.log_format, "LogGroup": want.log_group},
    }
    if want.package_type == "Image":
        return {**asked, "ImageConfig": json.loads(want.image_config or "{}")}
    return {**asked, "Runtime": want.runtime, "Handler": want.handler, "Layers": list(want.layers)}


def _changed(fields: frozenset[str], want: LambdaFunctionSpec) -> dict[str, Any]:
    every = _configuration(want)
    if "update_failure" in fields:
        return every
    names = {_CONFIGURATION[one] for one in fields}
    if "KMSKeyArn" in names:
        # Lambda encrypts the environment anew only when it is sent along.
        names.add("Environment")
    return {name: value for name, value in every.items() if name in names}


def _reserve(aws: Aws, id: str, reserved: int | None) -> frozenset[str]:
    try:
        if reserved is None:
            aws.lambda_.delete_function_concurrency(FunctionName=id)
        else:
            aws.lambda_.put_function_concurrency(FunctionName=id, ReservedConcurrentExecutions=reserved)
    except AwsRefused as error:
        if not error.matches(INVALID, text="UnreservedConcurrentExecution"):
            raise
        raise AwsRefused(
            error.service,
            error.operation,
            error.aws_code,
            error.message,
            request_id=error.request_id,
            hint="lower processor.reserved_concurrency, or have this account's limit raised (Service Quotas)",
        ) from error
    return frozenset({"reserved_concurrency"})


def _close(aws: Aws, id: str, policy: PolicyDocument) -> frozenset[str]:
    """Remove one statement; AWS takes one a call."""
    sids = sorted(one.sid for one in policy.statements)
    aws.lambda_.remove_permission(FunctionName=id, StatementId=sids[0])
    return frozenset({"resource_policy"}) if len(sids) == 1 else frozenset()


def _set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        aws.lambda_.tag_resource(Resource=arn, Tags=added)
        return frozenset() if extra else frozenset({"tags"})
    aws.lambda_.untag_resource(Resource=arn, TagKeys=extra)
    return frozenset({"tags"})
