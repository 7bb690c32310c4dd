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
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.policy import PolicyDocument, when
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
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
from tapctl.reconcilers.lambda_interfaces import (
    INTERFACES_LONGEST_S,
    default_groups,
    is_stranded,
    left_sentence,
    remaining_interfaces,
)
from tapctl.reconcilers.security_group_rules import Rule
from tapctl.regions import DOMAINS
from tapctl.safety.hidden_values import hidden_text

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

    from tapctl.aws.client import Aws

_MISSING: Final = "ResourceNotFoundException"
_INVALID: Final = "InvalidParameterValueException"
_BOUND: Final = "ValidationException"
_CONFLICT: Final = "ResourceConflictException"

# Texts of refusals for a group or subnet that EC2 has not spread to Lambda yet, or that is gone for good.
_NOT_IN_EC2: Final = {
    "invalidgroup.notfound": "EC2 does not show Lambda the security group yet",
    "invalidsubnetid.notfound": "EC2 does not show Lambda the subnets yet",
}
# Texts of refusals for a new role, a changed policy or a new key's grant that IAM or KMS has not spread yet, which may
# take five minutes (terraform-provider-aws, lambda/function.go).
_SPREADING: Final = {
    "cannot be assumed by lambda": "Lambda cannot assume the role yet",
    "does not have permissions to call": "the role's policy has not reached Lambda yet",
    "key is invalid for creategrant": "Lambda may not use the KMS key yet",
    "kms key was not found": "KMS does not show Lambda the key yet",
}
_TRANSIENT: Final = (
    Transient((_INVALID,), "EC2 is throttling Lambda", Patience.LONG, text="throttled by ec2"),
    *(Transient((_INVALID,), reason, Patience.PROPAGATION, text=text) for text, reason in _NOT_IN_EC2.items()),
    *(Transient((_INVALID,), reason, Patience.BUSY, text=text) for text, reason in _SPREADING.items()),
    # The first interface in a subnet takes minutes, for a new function as for one that moves; Lambda itself ends both.
    Transient((_CONFLICT,), "Lambda is still making the function", Patience.LONG, text="state: pending"),
    Transient((_CONFLICT,), "another update of this function is going on", Patience.LONG, text="in progress"),
    Transient((_CONFLICT,), "Lambda is busy with the function: {error.message}", Patience.BUSY),
    Transient((_MISSING,), "Lambda does not show the function yet", Patience.PROPAGATION),
)

INACTIVE: Final = "Inactive"
"""The state of a function that Lambda has put to rest: its next call fails, and wakes it (Lambda developer guide,
"Function states")."""
_UNSETTLED: Final = frozenset({"Pending", "Deactivating"})
# A token in a wanted value (`tapctl.engine.refs`), and the only forms that a token's value can have: a plan has to show
# the live value behind the token to compare both. No password has one of these forms.
_TOKEN: Final = re.compile("⟦[^⟦⟧]*⟧")
_HOST: Final = rf"[\w-]+(?:\.[\w-]+)*\.(?:{'|'.join(map(re.escape, DOMAINS))})"
_IDENTITY: Final = rf"(?:arn:[\w-]+:[\w-]+:[\w-]*:\d*:[\w/:.+=@!-]+|{_HOST})"
# Spec field to the parameter of UpdateFunctionConfiguration that carries the field.
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
# Spec field that is never wanted otherwise to the parameter, and its value, that takes away what somebody else gave.
_TAKEN_AWAY: Final[Mapping[str, tuple[str, Any]]] = {
    "dead_letter": ("DeadLetterConfig", {"TargetArn": ""}),
    "file_systems": ("FileSystemConfigs", []),
    "snap_start": ("SnapStart", {"ApplyOn": "None"}),
}
# Settings by which the code runs elsewhere, Lambda keeps what it works on, or another key encrypts the code, by AWS's
# names. tapctl sets none of these.
_FURTHER: Final = (
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "MasterArn",
    "RuntimeConfig",
    "SourceKMSKeyArn",
    "TenancyConfig",
)
_CODE: Final = frozenset({"image_uri", "code_sha256", "architecture"})
SENDS_CODE: Final = _CODE | {"package_type", "update_failure"}
"""Fields whose change sends the code once more, or makes the function anew with it."""
# Reason codes of a failure by rights that IAM or KMS may not have spread yet.
_OF_RIGHTS: Final = ("InsufficientRolePermissions", "KMSKeyAccessDenied")
# Reason codes of a failed update that concern the code: ImageDeleted, InvalidImage, InvalidZipFileException …
_CODE_FAILED: Final = re.compile(r"(Invalid)?(Image|Zip)")

