"""An RDS event subscription: which events of which sources RDS publishes to an SNS topic.

AWS's facts are from the RDS API reference (CreateEventSubscription, ModifyEventSubscription and the like, and the data
type EventSubscription) and the Aurora user guide, "Working with Amazon RDS event notification".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import LISTS, Need, Right, arn
from tapctl.aws.tags import as_list
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Reconciler, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AlreadyExists, AwsRefused, Patience
from tapctl.reconcilers.rds import arn_of, owned_names, read_tags, step_tags

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import EventSubscriptionTypeDef

    from tapctl.aws.client import Aws

_MISSING: Final = "SubscriptionNotFound"
_TRANSIENT: Final = (
    Transient((_MISSING,), "RDS does not show the event subscription yet", Patience.PROPAGATION),
    Transient(
        ("SourceNotFound",), "RDS does not know a source of the events yet: {error.message}", Patience.PROPAGATION
    ),
    # RDS's answers, too, until the topic and its policy have spread.
    Transient(
        ("SNSNoAuthorization", "SNSTopicArnNotFound"), "RDS may not publish yet: {error.message}", Patience.PROPAGATION
    ),
    Transient(
        ("InvalidEventSubscriptionState",), "another change of this event subscription is going on", Patience.BUSY
    ),
)
_AT_WORK: Final = ("creating", "modifying")
_NO_TOPIC: Final = "topic-not-exist"
_FAILURES: Final = {
    "no-permission": "RDS may not publish to the topic any more (no-permission)",
    _NO_TOPIC: "the topic was deleted after the subscription was made (topic-not-exist)",
}
_MODIFIED: Final = ("topic_arn", "categories", "enabled")


_SUBSCRIPTION: Final = (arn("rds", "es:{rds-event-subscription}"),)


class RdsEventSubscriptionSpec(Spec):
    """The fields that tapctl owns on an event subscription."""

    topic_arn: str
    source_type: str
    """The kind of all sources: ``db-cluster``, ``db-instance``, ``db-parameter-group``."""
    source_ids: frozenset[str]
    """Names of the sources, never empty: to RDS no source is every one of the account."""
    categories: frozenset[str]
    """RDS's words (``configuration change``), never empty: to RDS no category is every one."""
    enabled: bool = True
    tags: dict[str, str]


class RdsEventSubscriptionOutputs(Outputs):
    """The subscription's ARN."""

    arn: str


