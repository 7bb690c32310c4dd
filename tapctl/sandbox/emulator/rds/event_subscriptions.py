"""Event subscriptions: sources that exist, a topic that lets RDS publish, one source a call; and states that take time.

From the RDS API reference (CreateEventSubscription and the like), the Aurora user guide ("Working with Amazon RDS event
notification"), and what terraform-provider-aws waits for (internal/service/rds/event_subscription.go).
"""

from __future__ import annotations

import json
from typing import Any, Final

from tapctl.sandbox.emulator.rds import lifecycle
from tapctl.sandbox.emulator.rds.catalog import paginate
from tapctl.sandbox.emulator.rds.lifecycle import is_deleting, is_hidden, mark_created, shown_status, start_deleting
from tapctl.sandbox.emulator.rules import Next, Reply, Request, Rules, ServiceError
from tapctl.sandbox.emulator.simulation import notes_on

contract, timing, topic_timing = Rules("rds"), Rules("rds"), Rules("sns")

_MAX_SUBSCRIPTIONS: Final = 20
"""Aurora user guide, "Quotas in Amazon Aurora": event subscriptions of an account in a region."""
_CATEGORIES: Final = {
    "db-cluster": (
        *("configuration change", "creation", "deletion", "failover", "failure", "global-failover", "maintenance"),
        *("migration", "notification", "serverless"),
    ),
    "db-instance": (
        *("availability", "backtrack", "backup", "configuration change", "creation", "deletion", "failover", "failure"),
        *("low storage", "maintenance", "notification", "read replica", "recovery", "restoration", "security"),
        "security patching",
    ),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change", "failure"),
}
"""Source type to its categories. Aurora user guide, "Amazon RDS event categories and event messages for Aurora"."""
_SOURCES: Final = {"db-cluster": "clusters", "db-instance": "databases", "db-parameter-group": "db_parameter_groups"}
"""Source type to the attribute of moto's RDS backend that holds the sources."""
_PUBLISHER: Final = "events.rds.amazonaws.com"

_ONE_SOURCE: Final = ("AddSourceIdentifierToSubscription", "RemoveSourceIdentifierFromSubscription")
_CHANGES: Final = ("ModifyEventSubscription", *_ONE_SOURCE)
_ALL: Final = ("CreateEventSubscription", *_CHANGES, "DeleteEventSubscription", "DescribeEventSubscriptions")


def _subscription(request: Request) -> Any:
    """Return the subscription that a request names.

    Raises:
        ServiceError: there is none.
    """
    name = request.params["SubscriptionName"]
    subscription = request.backend("rds").event_subscriptions.get(name)
    if subscription is None:
        raise _missing_error(name)
    return subscription


def _missing_error(name: str) -> ServiceError:
    return ServiceError("SubscriptionNotFound", f"Event Subscription {name} not found.")


def _described(request: Request) -> Reply:
    reply = request.call("DescribeEventSubscriptions", SubscriptionName=request.params["SubscriptionName"])
    return {"EventSubscription": reply["EventSubscriptionsList"][0]}


# -- what is accepted, stored and returned ---------------------------------------------------------------------------


@contract("CreateEventSubscription")
def an_account_has_few_subscriptions(request: Request, proceed: Next) -> Reply:
    """An account has 20 subscriptions at most in a region."""
    if len(request.backend("rds").event_subscriptions) >= _MAX_SUBSCRIPTIONS:
        raise ServiceError("EventSubscriptionQuotaExceeded", f"You have reached the limit of {_MAX_SUBSCRIPTIONS}.")
    return proceed()


@contract("CreateEventSubscription", "ModifyEventSubscription")
def a_topic_must_let_rds_publish(request: Request, proceed: Next) -> Reply:
    """The topic exists, is a standard one, and its policy lets RDS publish."""
    arn = request.params.get("SnsTopicArn")
    if arn is None:
        return proceed()
    if arn.endswith(".fifo"):
        raise ServiceError("SNSInvalidTopic", f"SNS topic {arn} is a FIFO topic")
    state = _topic_state(request, arn)
    if state == "topic-not-exist":
        raise ServiceError("SNSTopicArnNotFound", f"The SNS topic {arn} does not exist")
    if state == "no-permission":
        raise _no_permission_error(arn)
    return proceed()


def _no_permission_error(arn: str) -> ServiceError:
    return ServiceError("SNSNoAuthorization", f"RDS does not have permission to publish to the SNS topic {arn}")