# A statement's id as RemovePermission takes it.
_STATEMENT_ID: Final = re.compile(r"[a-zA-Z0-9_.-]{1,100}")


_FUNCTION: Final = (arn("lambda", "function:{lambda-function}"),)


class LambdaFunctionSpec(Spec):
    """The fields that tapctl owns on a function."""

    package_type: str
    """``Image`` or ``Zip``; fixed once made."""
    image_uri: str
    """``repository@sha256:…``, as AWS resolved the tag; empty for a Zip."""
    code_sha256: str
    """The zip's SHA-256 in base64; empty for an Image."""
    runtime: str
    """Empty for an Image, as are ``handler`` and ``layers``."""
    handler: str
    role_arn: str
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]
    """Observed: names as they are, in place of values other than the expected ones a stand-in."""
    kms_key_arn: str
    """The key that encrypts the environment; empty: AWS's own key."""
    subnet_ids: frozenset[str]
    security_group_ids: frozenset[str]
    tracing: str
    """``Active`` or ``PassThrough``."""
    reserved_concurrency: int | None
    """None: nothing is reserved; 0: the function does not run at all."""
    architecture: str = "x86_64"
    ephemeral_storage_mb: int = 512
    layers: tuple[str, ...] = ()
    log_format: str = "Text"
    """``Text`` or ``JSON``."""
    log_group: str
    description: str = ""
    image_config: str = ""
    """Canonical JSON of the overrides of the image's entry point, command and directory; empty: none."""
    resource_policy: PolicyDocument | None = None
    """The policy that lets others invoke the function. Wanted: None."""
    dead_letter: str = ""
    """The ARN of the queue or topic that gets the events of failed asynchronous calls; empty: none. Wanted: empty."""
    file_systems: frozenset[str] = frozenset()
    """The file systems that are mounted: ``<ARN> at <path>``. Wanted: none."""
    snap_start: str = "None"
    """``PublishedVersions`` if a published version keeps a snapshot of its memory. Wanted: ``None``."""
    ipv6: bool = False
    """True if the function also leaves by IPv6, in subnets that have it. Wanted: False."""
    urls: frozenset[str] = frozenset()
    """Function URLs: ``<URL> (<who may call it>)``; of an alias ``<URL> for <alias> (…)``. Wanted: none."""
    event_sources: frozenset[str] = frozenset()
    """Further sources of events for the function: ``<id of the mapping> from <source>``. Wanted: none."""
    destinations: frozenset[str] = frozenset()
    """Settings of asynchronous calls that somebody has made: ``<ARN> on <OnSuccess or OnFailure>``, how often a failed
    call is tried again, how old it may be (after either its event is lost); of an alias or a version each with ``for``
    and that one at its end. Wanted: none."""
    aliases: frozenset[str] = frozenset()
    """Other names of a published version: ``<alias> of version <number>``. Wanted: none."""
    open_groups: frozenset[str] = frozenset()
    """Rules of others' groups by which the function reaches the world for more than HTTPS: ``<group id> <rule>``.
    Wanted: none."""
    further_settings: frozenset[str] = frozenset()
    """Where else the code runs, what Lambda keeps of its calls, and whose key encrypts the code:
    ``CapacityProviderConfig <JSON>``, ``DurableConfig <JSON>`` and their like. Wanted: none."""
    update_failure: str = ""
    """Reason why AWS's last update failed: the version before is in force, whatever the fields say. Wanted: empty."""
    tags: dict[str, str]


