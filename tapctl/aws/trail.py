"""CloudTrail's event history: who made which change, as `LookupEvents` tells it of the last 90 days.

LookupEvents takes two calls a second in an account and region, and one attribute a call; its answers are the newest
first. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from tapctl.aws.rights import Need, Right
from tapctl.errors import THROTTLING, AwsNoAnswer

if TYPE_CHECKING:
    from tapctl.aws.client import Aws

TRAIL_RIGHTS: Final = (Right(Need.EXPOSURES, ("cloudtrail:LookupEvents",), why="the event history is the account's"),)
"""The right to ask who made a change; without it a drift says so and goes on."""
PAUSE_S: Final = 0.55
"""Seconds between two calls: at most two a second, with the clock of a machine that is a little fast."""
BACKOFF_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after each refusal of too many calls; after the last one it is said."""
PAGES: Final = 20
"""Pages of `PAGE` events that are read of one attribute: eleven seconds."""
PAGE: Final = 50
"""Events of a page: the most that CloudTrail gives."""
_HOMES: Final = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""Partition to the region in which IAM writes its events."""

Via = Literal["console", "cli", "sdk", "service"]
Attribute = Literal["ResourceName", "EventName"]

_VERSION = re.compile(r"[0-9]{8}(v[0-9]+)?$")
_RUN = re.compile(r"\btapctl/\S+ run/([0-9A-Za-z-]{8,64})")
_CONSOLE = re.compile(r"(console|signin)\.amazonaws\.com|^\[?(Mozilla/|S3Console/)")
_SERVICE = re.compile(r"\.amazonaws\.com(\.cn)?$|^AWS Internal$")
_SSO: Final = "AWSReservedSSO_"
_PEOPLE: Final = ("Root", "IAMUser", "IdentityCenterUser", "SAMLUser", "WebIdentityUser", "FederatedUser")


@dataclass(frozen=True)
class TrailEvent:
    """An event of CloudTrail: all texts are what others wrote."""

    id: str
    name: str
    at: str
    """The time in UTC: ``2026-11-28T21:40:04Z``."""
    principal: str
    """``sso:dana``, ``user/alice``, ``role/deploy (session)``, ``rds.amazonaws.com``."""
    via: Via
    by_person: bool
    """True if a person's identity or the console made the call; a role is taken for a machine's."""
    run: str
    """The run of tapctl that made the call, as its user agent says, which is the caller's own text; empty: none."""
    request: Mapping[str, Any]
    words: frozenset[str]
    """Every text in the request and among the event's resources, in lower case."""

    def is_named(self, names: Collection[str]) -> bool:
        """True if the event has this name, whatever version of it."""
        return self.name in names or _VERSION.sub("", self.name) in {_VERSION.sub("", name) for name in names}

    def concerns(self, ids: Collection[str]) -> bool:
        """True if the request names one of these ids, or an ARN that ends with one."""
        lower = [id_.lower() for id_ in ids]
        return any(word == id_ or word.endswith((f":{id_}", f"/{id_}")) for word in self.words for id_ in lower)


def home_region(partition: str, region: str) -> str:
    """The region in which a global service writes its events; ``region`` where the partition is not known."""
    return _HOMES.get(partition, region)


