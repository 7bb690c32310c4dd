"""A subscription of the alarm topic: a subresource of the topic, made once and confirmed by whoever it is sent to.

SNS chooses a subscription's ARN and shows none before it is confirmed; so it is known by its topic, protocol and
endpoint, of which SNS keeps one (Amazon SNS API reference, Subscribe). It has no tags: whoever owns the topic owns
those of its subscriptions that the configuration names. All others are their makers'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from tapctl.aws import tags
from tapctl.aws.refusals import Transient, UnreadableFields, classify
from tapctl.aws.rights import Need, Right, arn
from tapctl.engine.model import Impact, Observed, Outputs, Owner, Pending, Reconciler, Retained, Spec, Timing
from tapctl.engine.trail import Trail
from tapctl.errors import AwsRefused, NotYet, Patience, Refused
from tapctl.safety.redaction import hide_path

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

    from tapctl.aws.client import Aws

_MISSING: Final = ("NotFound", "ResourceNotFound")
_TRANSIENT: Final = (
    Transient(("ConcurrentAccess",), "another change of this topic is going on", Patience.BUSY),
    Transient(_MISSING, "SNS does not show the topic or the subscription yet", Patience.PROPAGATION),
)
_PENDING: Final = "PendingConfirmation"
_GONE: Final = "Deleted"
"""Words that stand in the ARN's place: of one that nobody has confirmed, and for a while of one that has gone."""
# Spec field to AWS's attribute, and the value that takes it away (SNS developer guide, "Removing a subscription filter
# policy", for the first).
_ATTRIBUTES: Final[Mapping[str, tuple[str, str]]] = {
    "filter_policy": ("FilterPolicy", "{}"),
    "raw_delivery": ("RawMessageDelivery", "false"),
    "redrive_policy": ("RedrivePolicy", ""),
    "delivery_policy": ("DeliveryPolicy", ""),
}
_TOPIC: Final = (arn("sns", "{sns-topic}"),)
_UNSCOPED: Final = "SNS knows no subscription as a resource"
_UNCONFIRMED: Final = "its receiver confirms it"


class SnsSubscriptionSpec(Spec):
    """The fields that tapctl owns on a subscription: who gets what is published, and that it is all of it, as it is."""

    topic_arn: str
    protocol: str
    """``email``, ``https``, ``sqs`` or ``lambda``."""
    endpoint: str
    """The receiver; of one on the web the host, and a digest of the rest (`hide_path`)."""
    filter_policy: str = ""
    """JSON of what is let through. Wanted: empty, which is everything."""
    raw_delivery: str = ""
    """``true`` where SNS leaves its envelope away. Wanted: empty."""
    redrive_policy: str = ""
    """JSON of where undelivered messages go. Wanted: empty."""
    delivery_policy: str = ""
    """JSON of other retries than SNS's own. Wanted: empty."""


class SnsSubscriptionOutputs(Outputs):
    """The ARN of the topic, since a topic made anew has other subscriptions, and the subscription's own.

    SNS shows that one from the confirmation on, which nobody takes back: another one, or none, is another subscription.
    """

    told_later = frozenset({"confirmed"})

    topic_arn: str
    confirmed: str
    """The subscription's ARN; empty until its receiver has confirmed it."""


