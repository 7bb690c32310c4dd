"""A CloudWatch Logs group, made before its writer so that nothing is ever logged without retention and encryption.

A writer that still writes after its group was deleted makes AWS create the group again, without tags.
AWS's facts are from the CloudWatch Logs API reference: CreateLogGroup, DescribeLogGroups, PutRetentionPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing, address
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, Patience
from tapctl.reconcilers.exposures import with_details, with_exposures

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import LogGroupTypeDef

    from tapctl.aws.client import Aws

FILTER_TYPES: Final = ("log-metric-filter", "log-subscription-filter")
"""The types of what others put on a log group, which ends with it."""
_METRIC_FILTER, _SUBSCRIPTION_FILTER = FILTER_TYPES
_NAMES_A_CALL: Final = 50
_MISSING: Final = "ResourceNotFoundException"
_TRANSIENT: Final = (
    Transient(("OperationAbortedException",), "another change of this log group is going on", Patience.BUSY),
    Transient((_MISSING,), "CloudWatch Logs does not show the log group yet", Patience.PROPAGATION),
    # AWS's answer as long as the key's policy has not spread.
    Transient(
        ("InvalidParameterException", "AccessDeniedException"),
        "CloudWatch Logs may not use the KMS key yet",
        Patience.PROPAGATION,
        text="not allowed to be used with",
    ),
)
_DEFAULT_CLASS: Final = "STANDARD"
_OLDEST_EVENT: Final = timedelta(days=14)
# DescribeLogGroups' words for a group without a data protection policy of its own.
_UNPROTECTED: Final = ("DELETED", "DISABLED", "ARCHIVED")
# The members of a subscription filter that say which events are copied, how, and with whose rights.
_COPIED: Final = ("filterPattern", "fieldSelectionCriteria", "emitSystemFields", "applyOnTransformedLogs", "roleArn")
# A log group's name, chosen by its writer (`recreated_by`), to the writer's type.
_WRITERS: Final = (
    (re.compile("/aws/lambda/([^/]+)"), "lambda-function"),
    (re.compile("/aws/rds/cluster/([^/]+)/postgresql"), "db-cluster"),
)


# Tags are a group's own; every other action is checked with what is in the group (CloudWatch Logs user guide, "Using
# identity-based policies": the ARN with and without ":*").
_GROUP: Final = (arn("logs", "log-group:{log-group}"),)
_STREAMS: Final = (arn("logs", "log-group:{log-group}:*"),)


class LogGroupSpec(Spec):
    """The fields that tapctl owns on a log group."""

    retention_days: int
    """Days until an event expires; 0 is never."""
    kms_key_arn: str
    """Empty: encrypted with CloudWatch's own key."""
    log_class: str = "STANDARD"
    """``STANDARD``, ``INFREQUENT_ACCESS``, ``DELIVERY`` or ``ESSENTIALS``."""
    deletion_protection: bool = False
    subscriptions: frozenset[str] = frozenset()
    """Copies of the events: ``<destination> by <subscription filter>``, with what is copied where that is not all of
    it. Wanted: none."""
    data_protection: str = ""
    """AWS's word for a policy of the group that masks data, and may copy what it finds; empty: none. Wanted: empty."""
    bearer_tokens: bool = False
    """True if events can be put with a bearer token in place of signed requests. Wanted: False."""
    retention_cut: str = ""
    """A retention policy of the account by which events go earlier than is wanted: ``30 by <policy>``. Wanted: none."""
    tags: dict[str, str]


class LogGroupOutputs(Outputs):
    """The group's ARN, without the ``:*`` that stands for its streams, and the time of its creation.

    Another time is another group under the same name, and the events of the recorded one are gone.
    """

    arn: str
    created: str
    """ISO 8601 in UTC, to the millisecond; empty where AWS tells none (``creationTime`` of DescribeLogGroups)."""


