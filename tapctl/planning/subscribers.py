"""Receivers of the alarms, told by several commands: that there is none, and which ones other people have added."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from tapctl.engine.model import address
from tapctl.engine.plan import Action, Change
from tapctl.errors import AwsError, ConfigError
from tapctl.reconcilers.sns_subscription import SnsSubscription, is_confirmed, subscriber, subscriptions
from tapctl.reconcilers.sns_topic import SnsTopic
from tapctl.safety.redaction import host_alone
from tapctl.session.session import Session

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

_MOST: Final = 5
"""Receivers that are named where more are meant."""


def tell_of_subscribers(session: Session, recorded: Collection[str], *, nobody: bool = True) -> None:
    """Read the topic's subscriptions, and tell of strangers, and of a topic that reaches nobody.

    Strangers are those that are not recorded; and, since a record is no proof, those that the files do not name.

    ``recorded``: addresses. ``nobody``: False to leave out the warning of a topic that reaches nobody. One call; a
    failed one is told and stops nothing.
    """
    topic = session.names.topic
    live = _live(session, recorded)
    if live is None:
        return
    unconfirmed = [subscriber(each) for each in live if not is_confirmed(each)]
    if nobody and not live:
        file = f"{session.target.env}.toml"
        session.screen.warn(
            f"{topic} has no subscriber: no alarm reaches anybody; name some as alarms.subscribers in {file}"
        )
    elif nobody and len(unconfirmed) == len(live):
        session.screen.warn(
            f"no subscriber of {topic} has confirmed: no alarm reaches anybody ({_listed(unconfirmed)})"
        )
    ids = {subscriber(each): session.names.subscription(subscriber(each)) for each in live}
    others = _others(session, live, recorded)
    if others:
        session.screen.warn(f"{topic} has subscribers that others have added, and keeps them: {_listed(others)}")
    if isinstance(session.loaded, ConfigError):
        return
    unnamed = {name for name in ids.keys() - others if session.claimant.chosen_name(SnsSubscription.type, ids[name])}
    waiting = unnamed.intersection(unconfirmed)
    if waiting:
        session.screen.warn(
            f"{topic} has asked subscribers that {session.target.env}.toml does not name, and that have not confirmed: "
            f"{_listed(waiting)}; nobody can unsubscribe them before that, and SNS drops them 48 hours after they were "
            "asked; who confirms until then gets every alarm, and drift tells it"
        )
    if unnamed := unnamed - waiting:
        session.screen.warn(
            f"{topic} has subscribers that the record tells of and {session.target.env}.toml does not name: "
            f"{_listed(unnamed)}; an apply removes those that --allow names"
        )


def ended_subscriptions(session: Session, going: Collection[str], *, approved: bool) -> tuple[str, ...]:
    """Read the topic's subscriptions; returns the receivers of those of others that a destroy ends: SNS keeps none.

    ``going``: the addresses that are removed. One call, where the topic is among them; a failed one is told and stops
    nothing. ``approved``: True where somebody approves which ones end, or has: then it stops all.

    Raises:
        AwsError: they cannot be read, and are approved.
    """
    return tuple(sorted(_others(session, _live(session, going, needed=approved) or (), going)))


def tell_of_ended_subscriptions(session: Session, receivers: Collection[str]) -> None:
    """Tell of the receivers of others whose subscriptions a destroy ends."""
    if receivers:
        session.screen.warn(
            f"{session.names.topic} has subscribers that others have added, and they go with it: {_listed(receivers)}"
        )


def shown_subscriptions(session: Session, receivers: Iterable[str]) -> tuple[str, ...]:
    """The addresses of these receivers' subscriptions as they may be shown: a digest tells apart what is not."""
    shown = ((each, host_alone(each)) for each in receivers)
    return tuple(
        address(SnsSubscription.type, f"{session.names.topic}/{text}{'' if text == each else _digest(each)}")
        for each, text in shown
    )


def _digest(receiver: str) -> str:
    return f"#{hashlib.sha256(receiver.encode()).hexdigest()[:16]}"


def _live(session: Session, addresses: Collection[str], *, needed: bool = False) -> list[SubscriptionTypeDef] | None:
    """The topic's subscriptions; None where it is not among these addresses, or they cannot be read, which is told.

    Raises:
        AwsError: they cannot be read, and are ``needed``.
    """
    topic = session.names.topic
    if address(SnsTopic.type, topic) not in addresses:
        return None
    try:
        return subscriptions(session.aws, session.aws.arn("sns", topic))
    except AwsError as error:
        if needed:
            raise
        session.screen.warn(f"the subscribers of {topic} could not be read: {error.cause}")
        return None


def _others(session: Session, live: Iterable[SubscriptionTypeDef], ours: Collection[str]) -> list[str]:
    """The receivers of these subscriptions whose address is none of ours."""
    receivers = map(subscriber, live)
    return [each for each in receivers if address(SnsSubscription.type, session.names.subscription(each)) not in ours]


def tell_of_confirmations(session: Session, changes: Iterable[Change]) -> None:
    """Tell which queues and functions that are to be subscribed are another account's: SNS has that one confirm.

    https://docs.aws.amazon.com/sns/latest/dg/sns-send-message-to-sqs-cross-account.html
    """
    for change in changes:
        if change.type != SnsSubscription.type or change.action is not Action.CREATE:
            continue
        receiver = change.id.partition("/")[2]
        account = receiver.split(":")[4] if receiver.startswith("arn:") else session.aws.account
        if account != session.aws.account:
            session.screen.warn(
                f"{receiver} is of account {account}, which has to confirm it: SNS sends it a SubscriptionConfirmation,"
                " whose token that account gives to aws sns confirm-subscription; no alarm reaches it before"
            )


def _listed(subscribers: Collection[str]) -> str:
    shown = sorted(map(host_alone, subscribers))
    more = [f"{len(shown) - _MOST} more"] if len(shown) > _MOST else []
    return ", ".join([*shown[:_MOST], *more])
