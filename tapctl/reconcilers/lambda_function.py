"""A Lambda function, from an image or a zip.

Lambda takes one change at a time, each part of a function (configuration, code, concurrency, policy, tags) by a call of
its own. A failed *update* is no failed function: the version before still serves. A function in a VPC leaves network
interfaces behind, for up to 45 minutes, which nobody else can remove; for that Lambda still needs the function's role.

AWS's facts are from the Lambda API reference and developer guide: CreateFunction, UpdateFunctionConfiguration,
UpdateFunctionCode (function states; VPC networking of functions).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.policy import PolicyDocument, when
from tapctl.aws.refusals import UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.engine.model import Impact, Leftovers, Observed, Owner, Reconciler, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.exposures import with_exposures
from tapctl.reconcilers.foreign_groups import ASKS_GROUPS, open_groups
from tapctl.reconcilers.iam_role import ROLE
from tapctl.reconcilers.kms_key_rights import as_caller
from tapctl.reconcilers.lambda_callers import (
    list_aliases,
    list_destinations,
    list_event_sources,
    list_urls,
    read_resource_policy,
)
from tapctl.reconcilers.lambda_function_settings import (
    CODE,
    CONFIGURATION,
    INACTIVE,
    TAKEN_AWAY,
    LambdaFunctionOutputs,
    LambdaFunctionSpec,
    changed_parameters,
    configuration_parameters,
    current_activity,
    observed_function,
)
from tapctl.reconcilers.lambda_interfaces import (
    INTERFACES_LONGEST_S,
    leave_groups,
    leftovers,
    remaining_interfaces,
)
from tapctl.reconcilers.lambda_refusals import CONFLICT, INVALID, MISSING, TRANSIENT, change_error
from tapctl.reconcilers.security_group_rule import Rule

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

# Reason codes of a failed update that concern the code: ImageDeleted, InvalidImage, InvalidZipFileException …
_CODE_FAILED: Final = re.compile(r"(Invalid)?(Image|Zip)")
# A statement's id as RemovePermission takes it.
_STATEMENT_ID: Final = re.compile(r"[a-zA-Z0-9_.-]{1,100}")
_FUNCTION: Final = (arn("lambda", "function:{lambda-function}"),)


class LambdaFunction(Reconciler[LambdaFunctionSpec, LambdaFunctionOutputs]):
    """A function; the id is its name. ``content``: the zip's bytes, needed where a Zip is made or its code changes.

    ``known``: recorded specs, whose values are no secrets.

    A failed update shows as the field ``update_failure`` and is asked for again. It is no `Observed.failure`: replacing
    the function would be an outage for as long as Lambda keeps its network interfaces.
    """

    type = "lambda-function"
    name_is_identity = True
    teardown_rank = 30
    replaceable = True
    # Lambda removes its network interfaces with the function's role.
    leftovers_need = frozenset({"iam-role"})
    unset_by_removal = frozenset({"security_group_ids"})
    impacts: ClassVar[Mapping[str, Impact]] = {"package_type": Impact.REPLACE}
    left_alone: ClassVar[Mapping[str, str]] = {
        "ipv6": "aws lambda update-function-configuration --function-name {id} "
        "--vpc-config Ipv6AllowedForDualStack=false",
        "urls": "aws lambda delete-function-url-config --function-name {id}{qualified}",
        "event_sources": "aws lambda delete-event-source-mapping --uuid {value}",
        "destinations": "aws lambda delete-function-event-invoke-config --function-name {id}{qualified}",
        "aliases": "aws lambda delete-alias --function-name {id} --name {value}",
        "open_groups": "aws ec2 describe-security-groups --group-ids {value}",
        "further_settings": "aws lambda get-function-configuration --function-name {id}",
    }
    ends_with_it = frozenset({"urls", "event_sources", "destinations", "aliases", "further_settings"})
    leads_there: ClassVar[Mapping[str, str]] = {"open_groups": "security_group_ids"}
    never_compared = (
        "versions and their policies",
        "log levels, runtime pins, recursion, code signing",
        "which image its tag names by now",
        "what else groups of others that it is in let through",
    )
    # Lambda's network interfaces usually go within 20 to 45 minutes; more than an hour was seen
    # (hashicorp/terraform-provider-aws#32130).
    trail = Trail(
        "lambda",
        whole=("CreateFunction20150331", "DeleteFunction20150331"),
        fields={
            "package_type": ("UpdateFunctionCode20150331v2",),
            "image_uri": ("UpdateFunctionCode20150331v2",),
            "code_sha256": ("UpdateFunctionCode20150331v2",),
            "architecture": ("UpdateFunctionCode20150331v2:architectures",),
            "runtime": ("UpdateFunctionConfiguration20150331v2:runtime",),
            "handler": ("UpdateFunctionConfiguration20150331v2:handler",),
            "role_arn": ("UpdateFunctionConfiguration20150331v2:role",),
            "memory_mb": ("UpdateFunctionConfiguration20150331v2:memorySize",),
            "timeout_s": ("UpdateFunctionConfiguration20150331v2:timeout",),
            "environment": ("UpdateFunctionConfiguration20150331v2:environment",),
            "kms_key_arn": ("UpdateFunctionConfiguration20150331v2:kMSKeyArn",),
            "subnet_ids": ("UpdateFunctionConfiguration20150331v2:vpcConfig",),
            "security_group_ids": ("UpdateFunctionConfiguration20150331v2:vpcConfig",),
            "ipv6": ("UpdateFunctionConfiguration20150331v2:vpcConfig",),
            "tracing": ("UpdateFunctionConfiguration20150331v2:tracingConfig",),
            "ephemeral_storage_mb": ("UpdateFunctionConfiguration20150331v2:ephemeralStorage",),
            "layers": ("UpdateFunctionConfiguration20150331v2:layers",),
            "log_format": ("UpdateFunctionConfiguration20150331v2:loggingConfig",),
            "log_group": ("UpdateFunctionConfiguration20150331v2:loggingConfig",),
            "description": ("UpdateFunctionConfiguration20150331v2:description",),
            "image_config": ("UpdateFunctionConfiguration20150331v2:imageConfig",),
            "dead_letter": ("UpdateFunctionConfiguration20150331v2:deadLetterConfig",),
            "file_systems": ("UpdateFunctionConfiguration20150331v2:fileSystemConfigs",),
            "snap_start": ("UpdateFunctionConfiguration20150331v2:snapStart",),
            "further_settings": ("UpdateFunctionConfiguration20150331v2", "UpdateFunctionCode20150331v2"),
            "reserved_concurrency": ("PutFunctionConcurrency20171031", "DeleteFunctionConcurrency20171031"),
            # Of the later two no page of AWS says whether their names hold a version.
            "resource_policy": (
                *("AddPermission20150331v2", "RemovePermission20150331v2"),
                *("PutResourcePolicy", "DeleteResourcePolicy"),
                *("PutResourcePolicy20260709", "DeleteResourcePolicy20260709"),
            ),
            "urls": ("CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"),
            "event_sources": (
                "CreateEventSourceMapping20150331",
                "UpdateEventSourceMapping20150331",
                "DeleteEventSourceMapping20150331",
            ),
            "destinations": (
                "PutFunctionEventInvokeConfig",
                "UpdateFunctionEventInvokeConfig",
                "DeleteFunctionEventInvokeConfig",
            ),
            "aliases": ("CreateAlias20150331", "UpdateAlias20150331", "DeleteAlias20150331"),
            "open_groups": ("AuthorizeSecurityGroupEgress", "ModifySecurityGroupRules"),
            "tags": ("TagResource20170331v2", "UntagResource20170331v2"),
        },
        of_items=frozenset({"open_groups"}),
    )
    timing = Timing(create_s=60, delete_s=1200, update_s=30, longest_s=INTERFACES_LONGEST_S)
    actions = (
        Right(Need.OBSERVE, ("lambda:GetFunction", "lambda:GetPolicy", "lambda:ListTags"), _FUNCTION),
        Right(
            Need.PLAN | Need.EXPOSURES,
            ("lambda:ListAliases", "lambda:ListFunctionEventInvokeConfigs", "lambda:ListFunctionUrlConfigs"),
            _FUNCTION,
        ),
        Right(Need.PLAN | Need.EXPOSURES, ("lambda:ListEventSourceMappings",), why=LISTS),
        *ASKS_GROUPS,
        Right(Need.PLAN, ("lambda:GetAccountSettings",), why="the account's own quotas"),
        Right(Need.CREATE, ("lambda:CreateFunction", "lambda:PutFunctionConcurrency", "lambda:TagResource"), _FUNCTION),
        Right(Need.UPDATE, ("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"), _FUNCTION),
        Right(
            Need.UPDATE,
            ("lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"),
            _FUNCTION,
            fields=frozenset({"reserved_concurrency"}),
        ),
        Right(
            Need.UPDATE,
            ("lambda:DeleteResourcePolicy", "lambda:RemovePermission"),
            _FUNCTION,
            fields=frozenset({"resource_policy"}),
        ),
        Right(Need.UPDATE, ("lambda:TagResource", "lambda:UntagResource"), _FUNCTION, fields=frozenset({"tags"})),
        # What Lambda checks of, or does as, its caller.
        Right(
            Need.CREATE | Need.UPDATE,
            ("iam:PassRole",),
            ROLE,
            (when("StringEquals", "iam:PassedToService", "lambda.amazonaws.com"),),
        ),
        Right(
            Need.CREATE | Need.UPDATE | Need.DELETE,
            ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
            why=LISTS,
        ),
        *as_caller(Need.CREATE | Need.UPDATE, "lambda", ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt")),
        Right(
            Need.CREATE | Need.UPDATE,
            ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            ("{repository}",),
        ),
        Right(
            Need.CREATE | Need.UPDATE,
            ("ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"),
            ("{own-repository}",),
        ),
        Right(Need.REPLACE | Need.DELETE, ("lambda:DeleteFunction",), _FUNCTION),
        # Before the function goes for good, its network interfaces leave our security group.
        Right(Need.DELETE, ("lambda:UpdateFunctionConfiguration",), _FUNCTION),
        Right(Need.DELETE, ("iam:GetRole",), ROLE),
        Right(Need.DELETE, ("ec2:DescribeNetworkInterfaces", "lambda:ListFunctions"), why=LISTS),
        # One that Lambda has left behind, which bears no tags of ours.
        Right(Need.DELETE, ("ec2:DeleteNetworkInterface",), (arn("ec2", "network-interface/*"),)),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )

    def __init__(self, content: bytes | None = None, known: Sequence[LambdaFunctionSpec] = ()) -> None:
        self._content, self._known = content, known

    def observe(
        self, aws: Aws, id: str, expected: LambdaFunctionSpec | None
    ) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs] | None:
        """Read the function, with tags and reserved concurrency, and its resource policy: two calls."""
        try:
            answer = aws.read(aws.lambda_.get_function, FunctionName=id)
        except AwsRefused as error:
            if error.matches(MISSING):
                return None
            raise
        unreadable = UnreadableFields()
        policy = unreadable.read(
            "resource_policy", lambda: read_resource_policy(aws, id), expected.resource_policy if expected else None
        )
        return observed_function(answer, policy, unreadable, expected, self._known)

    def knowing(self, recorded: Sequence[LambdaFunctionSpec]) -> LambdaFunction:
        """Show variables and overrides of an image that are as they were recorded."""
        return LambdaFunction(self._content, recorded)

    def observe_exposures(
        self,
        aws: Aws,
        id: str,
        seen: Observed[LambdaFunctionSpec, LambdaFunctionOutputs],
        expected: LambdaFunctionSpec | None,
    ) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
        """Read URLs, event sources, destinations and aliases: four calls; and groups of others that it is in."""
        groups, own = seen.spec.security_group_ids, expected.security_group_ids if expected else frozenset()
        reads = {
            "urls": lambda: list_urls(aws, id),
            "event_sources": lambda: list_event_sources(aws, id),
            "destinations": lambda: list_destinations(aws, id),
            "aliases": lambda: list_aliases(aws, id),
            "open_groups": lambda: open_groups(aws, groups, own, _leads_out),
        }
        return with_exposures(seen, reads)

    def create(self, aws: Aws, id: str, want: LambdaFunctionSpec, owner: Owner) -> None:
        """Make the function; AWS takes the reserved concurrency only afterwards, which is an update."""
        configuration = {name: value for name, value in configuration_parameters(want).items() if value not in ("", {})}
        client: Any = aws.lambda_  # untyped: the stubs know some words only as literals
        try:
            client.create_function(
                FunctionName=id,
                Code=self._code(want),
                PackageType=want.package_type,
                Architectures=[want.architecture],
                Tags={**want.tags, **owner.tags},
                **configuration,
            )
        except AwsRefused as error:
            if error.matches(CONFLICT, text="already exist"):
                raise AlreadyExists(f"a function {id} exists already") from error
            raise change_error(error, want) from error

    def update(self, aws: Aws, id: str, have: LambdaFunctionSpec, want: LambdaFunctionSpec) -> frozenset[str]:
        """Change configuration, code, reserved concurrency, resource policy or tags: AWS takes each by itself."""
        assert want.resource_policy in (None, have.resource_policy), "tapctl gives no function a resource policy"
        differs = frozenset(name for name in type(want).model_fields if getattr(have, name) != getattr(want, name))
        config, code = differs & (CONFIGURATION.keys() | TAKEN_AWAY.keys()), differs & CODE
        if have.update_failure != want.update_failure:
            # AWS shows the values of the update that failed, so all of them are sent again.
            failed = frozenset({"update_failure"})
            if _CODE_FAILED.match(have.update_failure):
                code |= failed
            else:
                config |= failed
        client: Any = aws.lambda_  # as in create
        try:
            # Lambda takes one change at a time: another call is refused meanwhile, and counts against the rate anyway.
            activity = current_activity(aws.read(aws.lambda_.get_function, FunctionName=id))
            if activity:
                raise NotYet(f"Lambda is at work on the function: {activity}", Patience.LONG)
            if config and "update_failure" not in code:
                aws.lambda_.update_function_configuration(FunctionName=id, **changed_parameters(config, want))
                return config
            if code:
                client.update_function_code(FunctionName=id, Architectures=[want.architecture], **self._code(want))
                return code
            if "reserved_concurrency" in differs:
                return _reserve(aws, id, want.reserved_concurrency)
            if have.resource_policy is not None and "resource_policy" in differs:
                return _remove_statement(aws, id, have.resource_policy)
            arn = aws.arn("lambda", f"function:{id}")
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.lambda_.tag_resource(Resource=arn, Tags=missing),
                remove=lambda extra: aws.lambda_.untag_resource(Resource=arn, TagKeys=extra),
            )
        except AwsRefused as error:
            raise change_error(error, want) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[LambdaFunctionSpec, LambdaFunctionOutputs],
        last: LambdaFunctionSpec | None,
    ) -> None:
        """Take the function out of its security groups first, then delete it.

        Lambda's network interfaces outlive the function by up to 45 minutes and sometimes more, and nobody else can
        detach them. In the VPC's default group new ones hold no group of ours (terraform-provider-aws does the same);
        those that were there may keep theirs. A function whose last update failed, perhaps by that move, is moved no
        more, nor an inactive one, which has none.
        """
        spec = observed.spec
        if not observed.settled:
            raise NotYet(f"Lambda is at work on it: {observed.status}", Patience.LONG)
        at_rest = (observed.failure or observed.update_failure) is None and not observed.status.startswith(INACTIVE)
        if at_rest and spec.subnet_ids and leave_groups(aws, id, spec):
            return
        self.delete_for_replacement(aws, id, observed)

    def delete_for_replacement(
        self,
        aws: Aws,
        id: str,
        observed: Observed[LambdaFunctionSpec, LambdaFunctionOutputs],
    ) -> None:
        """Delete the function at once: its successor takes the interfaces, and nothing waits for the groups."""
        try:
            aws.lambda_.delete_function(FunctionName=id)
        except AwsRefused as error:
            if not error.matches(MISSING):
                raise classify(error, TRANSIENT) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the functions by the owner's tags."""
        return tags.find(aws, owner.search_tags, "lambda", "function:")

    def remaining_after_delete(self, aws: Aws, id: str, last: LambdaFunctionSpec | None) -> Leftovers | None:
        """Name the network interfaces that Lambda still has to remove; for that it needs the function's role."""
        if last is not None and not last.subnet_ids:
            return None
        return leftovers(remaining_interfaces(aws, id, last.subnet_ids if last else ()))

    def remove_leftover(self, aws: Aws, leftover: str) -> None:
        """Remove an interface that Lambda has detached and left: it could not delete it, and does not try again."""
        try:
            aws.ec2.delete_network_interface(NetworkInterfaceId=leftover)
        except AwsRefused as error:
            if not error.matches("InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterface.InUse"):
                raise

    def _code(self, want: LambdaFunctionSpec) -> dict[str, Any]:
        if want.package_type == "Image":
            return {"ImageUri": want.image_uri}
        content = self._content or b""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert digest == want.code_sha256, "the zip at hand is not the one that is wanted"
        return {"ZipFile": content}


def _leads_out(rule: Rule) -> bool:
    """True if the rule lets the function out, for more than HTTPS, with which it may reach the world."""
    return rule.direction == "egress" and not rule.is_https


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


def _remove_statement(aws: Aws, id: str, policy: PolicyDocument) -> frozenset[str]:
    """Remove one statement of the resource policy, by its Sid; or the whole policy, where that names none of it.

    PutResourcePolicy takes statements without a Sid (Lambda developer guide, "Working with resource-based policies").
    """
    sids = sorted(statement.sid for statement in policy.statements)
    if not sids or not all(map(_STATEMENT_ID.fullmatch, sids)):
        aws.lambda_.delete_resource_policy(ResourceArn=aws.arn("lambda", f"function:{id}"))
        return frozenset({"resource_policy"})
    aws.lambda_.remove_permission(FunctionName=id, StatementId=sids[0])
    return frozenset({"resource_policy"}) if len(sids) == 1 else frozenset()