class RdsEventSubscription(Reconciler[RdsEventSubscriptionSpec, RdsEventSubscriptionOutputs]):
    """An event subscription; the id is its name."""

    type = "rds-event-subscription"
    name_is_identity = True
    teardown_rank = 15
    replaceable = True
    # The sources are of the type, and ModifyEventSubscription cannot change them with it.
    impacts: ClassVar = {"source_type": Impact.REPLACE}
    # terraform-provider-aws looks every 10 s or more, for up to 40 minutes.
    trail = Trail(
        "rds",
        whole=("CreateEventSubscription", "DeleteEventSubscription"),
        fields={
            "topic_arn": ("ModifyEventSubscription:snsTopicArn",),
            "source_type": ("ModifyEventSubscription:sourceType",),
            "source_ids": ("AddSourceIdentifierToSubscription", "RemoveSourceIdentifierFromSubscription"),
            "categories": ("ModifyEventSubscription:eventCategories",),
            "enabled": ("ModifyEventSubscription:enabled",),
            "tags": ("AddTagsToResource", "RemoveTagsFromResource"),
        },
    )
    timing = Timing(create_s=15, delete_s=15, longest_s=2400)
    actions = (
        Right(Need.OBSERVE, ("rds:DescribeEventSubscriptions", "rds:ListTagsForResource"), _SUBSCRIPTION),
        Right(Need.CREATE, ("rds:CreateEventSubscription", "rds:AddTagsToResource"), _SUBSCRIPTION),
        Right(
            Need.UPDATE,
            (
                "rds:ModifyEventSubscription",
                "rds:AddSourceIdentifierToSubscription",
                "rds:RemoveSourceIdentifierFromSubscription",
            ),
            _SUBSCRIPTION,
        ),
        Right(
            Need.UPDATE,
            ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"),
            _SUBSCRIPTION,
            fields=frozenset({"tags"}),
        ),
        Right(Need.REPLACE | Need.DELETE, ("rds:DeleteEventSubscription",), _SUBSCRIPTION),
        Right(Need.SWEEP, ("tag:GetResources",), why=LISTS),
    )

    def observe(
        self, aws: Aws, id: str, expected: RdsEventSubscriptionSpec | None
    ) -> Observed[RdsEventSubscriptionSpec, RdsEventSubscriptionOutputs] | None:
        """Read the subscription and its tags: two calls."""
        unreadable = UnreadableFields()
        try:
            pages = aws.pages(aws.rds.get_paginator("describe_event_subscriptions"), SubscriptionName=id)
            subscriptions = (subscription for page in pages for subscription in page["EventSubscriptionsList"])
            subscription = next((one for one in subscriptions if _name(one) == id.lower()), None)
            if subscription is None:
                return None
            arn = subscription["EventSubscriptionArn"]
            live_tags = read_tags(aws, arn, unreadable, expected.tags if expected else {})
        except AwsRefused as error:
            if error.matches(_MISSING):
                return None
            raise
        status = subscription["Status"]
        return Observed(
            RdsEventSubscriptionSpec(
                topic_arn=subscription.get("SnsTopicArn", ""),
                source_type=subscription.get("SourceType", ""),
                source_ids=frozenset(source.lower() for source in subscription.get("SourceIdsList", [])),
                categories=frozenset(subscription.get("EventCategoriesList", [])),
                enabled=subscription.get("Enabled", False),
                tags=live_tags,
            ),
            RdsEventSubscriptionOutputs(arn=arn),
            settled=status not in _AT_WORK,
            deleting=status == "deleting",
            failure=_FAILURES.get(status),
            failed_by_others=status == _NO_TOPIC,
            status=status,
            owner=None if unreadable.actions else Owner.of(live_tags),
            unreadable=unreadable.actions,
        )

    def create(self, aws: Aws, id: str, want: RdsEventSubscriptionSpec, owner: Owner) -> None:
        """Make the subscription as wanted; RDS publishes a first message to the topic, to see whether it may."""
        try:
            aws.rds.create_event_subscription(
                SubscriptionName=id,
                SnsTopicArn=want.topic_arn,
                SourceType=want.source_type,
                SourceIds=sorted(want.source_ids),
                EventCategories=sorted(want.categories),
                Enabled=want.enabled,
                Tags=as_list({**want.tags, **owner.tags}),
            )
        except AwsRefused as error:
            if error.matches("SubscriptionAlreadyExist"):
                raise AlreadyExists(f"an event subscription {id} exists already") from error
            raise classify(error, _TRANSIENT) from error

    def update(
        self, aws: Aws, id: str, have: RdsEventSubscriptionSpec, want: RdsEventSubscriptionSpec
    ) -> frozenset[str]:
        """Change topic, categories and switch by one call; then the sources, one a call; then tags.

        Sources are added before others are removed: one without any is every source of the account.
        """
        differs = {name for name in _MODIFIED if getattr(have, name) != getattr(want, name)}
        missing, extra = sorted(want.source_ids - have.source_ids), sorted(have.source_ids - want.source_ids)
        try:
            if differs:
                aws.rds.modify_event_subscription(
                    SubscriptionName=id,
                    SnsTopicArn=want.topic_arn,
                    SourceType=want.source_type,
                    EventCategories=sorted(want.categories),
                    Enabled=want.enabled,
                )
                return frozenset(differs)
            if missing:
                aws.rds.add_source_identifier_to_subscription(SubscriptionName=id, SourceIdentifier=missing[0])
            elif extra:
                aws.rds.remove_source_identifier_from_subscription(SubscriptionName=id, SourceIdentifier=extra[0])
            else:
                return step_tags(aws, arn_of(aws, "es", id), have.tags, want.tags)
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error
        return frozenset({"source_ids"} if len(missing) + len(extra) == 1 else ())

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[RdsEventSubscriptionSpec, RdsEventSubscriptionOutputs],
        last: RdsEventSubscriptionSpec | None,
    ) -> None:
        """Delete the subscription; the topic and the sources stay."""
        try:
            aws.rds.delete_event_subscription(SubscriptionName=id)
        except AwsRefused as error:
            if not error.matches(_MISSING):
                raise classify(error, _TRANSIENT) from error

    def list_owned(self, aws: Aws, owner: Owner) -> Iterator[str]:
        """Find the subscriptions by the owner's tags."""
        return owned_names(aws, owner, "es")


def _name(subscription: EventSubscriptionTypeDef) -> str:
    return subscription.get("CustSubscriptionId", "").lower()