def _topic_state(request: Request, arn: str) -> str:
    """Return the status that the topic's state makes a subscription show; empty: RDS may publish."""
    topic = request.backend("sns").topics.get(arn)
    if topic is None:
        return "topic-not-exist"
    # The policy that SNS gives every new topic lets the whole account publish, RDS for it as well.
    principals = [statement.get("Principal", {}) for statement in _listed(json.loads(topic.policy)["Statement"])]
    return "" if any(map(_may_be_rds, principals)) else "no-permission"


def _may_be_rds(principal: Any) -> bool:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return _PUBLISHER in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@contract("CreateEventSubscription", "AddSourceIdentifierToSubscription")
def sources_of_events_exist(request: Request, proceed: Next) -> Reply:
    """Each source is there, and of the subscription's type."""
    params = request.params
    adds = request.operation in _ONE_SOURCE
    sources = [params["SourceIdentifier"]] if adds else params.get("SourceIds", [])
    type_ = _subscription(request).source_type if adds else params.get("SourceType", "")
    known = getattr(request.backend("rds"), _SOURCES[type_]) if sources else {}
    for source in sources:
        if source.lower() not in known:
            raise ServiceError("SourceNotFound", f"Could not find source :{source}")
    return proceed()


@contract("CreateEventSubscription", "ModifyEventSubscription")
def categories_are_of_the_type(request: Request, proceed: Next) -> Reply:
    """Only the categories of the source type are taken; without a type, those of every type."""
    type_ = request.params.get("SourceType")
    known = _CATEGORIES[type_] if type_ else {name for names in _CATEGORIES.values() for name in names}
    wrong = {*request.params.get("EventCategories", [])} - {*known}
    if wrong:
        raise ServiceError("SubscriptionCategoryNotFound", f"Event category {', '.join(sorted(wrong))} is not valid")
    return proceed()


@contract("CreateEventSubscription")
def a_subscription_is_on_and_lower_case(request: Request, proceed: Next) -> Reply:
    """A new subscription is enabled unless told otherwise; sources are stored in lower case."""
    request.params.setdefault("Enabled", True)
    request.params["SourceIds"] = [source.lower() for source in request.params.get("SourceIds", [])]
    return proceed()


@contract("ModifyEventSubscription")
def a_subscription_is_changed(request: Request, _: Next) -> Reply:
    """Topic, type, categories and switch are changed, the sources stay; moto has no ModifyEventSubscription."""
    subscription, params = _subscription(request), request.params
    subscription.sns_topic_arn = params.get("SnsTopicArn", subscription.sns_topic_arn)
    subscription.source_type = params.get("SourceType", subscription.source_type)
    subscription.event_categories = params.get("EventCategories", subscription.event_categories)
    subscription.enabled = params.get("Enabled", subscription.enabled)
    return _described(request)


@contract(*_ONE_SOURCE)
def a_source_comes_or_goes(request: Request, _: Next) -> Reply:
    """A source is added or removed; moto has neither operation."""
    subscription, source = _subscription(request), request.params["SourceIdentifier"].lower()
    others = [other for other in subscription.source_ids if other != source]
    if request.operation == _ONE_SOURCE[0]:
        subscription.source_ids = [source, *others]
    elif source in subscription.source_ids:
        subscription.source_ids = others
    else:
        raise ServiceError("SourceNotFound", f"Could not find source :{source}")
    return _described(request)


@contract("DescribeEventSubscriptions")
def subscriptions_come_in_pages(request: Request, proceed: Next) -> Reply:
    """A page of subscriptions holds 100 records."""
    return paginate(request, "EventSubscriptionsList", proceed()["EventSubscriptionsList"])


@contract("DescribeEventSubscriptions")
def a_subscription_shows_whether_rds_may_publish(request: Request, proceed: Next) -> Reply:
    """A topic that is gone, or that lets RDS publish no more, shows in the status."""
    reply = proceed()
    for shown in reply["EventSubscriptionsList"]:
        shown["Status"] = _topic_state(request, shown["SnsTopicArn"]) or shown["Status"]
    return reply


# -- timing ----------------------------------------------------------------------------------------------------------


_CREATING_S: Final = 15.0
_MODIFYING_S: Final = 10.0
_GOES_S: Final = 10.0
"""terraform-provider-aws waits 10 s at least before its first look at each of these states."""
_POLICY_S: Final = 5.0
"""RDS learns of a topic's policy so much later."""
_POLICY_CHANGED: Final = "policy reached RDS"
_ACTIVE: Final = "active"


