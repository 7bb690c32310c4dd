"""A Lambda function, from an image or a zip.

AWS's facts are from the Lambda API reference and developer guide: CreateFunction, UpdateFunctionConfiguration,
UpdateFunctionCode (function states; VPC networking of functions).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Observed, Owner, Reconciler, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.policy import PolicyDocument, parse
from tapctl.reconcilers.lambda_function_network import leave_groups, lingering
from tapctl.reconcilers.lambda_function_refusals import CONFLICT, INVALID, MISSING, classify
from tapctl.reconcilers.lambda_function_sight import (
    LambdaFunctionOutputs,
    LambdaFunctionSpec,
    at_work,
    observed_function,
)

if TYPE_CHECKING:
    from tapctl.aws import Aws

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
