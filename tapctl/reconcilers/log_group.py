"""A CloudWatch Logs group, made before its writer so that nothing is ever logged without retention and encryption.

AWS's facts are from the CloudWatch Logs API reference: CreateLogGroup, DescribeLogGroups, PutRetentionPolicy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import LogGroupTypeDef

    from tapctl.aws.client import Aws

_MISSING: Final = "ResourceNotFoundException"


class LogGroupSpec(Spec):
    """What tapctl owns on a log group."""

    retention_days: int
    """Days until an event expires; 0 is never."""
    kms_key_arn: str
    """Empty: encrypted with CloudWatch's own key."""
    log_class: str = "STANDARD"
    """``STANDARD``, ``INFREQUENT_ACCESS``, ``DELIVERY`` or ``ESSENTIALS``."""
    deletion_protection: bool = False
    tags: dict[str, str]


class LogGroupOutputs(Outputs):
    """Its ARN, without the ``:*`` that stands for its streams."""

    arn: str


class LogGroup(Reconciler[LogGroupSpec, LogGroupOutputs]):
    """A log group; its id is its name.

    ``holds_data`` stays False although it keeps logs: they tell what ran and are no payments, they expire by
    themselves, and a destroy takes them with their writers. Deletion protection is for whoever wants them to stay.

    An account-level retention policy overrides the group's own: AWS then shows that policy's days and its name
    (``retentionPolicyName``). No call on the group could change them, so they are taken for what is wanted: the
    account's decision is no drift of this group.
    """

    type = "log-group"
    spec = LogGroupSpec
    outputs = LogGroupOutputs
    created_by_aws = True
    impacts: ClassVar[Mapping[str, Impact]] = {"log_class": Impact.REPLACE}
    timing = Timing(create_s=3, delete_s=3, longest_s=300)

    def observe(
        self, aws: Aws, id: str, expected: LogGroupSpec | None
    ) -> Observed[LogGroupSpec, LogGroupOutputs] | None:
        """Two reads: AWS finds groups by prefix, which may match others too, and tells tags apart."""
        pages = aws.pages(aws.logs.get_paginator("describe_log_groups"), logGroupNamePrefix=id)
        group = next((one for page in pages for one in page["logGroups"] if one.get("logGroupName") == id), None)
        if group is None:
            return None
        arn = _arn(aws, id)
        owner, unread = None, {}
        try:
            tags = aws.read(aws.logs.list_tags_for_resource, resourceArn=arn)["tags"]
            tags = {key: value for key, value in tags.items() if not key.startswith("aws:")}
            owner = Owner.of(tags)
        except AwsRefused as error:
            if error.matches(_MISSING):
                return None
            if not error.is_denied:
                raise
            tags, unread = expected.tags if expected else {}, {"tags": error.iam_action}
        spec = LogGroupSpec(
            retention_days=_retention(group, expected),
            kms_key_arn=group.get("kmsKeyId", ""),
            log_class=group.get("logGroupClass", "STANDARD"),
            deletion_protection=group.get("deletionProtectionEnabled", False),
            tags=tags,
        )
        return Observed(spec, LogGroupOutputs(arn=arn), owner=owner, unreadable=unread)

    def create(self, aws: Aws, id: str, want: LogGroupSpec, owner: Owner) -> None:
        """Make it with key and tags; AWS takes the retention only in a second call, which is an update."""
        asked: dict[str, Any] = {"logGroupClass": want.log_class, "tags": {**want.tags, **owner.tags}}
        if want.deletion_protection:
            asked["deletionProtectionEnabled"] = True
        if want.kms_key_arn:
            asked["kmsKeyId"] = want.kms_key_arn
        try:
            aws.logs.create_log_group(logGroupName=id, **asked)
        except AwsRefused as error:
            if error.matches("ResourceAlreadyExistsException"):
                raise AlreadyExists(f"{id} exists already") from error
            raise classify(error) from error

    def update(self, aws: Aws, id: str, have: LogGroupSpec, want: LogGroupSpec) -> frozenset[str]:
        """Retention first: a group that was just made keeps everything for ever."""
        try:
            if have.retention_days != want.retention_days:
                return _set_retention(aws, id, want.retention_days)
            if have.kms_key_arn != want.kms_key_arn:
                return _set_key(aws, id, want.kms_key_arn)
            if have.deletion_protection != want.deletion_protection:
                aws.logs.put_log_group_deletion_protection(
                    logGroupIdentifier=id, deletionProtectionEnabled=want.deletion_protection
                )
                return frozenset({"deletion_protection"})
            return _set_tags(aws, _arn(aws, id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error) from error

    def delete(
        self,
        aws: Aws,
        id: str,
        seen: Observed[LogGroupSpec, LogGroupOutputs],  # noqa: ARG002 -- one call takes any group
        last: LogGroupSpec | None,  # noqa: ARG002 -- as above
    ) -> None:
        """Remove it with all its events."""
        try:
            aws.logs.delete_log_group(logGroupName=id)
        except AwsRefused as error:
            if not error.matches(_MISSING):
                raise classify(error) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """By tag, in the listing that all types share."""
        filters = [{"Key": key, "Values": [value]} for key, value in owner.tags.items()]
        for page in aws.pages(aws.tagging.get_paginator("get_resources"), TagFilters=filters):
            for one in page["ResourceTagMappingList"]:
                _, _, service, _, _, resource = one["ResourceARN"].split(":", 5)
                if service == "logs" and resource.startswith("log-group:"):
                    yield resource.removeprefix("log-group:").removesuffix(":*")

    def deletion_blocker(self, seen: Observed[LogGroupSpec, LogGroupOutputs]) -> str | None:
        """A protected group cannot be deleted (PutLogGroupDeletionProtection)."""
        return "its deletion protection is on" if seen.spec.deletion_protection else None


def _arn(aws: Aws, id: str) -> str:
    return f"arn:{aws.partition}:logs:{aws.region}:{aws.account}:log-group:{id}"


def _retention(group: LogGroupTypeDef, expected: LogGroupSpec | None) -> int:
    # The name is newer than the stubs; it is there only where an account-level policy decides.
    overridden = "retentionPolicyName" in group
    return expected.retention_days if expected and overridden else group.get("retentionInDays", 0)


def _set_retention(aws: Aws, id: str, days: int) -> frozenset[str]:
    if days:
        aws.logs.put_retention_policy(logGroupName=id, retentionInDays=days)
    else:
        aws.logs.delete_retention_policy(logGroupName=id)
    return frozenset({"retention_days"})


def _set_key(aws: Aws, id: str, key_arn: str) -> frozenset[str]:
    if key_arn:
        aws.logs.associate_kms_key(logGroupName=id, kmsKeyId=key_arn)
    else:
        aws.logs.disassociate_kms_key(logGroupName=id)
    return frozenset({"kms_key_arn"})


def _set_tags(aws: Aws, arn: str, have: Mapping[str, str], want: Mapping[str, str]) -> frozenset[str]:
    added = {key: value for key, value in want.items() if have.get(key) != value}
    extra = sorted(have.keys() - want.keys())
    if added:
        aws.logs.tag_resource(resourceArn=arn, tags=added)
        return frozenset() if extra else frozenset({"tags"})
    aws.logs.untag_resource(resourceArn=arn, tagKeys=extra)
    return frozenset({"tags"})


def classify(error: AwsRefused) -> NotYet | AwsRefused:
    """What a refused change means: ask again, or no."""
    if error.matches("OperationAbortedException"):
        return NotYet("another change of this log group is going on", Patience.BUSY)
    if error.matches(_MISSING):
        return NotYet("CloudWatch Logs does not show the log group yet", Patience.PROPAGATION)
    # So it says as long as the key's policy has not spread to it.
    if error.matches("InvalidParameterException", "AccessDeniedException", text="not allowed to be used with"):
        return NotYet("CloudWatch Logs may not use the KMS key yet", Patience.PROPAGATION)
    return error
