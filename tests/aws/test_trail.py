from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tapctl.aws.client import Aws
from tapctl.aws.trail import BACKOFF_S, PAGES, PAUSE_S, TrailReader, home_region
from tapctl.errors import AwsNoAnswer, AwsRefused

ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:us-east-2:{ACCOUNT}:function:Payments-Dev"


def told(name: str = "UpdateFunctionConfiguration20150331v2", **event: Any) -> dict[str, Any]:
    body = {"eventName": name, "eventTime": "2031-05-06T07:08:09Z", "eventID": "e-1", **event}
    return {"EventId": "e-1", "CloudTrailEvent": json.dumps(body)}


class Trail:
    """A CloudTrail that answers page after page; an exception is raised."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.asked: list[Any] = []
        self.waited: list[Any] = []
        self.paced = threading.Lock()

    def client(self, service: str, *, retries: bool) -> Trail:
        assert (service, retries) == ("cloudtrail", False), "the limit is ours to keep"
        return self

    def lookup_events(self, **asked: Any) -> Any:
        self.asked.append(asked)
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            raise page
        return page

    @property
    def reader(self) -> TrailReader:
        return TrailReader(cast("Aws", self), self.waited.append)


def one(**event: Any) -> Any:
    (found,) = Trail({"Events": [told(**event)]}).reader.events("EventName", "x")
    return found


def user(name: str) -> dict[str, str]:
    return {"type": "IAMUser", "userName": name}


def assumed(role: str, session: str) -> dict[str, Any]:
    return {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"}


@pytest.mark.parametrize(
    ("event", "principal", "via", "by_person"),
    [
        (
            {"userIdentity": user("alice"), "userAgent": "aws-cli/2.1"},
            "user/alice",
            "cli",
            True,
        ),
        ({"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/x/bob"}}, "user/bob", "sdk", True),
        ({"userIdentity": {"type": "Root"}, "userAgent": "signin.amazonaws.com"}, "root", "console", True),
        (
            {"userIdentity": assumed("AWSReservedSSO_Admin_1", "dana"), "userAgent": "[aws-cli/1.2 Python]"},
            "sso:dana",
            "cli",
            True,
        ),
        ({"userIdentity": assumed("deploy", "ci"), "userAgent": "Boto3/1.3"}, "role/deploy (ci)", "sdk", False),
        (
            {"userIdentity": assumed("deploy", "ci"), "sessionCredentialFromConsole": "true"},
            "role/deploy (ci)",
            "console",
            True,
        ),
        (
            {"userIdentity": {"type": "AWSService", "invokedBy": "rds.amazonaws.com"}},
            "rds.amazonaws.com",
            "service",
            False,
        ),
        (
            {"userIdentity": user("a"), "sourceIPAddress": "cloudformation.amazonaws.com"},
            "user/a",
            "service",
            False,
        ),
        (
            {"userIdentity": user("a"), "userAgent": "rds.amazonaws.com", "sourceIPAddress": "192.0.2.1"},
            "user/a",
            "sdk",
            True,
        ),
        ({"userIdentity": {"type": "IdentityCenterUser"}}, "unknown", "sdk", True),
        ({"userIdentity": "?", "requestParameters": "?"}, "unknown", "sdk", False),
    ],
)
def test_an_event_tells_who_made_the_change_and_how(
    event: dict[str, Any], principal: str, via: str, by_person: bool
) -> None:
    found = one(**event)
    assert (found.principal, found.via, found.by_person) == (principal, via, by_person)


def test_our_own_run_is_known_by_its_user_agent() -> None:
    assert one(userAgent="Boto3/1.4 tapctl/0.1.0 run/0a1b2c3d4e5f").run == "0a1b2c3d4e5f"
    assert one(userAgent="Boto3/1.4 run/0a1b2c3d4e5f").run == ""


def test_an_event_is_named_in_any_version_and_concerns_what_its_request_names() -> None:
    event = one(
        requestParameters={"functionName": FUNCTION, "x": [{"y": "sg-1"}]},
        resources=[{"ARN": "arn:aws:logs:us-east-2:1:log-group:/aws/x:*"}],
    )
    assert event.is_named(("UpdateFunctionConfiguration20150331v2",))
    assert event.is_named(("UpdateFunctionConfiguration",))
    assert not event.is_named(("UpdateFunctionCode20150331v2",))
    assert event.concerns(("payments-dev",))
    assert event.concerns(("sg-1",))
    assert event.concerns(("/aws/x",))
    assert not event.concerns(("dev", "sg-12"))


def test_refused_calls_and_what_is_no_event_are_no_changes() -> None:
    deep = {"CloudTrailEvent": '{"a":' * 100_000}
    page = {"Events": [told(errorCode="AccessDenied"), {"CloudTrailEvent": "{"}, {"CloudTrailEvent": "[]"}, {}, deep]}
    assert list(Trail(page).reader.events("EventName", "x")) == []


def test_pages_are_read_as_far_as_somebody_looks_and_once() -> None:
    trail = Trail({"Events": [told()], "NextToken": "2"}, {"Events": [told()]})
    reader = trail.reader
    assert next(reader.events("ResourceName", "x"))
    assert len(trail.asked) == 1
    assert len(list(reader.events("ResourceName", "x"))) == len(list(reader.events("ResourceName", "x"))) == 2
    assert [asked.get("NextToken") for asked in trail.asked][1:] == ["2"]
    assert trail.waited == [PAUSE_S] * 2


def test_a_busy_history_is_read_up_to_a_limit() -> None:
    trail = Trail(*[{"Events": [told()], "NextToken": "more"}] * 50)
    assert len(list(trail.reader.events("EventName", "x"))) == PAGES == len(trail.asked)


def test_what_was_left_unread_is_told_back_to_when_refused_calls_among_it() -> None:
    def page(minute: int) -> dict[str, Any]:
        refused = told(errorCode="AccessDenied") | {"EventTime": datetime(2031, 5, 6, 7, minute, tzinfo=UTC)}
        return {"Events": [refused, {}], "NextToken": "more"}

    reader = Trail(*[page(59 - number) for number in range(PAGES)]).reader
    assert list(reader.events("EventName", "x")) == []
    assert reader.left_before("EventName", "x") == f"2031-05-06T07:{60 - PAGES}:00Z"
    assert reader.left_before("EventName", "y") is None
    silent = Trail(*[{"Events": [{}], "NextToken": "more"}] * PAGES).reader
    assert (list(silent.events("EventName", "x")), silent.left_before("EventName", "x")) == ([], "")


def test_what_nobody_has_asked_for_was_not_left_unread() -> None:
    whole = Trail({"Events": [told()], "NextToken": "more"}, {"Events": [told()]}).reader
    assert len(list(whole.events("EventName", "x"))) == 2
    early = Trail(*[{"Events": [told()], "NextToken": "more"}] * PAGES).reader
    assert next(early.events("EventName", "x"))
    assert (whole.left_before("EventName", "x"), early.left_before("EventName", "x")) == (None, None)


def throttled() -> AwsNoAnswer:
    return AwsNoAnswer("cloudtrail", "LookupEvents", "ThrottlingException", "Rate exceeded")


def test_too_many_calls_are_made_again_later_and_at_last_said() -> None:
    trail = Trail(throttled(), throttled(), {"Events": [told()]})
    assert len(list(trail.reader.events("EventName", "x"))) == 1
    assert trail.waited == [*BACKOFF_S[:2], PAUSE_S]
    with pytest.raises(AwsNoAnswer):
        next(Trail(*(throttled() for _ in range(5))).reader.events("EventName", "x"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: AwsRefused("cloudtrail", "LookupEvents", "AccessDeniedException", "no"),
        lambda: AwsNoAnswer("cloudtrail", "LookupEvents", "EndpointConnectionError", "no"),
    ],
)
def test_any_other_refusal_is_final(make: Callable[[], Exception]) -> None:
    trail = Trail(make())
    with pytest.raises((AwsRefused, AwsNoAnswer)):
        next(trail.reader.events("EventName", "x"))
    assert trail.waited == []


def test_iam_writes_its_events_at_home() -> None:
    assert home_region("aws", "eu-west-1") == "us-east-1"
    assert home_region("aws-cn", "cn-northwest-1") == "cn-north-1"
    assert home_region("aws-iso", "us-iso-west-1") == "us-iso-west-1"