class LambdaFunctionOutputs(Outputs):
    """The function's ARN, without a version."""

    arn: str


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
            Need.EXPOSURES,
            ("lambda:ListAliases", "lambda:ListFunctionEventInvokeConfigs", "lambda:ListFunctionUrlConfigs"),
            _FUNCTION,
        ),
        Right(Need.EXPOSURES, ("lambda:ListEventSourceMappings",), why=LISTS),
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
            if error.matches(_MISSING):
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
        return with_exposures(seen, reads, gone=(_MISSING,))

    def create(self, aws: Aws, id: str, want: LambdaFunctionSpec, owner: Owner) -> None:
        """Make the function; AWS takes the reserved concurrency only afterwards, which is an update."""
        configuration = {name: value for name, value in _configuration(want).items() if value not in ("", {})}
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
            if error.matches(_CONFLICT, text="already exist"):
                raise AlreadyExists(f"a function {id} exists already") from error
            raise _classify(error, want) from error

    def update(self, aws: Aws, id: str, have: LambdaFunctionSpec, want: LambdaFunctionSpec) -> frozenset[str]:
        """Change configuration, code, reserved concurrency, resource policy or tags: AWS takes each by itself."""
        assert want.resource_policy in (None, have.resource_policy), "tapctl gives no function a resource policy"
        differs = frozenset(name for name in type(want).model_fields if getattr(have, name) != getattr(want, name))
        config, code = differs & (_CONFIGURATION.keys() | _TAKEN_AWAY.keys()), differs & _CODE
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
            activity = _activity(aws.read(aws.lambda_.get_function, FunctionName=id))
            if activity:
                raise NotYet(f"Lambda is at work on the function: {activity}", Patience.LONG)
            if config and "update_failure" not in code:
                aws.lambda_.update_function_configuration(FunctionName=id, **_changed(config, want))
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
            raise _classify(error, want) from error

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
            if not error.matches(_MISSING):
                raise classify(error, _TRANSIENT) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the functions by the owner's tags."""
        return tags.find(aws, owner.search_tags, "lambda", "function:")

    def remaining_after_delete(self, aws: Aws, id: str, last: LambdaFunctionSpec | None) -> str | None:
        """Name the network interfaces that Lambda still has to remove; for that it needs the function's role."""
        if last is not None and not last.subnet_ids:
            return None
        return left_sentence(remaining_interfaces(aws, id, last.subnet_ids if last else ()))

    def remove_leftover(self, aws: Aws, id: str, last: LambdaFunctionSpec) -> bool:
        """Remove one interface that Lambda has detached and left: it could not delete it, and does not try again."""
        stranded = [one for one in remaining_interfaces(aws, id, last.subnet_ids) if is_stranded(one)]
        if not stranded:
            return False
        try:
            aws.ec2.delete_network_interface(NetworkInterfaceId=stranded[0].get("NetworkInterfaceId", ""))
        except AwsRefused as error:
            if not error.matches("InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterface.InUse"):
                raise
        return True

    def _code(self, want: LambdaFunctionSpec) -> dict[str, Any]:
        if want.package_type == "Image":
            return {"ImageUri": want.image_uri}
        content = self._content or b""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert digest == want.code_sha256, "the zip at hand is not the one that is wanted"
        return {"ZipFile": content}


# -- reading -----------------------------------------------------------------------------------------------------------