class LogGroup(Reconciler[LogGroupSpec, LogGroupOutputs]):
    """A log group; the id is its name.

    ``holds_data`` stays False although the group keeps logs: they tell what ran and are no payments, they expire by
    themselves, and a destroy deletes them with their writers. Deletion protection is for whoever wants them to stay.

    An account-level retention policy overrides the group's own: AWS then shows that policy's days and its name
    (``retentionPolicyName``). No call on the group could change them, so they are taken for what is wanted: that the
    account keeps events for longer is no drift of this group, and that they go earlier is the field ``retention_cut``.
    """

    type = "log-group"
    name_is_identity = True
    teardown_rank = 130
    created_by_aws = True
    impacts: ClassVar[Mapping[str, Impact]] = {"log_class": Impact.REPLACE}
    retention_field = "retention_days"
    protection_fields = frozenset({"deletion_protection"})
    left_alone: ClassVar[Mapping[str, str]] = {
        "subscriptions": "aws logs delete-subscription-filter --log-group-name {id} --filter-name {name}",
        "data_protection": "aws logs delete-data-protection-policy --log-group-identifier {id}",
        "bearer_tokens": "aws logs put-bearer-token-authentication --log-group-identifier {id} "
        "--no-bearer-token-authentication-enabled",
        "retention_cut": "aws logs describe-account-policies --policy-type RETENTION_POLICY --policy-name {name}",
    }
    ending_costs: ClassVar[Mapping[str, str]] = {
        "retention_cut": "it is the account's, for the log groups of every team in the region: whoever owns it changes "
        "it, or leaves these out; this shows it:",
    }
    never_compared = (
        "deleted streams",
        "metric filters, transformers, indexes",
        "policies of the account, its resource policy",
        "S3 exports, S3 tables, OpenSearch",
        "syslog, scheduled queries, anomaly detectors",
        "accounts that read it by an observability link or a centralization rule",
    )
    trail = Trail(
        "logs",
        whole=("CreateLogGroup", "DeleteLogGroup"),
        fields={
            "retention_days": ("PutRetentionPolicy", "DeleteRetentionPolicy"),
            "kms_key_arn": ("AssociateKmsKey", "DisassociateKmsKey"),
            "deletion_protection": ("PutLogGroupDeletionProtection",),
            "subscriptions": ("PutSubscriptionFilter", "DeleteSubscriptionFilter"),
            "data_protection": ("PutDataProtectionPolicy", "DeleteDataProtectionPolicy"),
            "bearer_tokens": ("PutBearerTokenAuthentication",),
            "retention_cut": ("PutAccountPolicy", "DeleteAccountPolicy"),
            "tags": ("TagResource", "UntagResource", "TagLogGroup", "UntagLogGroup"),
        },
        named=False,
    )
    timing = Timing(create_s=3, delete_s=3, longest_s=300)
    actions = (
        Right(Need.OBSERVE, ("logs:DescribeLogGroups",), why=LISTS),
        Right(Need.OBSERVE, ("logs:ListTagsForResource",), _GROUP),
        Right(Need.OBSERVE, ("logs:DescribeSubscriptionFilters",), _STREAMS),
        Right(Need.CREATE, ("logs:CreateLogGroup", "logs:PutRetentionPolicy"), _STREAMS),
        Right(Need.CREATE, ("logs:TagResource",), _GROUP),
        Right(
            Need.UPDATE,
            ("logs:AssociateKmsKey", "logs:PutLogGroupDeletionProtection", "logs:PutRetentionPolicy"),
            _STREAMS,
        ),
        Right(Need.UPDATE, ("logs:TagResource", "logs:UntagResource"), _GROUP, fields=frozenset({"tags"})),
        Right(Need.DELETE, ("logs:DeleteLogGroup", "logs:DescribeMetricFilters"), _STREAMS),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )

    def observe(
        self, aws: Aws, id: str, expected: LogGroupSpec | None
    ) -> Observed[LogGroupSpec, LogGroupOutputs] | None:
        """Read all groups of the round by one call, and the tags of this one by another.

        Of one without tags, which AWS may have made by itself, a third asks whether somebody has its events sent on.
        """
        group = _described(aws, id, aws.batch_ids(self.type, id, _NAMES_A_CALL))
        if group is None:
            return None
        arn = _arn(aws, id)
        unreadable = UnreadableFields()
        try:
            live_tags = unreadable.read(
                "tags",
                lambda: tags.as_dict(aws.read(aws.logs.list_tags_for_resource, resourceArn=arn)["tags"]),
                expected.tags if expected else {},
            )
            is_sent_on = not live_tags and not unreadable.actions and bool(_subscriptions(aws, id))
        except AwsRefused as error:
            if error.matches(_MISSING):
                return None
            raise
        if _may_be_counted(group):
            aws.learnt.add(_counted(id))
        answer: Mapping[str, Any] = group  # some members are newer than the stubs
        protection = str(answer.get("dataProtectionStatus", ""))
        days, cut = _retention(group, expected)
        spec = LogGroupSpec(
            retention_days=days,
            retention_cut=cut,
            kms_key_arn=group.get("kmsKeyId", ""),
            log_class=group.get("logGroupClass", _DEFAULT_CLASS),
            deletion_protection=group.get("deletionProtectionEnabled", False),
            data_protection="" if protection in _UNPROTECTED else protection,
            bearer_tokens=bool(answer.get("bearerTokenAuthenticationEnabled", False)),
            tags=live_tags,
        )
        owner = None if unreadable.actions else Owner.of(live_tags)
        created = _created(group)
        return Observed(
            spec,
            LogGroupOutputs(arn=arn, created=created.isoformat(timespec="milliseconds") if created else ""),
            owner=owner,
            unreadable=unreadable.actions,
            is_default=not is_sent_on and _is_default(group, spec),
            # An event may be up to 14 days older than its group (PutLogEvents).
            holds_data_since=created - _OLDEST_EVENT if created else None,
        )

    def observe_exposures(
        self, aws: Aws, id: str, seen: Observed[LogGroupSpec, LogGroupOutputs], expected: LogGroupSpec | None
    ) -> Observed[LogGroupSpec, LogGroupOutputs]:
        """Read the subscription filters: one call."""
        return with_exposures(seen, {"subscriptions": lambda: _subscriptions(aws, id)})

    def create(self, aws: Aws, id: str, want: LogGroupSpec, owner: Owner) -> None:
        """Make the group with key and tags; AWS takes the retention only in a second call, which is an update."""
        optional: dict[str, Any] = {"tags": {**want.tags, **owner.tags}}
        if want.log_class != _DEFAULT_CLASS:
            # Where classes are unknown even the default is refused (hashicorp/terraform-provider-aws#34809).
            optional["logGroupClass"] = want.log_class
        if want.deletion_protection:
            optional["deletionProtectionEnabled"] = True
        if want.kms_key_arn:
            optional["kmsKeyId"] = want.kms_key_arn
        try:
            aws.logs.create_log_group(logGroupName=id, **optional)
        except AwsRefused as error:
            if error.matches("ResourceAlreadyExistsException"):
                raise AlreadyExists(f"{id} exists already") from error
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: LogGroupSpec, want: LogGroupSpec) -> frozenset[str]:
        """Set retention first (a group that was just made keeps everything for ever), then key, protection, tags."""
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
            arn = _arn(aws, id)
            return tags.step(
                have.tags,
                want.tags,
                add=lambda missing: aws.logs.tag_resource(resourceArn=arn, tags=missing),
                remove=lambda extra: aws.logs.untag_resource(resourceArn=arn, tagKeys=extra),
            )
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def delete(
        self, aws: Aws, id: str, observed: Observed[LogGroupSpec, LogGroupOutputs], last: LogGroupSpec | None
    ) -> None:
        """Delete the group with all its events."""
        try:
            aws.logs.delete_log_group(logGroupName=id)
        except AwsRefused as error:
            if not error.matches(_MISSING):
                raise classify(error, _TRANSIENT) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the groups by the owner's tags."""
        return (name.removesuffix(":*") for name in tags.find(aws, owner.search_tags, "logs", "log-group:"))

    def deletion_blocker(self, observed: Observed[LogGroupSpec, LogGroupOutputs]) -> str | None:
        """Name the group's deletion protection (PutLogGroupDeletionProtection)."""
        return "its deletion protection is on" if observed.spec.deletion_protection else None

    def recreated_by(self, id: str) -> str | None:
        """The function or cluster whose logs AWS writes into a group of this name, and makes it for."""
        writers = ((pattern.fullmatch(id), type_) for pattern, type_ in _WRITERS)
        return next((address(type_, match[1]) for match, type_ in writers if match), None)