def _start(request: Request, seconds: float, status: str) -> None:
    lifecycle.enter_states(request, _subscription(request), (seconds, status), end=_ACTIVE)


@timing(*_ALL)
def deleted_subscriptions_go_in_time(request: Request, proceed: Next) -> Reply:
    """A subscription whose deletion is over is removed."""
    subscriptions = request.backend("rds").event_subscriptions
    for name, subscription in list(subscriptions.items()):
        if is_deleting(subscription) and notes_on(subscription)["gone_at"] <= request.simulation.now():
            del subscriptions[name]
    return proceed()


@timing(*_CHANGES, "DeleteEventSubscription", "DescribeEventSubscriptions")
def a_new_subscription_does_not_show_at_once(request: Request, proceed: Next) -> Reply:
    """A new subscription is missing for 2 s, and once more after it has shown."""
    subscriptions, name = request.backend("rds").event_subscriptions, request.params.get("SubscriptionName", "")
    hidden = {name for name, subscription in subscriptions.items() if is_hidden(request, subscription)}
    if name in hidden:
        raise _missing_error(name)
    reply = proceed()
    if "EventSubscriptionsList" in reply:
        shown = reply["EventSubscriptionsList"]
        reply["EventSubscriptionsList"] = [each for each in shown if each["CustSubscriptionId"] not in hidden]
    return reply


@timing(*_CHANGES, "DeleteEventSubscription")
def a_subscription_at_work_takes_no_change(request: Request, proceed: Next) -> Reply:
    """A subscription that is being made, changed or deleted is neither changed nor deleted."""
    subscription = _subscription(request)
    status = lifecycle.status_of(request, subscription)
    if status not in (_ACTIVE, lifecycle.AVAILABLE):
        name = subscription.resource_id
        raise ServiceError("InvalidEventSubscriptionState", f"Event subscription {name} is in state {status}")
    return proceed()


@timing("CreateEventSubscription")
def a_subscription_is_made_in_seconds(request: Request, proceed: Next) -> Reply:
    """A new subscription is ``creating`` for 15 s."""
    reply = proceed()
    mark_created(request, _subscription(request))
    _start(request, _CREATING_S, "creating")
    return reply


@timing(*_CHANGES)
def a_change_of_a_subscription_takes_seconds(request: Request, proceed: Next) -> Reply:
    """A changed subscription is ``modifying`` for 10 s."""
    reply = proceed()
    _start(request, _MODIFYING_S, "modifying")
    return reply


@timing("DeleteEventSubscription")
def a_subscription_goes_in_seconds(request: Request, proceed: Next) -> Reply:
    """A deleted subscription is ``deleting`` for 10 s."""
    subscription = _subscription(request)
    reply = proceed()
    request.backend("rds").event_subscriptions[subscription.resource_id] = subscription
    start_deleting(request, subscription, _GOES_S, lag_s=0.0)
    return reply


@timing("DescribeEventSubscriptions")
def a_subscription_shows_its_state(request: Request, proceed: Next) -> Reply:
    """The status is that of the moment."""
    reply = proceed()
    for shown in reply["EventSubscriptionsList"]:
        subscription = request.backend("rds").event_subscriptions[shown["CustSubscriptionId"]]
        status = shown_status(request, subscription)
        if shown["Status"] == _ACTIVE and status != lifecycle.AVAILABLE:
            shown["Status"] = status
    return reply


@topic_timing("CreateTopic", "SetTopicAttributes")
def a_topic_s_policy_reaches_rds_late(request: Request, proceed: Next) -> Reply:
    """A topic's policy is news to RDS for 5 s."""
    reply = proceed()
    arn = reply.get("TopicArn") or request.params["TopicArn"]
    request.simulation.mark(request.backend("sns").topics[arn], _POLICY_CHANGED)
    return reply


@timing("CreateEventSubscription", "ModifyEventSubscription")
def a_topic_that_is_news_is_not_published_to(request: Request, proceed: Next) -> Reply:
    """RDS may not publish before it knows the topic's policy."""
    arn = request.params.get("SnsTopicArn", "")
    topic = request.backend("sns").topics.get(arn)
    if topic is not None and not request.simulation.elapsed(topic, _POLICY_CHANGED, _POLICY_S):
        raise _no_permission_error(arn)
    return proceed()