def _classify(error: AwsRefused, want: LambdaFunctionSpec) -> NotYet | AwsRefused:
    """Translate a refused change; a repository that does not let Lambda in, or a new account's bound, is told as that.

    Lambda's answer to it is an AccessDeniedException that names no action, at times without any text
    (github.com/aws-controllers-k8s/community/issues/1590 and 1886).
    """
    of_ecr = "ecr" in error.message.lower() or not error.message.strip()
    if want.package_type == "Image" and error.is_denied and of_ecr and "not authorized" not in error.message:
        repository = want.image_uri.partition("@")[0]
        error.hint = (
            f"let Lambda read the repository {repository}: its policy has to allow lambda.amazonaws.com "
            "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer (aws:SourceArn: the function's); or allow yourself "
            "ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy, with which Lambda writes that by itself; then run "
            "the same command again: it continues from here"
        )
        return error
    if error.matches(_BOUND, _INVALID, text="memorysize"):
        # Nothing tells it beforehand (awslabs/genai-bedrock-agent-chatbot#4).
        error.hint = (
            "a new account may give a function no more than 3008 MB: have AWS Support raise that, or set "
            "processor.memory_mb to 3008 or less; then run the same command again"
        )
    if error.matches(_INVALID, text="availability zone lambda doesn't support"):
        error.hint = (
            f"one of {', '.join(sorted(want.subnet_ids))} is in a zone without Lambda: have the networking name "
            "private subnets in other zones, then run the same command again: it continues from here"
        )
    return classify(error, _TRANSIENT)