class TrailReader:
    """The event history of one account and region. What was read of an attribute is read once."""

    def __init__(self, aws: Aws, wait: Callable[[float], None] = time.sleep) -> None:
        self._aws, self._wait = aws, wait
        self._read: dict[tuple[Attribute, str], tuple[list[TrailEvent], Iterator[list[TrailEvent]]]] = {}
        self._left: dict[tuple[Attribute, str], str] = {}

    def events(self, attribute: Attribute, value: str) -> Iterator[TrailEvent]:
        """The changes that were accepted, the newest first; no more than `PAGES` pages of all events are read.

        Raises:
            AwsError: CloudTrail refuses, or still has too many calls after all of `BACKOFF_S`.
        """
        known, more = self._read.setdefault((attribute, value), ([], self._pages(attribute, value)))
        at = 0
        while True:
            while at == len(known):
                page = next(more, None)
                if page is None:
                    return
                known.extend(page)
            yield known[at]
            at += 1

    def left_before(self, attribute: Attribute, value: str) -> str | None:
        """The time before which events were left unread, since there are too many; None: none was asked for in vain.

        Empty where CloudTrail tells no time.
        """
        return self._left.get((attribute, value))

    def _pages(self, attribute: Attribute, value: str) -> Iterator[list[TrailEvent]]:
        asked: dict[str, Any] = {"LookupAttributes": [{"AttributeKey": attribute, "AttributeValue": value}]}
        oldest = ""
        for _ in range(PAGES):
            answer = self._lookup(asked)
            told = answer.get("Events", ())
            oldest = next((_at(event) for event in reversed(told) if event.get("EventTime")), oldest)
            yield [event for each in told for event in _event(each)]
            if not answer.get("NextToken"):
                return
            asked["NextToken"] = answer["NextToken"]
        self._left[attribute, value] = oldest

    def _lookup(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        client: Any = self._aws.client("cloudtrail", retries=False)
        pauses = iter(BACKOFF_S)
        while True:
            with self._aws.paced:
                try:
                    answer: Mapping[str, Any] = client.lookup_events(**asked, MaxResults=PAGE)
                except AwsNoAnswer as error:
                    pause = next(pauses, None)
                    if pause is None or error.aws_code not in THROTTLING:
                        raise
                    self._wait(pause)
                else:
                    self._wait(PAUSE_S)
                    return answer


def _at(told: Mapping[str, Any]) -> str:
    """The time of an event that may have been refused, as `TrailEvent.at`."""
    at: datetime = told["EventTime"]
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(told: Mapping[str, Any]) -> Iterator[TrailEvent]:
    """Read one event; nothing of one that was refused, that is no JSON, or is deeper than Python's stack."""
    try:
        event = json.loads(told.get("CloudTrailEvent", ""))
    except (ValueError, RecursionError):
        return
    if not isinstance(event, Mapping) or event.get("errorCode"):
        return
    identity = event.get("userIdentity")
    identity = identity if isinstance(identity, Mapping) else {}
    request = event.get("requestParameters")
    request = request if isinstance(request, Mapping) else {}
    agent = str(event.get("userAgent", ""))
    via = _via(event, identity, agent)
    run = _RUN.search(agent)
    yield TrailEvent(
        id=str(event.get("eventID") or told.get("EventId", "")),
        name=str(event.get("eventName", "")),
        at=str(event.get("eventTime", "")),
        principal=_principal(identity),
        via=via,
        by_person=via != "service" and (via == "console" or _is_person(identity)),
        run=run[1] if run else "",
        request=request,
        words=frozenset(word.lower().removesuffix(":*") for word in _texts([request, event.get("resources")])),
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in the value, however deep: others wrote it."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _via(event: Mapping[str, Any], identity: Mapping[str, Any], agent: str) -> Via:
    """The way the call came.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    source = str(event.get("sourceIPAddress", ""))
    if str(event.get("sessionCredentialFromConsole", "")).lower() == "true" or _CONSOLE.search(agent):
        return "console"
    # A service is told by what AWS writes: the agent is the caller's own text.
    if identity.get("type") == "AWSService" or identity.get("invokedBy") or _SERVICE.search(source):
        return "service"
    return "cli" if agent.lstrip("[").startswith("aws-cli/") else "sdk"


def _principal(identity: Mapping[str, Any]) -> str:
    """The principal in short.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    kind, arn = str(identity.get("type", "")), str(identity.get("arn", ""))
    if kind == "AssumedRole":
        role, _, session = arn.partition(":assumed-role/")[2].partition("/")
        return f"sso:{session}" if role.startswith(_SSO) else f"role/{role} ({session})"
    if kind == "Root":
        return "root"
    if kind == "IAMUser":
        return f"user/{identity.get('userName') or arn.rpartition('/')[2]}"
    named = ("userName", "invokedBy", "principalId", "accountId")
    return next((str(identity[name]) for name in named if identity.get(name)), "unknown")


def _is_person(identity: Mapping[str, Any]) -> bool:
    return identity.get("type") in _PEOPLE or f":assumed-role/{_SSO}" in str(identity.get("arn", ""))