def filters_on(aws: Aws, id: str) -> frozenset[str]:
    """The addresses of the filters on the group: one call, and another where metric filters may be."""
    asks: list[tuple[str, Any, str]] = [(_SUBSCRIPTION_FILTER, "describe_subscription_filters", "subscriptionFilters")]
    if _counted(id) in aws.learnt:
        asks.append((_METRIC_FILTER, "describe_metric_filters", "metricFilters"))
    try:
        return frozenset(
            address(type_, f"{id}:{each.get('filterName', '')}")
            for type_, operation, member in asks
            for page in aws.pages(aws.logs.get_paginator(operation), logGroupName=id)
            for each in page.get(member, ())
        )
    except AwsRefused as error:
        # Gone since it was observed, which another look shows: of a group without filters AWS lists none.
        if error.matches(_MISSING) and _described(aws.afresh(), id, (id,)) is None:
            return frozenset()
        raise


def split_filter(place: str) -> tuple[str, str]:
    """The log group and the name of the filter at this address: neither has a colon (PutMetricFilter)."""
    group, _, name = place.partition("/")[2].partition(":")
    return group, name


def kind_of_filter(place: str) -> str:
    """The words for the filter at this address: ``metric filter``."""
    return place.partition("/")[0].removeprefix("log-").replace("-", " ")