def _further_settings(live: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(f"{name} {json.dumps(live[name], sort_keys=True)}" for name in _FURTHER if live.get(name))


def observed_function(
    answer: GetFunctionResponseTypeDef,
    resource_policy: PolicyDocument | None,
    unreadable: UnreadableFields,
    expected: LambdaFunctionSpec | None,
    known: Sequence[LambdaFunctionSpec] = (),
) -> Observed[LambdaFunctionSpec, LambdaFunctionOutputs]:
    """Interpret GetFunction's answer and the policy; adds to ``unreadable`` what GetFunction could not read itself.

    ``known``: specs whose values are shown, beside the ``expected`` one's.
    """
    # Read as plain mappings: fields are there or not by the kind of function, and some are newer than the stubs.
    live: Mapping[str, Any] = answer["Configuration"]
    code: Mapping[str, Any] = answer["Code"]
    is_image = live.get("PackageType", "Zip") == "Image"
    vpc = live.get("VpcConfig", {})
    logging = live.get("LoggingConfig", {})
    state, update = _states(live)
    resting = f": {_reason(live, 'State')}" if state == INACTIVE else ""
    failure = _reason(live, "State") if state == "Failed" else None
    update_failure = _reason(live, "LastUpdateStatus") if update == "Failed" and failure is None else ""
    live_tags = tags.as_dict(answer.get("Tags", {}))
    owner = Owner.of(live_tags)
    if "TagsError" in answer:
        # A role that may not list tags gets the function all the same.
        live_tags = expected.tags if expected else {}
        unreadable.actions["tags"] = "lambda:ListTags"
    shown = [*([expected] if expected else []), *known]
    environment = _hide(live.get("Environment", {}).get("Variables", {}), [one.environment for one in shown])
    if "Error" in live.get("Environment", {}):
        environment = expected.environment if expected else {}
        unreadable.actions["environment"] = "kms:Decrypt"
    image_uri = code.get("ResolvedImageUri", "") if is_image else ""
    if is_image and not image_uri and "Error" in code:
        # The repository may not be asked: the function is there all the same.
        image_uri = expected.image_uri if expected else ""
        unreadable.actions["image_uri"] = "ecr:BatchGetImage"
    spec = LambdaFunctionSpec(
        package_type=live.get("PackageType", "Zip"),
        image_uri=image_uri,
        code_sha256="" if is_image else live.get("CodeSha256", ""),
        runtime=live.get("Runtime", ""),
        handler=live.get("Handler", ""),
        role_arn=live["Role"],
        memory_mb=live["MemorySize"],
        timeout_s=live["Timeout"],
        environment=environment,
        kms_key_arn=live.get("KMSKeyArn", ""),
        subnet_ids=frozenset(vpc.get("SubnetIds", ())),
        security_group_ids=frozenset(vpc.get("SecurityGroupIds", ())),
        tracing=live.get("TracingConfig", {}).get("Mode", "PassThrough"),
        reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        architecture=live.get("Architectures", ["x86_64"])[0],
        ephemeral_storage_mb=live.get("EphemeralStorage", {}).get("Size", 512),
        layers=tuple(layer["Arn"] for layer in live.get("Layers", ())),
        log_format=logging.get("LogFormat", "Text"),
        log_group=logging.get("LogGroup", f"/aws/lambda/{live['FunctionName']}"),
        description=live.get("Description", ""),
        image_config=_overrides(live, [one.image_config for one in shown]),
        resource_policy=resource_policy,
        dead_letter=live.get("DeadLetterConfig", {}).get("TargetArn", ""),
        file_systems=frozenset(
            f"{system.get('Arn', '')} at {system.get('LocalMountPath', '')}"
            for system in live.get("FileSystemConfigs", ())
        ),
        snap_start=live.get("SnapStart", {}).get("ApplyOn", "None"),
        ipv6=vpc.get("Ipv6AllowedForDualStack", False),
        further_settings=_further_settings({**live, **code}),
        update_failure=update_failure,
        tags=live_tags,
    )
    return Observed(
        spec,
        LambdaFunctionOutputs(arn=live["FunctionArn"]),
        settled=not _activity(answer),
        deleting=state == "Deleting",
        failure=failure,
        update_failure=update_failure or None,
        failure_may_pass=(failure or update_failure).partition(":")[0] in _OF_RIGHTS,
        status=state + resting if update == "Successful" else f"{state}, update {update} {update_failure}".rstrip(),
        owner=owner,
        unreadable=unreadable.actions,
    )


def _activity(answer: GetFunctionResponseTypeDef) -> str:
    """Lambda's current work on the function, in AWS's words; empty where there is none."""
    state, update = _states(answer.get("Configuration", {}))
    if state in _UNSETTLED:
        return state
    return f"update {update}" if update == "InProgress" else ""


def _states(live: Mapping[str, Any]) -> tuple[str, str]:
    """AWS's words for the function's state and for its last update."""
    return live.get("State", "Active"), live.get("LastUpdateStatus", "Successful")


def _reason(live: Mapping[str, Any], member: str) -> str:
    """AWS's reason code and sentence for ``State`` or ``LastUpdateStatus``."""
    return f"{live.get(f'{member}ReasonCode', 'Unknown')}: {live.get(f'{member}Reason', 'AWS gives no reason')}"


def _leads_out(rule: Rule) -> bool:
    """True if the rule lets the function out, for more than HTTPS, with which it may reach the world."""
    return rule.direction == "egress" and not rule.is_https


def _hide(live: Mapping[str, str], shown: Collection[Mapping[str, str]]) -> dict[str, str]:
    """Hide the values that are as in none of ``shown``."""

    def is_shown(name: str, value: str) -> bool:
        return any(_is_wanted(value, one.get(name)) for one in shown)

    return {
        name: value if is_shown(name, value) else hidden_text([one.get(name) for one in shown])
        for name, value in live.items()
    }


def _is_wanted(value: str, wanted: str | None) -> bool:
    if wanted is None or value == wanted:
        return wanted is not None
    if not _TOKEN.search(wanted):
        return False
    form = _IDENTITY.join(re.escape(part) for part in _TOKEN.split(wanted))
    return re.fullmatch(form, value) is not None


def _overrides(live: Mapping[str, Any], shown: Collection[str]) -> str:
    """Write the image's overrides as JSON; hidden unless ``shown``, since a command line may hold a secret, too.

    Overrides that Lambda itself cannot read ("ImageConfigError", Lambda API reference) are its words for that: nobody
    can tell what runs, and another configuration ends it.
    """
    if error := live.get("ImageConfigResponse", {}).get("Error"):
        return f"Lambda cannot read it: {error.get('ErrorCode', '')}: {error.get('Message', '')}"
    config = {
        name: value for name, value in live.get("ImageConfigResponse", {}).get("ImageConfig", {}).items() if value
    }
    text = json.dumps(config, sort_keys=True) if config else ""
    return text if not text or text in shown else hidden_text(shown)


# -- changing ----------------------------------------------------------------------------------------------------------


def _configuration(want: LambdaFunctionSpec) -> dict[str, Any]:
    """Build the parameters that CreateFunction and UpdateFunctionConfiguration share."""
    parameters: dict[str, Any] = {
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
        return {**parameters, "ImageConfig": json.loads(want.image_config or "{}")}
    return {**parameters, "Runtime": want.runtime, "Handler": want.handler, "Layers": list(want.layers)}


def _changed(fields: frozenset[str], want: LambdaFunctionSpec) -> dict[str, Any]:
    parameters = _configuration(want)
    if "update_failure" in fields:
        return parameters
    names = {_CONFIGURATION[field] for field in fields & _CONFIGURATION.keys()}
    if "KMSKeyArn" in names:
        # Lambda encrypts the environment anew only when the call holds it.
        names.add("Environment")
    taken_away = dict(_TAKEN_AWAY[field] for field in fields & _TAKEN_AWAY.keys())
    return {name: value for name, value in parameters.items() if name in names} | taken_away


def _reserve(aws: Aws, id: str, reserved: int | None) -> frozenset[str]:
    try:
        if reserved is None:
            aws.lambda_.delete_function_concurrency(FunctionName=id)
        else:
            aws.lambda_.put_function_concurrency(FunctionName=id, ReservedConcurrentExecutions=reserved)
    except AwsRefused as error:
        if not error.matches(_INVALID, text="UnreservedConcurrentExecution"):
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


def leave_groups(aws: Aws, id: str, live: LambdaFunctionSpec) -> bool:
    """Move the function to its VPC's default group by one call, so that its interfaces hold no group of ours.

    Returns False where the function is there already, or cannot be moved: subnets, role or key may be gone by now.

    Raises:
        NotYet: Lambda will move the function later.
    """
    try:
        # The VPC as Lambda shows it: a subnet may be gone, and EC2 with it no longer knows the VPC.
        vpc = aws.read(aws.lambda_.get_function, FunctionName=id).get("Configuration", {}).get("VpcConfig", {})
        groups = default_groups(aws, vpc.get("VpcId", ""))
        if not groups or live.security_group_ids == frozenset(groups):
            return False
        config: Any = {"SubnetIds": sorted(live.subnet_ids), "SecurityGroupIds": groups}
        aws.lambda_.update_function_configuration(FunctionName=id, VpcConfig=config)
    except AwsRefused as error:
        meaning = classify(error, _TRANSIENT)
        if error.matches(_INVALID) and not _passes(aws, live, error, meaning):
            return False
        raise meaning from error
    return True


def _passes(aws: Aws, live: LambdaFunctionSpec, error: AwsRefused, meaning: NotYet | AwsRefused) -> bool:
    """True if this refusal ends by itself: a role or key that Lambda misses may also be gone for good."""
    if isinstance(meaning, AwsRefused) or meaning.patience is Patience.LONG:
        return isinstance(meaning, NotYet)
    if any(error.matches(_INVALID, text=text) for text in _NOT_IN_EC2):
        return False
    try:
        aws.read(aws.iam.get_role, RoleName=live.role_arn.rpartition("/")[2])
        if not live.kms_key_arn:
            return True
        return aws.read(aws.kms.describe_key, KeyId=live.kms_key_arn)["KeyMetadata"].get("KeyState") == "Enabled"
    except AwsRefused:
        return False