class SnsSubscription(Reconciler[SnsSubscriptionSpec, SnsSubscriptionOutputs]):
    """A subscription; the id is its topic's name, a slash, and the subscriber (``email:oncall@example.com``).

    ``endpoint``: the whole address of a receiver on the web, which no spec holds; empty where it is not known.
    """

    type = "sns-subscription"
    teardown_rank = 18
    parent_type = "sns-topic"
    deleted_with_parent = True
    retainable = True
    kept_while_pending = "endpoint"
    impacts: ClassVar[Mapping[str, Impact]] = {"topic_arn": Impact.REPLACE}
    trail = Trail(
        "sns",
        whole=("Subscribe", "ConfirmSubscription", "Unsubscribe"),
        fields={
            "filter_policy": ("SetSubscriptionAttributes:attributeName=FilterPolicy",),
            "raw_delivery": ("SetSubscriptionAttributes:attributeName=RawMessageDelivery",),
            "redrive_policy": ("SetSubscriptionAttributes:attributeName=RedrivePolicy",),
            "delivery_policy": ("SetSubscriptionAttributes:attributeName=DeliveryPolicy",),
        },
    )
    timing = Timing(create_s=3, delete_s=3, longest_s=300)
    actions = (
        Right(Need.OBSERVE, ("sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"), _TOPIC),
        Right(Need.OBSERVE, ("sns:GetSubscriptionAttributes",), why=_UNSCOPED),
        Right(Need.CREATE, ("sns:Subscribe",), _TOPIC),
        Right(Need.UPDATE, ("sns:SetSubscriptionAttributes",), why=_UNSCOPED),
        Right(Need.REPLACE | Need.DELETE, ("sns:Unsubscribe",), why=_UNSCOPED),
    )

    def __init__(self, endpoint: str = "") -> None:
        self._endpoint = endpoint

    def parent_id(self, id: str) -> str:
        """The topic's name."""
        return id.partition("/")[0]

    def observe(
        self, aws: Aws, id: str, expected: SnsSubscriptionSpec | None
    ) -> Observed[SnsSubscriptionSpec, SnsSubscriptionOutputs] | None:
        """Read the topic's subscriptions and tags, both once for all of a topic, and the attributes: a call each."""
        topic_arn = aws.arn("sns", self.parent_id(id))
        protocol, endpoint = delivery(id.partition("/")[2])
        unreadable = UnreadableFields()
        try:
            live = _find(aws, topic_arn, protocol, endpoint)
            if live is None:
                return None
            topic_tags = tags.as_dict(aws.read(aws.sns.list_tags_for_resource, ResourceArn=topic_arn)["Tags"])
            pending = not is_confirmed(live)
            arn = live.get("SubscriptionArn", "")
            attributes = {} if pending else _attributes(aws, arn, unreadable, expected)
        except AwsRefused as error:
            if error.matches(*_MISSING):
                return None
            raise
        return Observed(
            SnsSubscriptionSpec(topic_arn=topic_arn, protocol=protocol, endpoint=endpoint, **attributes),
            SnsSubscriptionOutputs(topic_arn=topic_arn, confirmed="" if pending else arn),
            owner=Owner.of(topic_tags),
            status="pending confirmation" if pending else "confirmed",
            pending={"endpoint": Pending(_UNCONFIRMED, "SNS sends it nothing before")} if pending else {},
            unreadable=unreadable.actions,
        )

    def create(self, aws: Aws, id: str, want: SnsSubscriptionSpec, owner: Owner) -> None:
        """Subscribe, which asks the receiver for a confirmation. The owner is the topic's.

        Raises:
            Refused: the whole address of the receiver is known to the files alone.
        """
        if want.protocol == "https" and not self._endpoint:
            raise Refused(f"{id}: its whole address is in the files alone", hint="an apply makes it by them")
        endpoint = self._endpoint or want.endpoint
        try:
            aws.sns.subscribe(TopicArn=want.topic_arn, Protocol=want.protocol, Endpoint=endpoint)
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error

    def update(self, aws: Aws, id: str, have: SnsSubscriptionSpec, want: SnsSubscriptionSpec) -> frozenset[str]:
        """Set one attribute, or take it away; AWS takes one a call."""
        field = next(field for field in _ATTRIBUTES if getattr(have, field) != getattr(want, field))
        attribute, nothing = _ATTRIBUTES[field]
        value = getattr(want, field) or nothing
        try:
            arn = _arn(aws, want)
            aws.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=attribute, AttributeValue=value)
        except AwsRefused as error:
            raise classify(error, _TRANSIENT) from error
        return frozenset({field})

    def delete(
        self,
        aws: Aws,
        id: str,
        observed: Observed[SnsSubscriptionSpec, SnsSubscriptionOutputs],
        last: SnsSubscriptionSpec | None,
    ) -> Retained | None:
        """Unsubscribe; what nobody has confirmed has no ARN to do it by, and SNS drops it by itself."""
        if observed.pending:
            return Retained(
                until="SNS drops it, 48 hours after it was made",
                why="nobody has confirmed it, and SNS lets nobody unsubscribe it",
            )
        try:
            aws.sns.unsubscribe(SubscriptionArn=_arn(aws, observed.spec))
        except AwsRefused as error:
            if not error.matches(*_MISSING):
                raise classify(error, _TRANSIENT) from error
        return None

    def gone_by_itself(self, recorded: Mapping[str, str]) -> str:
        """Tell that SNS may have dropped the subscription, where it was not confirmed when it was recorded."""
        dropped = "SNS drops by itself, without an event, what its receiver has not confirmed for 48 hours"
        return "" if recorded.get("confirmed") else dropped

    def list_owned(self, aws: Aws, owner: Owner) -> Iterable[str]:
        """Nothing: the topic is found by its own tags, and takes its subscriptions with it."""
        return ()