def _counted(id: str) -> str:
    """The fact that metric filters may count the group's events."""
    return f"metric filters on {id}"


def _is_default(group: Mapping[str, Any], spec: LogGroupSpec) -> bool:
    """True if the group is as AWS makes one for a writer that finds none: kept for ever, without key, guard or filter.

    A retention that a policy of the account decides is nobody's word about this group.
    """
    kept_for_ever = "retentionInDays" not in group or "retentionPolicyName" in group
    guards = (spec.kms_key_arn, spec.deletion_protection, spec.data_protection, spec.bearer_tokens)
    return kept_for_ever and spec.log_class == _DEFAULT_CLASS and not _may_be_counted(group) and not any(guards)


def _may_be_counted(group: Mapping[str, Any]) -> bool:
    """True if metric filters count the group's events, or AWS does not tell how many do."""
    return group.get("metricFilterCount") != 0


def _created(group: Mapping[str, Any]) -> datetime | None:
    """The time at which the group was made; None where AWS tells none, in milliseconds, that there can be."""
    milliseconds = group.get("creationTime")
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError):
        return None


def _arn(aws: Aws, id: str) -> str:
    return aws.arn("logs", f"log-group:{id}")


def _described(aws: Aws, id: str, names: tuple[str, ...]) -> LogGroupTypeDef | None:
    """Describe the group, with the others of the round; by its prefix, which others may have too, where that fails."""
    alone: dict[str, Any] = {"logGroupNamePrefix": id}
    together = [{"logGroupIdentifiers": list(names)}] if len(names) > 1 else []
    for filters in (*together, alone):
        try:
            pages = aws.pages(aws.logs.get_paginator("describe_log_groups"), **filters)
        except AwsRefused:
            # Who may read ours alone may not read several; and the filter is newer than some partitions.
            if filters is alone:
                raise
            continue
        groups = (group for page in pages for group in page.get("logGroups", ()))
        group = next((group for group in groups if group.get("logGroupName") == id), None)
        if group is not None:
            return group
    return None


def _subscriptions(aws: Aws, id: str) -> frozenset[str]:
    pages = aws.pages(aws.logs.get_paginator("describe_subscription_filters"), logGroupName=id)
    filters = (filter_ for page in pages for filter_ in page.get("subscriptionFilters", ()))
    return frozenset(
        with_details(
            f"{each.get('destinationArn', '')} by {each.get('filterName', '')}",
            {name: each.get(name) for name in _COPIED},
        )
        for each in filters
    )


def _retention(group: Mapping[str, Any], expected: LogGroupSpec | None) -> tuple[int, str]:
    """Read the days, as expected where a policy of the account decides them, and by which policy they are fewer."""
    days: int = group.get("retentionInDays", 0)
    if expected is None or "retentionPolicyName" not in group:
        return days, ""
    kept = expected.retention_days
    fewer = days != 0 and (kept == 0 or days < kept)
    return kept, f"{days} by {group['retentionPolicyName']}" if fewer else ""


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
