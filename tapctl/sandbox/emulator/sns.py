"""SNS topics: every attribute is stored, CreateTopic again must be the same, one change at a time."""

from __future__ import annotations

from typing import Any, Final

from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, Service, ServiceError, Tags
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing = Rules("sns"), Rules("sns")
SERVICE: Final = Service(
    name="sns",
    timing=(timing,),
    contract=(contract,),
    throttling="Throttled",
    stale_reads=("GetTopicAttributes", "ListTagsForResource"),
    changes=("CreateTopic", "DeleteTopic", "SetTopicAttributes", "TagResource", "UntagResource"),
    tags=Tags(
        returned_by=("ListTagsForResource",),
        taken_by=("CreateTopic", "TagResource", "UntagResource"),
        refusal="InvalidParameter",
    ),
    indexed=("CreateTopic", "DeleteTopic", "TagResource", "UntagResource"),
)


@contract("CreateTopic")
def a_topic_made_again_must_be_the_same(request: Request, proceed: Next) -> Reply:
    """CreateTopic returns the existing topic, unless attributes or tags differ."""
    arn = request.arn("sns", request.params["Name"])
    if arn not in request.backend("sns").topics:
        return proceed()
    have = {**request.call("GetTopicAttributes", TopicArn=arn)["Attributes"], **_attributes(request, arn)}
    wanted = request.params.get("Attributes", {})
    if any(have.get(name, "") != value for name, value in wanted.items()):
        raise ServiceError(
            "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
        )
    tags = request.call("ListTagsForResource", ResourceArn=arn)["Tags"]
    if "Tags" in request.params and _as_dict(request.params["Tags"]) != _as_dict(tags):
        raise ServiceError(
            "InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags"
        )
    return proceed()


@contract("CreateTopic", "SetTopicAttributes")
def every_attribute_is_kept(request: Request, proceed: Next) -> Reply:
    """All attributes are stored, SignatureVersion and TracingConfig too; an empty value removes one."""
    reply = proceed()
    params = request.params
    if request.operation == "CreateTopic":
        _attributes(request, reply["TopicArn"]).update(params.get("Attributes", {}))
    else:
        _attributes(request, params["TopicArn"])[params["AttributeName"]] = params.get("AttributeValue", "")
    return reply


@contract("GetTopicAttributes")
def every_attribute_is_shown(request: Request, proceed: Next) -> Reply:
    """All attributes are returned, those that moto leaves out too."""
    reply = proceed()
    given = {name: value for name, value in _attributes(request, request.params["TopicArn"]).items() if value}
    reply["Attributes"] = {**given, **reply["Attributes"]}
    return reply


def _attributes(request: Request, arn: str) -> dict[str, str]:
    attributes: dict[str, str] = notes_on(request.backend("sns").topics[arn]).setdefault("attributes", {})
    return attributes


def _as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


_BY_A_PERSON: Final = ("email", "email-json", "http", "https")
_PENDING: Final = "PendingConfirmation"


def _subscriptions(request: Request) -> dict[str, Any]:
    """The subscriptions of the region by their ARN, as moto's objects."""
    subscriptions: dict[str, Any] = request.backend("sns").subscriptions
    return subscriptions


@contract("Subscribe")
def a_receiver_has_to_confirm(request: Request, proceed: Next) -> Reply:
    """An e-mail or web address gets nothing before it has confirmed; a queue or function of the account does by itself.

    https://docs.aws.amazon.com/sns/latest/dg/sns-send-message-to-sqs-cross-account.html
    """
    known = {*_subscriptions(request)}
    reply = proceed()
    arn = reply["SubscriptionArn"]
    notes = notes_on(_subscriptions(request)[arn])
    theirs = request.params["Endpoint"].split(":")[4:5] not in ([], [request.account])
    if arn not in known and (request.params["Protocol"] in _BY_A_PERSON or theirs):
        notes["pending"] = True
        request.simulation.mark(_subscriptions(request)[arn], "subscribed")
    if notes.get("pending"):
        reply["SubscriptionArn"] = "pending confirmation"
    return reply


@contract("ListSubscriptions", "ListSubscriptionsByTopic")
def what_nobody_has_confirmed_has_no_arn(request: Request, proceed: Next) -> Reply:
    """A subscription that is not confirmed is listed without its ARN."""
    reply = proceed()
    waiting = {arn for arn, each in _subscriptions(request).items() if notes_on(each).get("pending")}
    for each in reply["Subscriptions"]:
        if each["SubscriptionArn"] in waiting:
            each["SubscriptionArn"] = _PENDING
    return reply


@contract("ConfirmSubscription")
def a_receiver_confirms(request: Request, proceed: Next) -> Reply:  # noqa: ARG001 -- moto makes up an ARN
    """The token is known to the receiver alone; here it is the endpoint."""
    topic, token = request.params["TopicArn"], request.params["Token"]
    for arn, each in _subscriptions(request).items():
        if (each.topic_arn, each.endpoint) == (topic, token):
            notes_on(each)["pending"] = False
            return {"SubscriptionArn": arn}
    raise ServiceError("InvalidParameter", "Invalid parameter: Token")


@contract("Unsubscribe", "GetSubscriptionAttributes", "SetSubscriptionAttributes")
def a_subscription_is_named_by_its_arn(request: Request, proceed: Next) -> Reply:
    """A subscription that is not confirmed has no ARN, so nobody unsubscribes it."""
    if request.params["SubscriptionArn"] == _PENDING:
        raise ServiceError(
            "InvalidParameter",
            "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
        )
    return proceed()


# -- timing ----------------------------------------------------------------------------------------------------------


_BUSY_S: Final = 0.5


@timing("SetTopicAttributes", "TagResource", "UntagResource")
def a_topic_takes_one_change_at_a_time(request: Request, proceed: Next) -> Reply:
    """Another change within half a second is refused."""
    topic = request.backend("sns").topics.get(request.params.get("TopicArn") or request.params.get("ResourceArn"))
    if topic is None:
        return proceed()
    if not request.simulation.elapsed(topic, "changed", _BUSY_S):
        raise ServiceError("ConcurrentAccess", "Another change of this topic is in progress.")
    reply = proceed()
    request.simulation.mark(topic, "changed")
    return reply


_UNCONFIRMED_S: Final = 48 * 3600.0


@timing("ListSubscriptions", "ListSubscriptionsByTopic")
def what_nobody_confirms_goes(request: Request, proceed: Next) -> Reply:
    """SNS drops what is not confirmed within 48 hours (its developer guide); where no time passes it stays."""
    for arn, each in [*_subscriptions(request).items()] if request.simulation.scale else ():
        if notes_on(each).get("pending") and request.simulation.elapsed(each, "subscribed", _UNCONFIRMED_S):
            del _subscriptions(request)[arn]
    return proceed()