def subscriptions(aws: Aws, topic_arn: str) -> list[SubscriptionTypeDef]:
    """Read every subscription of the topic that is there, anybody's. A call for each hundred of them."""
    pages = aws.pages(aws.sns.get_paginator("list_subscriptions_by_topic"), TopicArn=topic_arn)
    return [each for page in pages for each in page["Subscriptions"] if each.get("SubscriptionArn") != _GONE]


def is_confirmed(subscription: SubscriptionTypeDef) -> bool:
    """True if SNS delivers to it."""
    return subscription.get("SubscriptionArn") != _PENDING


def subscriber(subscription: SubscriptionTypeDef) -> str:
    """The receiver of a subscription as the configuration names one: ``email:oncall@example.com``."""
    protocol, endpoint = subscription.get("Protocol", ""), subscription.get("Endpoint", "")
    return endpoint if endpoint.startswith(("https://", "arn:")) else f"{protocol}:{endpoint}"


def delivery(name: str) -> tuple[str, str]:
    """Protocol and endpoint of a subscriber: an address of the web or an ARN tells the protocol itself."""
    protocol, _, rest = name.partition(":")
    if protocol == "arn":
        return rest.split(":")[1], name
    return (protocol, name) if protocol == "https" else (protocol, rest)


def _find(aws: Aws, topic_arn: str, protocol: str, endpoint: str) -> SubscriptionTypeDef | None:
    wanted = (protocol, endpoint)
    live = subscriptions(aws, topic_arn)
    return next((each for each in live if (each.get("Protocol"), hide_path(each.get("Endpoint", ""))) == wanted), None)


def _arn(aws: Aws, spec: SnsSubscriptionSpec) -> str:
    """Look up the ARN of a confirmed subscription.

    Raises:
        NotYet: SNS does not show it, or no ARN of it.
    """
    live = _find(aws, spec.topic_arn, spec.protocol, spec.endpoint)
    if live is None or not is_confirmed(live):
        raise NotYet("SNS does not show the subscription", Patience.PROPAGATION)
    return live.get("SubscriptionArn", "")


def _attributes(
    aws: Aws, arn: str, unreadable: UnreadableFields, expected: SnsSubscriptionSpec | None
) -> dict[str, str]:
    try:
        live: Mapping[str, str] = aws.read(aws.sns.get_subscription_attributes, SubscriptionArn=arn)["Attributes"]
    except AwsRefused as error:
        if not error.is_denied:
            raise
        unreadable.actions.update(dict.fromkeys(_ATTRIBUTES, error.iam_action))
        return {field: getattr(expected, field, "") for field in _ATTRIBUTES}
    return {field: _value(live.get(attribute, "")) for field, (attribute, _) in _ATTRIBUTES.items()}


def _value(text: str) -> str:
    return "" if text in ("false", "{}") else text
